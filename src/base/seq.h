// Sequence numbers: 32 bits that wrap, in two spaces that cannot be mixed.
#pragma once

#include <compare>
#include <cstdint>

namespace estab {

/// Whether count `a` comes before `b`, modulo 2^32: clocks, turns, bytes. Meaningful for counts
/// less than 2^31 apart.
constexpr bool Precedes(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

/// A sequence number of one direction. `Side` keeps the two directions apart at compile time:
/// comparing SND.NXT with RCV.NXT is a type error, not a bug to be found. Comparison is modulo 2^32
/// (RFC 9293 §3.4): meaningful for numbers less than 2^31 apart.
template <class Side>
class SeqNumber {
 public:
  constexpr SeqNumber() = default;
  constexpr explicit SeqNumber(std::uint32_t raw) : raw_(raw) {}

  constexpr std::uint32_t raw() const { return raw_; }

  constexpr SeqNumber& operator+=(std::uint32_t n) {
    raw_ += n;
    return *this;
  }
  friend constexpr SeqNumber operator+(SeqNumber s, std::uint32_t n) {
    return SeqNumber(s.raw_ + n);
  }
  friend constexpr SeqNumber operator-(SeqNumber s, std::uint32_t n) {
    return SeqNumber(s.raw_ - n);
  }
  /// How far `a` lies beyond `b`; negative if it lies before.
  friend constexpr std::int32_t operator-(SeqNumber a, SeqNumber b) {
    return static_cast<std::int32_t>(a.raw_ - b.raw_);
  }
  friend constexpr bool operator==(SeqNumber a, SeqNumber b) { return a.raw_ == b.raw_; }
  friend constexpr bool operator<(SeqNumber a, SeqNumber b) { return a - b < 0; }
  friend constexpr bool operator>(SeqNumber a, SeqNumber b) { return a - b > 0; }
  friend constexpr bool operator<=(SeqNumber a, SeqNumber b) { return a - b <= 0; }
  friend constexpr bool operator>=(SeqNumber a, SeqNumber b) { return a - b >= 0; }

 private:
  std::uint32_t raw_ = 0;
};

struct OurSide;
struct PeerSide;
/// Numbers of what we send: SND.UNA, SND.NXT, ISS, SEG.ACK of arriving segments.
using SndSeq = SeqNumber<OurSide>;
/// Numbers of what the peer sends: RCV.NXT, IRS, SEG.SEQ of arriving segments.
using RcvSeq = SeqNumber<PeerSide>;

/// The later of two.
template <class Side>
constexpr SeqNumber<Side> Later(SeqNumber<Side> a, SeqNumber<Side> b) {
  return a < b ? b : a;
}
/// The earlier of two.
template <class Side>
constexpr SeqNumber<Side> Earlier(SeqNumber<Side> a, SeqNumber<Side> b) {
  return a < b ? a : b;
}

}  // namespace estab
