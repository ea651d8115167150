// Every rule fires: those that arriving segments reach by way of the matrix, the others by scripts.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/profiles.h"
#include "matrix/scene.h"

namespace estab::test {
namespace {

class Coverage {
 public:
  void Add(const Stack& stack) {
    const auto counts = stack.RuleCounters();
    total_.resize(counts.size());
    for (std::size_t i = 0; i < counts.size(); ++i) total_[i] += counts[i];
  }
  std::vector<std::string> Missing() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < RuleCount(); ++i) {
      if (total_[i] == 0) names.push_back(GetRule(static_cast<RuleId>(i)).name);
    }
    return names;
  }

 private:
  std::vector<std::uint64_t> total_ = std::vector<std::uint64_t>(RuleCount());
};

// One script on a fresh stack.
template <class Script>
void Run(Coverage& coverage, Script&& script) {
  RawPeer peer;
  script(peer);
  coverage.Add(*peer.stack);
}

void Close(RawPeer& p, SocketId id) {
  ASSERT_TRUE(p.stack->Close(p.now, id));
  p.Take();
}
void TimeWait(RawPeer& p) {
  Close(p, p.Established());
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
}
void Options(RawPeer& p, SocketId id, const SocketOptions& o) {
  ASSERT_TRUE(p.stack->SetOptions(p.now, id, o));
}

void Matrix(Coverage& coverage) {
  for (const char* profile : {"default", "linux"}) {
    for (const Row& row : kTable) {
      for (const char* which = row.scenes; *which != '\0'; ++which) {
        Scene scene(*which, false, profile);
        scene.Check(RowUnder(profile, *which, row));
        coverage.Add(scene.stack());
      }
    }
  }
}

void Calls(Coverage& c) {
  Run(c, [](RawPeer& p) { Close(p, p.Listen()); });
  Run(c, [](RawPeer& p) { Close(p, p.Connect()); });
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Established();
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    Close(p, id);  // close-again
  });
  Run(c, [](RawPeer& p) { ASSERT_TRUE(p.stack->Abort(p.now, p.Established())); });
  Run(c, [](RawPeer& p) { ASSERT_TRUE(p.stack->Abort(p.now, p.Connect())); });
  Run(c, [](RawPeer& p) {  // close-unread
    const SocketId id = p.Established();
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "x"});
    Close(p, id);
  });
  Run(c, [](RawPeer& p) {
    p.Set("net.ipv4.tcp_max_orphans", "0");
    Close(p, p.Established());
  });
  for (bool later : {false, true}) {
    Run(c, [&](RawPeer& p) {  // no-fin-wait-2
      const SocketId id = p.Established();
      SocketOptions o;
      o.fin_wait2_seconds = -1;
      Options(p, id, o);
      if (!later) {
        ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
        p.Take();
        p.Segment(kAck, p.irs + 1, p.iss + 2);
      }
      Close(p, id);
      if (later) p.Segment(kAck, p.irs + 1, p.iss + 2);
    });
  }
  Run(c, [](RawPeer& p) {  // listener-gone
    const SocketId id = p.Listen();
    p.HalfOpen();
    Close(p, id);
  });
}

void ProfilesOfClosing(Coverage& c) {
  Run(c, [](RawPeer& p) {  // close-queued, last-fin-sent
    p.Set("estab.profile", "rfc");
    const SocketId id = p.Established();
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 1, {.window = 0});
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("last words")));
    Close(p, id);
    p.Segment(kAck, p.irs + 2, p.iss + 1);
  });
  Run(c, [](RawPeer& p) {  // syn-for-orphan
    p.Set("estab.profile", "linux");
    Close(p, p.Established());
    p.Segment(kAck, p.irs + 1, p.iss + 2);
    p.Segment(kSyn, p.irs + 50, 0);
  });
}

void Queues(Coverage& c) {
  for (const char* abort : {"0", "1"}) {
    Run(c, [&](RawPeer& p) {
      p.Set("net.ipv4.tcp_abort_on_overflow", abort);
      p.Listen(0);
      p.port = 1;
      p.HalfOpen();
      const std::uint32_t first = p.iss;
      const std::uint32_t first_ts = p.last_ts;
      p.port = 2;
      p.HalfOpen();
      p.Segment(kAck, p.irs + 1, p.iss + 1);
      p.port = 1;
      p.last_ts = first_ts;
      p.Segment(kAck, p.irs + 1, first + 1);
      p.port = 3;
      p.Segment(kSyn, p.irs, 0);
    });
  }
  Run(c, [](RawPeer& p) {
    p.Set("net.ipv4.tcp_syncookies", "0");
    p.Set("net.ipv4.tcp_max_syn_backlog", "1");
    p.Listen();
    p.HalfOpen();
    p.Segment(kSyn, p.irs, 0);  // answered
    p.Segment(kSyn, p.irs, 0);  // too soon
    p.port = 9;
    p.Segment(kSyn, p.irs, 0);
  });
  Run(c, [](RawPeer& p) {
    p.Set("net.ipv4.tcp_syncookies", "2");
    p.Listen();
    p.Segment(kSyn, p.irs, 0);
    const std::uint32_t cookie = p.Take().at(0).segment.seq;
    p.Segment(kAck, p.irs + 1, cookie + 2);
    p.Segment(kAck, p.irs + 1, cookie + 1);
  });
  Run(c, [](RawPeer& p) {  // listen-fast-open
    p.Set("net.ipv4.tcp_fastopen", "0x602");
    p.Listen();
    p.Segment(kSyn, p.irs, 0, {.data = "x"});
  });
  Run(c, [](RawPeer& p) {  // syn-rcvd-deferred, syn-ack-wait
    const SocketId listener = p.Listen();
    SocketOptions o;
    o.defer_accept = 3;
    Options(p, listener, o);
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    p.Pass(seconds(2));
  });
  Run(c, [](RawPeer& p) {
    p.Listen();
    p.Inject(Pack(p.ours(), p.ours(), p.Make(kSyn, 1, 0, {}), {}));
  });
  Run(c, [](RawPeer& p) {  // no memory for a record
    p.Listen();
    p.Set("estab.mem_limit", "1");
    p.Segment(kSyn, p.irs, 0);
  });
  Run(c, [](RawPeer& p) {  // nor for a connection: its slab is full
    const SocketId listener = p.Listen(500);
    std::uint32_t sockets = 1;
    for (; sockets < 64; ++sockets) ASSERT_TRUE(p.stack->Open(false));
    p.HalfOpen();
    p.Set("estab.mem_limit", "1");
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    EXPECT_FALSE(p.stack->Accept(p.now, listener));
    p.Set("estab.mem_limit", "0");
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    EXPECT_TRUE(p.stack->Accept(p.now, listener));
  });
}

void Text(Coverage& c) {
  Run(c, [](RawPeer& p) {  // data-fills-gap
    p.Established();
    p.Segment(kAck, p.irs + 2, p.iss + 1, {.data = "b"});
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "a"});
  });
  Run(c, [](RawPeer& p) {  // data-no-room
    p.Established();
    p.Set("estab.mem_limit", "1");
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "a"});
    p.Set("estab.mem_limit", "0");
  });
  Run(c, [](RawPeer& p) {
    ASSERT_TRUE(p.stack->Shutdown(p.now, p.Established(), How::kRead));
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "a"});
  });
  Run(c, [](RawPeer& p) {
    Close(p, p.Established());
    p.Segment(kAck, p.irs + 1, p.iss + 2, {.data = "a"});
  });
}

void TimeWaits(Coverage& c) {
  Run(c, [](RawPeer& p) {
    TimeWait(p);
    p.Segment(kAck, p.irs - 5, p.iss + 2);  // answered
    p.Segment(kAck, p.irs - 5, p.iss + 2);  // too soon
    p.Pass(seconds(61));
  });
  Run(c, [](RawPeer& p) {
    p.Set("net.ipv4.tcp_max_tw_buckets", "0");
    TimeWait(p);
  });
  Run(c, [](RawPeer& p) {
    p.Set("estab.profile", "linux");
    p.Set("net.ipv4.tcp_max_tw_buckets", "0");
    Close(p, p.Established());
    p.Segment(kAck, p.irs + 1, p.iss + 2);
  });
  Run(c, [](RawPeer& p) {
    const SocketId listener = p.Listen();
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    Close(p, *p.stack->Accept(p.now, listener));
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
    p.Pass(seconds(1));
    p.Segment(kSyn, p.irs + 100, 0);
  });
  Run(c, [](RawPeer& p) {
    p.Set("net.ipv4.ip_local_port_range", "40000 40000");
    p.Set("net.ipv4.tcp_tw_reuse", "1");
    TimeWait(p);
    p.Pass(seconds(2));
    p.Take();
    p.Connect();
  });
}

void Timers(Coverage& c) {
  Run(c, [](RawPeer& p) {
    p.Connect();
    p.Pass(seconds(100));
  });
  Run(c, [](RawPeer& p) {
    p.Listen();
    p.HalfOpen();
    p.Pass(seconds(100));
  });
  Run(c, [](RawPeer& p) {
    p.Connect();
    p.Segment(kSyn, p.irs, 0);
    p.Pass(seconds(100));
  });
  Run(c, [](RawPeer& p) {
    ASSERT_TRUE(p.stack->Send(p.now, p.Established(), Bytes("x")));
    p.Pass(seconds(2000));
  });
  Run(c, [](RawPeer& p) {  // tail-probe
    ASSERT_TRUE(p.stack->Send(p.now, p.Established(), Bytes(std::string(3000, 'x'))));
    p.Flush();
    p.Pass(seconds(1));
  });
  Run(c, [](RawPeer& p) {  // reorder-timeout
    const SocketId id = p.Connect();
    p.Pass(milliseconds(20));
    p.Segment(kSyn | kAck, p.irs, p.iss + 1);
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes(std::string(3000, 'x'))));
    p.Flush();
    p.Pass(milliseconds(20));
    const std::uint32_t first = p.iss + 1;
    p.Segment(kAck, p.irs + 1, first, {.sack = {{first + 1448, first + 2896}}});
    p.Pass(milliseconds(10));
  });
  Run(c, [](RawPeer& p) {
    Close(p, p.Established());
    p.Pass(seconds(2000));
  });
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Connect();
    SocketOptions o;
    o.user_timeout_ms = 500;
    Options(p, id, o);
    p.Pass(seconds(5));
  });
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Established();
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.window = 0});
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
    p.Pass(seconds(2000));
  });
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Established();
    SocketOptions o;
    o.keepalive = true;
    Options(p, id, o);
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);  // and delayed-ack
    p.Pass(seconds(9000));
  });
  Run(c, [](RawPeer& p) {
    Close(p, p.Established());
    p.Segment(kAck, p.irs + 1, p.iss + 2);
    p.Pass(seconds(61));
  });
}

void BlackHoles(Coverage& c) {  // retransmit-smaller
  for (const State state : {State::kEstablished, State::kFinWait1, State::kCloseWait,
                            State::kClosing, State::kLastAck}) {
    Run(c, [&](RawPeer& p) {
      p.Set("net.ipv4.tcp_mtu_probing", "1");
      p.Set("net.ipv4.tcp_retries1", "1");
      const SocketId id = p.Established();
      const bool first = state == State::kCloseWait || state == State::kLastAck;
      if (first) p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
      ASSERT_TRUE(p.stack->Send(p.now, id, Bytes(std::string(1400, 'x'))));
      const bool closes = state != State::kEstablished && state != State::kCloseWait;
      if (closes) {
        ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
      }
      p.Take();
      if (state == State::kClosing) p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
      EXPECT_EQ(p.StateOf(id), state);
      p.Pass(seconds(10));
      EXPECT_LE(p.stack->GetInfo(p.now, id)->send_mss, 1024u);
    });
  }
}

void Icmp(Coverage& c) {
  constexpr std::uint8_t kUnreachable = 3;
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Connect();
    p.Icmp(kUnreachable, 1, p.iss + 1);  // not in flight
    p.Icmp(kUnreachable, 4, p.iss);      // too big
    EXPECT_EQ(p.StateOf(id), State::kSynSent);
    p.Icmp(kUnreachable, 1, p.iss);
    EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kHostUnreachable));
  });
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Connect();
    p.Segment(kSyn, p.irs, 0);
    p.Icmp(kUnreachable, 1, p.iss);
    EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kHostUnreachable));
  });
  Run(c, [](RawPeer& p) {
    p.Listen();
    p.HalfOpen();
    p.Icmp(kUnreachable, 1, p.iss);
    EXPECT_EQ(p.stack->Counters().half_open, 0u);
  });
  Run(c, [](RawPeer& p) {
    const SocketId id = p.Established();
    p.Set("net.ipv4.tcp_retries2", "1");
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
    p.Take();
    p.Icmp(kUnreachable, 1, p.iss + 1);
    EXPECT_EQ(p.StateOf(id), State::kEstablished);
    p.Pass(seconds(10));  // it replaces the time-out's own error
    EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kHostUnreachable));
  });
}

// What other profiles than the default do.
void Profiles(Coverage& c) {
  for (const char* profile : {"linux", "rfc"}) {
    Run(c, [&](RawPeer& p) {
      p.Set("estab.profile", profile);
      p.Listen();
      p.HalfOpen();
      p.Segment(kSyn, p.irs + 10, 0);
    });
  }
  Run(c, [](RawPeer& p) {
    p.Set("estab.profile", "rfc");
    p.Listen();
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.timestamp = false});
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.timestamp = false});
  });
  Run(c, [](RawPeer& p) {  // syn-rcvd-bad-echo
    p.Listen();
    p.HalfOpen();
    p.last_ts -= 1;
    p.Segment(kAck, p.irs + 1, p.iss + 1);
  });
  Run(c, [](RawPeer& p) {  // syn-sent-bad-echo
    p.Connect();
    p.last_ts -= 100;
    p.Segment(kSyn | kAck, p.irs, p.iss + 1);
  });
}

TEST(Rules, EveryRuleFires) {
  Coverage coverage;
  Matrix(coverage);
  Calls(coverage);
  ProfilesOfClosing(coverage);
  Queues(coverage);
  Profiles(coverage);
  Text(coverage);
  TimeWaits(coverage);
  Timers(coverage);
  Icmp(coverage);
  BlackHoles(coverage);
  EXPECT_EQ(coverage.Missing(), std::vector<std::string>{});
}

}  // namespace
}  // namespace estab::test
