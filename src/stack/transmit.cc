// From what connections owe to packets on links.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "stack/engine.h"
#include "tcp/pacing.h"
#include "tcp/policy.h"
#include "tcp/sender.h"
#include "tcp/timers.h"
#include "wire/fragment.h"
#include "wire/header_series.h"
#include "wire/tcp.h"

namespace estab {
namespace {

constexpr std::uint32_t kMaxHeader = wire::kIpv6HeaderSize + wire::kMaxTcpHeaderSize;
// Segments of one connection before the next has its turn: less than a super-segment holds.
constexpr std::size_t kBurst = 32;

wire::IpHeader IpHeaderFor(const Tuple& tuple, std::uint8_t tos, std::uint8_t ttl) {
  wire::IpHeader header;
  header.source = tuple.local.address;
  header.destination = tuple.remote.address;
  header.protocol = static_cast<std::uint8_t>(wire::Protocol::kTcp);
  header.tos = tos;
  header.ttl = ttl;
  return header;
}

// Fills in the TCP checksum, or begins it if the link does the rest (`offload`). `payload_size`: of
// all pieces of the payload.
void FillChecksum(std::span<std::byte> tcp, const wire::IpHeader& ip,
                  std::span<const Slice> payload, std::size_t payload_size, bool offload) {
  const auto length = static_cast<std::uint32_t>(tcp.size() + payload_size);
  wire::StoreTcpChecksum(tcp, offload ? wire::TcpPartialChecksum(ip.source, ip.destination, length)
                                      : wire::TcpChecksum(ip.source, ip.destination, tcp, payload));
}

// IP and TCP headers of `segment` with their checksums; returns their size.
std::size_t BuildHeaders(std::span<std::byte> out, const wire::IpHeader& ip,
                         const wire::Segment& segment, std::span<const Slice> payload,
                         std::size_t payload_size, bool offload = false) {
  const std::size_t ip_size = wire::IpHeaderSize(ip.destination);
  const std::size_t tcp_size = wire::EncodeTcp(out.subspan(ip_size), segment);
  wire::EncodeIp(out, ip, tcp_size + payload_size);
  FillChecksum(out.subspan(ip_size, tcp_size), ip, payload, payload_size, offload);
  return ip_size + tcp_size;
}

// The link is to fill in the rest of the TCP checksum, if it can.
void AskForChecksum(SinkCapabilities can, const wire::IpHeader& ip, TxPacket& packet) {
  if (!can.checksum) return;
  packet.checksum_start = static_cast<std::uint16_t>(wire::IpHeaderSize(ip.destination));
  packet.checksum_offset = wire::kTcpChecksumOffset;
}

// A link that cuts super-segments fills in their checksums too.
SinkCapabilities Usable(SinkCapabilities can) {
  constexpr std::uint32_t kLongest = 65535;  // what the headers' length fields hold
  const bool cuts = can.checksum && can.max_size > kMaxHeader;
  can.max_size = cuts ? std::min(can.max_size, kLongest) : 0;
  return can;
}

}  // namespace

void Stack::Impl::QueuePacket(Time now, LinkId link, bool local,
                              std::span<const std::byte> packet) {
  constexpr std::uint32_t kEveryPath = 68;  // takes that
  const bool asks = !local && packet.size() > kEveryPath;
  const std::uint32_t mtu = asks ? PathTo(wire::DestinationOf(packet), link, now).mtu : kEveryPath;
  const bool queued = !asks || packet.size() <= mtu ? (local ? looped : replies).Push(link, packet)
                                                    : QueueFragments(link, mtu, packet);
  if (!queued) ++counters.out_of_memory;
}

// Identifications of one destination never repeat within the space, and those of another say
// nothing about them (RFC 7739 §5.3). `addresses`: as they lie in the header.
std::uint32_t Stack::Impl::NextIdentification(std::span<const std::byte> addresses) {
  const std::uint64_t base = SipHash24(keys.fragments, addresses);
  return static_cast<std::uint32_t>(base + ++datagrams_fragmented);
}

bool Stack::Impl::QueueFragments(LinkId link, std::uint32_t mtu,
                                 std::span<const std::byte> packet) {
  const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
  const auto addresses = v4 ? packet.subspan(12, 8) : packet.subspan(8, 32);
  const std::uint32_t identification = NextIdentification(addresses);
  wire::Fragmenter fragmenter(packet, mtu, identification);
  if (replies.room() < fragmenter.count()) return false;  // a part of them would be of no use
  std::byte fragment[65536];
  while (!fragmenter.done()) {
    if (!replies.Push(link, {fragment, fragmenter.Next(fragment)})) return false;
  }
  return true;
}

wire::IpHeader Stack::Impl::HeaderFor(const Tuple& tuple, const SocketOptions& own, bool locked) {
  const IpAddress& remote = tuple.remote.address;
  wire::IpHeader header =
      IpHeaderFor(tuple, tcp::Tos(own, remote), tcp::Ttl(settings, own, remote));
  header.dont_fragment = tcp::DontFragment(settings, own, locked);
  if (!header.dont_fragment && remote.is_v4()) {
    std::byte addresses[8];
    std::memcpy(addresses, tuple.local.address.bytes.data() + 12, 4);
    std::memcpy(addresses + 4, remote.bytes.data() + 12, 4);
    header.identification = static_cast<std::uint16_t>(NextIdentification(addresses));
  }
  return header;
}

void Stack::Impl::Reply(Time now, LinkId link, const Tuple& tuple, ConnectionNumber number,
                        const wire::Segment& segment, std::uint8_t tos, std::uint8_t ttl) {
  const auto hops = ttl != 0 ? ttl : static_cast<std::uint8_t>(settings.default_ttl);
  Reply(now, link, tuple, number, segment, IpHeaderFor(tuple, tos, hops));
}

void Stack::Impl::Reply(Time now, LinkId link, const Tuple& tuple, ConnectionNumber number,
                        const wire::Segment& segment, const wire::IpHeader& header) {
  std::byte packet[kMaxHeader];
  const std::size_t size = BuildHeaders(packet, header, segment, {}, 0);
  if (recorder.Wants(Observer::kSegments)) {
    recorder.Segment(now, number, tuple, true, tcp::Summarize(segment));
  }
  QueuePacket(now, link, network.IsLocal(tuple.remote.address), {packet, size});
}

void Stack::Impl::ReplyReset(Time now, LinkId link, const Tuple& tuple,
                             const wire::Segment& segment) {
  wire::Segment reset;
  reset.source_port = tuple.local.port;
  reset.destination_port = tuple.remote.port;
  reset.flags = kRst;
  if (segment.Has(kAck)) {
    reset.seq = segment.ack;
  } else {
    reset.flags |= kAck;
    reset.ack = segment.seq + segment.length();
  }
  ++counters.resets_sent;
  // As Linux: with the class of service of what it answers, but never marked for ECN.
  constexpr std::uint8_t kDscp = 0xfc;
  Reply(now, link, tuple, 0, reset, segment.tos & kDscp, 0);
}

void Stack::Impl::Reply(Time now, LinkId link, const Tuple& tuple, ConnectionNumber number,
                        const wire::Segment& segment, const SocketOptions& own) {
  const IpAddress& remote = tuple.remote.address;
  Reply(now, link, tuple, number, segment, tcp::Tos(own, remote), tcp::Ttl(settings, own, remote));
}

std::size_t Stack::Impl::TransmitReplies(PacketSink& sink, std::size_t budget, unsigned& busy) {
  std::size_t sent = 0;
  for (std::uint32_t left = replies.size(); left != 0 && sent < budget; --left) {
    const LinkId link = replies.front_link();
    TxPacket packet;
    packet.header = replies.front();
    packet.link = link;
    if ((busy & (1u << link)) == 0 && sink.Send(packet) != SinkResult::kBusy) {
      replies.Pop();
      ++sent;
    } else {
      busy |= 1u << link;
      replies.Rotate();
    }
  }
  return sent;
}

// Many small sends may lie in more pieces than one packet takes: then the segment is made shorter.
std::size_t Stack::Impl::GatherPayload(Socket& socket, tcp::Plan& plan, Chunk** chunks) {
  if (plan.length == 0) return 0;
  ByteQueue& bytes = buffers.send[socket.send_buffer].bytes;
  for (;;) {
    const std::size_t pieces = bytes.Gather(plan.offset, plan.length, slices, chunks);
    if (pieces != 0) return pieces;
    tcp::HalvePlan(plan);
  }
}

// What is written down of a packet that has gone: each of its segments on the wire.
void Stack::Impl::RecordSent(const Context& cx, const Socket& socket, const tcp::Plan& plan,
                             const wire::Segment& segment) {
  counters.packets_out += plan.count();
  if (plan.repeat) ++counters.retransmissions;
  if (!recorder.Wants(Observer::kSegments)) return;
  SegmentSummary summary = tcp::Summarize(segment);
  std::uint32_t left = plan.length;
  for (std::uint32_t n = plan.count(); n > 1; --n, left -= plan.piece, summary.seq += plan.piece) {
    summary.length = plan.piece;
    summary.flags = static_cast<std::uint16_t>(segment.flags & ~(kPsh | kFin));
    recorder.Segment(cx.now, socket.number, socket.tuple, true, summary);
  }
  summary.flags = segment.flags;
  summary.length = left;
  recorder.Segment(cx.now, socket.number, socket.tuple, true, summary);
}

// What several segments have in common is worked out once, whoever cuts them.
tcp::Plan Stack::Impl::NextPlan(const Context& cx, const Socket& socket, SinkCapabilities can,
                                std::size_t packets) {
  tcp::Plan plan = tcp::PlanSegment(cx, socket);
  const auto most = can.max_size != 0 ? can.max_size - kMaxHeader
                                      : static_cast<std::uint32_t>(packets * socket.send_mss);
  tcp::GrowPlan(cx, socket, most, plan);
  return plan;
}

// Offers a packet to its link, or to ourselves; `slot` is that of `loan`, if the sink may hold on
// to the packet. False: the link is busy.
bool Stack::Impl::Offer(PacketSink& sink, const Socket& socket, TxPacket& packet, Loan& loan,
                        std::uint32_t slot) {
  packet.link = socket.link;
  packet.token = slot == kNoSlot ? 0 : std::uint64_t{slot} + 1;
  const SinkResult result = socket.to_self ? LoopBack(packet) : sink.Send(packet);
  if (slot != kNoSlot || socket.to_self) NoteOffered(socket, packet, result, loan, slot);
  ESTAB_CHECK(result != SinkResult::kHeld || slot != kNoSlot);
  return result != SinkResult::kBusy;
}

// What has been copied, and what is lent.
void Stack::Impl::NoteOffered(const Socket& socket, const TxPacket& packet, SinkResult result,
                              Loan& loan, std::uint32_t slot) {
  if (socket.to_self) {
    for (std::size_t i = 0; i < packet.payload.size(); ++i) loan.chunks[i]->copied = true;
  }
  if (slot == kNoSlot) return;
  if (result != SinkResult::kHeld) return loans.Destroy(slot);
  loan.count = static_cast<std::uint32_t>(packet.payload.size());
  for (std::size_t i = 0; i < loan.count; ++i) buffers.chunks.Ref(loan.chunks[i]);
}

// The plan in one packet; returns its segments, 0 if the link is busy.
std::uint32_t Stack::Impl::SendWhole(Context& cx, PacketSink& sink, Socket& socket,
                                     SinkCapabilities can, tcp::Plan plan) {
  Loan own;
  const std::uint32_t slot = can.holds && plan.length != 0 ? loans.Create() : kNoSlot;
  Loan& loan = slot != kNoSlot ? loans[slot] : own;
  const std::size_t pieces = GatherPayload(socket, plan, loan.chunks.data());
  wire::Segment segment = tcp::MakeSegment(cx, socket, plan);
  if (plan.kind == tcp::Plan::Kind::kSyn && !plan.repeat) AddFastOpenOption(socket, segment);
  wire::IpHeader ip = HeaderFor(socket.tuple, *socket.options, socket.mtu_locked);
  ip.tos = segment.tos;
  if (!ip.dont_fragment) datagrams_fragmented += plan.count() - 1;  // each has a number of its own
  TxPacket packet;
  packet.payload = std::span(slices).first(pieces);
  packet.header = {loan.header.data(), BuildHeaders(loan.header, ip, segment, packet.payload,
                                                    plan.length, can.checksum)};
  packet.gso_size = plan.piece;
  AskForChecksum(can, ip, packet);
  if (!Offer(sink, socket, packet, loan, slot)) return 0;
  RecordSent(cx, socket, plan, segment);
  tcp::CommitSegment(cx, socket, plan, segment);
  return plan.count();
}

// The segments of a plan one by one, for a link that does not cut; returns how many have gone. It
// is busy, or the payload lies in too many pieces, if those are not all.
std::uint32_t Stack::Impl::SendCut(Context& cx, PacketSink& sink, Socket& socket,
                                   SinkCapabilities can, tcp::Plan plan, bool& busy) {
  wire::Segment segment = tcp::MakeSegment(cx, socket, plan);
  wire::IpHeader ip = HeaderFor(socket.tuple, *socket.options, socket.mtu_locked);
  ip.tos = segment.tos;
  wire::HeaderSeries headers(ip, segment, can.checksum);
  ByteQueue& bytes = buffers.send[socket.send_buffer].bytes;
  TxPacket packet;
  AskForChecksum(can, ip, packet);
  const std::uint32_t count = plan.count();
  std::uint32_t sent = 0;
  for (; sent < count && !busy; sent += busy ? 0 : 1) {
    const std::uint32_t at = sent * plan.piece;
    const std::uint32_t size = std::min(std::uint32_t{plan.piece}, plan.length - at);
    Loan own;
    const std::uint32_t slot = can.holds ? loans.Create() : kNoSlot;
    Loan& loan = slot != kNoSlot ? loans[slot] : own;
    const std::size_t pieces = bytes.Gather(plan.offset + at, size, slices, loan.chunks.data());
    if (pieces == 0) {
      if (slot != kNoSlot) loans.Destroy(slot);
      break;
    }
    const bool last = sent + 1 == count;
    packet.payload = std::span(slices).first(pieces);
    packet.header = headers.Write(loan.header,
                                  {.number = sent,
                                   .seq = segment.seq + at,
                                   .flags = last ? segment.flags : tcp::WithoutEnd(segment.flags)},
                                  packet.payload, size);
    busy = !Offer(sink, socket, packet, loan, slot);
  }
  if (sent == 0) return 0;
  if (sent != count) segment.flags = tcp::WithoutEnd(segment.flags);
  tcp::KeepFirst(sent, plan);
  if (!ip.dont_fragment) datagrams_fragmented += sent - 1;
  RecordSent(cx, socket, plan, segment);
  tcp::CommitSegment(cx, socket, plan, segment);
  return sent;
}

// What goes next, in `packets` at most; returns how many segments that are on the wire. 0: nothing
// to send, or the link is busy.
std::size_t Stack::Impl::TransmitNext(Context& cx, PacketSink& sink, Socket& socket,
                                      SinkCapabilities can, std::size_t packets, bool& busy) {
  tcp::Plan plan = NextPlan(cx, socket, can, packets);
  if (plan.kind == tcp::Plan::Kind::kNothing) return 0;
  if (plan.piece != 0 && can.max_size == 0) {
    const std::uint32_t sent = SendCut(cx, sink, socket, can, plan, busy);
    if (sent != 0 || busy) return sent;
    plan = tcp::PlanSegment(cx, socket);
  }
  const std::uint32_t sent = SendWhole(cx, sink, socket, can, plan);
  busy = sent == 0;
  return sent;
}

SinkResult Stack::Impl::LoopBack(const TxPacket& packet) {
  std::byte copy[65536];
  std::size_t size = packet.header.size();
  if (packet.size() > sizeof(copy)) return SinkResult::kSent;  // longer than any IP packet
  std::memcpy(copy, packet.header.data(), size);
  for (const Slice& slice : packet.payload) {
    std::memcpy(copy + size, slice.data, slice.size);
    size += slice.size;
  }
  return looped.Push(packet.link, {copy, size}) ? SinkResult::kSent : SinkResult::kBusy;
}

std::size_t Stack::Impl::TransmitLink(Time now, PacketSink& sink, LinkId id, std::size_t budget) {
  stack::Link& link = network.link(id);
  const SinkCapabilities can = Usable(sink.Capabilities(id));
  Context cx = MakeContext(now);
  std::size_t sent = 0;
  bool busy = false;
  while (!busy && sent < budget && !link.output.empty()) {
    Socket& socket = *link.output.front();
    IntrusiveList<Socket, stack::OutputTag>::Remove(socket);
    SyncPath(cx, socket);
    const SinkCapabilities here = socket.to_self ? SinkCapabilities{} : can;
    std::size_t packets = 0;
    std::size_t segments = 0;
    bool more = true;
    while (more && segments < kBurst && sent + packets < budget) {
      const std::size_t room = std::min(kBurst - segments, budget - sent - packets);
      const std::size_t n = TransmitNext(cx, sink, socket, here, room, busy);
      segments += n;
      packets += here.max_size == 0 ? n : std::min<std::size_t>(n, 1);
      more = n != 0 && !busy && tcp::MayOwe(cx, socket);
    }
    // Not finished: it goes behind the others, or waits in its place for the link.
    if (more || busy) link.output.PushBack(socket);
    if (packets != 0) SettleAfterSending(cx, socket);
  }
  return sent;
}

void Stack::Impl::SettleAfterSending(Context& cx, Socket& socket) {
  tcp::UpdatePersist(cx, socket);
  tcp::SchedulePacing(cx, socket);
  RefileTimer(socket);
#ifdef ESTAB_INVARIANTS
  CheckSocket(cx, socket);
#endif
}

std::size_t Stack::Impl::DeliverLooped(Time now, std::size_t budget) {
  std::size_t delivered = 0;
  for (std::uint32_t left = looped.size(); left != 0 && delivered < budget; --left, ++delivered) {
    // Copied out first: delivering may queue more.
    std::byte copy[65536];
    const LinkId link = looped.front_link();
    const std::size_t size = looped.front().size();
    std::memcpy(copy, looped.front().data(), size);
    looped.Pop();
    const auto ip = wire::DecodeIp({copy, size});
    ESTAB_CHECK(ip.has_value());
    ReceiveIp(now, *ip, {.link = link, .checksum_ok = true, .from_us = true});
  }
  SettleArrived(now);
  return delivered;
}

std::size_t Stack::Impl::Transmit(Time now, PacketSink& sink, std::size_t budget) {
  started = true;
  std::size_t sent = 0;
  unsigned busy = 0;
  for (bool again = true; again && sent < budget;) {
    std::size_t round = replies.empty() ? 0 : TransmitReplies(sink, budget - sent, busy);
    counters.packets_out += round;
    for (std::size_t i = 0; i < network.link_count() && sent + round < budget; ++i) {
      const auto link = static_cast<LinkId>(i);
      if ((busy & (1u << i)) != 0 || network.link(link).output.empty()) continue;
      round += TransmitLink(now, sink, link, budget - sent - round);
    }
    sent += round;
    again = !looped.empty() && DeliverLooped(now, budget) != 0;
  }
  return sent;
}

void Stack::Impl::TransmitComplete(std::uint64_t token) {
  const auto slot = static_cast<std::uint32_t>(token - 1);
  if (token == 0 || !loans.IsLive(slot)) return;
  Loan& loan = loans[slot];
  for (std::uint32_t i = 0; i < loan.count; ++i) buffers.chunks.Unref(loan.chunks[i]);
  loans.Destroy(slot);
}

}  // namespace estab
