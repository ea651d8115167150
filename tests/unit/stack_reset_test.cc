// What the resets of a connection that is given up look like on the wire.
#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

class OwnReset : public testing::TestWithParam<bool> {
 protected:
  // The one segment that the stack sends next, which must be a reset.
  wire::Segment TheReset() {
    const auto sent = peer.Take();
    EXPECT_EQ(sent.size(), 1u);
    if (sent.empty()) return {};
    EXPECT_EQ(sent[0].segment.flags, kRst | kAck);
    EXPECT_EQ(sent[0].segment.seq, peer.iss + 1);
    return sent[0].segment;
  }
  std::uint32_t Open() const { return peer.edge - peer.irs - 1; }

  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, OwnReset, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

// A peer that insists on the timestamp (RFC 7323 §3.2) would otherwise drop the reset, and a peer
// in PAWS needs one that is not old.
TEST_P(OwnReset, CarriesTheTimestampOfItsMoment) {
  const SocketId id = peer.Established();
  const std::uint32_t last = peer.last_ts;
  const std::uint32_t echoed = peer.Clock();
  peer.Pass(milliseconds(700));
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  const wire::Segment reset = TheReset();
  ASSERT_TRUE(reset.options.has_timestamp);
  EXPECT_EQ(reset.options.ts_value, last + 700);
  EXPECT_EQ(reset.options.ts_echo, echoed);
}

TEST_P(OwnReset, CarriesTheTimestampWhenDataIsLeftUnread) {
  const SocketId id = peer.Established();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "unread"});
  peer.Take();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_TRUE(TheReset().options.has_timestamp);
}

TEST_P(OwnReset, HasNoTimestampWhereNoneWasAgreed) {
  peer.timestamps = false;
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  EXPECT_FALSE(TheReset().options.has_timestamp);
}

// The window is what it was: scaled, and not opened by what the reset throws away.
TEST_P(OwnReset, KeepsTheWindow) {
  const SocketId id = peer.Established();
  const std::uint32_t open = Open();
  ASSERT_NE(open, 0u);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "unread"});
  peer.Take();
  const std::uint32_t left = peer.edge - (peer.irs + 1 + 6);
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_EQ(TheReset().window, left >> peer.our_scale);
}

// As Linux answers: a reset for nobody, or for a bad ACK, has the DSCP of what it answers.
class Answer : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Families, Answer, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Answer, HasTheServiceClassOfWhatItAnswers) {
  RawPeer peer{GetParam()};
  const auto tos_of_answer = [&](unsigned flags, std::uint32_t ack, std::uint8_t tos) -> int {
    const wire::Segment segment = peer.Make(flags, peer.irs, ack, {});
    peer.Inject(Pack(peer.theirs(), peer.ours(), segment, {}, tos));
    const auto sent = peer.Take();
    EXPECT_EQ(sent.size(), 1u);
    if (sent.size() != 1) return -1;
    EXPECT_TRUE(sent[0].segment.Has(kRst));
    return wire::DecodeIp(sent[0].packet)->tos;
  };
  EXPECT_EQ(tos_of_answer(kSyn, 0, 0xb8), 0xb8);
  EXPECT_EQ(tos_of_answer(kAck, 7, 0x2b), 0x28);  // without ECN
  peer.Connect();
  EXPECT_EQ(tos_of_answer(kAck, peer.iss + 5, 0x20), 0x20);
}

}  // namespace
}  // namespace estab::test
