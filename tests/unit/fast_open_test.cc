// TCP Fast Open (RFC 7413): cookies, who keeps them, and what a listener gives and takes.
#include "stack/fast_open.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

using stack::FastOpenCookie;

// --- Cookies and who keeps them ---

// As the kernel makes it: checked against Linux 6.18 (and by interop/fast_open.sh).
TEST(FastOpenCookie, IsLinuxs) {
  stack::FastOpenKeys keys;
  ASSERT_TRUE(stack::ReadFastOpenKeys("a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4", keys));
  const FastOpenCookie cookie = stack::MakeFastOpenCookie(keys.keys[0], IpAddress::V4(0xC0000202u),
                                                          IpAddress::V4(0xC0000201u));
  std::string text;
  for (std::size_t i = 0; i < cookie.size; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", cookie.bytes[i]);
    text += hex;
  }
  EXPECT_EQ(text, "b3f936a51baeaf84");
}

TEST(FastOpenKeys, ReadAndWritten) {
  std::array<char, 128> out;
  for (const char* text :
       {"00000001-00000002-00000003-00000004", "89abcdef-01234567-00000000-ffffffff,1-2-3-4"}) {
    stack::FastOpenKeys keys;
    ASSERT_TRUE(stack::ReadFastOpenKeys(text, keys));
    stack::FastOpenKeys again;
    ASSERT_TRUE(stack::ReadFastOpenKeys(stack::WriteFastOpenKeys(keys, out), again));
    EXPECT_EQ(again.keys, keys.keys);
    EXPECT_EQ(again.count, keys.count);
  }
  stack::FastOpenKeys keys;
  for (const char* wrong : {"", "1-2-3", "1-2-3-4-5", "1-2-3-x", "123456789-1-1-1", "1-2-3-4,",
                            "1-2-3-4,1-2-3-4,1-2-3-4", "1--2-3"}) {
    EXPECT_FALSE(stack::ReadFastOpenKeys(wrong, keys)) << wrong;
  }
}

TEST(FastOpenSetting, TakesOnlyBitsThatMeanSomething) {
  RawPeer peer;
  for (const char* value : {"0", "1", "0x607", "1543"}) {
    EXPECT_TRUE(peer.stack->SetSetting("net.ipv4.tcp_fastopen", value)) << value;
  }
  for (const char* value : {"8", "0x100", "2048", "-1", "4294967297"}) {
    EXPECT_FALSE(peer.stack->SetSetting("net.ipv4.tcp_fastopen", value)) << value;
  }
}

TEST(FastOpenCache, IsBounded) {
  Memory memory(HeapAllocator());
  const SipKey key{};
  {
    stack::FastOpenCache cache(memory);
    EXPECT_EQ(memory.used(), 0u);
    std::uint64_t used = 0;
    for (std::uint32_t i = 1; i < 20000; ++i) {
      stack::FastOpenCache::Entry entry{IpAddress::V4(i), {8, {}}, static_cast<std::uint16_t>(i)};
      cache.Store(key, entry);
      ASSERT_NE(cache.Find(key, entry.server), nullptr);
      EXPECT_EQ(cache.Find(key, entry.server)->mss, static_cast<std::uint16_t>(i));
      if (i == 1) used = memory.used();
    }
    EXPECT_EQ(memory.used(), used);
    EXPECT_LT(used, 32768u);
    EXPECT_EQ(cache.Find(key, IpAddress::V4(20001)), nullptr);
  }
  EXPECT_EQ(memory.used(), 0u);
}

// --- A listener ---

class Server : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    peer.Set("net.ipv4.tcp_fastopen", "3");
    Listen(5);
  }
  void Listen(std::uint32_t queue) {
    listener = peer.Listen();
    SocketOptions options;
    options.fast_open_queue = queue;
    ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  }
  // A SYN with the option (unless `size` is negative) and data.
  void Syn(int size, const FastOpenCookie& cookie, std::string_view data) {
    wire::Segment syn = peer.Make(kSyn, peer.irs, 0, {});
    syn.options.has_fast_open = size >= 0;
    syn.options.fast_open_size = static_cast<std::uint8_t>(std::max(size, 0));
    syn.options.fast_open_cookie = cookie.bytes;
    peer.Inject(Pack(peer.theirs(), peer.ours(), syn, data));
  }
  FastOpenCookie AskForCookie() {
    Syn(0, {}, "");
    const auto sent = peer.Take();
    EXPECT_EQ(sent.size(), 1u);
    const wire::TcpOptions& o = sent.at(0).segment.options;
    peer.Segment(kRst, peer.irs + 1, 0);
    EXPECT_TRUE(o.has_fast_open);
    return {o.fast_open_size, o.fast_open_cookie};
  }
  std::string LastRule() const { return peer.rules.fired.back().name(); }

  RawPeer peer{GetParam()};
  SocketId listener;
};
INSTANTIATE_TEST_SUITE_P(Families, Server, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Server, GivesACookieToWhoAsks) {
  Syn(0, {}, "ignored");
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 1);  // the data is not taken
  EXPECT_EQ(sent[0].segment.options.fast_open_size, 8);
  EXPECT_EQ(peer.stack->Counters().half_open, 1u);
  EXPECT_EQ(peer.stack->Counters().fast_open_requests, 1u);
  // The repeat does without, as Linux's.
  peer.Pass(seconds(1));
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].segment.options.has_fast_open);
}

TEST_P(Server, TakesDataWithAValidCookieBeforeTheHandshakeIsOver) {
  const FastOpenCookie cookie = AskForCookie();
  peer.TakeRules();
  Syn(cookie.size, cookie, "GET /");
  EXPECT_EQ(peer.TakeRules().at(0).name(), "listen-fast-open");
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 6);
  EXPECT_FALSE(sent[0].segment.options.has_fast_open);
  EXPECT_EQ(sent[0].segment.window, GetParam() ? 64260 : 65160);
  peer.iss = sent[0].segment.seq;
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  EXPECT_EQ(peer.StateOf(*id), State::kSynRcvd);
  EXPECT_EQ(*peer.stack->GetReadiness(*id), kReadable | kWritable);
  EXPECT_TRUE(peer.stack->GetInfo(peer.now, *id)->syn_data);
  EXPECT_EQ(peer.ReadAll(*id), "GET /");
  // And answers before it, too.
  ASSERT_EQ(*peer.stack->Send(peer.now, *id, Bytes("200 OK")), 6u);
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, "200 OK");
  EXPECT_EQ(sent[0].segment.seq, peer.iss + 1);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 6);
  peer.Segment(kAck, peer.irs + 6, peer.iss + 7);
  EXPECT_EQ(peer.StateOf(*id), State::kEstablished);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, *id)->send_queue, 0u);
  EXPECT_EQ(peer.stack->Counters().fast_open_passive, 1u);
  peer.stack->CheckInvariants();
}

// Until the SYN|ACK is acknowledged only it is repeated, once more often than a record's.
TEST_P(Server, RepeatsTheSynAckAndGivesUp) {
  peer.Set("net.ipv4.tcp_synack_retries", "2");
  const FastOpenCookie cookie = AskForCookie();
  const Time begun = peer.now;
  Syn(cookie.size, cookie, "x");
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  ASSERT_TRUE(peer.stack->Send(peer.now, *id, Bytes("y")));
  peer.Take();
  peer.Pass(seconds(14));
  std::vector<double> times;
  for (const Sent& s : peer.Take()) {
    EXPECT_EQ(s.segment.flags, kSyn | kAck);
    EXPECT_EQ(s.segment.ack, peer.irs + 2);
    times.push_back(static_cast<double>((s.at - begun) / milliseconds(1)));
  }
  EXPECT_EQ(times, (std::vector<double>{1000, 3000, 7000}));
  EXPECT_EQ(peer.StateOf(*id), State::kSynRcvd);
  peer.Pass(seconds(1));
  EXPECT_EQ(peer.StateOf(*id), State::kClosed);
  EXPECT_EQ(*peer.stack->TakeError(*id), std::optional(Error::kTimedOut));
}

// The ACK of the SYN|ACK alone: what was sent early is repeated by its own timer.
TEST_P(Server, EarlyDataThatIsLostComesAgain) {
  const FastOpenCookie cookie = AskForCookie();
  Syn(cookie.size, cookie, "x");
  const auto id = peer.stack->Accept(peer.now, listener);
  peer.iss = peer.Take().at(0).segment.seq;
  ASSERT_TRUE(peer.stack->Send(peer.now, *id, Bytes("early")));
  peer.Take();
  peer.Segment(kAck, peer.irs + 2, peer.iss + 1);
  EXPECT_EQ(peer.StateOf(*id), State::kEstablished);
  peer.Pass(seconds(2));
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].payload, "early");
}

TEST_P(Server, AnInvalidCookieGetsAValidOne) {
  FastOpenCookie cookie = AskForCookie();
  cookie.bytes[3] ^= 1;
  Syn(cookie.size, cookie, "data");
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 1);
  cookie.bytes[3] ^= 1;
  EXPECT_EQ(sent[0].segment.options.fast_open_cookie, cookie.bytes);
  EXPECT_EQ(peer.stack->Counters().fast_open_passive_fails, 1u);
  EXPECT_EQ(peer.stack->Counters().half_open, 1u);
  EXPECT_FALSE(peer.stack->Accept(peer.now, listener));
}

// A cookie is a client's own.
TEST_P(Server, ACookieIsForOneAddress) {
  const FastOpenCookie cookie = AskForCookie();
  wire::Segment syn = peer.Make(kSyn, peer.irs, 0, {});
  syn.options.has_fast_open = true;
  syn.options.fast_open_size = cookie.size;
  syn.options.fast_open_cookie = cookie.bytes;
  peer.Inject(Pack(peer.Address(77), peer.ours(), syn, "stolen"));
  EXPECT_EQ(peer.Take().at(0).segment.ack, peer.irs + 1);
  EXPECT_FALSE(peer.stack->Accept(peer.now, listener));
}

TEST_P(Server, AnOldKeyIsStillTakenAndReplaced) {
  peer.Set("net.ipv4.tcp_fastopen_key", "1-2-3-4");
  const FastOpenCookie old = AskForCookie();
  peer.Set("net.ipv4.tcp_fastopen_key", "5-6-7-8,1-2-3-4");
  Syn(old.size, old, "data");
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 5);
  EXPECT_TRUE(sent[0].segment.options.has_fast_open);
  EXPECT_NE(sent[0].segment.options.fast_open_cookie, old.bytes);
  EXPECT_TRUE(peer.stack->Accept(peer.now, listener));
}

TEST_P(Server, WithoutTheBitOrTheOptionNothingIsGiven) {
  for (const auto& [bits, queue] : {std::pair{"1", 5u}, {"3", 0u}}) {
    RawPeer p(peer.v6);
    p.Set("net.ipv4.tcp_fastopen", bits);
    const SocketId id = p.Listen();
    SocketOptions options;
    options.fast_open_queue = queue;
    ASSERT_TRUE(p.stack->SetOptions(p.now, id, options));
    wire::Segment syn = p.Make(kSyn, p.irs, 0, {});
    syn.options.has_fast_open = true;
    p.Inject(Pack(p.theirs(), p.ours(), syn, {}));
    const auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_FALSE(sent[0].segment.options.has_fast_open);
  }
}

TEST_P(Server, CookiesCanBeDoneWithout) {
  for (const bool by_option : {false, true}) {
    RawPeer p(peer.v6);
    p.Set("net.ipv4.tcp_fastopen", by_option ? "0x2" : "0x602");
    const SocketId id = by_option ? p.Listen() : *p.stack->Open(p.v6);
    if (by_option) {
      SocketOptions options;
      options.fast_open_queue = 3;
      options.fast_open_no_cookie = true;
      ASSERT_TRUE(p.stack->SetOptions(p.now, id, options));
    } else {  // 0x400: listen enables it
      ASSERT_TRUE(p.stack->Bind(id, {p.v6 ? IpAddress::AnyV6() : IpAddress::AnyV4(), 80}));
      ASSERT_TRUE(p.stack->Listen(p.now, id, 7));
      EXPECT_EQ(p.stack->GetOptions(id)->fast_open_queue, 7u);
    }
    p.Segment(kSyn, p.irs, 0, {.data = "naked"});
    EXPECT_EQ(p.Take().at(0).segment.ack, p.irs + 6);
    const auto child = p.stack->Accept(p.now, id);
    ASSERT_TRUE(child);
    EXPECT_EQ(p.ReadAll(*child), "naked");
    EXPECT_EQ(p.stack->GetOptions(*child)->fast_open_queue, 0u);
  }
}

TEST_P(Server, TheQueueLimitsWhatIsPending) {
  const FastOpenCookie cookie = AskForCookie();
  SocketOptions options = *peer.stack->GetOptions(listener);
  options.fast_open_queue = 2;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  std::vector<SocketId> children;
  std::uint32_t first = 0;  // our ISS of the first
  const auto open = [&](std::uint16_t port) {
    peer.port = port;
    peer.Take();
    Syn(cookie.size, cookie, "x");
    const auto sent = peer.Take();
    if (sent.at(0).segment.ack != peer.irs + 2) return false;
    if (first == 0) first = sent[0].segment.seq;
    children.push_back(*peer.stack->Accept(peer.now, listener));
    return true;
  };
  EXPECT_TRUE(open(1));
  EXPECT_TRUE(open(2));
  EXPECT_FALSE(open(3));
  EXPECT_EQ(peer.stack->Counters().fast_open_overflows, 1u);
  // One completes: there is room again.
  peer.port = 1;
  peer.Segment(kAck, peer.irs + 2, first);  // a bad ACK does not count
  EXPECT_FALSE(open(4));
  peer.port = 1;
  peer.Segment(kAck, peer.irs + 2, first + 1);
  EXPECT_EQ(peer.StateOf(children[0]), State::kEstablished);
  EXPECT_TRUE(open(8));
  peer.port = 2;
  peer.Segment(kRst, peer.irs + 2, 0);  // a reset counts for a minute
  EXPECT_EQ(peer.StateOf(children[1]), State::kClosed);
  EXPECT_FALSE(open(5));
  peer.Pass(seconds(59));
  peer.Take();
  EXPECT_FALSE(open(6));
  peer.Pass(seconds(2));
  peer.Take();
  EXPECT_TRUE(open(7));
}

// Whoever would take the SYN by now has not counted it: of those that share the port another one
// may.
TEST_P(Server, TheListenerThatCountedOneForgetsIt) {
  peer.our_port = 8081;
  SocketOptions options;
  options.reuse_port = true;
  options.fast_open_queue = 1;
  const auto listen = [&] {
    const SocketId id = *peer.stack->Open(peer.v6);
    EXPECT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    EXPECT_TRUE(
        peer.stack->Bind(id, {peer.v6 ? IpAddress::AnyV6() : IpAddress::AnyV4(), peer.our_port}));
    EXPECT_TRUE(peer.stack->Listen(peer.now, id, 8));
    return id;
  };
  const SocketId first = listen();
  const FastOpenCookie cookie = AskForCookie();
  for (std::uint16_t port = 1; port <= 8; ++port) {
    peer.port = port;
    Syn(cookie.size, cookie, "x");
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.ack, peer.irs + 2) << port;
    ASSERT_TRUE(peer.stack->Accept(peer.now, first));
    std::array<SocketId, 7> others;
    for (SocketId& other : others) other = listen();
    peer.Segment(kAck, peer.irs + 2, sent[0].segment.seq + 1);
    for (const SocketId& other : others) ASSERT_TRUE(peer.stack->Close(peer.now, other));
    peer.Take();
  }
}

// RFC 7413 §5.1: what counts is the handshake, however soon the application closes.
TEST_P(Server, ClosedEarlyItCountsUntilTheHandshakeIsOver) {
  const FastOpenCookie cookie = AskForCookie();
  SocketOptions options = *peer.stack->GetOptions(listener);
  options.fast_open_queue = 1;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  const auto open = [&](std::uint16_t port) -> std::uint32_t {
    peer.port = port;
    Syn(cookie.size, cookie, "");
    const std::uint32_t iss = peer.Take().at(0).segment.seq;
    const auto id = peer.stack->Accept(peer.now, listener);
    if (!id) return 0;
    EXPECT_TRUE(peer.stack->Close(peer.now, *id));
    peer.Take();
    return iss;
  };
  const std::uint32_t iss = open(1);
  ASSERT_NE(iss, 0u);
  EXPECT_EQ(open(2), 0u);
  peer.port = 1;
  peer.Segment(kAck, peer.irs + 1, iss + 1);
  EXPECT_NE(open(3), 0u);
}

TEST_P(Server, ARepeatedSynGetsTheSameAnswer) {
  const FastOpenCookie cookie = AskForCookie();
  Syn(cookie.size, cookie, "data");
  const auto first = peer.Take();
  Syn(-1, {}, "");  // as clients repeat it: without cookie and data
  const auto again = peer.Take();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].segment.seq, first[0].segment.seq);
  EXPECT_EQ(again[0].segment.ack, peer.irs + 5);
}

TEST_P(Server, ClosingTheListenerResetsWhatIsPending) {
  const FastOpenCookie cookie = AskForCookie();
  Syn(cookie.size, cookie, "data");
  peer.Take();
  ASSERT_TRUE(peer.stack->Close(peer.now, listener));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.Has(kRst));
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

// As Linux: the answer has the form of the question, and so has a cookie that is renewed.
TEST_P(Server, AnswersTheExperimentalOptionInItsForm) {
  const auto syn = [&](const FastOpenCookie& cookie, std::string_view data) {
    wire::Segment segment = peer.Make(kSyn, peer.irs, 0, {});
    stack::PutCookie(cookie, segment.options);
    peer.Inject(Pack(peer.theirs(), peer.ours(), segment, data));
    const auto sent = peer.Take();
    EXPECT_EQ(sent.size(), 1u);
    return sent.empty() ? wire::Segment{} : sent[0].segment;
  };
  const FastOpenCookie cookie = stack::CookieOf(syn({.experimental = true}, "").options);
  EXPECT_TRUE(cookie.experimental);
  EXPECT_EQ(cookie.size, 8);
  peer.Segment(kRst, peer.irs + 1, 0);
  FastOpenCookie plain = AskForCookie();
  EXPECT_EQ(plain.bytes, cookie.bytes);
  const wire::Segment taken = syn(cookie, "data");
  EXPECT_EQ(taken.ack, peer.irs + 5);
  EXPECT_FALSE(taken.options.has_fast_open);
  peer.port = 4001;
  peer.Set("net.ipv4.tcp_fastopen_key", "5-6-7-8");
  const FastOpenCookie fresh = stack::CookieOf(syn(cookie, "data").options);
  EXPECT_TRUE(fresh.experimental);
  EXPECT_NE(fresh.bytes, cookie.bytes);
}

// TCP_FASTOPEN_KEY: a listener's own secrets go before the stack's.
TEST_P(Server, AListenerMayHaveItsOwnKeys) {
  const FastOpenCookie of_stack = AskForCookie();
  SocketOptions options = *peer.stack->GetOptions(listener);
  options.fast_open_keys = 1;
  options.fast_open_key[0] = {1, 2, 3};
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  const FastOpenCookie own = AskForCookie();
  EXPECT_NE(own.bytes, of_stack.bytes);
  const FastOpenCookie made =
      stack::MakeFastOpenCookie(options.fast_open_key[0], peer.theirs(), peer.ours());
  EXPECT_EQ(own.bytes, made.bytes);
  // The old one as second: its cookies are still taken, and replaced.
  options.fast_open_keys = 2;
  options.fast_open_key[1] = options.fast_open_key[0];
  options.fast_open_key[0] = {4, 5, 6};
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  Syn(own.size, own, "data");
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 5);
  const FastOpenCookie fresh =
      stack::MakeFastOpenCookie(options.fast_open_key[0], peer.theirs(), peer.ours());
  EXPECT_EQ(sent[0].segment.options.fast_open_cookie, fresh.bytes);
}

}  // namespace
}  // namespace estab::test
