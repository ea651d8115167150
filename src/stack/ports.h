// Local ports: who holds them, who may share them, and which are free to choose.
#pragma once

#include <array>
#include <cstdint>

#include "base/bit_tree.h"
#include "base/prefetch.h"
#include "base/slab.h"
#include "estab/address.h"

namespace estab::stack {

/// What a socket allows of others at its port.
struct Sharing {
  bool address = false;  // SO_REUSEADDR
  bool port = false;     // SO_REUSEPORT
};

/// An explicit bind: by the user, or by listen on an unbound socket.
struct Binding {
  Endpoint local;
  std::uint32_t socket = kNoSlot;
  std::uint32_t next = kNoSlot;  // on the same port
  Sharing sharing;
  bool listening = false;
  bool v6_only = false;
};

/// The table of local ports. Bindings are chained by port; connections and TIME_WAIT records are
/// only counted, so that a million of them on one port cost nothing.
class PortTable {
 public:
  explicit PortTable(Memory& memory);
  ~PortTable();
  PortTable(const PortTable&) = delete;
  PortTable& operator=(const PortTable&) = delete;

  /// Adds a binding; kNoSlot without memory. Whether it conflicts is asked before.
  std::uint32_t Bind(const Binding& binding);
  void Unbind(std::uint32_t slot);
  Binding& operator[](std::uint32_t slot) { return bindings_[slot]; }

  /// Whether another binding on the port overlaps `wanted` in a way that forbids it: the same
  /// address or a wildcard, unless both have SO_REUSEPORT, or both have SO_REUSEADDR and the other
  /// does not listen (as Linux).
  bool Conflicts(const Binding& wanted, std::uint32_t except = kNoSlot) const;
  /// Whether anything is bound to the port.
  bool IsBound(std::uint16_t port) const;

  /// The first port of [first, first + count), from `start` in it on and round, that nothing is
  /// bound to and no connection holds; 0 if there is none. O(1).
  std::uint16_t NextUnused(std::uint32_t start, std::uint32_t first, std::uint32_t count) const;

  /// Brings what is counted at the port into the cache.
  void Prefetch(std::uint16_t port) const {
    if (const Use* use = Find(port)) estab::Prefetch(use, sizeof(*use));
  }
  /// Counts a connection, or what is left of it, at its port; false without memory.
  bool Hold(std::uint16_t port, Sharing sharing);
  void Release(std::uint16_t port, Sharing sharing);
  /// Connections counted at the port, and those of them that do not share it with `wanted`.
  std::uint32_t Held(std::uint16_t port) const;
  std::uint32_t Hindering(std::uint16_t port, Sharing wanted) const;

 private:
  struct Use {
    std::uint32_t first = kNoSlot;
    std::array<std::uint32_t, 4> held{};  // connections, by what they share
  };
  static constexpr std::uint32_t kPorts = 65536;
  static constexpr std::size_t kPage = 256;
  using Page = std::array<Use, kPage>;

  const Use* Find(std::uint16_t port) const {
    const Page* page = pages_[port / kPage];
    return page == nullptr ? nullptr : &(*page)[port % kPage];
  }
  Use* Make(std::uint16_t port);
  // The port's use may have come to an end.
  void NoteLess(std::uint16_t port, const Use& use);

  Memory* memory_;
  Slab<Binding> bindings_;
  std::array<Page*, kPorts / kPage> pages_{};
  BitTree unused_;  // ports that are neither bound nor held
  std::array<std::uint64_t, BitTree::WordsFor(kPorts)> unused_words_;
};

}  // namespace estab::stack
