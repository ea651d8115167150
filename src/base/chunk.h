// Payload memory: pooled, reference-counted chunks, and the queues that are chains of them. A chunk
// may also stand for memory that is somebody else's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/memory.h"
#include "estab/packet.h"

namespace estab {

/// A piece of payload memory, pooled or foreign. It belongs to one queue (by `next`) and may be
/// lent to packets in flight; it returns to its pool when the last reference goes.
struct Chunk {
  static constexpr std::size_t kSmall = 4096;
  static constexpr std::size_t kLarge = 65536;

  Chunk* next = nullptr;
  std::byte* data = nullptr;   // capacity bytes; foreign ones are never written to
  std::uint32_t capacity = 0;  // 0: the bytes are foreign
  std::uint32_t begin = 0;     // bytes [begin, end) are the queue's
  std::uint32_t end = 0;
  std::uint32_t references = 0;
  bool copied = false;      // of foreign bytes: they were copied on their way after all
  std::uint64_t token = 0;  // likewise: their owner's name for them

  std::size_t size() const { return end - begin; }
  bool foreign() const { return capacity == 0; }
  /// Bytes that may be written behind the end.
  std::uint32_t room() const { return references == 1 && !foreign() ? capacity - end : 0; }
};

/// Makes and recycles chunks of two sizes, and those that stand for foreign memory. Freed chunks
/// are kept for reuse, as many bytes of them as are in use or kKeep, whichever is more; Trim gives
/// them back.
class ChunkPool {
 public:
  /// Bytes of freed chunks that are kept in any case.
  static constexpr std::uint64_t kKeep = std::uint64_t{4} << 20;

  explicit ChunkPool(Memory& memory) : memory_(&memory) {}
  ~ChunkPool();  // every chunk must have come back
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// An empty chunk with one reference, large if `bytes_wanted` fills more than a small one (and
  /// the budget allows it: near the limit it is a small one); nullptr when the budget is spent.
  Chunk* Allocate(std::size_t bytes_wanted);
  /// A chunk with one reference that stands for `bytes` (1 to 2^32 - 1 of them), which stay where
  /// they are. With the last reference `token` joins those that TakeReturned gives back. nullptr
  /// when the budget is spent.
  Chunk* Refer(std::span<const std::byte> bytes, std::uint64_t token);
  /// Frees a chunk of Refer that nobody has seen: nothing is returned.
  void Forget(Chunk* chunk);
  /// Foreign memory that went out of use, oldest first; false if there is none.
  bool TakeReturned(ReturnedBytes& out);
  void Ref(Chunk* chunk) { ++chunk->references; }
  /// Gives back one reference; with the last one the chunk is free.
  void Unref(Chunk* chunk) {
    if (--chunk->references == 0) Release(chunk);
  }

  /// Chunks in use now, foreign ones included.
  std::uint64_t live() const { return live_; }
  /// Their capacity in bytes.
  std::uint64_t live_bytes() const { return live_bytes_; }
  /// Capacity in bytes of the freed chunks that are kept for reuse.
  std::uint64_t kept_bytes() const { return kept_bytes_; }
  /// Frees the chunks that are kept for reuse.
  void Trim();

 private:
  Chunk* Make(std::size_t capacity);
  void Release(Chunk* chunk);
  void Keep(Chunk* chunk);
  void FreeList(Chunk*& list);

  Memory* memory_;
  Chunk* free_small_ = nullptr;
  Chunk* free_large_ = nullptr;
  Chunk* free_foreign_ = nullptr;
  Chunk* returned_ = nullptr;  // oldest first ...
  Chunk* returned_last_ = nullptr;
  std::uint64_t live_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t kept_bytes_ = 0;
};

/// A queue of bytes in chunks: appended at the tail, consumed at the head, read anywhere. Reading
/// near the place read last is O(1), so that the sender's walk from SND.UNA to SND.NXT costs
/// nothing. 32 bytes, trivially movable; whoever holds it calls Clear before it goes (it does not
/// know its pool). At most 2^32 - 1 bytes.
class ByteQueue {
 public:
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Copies as much of `bytes` as memory allows behind the tail; returns how many. A tail chunk
  /// that is lent is not written to: bytes that were truncated from it may still be in flight.
  std::size_t Append(ChunkPool& pool, std::span<const std::byte> bytes);
  /// Puts a chunk of ChunkPool::Refer, with its one reference, behind the tail. The sum of bytes
  /// stays below 2^32.
  void Append(Chunk* chunk);
  /// Copies what is foreign into chunks of the pool and gives it back (as copied). False: memory
  /// did not allow all of it; nothing is lost, and some may have been copied.
  bool Own(ChunkPool& pool);
  /// The first piece: the bytes at the head that lie in one chunk, which is `*chunk`. Not on an
  /// empty queue.
  Slice Front(Chunk** chunk) const {
    *chunk = head_;
    return {head_->data + head_->begin, head_->size()};
  }
  /// Moves everything of `other` behind the tail. Chunks are moved as they are, except those that
  /// fit behind the tail: they are copied, so that two neighbours are always more than one chunk
  /// full. Both queues are of `pool`.
  void Splice(ChunkPool& pool, ByteQueue& other);
  /// Drops `n <= size()` bytes at the head.
  void Consume(ChunkPool& pool, std::size_t n);
  /// Drops `n <= size()` bytes at the tail.
  void Truncate(ChunkPool& pool, std::size_t n);
  /// Copies up to `into.size()` bytes that begin `offset` bytes from the head; returns how many (0
  /// if `offset` is size() or more).
  std::size_t CopyOut(std::size_t offset, std::span<std::byte> into) const;
  /// Points `slices` at the bytes [offset, offset + n), which must lie within the queue; returns
  /// how many slices were filled, or 0 if they are too few. `chunks[i]`, if given, is where slice i
  /// lives. Valid until those bytes are dropped, or for as long as a reference is held.
  std::size_t Gather(std::size_t offset, std::size_t n, std::span<Slice> slices,
                     Chunk** chunks = nullptr) {
    // Most often all of it lies where the last one ended.
    const bool behind = cursor_ != nullptr && offset >= cursor_offset_ && n != 0;
    if (!behind || offset - cursor_offset_ + n > cursor_->size()) {
      return GatherPieces(offset, n, slices, chunks);
    }
    slices[0] = {cursor_->data + cursor_->begin + (offset - cursor_offset_), n};
    if (chunks != nullptr) chunks[0] = cursor_;
    return 1;
  }
  /// Gives everything back.
  void Clear(ChunkPool& pool);

 private:
  // A chunk of the queue, and the queue offset at which it begins.
  struct Place {
    Chunk* chunk;
    std::size_t start;
  };
  Place Seek(std::size_t offset) const;
  std::size_t GatherPieces(std::size_t offset, std::size_t n, std::span<Slice> slices,
                           Chunk** chunks);
  void Link(Chunk* chunk);
  Chunk* Replace(ChunkPool& pool, Chunk* before, Chunk* chunk);
  void Compact(ChunkPool& pool, ByteQueue& other);

  // Every chunk of the queue holds at least one byte.
  Chunk* head_ = nullptr;
  Chunk* tail_ = nullptr;
  Chunk* cursor_ = nullptr;          // where the last Gather ended, nullptr for the head ...
  std::uint32_t cursor_offset_ = 0;  // ... and the queue offset at which that chunk begins
  std::uint32_t size_ = 0;
};
static_assert(sizeof(ByteQueue) == 32);

}  // namespace estab
