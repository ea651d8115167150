#include "sim/fault.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

PacketView Packet(std::uint16_t flags, std::uint32_t seq = 0, std::uint32_t length = 0,
                  std::uint32_t ack = 0) {
  PacketView view;
  view.segment.flags = flags;
  view.segment.seq = seq;
  view.segment.ack = ack;
  view.segment.length = length;
  return view;
}

// Which of `count` equal packets are dropped, as a string of '-' and 'x'.
std::string Drops(const char* faults, Side from, const PacketView& packet, int count) {
  FaultSet set;
  const auto added = set.Add(faults);
  EXPECT_TRUE(added.has_value()) << added.error();
  std::string out;
  for (int i = 0; i < count; ++i) out += set.Apply(from, packet).drop ? 'x' : '-';
  return out;
}

TEST(Fault, Ordinals) {
  const PacketView syn_ack = Packet(kSyn | kAck);
  EXPECT_EQ(Drops("drop the 2nd SYN|ACK", Side::kB, syn_ack, 4), "-x--");
  EXPECT_EQ(Drops("drop 2nd syn|ack", Side::kB, syn_ack, 4), "-x--");
  EXPECT_EQ(Drops("drop the second ACK|SYN", Side::kB, syn_ack, 4), "-x--");
  EXPECT_EQ(Drops("drop the first 3 SYN|ACK", Side::kB, syn_ack, 5), "xxx--");
  EXPECT_EQ(Drops("drop every SYN|ACK", Side::kB, syn_ack, 3), "xxx");
  EXPECT_EQ(Drops("drop SYN|ACK", Side::kB, syn_ack, 3), "xxx");
  EXPECT_EQ(Drops("drop every SYN|ACK after the 1st", Side::kB, syn_ack, 3), "-xx");
  EXPECT_EQ(Drops("drop 1st SYN|ACK; drop the 3rd SYN|ACK ;", Side::kB, syn_ack, 4), "x-x-");
}

TEST(Fault, FlagsMeanWhatPeopleMean) {
  EXPECT_EQ(Drops("drop SYN", Side::kA, Packet(kSyn), 1), "x");
  EXPECT_EQ(Drops("drop SYN", Side::kA, Packet(kSyn | kAck), 1), "-");
  EXPECT_EQ(Drops("drop SYN", Side::kA, Packet(kSyn | kEce | kCwr), 1), "x");
  EXPECT_EQ(Drops("drop SYN|ACK", Side::kA, Packet(kSyn), 1), "-");
  EXPECT_EQ(Drops("drop ACK", Side::kA, Packet(kAck), 1), "x");
  EXPECT_EQ(Drops("drop ACK", Side::kA, Packet(kAck | kPsh, 0, 5), 1), "-");
  EXPECT_EQ(Drops("drop ACK", Side::kA, Packet(kAck | kFin), 1), "-");
  EXPECT_EQ(Drops("drop FIN", Side::kA, Packet(kAck | kFin, 0, 9), 1), "x");
  EXPECT_EQ(Drops("drop RST", Side::kA, Packet(kRst), 1), "x");
  EXPECT_EQ(Drops("drop data", Side::kA, Packet(kAck, 0, 1), 1), "x");
  EXPECT_EQ(Drops("drop data", Side::kA, Packet(kAck), 1), "-");
  EXPECT_EQ(Drops("drop every segment", Side::kA, Packet(kRst), 1), "x");
}

TEST(Fault, SidesAreCountedTogetherUnlessNamed) {
  FaultSet set;
  ASSERT_TRUE(set.Add("drop the 2nd FIN; drop the 1st RST from B").has_value());
  EXPECT_FALSE(set.Apply(Side::kA, Packet(kFin | kAck)).drop);
  EXPECT_TRUE(set.Apply(Side::kB, Packet(kFin | kAck)).drop);
  EXPECT_FALSE(set.Apply(Side::kA, Packet(kRst)).drop);
  EXPECT_TRUE(set.Apply(Side::kB, Packet(kRst)).drop);
}

TEST(Fault, NumbersAreRelativeToTheLastSyn) {
  FaultSet set;
  ASSERT_TRUE(set.Add("drop data seq 1000 from A; drop ACK ack 6 len 0 from B").has_value());
  set.Apply(Side::kA, Packet(kSyn, 0xfffffff0u));
  EXPECT_FALSE(set.Apply(Side::kA, Packet(kAck, 1000, 10)).drop);
  EXPECT_TRUE(set.Apply(Side::kA, Packet(kAck, 0xfffffff0u + 1000, 10)).drop);
  EXPECT_TRUE(set.Apply(Side::kB, Packet(kAck, 1, 0, 0xfffffff0u + 6)).drop);
  EXPECT_FALSE(set.Apply(Side::kB, Packet(kAck, 1, 0, 6)).drop);
}

TEST(Fault, OtherActionsAndTheirSum) {
  FaultSet set;
  ASSERT_TRUE(
      set.Add("delay the 1st SYN by 500ms; duplicate SYN; corrupt the 2nd SYN").has_value());
  const FaultEffect first = set.Apply(Side::kA, Packet(kSyn));
  EXPECT_EQ(first.delay, 500ms);
  EXPECT_EQ(first.copies, 1);
  EXPECT_FALSE(first.corrupt);
  EXPECT_EQ(first.cause->text, "delay the 1st SYN by 500ms");
  const FaultEffect second = set.Apply(Side::kA, Packet(kSyn));
  EXPECT_EQ(second.delay, 0ms);
  EXPECT_TRUE(second.corrupt);
  EXPECT_TRUE(set.Unused().empty());
}

TEST(Fault, AMarkIsOneToo) {
  FaultSet set;
  ASSERT_TRUE(set.Add("mark the 2nd SYN").has_value());
  EXPECT_FALSE(set.Apply(Side::kA, Packet(kSyn)).mark);
  EXPECT_TRUE(set.Apply(Side::kA, Packet(kSyn)).mark);
}

TEST(Fault, SaysWhichNeverHit) {
  FaultSet set;
  ASSERT_TRUE(set.Add("drop the 3rd SYN; drop SYN").has_value());
  set.Apply(Side::kA, Packet(kSyn));
  set.Apply(Side::kA, Packet(kSyn));
  EXPECT_EQ(set.Unused(), (std::vector<std::string>{"drop the 3rd SYN"}));
}

TEST(Fault, MistakesAreNamed) {
  struct Case {
    const char* text;
    const char* says;
  };
  const Case cases[] = {
      {"", "no fault given"},
      {" ; ", "no fault given"},
      {"lose SYN", "\"lose\" is not an action"},
      {"drop", "it ends where a kind of segment"},
      {"drop the SYN", "\"syn\" is not an ordinal"},
      {"drop the 0th SYN", "\"0th\" is not an ordinal"},
      {"drop the 2th", "it ends where a kind of segment"},
      {"drop the 99999999999th SYN", "is not an ordinal"},
      {"drop SYN|", "\"syn|\" is not a kind of segment"},
      {"drop SIN", "\"sin\" is not a kind of segment"},
      {"drop SYN from C", "\"c\" is not a side"},
      {"drop SYN from", "it ends where a side"},
      {"drop SYN after two", "\"two\" is not an ordinal"},
      {"drop the 1st SYN after 3rd", "\"after\" goes with \"every\""},
      {"drop data seq -1", "\"-1\" is not a number"},
      {"drop data seq 4294967296", "is not a number"},
      {"drop SYN by 1s", "\"by\" is not a condition"},
      {"delay SYN", "a delay needs \"by\""},
      {"delay SYN by 5", "\"5\" is not a time"},
      {"delay SYN by 5 ms", "\"5\" is not a time"},
      {"drop SYN quickly", "\"quickly\" is not a condition"},
      {"drop the first 0 SYN", "at least 1"},
  };
  for (const Case& c : cases) {
    FaultSet set;
    const auto added = set.Add(c.text);
    ASSERT_FALSE(added.has_value()) << c.text;
    EXPECT_NE(added.error().find(c.says), std::string::npos) << c.text << ": " << added.error();
    EXPECT_TRUE(set.empty());
  }
  // One mistake keeps the others out, too.
  FaultSet set;
  EXPECT_FALSE(set.Add("drop SYN; drop SIN").has_value());
  EXPECT_TRUE(set.empty());
}

TEST(Fault, Durations) {
  EXPECT_EQ(ParseDuration("500ms"), Duration(500ms));
  EXPECT_EQ(ParseDuration("1.5s"), Duration(1500ms));
  EXPECT_EQ(ParseDuration("10us"), Duration(10us));
  EXPECT_EQ(ParseDuration("0s"), Duration(0s));
  for (const char* bad :
       {"", "s", "5", "-1s", "1.s", ".5s", "1.5ns", "1m", "99999999999s", "1 s"}) {
    EXPECT_FALSE(ParseDuration(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace estab::sim
