// Nothing is allocated on the segment path after warm-up: bulk transfer through two stacks whose
// allocators count, with and without loss.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/prng.h"
#include "stack_pair.h"
#include "test_allocator.h"

namespace estab::test {
namespace {

// How a wire ill-treats data packets: each of so many in ten thousand.
struct Weather {
  const char* name;
  int lost, doubled, late;
  // More is in flight, or waits ahead of gaps, than ever before: so often memory may be asked for.
  unsigned records;
};

class SegmentMemory : public testing::TestWithParam<Weather> {
 protected:
  SegmentMemory() : pair(false, &sender, &receiver) {
    pair.delay = milliseconds(10);
    pair.rough = [this](bool to_b, std::size_t size) { return FateOf(to_b, size); };
  }
  void Open(const char* congestion) {
    for (Pair::Side* side : {&pair.a, &pair.b}) {
      EXPECT_TRUE(side->stack->SetSetting("net.ipv4.tcp_congestion_control", congestion));
      EXPECT_TRUE(side->stack->SetSetting("net.ipv4.tcp_rmem", "4096 262144 262144"));
      EXPECT_TRUE(side->stack->SetSetting("net.ipv4.tcp_wmem", "4096 262144 262144"));
    }
    listener = *pair.b.stack->Open(false);
    ASSERT_TRUE(pair.b.stack->Bind(listener, {IpAddress::AnyV4(), 80}));
    ASSERT_TRUE(pair.b.stack->Listen(pair.now, listener, 8));
    client = *pair.a.stack->Open(false);
    static_cast<void>(pair.a.stack->Connect(pair.now, client, {pair.Address(2), 80}));
    pair.Pass(milliseconds(50));
    const auto accepted = pair.b.stack->Accept(pair.now, listener);
    ASSERT_TRUE(accepted);
    server = *accepted;
  }
  // Sends for `d` what the buffers take, and reads what comes; returns how much that was.
  std::uint64_t Transfer(Duration d) {
    static const std::string block(65536, 'x');
    static std::array<std::byte, 65536> into;
    std::uint64_t read = 0;
    pair.Run(pair.now + d, [&] {
      static_cast<void>(pair.a.stack->Send(pair.now, client, Bytes(block)));
      for (;;) {
        const auto n = pair.b.stack->Read(pair.now, server, into);
        if (!n || *n == 0) return;
        read += *n;
      }
    });
    return read;
  }

  TestAllocator sender, receiver;
  Pair pair;
  SocketId listener, client, server;

 private:
  Pair::Fate FateOf(bool to_b, std::size_t size) {
    if (!to_b || size < 200) return {};
    const auto draw = static_cast<int>(random.Next() % 10'000);
    const Weather& w = GetParam();
    if (draw < w.lost) return {.copies = 0};
    if (draw < w.lost + w.doubled) return {.copies = 2};
    if (draw < w.lost + w.doubled + w.late) return {.copies = 1, .more = milliseconds(4)};
    return {};
  }
  Prng random{11};
};

TEST_P(SegmentMemory, NothingIsAllocatedAfterWarmUp) {
  for (const char* congestion : {"reno", "cubic"}) {
    SCOPED_TRACE(congestion);
    Open(congestion);
    EXPECT_GT(Transfer(seconds(5)), 1'000'000u);  // warm-up
    const std::uint64_t sending = sender.calls();
    const std::uint64_t receiving = receiver.calls();
    const std::uint64_t segments = pair.a.stack->Counters().packets_out;
    EXPECT_GT(Transfer(seconds(5)), 1'000'000u);
    EXPECT_GT(pair.a.stack->Counters().packets_out - segments, 500u);
    EXPECT_LE(sender.calls() - sending, GetParam().records);
    EXPECT_LE(receiver.calls() - receiving, GetParam().records);
    ASSERT_TRUE(pair.a.stack->Close(pair.now, client));
    ASSERT_TRUE(pair.b.stack->Close(pair.now, server));
    ASSERT_TRUE(pair.b.stack->Close(pair.now, listener));
    pair.Pass(seconds(200));
  }
}

INSTANTIATE_TEST_SUITE_P(In, SegmentMemory,
                         testing::Values(Weather{"FairWeather", 0, 0, 0, 0},
                                         Weather{"Loss", 100, 0, 0, 10},
                                         Weather{"ALotOfLoss", 400, 0, 0, 10},
                                         Weather{"Disorder", 20, 50, 300, 10}),
                         [](const auto& p) { return p.param.name; });

}  // namespace
}  // namespace estab::test
