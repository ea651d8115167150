// Packets that no TCP makes: fragments, extension headers, UDP, echoes. For the stack's tests.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "matrix/raw_peer.h"
#include "wire/checksum.h"
#include "wire/fragment.h"
#include "wire/icmp.h"
#include "wire/ip.h"

namespace estab::test {

using Packet = std::vector<std::byte>;

inline Packet Octets(std::initializer_list<int> list) {
  Packet out;
  for (const int value : list) out.push_back(static_cast<std::byte>(value));
  return out;
}
inline Packet operator+(Packet a, const Packet& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
/// Bytes that tell where they stand.
inline Packet Pattern(std::size_t size) {
  Packet out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i * 7 + i / 256);
  return out;
}

/// A packet whose payload begins with a header of type `protocol`. IPv4 options are to be whole.
inline Packet IpPacketOf(const IpAddress& from, const IpAddress& to, int protocol,
                         const Packet& payload, const Packet& options = {}, int tos = 0) {
  wire::IpHeader header;
  header.source = from;
  header.destination = to;
  header.protocol = static_cast<std::uint8_t>(protocol);
  header.tos = static_cast<std::uint8_t>(tos);
  header.dont_fragment = false;
  header.options = options;
  Packet out(wire::IpHeaderSize(to) + options.size());
  wire::EncodeIp(out, header, payload.size());
  return std::move(out) + payload;
}

/// The sum over a transport's bytes with the pseudo-header.
inline std::uint16_t TransportSum(const IpAddress& from, const IpAddress& to, int protocol,
                                  const Packet& bytes) {
  wire::Checksum sum;
  sum.AddPseudoHeader(from, to, static_cast<std::uint8_t>(protocol),
                      static_cast<std::uint32_t>(bytes.size()));
  sum.Add(bytes);
  return sum.Finish();
}

inline Packet UdpOf(const IpAddress& from, const IpAddress& to, std::size_t size = 4) {
  Packet udp = Octets({0x03, 0xe8, 0x07, 0xd0, 0, 0, 0, 0}) + Pattern(size);
  Store16(&udp[4], static_cast<std::uint16_t>(udp.size()));
  Store16(&udp[6], TransportSum(from, to, 17, udp));
  return udp;
}

/// An ICMP message of the family of `to`.
inline Packet IcmpOf(const IpAddress& from, const IpAddress& to, int type, int code,
                     const Packet& rest) {
  Packet message = Octets({type, code, 0, 0}) + rest;
  wire::Checksum plain;
  plain.Add(message);
  Store16(&message[2], to.is_v4() ? plain.Finish() : TransportSum(from, to, 58, message));
  return message;
}

/// An echo request with `size` bytes of data.
inline Packet EchoOf(const IpAddress& from, const IpAddress& to, std::size_t size,
                     const Packet& options = {}) {
  const bool v4 = to.is_v4();
  return IpPacketOf(from, to, v4 ? 1 : 58,
                    IcmpOf(from, to, v4 ? 8 : 128, 0, Octets({0, 7, 0, 1}) + Pattern(size)),
                    options);
}

/// Cuts it.
inline std::vector<Packet> Cut(const Packet& packet, std::size_t mtu, std::uint32_t id = 77) {
  std::vector<Packet> out;
  wire::Fragmenter fragmenter(packet, mtu, id);
  const std::size_t count = fragmenter.count();
  while (!fragmenter.done()) {
    Packet piece(mtu);
    piece.resize(fragmenter.Next(piece));
    out.push_back(std::move(piece));
  }
  EXPECT_EQ(out.size(), count);
  return out;
}

/// A fragment by its parts; `protocol` is that of the datagram.
inline Packet FragmentOf(const IpAddress& from, const IpAddress& to, int protocol,
                         std::size_t offset, bool more, const Packet& payload,
                         std::uint32_t id = 77, int tos = 0) {
  if (!to.is_v4()) {
    Packet header = Octets({protocol, 0, 0, 0, 0, 0, 0, 0});
    Store16(&header[2], static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
    Store32(&header[4], id);
    return IpPacketOf(from, to, 44, header + payload, {}, tos);
  }
  Packet packet = IpPacketOf(from, to, protocol, payload, {}, tos);
  Store16(&packet[4], static_cast<std::uint16_t>(id));
  Store16(&packet[6], static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
  Store16(&packet[10], 0);
  wire::Checksum sum;
  sum.Add(std::span(packet).first(20));
  Store16(&packet[10], sum.Finish());
  return packet;
}

/// The payload of the datagram that these fragments are, which must fit together without a gap;
/// empty if they do not.
inline Packet Joined(const std::vector<Packet>& fragments) {
  std::map<std::size_t, Packet> pieces;
  std::size_t last = 0;
  for (const Packet& f : fragments) {
    const auto ip = wire::DecodeIp(f);
    if (!ip || !ip->fragment) return {};
    pieces[ip->place.offset] = Packet(ip->payload.begin(), ip->payload.end());
    if (!ip->place.more) last = ip->place.offset + ip->payload.size();
  }
  Packet out;
  for (const auto& [offset, bytes] : pieces) {
    if (offset != out.size()) return {};
    out = std::move(out) + bytes;
  }
  return out.size() == last ? out : Packet{};
}

/// An ICMP message that the stack sent.
struct IcmpSent {
  int type = -1;
  int code = -1;
  std::uint32_t rest = 0;
  IpAddress from;
  IpAddress to;
  std::size_t size = 0;  // of the packet
  Packet quote;
};
/// Decodes it and checks its checksum.
inline IcmpSent ReadIcmp(const Packet& packet) {
  IcmpSent out;
  const auto ip = wire::DecodeIp(packet);
  EXPECT_TRUE(ip.has_value());
  if (!ip || ip->payload.size() < 8) return out;
  const bool v4 = ip->source.is_v4();
  EXPECT_EQ(ip->protocol, v4 ? 1 : 58);
  const Packet message(ip->payload.begin(), ip->payload.end());
  wire::Checksum plain;
  plain.Add(message);
  EXPECT_EQ(v4 ? plain.Finish() : TransportSum(ip->source, ip->destination, 58, message), 0);
  out.type = std::to_integer<int>(message[0]);
  out.code = std::to_integer<int>(message[1]);
  out.rest = Load32(&message[4]);
  out.from = ip->source;
  out.to = ip->destination;
  out.size = packet.size();
  out.quote.assign(message.begin() + 8, message.end());
  return out;
}

/// The only ICMP message since the last call; type -1 if there is none.
inline IcmpSent OneIcmp(RawPeer& peer) {
  const auto others = peer.TakeOthers();
  EXPECT_LE(others.size(), 1u);
  return others.size() == 1 ? ReadIcmp(others[0]) : IcmpSent{};
}

}  // namespace estab::test
