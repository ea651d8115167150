// Links with offloads: super-segments out, merged packets in, checksums left to the link.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "matrix/raw_peer.h"
#include "wire/super_segment.h"

namespace estab::test {
namespace {

/// A link that can do what `can` says. What leaves is kept, cut into the segments that it stands
/// for.
class OffloadSink final : public PacketSink {
 public:
  struct Packet {
    std::vector<std::byte> bytes;
    std::uint16_t gso_size;
    std::uint16_t checksum_start;
    std::size_t segments;
  };
  SinkCapabilities Capabilities(LinkId) const override { return can; }
  SinkResult Send(const TxPacket& packet) override {
    if (busy) return SinkResult::kBusy;
    std::vector<std::byte> bytes(packet.header.begin(), packet.header.end());
    for (const Slice& s : packet.payload) bytes.insert(bytes.end(), s.data, s.data + s.size);
    EXPECT_LE(bytes.size(), std::max<std::size_t>(can.max_size, 1500));
    std::size_t count = 0;
    if (packet.checksum_start == 0) {
      EXPECT_EQ(packet.gso_size, 0);
      Keep(bytes);
    } else {
      ExpectPseudoHeaderSum(bytes, packet);
      wire::SuperSegmentCutter cutter(bytes, packet.gso_size);
      count = cutter.count();
      while (!cutter.done()) {
        std::vector<std::byte> one(bytes.size());
        one.resize(cutter.Next(one));
        Keep(one);
      }
    }
    packets.push_back({std::move(bytes), packet.gso_size, packet.checksum_start, count});
    return SinkResult::kSent;
  }

  SinkCapabilities can{.checksum = true, .max_size = 65535};
  bool busy = false;
  std::vector<Packet> packets;
  struct Segment {
    wire::Segment header;
    std::string payload;
  };
  std::vector<Segment> segments;

 private:
  static void ExpectPseudoHeaderSum(std::vector<std::byte>& bytes, const TxPacket& packet) {
    const std::size_t start = packet.checksum_start;
    const auto ip = wire::DecodeIp(bytes);
    ASSERT_TRUE(ip.has_value());
    EXPECT_EQ(start, ip->header.size());
    EXPECT_EQ(packet.checksum_offset, 16);
    const auto length = static_cast<std::uint32_t>(bytes.size() - start);
    EXPECT_EQ(Load16(&bytes[start + packet.checksum_offset]),
              wire::TcpPartialChecksum(ip->source, ip->destination, length));
  }
  void Keep(std::vector<std::byte>& bytes) {
    const auto ip = wire::DecodeIp(bytes);
    ASSERT_TRUE(ip.has_value());
    EXPECT_TRUE(wire::TcpChecksumValid(*ip));
    const auto tcp = wire::DecodeTcp(ip->payload);
    ASSERT_TRUE(tcp.has_value());
    segments.push_back({*tcp, std::string(reinterpret_cast<const char*>(tcp->payload.data()),
                                          tcp->payload.size())});
  }
};

class Offload : public testing::TestWithParam<bool> {
 protected:
  Offload() : peer(GetParam()) {
    peer.Set("net.ipv4.tcp_congestion_control", "reno");
    peer.Set("net.ipv4.tcp_wmem", "4096 1048576 4194304");
    id = peer.Established();
    mss = peer.stack->GetInfo(peer.now, id)->send_mss;
  }
  void Transmit() { peer.stack->Transmit(peer.now, sink); }
  void Arrive(unsigned flags, std::uint32_t seq, std::uint32_t ack, const Extra& x = {},
              std::uint16_t gso_size = 0, bool checksum_ok = false) {
    auto packet = Pack(peer.theirs(), peer.ours(), peer.Make(flags, seq, ack, x), x.data);
    if (checksum_ok) packet[packet.size() - x.data.size() - 16] ^= std::byte{1};  // within TCP
    const RxPacket rx{.data = packet, .checksum_ok = checksum_ok, .gso_size = gso_size};
    peer.stack->Receive(peer.now, std::span(&rx, 1));
  }
  void Ack(std::uint32_t bytes, const std::vector<wire::SackBlock>& sack = {}) {
    Extra extra;
    extra.window = 65535;
    extra.sack = sack;
    Arrive(kAck, peer.irs + 1, peer.iss + 1 + bytes, extra);
  }
  static std::string Text(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
    return text;
  }
  void Send(std::string_view text) {
    ASSERT_EQ(peer.stack->Send(peer.now, id, Bytes(text)).value(), text.size());
  }
  ConnectionInfo Info() { return *peer.stack->GetInfo(peer.now, id); }
  std::string Sent() const {
    std::string all;
    for (const auto& segment : sink.segments) all += segment.payload;
    return all;
  }

  RawPeer peer;
  OffloadSink sink;
  SocketId id;
  std::uint32_t mss = 0;
};
INSTANTIATE_TEST_SUITE_P(Families, Offload, testing::Bool());

TEST_P(Offload, OneSuperSegmentForAWindow) {
  const std::string text = Text(10 * mss - 100);
  const auto before = Info().segments_out;
  const auto packets = peer.stack->Counters().packets_out;
  Send(text);
  Transmit();
  ASSERT_EQ(sink.packets.size(), 1u);
  EXPECT_EQ(sink.packets[0].gso_size, mss);
  EXPECT_EQ(sink.packets[0].segments, 10u);
  EXPECT_EQ(Sent(), text);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(sink.segments[i].header.seq, peer.iss + 1 + i * mss);
    EXPECT_EQ(sink.segments[i].header.Has(kPsh), i == 9) << i;
    EXPECT_EQ(sink.segments[i].payload.size(), i == 9 ? mss - 100 : mss);
  }
  // It stands for ten, wherever segments are counted.
  EXPECT_EQ(Info().segments_out - before, 10u);
  EXPECT_EQ(peer.stack->Counters().packets_out - packets, 10u);
  EXPECT_EQ(Info().bytes_sent, text.size());
}

TEST_P(Offload, TheWindowsAreTheLimit) {
  Send(Text(30 * mss));
  Transmit();
  ASSERT_EQ(sink.packets.size(), 1u);
  EXPECT_EQ(sink.packets[0].segments, 10u);  // the initial window
  Ack(10 * mss);
  Transmit();
  ASSERT_EQ(sink.packets.size(), 2u);
  EXPECT_EQ(sink.packets[1].segments, 20u);
  // Now the peer's window is: 60000 bytes in all, of which a part is no whole segment.
  Send(Text(100 * mss));
  Extra narrow;
  narrow.window = static_cast<std::uint16_t>(5 * mss + mss / 4);
  Arrive(kAck, peer.irs + 1, peer.iss + 1 + 30 * mss, narrow);
  Transmit();
  ASSERT_EQ(sink.packets.size(), 3u);
  EXPECT_EQ(sink.packets[2].segments, 5u);
}

TEST_P(Offload, NoLargerThanTheLinkTakes) {
  sink.can.max_size = 4 * 1500;
  Send(Text(10 * mss));
  Transmit();
  ASSERT_GE(sink.packets.size(), 3u);
  for (const auto& packet : sink.packets) EXPECT_LE(packet.bytes.size(), 4u * 1500);
  EXPECT_EQ(Sent(), Text(10 * mss));
}

TEST_P(Offload, ChecksumAlone) {
  sink.can.max_size = 0;
  Send(Text(3 * mss));
  Transmit();
  ASSERT_EQ(sink.packets.size(), 3u);
  for (const auto& packet : sink.packets) {
    EXPECT_EQ(packet.gso_size, 0);
    EXPECT_EQ(packet.checksum_start, GetParam() ? 40 : 20);
  }
}

TEST_P(Offload, WithoutChecksumNoSuperSegments) {
  sink.can.checksum = false;
  Send(Text(3 * mss));
  Transmit();
  ASSERT_EQ(sink.packets.size(), 3u);
  for (const auto& packet : sink.packets) EXPECT_EQ(packet.checksum_start, 0);
}

TEST_P(Offload, TheFinGoesWithTheLast) {
  Send(Text(5 * mss + 10));
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  Transmit();
  ASSERT_EQ(sink.packets.size(), 1u);
  ASSERT_EQ(sink.segments.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(sink.segments[i].header.Has(kFin), i == 5);
  EXPECT_EQ(Info().state, State::kFinWait1);
  Ack(5 * mss + 11);
  EXPECT_EQ(Info().state, State::kFinWait2);
}

TEST_P(Offload, WhatIsHeldBackIsNotSent) {
  SocketOptions cork;
  cork.cork = true;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, cork));
  Send(Text(5 * mss + 10));
  Transmit();
  ASSERT_EQ(sink.segments.size(), 5u);
  EXPECT_EQ(sink.segments.back().payload.size(), mss);
  EXPECT_FALSE(sink.segments.back().header.Has(kPsh));
}

TEST_P(Offload, ABusyLinkTakesItLater) {
  sink.busy = true;
  Send(Text(10 * mss));
  Transmit();
  EXPECT_EQ(Info().bytes_sent, 0u);
  sink.busy = false;
  Transmit();
  EXPECT_EQ(Sent(), Text(10 * mss));
}

TEST_P(Offload, AHoleInTheMiddleIsRepeatedAlone) {
  const std::string text = Text(10 * mss);
  Send(text);
  Transmit();
  ASSERT_EQ(sink.packets.size(), 1u);
  peer.now += milliseconds(100);
  sink.segments.clear();
  sink.packets.clear();
  // Segments 3 and 7 of the ten are missing.
  const auto at = [&](std::uint32_t n) { return peer.iss + 1 + n * mss; };
  Ack(3 * mss, {{at(8), at(10)}, {at(4), at(7)}});
  Transmit();
  peer.now += milliseconds(100);
  peer.stack->Advance(peer.now);
  Transmit();
  std::vector<std::uint32_t> again;
  for (const auto& s : sink.segments) {
    again.push_back((s.header.seq - peer.iss - 1) / mss);
    EXPECT_EQ(s.payload, text.substr(s.header.seq - peer.iss - 1, mss));
  }
  EXPECT_EQ(again, (std::vector<std::uint32_t>{3, 7}));
  EXPECT_EQ(Info().segments_retransmitted, 2u);
  for (const auto& packet : sink.packets) EXPECT_EQ(packet.gso_size, 0);
}

TEST_P(Offload, PiecesThatLieInManyChunks) {
  // Written so that no more than a part of it can go in one packet.
  std::string all;
  const std::string part = Text(3000);
  for (int i = 0; i < 40; ++i) {
    Send(part);
    all += part;
  }
  for (int i = 0; i < 20 && Sent().size() < all.size(); ++i) {
    Transmit();
    Ack(static_cast<std::uint32_t>(Sent().size()));
  }
  EXPECT_EQ(Sent(), all);
}

TEST_P(Offload, UrgentDataGoesInSegments) {
  Send(Text(3 * mss));
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("!"), {.urgent = true}));
  Transmit();
  for (const auto& packet : sink.packets) EXPECT_EQ(packet.gso_size, 0);
}

// --- Merged packets in -------------------------------------------------------------------------

TEST_P(Offload, AMergedPacketCountsForItsSegments) {
  const auto segments = Info().segments_in;
  const auto packets = peer.stack->Counters().packets_in;
  const std::string text = Text(20 * mss + 1);
  Arrive(kAck, peer.irs + 1, peer.iss + 1, {.data = text}, static_cast<std::uint16_t>(mss));
  EXPECT_EQ(Info().segments_in - segments, 21u);
  EXPECT_EQ(peer.stack->Counters().packets_in - packets, 21u);
  EXPECT_EQ(peer.ReadAll(id), text);
  // More than two segments' worth: one ACK, at once.
  Transmit();
  ASSERT_EQ(sink.segments.size(), 1u);
  EXPECT_EQ(sink.segments[0].header.ack, peer.irs + 1 + text.size());
}

TEST_P(Offload, TheTypicalSegmentIsThatOnTheWire) {
  // Sixteen quick ACKs are spent first; then two segments make an ACK, although a merged packet
  // that was larger has come.
  std::uint32_t seq = peer.irs + 1;
  const std::string merged = Text(8 * mss);
  for (int i = 0; i < 20; ++i) {
    Arrive(kAck, seq, peer.iss + 1, {.data = merged}, static_cast<std::uint16_t>(mss));
    seq += static_cast<std::uint32_t>(merged.size());
    EXPECT_EQ(peer.ReadAll(id), merged);
    Transmit();
  }
  sink.segments.clear();
  for (int i = 0; i < 2; ++i) {
    Arrive(kAck, seq, peer.iss + 1, {.data = std::string_view(merged).substr(0, mss)});
    seq += mss;
  }
  Transmit();
  EXPECT_EQ(sink.segments.size(), 1u);
}

TEST_P(Offload, AChecksumThatTheLinkVouchesForIsNotRead) {
  Arrive(kAck | kPsh, peer.irs + 1, peer.iss + 1, {.data = "good"}, 0, true);
  EXPECT_EQ(peer.stack->Counters().bad_packets, 0u);
  EXPECT_EQ(peer.ReadAll(id), "good");
}

TEST_P(Offload, AGsoSizeThatSaysNothing) {
  const auto before = Info().segments_in;
  Arrive(kAck, peer.irs + 1, peer.iss + 1, {.data = "short"}, 65535);
  Arrive(kAck, peer.irs + 6, peer.iss + 1, {}, 1);
  EXPECT_EQ(Info().segments_in - before, 2u);
  EXPECT_EQ(peer.ReadAll(id), "short");
}

}  // namespace
}  // namespace estab::test
