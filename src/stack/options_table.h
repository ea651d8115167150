// Socket options as shared blocks: sockets with equal options hold the same one.
#pragma once

#include "base/hash_index.h"
#include "base/slab.h"
#include "estab/options.h"

namespace estab::stack {

/// Interns SocketOptions. Blocks are counted; the default block is there from the start.
class OptionsTable {
 public:
  explicit OptionsTable(Memory& memory) : blocks_(memory), index_(memory) {}

  /// Makes the default block; false without memory.
  bool Begin();
  const SocketOptions* Default() const { return default_; }
  /// A block equal to `options`, with one more reference; nullptr without memory.
  const SocketOptions* Intern(const SocketOptions& options);
  const SocketOptions* Ref(const SocketOptions* block);
  void Unref(const SocketOptions* block);
  std::uint32_t size() const { return blocks_.live(); }

 private:
  struct Block {
    SocketOptions options;  // first, so that a block is found from its options
    std::uint32_t references = 0;
    std::uint32_t slot = 0;
    std::uint32_t hash = 0;
  };
  static Block* BlockOf(const SocketOptions* options);

  Slab<Block, 16> blocks_;
  HashIndex index_;
  const SocketOptions* default_ = nullptr;
};

}  // namespace estab::stack
