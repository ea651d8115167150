// A sender that loses things, and a peer made by hand that says so. The round trip is 100 ms, a
// segment has 1000 bytes; segments are named by their number, from 0.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {

inline constexpr std::uint32_t kMss = 1000;
using Numbers = std::vector<int>;
struct Span {
  int first, end;
};

class Recovering : public testing::Test {
 protected:
  Recovering() {
    peer.mss = kMss + 12;
    peer.Set("net.ipv4.tcp_congestion_control", "reno");
    peer.Set("net.ipv4.tcp_wmem", "4096 262144 4194304");
  }
  void Open() {
    if (!peer.timestamps) peer.mss = kMss;
    id = peer.Connect();
    peer.Pass(milliseconds(100));
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    peer.Take();
  }
  void Write(std::size_t segments) {
    const auto sent = peer.stack->Send(peer.now, id, Bytes(std::string(segments * kMss, 'w')));
    ASSERT_TRUE(sent && *sent == segments * kMss);
  }
  std::uint32_t Seq(int segment) const {
    return peer.iss + 1 + static_cast<std::uint32_t>(segment) * kMss;
  }
  // The peer has everything before segment `next`, and these runs. What was sent at once is told.
  Numbers Ack(int next, const std::vector<Span>& sacked = {}) {
    Extra extra;
    for (const Span& run : sacked) extra.sack.push_back({Seq(run.first), Seq(run.end)});
    peer.Segment(kAck, peer.irs + 1, Seq(next), extra);
    return Sent();
  }
  Numbers Sent() {
    Numbers numbers;
    for (const auto& s : peer.Take()) {
      if (!s.payload.empty()) numbers.push_back(static_cast<int>((s.segment.seq - Seq(0)) / kMss));
    }
    return numbers;
  }
  // The first data that goes out within `d`, and when; time stops there.
  Numbers Within(Duration d, double* at_ms = nullptr) {
    const Time end = peer.now + d;
    while (peer.stack->NextDeadline() <= end) {
      peer.Until(peer.stack->NextDeadline());
      if (at_ms != nullptr) *at_ms = MsOf(peer.now);
      const Numbers sent = Sent();
      if (!sent.empty()) return sent;
    }
    peer.Until(end);
    return {};
  }
  std::uint32_t Window() { return peer.stack->GetInfo(peer.now, id)->congestion_window / kMss; }
  std::uint32_t Threshold() {
    return peer.stack->GetInfo(peer.now, id)->slow_start_threshold / kMss;
  }

  RawPeer peer;
  SocketId id;
};

}  // namespace estab::test
