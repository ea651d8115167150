// TCP Fast Open (RFC 7413): how a client uses it, and both sides together.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "matrix/raw_peer.h"
#include "stack/fast_open.h"
#include "unit/stack_pair.h"

namespace estab::test {
namespace {

using stack::FastOpenCookie;

// --- A client ---

class Client : public testing::TestWithParam<bool> {
 protected:
  SocketId New() { return *peer.stack->Open(peer.v6); }
  Endpoint To() const { return {peer.theirs(), 443}; }
  Sent One() {
    auto sent = peer.Take();
    EXPECT_EQ(sent.size(), 1u);
    if (sent.empty()) return {};
    if (sent[0].segment.Has(kSyn)) {
      peer.iss = sent[0].segment.seq;
      peer.port = 443;
      peer.our_port = sent[0].segment.source_port;
    }
    return sent[0];
  }
  // The peer's SYN|ACK, with a cookie if it has a size.
  void SynAck(std::uint32_t ack, const FastOpenCookie& cookie, std::string_view data = {}) {
    wire::Segment s = peer.Make(kSyn | kAck, peer.irs, ack, {});
    s.options.has_fast_open = cookie.size != 0;
    s.options.fast_open_size = cookie.size;
    s.options.fast_open_cookie = cookie.bytes;
    peer.Inject(Pack(peer.theirs(), peer.ours(), s, data));
  }
  void Learn() {
    const SocketId id = New();
    EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("data")), 0u);
    const Sent syn = One();
    EXPECT_TRUE(syn.segment.options.has_fast_open);
    EXPECT_EQ(syn.segment.options.fast_open_size, 0);
    EXPECT_EQ(syn.payload, "");
    SynAck(peer.iss + 1, kCookie);
    EXPECT_EQ(peer.StateOf(id), State::kEstablished);
    ASSERT_TRUE(peer.stack->Abort(peer.now, id));
    peer.Take();
  }

  static constexpr FastOpenCookie kCookie = {8, {1, 2, 3, 4, 5, 6, 7, 8}};
  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, Client, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Client, SendsDataOnTheSynOnceItHasACookie) {
  Learn();
  const SocketId id = New();
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hello")), 5u);
  const Sent syn = One();
  EXPECT_EQ(syn.segment.flags, kSyn);
  EXPECT_EQ(syn.payload, "hello");
  EXPECT_EQ(syn.segment.options.fast_open_cookie, kCookie.bytes);
  peer.Pass(milliseconds(30));
  SynAck(peer.iss + 6, {}, "");
  const Sent ack = One();
  EXPECT_EQ(ack.segment.flags, kAck);
  EXPECT_EQ(ack.segment.seq, peer.iss + 6);
  const ConnectionInfo info = *peer.stack->GetInfo(peer.now, id);
  EXPECT_TRUE(info.syn_data);
  EXPECT_EQ(info.send_queue, 0u);
  EXPECT_EQ(info.bytes_acked, 5u);
  EXPECT_EQ(info.srtt, milliseconds(30));
  EXPECT_EQ(peer.stack->NextDeadline(), kNever);
  EXPECT_EQ(peer.stack->Counters().fast_open_active, 1u);
  peer.stack->CheckInvariants();
}

TEST_P(Client, TheSynTakesNoMoreThanFits) {
  peer.mss = 1000;
  Learn();
  const SocketId id = New();
  const std::string much(5000, 'm');
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes(much)), 960u);
  EXPECT_EQ(One().payload.size(), 960u);
}

// The MSS that is kept with a cookie is the one announced last, with a cookie or without.
TEST_P(Client, TheKeptMssFollowsTheServer) {
  Learn();
  peer.mss = 1000;
  const SocketId first = New();
  const std::string much(5000, 'm');
  EXPECT_GT(*peer.stack->ConnectWithData(peer.now, first, To(), Bytes(much)), 960u);
  One();
  SynAck(peer.iss + 1, {});
  ASSERT_TRUE(peer.stack->Abort(peer.now, first));
  peer.Take();
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, New(), To(), Bytes(much)), 960u);
  EXPECT_EQ(One().segment.options.fast_open_cookie, kCookie.bytes);
}

// A cookie that came in the experimental form goes back in it.
TEST_P(Client, KeepsTheFormOfACookie) {
  const SocketId id = New();
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("data")), 0u);
  EXPECT_FALSE(One().segment.options.fast_open_experimental);
  wire::Segment answer = peer.Make(kSyn | kAck, peer.irs, peer.iss + 1, {});
  FastOpenCookie cookie = kCookie;
  cookie.experimental = true;
  stack::PutCookie(cookie, answer.options);
  peer.Inject(Pack(peer.theirs(), peer.ours(), answer, {}));
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  peer.Take();
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, New(), To(), Bytes("data")), 4u);
  EXPECT_EQ(stack::CookieOf(One().segment.options), cookie);
}

TEST_P(Client, IgnoredDataComesAgainWithTheAck) {
  Learn();
  const SocketId id = New();
  ASSERT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hello")), 5u);
  One();
  SynAck(peer.iss + 1, {});
  const Sent again = One();
  EXPECT_EQ(again.payload, "hello");
  EXPECT_EQ(again.segment.seq, peer.iss + 1);
  EXPECT_EQ(again.segment.ack, peer.irs + 1);
  EXPECT_FALSE(peer.stack->GetInfo(peer.now, id)->syn_data);
  EXPECT_EQ(peer.stack->Counters().fast_open_active_fails, 1u);
  // Lost again: the timer has it.
  peer.Pass(seconds(1));
  EXPECT_EQ(peer.Take().at(0).payload, "hello");
  peer.Segment(kAck, peer.irs + 1, peer.iss + 6);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->send_queue, 0u);
}

TEST_P(Client, ALostSynIsRepeatedBare) {
  Learn();
  const SocketId id = New();
  ASSERT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hello")), 5u);
  const Sent first = One();
  peer.Pass(seconds(1));
  const Sent second = One();
  EXPECT_EQ(second.segment.seq, first.segment.seq);
  EXPECT_EQ(second.payload, "");
  EXPECT_FALSE(second.segment.options.has_fast_open);
  SynAck(peer.iss + 1, {});
  EXPECT_EQ(One().payload, "hello");
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
}

TEST_P(Client, PartlyTakenDataGoesOnWhereItStopped) {
  Learn();
  const SocketId id = New();
  ASSERT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hello")), 5u);
  One();
  SynAck(peer.iss + 3, {});
  const Sent rest = One();
  EXPECT_EQ(rest.payload, "llo");
  EXPECT_EQ(rest.segment.seq, peer.iss + 3);
}

TEST_P(Client, TakesDataOnTheSynAck) {
  Learn();
  const SocketId id = New();
  ASSERT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hi")), 2u);
  One();
  SynAck(peer.iss + 3, {}, "answer");
  EXPECT_EQ(One().segment.ack, peer.irs + 7);
  EXPECT_EQ(peer.ReadAll(id), "answer");
}

TEST_P(Client, ARefusedSynLeavesNothing) {
  Learn();
  const SocketId id = New();
  ASSERT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hello")), 5u);
  One();
  peer.Segment(kRst | kAck, 0, peer.iss + 6);
  EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kConnectionRefused));
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

TEST_P(Client, ASimultaneousOpenSendsTheDataAfterwards) {
  Learn();
  const SocketId id = New();
  ASSERT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("hello")), 5u);
  One();
  peer.Segment(kSyn, peer.irs, 0);
  EXPECT_EQ(One().payload, "");
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.back().payload, "hello");
  peer.Segment(kAck, peer.irs + 1, peer.iss + 6);
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  peer.stack->CheckInvariants();
}

// A bare SYN that crosses ours may be anybody's: what it brings is not kept.
TEST_P(Client, ACrossingSynBringsNoCookie) {
  const SocketId id = New();
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, id, To(), Bytes("data")), 0u);
  One();
  wire::Segment syn = peer.Make(kSyn, peer.irs, 0, {});
  syn.options.has_fast_open = true;
  syn.options.fast_open_size = kCookie.size;
  syn.options.fast_open_cookie = kCookie.bytes;
  peer.Inject(Pack(peer.theirs(), peer.ours(), syn, {}));
  ASSERT_EQ(peer.StateOf(id), State::kSynRcvd);
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  peer.Take();
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, New(), To(), Bytes("data")), 0u);
  EXPECT_EQ(One().segment.options.fast_open_size, 0);
}

TEST_P(Client, TheSettingForbidsItOrDoesWithoutCookies) {
  peer.Set("net.ipv4.tcp_fastopen", "2");
  EXPECT_EQ(peer.stack->ConnectWithData(peer.now, New(), To(), Bytes("x")).error(),
            Error::kOperationNotSupported);
  peer.Set("net.ipv4.tcp_fastopen", "5");
  EXPECT_EQ(*peer.stack->ConnectWithData(peer.now, New(), To(), Bytes("naked")), 5u);
  const Sent syn = One();
  EXPECT_FALSE(syn.segment.options.has_fast_open);
  EXPECT_EQ(syn.payload, "naked");
}

// TCP_FASTOPEN_CONNECT: the first write sends the SYN.
TEST_P(Client, ConnectWaitsForTheFirstDataWhenThereIsACookie) {
  SocketOptions options;
  options.fast_open_connect = true;
  const SocketId first = New();
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, first, options));
  EXPECT_EQ(peer.stack->Connect(peer.now, first, To()).error(), Error::kInProgress);
  EXPECT_TRUE(One().segment.options.has_fast_open);
  SynAck(peer.iss + 1, kCookie);
  ASSERT_TRUE(peer.stack->Abort(peer.now, first));
  peer.Take();

  const SocketId id = New();
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  ASSERT_TRUE(peer.stack->Connect(peer.now, id, To()));
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(peer.StateOf(id), State::kSynSent);
  EXPECT_EQ(*peer.stack->GetReadiness(id), kWritable);
  EXPECT_EQ(peer.stack->NextDeadline(), kNever);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, To()).error(), Error::kIsConnected);
  peer.Pass(seconds(100));
  EXPECT_EQ(*peer.stack->Send(peer.now, id, Bytes("hello")), 5u);
  const Sent syn = One();
  EXPECT_EQ(syn.payload, "hello");
  EXPECT_EQ(syn.segment.options.fast_open_cookie, kCookie.bytes);
  EXPECT_EQ(*peer.stack->GetReadiness(id), 0);
  peer.Pass(seconds(1));
  One();
  SynAck(peer.iss + 6, {});
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
}

TEST_P(Client, ADeferredConnectIsForgottenQuietly) {
  Learn();
  SocketOptions options;
  options.fast_open_connect = true;
  const SocketId id = New();
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  ASSERT_TRUE(peer.stack->Connect(peer.now, id, To()));
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
}

// --- Both ends are ours ---

TEST(FastOpenPair, OneRoundTripIsSaved) {
  for (bool v6 : {false, true}) {
    Pair pair(v6);
    ASSERT_TRUE(pair.b.stack->SetSetting("net.ipv4.tcp_fastopen", "3"));
    const SocketId listener = *pair.b.stack->Open(v6);
    SocketOptions options;
    options.fast_open_queue = 8;
    ASSERT_TRUE(pair.b.stack->SetOptions(pair.now, listener, options));
    ASSERT_TRUE(pair.b.stack->Bind(listener, {pair.Address(2), 80}));
    ASSERT_TRUE(pair.b.stack->Listen(pair.now, listener, 8));
    for (const bool fast : {false, true}) {
      const SocketId id = *pair.a.stack->Open(v6);
      const auto taken =
          pair.a.stack->ConnectWithData(pair.now, id, {pair.Address(2), 80}, Bytes("request"));
      EXPECT_EQ(*taken, fast ? 7u : 0u);
      pair.Pass(milliseconds(5));
      const auto early = pair.b.stack->Accept(pair.now, listener);
      EXPECT_EQ(early.has_value(), fast);
      std::array<std::byte, 64> buffer;
      if (fast) {
        EXPECT_EQ(*pair.b.stack->Read(pair.now, *early, buffer), 7u);
        ASSERT_TRUE(pair.b.stack->Send(pair.now, *early, Bytes("answer")));
        pair.Pass(milliseconds(5));
        EXPECT_EQ(*pair.a.stack->Read(pair.now, id, buffer), 6u);
      }
      pair.Pass(milliseconds(50));
      EXPECT_EQ(pair.a.stack->GetInfo(pair.now, id)->state, State::kEstablished);
      EXPECT_EQ(pair.a.stack->GetInfo(pair.now, id)->syn_data, fast);
      if (!fast) {
        EXPECT_TRUE(pair.b.stack->Accept(pair.now, listener));
      }
    }
  }
}

}  // namespace
}  // namespace estab::test
