// Receive buffers that grow with what a round trip brings.
#include <gtest/gtest.h>

#include <string>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

// A peer that sends as fast as the window lets it, in round trips of 100 ms, to a user who reads at
// once (or not).
class ReceiveTuning : public testing::Test {
 protected:
  void Open() {
    id = peer.Connect();
    peer.Pass(milliseconds(100));
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    peer.Take();
    next = peer.irs + 1;
  }
  std::uint32_t Window() const { return peer.edge - next; }
  void RoundTrip(std::uint32_t most, bool read = true) {
    static const std::string text(1448, 'd');
    std::uint32_t room = std::min(Window(), most);
    while (room != 0) {
      const std::uint32_t size = std::min<std::uint32_t>(room, 1448);
      peer.Segment(kAck, next, peer.iss + 1, {.data = std::string_view(text).substr(0, size)});
      next += size;
      room -= size;
    }
    if (read) peer.ReadAll(id);
    peer.Pass(milliseconds(100));
    if (read) peer.ReadAll(id);
    peer.Take();
  }

  RawPeer peer;
  SocketId id;
  std::uint32_t next = 0;
};

TEST_F(ReceiveTuning, GrowsToTheMostWhereThePeerUsesIt) {
  peer.Set("net.ipv4.tcp_rmem", "4096 65536 1048576");
  Open();
  for (int i = 0; i < 4; ++i) RoundTrip(UINT32_MAX);
  EXPECT_GE(Window(), 4 * 65536u);
  for (int i = 0; i < 12; ++i) RoundTrip(UINT32_MAX);
  EXPECT_GE(Window(), 1048576u - 1448);
  EXPECT_LE(Window(), 1048576u + 128);
}

TEST_F(ReceiveTuning, StaysWhereThePeerSendsLittle) {
  peer.Set("net.ipv4.tcp_rmem", "4096 65536 1048576");
  Open();
  for (int i = 0; i < 10; ++i) RoundTrip(20'000);
  EXPECT_LE(Window(), 65536u + 128);
}

// What a round trip brings is more than half of it.
TEST_F(ReceiveTuning, GrowsBeyondHalf) {
  peer.Set("net.ipv4.tcp_rmem", "4096 65536 1048576");
  Open();
  for (int i = 0; i < 10; ++i) RoundTrip(32'769);
  EXPECT_GT(Window(), 65536u + 128);
  EXPECT_LE(Window(), 2 * 65536u + 128);
}

TEST_F(ReceiveTuning, StaysWhereNobodyReads) {
  peer.Set("net.ipv4.tcp_rmem", "4096 65536 1048576");
  Open();
  for (int i = 0; i < 10; ++i) RoundTrip(UINT32_MAX, false);
  EXPECT_LT(Window(), 1448u);
}

TEST_F(ReceiveTuning, AGivenSizeStays) {
  peer.Set("net.ipv4.tcp_rmem", "4096 65536 1048576");
  Open();
  SocketOptions options;
  options.receive_buffer = 50'000;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  for (int i = 0; i < 10; ++i) RoundTrip(UINT32_MAX);
  EXPECT_LE(Window(), 65536u);
}

TEST_F(ReceiveTuning, OffIsOff) {
  peer.Set("net.ipv4.tcp_moderate_rcvbuf", "0");
  peer.Set("net.ipv4.tcp_rmem", "4096 65536 1048576");
  Open();
  for (int i = 0; i < 10; ++i) RoundTrip(UINT32_MAX);
  EXPECT_LE(Window(), 65536u + 128);
}

}  // namespace
}  // namespace estab::test
