// From a four-tuple to whatever it belongs to.
#pragma once

#include "base/hash_index.h"
#include "base/siphash.h"
#include "estab/address.h"
#include "stack/socket.h"

namespace estab::stack {

/// A reference to a record: its kind and slot in 32 bits, as the index holds it.
struct Ref {
  std::uint32_t raw = HashIndex::kNone;
  constexpr Ref() = default;
  constexpr explicit Ref(std::uint32_t value) : raw(value) {}
  constexpr Ref(Owner kind, std::uint32_t slot)
      : raw((static_cast<std::uint32_t>(kind) << 30) | slot) {}
  constexpr bool found() const { return raw != HashIndex::kNone; }
  constexpr Owner kind() const { return static_cast<Owner>(raw >> 30); }
  constexpr std::uint32_t slot() const { return raw & 0x3fffffffu; }
};

/// The keyed hash of a connection: SipHash-1-3 over protocol and tuple, 12 bytes of it for IPv4.
/// The protocol is part of it, so that one table can serve others than TCP. A listener is found
/// under its local endpoint and a remote of all zeros.
std::uint32_t HashTuple(const SipKey& key, std::uint8_t protocol, const Tuple& tuple);

}  // namespace estab::stack
