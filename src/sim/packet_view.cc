#include "sim/packet_view.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "observe/format.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"

namespace estab::sim {

std::optional<PacketView> ViewPacket(std::span<const std::byte> packet) {
  const auto ip = wire::DecodeIp(packet);
  if (!ip || !ip->Is(wire::Protocol::kTcp) || ip->fragment) return std::nullopt;
  const auto tcp = wire::DecodeTcp(ip->payload);
  if (!tcp) return std::nullopt;
  PacketView view;
  view.source = {ip->source, tcp->source_port};
  view.destination = {ip->destination, tcp->destination_port};
  view.options = tcp->options;
  view.segment.flags = tcp->flags;
  view.segment.window = tcp->window;
  view.segment.seq = tcp->seq;
  view.segment.ack = tcp->ack;
  view.segment.length = static_cast<std::uint32_t>(tcp->payload.size());
  view.segment.has_timestamp = tcp->options.has_timestamp;
  view.segment.ts_value = tcp->options.ts_value;
  view.segment.ts_echo = tcp->options.ts_echo;
  return view;
}

bool IsEcnCapable(std::span<const std::byte> packet) {
  const auto ip = wire::DecodeIp(packet);
  return ip && (ip->tos & 3) != 0;
}

void MarkCongestion(std::span<std::byte> packet) {
  const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
  packet[1] |= v4 ? std::byte{0x03} : std::byte{0x30};
  if (!v4) return;
  const std::size_t size = (std::to_integer<std::size_t>(packet[0]) & 0xf) * 4;
  Store16(&packet[10], 0);
  wire::Checksum sum;
  sum.Add(packet.first(size));
  Store16(&packet[10], sum.Finish());
}

std::string OptionsText(const wire::TcpOptions& options, bool brief) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (options.has_mss) add(fmt::format("mss {}", options.mss));
  if (options.sack_permitted) add("sackOK");
  if (options.has_timestamp) {
    add(brief ? std::string("TS") : fmt::format("TS {} {}", options.ts_value, options.ts_echo));
  }
  if (options.has_window_scale) add(fmt::format("wscale {}", options.window_scale));
  for (std::size_t i = 0; i < options.sack_count; ++i) {
    add(fmt::format("sack {}-{}", options.sack[i].left, options.sack[i].right));
  }
  if (options.has_fast_open) add(options.fast_open_size == 0 ? "TFO request" : "TFO cookie");
  return out;
}

std::vector<std::byte> CraftPacket(const Endpoint& source, const Endpoint& destination,
                                   wire::Segment segment) {
  segment.source_port = source.port;
  segment.destination_port = destination.port;
  const std::size_t ip_size = wire::IpHeaderSize(source.address);
  const std::size_t tcp_size = wire::TcpHeaderSize(segment);
  std::vector<std::byte> packet(ip_size + tcp_size + segment.payload.size());
  const std::span<std::byte> bytes(packet);
  wire::IpHeader ip;
  ip.source = source.address;
  ip.destination = destination.address;
  ip.protocol = static_cast<std::uint8_t>(wire::Protocol::kTcp);
  wire::EncodeIp(bytes, ip, tcp_size + segment.payload.size());
  const std::span<std::byte> header = bytes.subspan(ip_size, tcp_size);
  wire::EncodeTcp(header, segment);
  const Slice payload{segment.payload.data(), segment.payload.size()};
  wire::StoreTcpChecksum(header, wire::TcpChecksum(source.address, destination.address, header,
                                                   std::span<const Slice>(&payload, 1)));
  std::copy(segment.payload.begin(), segment.payload.end(),
            packet.begin() + static_cast<std::ptrdiff_t>(ip_size + tcp_size));
  return packet;
}

std::vector<std::byte> CraftIcmpError(std::span<const std::byte> quoted, std::uint8_t type,
                                      std::uint8_t code, const IpAddress& from) {
  std::vector<std::byte> packet(1280);
  const auto offending = wire::DecodeIp(quoted);
  if (!offending) return {};
  packet.resize(wire::EncodeIcmpError(*offending, type, code, 0, from, packet));
  return packet;
}

}  // namespace estab::sim
