#include "oracle/packet.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "oracle/script.h"

namespace oracle {
namespace {

void Put16(Bytes* out, std::uint32_t value) {
  out->push_back(static_cast<std::uint8_t>(value >> 8));
  out->push_back(static_cast<std::uint8_t>(value));
}

void Put32(Bytes* out, std::uint32_t value) {
  Put16(out, value >> 16);
  Put16(out, value & 0xffff);
}

std::uint32_t Get16(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) << 8 | static_cast<std::uint32_t>(p[1]);
}

std::uint32_t Get32(const std::uint8_t* p) { return Get16(p) << 16 | Get16(p + 2); }

std::uint32_t Sum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  }
  return sum;
}

std::uint16_t Fold(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void Store16(Bytes* bytes, std::size_t at, std::uint16_t value) {
  (*bytes)[at] = static_cast<std::uint8_t>(value >> 8);
  (*bytes)[at + 1] = static_cast<std::uint8_t>(value);
}

/// The checksum of what IPv4 (with `protocol` 6) and IPv6 put before it as the pseudo-header.
std::uint16_t Checksum(const Address& source, const Address& destination, std::uint8_t protocol,
                       const Bytes& body) {
  const std::uint32_t pseudo = Sum({source.bytes.data(), source.size()}) +
                               Sum({destination.bytes.data(), destination.size()}) + protocol +
                               static_cast<std::uint32_t>(body.size());
  return Fold(Sum(body) + pseudo);
}

Bytes WithIpHeader(const Address& source, const Address& destination, std::uint8_t protocol,
                   std::uint8_t tos, std::uint8_t ttl, const Bytes& body) {
  Bytes out;
  if (source.ipv6) {
    Put32(&out, 6u << 28 | static_cast<std::uint32_t>(tos) << 20);
    Put16(&out, static_cast<std::uint32_t>(body.size()));
    out.push_back(protocol);
    out.push_back(ttl);
  } else {
    Put16(&out, 0x4500u | tos);
    Put16(&out, static_cast<std::uint32_t>(20 + body.size()));
    Put32(&out, 0x00004000);
    out.push_back(ttl);
    out.push_back(protocol);
    Put16(&out, 0);
  }
  for (const Address* a : {&source, &destination}) {
    out.insert(out.end(), a->bytes.begin(), a->bytes.begin() + static_cast<long>(a->size()));
  }
  if (!source.ipv6) Store16(&out, 10, Fold(Sum(out)));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Address AddressAt(const std::uint8_t* p, bool ipv6) {
  Address address;
  address.ipv6 = ipv6;
  std::memcpy(address.bytes.data(), p, address.size());
  return address;
}

constexpr std::string_view kFlagLetters = "FSRP.UEW";

}  // namespace

Address ParseAddress(const std::string& text) {
  Address address;
  address.ipv6 = text.find(':') != std::string::npos;
  if (inet_pton(address.ipv6 ? AF_INET6 : AF_INET, text.c_str(), address.bytes.data()) != 1) {
    std::fprintf(stderr, "not an address: %s\n", text.c_str());
    std::exit(2);
  }
  return address;
}

Bytes Encode(const Segment& s) {
  Bytes tcp;
  Put16(&tcp, s.source_port);
  Put16(&tcp, s.destination_port);
  Put32(&tcp, s.seq);
  Put32(&tcp, s.ack);
  tcp.push_back(static_cast<std::uint8_t>((20 + s.options.size()) / 4 << 4));
  tcp.push_back(s.flags);
  Put16(&tcp, s.window);
  Put32(&tcp, s.urgent);
  tcp.insert(tcp.end(), s.options.begin(), s.options.end());
  tcp.insert(tcp.end(), s.payload.begin(), s.payload.end());
  std::uint16_t sum = Checksum(s.source, s.destination, 6, tcp);
  if (s.bad_checksum) sum = static_cast<std::uint16_t>(sum ^ 0x5555);
  Store16(&tcp, 16, sum);
  return WithIpHeader(s.source, s.destination, 6, s.tos, s.ttl, tcp);
}

bool Decode(std::span<const std::uint8_t> p, Segment* s) {
  if (p.size() < 20) return false;
  const bool ipv6 = p[0] >> 4 == 6;
  const std::size_t ip = ipv6 ? 40 : static_cast<std::size_t>(p[0] & 15) * 4;
  if (p.size() < ip + 20 || p[ipv6 ? 6 : 9] != 6) return false;
  s->source = AddressAt(&p[ipv6 ? 8 : 12], ipv6);
  s->destination = AddressAt(&p[ipv6 ? 24 : 16], ipv6);
  s->tos = ipv6 ? static_cast<std::uint8_t>(Get16(&p[0]) >> 4) : p[1];
  s->ttl = p[ipv6 ? 7 : 8];
  s->dont_fragment = ipv6 || (p[6] & 0x40) != 0;
  const std::uint8_t* t = &p[ip];
  const std::size_t header = static_cast<std::size_t>(t[12] >> 4) * 4;
  const std::size_t total = ipv6 ? 40 + Get16(&p[4]) : Get16(&p[2]);
  if (header < 20 || total > p.size() || total < ip + header) return false;
  s->source_port = static_cast<std::uint16_t>(Get16(t));
  s->destination_port = static_cast<std::uint16_t>(Get16(t + 2));
  s->seq = Get32(t + 4);
  s->ack = Get32(t + 8);
  s->flags = t[13];
  s->window = static_cast<std::uint16_t>(Get16(t + 14));
  s->urgent = static_cast<std::uint16_t>(Get16(t + 18));
  s->options.assign(t + 20, t + header);
  s->payload.assign(t + header, p.data() + total);
  const Bytes whole(t, p.data() + total);
  s->bad_checksum = Checksum(s->source, s->destination, 6, whole) != 0;
  return true;
}

Bytes EncodeIcmpError(const Address& source, const Address& destination, std::uint8_t type,
                      std::uint8_t code, std::uint32_t rest, std::span<const std::uint8_t> quoted) {
  Bytes body = {type, code, 0, 0};
  Put32(&body, rest);
  body.insert(body.end(), quoted.begin(), quoted.end());
  if (source.ipv6) {
    Store16(&body, 2, Checksum(source, destination, 58, body));
  } else {
    Store16(&body, 2, Fold(Sum(body)));
  }
  return WithIpHeader(source, destination, source.ipv6 ? 58 : 1, 0, 64, body);
}

std::string FlagsText(std::uint8_t flags) {
  std::string text;
  for (const char letter : std::string_view("SFRP.UEW")) {
    if ((flags >> kFlagLetters.find(letter) & 1) != 0) text.push_back(letter);
  }
  return text.empty() ? "-" : text;
}

bool ParseFlags(std::string_view text, std::uint8_t* flags) {
  *flags = 0;
  if (text == "-") return true;
  for (const char letter : text) {
    const auto bit = kFlagLetters.find(letter);
    if (bit == std::string_view::npos) return false;
    *flags = static_cast<std::uint8_t>(*flags | 1u << bit);
  }
  return !text.empty();
}

namespace {

std::string OneOption(std::uint8_t kind, std::span<const std::uint8_t> value, OptionBase* base) {
  const auto number = [&](std::size_t at) {
    constexpr std::int32_t kClose = 100;
    const std::uint32_t raw = Get32(&value[at]);
    const auto beyond = static_cast<std::int32_t>(raw - base->edge);
    if (!base->has_edge || beyond > kClose || beyond < -kClose) {
      return std::to_string(raw - base->peer_isn);
    }
    return "edge" + std::string(beyond < 0 ? "" : "+") + std::to_string(beyond);
  };
  if (kind == 2 && value.size() == 2) return "mss " + std::to_string(Get16(value.data()));
  if (kind == 3 && value.size() == 1) return "wscale " + std::to_string(value[0]);
  if (kind == 4 && value.empty()) return "sackOK";
  if (kind == 5 && value.size() % 8 == 0) {
    std::string text = "sack";
    for (std::size_t at = 0; at < value.size(); at += 8) {
      text += " " + number(at) + "-" + number(at + 4);
    }
    return text;
  }
  if (kind == 8 && value.size() == 8) {
    base->has_timestamp = true;
    base->ts_value = Get32(value.data());
    return "ts @ " + std::to_string(Get32(&value[4]));
  }
  // A cookie is a secret: only its size can be compared.
  if (kind == 34) return "fastopen " + std::to_string(value.size());
  std::string text = "kind " + std::to_string(kind);
  for (const std::uint8_t byte : value) {
    char hex[4];
    std::snprintf(hex, sizeof hex, " %02x", byte);
    text += hex;
  }
  return text;
}

/// The value of one option written as words; the kind comes back through `kind`. False: unknown.
bool OptionValue(const std::vector<std::string>& words, std::uint32_t last_ts,
                 std::uint32_t stack_isn, std::uint8_t* kind, Bytes* value) {
  std::vector<std::int64_t> n;
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::int64_t number = 0;
    if (words[i] == "last") {
      number = last_ts;
    } else if (words[i].starts_with("last-")) {
      if (!ParseNumber(words[i].substr(5), &number)) return false;
      number = last_ts - static_cast<std::uint32_t>(number);
    } else if (words[0] == "sack") {
      const auto dash = words[i].find('-');
      std::int64_t from = 0;
      if (dash == std::string::npos || !ParseNumber(words[i].substr(0, dash), &from) ||
          !ParseNumber(words[i].substr(dash + 1), &number)) {
        return false;
      }
      n.push_back(from + stack_isn);
      number += stack_isn;
    } else if (!ParseNumber(words[i], &number)) {
      return false;
    }
    n.push_back(number);
  }
  const auto is = [&](const char* name, std::size_t count) {
    return words[0] == name && n.size() == count;
  };
  const auto word = [&](std::size_t i) { return static_cast<std::uint32_t>(n[i]); };
  if (is("mss", 1)) {
    *kind = 2;
    Put16(value, word(0));
  } else if (is("wscale", 1)) {
    *kind = 3;
    value->push_back(static_cast<std::uint8_t>(n[0]));
  } else if (is("sackOK", 0)) {
    *kind = 4;
  } else if (words[0] == "sack" && !n.empty()) {
    *kind = 5;
    for (std::size_t i = 0; i < n.size(); ++i) Put32(value, word(i));
  } else if (is("ts", 2)) {
    *kind = 8;
    Put32(value, word(0));
    Put32(value, word(1));
  } else if (words[0] == "kind" && !n.empty()) {
    *kind = static_cast<std::uint8_t>(n[0]);
    for (std::size_t i = 1; i < n.size(); ++i) value->push_back(static_cast<std::uint8_t>(n[i]));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string OptionsText(std::span<const std::uint8_t> options, OptionBase* base) {
  std::string text;
  for (std::size_t at = 0; at < options.size();) {
    const std::uint8_t kind = options[at];
    std::string one;
    if (kind <= 1) {
      one = kind == 0 ? "eol" : "nop";
      ++at;
    } else if (at + 1 >= options.size() || options[at + 1] < 2 ||
               at + options[at + 1] > options.size()) {
      one = "malformed";
      at = options.size();
    } else {
      one = OneOption(kind, options.subspan(at + 2, options[at + 1] - 2u), base);
      at += options[at + 1];
    }
    text += (text.empty() ? "" : ",") + one;
  }
  return text;
}

bool ParseOptions(std::string_view text, std::uint32_t last_ts, std::uint32_t stack_isn,
                  Bytes* options) {
  options->clear();
  while (!text.empty()) {
    const auto comma = text.find(',');
    const auto words = SplitWords(text.substr(0, comma));
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
    if (words.empty()) return false;
    if (words[0] == "nop" || words[0] == "eol") {
      options->push_back(words[0] == "nop");
      continue;
    }
    if (words[0] == "raw") {  // a byte as it is: for options that are cut short
      std::int64_t byte = 0;
      if (words.size() != 2 || !ParseNumber(words[1], &byte)) return false;
      options->push_back(static_cast<std::uint8_t>(byte));
      continue;
    }
    std::uint8_t kind = 0;
    Bytes value;
    if (!OptionValue(words, last_ts, stack_isn, &kind, &value)) return false;
    options->push_back(kind);
    options->push_back(static_cast<std::uint8_t>(2 + value.size()));
    options->insert(options->end(), value.begin(), value.end());
  }
  while (options->size() % 4 != 0) options->push_back(0);
  return options->size() <= 40;
}

}  // namespace oracle
