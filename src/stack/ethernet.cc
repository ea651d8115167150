#include "stack/ethernet.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "wire/icmp.h"

namespace estab::stack {
namespace {

using wire::EthernetHeader;
using wire::MacAddress;

constexpr std::uint32_t kAnyMtu = 1500;  // nobody asks this network for it

bool IsIpv6GroupMac(const MacAddress& mac) { return mac.bytes[0] == 0x33 && mac.bytes[1] == 0x33; }

bool LooksLikeNeighbourDiscovery(std::span<const std::byte> packet) {
  constexpr std::byte kIcmpV6{58};
  if (packet.size() <= wire::kIpv6HeaderSize || packet[6] != kIcmpV6) return false;
  const unsigned type = std::to_integer<unsigned>(packet[wire::kIpv6HeaderSize]);
  return type >= 133 && type <= 137;
}

}  // namespace

Ethernet::Ethernet(const MacAddress& mac, const SipKey& key) : mac_(mac), neighbours_(key) {
  (void)network_.AddLink(kAnyMtu);
  std::iota(order_.begin(), order_.end(), std::uint8_t{0});
}

// --- Arrivals ------------------------------------------------------------------------------------

std::optional<RxPacket> Ethernet::Receive(Time now, const RxPacket& frame) {
  const auto header = wire::DecodeEthernet(frame.data);
  const bool to_us = header && header->destination == mac_;
  if (!header || header->source == mac_ || header->source.is_group()) {
    ++counters_.foreign;
    return std::nullopt;
  }
  const auto payload = frame.data.subspan(wire::kEthernetHeaderSize);
  if (header->type == wire::kEtherTypeArp &&
      (to_us || header->destination == wire::kBroadcastMac)) {
    ReceiveArp(now, *header, payload);
    return std::nullopt;
  }
  const bool v6 = header->type == wire::kEtherTypeIpv6;
  if (v6 && (to_us || IsIpv6GroupMac(header->destination)) &&
      LooksLikeNeighbourDiscovery(payload)) {
    ReceiveNeighbour(now, *header, payload);
    return std::nullopt;
  }
  // A frame for all holds nothing for one host (RFC 1122 §3.3.6).
  if (!to_us || (!v6 && header->type != wire::kEtherTypeIpv4)) {
    ++counters_.foreign;
    return std::nullopt;
  }
  RxPacket packet = frame;
  packet.data = payload;
  return packet;
}

// Whether a neighbour can have that address.
bool Ethernet::Neighbourly(const IpAddress& address) const {
  return !address.is_any() && !address.is_multicast() && !network_.IsBroadcast(address) &&
         network_.OnLink(address);
}

void Ethernet::Hear(Time now, const IpAddress& address, const MacAddress& mac, Hearsay what,
                    bool overrides) {
  if (!Neighbourly(address) || mac.is_group() || mac.is_zero() || mac == mac_) {
    ++counters_.malformed;
    return;
  }
  if (neighbours_.Hear(now, address, mac, what, overrides) == Neighbours::kNone) return;
  for (std::size_t place = 0; place < used_; ++place) {
    Frame& frame = frames_[order_[place]];
    if (!frame.waits || frame.next_hop != address) continue;
    Queue(frame, mac, address.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  }
}

void Ethernet::ReceiveArp(Time now, const EthernetHeader& header,
                          std::span<const std::byte> bytes) {
  const auto arp = wire::DecodeArp(bytes);
  if (!arp || arp->sender_mac.is_group()) {
    ++counters_.malformed;
    return;
  }
  if (network_.IsLocal(arp->sender)) {
    ++counters_.conflicts;
    return;
  }
  // A probe, RFC 5227 §2.1: somebody wants to know whether the address is free.
  const bool probe = arp->sender.is_any();
  const bool for_us = network_.IsLocal(arp->target);
  if (arp->answer || !for_us) {
    const bool answers = arp->answer && for_us && header.destination == mac_;
    if (!probe)
      Hear(now, arp->sender, arp->sender_mac, answers ? Hearsay::kAnswer : Hearsay::kMention);
    return;
  }
  if (!probe && !Neighbourly(arp->sender)) {
    ++counters_.malformed;
    return;
  }
  if (!probe) Hear(now, arp->sender, arp->sender_mac, Hearsay::kQuestion);
  Frame* frame = NewFrame();
  if (frame == nullptr) return;
  wire::EncodeArp(frame->bytes, {true, mac_, arp->target, arp->sender_mac, arp->sender});
  frame->size = wire::kArpSize;
  Queue(*frame, header.source, wire::kEtherTypeArp);
}

void Ethernet::ReceiveNeighbour(Time now, const EthernetHeader& header,
                                std::span<const std::byte> packet) {
  const auto ip = wire::DecodeIp(packet);
  const auto message = ip ? wire::DecodeNeighbour(*ip) : std::nullopt;
  if (!message) {
    ++counters_.malformed;
    return;
  }
  const bool ours = network_.IsLocal(message->target);
  if (network_.IsLocal(message->source) || (message->answer && ours)) {
    ++counters_.conflicts;
  } else if (!message->answer) {
    if (ours) AnswerQuestion(now, header, *message);
  } else if (message->mac) {
    Hear(now, message->target, *message->mac,
         message->solicited ? Hearsay::kAnswer : Hearsay::kMention, message->overrides);
  }
}

void Ethernet::AnswerQuestion(Time now, const EthernetHeader& header,
                              const wire::NeighbourMessage& question) {
  const bool probe = question.source.is_any();  // another one's duplicate address detection
  if (!probe && question.mac && Neighbourly(question.source)) {
    Hear(now, question.source, *question.mac, Hearsay::kQuestion);
  }
  Frame* frame = NewFrame();
  if (frame == nullptr) return;
  wire::NeighbourMessage answer;
  answer.answer = true;
  answer.source = question.target;
  answer.destination = probe ? wire::kAllNodes : question.source;
  answer.target = question.target;
  answer.mac = mac_;
  answer.solicited = !probe;
  answer.overrides = true;
  frame->size = static_cast<std::uint16_t>(wire::EncodeNeighbour(frame->bytes, answer));
  Queue(*frame, probe ? wire::GroupMac(wire::kAllNodes) : header.source, wire::kEtherTypeIpv6);
}

// --- What waits ----------------------------------------------------------------------------------

// The next frame in order; nullptr if all are in use.
Ethernet::Frame* Ethernet::NewFrame() {
  if (used_ == kFrames) {
    ++counters_.dropped;
    return nullptr;
  }
  Frame& frame = frames_[order_[used_++]];
  frame.size = frame.checksum_start = frame.checksum_offset = 0;
  frame.waits = true;
  frame.next_hop = IpAddress{};
  return &frame;
}

// It needs nothing any more but the link.
void Ethernet::Queue(Frame& frame, const MacAddress& to, std::uint16_t type) {
  wire::EncodeEthernet(frame.header, {to, mac_, type});
  frame.waits = false;
  ++ready_;
}

void Ethernet::Remove(std::size_t place) {
  if (!frames_[order_[place]].waits) --ready_;
  const auto at = order_.begin() + static_cast<std::ptrdiff_t>(place);
  std::rotate(at, at + 1, order_.begin() + static_cast<std::ptrdiff_t>(used_));
  --used_;
}

void Ethernet::Wait(const IpAddress& next_hop, const TxPacket& packet) {
  // What waits longest for a neighbour makes way for its next packet, as on Linux; and where there
  // is no room at all, what waits longest for any.
  std::size_t oldest = kFrames;
  std::size_t oldest_of_all = kFrames;
  std::size_t waiting = 0;
  for (std::size_t place = used_; place-- > 0;) {
    const Frame& frame = frames_[order_[place]];
    if (!frame.waits) continue;
    oldest_of_all = place;
    if (frame.next_hop != next_hop) continue;
    oldest = place;
    ++waiting;
  }
  const std::size_t goes = waiting >= kMostForOne ? oldest : oldest_of_all;
  if (goes != kFrames && (waiting >= kMostForOne || used_ == kFrames)) {
    Remove(goes);
    ++counters_.dropped;
  }
  if (packet.size() > kFrameSize) {
    ++counters_.dropped;
    return;
  }
  Frame* frame = NewFrame();
  if (frame == nullptr) return;
  std::byte* out = frame->bytes.data();
  std::memcpy(out, packet.header.data(), packet.header.size());
  out += packet.header.size();
  for (const Slice& slice : packet.payload) {
    std::memcpy(out, slice.data, slice.size);
    out += slice.size;
  }
  frame->size = static_cast<std::uint16_t>(packet.size());
  frame->checksum_start = packet.checksum_start;
  frame->checksum_offset = packet.checksum_offset;
  frame->next_hop = next_hop;
}

void Ethernet::Transmit(FrameSink& sink) {
  for (std::size_t place = 0; place < used_ && ready_ != 0;) {
    const Frame& frame = frames_[order_[place]];
    if (frame.waits) {
      ++place;
      continue;
    }
    TxPacket packet;
    packet.header = std::span(frame.bytes).first(frame.size);
    packet.checksum_start = frame.checksum_start;
    packet.checksum_offset = frame.checksum_offset;
    if (sink.SendFrame(frame.header, packet) == SinkResult::kBusy) return;
    Remove(place);
  }
}

// --- Departures ----------------------------------------------------------------------------------

// To one station, which is known, or to all that may be it.
void Ethernet::Ask(const IpAddress& target, const MacAddress* station) {
  const IpAddress* source = network_.SourceOn(0, target);
  if (source == nullptr) return;
  Frame* frame = NewFrame();
  if (frame == nullptr) return;
  if (target.is_v4()) {
    wire::EncodeArp(frame->bytes, {false, mac_, *source, {}, target});
    frame->size = wire::kArpSize;
    return Queue(*frame, station != nullptr ? *station : wire::kBroadcastMac, wire::kEtherTypeArp);
  }
  wire::NeighbourMessage question;
  question.source = *source;
  question.destination = station != nullptr ? target : wire::SolicitedNode(target);
  question.target = target;
  question.mac = mac_;
  frame->size = static_cast<std::uint16_t>(wire::EncodeNeighbour(frame->bytes, question));
  Queue(*frame, station != nullptr ? *station : wire::GroupMac(question.destination),
        wire::kEtherTypeIpv6);
}

SinkResult Ethernet::Send(Time now, const TxPacket& packet, FrameSink& sink) {
  const IpAddress destination = wire::DestinationOf(packet.header);
  const IpAddress next_hop = network_.NextHop(destination);
  Neighbours::Action action = Neighbours::Action::kNothing;
  const std::uint32_t i = neighbours_.Use(now, next_hop, &action);
  if (action == Neighbours::Action::kAskAll) Ask(next_hop, nullptr);
  const Neighbours::Neighbour& neighbour = neighbours_[i];
  if (!Neighbours::Known(neighbour)) {
    Wait(next_hop, packet);
    return SinkResult::kSent;
  }
  std::array<std::byte, wire::kEthernetHeaderSize> header;
  wire::EncodeEthernet(header, {neighbour.mac, mac_,
                                destination.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6});
  return sink.SendFrame(header, packet);
}

// Of the next packet that waits for the neighbour that has failed.
std::optional<RxPacket> Ethernet::TellUnreachable(std::span<std::byte> message) {
  for (std::size_t place = 0; place < used_;) {
    const Frame& frame = frames_[order_[place]];
    if (!frame.waits || frame.next_hop != *failed_) {
      ++place;
      continue;
    }
    const auto ip = wire::DecodeIp(std::span(frame.bytes).first(frame.size));
    std::size_t size = 0;
    if (ip) {
      const bool v4 = failed_->is_v4();
      const auto type = v4 ? static_cast<std::uint8_t>(wire::IcmpType::kUnreachable)
                           : static_cast<std::uint8_t>(wire::IcmpV6Type::kUnreachable);
      const auto code = v4 ? static_cast<std::uint8_t>(wire::IcmpUnreachable::kHost)
                           : static_cast<std::uint8_t>(wire::IcmpV6Unreachable::kAddress);
      size = wire::EncodeIcmpError(*ip, type, code, 0, *failed_, message);
    }
    Remove(place);
    if (size != 0) return RxPacket{.data = message.first(size)};
  }
  failed_.reset();
  return std::nullopt;
}

std::optional<RxPacket> Ethernet::Advance(Time now, std::span<std::byte> message) {
  for (;;) {
    if (failed_) {
      if (auto told = TellUnreachable(message)) return told;
    }
    Neighbours::Action action = Neighbours::Action::kNothing;
    const std::uint32_t i = neighbours_.Next(now, &action);
    if (i == Neighbours::kNone) return std::nullopt;
    const Neighbours::Neighbour& neighbour = neighbours_[i];
    if (action == Neighbours::Action::kGiveUp) {
      ++counters_.unreachable;
      failed_ = neighbour.address;
    } else {
      const bool all = action == Neighbours::Action::kAskAll;
      Ask(neighbour.address, all ? nullptr : &neighbour.mac);
    }
  }
}

}  // namespace estab::stack
