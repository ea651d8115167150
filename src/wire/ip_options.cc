#include "wire/ip_options.h"

#include <algorithm>

#include "base/bytes.h"

namespace estab::wire {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kFixedHeader = 20;
constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNop = 1;
constexpr std::uint8_t kRecordRoute = 7;
constexpr std::uint8_t kTimestamp = 68;
constexpr std::uint8_t kLooseRoute = 131;
constexpr std::uint8_t kStrictRoute = 137;
constexpr std::uint8_t kRouterAlert = 148;

// The flags of a timestamp option.
constexpr std::uint8_t kTimeOnly = 0;
constexpr std::uint8_t kTimeAndAddress = 1;
constexpr std::uint8_t kPrespecified = 3;

constexpr std::uint32_t kNonStandardTime = 0x80000000u;

std::uint8_t Byte(Bytes bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

// The offset within `option` of what is wrong with it; nullopt-like kFine if nothing is. Pointers
// within options count from 1.
constexpr std::size_t kFine = 0xff;

std::size_t JudgeRoute(Bytes option) {
  if (option.size() < 3) return 1;
  const std::size_t pointer = Byte(option, 2);
  if (pointer < 4) return 2;
  const bool full = pointer > option.size();
  return full || pointer + 3 <= option.size() ? kFine : 2;
}

std::size_t JudgeTimestamp(Bytes option) {
  if (option.size() < 4) return 1;
  const std::size_t pointer = Byte(option, 2);
  const std::uint8_t flags = Byte(option, 3) & 0x0fu;
  if (pointer < 5) return 2;
  if (pointer > option.size()) {  // full: then the hosts without room are counted, up to 15
    const bool overflown = flags != kPrespecified && Byte(option, 3) >> 4 == 15;
    return overflown ? 3 : kFine;
  }
  if (flags != kTimeOnly && flags != kTimeAndAddress && flags != kPrespecified) return 3;
  const std::size_t entry = flags == kTimeOnly ? 4 : 8;
  return pointer + entry - 1 <= option.size() ? kFine : 2;
}

std::size_t Judge(Bytes option) {
  switch (Byte(option, 0)) {
    case kRecordRoute:
      return JudgeRoute(option);
    case kLooseRoute:
    case kStrictRoute:
      if (option.size() < 3) return 1;
      return Byte(option, 2) < 4 ? 2 : kFine;
    case kTimestamp:
      return JudgeTimestamp(option);
    case kRouterAlert:
      return option.size() < 4 ? 1 : kFine;
    default:
      return kFine;
  }
}

// Those that may occur once.
unsigned OnceBit(std::uint8_t type) {
  switch (type) {
    case kRecordRoute:
      return 1;
    case kTimestamp:
      return 2;
    case kLooseRoute:
    case kStrictRoute:
      return 4;
    default:
      return 0;
  }
}

// The option at the beginning of `rest`, which is neither padding nor the end; empty if its length
// is wrong.
Bytes FirstOption(Bytes rest) {
  if (rest.size() < 2) return {};
  const std::size_t size = Byte(rest, 1);
  return size < 2 || size > rest.size() ? Bytes{} : rest.first(size);
}

void RecordAddress(std::span<std::byte> option, const IpAddress& ours) {
  const std::size_t pointer = Byte(option, 2);
  if (pointer + 3 > option.size()) return;
  Store32(&option[pointer - 1], ours.v4());
  option[2] = static_cast<std::byte>(pointer + 4);
}

// A host without room is counted as the request comes, as on Linux; up to 14, since with 15 nobody
// would take the reply.
void CountOverflow(std::span<std::byte> option) {
  const std::uint8_t flags = Byte(option, 3) & 0x0fu;
  const std::size_t entry = flags == kTimeOnly ? 4 : 8;
  const bool full = Byte(option, 2) + entry - 1 > option.size();
  if (!full || flags == kPrespecified || Byte(option, 3) >> 4 >= 14) return;
  option[3] = static_cast<std::byte>(Byte(option, 3) + 0x10);
}

void RecordTime(std::span<std::byte> option, const IpAddress& ours, std::uint32_t time) {
  const std::size_t pointer = Byte(option, 2);
  const std::uint8_t flags = Byte(option, 3) & 0x0fu;
  const std::size_t entry = flags == kTimeOnly ? 4 : 8;
  if (pointer + entry - 1 > option.size()) return;
  std::byte* at = &option[pointer - 1];
  if (flags == kPrespecified && Load32(at) != ours.v4()) return;  // another's turn
  if (flags == kTimeAndAddress) Store32(at, ours.v4());
  Store32(flags == kTimeOnly ? at : at + 4, time | kNonStandardTime);
  option[2] = static_cast<std::byte>(pointer + entry);
}

}  // namespace

IpOptions JudgeIpOptions(Bytes header) {
  IpOptions result;
  const auto bad = [&](std::size_t pointer) {
    result.bad = true;
    result.pointer = static_cast<std::uint8_t>(pointer);
    return result;
  };
  unsigned seen = 0;
  for (std::size_t at = kFixedHeader; at < header.size();) {
    const std::uint8_t type = Byte(header, at);
    if (type == kEnd) break;
    if (type == kNop) {
      ++at;
      continue;
    }
    const Bytes option = FirstOption(header.subspan(at));
    if (option.empty()) return bad(at);
    const std::size_t wrong = Judge(option);
    if (wrong != kFine) return bad(at + wrong);
    if ((seen & OnceBit(type)) != 0) return bad(at);
    seen |= OnceBit(type);
    result.source_route |= type == kLooseRoute || type == kStrictRoute;
    at += option.size();
  }
  return result;
}

std::size_t EchoIpOptions(Bytes options, const IpAddress& ours, std::uint32_t time,
                          std::span<std::byte, kMaxIpOptions> out) {
  std::size_t size = 0;
  while (!options.empty() && Byte(options, 0) != kEnd) {
    if (Byte(options, 0) == kNop) {
      options = options.subspan(1);
      continue;
    }
    const Bytes option = FirstOption(options);
    if (option.empty()) break;
    const std::uint8_t type = Byte(option, 0);
    if (type == kRecordRoute || type == kTimestamp) {
      const std::span<std::byte> copy = out.subspan(size, option.size());
      std::ranges::copy(option, copy.begin());
      if (type == kTimestamp) CountOverflow(copy);
      for (int i = 0; i < 2; ++i) {  // it came, and goes
        type == kRecordRoute ? RecordAddress(copy, ours) : RecordTime(copy, ours, time);
      }
      // A list of uneven length ends up with a rest that no address fits: it stays behind.
      if (Judge(copy) == kFine) size += option.size();
    }
    options = options.subspan(option.size());
  }
  while (size % 4 != 0) out[size++] = std::byte{kEnd};
  return size;
}

}  // namespace estab::wire
