#include "base/chunk.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/copy_sum.h"

namespace estab {
namespace {

// A chunk's record and its bytes are one allocation; the bytes begin at a cache line.
constexpr std::size_t kHeader = 64;
static_assert(sizeof(Chunk) <= kHeader);

// What a chunk takes of memory: one that stands for foreign bytes is its record alone.
std::size_t Footprint(const Chunk* chunk) { return kHeader + chunk->capacity; }

// Takes the first chunk off `list`; nullptr if there is none.
Chunk* Pop(Chunk*& list) {
  Chunk* chunk = list;
  if (chunk != nullptr) list = chunk->next;
  return chunk;
}

}  // namespace

ChunkPool::~ChunkPool() {
  ESTAB_CHECK(live_ == 0);
  FreeList(returned_);
  Trim();
}

Chunk* ChunkPool::Allocate(std::size_t bytes_wanted) {
  const bool large = bytes_wanted > Chunk::kSmall;
  Chunk* chunk = Pop(large ? free_large_ : free_small_);
  if (chunk != nullptr) {
    kept_bytes_ -= chunk->capacity;
  } else {
    chunk = Make(large ? Chunk::kLarge : Chunk::kSmall);
  }
  if (chunk == nullptr && kept_bytes_ > 0) {
    // What is kept in the other size stands in the way.
    Trim();
    chunk = Make(large ? Chunk::kLarge : Chunk::kSmall);
  }
  if (chunk == nullptr && large) chunk = Make(Chunk::kSmall);
  if (chunk == nullptr) return nullptr;
  chunk->next = nullptr;
  chunk->begin = chunk->end = 0;
  chunk->references = 1;
  ++live_;
  live_bytes_ += chunk->capacity;
  return chunk;
}

Chunk* ChunkPool::Make(std::size_t capacity) {
  void* memory = memory_->Allocate(kHeader + capacity, kHeader);
  if (memory == nullptr) return nullptr;
  Chunk* chunk = ::new (memory) Chunk;
  chunk->data = static_cast<std::byte*>(memory) + kHeader;
  chunk->capacity = static_cast<std::uint32_t>(capacity);
  return chunk;
}

Chunk* ChunkPool::Refer(std::span<const std::byte> bytes, std::uint64_t token) {
  ESTAB_CHECK(!bytes.empty() && bytes.size() <= UINT32_MAX);
  Chunk* chunk = Pop(free_foreign_);
  if (chunk != nullptr) {
    kept_bytes_ -= kHeader;
  } else {
    chunk = Make(0);
    if (chunk == nullptr && kept_bytes_ > 0) {
      Trim();
      chunk = Make(0);
    }
    if (chunk == nullptr) return nullptr;
  }
  *chunk = {.data = const_cast<std::byte*>(bytes.data()),  // never written to
            .end = static_cast<std::uint32_t>(bytes.size()),
            .references = 1,
            .token = token};
  ++live_;
  return chunk;
}

void ChunkPool::Forget(Chunk* chunk) {
  ESTAB_CHECK(chunk->foreign() && chunk->references == 1);
  --live_;
  Keep(chunk);
}

bool ChunkPool::TakeReturned(ReturnedBytes& out) {
  Chunk* chunk = Pop(returned_);
  if (chunk == nullptr) return false;
  out = {chunk->token, chunk->copied};
  Keep(chunk);
  return true;
}

void ChunkPool::Release(Chunk* chunk) {
  --live_;
  live_bytes_ -= chunk->capacity;
  if (!chunk->foreign()) return Keep(chunk);
  chunk->next = nullptr;
  if (returned_ == nullptr) {
    returned_ = chunk;
  } else {
    returned_last_->next = chunk;
  }
  returned_last_ = chunk;
}

// For reuse, or away with it.
void ChunkPool::Keep(Chunk* chunk) {
  const std::size_t bytes = chunk->foreign() ? kHeader : chunk->capacity;
  if (kept_bytes_ + bytes > std::max(kKeep, live_bytes_)) {
    memory_->Free(chunk, Footprint(chunk));
    return;
  }
  kept_bytes_ += bytes;
  Chunk*& list = chunk->foreign()                   ? free_foreign_
                 : chunk->capacity == Chunk::kSmall ? free_small_
                                                    : free_large_;
  chunk->next = list;
  list = chunk;
}

void ChunkPool::Trim() {
  FreeList(free_small_);
  FreeList(free_large_);
  FreeList(free_foreign_);
  kept_bytes_ = 0;
}

void ChunkPool::FreeList(Chunk*& list) {
  while (Chunk* chunk = Pop(list)) memory_->Free(chunk, Footprint(chunk));
}

void ByteQueue::Link(Chunk* chunk) {
  if (tail_ == nullptr) {
    head_ = chunk;
  } else {
    tail_->next = chunk;
  }
  tail_ = chunk;
}

std::size_t ByteQueue::Append(ChunkPool& pool, std::span<const std::byte> bytes) {
  ESTAB_CHECK(bytes.size() <= UINT32_MAX - size_);
  std::size_t done = 0;
  while (done < bytes.size()) {
    Chunk* chunk = tail_;
    if (chunk == nullptr || chunk->room() == 0) {
      chunk = pool.Allocate(bytes.size() - done);
      if (chunk == nullptr) break;
      Link(chunk);
    }
    const std::size_t n = std::min<std::size_t>(bytes.size() - done, chunk->room());
    CopyBytes(chunk->data + chunk->end, bytes.data() + done, n);
    chunk->end += static_cast<std::uint32_t>(n);
    size_ += static_cast<std::uint32_t>(n);
    done += n;
  }
  return done;
}

void ByteQueue::Append(Chunk* chunk) {
  ESTAB_CHECK(chunk->size() <= UINT32_MAX - size_);
  Link(chunk);
  size_ += static_cast<std::uint32_t>(chunk->size());
}

bool ByteQueue::Own(ChunkPool& pool) {
  cursor_ = nullptr;
  cursor_offset_ = 0;
  Chunk* before = nullptr;
  for (Chunk* chunk = head_; chunk != nullptr; chunk = before->next) {
    before = chunk->foreign() ? Replace(pool, before, chunk) : chunk;
    if (before == nullptr) return false;
  }
  return true;
}

// Puts a copy in the place of `chunk`, which stands behind `before` (nullptr: at the head). The
// last chunk of the copy, or nullptr without memory.
Chunk* ByteQueue::Replace(ChunkPool& pool, Chunk* before, Chunk* chunk) {
  ByteQueue copy;
  const std::span<const std::byte> bytes(chunk->data + chunk->begin, chunk->size());
  if (copy.Append(pool, bytes) < bytes.size()) {
    copy.Clear(pool);
    return nullptr;
  }
  ESTAB_CHECK(copy.tail_ != nullptr);  // every chunk holds at least one byte
  (before == nullptr ? head_ : before->next) = copy.head_;
  copy.tail_->next = chunk->next;
  if (tail_ == chunk) tail_ = copy.tail_;
  chunk->next = nullptr;
  chunk->copied = true;
  pool.Unref(chunk);
  return copy.tail_;
}

// Copies the other queue's first chunks behind our last one while they fit there, so that a peer
// who sends a stream in single bytes out of order cannot make each of them hold a chunk.
void ByteQueue::Compact(ChunkPool& pool, ByteQueue& other) {
  while (tail_ != nullptr && other.head_ != nullptr) {
    Chunk* chunk = other.head_;
    const std::size_t n = chunk->size();
    if (n > tail_->room()) return;
    std::memcpy(tail_->data + tail_->end, chunk->data + chunk->begin, n);
    tail_->end += static_cast<std::uint32_t>(n);
    size_ += static_cast<std::uint32_t>(n);
    other.Consume(pool, n);
  }
}

void ByteQueue::Splice(ChunkPool& pool, ByteQueue& other) {
  ESTAB_CHECK(&other != this && other.size_ <= UINT32_MAX - size_);
  Compact(pool, other);
  if (other.head_ == nullptr) return;
  Link(other.head_);
  tail_ = other.tail_;
  size_ += other.size_;
  other = {};
}

void ByteQueue::Consume(ChunkPool& pool, std::size_t n) {
  ESTAB_CHECK(n <= size_);
  size_ -= static_cast<std::uint32_t>(n);
  if (cursor_offset_ >= n) {
    cursor_offset_ -= static_cast<std::uint32_t>(n);
  } else {
    // The cursor's chunk goes, or becomes the head: either way one begins at the head.
    cursor_ = nullptr;
    cursor_offset_ = 0;
  }
  while (n > 0) {
    Chunk* chunk = head_;
    if (n < chunk->size()) {
      chunk->begin += static_cast<std::uint32_t>(n);
      return;
    }
    n -= chunk->size();
    head_ = chunk->next;
    chunk->next = nullptr;
    pool.Unref(chunk);
  }
  if (head_ == nullptr) *this = {};
}

void ByteQueue::Truncate(ChunkPool& pool, std::size_t n) {
  ESTAB_CHECK(n <= size_);
  if (n == 0) return;
  if (n == size_) {
    Clear(pool);
    return;
  }
  const std::size_t keep = size_ - n;
  const Place last = Seek(keep - 1);
  last.chunk->end = last.chunk->begin + static_cast<std::uint32_t>(keep - last.start);
  if (cursor_offset_ > last.start) {
    cursor_ = nullptr;
    cursor_offset_ = 0;
  }
  Chunk* chunk = last.chunk->next;
  last.chunk->next = nullptr;
  tail_ = last.chunk;
  size_ = static_cast<std::uint32_t>(keep);
  while (chunk != nullptr) {
    Chunk* next = chunk->next;
    chunk->next = nullptr;
    pool.Unref(chunk);
    chunk = next;
  }
}

// The chunk that holds the byte at `offset`, which must be less than size().
ByteQueue::Place ByteQueue::Seek(std::size_t offset) const {
  Place place{head_, 0};
  if (cursor_ != nullptr && offset >= cursor_offset_) place = {cursor_, cursor_offset_};
  while (offset - place.start >= place.chunk->size()) {
    place.start += place.chunk->size();
    place.chunk = place.chunk->next;
  }
  return place;
}

std::size_t ByteQueue::CopyOut(std::size_t offset, std::span<std::byte> into) const {
  if (offset >= size_ || into.empty()) return 0;
  const std::size_t total = std::min(into.size(), size_ - offset);
  const Place place = Seek(offset);
  const Chunk* chunk = place.chunk;
  std::size_t skip = offset - place.start;
  for (std::size_t done = 0; done < total; chunk = chunk->next, skip = 0) {
    const std::size_t n = std::min(total - done, chunk->size() - skip);
    CopyBytes(into.data() + done, chunk->data + chunk->begin + skip, n);
    done += n;
  }
  return total;
}

std::size_t ByteQueue::GatherPieces(std::size_t offset, std::size_t n, std::span<Slice> slices,
                                    Chunk** chunks) {
  ESTAB_CHECK(offset <= size_ && n <= size_ - offset);
  if (n == 0) return 0;
  Place place = Seek(offset);
  std::size_t skip = offset - place.start;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    Chunk* chunk = place.chunk;
    const std::size_t take = std::min(n, chunk->size() - skip);
    slices[i] = {chunk->data + chunk->begin + skip, take};
    if (chunks != nullptr) chunks[i] = chunk;
    n -= take;
    if (n == 0) {
      cursor_ = chunk;
      cursor_offset_ = static_cast<std::uint32_t>(place.start);
      return i + 1;
    }
    place = {chunk->next, place.start + chunk->size()};
    skip = 0;
  }
  return 0;
}

void ByteQueue::Clear(ChunkPool& pool) {
  for (Chunk* chunk = head_; chunk != nullptr;) {
    Chunk* next = chunk->next;
    chunk->next = nullptr;
    pool.Unref(chunk);
    chunk = next;
  }
  *this = {};
}

}  // namespace estab
