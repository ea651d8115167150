// Reading by borrowing: the bytes are looked at where they have arrived, and take room until they
// are given back.
#include <gtest/gtest.h>

#include <string>

#include "unit/stack_pair.h"
#include "unit/test_allocator.h"

namespace estab::test {
namespace {

std::string_view TextOf(const BorrowedBytes& piece) {
  return {reinterpret_cast<const char*>(piece.bytes.data()), piece.bytes.size()};
}

class Borrow : public testing::TestWithParam<bool> {
 protected:
  Borrow() : peer(GetParam()), id(peer.Established()) {}

  void Arrive(std::string_view data, unsigned flags = kAck) {
    peer.Segment(flags, peer.irs + 1 + arrived_, peer.iss + 1, {.data = data});
    arrived_ += static_cast<std::uint32_t>(data.size());
  }
  std::vector<BorrowedBytes> Take(std::size_t pieces = 16) {
    std::vector<BorrowedBytes> out(pieces);
    const auto n = peer.stack->Borrow(peer.now, id, out);
    error = n ? Error{} : n.error();
    out.resize(n.value_or(0));
    return out;
  }
  void GiveBack(const std::vector<BorrowedBytes>& pieces) {
    EXPECT_TRUE(peer.stack->GiveBack(peer.now, pieces));
  }
  static std::string Joined(const std::vector<BorrowedBytes>& pieces) {
    std::string all;
    for (const BorrowedBytes& piece : pieces) all += TextOf(piece);
    return all;
  }
  std::uint32_t Window() { return peer.stack->GetInfo(peer.now, id)->receive_window; }

  RawPeer peer;
  SocketId id;
  Error error{};

 private:
  std::uint32_t arrived_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Families, Borrow, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Borrow, LendsWhatHasArrived) {
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(error, Error::kWouldBlock);
  Arrive("abc");
  Arrive("def");
  const auto pieces = Take();
  EXPECT_EQ(Joined(pieces), "abcdef");
  EXPECT_EQ(peer.ReadAll(id), "");  // it has been read
  EXPECT_EQ(*peer.stack->GetReadiness(id) & kReadable, 0);
  Arrive("ghi");  // goes elsewhere: what is lent stays as it is
  EXPECT_EQ(Joined(pieces), "abcdef");
  EXPECT_EQ(peer.ReadAll(id), "ghi");
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 1u);
  GiveBack(pieces);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

TEST_P(Borrow, AsManyPiecesAsThereIsRoomFor) {
  const std::string text(1400, 't');
  for (int i = 0; i < 10; ++i) Arrive(text);
  EXPECT_TRUE(Take(0).empty());
  EXPECT_EQ(error, Error{});
  const auto first = Take(2);
  const auto rest = Take(50);
  EXPECT_EQ(first.size(), 2u);
  EXPECT_GE(rest.size(), 1u);
  EXPECT_EQ(Joined(first).size() + Joined(rest).size(), 14'000u);
  GiveBack(rest);  // in any order
  GiveBack(first);
}

TEST_P(Borrow, TheWindowOpensWhenItIsGivenBack) {
  SocketOptions options = *peer.stack->GetOptions(id);
  options.receive_buffer = 8000;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  const std::string text(1400, 't');
  while (peer.edge - (peer.irs + 1) > 0 && Window() >= 1400) {
    Arrive(text);
    peer.Pass(milliseconds(300));
  }
  peer.Take();
  const std::uint32_t edge = peer.edge;
  const auto pieces = Take(50);
  EXPECT_GE(Joined(pieces).size(), 5600u);
  peer.Pass(milliseconds(300));
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(peer.edge, edge);
  GiveBack(pieces);
  EXPECT_EQ(peer.Take().size(), 1u);
  EXPECT_GT(peer.edge, edge);
}

TEST_P(Borrow, EndsWhereTheStreamDoes) {
  Arrive("last", kFin | kAck);
  const auto pieces = Take();
  EXPECT_EQ(Joined(pieces), "last");
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(error, Error{});
  GiveBack(pieces);
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(error, Error{});
}

TEST_P(Borrow, TellsAnErrorOnce) {
  Arrive("before");
  peer.Segment(kRst | kAck, peer.irs + 7, peer.iss + 1);
  const auto pieces = Take();
  EXPECT_EQ(Joined(pieces), "before");
  Take();
  EXPECT_EQ(error, Error::kConnectionReset);
  Take();
  EXPECT_EQ(error, Error{});
  GiveBack(pieces);
}

TEST_P(Borrow, StopsAtAnUrgentByteAndLeavesItOut) {
  wire::Segment urgent = peer.Make(kAck | kUrg, peer.irs + 1, peer.iss + 1, {});
  urgent.urgent = 4;
  peer.Inject(Pack(peer.theirs(), peer.ours(), urgent, "abcUdef"));
  const auto before = Take();
  EXPECT_EQ(Joined(before), "abc");
  const auto behind = Take();
  EXPECT_EQ(Joined(behind), "def");
  GiveBack(before);
  GiveBack(behind);
}

TEST_P(Borrow, OutlivesItsConnection) {
  Arrive("kept");
  const auto pieces = Take();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_FALSE(sent.back().segment.Has(kRst));  // it was read
  peer.Segment(kRst | kAck, peer.irs + 5, peer.iss + 2);
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(Joined(pieces), "kept");
  GiveBack(pieces);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

TEST_P(Borrow, GivenBackOnceAndNothingElse) {
  Arrive("once");
  const auto pieces = Take();
  ASSERT_EQ(pieces.size(), 1u);
  const BorrowedBytes twice[] = {pieces[0], pieces[0]};
  EXPECT_EQ(peer.stack->GiveBack(peer.now, twice).error(), Error::kInvalid);
  const BorrowedBytes nonsense[] = {{{}, 0}, {{}, 1}, {{}, UINT64_MAX}, pieces[0]};
  EXPECT_EQ(peer.stack->GiveBack(peer.now, nonsense).error(), Error::kInvalid);
  EXPECT_TRUE(peer.stack->GiveBack(peer.now, {}));
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
  EXPECT_EQ(Window(), 131072u);
}

TEST(BorrowEnd, TheStackMayGoBeforeItIsGivenBack) {
  TestAllocator allocator;
  {
    RawPeer peer(false, &allocator);
    const SocketId id = peer.Established();
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "lent"});
    BorrowedBytes piece;
    ASSERT_EQ(peer.stack->Borrow(peer.now, id, {&piece, 1}).value(), 1u);
  }
  EXPECT_EQ(allocator.outstanding(), 0u);
}

TEST(BorrowEnd, WithoutMemoryNothingIsLost) {
  TestAllocator allocator;
  RawPeer peer(false, &allocator);
  const SocketId id = peer.Established();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "stays"});
  allocator.FailAt(allocator.calls());
  BorrowedBytes piece;
  EXPECT_EQ(peer.stack->Borrow(peer.now, id, {&piece, 1}).error(), Error::kNoMemory);
  EXPECT_EQ(peer.ReadAll(id), "stays");
}

}  // namespace
}  // namespace estab::test
