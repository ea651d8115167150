#include "wire/extension.h"

#include "base/bytes.h"

namespace estab::wire {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kFixedHeader = 40;
constexpr std::uint8_t kPad1 = 0;
constexpr std::uint8_t kPadN = 1;
constexpr std::uint8_t kRouterAlert = 5;  // for routers (RFC 2711): nothing to us

std::uint8_t Byte(Bytes bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

HeaderProblem Silently() {
  HeaderProblem problem;
  problem.found = true;
  return problem;
}

HeaderProblem Told(IcmpV6Parameter code, std::size_t pointer) {
  HeaderProblem problem = Silently();
  problem.tell = true;
  problem.code = static_cast<std::uint8_t>(code);
  problem.pointer = static_cast<std::uint16_t>(pointer);
  return problem;
}

// RFC 8200 §4.2: the two highest bits of an unknown option's type say what becomes of the packet.
HeaderProblem JudgeUnknownOption(std::uint8_t type, std::size_t at) {
  switch (type >> 6) {
    case 0:  // skip it
      return {};
    case 1:
      return Silently();
    default: {
      HeaderProblem problem = Told(IcmpV6Parameter::kOption, at);
      problem.even_to_group = type >> 6 == 2;
      return problem;
    }
  }
}

// The options of one header; `at` is the offset in the packet at which they begin.
HeaderProblem JudgeOptions(Bytes options, std::size_t at) {
  unsigned count = 0;
  while (!options.empty()) {
    const std::uint8_t type = Byte(options, 0);
    std::size_t size = 1;
    if (type != kPad1) {
      if (options.size() < 2) return Silently();
      size = 2u + Byte(options, 1);
    }
    if (size > options.size()) return Silently();
    if (type != kPad1 && type != kPadN) {
      if (++count > kMaxOptions) return Silently();
      const HeaderProblem problem =
          type == kRouterAlert ? HeaderProblem{} : JudgeUnknownOption(type, at);
      if (problem.found) return problem;
    }
    options = options.subspan(size);
    at += size;
  }
  return {};
}

// One header of `type`, which lies at offset `at` of the packet.
HeaderProblem JudgeHeader(std::uint8_t type, Bytes header, std::size_t at) {
  if (type == kRouting) {
    // Segments left: this host is not the last on the way, and knows no kind of routing header
    // (RFC 8200 §4.4, RFC 5095).
    constexpr std::size_t kSegmentsLeft = 3;
    constexpr std::size_t kRoutingType = 2;
    if (Byte(header, kSegmentsLeft) == 0) return {};
    return Told(IcmpV6Parameter::kHeaderField, at + kRoutingType);
  }
  return JudgeOptions(header.subspan(2), at + 2);
}

}  // namespace

ExtensionChain WalkExtensions(std::uint8_t protocol, Bytes bytes, ExtensionWalk how) {
  constexpr std::uint16_t kNextHeaderField = 6;
  ExtensionChain chain;
  chain.protocol = protocol;
  chain.named_at = kNextHeaderField;
  const bool judge = how == ExtensionWalk::kJudge;
  for (unsigned count = 0; chain.is_extension(); ++count) {
    const std::uint8_t type = chain.protocol;
    const std::size_t at = kFixedHeader + chain.size;
    const Bytes rest = bytes.subspan(chain.size);
    if (type == kHopByHop && count != 0) {
      // It comes first or not at all; elsewhere it is a next header that nobody knows (§4.1).
      chain.problem = Told(IcmpV6Parameter::kNextHeader, chain.named_at);
      return chain;
    }
    const std::size_t size =
        rest.size() < 8 || type == kFragment ? 8 : std::size_t{8} * (Byte(rest, 1) + 1u);
    if (size > rest.size() || count == kMaxExtensions) {
      chain.problem = Silently();
      return chain;
    }
    if (judge && type != kFragment) {
      chain.problem = JudgeHeader(type, rest.first(size), at);
      if (chain.problem.found) return chain;
    }
    const std::uint16_t named_at = chain.named_at;
    chain.protocol = Byte(rest, 0);
    chain.named_at = static_cast<std::uint16_t>(at);
    chain.size += size;
    constexpr std::uint16_t kOffsetAndMore = 0xfff9;
    if (type == kFragment && (Load16(&rest[2]) & kOffsetAndMore) != 0) {
      chain.fragment = true;
      chain.fragment_at = static_cast<std::uint16_t>(at);
      chain.fragment_named_at = named_at;
      return chain;
    }
  }
  return chain;
}

}  // namespace estab::wire
