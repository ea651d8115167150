// Local ports: who holds them, who may share them, and which are free to choose.
#pragma once

#include <array>
#include <cstdint>

#include "base/slab.h"
#include "estab/address.h"

namespace estab::stack {

/// An explicit bind: by the user, or by listen on an unbound socket.
struct Binding {
  Endpoint local;
  std::uint32_t socket = kNoSlot;
  std::uint32_t next = kNoSlot;  // on the same port
  bool reuse_address = false;
  bool listening = false;
  bool v6_only = false;
};

/// The table of local ports. Bindings are chained by port; connections and TIME_WAIT records are
/// only counted, so that a million of them on one port cost nothing.
class PortTable {
 public:
  explicit PortTable(Memory& memory) : memory_(&memory), bindings_(memory) {}
  ~PortTable();
  PortTable(const PortTable&) = delete;
  PortTable& operator=(const PortTable&) = delete;

  /// Adds a binding; kNoSlot without memory. Whether it conflicts is asked before.
  std::uint32_t Bind(const Binding& binding);
  void Unbind(std::uint32_t slot);
  Binding& operator[](std::uint32_t slot) { return bindings_[slot]; }

  /// Whether another binding on the port overlaps `wanted` in a way that forbids it: the same
  /// address or a wildcard, unless both have SO_REUSEADDR and the other does not listen (as Linux).
  bool Conflicts(const Binding& wanted, std::uint32_t except = kNoSlot) const;
  /// Whether anything is bound to the port.
  bool IsBound(std::uint16_t port) const;

  /// Counts a connection, or what is left of it, at its port; false without memory.
  bool Hold(std::uint16_t port, bool reuse_address);
  void Release(std::uint16_t port, bool reuse_address);
  /// Connections counted at the port, and those of them without SO_REUSEADDR.
  std::uint32_t Held(std::uint16_t port) const;
  std::uint32_t HeldExclusively(std::uint16_t port) const;

 private:
  struct Use {
    std::uint32_t first = kNoSlot;
    std::uint32_t held = 0;
    std::uint32_t exclusive = 0;
  };
  static constexpr std::size_t kPage = 256;
  using Page = std::array<Use, kPage>;

  const Use* Find(std::uint16_t port) const;
  Use* Make(std::uint16_t port);

  Memory* memory_;
  Slab<Binding> bindings_;
  std::array<Page*, 65536 / kPage> pages_{};
};

}  // namespace estab::stack
