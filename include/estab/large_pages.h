// Memory for stacks with very many connections.
#pragma once

#include "estab/allocator.h"

namespace estab {

/// An allocator that asks the operating system for large pages (Linux: madvise, MADV_HUGEPAGE) for
/// whatever is 1 MiB or more, and takes the rest from the heap. What is spread over gigabytes costs
/// a walk through the page tables with every connection that is visited; large pages keep those in
/// the cache. Where the system grants none (`/sys/kernel/mm/transparent_hugepage/enabled` says
/// `never`) they are plain pages.
///
/// A Host uses it; a Stack of your own does if StackConfig::allocator points to it. Its lifetime is
/// the process's. Any thread may use it.
Allocator& LargePageAllocator();

}  // namespace estab
