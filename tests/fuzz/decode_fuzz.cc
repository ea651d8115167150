// Fuzz target: every decoder of wire/ over one input, and what must hold whatever the input is.
//
// The input is taken as an IP packet; then once more as the payload of a packet made up here, with
// its checksum put right where there is one, so that a fuzzer need not find a checksum to get past.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/checksum.h"
#include "wire/dump.h"
#include "wire/extension.h"
#include "wire/fragment.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/ip_options.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace estab::wire {
namespace {

using Bytes = std::span<const std::byte>;
using Buffer = std::vector<std::byte>;

bool IsWithin(Bytes inner, Bytes outer) {
  return inner.empty() || (inner.data() >= outer.data() &&
                           inner.data() + inner.size() <= outer.data() + outer.size());
}

bool SameOptions(const TcpOptions& a, const TcpOptions& b) {
  bool same = a.has_mss == b.has_mss && a.mss == b.mss &&
              a.has_window_scale == b.has_window_scale && a.window_scale == b.window_scale &&
              a.sack_permitted == b.sack_permitted && a.has_timestamp == b.has_timestamp &&
              a.ts_value == b.ts_value && a.ts_echo == b.ts_echo && a.sack_count == b.sack_count &&
              a.has_fast_open == b.has_fast_open && a.fast_open_size == b.fast_open_size &&
              a.fast_open_cookie == b.fast_open_cookie;
  for (std::size_t i = 0; same && i < a.sack_count; ++i) {
    same = a.sack[i].left == b.sack[i].left && a.sack[i].right == b.sack[i].right;
  }
  return same;
}

bool SameSegment(const Segment& a, const Segment& b) {
  return a.source_port == b.source_port && a.destination_port == b.destination_port &&
         a.seq == b.seq && a.ack == b.ack && a.flags == b.flags && a.reserved == b.reserved &&
         a.window == b.window && a.urgent == b.urgent && std::ranges::equal(a.payload, b.payload);
}

// What EncodeTcp leaves out for want of room, and what is therefore allowed to differ.
void DropWhatDoesNotFit(TcpOptions& wanted, const TcpOptions& got) {
  ESTAB_CHECK(got.sack_count <= wanted.sack_count);
  wanted.sack_count = got.sack_count;
  if (!got.has_fast_open) {
    wanted.has_fast_open = false;
    wanted.fast_open_size = 0;
    wanted.fast_open_cookie = {};
  }
}

// Encodes a segment anew into a whole packet, which must decode to the same values.
void CheckTcpRoundTrip(const IpPacket& ip, const Segment& segment) {
  const std::size_t header_size = TcpHeaderSize(segment);
  ESTAB_CHECK(header_size >= 20 && header_size <= 60 && header_size % 4 == 0);
  const std::size_t tcp_size = header_size + segment.payload.size();
  const std::size_t ip_size = IpHeaderSize(ip.destination);
  if ((ip.destination.is_v4() ? ip_size : 0) + tcp_size > 0xffff) return;

  Buffer packet(ip_size + tcp_size);
  const IpHeader header{.source = ip.source,
                        .destination = ip.destination,
                        .protocol = static_cast<std::uint8_t>(Protocol::kTcp),
                        .ttl = ip.ttl,
                        .tos = ip.tos};
  ESTAB_CHECK(EncodeIp(packet, header, tcp_size) == ip_size);
  const std::span<std::byte> tcp = std::span(packet).subspan(ip_size, header_size);
  ESTAB_CHECK(EncodeTcp(tcp, segment) == header_size);
  const std::array<Slice, 1> slices{{{segment.payload.data(), segment.payload.size()}}};
  StoreTcpChecksum(tcp, TcpChecksum(ip.source, ip.destination, tcp, slices));
  std::ranges::copy(segment.payload,
                    packet.begin() + static_cast<std::ptrdiff_t>(ip_size + header_size));

  const auto again = DecodeIp(packet);
  ESTAB_CHECK(again.has_value());
  ESTAB_CHECK(again->source == ip.source && again->destination == ip.destination);
  ESTAB_CHECK(again->ttl == ip.ttl && again->tos == ip.tos && !again->fragment);
  ESTAB_CHECK(TcpChecksumValid(*again));
  const auto back = DecodeTcp(again->payload);
  ESTAB_CHECK(back.has_value());
  ESTAB_CHECK(SameSegment(segment, *back));
  TcpOptions wanted = segment.options;
  DropWhatDoesNotFit(wanted, back->options);
  ESTAB_CHECK(SameOptions(wanted, back->options));
}

void CheckTcp(const IpPacket& ip) {
  TcpChecksumValid(ip);
  const auto segment = DecodeTcp(ip.payload);
  if (!segment) return;
  ESTAB_CHECK(IsWithin(segment->payload, ip.payload));
  ESTAB_CHECK(segment->options.sack_count <= 4 && segment->options.fast_open_size <= 16);
  CheckTcpRoundTrip(ip, *segment);
}

void CheckEcho(const IpPacket& ip) {
  Buffer out(ip.payload.size() + 40);
  const auto size = EchoReply(ip, out);
  if (!size) return;
  out.resize(*size);
  out.shrink_to_fit();
  const auto reply = DecodeIp(out);
  ESTAB_CHECK(reply.has_value());
  ESTAB_CHECK(reply->source == ip.destination && reply->destination == ip.source);
  ESTAB_CHECK(reply->payload.size() == ip.payload.size());
  Checksum checksum;
  if (!ip.destination.is_v4()) {
    checksum.AddPseudoHeader(reply->source, reply->destination, reply->protocol,
                             static_cast<std::uint32_t>(reply->payload.size()));
  }
  checksum.Add(reply->payload);
  ESTAB_CHECK(checksum.Valid());
  // A reply is never answered.
  Buffer unused(out.size());
  ESTAB_CHECK(!EchoReply(*reply, unused));
  // Only the type differs, and the checksum with it.
  ESTAB_CHECK(std::ranges::equal(ip.payload.subspan(4), reply->payload.subspan(4)));
}

// An error about any packet can be read again, and says whom it is about.
void CheckErrorAbout(const IpPacket& ip) {
  MayReportError(ip);
  Buffer out(1500);
  const std::size_t size = EncodePortUnreachable(ip, out, ip.destination);
  if (size == 0) return;
  out.resize(size);
  out.shrink_to_fit();
  const auto packet = DecodeIp(out);
  ESTAB_CHECK(packet.has_value());
  const auto error = DecodeIcmpError(*packet);
  if (ip.payload.size() < 8) {
    ESTAB_CHECK(!error.has_value());
    return;
  }
  if (ip.fragment && !error) return;  // not the first one
  ESTAB_CHECK(error.has_value());
  ESTAB_CHECK(error->source == ip.source && error->destination == ip.destination);
  ESTAB_CHECK(error->protocol == ip.protocol);
  if (ip.Is(Protocol::kTcp)) ESTAB_CHECK(error->seq == Load32(&ip.payload[4]));
}

void CheckPacket(Bytes bytes) {
  std::array<char, kDumpSize> text{};
  const std::string_view line = DumpPacket(bytes, text);
  ESTAB_CHECK(!line.empty() && line.size() < kDumpSize);
  ESTAB_CHECK(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; }));

  const auto ip = DecodeIp(bytes);
  if (!ip) return;
  ESTAB_CHECK(IsWithin(ip->whole(), bytes));
  ESTAB_CHECK(ip->header.data() + ip->header.size() == ip->payload.data());
  ESTAB_CHECK(ip->source.is_v4() == ip->destination.is_v4());
  CheckTcp(*ip);
  CheckEcho(*ip);
  if (const auto error = DecodeIcmpError(*ip)) {
    ESTAB_CHECK(error->v6 != error->source.is_v4() && error->v6 != error->destination.is_v4());
  }
  CheckErrorAbout(*ip);
  UdpValid(*ip);
  if (ip->fragment) JudgeFragment(*ip);
}

// Whatever is refused, there is something to be told of it, or nothing.
void CheckRefused(Bytes bytes) {
  const auto refused = ExplainRefusal(bytes);
  if (!refused) return;
  ESTAB_CHECK(!DecodeIp(bytes).has_value());
  ESTAB_CHECK(IsWithin(refused->packet.whole(), bytes));
  ESTAB_CHECK(refused->problem.pointer < bytes.size());
  Buffer out(1500);
  const bool v4 = refused->packet.source.is_v4();
  const std::size_t size = EncodeIcmpError(refused->packet, v4 ? 12 : 4, refused->problem.code, 0,
                                           refused->packet.destination, out);
  ESTAB_CHECK(size <= kMaxIcmpError);
}

// The input as the payload of `protocol`; an ICMP checksum is put right.
void CheckAsPayload(Bytes payload, const IpAddress& source, const IpAddress& destination,
                    Protocol protocol) {
  const std::size_t ip_size = IpHeaderSize(destination);
  if (payload.size() > 0xffff - ip_size) return;
  Buffer packet(ip_size + payload.size());
  const auto number = static_cast<std::uint8_t>(protocol);
  EncodeIp(packet, {.source = source, .destination = destination, .protocol = number},
           payload.size());
  std::ranges::copy(payload, packet.begin() + static_cast<std::ptrdiff_t>(ip_size));
  if (protocol != Protocol::kTcp && payload.size() >= 4) {
    const std::span<std::byte> message = std::span(packet).subspan(ip_size);
    Store16(&message[2], 0);
    Checksum checksum;
    if (protocol == Protocol::kIcmpV6) {
      checksum.AddPseudoHeader(source, destination, number,
                               static_cast<std::uint32_t>(message.size()));
    }
    checksum.Add(message);
    Store16(&message[2], checksum.Finish());
  }
  CheckPacket(packet);
}

// The input as what follows an IPv6 header: no walk goes beyond it, and what is judged well is
// skipped alike.
void CheckExtensions(Bytes bytes) {
  for (const int first : {0, 43, 44, 60}) {
    const auto type = static_cast<std::uint8_t>(first);
    const ExtensionChain judged = WalkExtensions(type, bytes, ExtensionWalk::kJudge);
    const ExtensionChain skipped = WalkExtensions(type, bytes, ExtensionWalk::kSkip);
    for (const ExtensionChain& chain : {judged, skipped}) {
      ESTAB_CHECK(chain.size <= bytes.size() && chain.size % 8 == 0);
      ESTAB_CHECK(chain.problem.found || chain.fragment || !chain.is_extension());
      ESTAB_CHECK(chain.named_at == 6 || chain.named_at < 40 + bytes.size());
      ESTAB_CHECK(chain.problem.pointer < 40 + bytes.size());
    }
    if (!judged.problem.found) {
      ESTAB_CHECK(judged.size == skipped.size && judged.protocol == skipped.protocol);
    }
  }
}

// The input as the options of an IPv4 header. What is judged well can be echoed, and judged again.
void CheckIpOptions(Bytes bytes) {
  Buffer header(20);
  const std::size_t size = std::min(bytes.size(), kMaxIpOptions) / 4 * 4;
  header.insert(header.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  const IpOptions judged = JudgeIpOptions(header);
  ESTAB_CHECK(!judged.bad || (judged.pointer >= 20 && judged.pointer < header.size() + 4));
  if (judged.bad) return;
  std::array<std::byte, kMaxIpOptions> echoed;
  const std::size_t echoed_size =
      EchoIpOptions(std::span(header).subspan(20), IpAddress::V4(0xc0000201), 7, echoed);
  ESTAB_CHECK(echoed_size % 4 == 0 && echoed_size <= (size + 3) / 4 * 4);
  header.resize(20);
  header.insert(header.end(), echoed.begin(),
                echoed.begin() + static_cast<std::ptrdiff_t>(echoed_size));
  const IpOptions again = JudgeIpOptions(header);
  ESTAB_CHECK(!again.bad && !again.source_route);
}

// Cut into fragments, every byte is there once, and every fragment decodes.
void CheckFragmenter(Bytes packet, std::size_t mtu) {
  Fragmenter fragmenter(packet, mtu, 0x01020304);
  const std::size_t count = fragmenter.count();
  std::size_t made = 0;
  std::size_t next = 0;
  Buffer out(mtu);
  for (; !fragmenter.done(); ++made) {
    const std::size_t size = fragmenter.Next(out);
    ESTAB_CHECK(size <= mtu);
    const auto ip = DecodeIp(std::span(out).first(size));
    ESTAB_CHECK(ip.has_value() && ip->whole().size() == size);
    if (count == 1) break;
    ESTAB_CHECK(ip->fragment && ip->place.offset == next);
    ESTAB_CHECK(ip->place.more == (made + 1 != count));
    ESTAB_CHECK(!JudgeFragment(*ip).found || ip->place.offset == 0);
    const Bytes whole = packet.subspan(packet.size() - (DecodeIp(packet)->payload.size()));
    ESTAB_CHECK(std::ranges::equal(ip->payload, whole.subspan(next, ip->payload.size())));
    next += ip->payload.size();
  }
  ESTAB_CHECK(count == 1 || made == count);
}

// An IPv4 packet whose header checksum is put right.
void CheckWithHeaderChecksum(Bytes bytes) {
  if (bytes.size() < 20) return;
  const std::size_t header_size = std::to_integer<std::size_t>(bytes[0] & std::byte{0x0f}) * 4;
  if (header_size < 20 || header_size > bytes.size()) return;
  Buffer packet(bytes.begin(), bytes.end());
  Store16(&packet[10], 0);
  Checksum checksum;
  checksum.Add(std::span(packet).first(header_size));
  Store16(&packet[10], checksum.Finish());
  CheckPacket(packet);
  CheckRefused(packet);
}

}  // namespace
}  // namespace estab::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace estab;
  using namespace estab::wire;
  const auto bytes = std::as_bytes(std::span(data, size));
  CheckPacket(bytes);
  CheckRefused(bytes);
  CheckWithHeaderChecksum(bytes);
  const IpAddress a = IpAddress::V4(0xc0000201);
  const IpAddress b = IpAddress::V4(0xc0000202);
  IpAddress a6;
  a6.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  IpAddress b6 = a6;
  b6.bytes[15] = 2;
  CheckAsPayload(bytes, a, b, Protocol::kTcp);
  CheckAsPayload(bytes, a, b, Protocol::kIcmp);
  CheckAsPayload(bytes, a6, b6, Protocol::kIcmpV6);
  CheckExtensions(bytes);
  CheckIpOptions(bytes);
  if (bytes.empty()) return 0;
  const std::size_t mtu = 68 + std::to_integer<std::size_t>(bytes[0]) * 4;
  for (const bool v4 : {true, false}) {
    Buffer packet(IpHeaderSize(v4 ? a : a6));
    EncodeIp(packet, {.source = v4 ? a : a6, .destination = v4 ? b : b6, .protocol = 99},
             bytes.size());
    packet.insert(packet.end(), bytes.begin(), bytes.end());
    if (bytes.size() < 60000) CheckFragmenter(packet, mtu);
  }
  return 0;
}
