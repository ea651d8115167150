/* lwIP as a program would build it that wants speed: NO_SYS, the raw API, one core, pools of a size
 * that never runs out, no statistics, and the checksum and the byte order of our own that its
 * documentation ("Optimization hints") recommends. What is not here is lwIP's own default: no
 * timestamps, no SACK. */
#ifndef BENCH_COMPARE_LWIPOPTS_H_
#define BENCH_COMPARE_LWIPOPTS_H_

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_TIMERS 1

#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_UDP 0
#define LWIP_DNS 0
#define LWIP_DHCP 0
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_TCP 1
#define LWIP_SINGLE_NETIF 1
#define IP_REASSEMBLY 1
#define IP_FRAG 1

#define LWIP_STATS 0
#define LWIP_NOASSERT 1
#define LWIP_DEBUG 0
#define LWIP_PERF 0

#define MEM_ALIGNMENT 8
#define MEM_USE_POOLS 1
#define MEMP_USE_CUSTOM_POOLS 1
#define MEMP_NUM_TCP_PCB 65000
#define MEMP_NUM_TCP_PCB_LISTEN 16
#define MEMP_NUM_TCP_SEG 65000
#define MEMP_NUM_PBUF 4096
#define PBUF_POOL_SIZE 256
#define PBUF_LINK_HLEN 0
#define PBUF_LINK_ENCAPSULATION_HLEN 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1

/* BENCH_BUFFER comes from the build: bytes of each buffer, of bulk. */
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 7
#define TCP_WND BENCH_BUFFER
#define TCP_SND_BUF BENCH_BUFFER
#define TCP_SND_QUEUELEN 4000
#define TCP_SNDLOWAT 8192
/* Packets that arrive stay on the wire's ring: the pool need not hold a window. */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
/* 2MSL is two seconds, so that ending TIME_WAIT needs few of the timer's walks. */
#define TCP_MSL 1000UL

#define LWIP_CHECKSUM_ON_COPY 1
#define CHECKSUM_GEN_IP 1
#define CHECKSUM_GEN_TCP 1
#define CHECKSUM_CHECK_IP 1
#define CHECKSUM_CHECK_TCP 1

#include <stdint.h>
uint16_t bench_checksum(const void* data, int size);
#define LWIP_CHKSUM bench_checksum
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)

#endif /* BENCH_COMPARE_LWIPOPTS_H_ */
