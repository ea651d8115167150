#include "sim/world.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "wire/ip.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

struct Recorded {
  Side from;
  Time sent;
  std::uint16_t flags;
  Fate fate;
  bool injected;
};

class Recorder : public Tap {
 public:
  void OnPacket(const PacketReport& report) override {
    ASSERT_NE(report.view, nullptr);
    seen.push_back(
        {report.from, report.sent, report.view->segment.flags, report.fate, report.injected()});
  }
  std::vector<Recorded> seen;
};

WorldConfig TenMilliseconds(std::uint64_t seed = 1) {
  WorldConfig config;
  config.seed = seed;
  for (PathConfig& path : config.path) path.delay = 10ms;
  return config;
}

// B listens at port 80, A connects to it.
SocketId Open(World& world) {
  Stack& b = world.b().stack();
  const SocketId listener = b.Open(false).value();
  EXPECT_TRUE(b.Bind(listener, {IpAddress::AnyV4(), 80}).has_value());
  EXPECT_TRUE(b.Listen(world.now(), listener, 16).has_value());
  Stack& a = world.a().stack();
  const SocketId socket = a.Open(false).value();
  const auto result = a.Connect(world.now(), socket, {world.b().address(), 80});
  EXPECT_EQ(result.error(), Error::kInProgress);
  return socket;
}

State StateOf(World& world, SocketId socket) {
  return world.a().stack().GetInfo(world.now(), socket)->state;
}

TEST(World, AHandshakeTakesOneRoundTrip) {
  World world(TenMilliseconds());
  Recorder tap;
  world.AddTap(tap);
  const SocketId socket = Open(world);
  world.Run(Time(20ms) - 1ns);
  EXPECT_EQ(StateOf(world, socket), State::kSynSent);
  world.Run(Time(20ms));
  EXPECT_EQ(StateOf(world, socket), State::kEstablished);
  ASSERT_EQ(tap.seen.size(), 3u);
  EXPECT_EQ(tap.seen[0].flags, kSyn);
  EXPECT_EQ(tap.seen[1].sent, Time(10ms));
  EXPECT_EQ(tap.seen[1].flags, kSyn | kAck);
  EXPECT_EQ(tap.seen[2].sent, Time(20ms));
  EXPECT_EQ(world.in_flight(Side::kA), 1u);
  EXPECT_EQ(world.now(), Time(20ms));
}

TEST(World, EveryTimerIsSeenAtItsOwnTimeInOneRun) {
  World world(TenMilliseconds());
  Recorder tap;
  world.AddTap(tap);
  ASSERT_TRUE(world.faults().Add("drop the first 3 SYN").has_value());
  Open(world);
  world.Run(Time(10s));
  ASSERT_GE(tap.seen.size(), 4u);
  const Duration expected[] = {0s, 1s, 3s, 7s};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(tap.seen[i].sent, Time(expected[i])) << i;
    EXPECT_EQ(tap.seen[i].fate.loss, i < 3 ? Loss::kFault : Loss::kNone) << i;
  }
}

TEST(World, ActionsRunInOrderAndAfterTimersOfTheSameMoment) {
  World world(TenMilliseconds());
  Recorder tap;
  world.AddTap(tap);
  std::string order;
  world.At(Time(2s), [&] { order += 'c'; });
  world.At(Time(1s), [&] {
    order += tap.seen.size() == 2 ? 'a' : '?';  // the SYN's repeat has left
    world.At(Time(0s), [&] { order += world.now() == Time(1s) ? 'b' : '?'; });
  });
  world.At(Time(2s), [&] { order += 'd'; });
  ASSERT_TRUE(world.faults().Add("drop SYN").has_value());
  Open(world);
  world.Run(Time(2s));
  EXPECT_EQ(order, "abcd");
}

TEST(World, TheSameSeedGivesTheSameHash) {
  const auto run = [](std::uint64_t seed, Duration delay) {
    WorldConfig config = TenMilliseconds(seed);
    config.path[0].delay = delay;
    config.path[1].loss_ppm = 300'000;
    World world(config);
    Open(world);
    world.Run(Time(20s));
    EXPECT_GE(world.packets(), 3u);
    return world.trace_hash();
  };
  EXPECT_EQ(run(1, 10ms), run(1, 10ms));
  EXPECT_NE(run(1, 10ms), run(2, 10ms));
  EXPECT_NE(run(1, 10ms), run(1, 10ms + 1ns));
}

TEST(World, DelayDuplicationAndCorruptionByFault) {
  World world(TenMilliseconds());
  Recorder tap;
  world.AddTap(tap);
  ASSERT_TRUE(world.faults()
                  .Add("delay the 1st SYN by 100ms; duplicate the 1st SYN|ACK; corrupt the 1st ACK")
                  .has_value());
  Open(world);
  world.Run(Time(150ms));
  ASSERT_GE(tap.seen.size(), 3u);
  EXPECT_EQ(tap.seen[0].fate.at[0], Time(110ms));
  EXPECT_EQ(tap.seen[1].sent, Time(110ms));
  EXPECT_EQ(tap.seen[1].fate.copies, 2);
  EXPECT_TRUE(tap.seen[2].fate.corrupt);
}

TEST(World, OnlyWhatMayBeMarkedIs) {
  for (const bool v4 : {true, false}) {
    const IpAddress from = v4 ? IpAddress::V4(0xC0000201u) : *IpAddress::Parse("2001:db8::1");
    const IpAddress to = v4 ? IpAddress::V4(0xC0000202u) : *IpAddress::Parse("2001:db8::2");
    std::vector<std::byte> packet = CraftPacket({from, 1}, {to, 2}, wire::Segment());
    EXPECT_FALSE(IsEcnCapable(packet));
    MarkCongestion(packet);
    EXPECT_TRUE(IsEcnCapable(packet));
    const auto ip = wire::DecodeIp(packet);  // its checksum holds
    ASSERT_TRUE(ip.has_value());
    EXPECT_EQ(ip->tos, 3);
  }
  World world(TenMilliseconds());
  Recorder tap;
  world.AddTap(tap);
  ASSERT_TRUE(world.faults().Add("mark the 1st SYN").has_value());
  Open(world);
  world.Run(Time(50ms));
  ASSERT_FALSE(tap.seen.empty());
  EXPECT_FALSE(tap.seen[0].fate.marked);
}

TEST(World, ACrashIsSilentAndARestartForgets) {
  World world(TenMilliseconds());
  const SocketId socket = Open(world);
  world.Run(Time(5ms));
  world.b().Crash();
  EXPECT_FALSE(world.b().alive());
  world.Run(Time(500ms));
  EXPECT_EQ(StateOf(world, socket), State::kSynSent);
  EXPECT_EQ(world.in_flight(Side::kA), 0u);
  world.b().Restart();
  EXPECT_TRUE(world.b().alive());
  EXPECT_EQ(world.b().stack().GetInfo(world.now(), SocketId{0, 1}).has_value(), false);
}

TEST(World, InjectedPacketsReachTheirHost) {
  World world(TenMilliseconds());
  Recorder tap;
  world.AddTap(tap);
  Open(world);
  world.Run(Time(1ms));
  wire::Segment syn;
  syn.flags = kSyn;
  syn.seq = 90;
  const Endpoint forged{world.a().address(), 5555};
  world.Inject(Side::kB, CraftPacket(forged, {world.b().address(), 80}, syn), 2ms);
  world.Run(Time(3ms));
  ASSERT_EQ(tap.seen.size(), 3u);
  EXPECT_TRUE(tap.seen[1].injected);
  EXPECT_EQ(tap.seen[2].from, Side::kB);
  EXPECT_EQ(tap.seen[2].sent, Time(3ms));
  EXPECT_EQ(tap.seen[2].flags, kSyn | kAck);
}

TEST(World, AFullLinkIsBusyNotLossy) {
  WorldConfig config = TenMilliseconds();
  config.most_in_flight = 0;
  World world(config);
  Recorder tap;
  world.AddTap(tap);
  Open(world);
  world.Run(Time(500ms));
  EXPECT_TRUE(tap.seen.empty());
  EXPECT_TRUE(world.a().stack().WantsTransmit());
}

TEST(World, IdleMeansThatNothingIsLeft) {
  World world(TenMilliseconds());
  EXPECT_EQ(world.RunUntilIdle(Time(1h)), RunEnd::kIdle);
  EXPECT_EQ(world.now(), Time(0s));
  world.At(Time(1s), [] {});
  EXPECT_EQ(world.Run(Time(500ms)), RunEnd::kTime);
  EXPECT_EQ(world.RunUntilIdle(Time(1h)), RunEnd::kIdle);
  EXPECT_EQ(world.now(), Time(1s));
}

TEST(World, TheStepHookLetsApplicationsReact) {
  World world(TenMilliseconds());
  const SocketId socket = Open(world);
  bool sent = false;
  world.SetStepHook([&] {
    if (sent || StateOf(world, socket) != State::kEstablished) return;
    const std::string text = "hello";
    sent = world.a().stack().Send(world.now(), socket, std::as_bytes(std::span(text))).has_value();
  });
  Recorder tap;
  world.AddTap(tap);
  world.Run(Time(25ms));
  EXPECT_TRUE(sent);
  // It leaves at the moment of the reaction, not at the next event.
  EXPECT_EQ(tap.seen.back().sent, Time(20ms));
}

TEST(PacketView, ReadsBackWhatWasCrafted) {
  for (const bool v6 : {false, true}) {
    const IpAddress host = v6 ? *IpAddress::Parse("2001:db8::7") : IpAddress::V4(0xc0000207);
    const std::array<std::byte, 3> data{};
    wire::Segment segment;
    segment.flags = kSyn | kAck;
    segment.seq = 7;
    segment.ack = 8;
    segment.window = 9;
    segment.options.has_mss = true;
    segment.options.mss = 1460;
    segment.options.sack_permitted = true;
    segment.payload = data;
    const auto view = ViewPacket(CraftPacket({host, 1}, {host, 2}, segment));
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view->source, (Endpoint{host, 1}));
    EXPECT_EQ(view->destination, (Endpoint{host, 2}));
    EXPECT_EQ(view->segment.seq, 7u);
    EXPECT_EQ(view->segment.ack, 8u);
    EXPECT_EQ(view->segment.length, 3u);
    EXPECT_EQ(OptionsText(view->options), "mss 1460, sackOK");
  }
  EXPECT_FALSE(ViewPacket({}).has_value());
}

}  // namespace
}  // namespace estab::sim
