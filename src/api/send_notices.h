// What has become of calls that sent by reference: Linux's notices of MSG_ZEROCOPY.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "estab/host.h"

namespace estab::api {

/// The calls of one open file that sent by reference, numbered from 0 modulo 2^32, and the notices
/// of those whose memory is the caller's again: ranges of numbers, which grow while nobody takes
/// them.
class SendNotices {
 public:
  /// `owner` is the upper half of the tokens, by which the file is found again.
  explicit SendNotices(std::uint32_t owner) : owner_(owner) {}

  std::uint32_t owner() const { return owner_; }
  static std::uint32_t OwnerOf(std::uint64_t token) {
    return static_cast<std::uint32_t>(token >> 32);
  }

  /// Whether a call may begin: as on Linux, calls under way and notices may take
  /// net.core.optmem_max bytes (its default: 227 of them), and calls in a row count once up to 512
  /// KiB.
  bool HasRoom(std::size_t bytes) const;
  /// A call begins that sends so many bytes at most. Its number.
  std::uint32_t Begin(std::size_t bytes);
  /// The number that the next call will have.
  std::uint32_t next() const { return first_ + static_cast<std::uint32_t>(calls_.size()); }
  /// What a call's pieces are sent with.
  std::uint64_t Token(std::uint32_t call) const { return std::uint64_t{owner_} << 32 | call; }
  /// A piece of it was sent.
  void AddPiece(std::uint32_t call) { ++At(call).pieces; }
  /// Nothing will be added to it. Whether there is a notice of it now.
  bool End(std::uint32_t call);
  /// A piece is the caller's again. Whether there is a notice of its call now.
  bool Returned(const ReturnedBytes& bytes);

  /// Whether something was sent and is not returned yet.
  bool under_way() const { return !calls_.empty(); }
  bool empty() const { return notices_.empty(); }
  /// The oldest notice.
  std::optional<ReturnedCalls> Take();

 private:
  struct Call {
    std::uint32_t pieces = 0;  // not returned yet
    bool ended = false;        // no more pieces will come
    bool copied = false;
    bool noticed = false;
    bool charged = true;     // counts against the limit
    std::size_t in_row = 0;  // bytes of it and of those before that did not count
  };

  Call& At(std::uint32_t call) { return calls_[call - first_]; }
  bool Joins(std::size_t bytes) const;
  void Notice(std::uint32_t number);

  std::uint32_t owner_;
  std::uint32_t first_ = 0;  // the number of the oldest of calls_
  std::deque<Call> calls_;
  std::deque<ReturnedCalls> notices_;
  std::size_t charged_ = 0;
};

}  // namespace estab::api
