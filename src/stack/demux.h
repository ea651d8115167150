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

/// The same with one key and protocol. An event is about one tuple, and asks for its hash whenever
/// a record takes another's place in the table: the last one is remembered.
class TupleHasher {
 public:
  explicit TupleHasher(std::uint8_t protocol) : protocol_(protocol) {}
  void SetKey(const SipKey& key) {
    key_ = key;
    last_hash_ = HashTuple(key_, protocol_, last_);
  }
  /// As if `tuple`, whose hash this is, had been asked for.
  void Remember(const Tuple& tuple, std::uint32_t hash) {
    last_ = tuple;
    last_hash_ = hash;
  }
  std::uint32_t operator()(const Tuple& tuple) {
    if (tuple != last_) {
      last_ = tuple;
      last_hash_ = HashTuple(key_, protocol_, tuple);
    }
    return last_hash_;
  }

 private:
  SipKey key_{};
  std::uint8_t protocol_;
  Tuple last_;
  std::uint32_t last_hash_ = 0;
};

/// Which stack of a group of `count` a hash belongs to. All its bits have a say: what remains in
/// one stack is spread over its table, and over its listeners, as before.
constexpr std::uint16_t ShardOf(std::uint32_t hash, std::uint16_t count) {
  constexpr std::uint32_t kGolden = 0x9e3779b1;  // 2^32 over the golden ratio, and odd
  return static_cast<std::uint16_t>(std::uint64_t{hash * kGolden} * count >> 32);
}

}  // namespace estab::stack
