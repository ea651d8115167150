#include "wire/dump.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/bytes.h"
#include "estab/address.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/segment.h"
#include "wire/tcp.h"

namespace estab::wire {
namespace {

using Bytes = std::span<const std::byte>;

std::uint8_t Byte(Bytes bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

// Appends text to the caller's space, and drops what does not fit.
class Line {
 public:
  explicit Line(std::span<char> out) : out_(out) {}

  Line& operator<<(std::string_view text) {
    const std::size_t n = std::min(text.size(), out_.size() - size_);
    std::ranges::copy(text.substr(0, n), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += n;
    return *this;
  }
  Line& operator<<(std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), end);
  }
  Line& operator<<(const IpAddress& address) {
    std::array<char, kAddressTextSize> text{};
    return *this << FormatAddress(address, text);
  }
  Line& operator<<(const Endpoint& endpoint) {
    std::array<char, kEndpointTextSize> text{};
    return *this << FormatEndpoint(endpoint, text);
  }
  Line& Hex(Bytes bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (const std::byte b : bytes) {
      const auto value = std::to_integer<std::size_t>(b);
      *this << kDigits.substr(value >> 4, 1) << kDigits.substr(value & 15, 1);
    }
    return *this;
  }
  std::string_view text() const { return {out_.data(), size_}; }

 private:
  std::span<char> out_;
  std::size_t size_ = 0;
};

struct FlagLetter {
  TcpFlag flag;
  std::string_view letter;
};
constexpr std::array<FlagLetter, 9> kFlagLetters{{{kFin, "F"},
                                                  {kSyn, "S"},
                                                  {kRst, "R"},
                                                  {kPsh, "P"},
                                                  {kAck, "."},
                                                  {kUrg, "U"},
                                                  {kEce, "E"},
                                                  {kCwr, "W"},
                                                  {kAe, "e"}}};

void DumpFlags(Line& line, const Segment& segment) {
  for (const FlagLetter& f : kFlagLetters) {
    if (segment.Has(f.flag)) line << f.letter;
  }
  if (segment.flags == 0) line << "none";
}

void DumpOption(Line& line, std::uint8_t kind, Bytes value) {
  const std::size_t size = value.size();
  if (kind == 2 && size == 2) {
    line << "mss " << Load16(value.data());
  } else if (kind == 3 && size == 1) {
    line << "wscale " << Byte(value, 0);
  } else if (kind == 4 && size == 0) {
    line << "sackOK";
  } else if (kind == 5 && size >= 8 && size % 8 == 0) {
    line << "sack ";
    for (std::size_t i = 0; i < size; i += 8) {
      line << "{" << Load32(&value[i]) << ":" << Load32(&value[i + 4]) << "}";
    }
  } else if (kind == 8 && size == 8) {
    line << "TS " << Load32(&value[0]) << " " << Load32(&value[4]);
  } else if (kind == 34) {
    line << (size == 0 ? "fastopen" : "fastopen ");
    line.Hex(value);
  } else {
    line << "option-" << kind << (size == 0 ? "" : " ");
    line.Hex(value);
  }
}

// Walks the options as they lie there, as DecodeTcp does.
void DumpOptions(Line& line, Bytes bytes) {
  if (bytes.empty()) return;
  std::string_view before = " <";
  while (!bytes.empty()) {
    const std::uint8_t kind = Byte(bytes, 0);
    line << before;
    before = ",";
    if (kind == 0) {
      line << "eol";
      break;
    }
    if (kind == 1) {
      line << "nop";
      bytes = bytes.subspan(1);
      continue;
    }
    const std::size_t length = bytes.size() < 2 ? 0 : Byte(bytes, 1);
    if (length < 2 || length > bytes.size()) {
      line << "bad-option";
      break;
    }
    DumpOption(line, kind, bytes.subspan(2, length - 2));
    bytes = bytes.subspan(length);
  }
  line << ">";
}

void DumpTcp(Line& line, const IpPacket& packet) {
  const auto segment = DecodeTcp(packet.payload);
  if (!segment) {
    line << "malformed: tcp " << Describe(segment.error());
    return;
  }
  line << Endpoint{packet.source, segment->source_port} << " > "
       << Endpoint{packet.destination, segment->destination_port} << " ";
  DumpFlags(line, *segment);
  line << " seq " << segment->seq;
  if (segment->Has(kAck)) line << " ack " << segment->ack;
  line << " win " << segment->window;
  if (segment->Has(kUrg)) line << " urg " << segment->urgent;
  if (segment->reserved != 0) line << " reserved " << segment->reserved;
  line << " len " << segment->payload.size();
  const std::size_t header_size = packet.payload.size() - segment->payload.size();
  DumpOptions(line, packet.payload.subspan(kTcpHeaderSize, header_size - kTcpHeaderSize));
  if (!TcpChecksumValid(packet)) line << " bad-checksum";
}

void DumpUdp(Line& line, const IpPacket& packet) {
  if (packet.payload.size() < 8) {
    line << "malformed: udp " << Describe(DecodeError::kTooShort);
    return;
  }
  line << Endpoint{packet.source, Load16(&packet.payload[0])} << " > "
       << Endpoint{packet.destination, Load16(&packet.payload[2])} << " udp len "
       << packet.payload.size() - 8;
}

// The name of an error's type, and where it matters its code; empty if there is none.
std::string_view ErrorName(const IcmpError& error) {
  constexpr std::array<std::string_view, 5> kV4{"net unreachable", "host unreachable",
                                                "protocol unreachable", "port unreachable",
                                                "fragmentation needed"};
  constexpr std::array<std::string_view, 5> kV6{"no route", "prohibited", "beyond scope",
                                                "address unreachable", "port unreachable"};
  const bool unreachable = error.type == static_cast<std::uint8_t>(error.v6 ? 1 : 3);
  if (unreachable) return error.code < 5 ? (error.v6 ? kV6 : kV4)[error.code] : "unreachable";
  if (error.v6 && error.type == 2) return "packet too big";
  return error.type == (error.v6 ? 3 : 11) ? "time exceeded" : "parameter problem";
}

void DumpIcmpError(Line& line, const IcmpError& error) {
  line << ErrorName(error);
  if (error.mtu != 0) line << " mtu " << error.mtu;
  const Endpoint source{error.source, error.source_port};
  const Endpoint destination{error.destination, error.destination_port};
  if (error.protocol == static_cast<std::uint8_t>(Protocol::kTcp)) {
    line << " (tcp " << source << " > " << destination << " seq " << error.seq << ")";
  } else if (error.protocol == static_cast<std::uint8_t>(Protocol::kUdp)) {
    line << " (udp " << source << " > " << destination << ")";
  } else {
    line << " (proto " << error.protocol << " " << error.source << " > " << error.destination
         << ")";
  }
}

void DumpIcmp(Line& line, const IpPacket& packet) {
  const bool v6 = !packet.destination.is_v4();
  const Bytes message = packet.payload;
  if (message.size() < 8) {
    line << "malformed: icmp " << Describe(DecodeError::kTooShort);
    return;
  }
  line << packet.source << " > " << packet.destination << (v6 ? " icmp6 " : " icmp ");
  const std::uint8_t type = Byte(message, 0);
  if (type == (v6 ? 128 : 8) || type == (v6 ? 129 : 0)) {
    line << (type == (v6 ? 128 : 8) ? "echo request" : "echo reply") << " id "
         << Load16(&message[4]) << " seq " << Load16(&message[6]) << " len " << message.size() - 8;
  } else if (const auto error = DecodeIcmpError(packet)) {
    DumpIcmpError(line, *error);
  } else {
    line << "type " << type << " code " << Byte(message, 1) << " len " << message.size() - 8;
  }
}

}  // namespace

std::string_view DumpPacket(Bytes packet, std::span<char> out) {
  Line line(out);
  const auto ip = DecodeIp(packet);
  if (!ip) {
    line << "malformed: " << Describe(ip.error());
    return line.text();
  }
  const bool v4 = ip->destination.is_v4();
  if (ip->fragment) {
    line << ip->source << " > " << ip->destination << " fragment proto " << ip->protocol << " len "
         << ip->payload.size();
  } else if (ip->Is(Protocol::kTcp)) {
    DumpTcp(line, *ip);
  } else if (ip->Is(Protocol::kUdp)) {
    DumpUdp(line, *ip);
  } else if (ip->Is(v4 ? Protocol::kIcmp : Protocol::kIcmpV6)) {
    DumpIcmp(line, *ip);
  } else {
    line << ip->source << " > " << ip->destination << " proto " << ip->protocol << " len "
         << ip->payload.size();
  }
  return line.text();
}

}  // namespace estab::wire
