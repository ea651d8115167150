// Text of addresses: RFC 4291 §2.2 in, RFC 5952 out.
#include "estab/address.h"

#include <algorithm>

namespace estab {
namespace {

// Parts of a text; unlike substr they cannot throw. `n` is at most the size.
constexpr std::string_view First(std::string_view text, std::size_t n) { return {text.data(), n}; }
constexpr std::string_view From(std::string_view text, std::size_t n) {
  text.remove_prefix(n);
  return text;
}

// --- Reading -------------------------------------------------------------------------------------

// The value of a digit in any base up to 16; 16 if it is none.
constexpr unsigned DigitOf(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return 16;
}

// Takes a decimal number without leading zeros, at most `limit` (three digits), off `text`.
std::optional<unsigned> TakeDecimal(std::string_view& text, unsigned limit) {
  unsigned value = 0;
  std::size_t n = 0;
  for (; n < text.size() && DigitOf(text[n]) < 10; ++n) {
    if (n == 3 || (n > 0 && value == 0)) return std::nullopt;
    value = value * 10 + DigitOf(text[n]);
  }
  if (n == 0 || value > limit) return std::nullopt;
  text.remove_prefix(n);
  return value;
}

// Reads the whole of `text` as a dotted quad.
std::optional<std::uint32_t> ParseV4(std::string_view text) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) {
      if (!text.starts_with('.')) return std::nullopt;
      text.remove_prefix(1);
    }
    const std::optional<unsigned> part = TakeDecimal(text, 255);
    if (!part) return std::nullopt;
    value = (value << 8) | *part;
  }
  if (!text.empty()) return std::nullopt;
  return value;
}

// The groups on one side of "::", or of an address without it.
struct Groups {
  std::array<std::uint16_t, 8> values{};
  std::size_t count = 0;

  bool Add(std::uint32_t value) {
    if (count == values.size()) return false;
    values[count++] = static_cast<std::uint16_t>(value);
    return true;
  }
};

// Takes one group of one to four hexadecimal digits off `text`.
bool TakeGroup(std::string_view& text, Groups& groups) {
  std::uint32_t value = 0;
  std::size_t n = 0;
  for (; n < text.size() && DigitOf(text[n]) < 16; ++n) {
    if (n == 4) return false;
    value = (value << 4) | DigitOf(text[n]);
  }
  if (n == 0) return false;
  text.remove_prefix(n);
  return groups.Add(value);
}

// Reads groups separated by single colons; a dotted quad may stand for the last two if `quad_ok`.
bool ParseGroups(std::string_view text, bool quad_ok, Groups& groups) {
  if (text.empty()) return true;
  for (;;) {
    if (quad_ok && text.find(':') == std::string_view::npos &&
        text.find('.') != std::string_view::npos) {
      const std::optional<std::uint32_t> quad = ParseV4(text);
      return quad && groups.Add(*quad >> 16) && groups.Add(*quad & 0xffff);
    }
    if (!TakeGroup(text, groups)) return false;
    if (text.empty()) return true;
    if (text.front() != ':') return false;
    text.remove_prefix(1);
  }
}

void PutGroups(const Groups& groups, std::size_t first, IpAddress& address) {
  for (std::size_t i = 0; i < groups.count; ++i) {
    address.bytes[2 * (first + i)] = static_cast<std::uint8_t>(groups.values[i] >> 8);
    address.bytes[2 * (first + i) + 1] = static_cast<std::uint8_t>(groups.values[i]);
  }
}

std::optional<IpAddress> ParseV6(std::string_view text) {
  Groups left;
  Groups right;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (!ParseGroups(text, true, left) || left.count != 8) return std::nullopt;
  } else {
    // "::" stands for one group of zeros at least.
    if (!ParseGroups(First(text, gap), false, left) ||
        !ParseGroups(From(text, gap + 2), true, right) || left.count + right.count > 7) {
      return std::nullopt;
    }
  }
  IpAddress address;
  PutGroups(left, 0, address);
  PutGroups(right, 8 - right.count, address);
  return address;
}

// --- Writing -------------------------------------------------------------------------------------

// Text put together in an array that is known to be large enough.
struct Writer {
  char* out;
  std::size_t size = 0;

  void Put(char c) { out[size++] = c; }
  void PutNumber(unsigned value, unsigned base) {
    if (value >= base) PutNumber(value / base, base);
    Put("0123456789abcdef"[value % base]);
  }
};

void PutV4(Writer& writer, std::uint32_t address) {
  for (unsigned shift = 32; shift > 0;) {
    shift -= 8;
    writer.PutNumber((address >> shift) & 0xff, 10);
    if (shift > 0) writer.Put('.');
  }
}

void PutV6(Writer& writer, const IpAddress& address) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = (unsigned{address.bytes[2 * i]} << 8) | address.bytes[2 * i + 1];
  }
  // RFC 5952 §4.2: "::" for the longest run of two or more zero groups, the first among equals.
  std::size_t gap = 8;
  std::size_t gap_size = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t run = 0;
    while (i + run < 8 && groups[i + run] == 0) ++run;
    if (run > gap_size) {
      gap = i;
      gap_size = run;
    }
    i += run + 1;
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == gap) {
      writer.Put(':');
      writer.Put(':');
      i += gap_size;
      continue;
    }
    if (i > 0 && i != gap + gap_size) writer.Put(':');
    writer.PutNumber(groups[i], 16);
    ++i;
  }
}

void PutAddress(Writer& writer, const IpAddress& address) {
  if (address.is_v4()) {
    PutV4(writer, address.v4());
  } else {
    PutV6(writer, address);
  }
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return ParseV6(text);
  const std::optional<std::uint32_t> v4 = ParseV4(text);
  if (!v4) return std::nullopt;
  return V4(*v4);
}

std::optional<Prefix> Prefix::Parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::optional<IpAddress> address = IpAddress::Parse(First(text, slash));
  if (!address) return std::nullopt;
  const unsigned whole = address->is_v4() ? 32 : 128;
  unsigned length = whole;
  if (slash < text.size()) {
    text.remove_prefix(slash + 1);
    const std::optional<unsigned> number = TakeDecimal(text, whole);
    if (!number || !text.empty()) return std::nullopt;
    length = *number;
  }
  return Prefix{*address, static_cast<std::uint8_t>(length)};
}

std::string_view FormatAddress(const IpAddress& address, std::array<char, kAddressTextSize>& out) {
  Writer writer{out.data()};
  PutAddress(writer, address);
  return {out.data(), writer.size};
}

std::string_view FormatEndpoint(const Endpoint& endpoint,
                                std::array<char, kEndpointTextSize>& out) {
  Writer writer{out.data()};
  const bool brackets = !endpoint.address.is_v4();
  if (brackets) writer.Put('[');
  PutAddress(writer, endpoint.address);
  if (brackets) writer.Put(']');
  writer.Put(':');
  writer.PutNumber(endpoint.port, 10);
  return {out.data(), writer.size};
}

}  // namespace estab
