// ICMP errors about our segments: what they mean, whom they may end, and whom never (RFC 5927).
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

struct IcmpCase {
  bool v6;
  std::uint8_t type;
  std::uint8_t code;
  std::optional<Error> error;  // nothing: the attempt goes on
  bool hard = false;           // ends it under `rfc` too
  bool half_open = false;      // drops a half-open record
};

// As Linux 6.18 answered, asked over TUN: SO_ERROR after the error about a SYN; a half-open
// record's fate from tcp_req_err.
constexpr IcmpCase kCases[] = {
    {false, 3, 0, Error::kNetworkUnreachable, false, true},
    {false, 3, 1, Error::kHostUnreachable, false, true},
    {false, 3, 2, Error::kProtocolNotAvailable, true},
    {false, 3, 3, Error::kConnectionRefused, true},
    {false, 3, 4, {}},
    {false, 3, 5, Error::kOperationNotSupported},
    {false, 3, 6, Error::kNetworkUnreachable},
    {false, 3, 7, Error::kHostDown},
    {false, 3, 8, Error::kNotOnNetwork},
    {false, 3, 9, Error::kNetworkUnreachable},
    {false, 3, 10, Error::kHostUnreachable},
    {false, 3, 11, Error::kNetworkUnreachable},
    {false, 3, 12, Error::kHostUnreachable},
    {false, 3, 13, Error::kHostUnreachable},
    {false, 3, 14, Error::kHostUnreachable},
    {false, 3, 15, Error::kHostUnreachable},
    {false, 3, 16, {}},
    {false, 4, 0, {}},  // source quench, MUST-55
    {false, 5, 1, {}},  // redirect
    {false, 11, 0, Error::kHostUnreachable, false, true},
    {false, 11, 1, {}},
    {false, 11, 2, Error::kHostUnreachable, false, true},
    {false, 12, 0, Error::kProtocolError, false, true},
    {false, 12, 2, Error::kProtocolError, false, true},
    {true, 1, 0, Error::kNetworkUnreachable},
    {true, 1, 1, Error::kAccessDenied, true, true},
    {true, 1, 2, Error::kHostUnreachable},
    {true, 1, 3, Error::kHostUnreachable},
    {true, 1, 4, Error::kConnectionRefused, true, true},
    {true, 1, 5, Error::kAccessDenied, false, true},
    {true, 1, 6, Error::kAccessDenied, false, true},
    {true, 1, 7, Error::kProtocolError, false, true},
    {true, 2, 0, {}},
    {true, 3, 0, Error::kHostUnreachable},
    {true, 3, 1, Error::kHostUnreachable},
    {true, 4, 0, Error::kProtocolError, false, true},
    {true, 4, 1, Error::kProtocolError, false, true},
};

class IcmpErrors : public testing::TestWithParam<IcmpCase> {
 protected:
  std::uint8_t type() const { return GetParam().type; }
  std::uint8_t code() const { return GetParam().code; }
  RawPeer peer{GetParam().v6};
};
INSTANTIATE_TEST_SUITE_P(All, IcmpErrors, testing::ValuesIn(kCases), [](const auto& p) {
  return std::string(p.param.v6 ? "V6" : "V4") + "Type" + std::to_string(p.param.type) + "Code" +
         std::to_string(p.param.code);
});

TEST_P(IcmpErrors, EndAnAttemptAsLinuxHasIt) {
  for (const char* profile : {"default", "linux"}) {
    peer.Set("estab.profile", profile);
    const SocketId id = peer.Connect();
    peer.Icmp(type(), code(), peer.iss);
    EXPECT_EQ(peer.StateOf(id), GetParam().error ? State::kClosed : State::kSynSent) << profile;
    EXPECT_EQ(*peer.stack->TakeError(id), GetParam().error) << profile;
    EXPECT_EQ(*peer.stack->TakeError(id), std::nullopt) << "told once";
    ASSERT_TRUE(peer.stack->Close(peer.now, id));
  }
}

TEST_P(IcmpErrors, UnderRfcOnlyHardOnesEndAnAttempt) {
  peer.Set("estab.profile", "rfc");
  peer.Set("net.ipv4.tcp_syn_retries", "1");
  const SocketId id = peer.Connect();
  peer.Icmp(type(), code(), peer.iss);
  if (GetParam().hard) {
    EXPECT_EQ(peer.StateOf(id), State::kClosed);
    EXPECT_EQ(*peer.stack->TakeError(id), GetParam().error);
    return;
  }
  EXPECT_EQ(peer.StateOf(id), State::kSynSent);
  peer.Pass(seconds(4));  // and what was noted is why it fails in the end
  EXPECT_EQ(peer.StateOf(id), State::kClosed);
  EXPECT_EQ(*peer.stack->TakeError(id), GetParam().error.value_or(Error::kTimedOut));
}

TEST_P(IcmpErrors, MustQuoteWhatIsInFlight) {
  const SocketId id = peer.Connect();
  for (const std::uint32_t off : {0xffffffffu, 1u, 2u, 70000u, 0x80000000u}) {
    peer.Icmp(type(), code(), peer.iss + off);
    EXPECT_EQ(peer.StateOf(id), State::kSynSent) << off;
    EXPECT_EQ(*peer.stack->TakeError(id), std::nullopt) << off;
  }
}

TEST_P(IcmpErrors, DropAHalfOpenRecordAsLinuxDoes) {
  peer.Listen();
  peer.HalfOpen();
  peer.Icmp(type(), code(), peer.iss + 1);
  ASSERT_EQ(peer.stack->Counters().half_open, 1u);
  peer.Icmp(type(), code(), peer.iss);
  EXPECT_EQ(peer.stack->Counters().half_open, GetParam().half_open ? 0u : 1u);
  EXPECT_EQ(peer.Take().size(), 0u);
}

TEST_P(IcmpErrors, UnderRfcOnlyHardOnesDropAHalfOpenRecord) {
  peer.Set("estab.profile", "rfc");
  peer.Listen();
  peer.HalfOpen();
  peer.Icmp(type(), code(), peer.iss);
  EXPECT_EQ(peer.stack->Counters().half_open, GetParam().hard ? 0u : 1u);
}

TEST_P(IcmpErrors, EndASimultaneousOpenToo) {
  const SocketId id = peer.Connect();
  peer.Segment(kSyn, peer.irs, 0);
  ASSERT_EQ(peer.StateOf(id), State::kSynRcvd);
  peer.Icmp(type(), code(), peer.iss);
  EXPECT_EQ(peer.StateOf(id), GetParam().error ? State::kClosed : State::kSynRcvd);
  EXPECT_EQ(*peer.stack->TakeError(id), GetParam().error);
}

// Every synchronised state that has something in flight.
TEST_P(IcmpErrors, NeverEndASynchronisedConnection) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    for (const State state :
         {State::kEstablished, State::kCloseWait, State::kFinWait1, State::kLastAck}) {
      RawPeer p(GetParam().v6);
      p.Set("estab.profile", profile);
      const SocketId id = p.Established();
      if (state == State::kCloseWait || state == State::kLastAck) {
        p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
      }
      ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
      p.Take();
      if (state == State::kFinWait1 || state == State::kLastAck) {
        ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
        p.Take();
      }
      ASSERT_EQ(p.StateOf(id), state);
      for (int i = 0; i < 3; ++i) p.Icmp(type(), code(), p.iss + 1);
      EXPECT_EQ(p.StateOf(id), state) << profile;
      EXPECT_EQ(p.stack->Send(p.now, id, Bytes("y")).has_value(),
                state == State::kEstablished || state == State::kCloseWait)
          << "nothing is told to send";
    }
  }
}

// What was noted is told by SO_ERROR when asked for (SHLD-25), or else replaces ETIMEDOUT.
TEST_P(IcmpErrors, AreWhyAConnectionTimesOut) {
  peer.Set("net.ipv4.tcp_retries2", "1");
  for (const bool asked : {true, false}) {
    const SocketId id = peer.Established();
    ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("x")));
    peer.Take();
    peer.Icmp(type(), code(), peer.iss + 1);
    if (asked) {
      EXPECT_EQ(*peer.stack->TakeError(id), GetParam().error);
    }
    peer.Pass(seconds(10));
    EXPECT_EQ(peer.StateOf(id), State::kClosed);
    const auto expected = asked ? Error::kTimedOut : GetParam().error.value_or(Error::kTimedOut);
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional(expected));
    EXPECT_EQ(*peer.stack->TakeError(id), std::nullopt);
    peer.Take();
  }
}

TEST(Icmp, AnAcknowledgmentMakesTheNetworksWordOld) {
  RawPeer peer;
  peer.Set("net.ipv4.tcp_retries2", "1");
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("x")));
  peer.Take();
  peer.Icmp(3, 1, peer.iss + 1);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 2);
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("y")));
  peer.Take();
  peer.Pass(seconds(10));
  EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kTimedOut));
}

// Linux takes SND.NXT as well, and so does its profile.
TEST(Icmp, LinuxAcceptsTheNextSequenceNumber) {
  RawPeer peer;
  peer.Set("estab.profile", "linux");
  const SocketId id = peer.Connect();
  peer.Icmp(3, 1, peer.iss + 2);
  EXPECT_EQ(peer.StateOf(id), State::kSynSent);
  peer.Icmp(3, 1, peer.iss + 1);
  EXPECT_EQ(peer.StateOf(id), State::kClosed);
}

// A quote whose endpoints are a listener's place in the table is about no connection.
TEST(Icmp, CannotTouchAListener) {
  for (const char* profile : {"default", "linux"}) {
    RawPeer peer;
    peer.Set("estab.profile", profile);
    const SocketId id = peer.Listen();
    wire::Segment quoted;
    quoted.source_port = peer.our_port;
    const auto offending = Pack(IpAddress::AnyV4(), IpAddress::AnyV4(), quoted, {});
    auto ip = *wire::DecodeIp(offending);
    ip.source = peer.ours();  // where the error goes to
    std::array<std::byte, 576> packet;
    const std::size_t size = wire::EncodeIcmpError(ip, 3, 3, 0, peer.theirs(), packet);
    peer.Inject({packet.data(), size});
    EXPECT_EQ(peer.StateOf(id), State::kListen);
    const auto fired = peer.TakeRules();
    ASSERT_FALSE(fired.empty());
    EXPECT_EQ(fired.back().name(), "icmp-stray");
  }
}

}  // namespace
}  // namespace estab::test
