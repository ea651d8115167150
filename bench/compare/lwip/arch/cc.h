/* What lwIP wants to know of the compiler. */
#ifndef BENCH_COMPARE_LWIP_CC_H_
#define BENCH_COMPARE_LWIP_CC_H_

#include <stdio.h>
#include <stdlib.h>

#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(x) abort()
#define LWIP_RAND() ((u32_t)rand())

#endif /* BENCH_COMPARE_LWIP_CC_H_ */
