// Sending by reference: the bytes leave from where the user has them, and are returned once, when
// nobody looks at them any more.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "unit/stack_pair.h"
#include "unit/test_allocator.h"

namespace estab::test {
namespace {

constexpr auto kPiece = std::size_t{10'000};

std::string Pattern(std::size_t size, unsigned seed = 1) {
  std::string s(size, '\0');
  std::uint32_t x = seed * 12345;
  for (char& c : s) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return s;
}

std::vector<ReturnedBytes> TakeReturned(Stack& stack) {
  std::vector<ReturnedBytes> all(100);
  all.resize(stack.TakeReturned(all));
  return all;
}
std::vector<std::uint64_t> ReturnedTokens(Stack& stack) {
  std::vector<std::uint64_t> tokens;
  for (const ReturnedBytes& bytes : TakeReturned(stack)) tokens.push_back(bytes.token);
  return tokens;
}
using Tokens = std::vector<std::uint64_t>;

/// A connection to a peer whose every segment is made by hand.
class Reference : public testing::TestWithParam<bool> {
 protected:
  Reference() : peer(GetParam()), id(peer.Established()) {}

  void Send(std::span<const char> bytes, std::uint64_t token) {
    ASSERT_EQ(
        peer.stack->SendReference(peer.now, id, Bytes({bytes.data(), bytes.size()}), token).value(),
        bytes.size());
  }
  void Ack(std::uint32_t bytes) { peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + bytes); }
  std::string Sent() {
    std::string all;
    for (const test::Sent& s : peer.Take()) all += s.payload;
    return all;
  }

  RawPeer peer;
  SocketId id;
};
INSTANTIATE_TEST_SUITE_P(Families, Reference, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Reference, NothingIsCopied) {
  std::string text = "these bytes stay where they are";
  const auto chunks = peer.stack->Counters().memory_in_use;
  Send(text, 7);
  EXPECT_EQ(peer.stack->Counters().memory_in_use, chunks);
  text.replace(0, 5, "THESE");  // before they have left: that is what leaves
  EXPECT_EQ(Sent(), "THESE bytes stay where they are");
  text.replace(6, 5, "BYTES");  // before they are repeated
  peer.Pass(milliseconds(1500));
  EXPECT_EQ(Sent().substr(0, text.size()), "THESE BYTES stay where they are");
}

TEST_P(Reference, ReturnedWhenAllOfItIsAcknowledged) {
  const std::string text = Pattern(2000);
  Send(text, 7);
  Send(std::string_view("more"), 8);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  peer.Take();
  Ack(1999);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  Ack(2000);
  const auto returned = TakeReturned(*peer.stack);
  ASSERT_EQ(returned.size(), 1u);
  EXPECT_EQ(returned[0].token, 7u);
  EXPECT_FALSE(returned[0].copied);
  Ack(2004);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{8});
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

TEST_P(Reference, ALinkThatHoldsAPacketHoldsTheBytes) {
  peer.sink.holds = true;
  Send(std::string_view("held"), 7);
  peer.Take();
  Ack(4);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  peer.stack->TransmitComplete(peer.sink.tokens);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
  // The other way round.
  peer.sink.tokens.clear();
  Send(std::string_view("held"), 8);
  peer.Take();
  peer.stack->TransmitComplete(peer.sink.tokens);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  Ack(8);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{8});
}

TEST_P(Reference, ARepeatThatALinkHoldsOutlivesTheAcknowledgement) {
  Send(std::string_view("held"), 7);
  peer.Take();
  peer.sink.holds = true;
  peer.Pass(milliseconds(1500));  // it goes again, and now the link keeps it
  ASSERT_FALSE(peer.sink.tokens.empty());
  Ack(4);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  peer.stack->TransmitComplete(peer.sink.tokens);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, LiesInTheQueueBesideCopiedBytes) {
  const std::string middle = "referred to ";
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("copied "), {.more = true}));
  ASSERT_TRUE(peer.stack->SendReference(peer.now, id, Bytes(middle), 7, {.more = true}));
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("and copied again")));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, "copied referred to and copied again");
  Ack(7 + 12);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, CountsAgainstTheSendBuffer) {
  SocketOptions options = *peer.stack->GetOptions(id);
  options.send_buffer = 5000;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  const std::string text = Pattern(8000);
  EXPECT_EQ(peer.stack->SendReference(peer.now, id, Bytes(text), 7).value(), 5000u);
  EXPECT_EQ(peer.stack->SendReference(peer.now, id, Bytes(text), 8).error(), Error::kWouldBlock);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->send_queue, 5000u);
  EXPECT_EQ(Sent(), text.substr(0, 5000));
  Ack(5000);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, WhatIsRefusedIsNotReturned) {
  EXPECT_EQ(peer.stack->SendReference(peer.now, id, {}, 7).value(), 0u);
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  EXPECT_EQ(peer.stack->SendReference(peer.now, id, Bytes("late"), 8).error(), Error::kBrokenPipe);
  const SocketId fresh = *peer.stack->Open(false);
  EXPECT_FALSE(peer.stack->SendReference(peer.now, fresh, Bytes("early"), 9));
  EXPECT_EQ(peer.stack->SendReference(peer.now, {}, Bytes("none"), 10).error(), Error::kBadHandle);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
}

// --- Every end returns it, once ------------------------------------------------------------------

TEST_P(Reference, ReturnedByAReset) {
  Send(std::string_view("gone"), 7);
  peer.Take();
  peer.Segment(kRst | kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, ReturnedByAnAbort) {
  Send(std::string_view("gone"), 7);
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
  EXPECT_EQ(Sent(), "");
}

TEST_P(Reference, ReturnedByTheEndOfAll) {
  Send(std::string_view("gone"), 7);
  peer.stack->ResetAll(peer.now);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, ReturnedWhenThePeerIsGivenUp) {
  Send(std::string_view("gone"), 7);
  peer.Take();
  peer.Pass(seconds(3000));
  EXPECT_EQ(peer.StateOf(id), State::kClosed);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, StaysBehindAClose) {
  Send(std::string_view("last words"), 7);
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_EQ(Sent(), "last words");
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  Ack(11);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST_P(Reference, AnAbortDoesNotTakeItFromTheLink) {
  peer.sink.holds = true;
  Send(std::string_view("held"), 7);
  peer.Take();
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  peer.stack->TransmitComplete(peer.sink.tokens);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST(ReferenceEnd, TheStackMayGoBeforeItIsReturned) {
  TestAllocator allocator;
  {
    RawPeer peer(false, &allocator);
    const SocketId id = peer.Established();
    const std::string text = Pattern(kPiece);
    ASSERT_TRUE(peer.stack->SendReference(peer.now, id, Bytes(text), 7));
    ASSERT_TRUE(peer.stack->SendReference(peer.now, id, Bytes("x"), 8));
    peer.Take();
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + kPiece);  // 7 is returned, but not taken
  }
  EXPECT_EQ(allocator.outstanding(), 0u);
}

// --- OwnReferences -------------------------------------------------------------------------------

TEST_P(Reference, MayBeHadBackByACopy) {
  std::string text = Pattern(20'000);
  const std::string before = text;
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("head")));
  Send(std::string_view(text).substr(0, 9000), 7);
  Send(std::string_view(text).substr(9000), 8);
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("tail")));
  std::string sent = Sent();  // part of it is under way
  ASSERT_TRUE(peer.stack->OwnReferences(id));
  const auto returned = TakeReturned(*peer.stack);
  ASSERT_EQ(returned.size(), 2u);
  EXPECT_EQ(returned[0].token, 7u);
  EXPECT_TRUE(returned[0].copied && returned[1].copied);
  text.assign(text.size(), '!');
  for (int i = 0; i < 100 && sent.size() < before.size() + 8; ++i) {
    Ack(static_cast<std::uint32_t>(sent.size()));
    sent += Sent();
  }
  EXPECT_TRUE(sent == "head" + before + "tail");
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(".")));  // the tail is whole
  Ack(static_cast<std::uint32_t>(sent.size()));
  EXPECT_EQ(Sent(), ".");
  Ack(static_cast<std::uint32_t>(sent.size() + 1));
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

TEST_P(Reference, ACopyCannotBeHadOfWhatALinkHolds) {
  peer.sink.holds = true;
  Send(std::string_view("held"), 7);
  peer.Take();
  ASSERT_TRUE(peer.stack->OwnReferences(id));
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  peer.stack->TransmitComplete(peer.sink.tokens);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

TEST(ReferenceEnd, WithoutMemoryForACopyItStaysReferredTo) {
  RawPeer peer;
  const SocketId id = peer.Established();
  const std::string text = Pattern(kPiece);
  ASSERT_TRUE(peer.stack->SendReference(peer.now, id, Bytes(text), 7));
  peer.Set("estab.mem_limit", "1");
  EXPECT_EQ(peer.stack->OwnReferences(id).error(), Error::kNoMemory);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{});
  std::string sent;
  for (const Sent& s : peer.Take()) sent += s.payload;
  EXPECT_EQ(sent, text.substr(0, sent.size()));
  EXPECT_FALSE(sent.empty());
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + kPiece);
  EXPECT_EQ(ReturnedTokens(*peer.stack), Tokens{7});
}

// --- To ourselves, and on a SYN ------------------------------------------------------------------

TEST_P(Reference, ToOurselvesItIsCopiedAndSaidToBe) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  Stack& stack = *pair.b.stack;
  const SocketId client = *stack.Open(pair.v6);
  EXPECT_EQ(stack.Connect(pair.now, client, {pair.Address(2), 80}).error(), Error::kInProgress);
  pair.Exchange();
  ASSERT_TRUE(stack.SendReference(pair.now, client, Bytes("to myself"), 7));
  pair.Pass(seconds(1));
  const auto returned = TakeReturned(stack);
  ASSERT_EQ(returned.size(), 1u);
  EXPECT_EQ(returned[0].token, 7u);
  EXPECT_TRUE(returned[0].copied);
}

TEST(ReferenceEnd, OnASynItIsCopiedAndSaidToBe) {
  RawPeer peer;
  peer.Set("net.ipv4.tcp_fastopen", "5");  // without asking for a cookie first
  SocketOptions options;
  options.fast_open_connect = true;
  const SocketId id = *peer.stack->Open(false);
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  ASSERT_TRUE(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}));
  EXPECT_EQ(peer.stack->SendReference(peer.now, id, Bytes("on the SYN"), 7).value(), 10u);
  const auto returned = TakeReturned(*peer.stack);
  ASSERT_EQ(returned.size(), 1u);
  EXPECT_EQ(returned[0].token, 7u);
  EXPECT_TRUE(returned[0].copied);
  EXPECT_EQ(peer.Take()[0].payload, "on the SYN");
}

// --- Much of it, over a bad path -----------------------------------------------------------------

struct Road {
  int lose_every = 0;  // of a hundred
  bool reorder = false;
  std::uint32_t x = 99;
  std::uint32_t Next() { return (x = x * 1664525 + 1013904223) >> 8; }
};

// As soon as a piece is returned its memory is overwritten: were it looked at again, wrong bytes
// would arrive.
TEST_P(Reference, NothingArrivesWrongThoughMemoryIsUsedAnewAtOnce) {
  for (const Road& road : {Road{}, Road{5, true}, Road{20, true}}) {
    Road way = road;
    Pair pair(GetParam());
    const auto ends = OpenPair(pair);
    ASSERT_TRUE(ends);
    pair.rough = [&](bool, std::size_t) {
      Pair::Fate fate;
      if (way.Next() % 100 < static_cast<unsigned>(way.lose_every)) fate.copies = 0;
      if (way.reorder && way.Next() % 8 == 0) fate.more = milliseconds(way.Next() % 20);
      if (way.reorder && way.Next() % 16 == 0) fate.copies += 1;
      return fate;
    };
    std::map<std::uint64_t, std::string> lent;
    std::string wanted;
    std::string received;
    std::uint64_t token = 0;
    const auto pump = [&] {
      for (const std::uint64_t back : ReturnedTokens(*pair.a.stack)) {
        const auto found = lent.find(back);
        ASSERT_NE(found, lent.end()) << back;
        found->second.assign(found->second.size(), '#');
        lent.erase(found);
      }
      while (token < 60) {
        std::string bytes = Pattern(1 + way.Next() % kPiece, static_cast<unsigned>(token));
        const auto n = pair.a.stack->SendReference(pair.now, ends->client, Bytes(bytes), token);
        if (!n) break;
        wanted += bytes.substr(0, *n);
        lent.emplace(token++, std::move(bytes));
      }
      std::array<std::byte, 5000> buffer;
      while (const auto n = pair.b.stack->Read(pair.now, ends->server, buffer)) {
        if (*n == 0) break;
        received.append(reinterpret_cast<const char*>(buffer.data()), *n);
      }
    };
    pair.Run(pair.now + seconds(600), pump);
    EXPECT_EQ(token, 60u);
    EXPECT_TRUE(received == wanted) << road.lose_every;
    EXPECT_TRUE(lent.empty());
    EXPECT_GE(pair.a.stack->Counters().retransmissions, road.lose_every == 0 ? 0u : 10u);
  }
}

// --- Without memory ------------------------------------------------------------------------------

TEST(ReferenceEnd, MemoryRefusedAtEveryPlace) {
  std::uint64_t needed = UINT64_MAX;
  for (std::uint64_t n = 0; n <= needed; ++n) {
    TestAllocator allocator;
    {
      Pair pair(false, &allocator);
      if (!pair.ok()) continue;
      const auto ends = OpenPair(pair, seconds(20));
      if (!ends) continue;
      const std::uint64_t before = allocator.calls();
      if (needed == UINT64_MAX) needed = 0;
      allocator.FailAt(before + n);
      const std::string text = Pattern(50'000);
      std::size_t given = 0;
      Tokens taken;
      for (std::uint64_t token = 0; given < text.size() && token < 50; ++token) {
        const auto part = std::string_view(text).substr(given, 7000);
        const auto sent = pair.a.stack->SendReference(pair.now, ends->client, Bytes(part), token);
        if (sent) {
          given += *sent;
          taken.push_back(token);
        }
        if (token == 3) (void)pair.a.stack->OwnReferences(ends->client);
        pair.Pass(milliseconds(200));
      }
      (void)pair.a.stack->Close(pair.now, ends->client);
      pair.Pass(seconds(1000));
      Tokens returned = ReturnedTokens(*pair.a.stack);
      std::sort(returned.begin(), returned.end());
      EXPECT_EQ(returned, taken) << "call " << n;
      needed = std::max(needed, allocator.calls() - before);
    }
    EXPECT_EQ(allocator.outstanding(), 0u);
  }
}

}  // namespace
}  // namespace estab::test
