// A peer in a profile, with the steps that tests of closing share.
#pragma once

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {

struct ClosingPeer : RawPeer {
  explicit ClosingPeer(const char* profile = "default") { Set("estab.profile", profile); }

  void Options(SocketId id, const SocketOptions& o) { ASSERT_TRUE(stack->SetOptions(now, id, o)); }
  /// close(); what goes out with it is forgotten.
  void Close(SocketId id) {
    ASSERT_TRUE(stack->Close(now, id));
    Take();
  }
  /// An orphan in FIN_WAIT_2.
  void FinWait2(const SocketOptions& o = {}) {
    const SocketId id = Established();
    Options(id, o);
    Close(id);
    Segment(kAck, irs + 1, iss + 2);
    ASSERT_TRUE(Take().empty());
  }
  /// An empty ACK of all that was sent, by default with an open window.
  void Ack(std::uint32_t ack, std::uint16_t window = 60000) {
    Segment(kAck, irs + 1, iss + ack, {.window = window});
  }
  /// Seconds from `from` at which segments went out, to the millisecond below.
  std::vector<double> TimesOf(Time from) {
    std::vector<double> times;
    for (const Sent& s : Take()) {
      times.push_back(static_cast<double>((s.at - from) / milliseconds(1)) / 1000);
    }
    return times;
  }
  /// The last rule that fired, and when.
  std::string LastRule(Time from) {
    if (rules.fired.empty()) return "";
    const Fired& f = rules.fired.back();
    return f.name() + " " + std::to_string((f.at - from) / milliseconds(1));
  }
  bool Gone() { return stack->Counters().sockets == 0; }
};

/// Whether the times lie at or just after what is expected: every wait may take a tick more.
inline void ExpectTimes(const std::vector<double>& times, const std::vector<double>& expected) {
  ASSERT_EQ(times.size(), expected.size()) << testing::PrintToString(times);
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_GE(times[i], expected[i] - 1e-9);
    EXPECT_LE(times[i], expected[i] + 0.002 + 0.001 * static_cast<double>(i));
  }
}

}  // namespace estab::test
