// A connection brought into one state of the matrix by real segments and calls, and what one more
// segment does to it.
#pragma once

#include <string>

#include "matrix/raw_peer.h"
#include "matrix/table.h"

namespace estab::test {

/// A connection in one of the states, with its numbers.
class Scene {
 public:
  Scene(char which, bool ipv6, const char* profile) : which_(which), peer_(ipv6) {
    peer_.Set("estab.profile", profile);
    peer_.Pass(milliseconds(1));
    Enter();
    peer_.Pass(milliseconds(50));  // a delayed ACK may be under way
    peer_.Take();
    peer_.TakeRules();
    window_ = peer_.edge;
  }

  State state() const {
    switch (which_) {
      case '0':
        return State::kClosed;
      case 'l':
        return State::kListen;
      case 'S':
        return State::kSynSent;
      case 'r':
      case 'R':
      case 'f':
        return State::kSynRcvd;
      case 'E':
        return State::kEstablished;
      case '1':
        return State::kFinWait1;
      case '2':
        return State::kFinWait2;
      case 'W':
        return State::kCloseWait;
      case 'C':
        return State::kClosing;
      case 'L':
        return State::kLastAck;
      default:
        return State::kTimeWait;
    }
  }

  Stack& stack() { return *peer_.stack; }

  /// Delivers the row's segment and checks everything that the row says.
  void Check(const Row& row) {
    const wire::Segment segment = Make(row);
    const std::uint64_t bad = peer_.stack->Counters().bad_packets;
    Deliver(row, segment);
    std::string rules;
    const auto fired = peer_.TakeRules();
    for (const Fired& f : fired) rules += (rules.empty() ? "" : " ") + f.name();
    EXPECT_EQ(rules, row.rules);
    const State next = row.next == kSame ? state() : row.next;
    if (!fired.empty()) {
      EXPECT_STREQ(StateName(fired.back().to), StateName(next));
    }
    EXPECT_STREQ(StateName(Now()), StateName(next));
    EXPECT_EQ(peer_.stack->Counters().bad_packets - bad, row.twist == kBadChecksum ? 1u : 0u);
    CheckReply(row, segment);
    peer_.stack->CheckInvariants();
  }

 private:
  void Enter() {
    switch (which_) {
      case '0':
        una_ = 5000;
        snd_nxt_ = 5000;
        rcv_nxt_ = peer_.irs;
        return;
      case 'l':
        socket_ = peer_.Listen();
        una_ = snd_nxt_ = 5000;
        rcv_nxt_ = peer_.irs;
        return;
      case 'S':
        socket_ = peer_.Connect();
        return Numbers(0, 1, 0);
      case 'r':
        socket_ = peer_.Listen();
        peer_.HalfOpen();
        return Numbers(0, 1, 1);
      case 'f':
        return EnterFastOpen();
      case 'R':
        socket_ = peer_.Connect();
        peer_.Segment(kSyn, peer_.irs, 0);
        return Numbers(0, 1, 1);
      default:
        return EnterSynchronized();
    }
  }

  // A connection made on its SYN, without data.
  void EnterFastOpen() {
    peer_.Set("net.ipv4.tcp_fastopen", "0x602");
    const SocketId listener = peer_.Listen();
    wire::Segment syn = peer_.Make(kSyn, peer_.irs, 0, {});
    syn.options.has_fast_open = true;
    peer_.Inject(Pack(peer_.theirs(), peer_.ours(), syn, {}));
    const auto sent = peer_.Take();
    ASSERT_EQ(sent.size(), 1u);
    peer_.iss = sent[0].segment.seq;
    socket_ = *peer_.stack->Accept(peer_.now, listener);
    Numbers(0, 1, 1);
  }

  void EnterSynchronized() {
    socket_ = peer_.Established();
    const std::uint32_t seq = peer_.irs + 1;
    const std::uint32_t ack = peer_.iss + 1;
    if (which_ == 'E') return Write(), Numbers(1, 101, 1);
    if (which_ == 'W' || which_ == 'L') {
      peer_.Segment(kFin | kAck, seq, ack);
      if (which_ == 'W') return Write(), Numbers(1, 101, 2);
      ASSERT_TRUE(peer_.stack->Shutdown(peer_.now, socket_, How::kWrite));
      return Numbers(1, 2, 2);
    }
    ASSERT_TRUE(peer_.stack->Shutdown(peer_.now, socket_, How::kWrite));
    peer_.Flush();
    if (which_ == '1') return Numbers(1, 2, 1);
    if (which_ == 'C') {
      peer_.Segment(kFin | kAck, seq, ack);
      return Numbers(1, 2, 2);
    }
    peer_.Segment(kAck, seq, ack + 1);
    if (which_ == '2') return Numbers(2, 2, 1);
    peer_.Segment(kFin | kAck, seq, ack + 1);
    Numbers(2, 2, 2);
  }

  void Write() {
    ASSERT_EQ(*peer_.stack->Send(peer_.now, socket_, Bytes(std::string(100, 'w'))), 100u);
    peer_.Flush();
  }
  void Numbers(std::uint32_t una, std::uint32_t nxt, std::uint32_t rcv) {
    una_ = peer_.iss + una;
    snd_nxt_ = peer_.iss + nxt;
    rcv_nxt_ = peer_.irs + rcv;
  }

  std::uint32_t SeqOf(Number n) const {
    const std::uint32_t base = n.base == 'I' ? peer_.irs : n.base == 'W' ? window_ : rcv_nxt_;
    return base + static_cast<std::uint32_t>(n.offset);
  }
  std::uint32_t AckOf(Number n) const {
    if (n.base == '.') return 0;
    const std::uint32_t base = n.base == 'U' ? una_ : n.base == 'X' ? snd_nxt_ : una_ - 60000;
    return base + static_cast<std::uint32_t>(n.offset);
  }

  wire::Segment Make(const Row& row) const {
    Extra extra;
    if (row.twist == kOldTimestamp) extra.ts_age = 1000;
    if (row.twist == kNoTimestamp) extra.timestamp = false;
    wire::Segment s = peer_.Make(row.flags, SeqOf(row.seq), AckOf(row.ack), extra);
    if ((row.flags & kUrg) != 0) s.urgent = static_cast<std::uint16_t>(row.data);
    if (row.twist == kZeroOption || row.twist == kCutOption) {
      s.options = wire::TcpOptions{};
      s.options.has_mss = true;  // four bytes, spoilt below
    }
    return s;
  }

  void Deliver(const Row& row, const wire::Segment& segment) {
    auto packet = Pack(peer_.theirs(), peer_.ours(), segment, std::string(row.data, 'd'));
    const std::size_t tcp = wire::IpHeaderSize(peer_.ours());
    const auto poke = [&](std::size_t at, std::uint8_t value) {
      // The checksum is corrected for the change of one byte (RFC 1624).
      const auto old = std::to_integer<std::uint32_t>(packet[tcp + at]);
      std::uint32_t sum = ~((std::to_integer<std::uint32_t>(packet[tcp + 16]) << 8) |
                            std::to_integer<std::uint32_t>(packet[tcp + 17])) &
                          0xffffu;
      const unsigned shift = at % 2 == 0 ? 8 : 0;
      sum += (~(old << shift) & 0xffffu) + (std::uint32_t{value} << shift);
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      sum = ~sum & 0xffffu;
      packet[tcp + at] = static_cast<std::byte>(value);
      packet[tcp + 16] = static_cast<std::byte>(sum >> 8);
      packet[tcp + 17] = static_cast<std::byte>(sum);
    };
    if (row.twist == kZeroOption) poke(21, 0);
    if (row.twist == kCutOption) poke(21, 9);
    if (row.twist == kBadChecksum) packet[tcp + 16] ^= std::byte{1};
    peer_.Inject(packet);
  }

  // The state as it shows from outside.
  State Now() {
    const StackCounters counters = peer_.stack->Counters();
    if (counters.time_wait != 0) return State::kTimeWait;
    if (which_ == '0') return counters.sockets == 0 ? State::kClosed : State::kEstablished;
    if (which_ != 'l' && which_ != 'r') return peer_.StateOf(socket_);
    if (counters.half_open != 0) return State::kSynRcvd;
    const auto accepted = peer_.stack->Accept(peer_.now, socket_);
    return accepted ? peer_.StateOf(*accepted) : State::kListen;
  }

  void CheckReply(const Row& row, const wire::Segment& segment) {
    auto sent = peer_.Take();
    if (row.reply == kAckSoon && sent.empty()) {
      peer_.Pass(milliseconds(50));
      sent = peer_.Take();
    }
    ASSERT_EQ(sent.size(), row.reply == kSilence ? 0u : 1u);
    if (sent.empty()) return;
    const wire::Segment& reply = sent[0].segment;
    EXPECT_EQ(sent[0].payload, "");
    const std::uint32_t rcv_nxt = rcv_nxt_ + row.taken;
    switch (row.reply) {
      case kAckNow:
      case kAckSoon:
        EXPECT_EQ(reply.flags, A);
        EXPECT_EQ(reply.seq, snd_nxt_);
        EXPECT_EQ(reply.ack, rcv_nxt);
        EXPECT_EQ(reply.options.has_timestamp, peer_.timestamps);
        break;
      case kSynAck:
        EXPECT_EQ(reply.flags, S | A);
        if (which_ != 'l') {
          EXPECT_EQ(reply.seq, peer_.iss);
        }
        EXPECT_EQ(reply.ack, peer_.irs + 1);
        break;
      case kReset:
        EXPECT_EQ(reply.flags, R);
        EXPECT_EQ(reply.seq, segment.ack);
        EXPECT_EQ(reply.window, 0);
        break;
      case kResetAck:
        EXPECT_EQ(reply.flags, R | A);
        EXPECT_EQ(reply.seq, 0u);
        EXPECT_EQ(reply.ack, segment.seq + segment.length() + row.data);
        EXPECT_EQ(reply.window, 0);
        break;
      case kSilence:
        break;
    }
  }

  char which_;
  RawPeer peer_;
  SocketId socket_;
  std::uint32_t una_ = 0;
  std::uint32_t snd_nxt_ = 0;
  std::uint32_t rcv_nxt_ = 0;
  std::uint32_t window_ = 0;
};

}  // namespace estab::test
