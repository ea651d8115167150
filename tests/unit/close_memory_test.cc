// Memory refused, once at every place: nothing may crash, leak or stay behind.
#include <gtest/gtest.h>

#include "closing_peer.h"
#include "unit/test_allocator.h"

namespace estab::test {
namespace {

// Opening both ways, data ahead of a gap, half-open records, every way of closing, TIME_WAIT, and
// a walk over all of it. Each step takes it as it comes: any of them may have been refused.
class Life {
 public:
  explicit Life(RawPeer& peer) : p_(peer) {}

  void Run() {
    const auto listener = p_.stack->Open(false);
    if (listener) {
      handles_.push_back(*listener);
      (void)p_.stack->Bind(*listener, {IpAddress::AnyV4(), 80});
      (void)p_.stack->Listen(p_.now, *listener, 8);
      for (std::uint16_t port = 1; port <= 3; ++port) Passive(*listener, port, port == 3);
    }
    for (std::uint16_t port = 11; port <= 13; ++port) Active(port, port == 12, port == 13);
    Walk();
    p_.Pass(seconds(3));
    for (const SocketId id : handles_) (void)p_.stack->Close(p_.now, id);
    p_.Take();
    Walk();
    p_.Pass(seconds(1000));
  }

 private:
  void Passive(SocketId listener, std::uint16_t port, bool stays_half_open) {
    p_.port = port;
    p_.our_port = 80;
    p_.Segment(kSyn, p_.irs, 0);
    for (const Sent& s : p_.Take()) p_.iss = s.segment.seq;
    if (stays_half_open) return;
    p_.Segment(kAck, p_.irs + 1, p_.iss + 1);
    if (const auto id = p_.stack->Accept(p_.now, listener)) handles_.push_back(*id);
    Data();
  }
  void Active(std::uint16_t port, bool crossed, bool closes) {
    const auto id = p_.stack->Open(false);
    if (!id) return;
    handles_.push_back(*id);
    (void)p_.stack->Connect(p_.now, *id, {p_.theirs(), port});
    p_.port = port;
    for (const Sent& s : p_.Take()) {
      p_.iss = s.segment.seq;
      p_.our_port = s.segment.source_port;
    }
    if (crossed) p_.Segment(kSyn, p_.irs, 0);
    p_.Segment(kSyn | kAck, p_.irs, p_.iss + 1);
    (void)p_.stack->Send(p_.now, *id, Bytes("some bytes"));
    Data();
    if (!closes) return;
    p_.ReadAll(*id);
    (void)p_.stack->Shutdown(p_.now, *id, How::kWrite);
    p_.Take();
    p_.Segment(kFin | kAck, p_.irs + 31, p_.iss + 12);
    p_.Segment(kSyn, p_.irs + 5000, 0);
    p_.stack->CheckInvariants();
  }
  void Data() {
    p_.Segment(kAck, p_.irs + 11, p_.iss + 1, {.data = "0123456789"});
    p_.Segment(kAck, p_.irs + 1, p_.iss + 1, {.data = "0123456789"});
    p_.Segment(kAck, p_.irs + 21, p_.iss + 1, {.data = "0123456789"});
    p_.stack->CheckInvariants();
    p_.Take();
  }
  void Walk() {
    std::array<ConnectionInfo, 4> some;
    for (ListCursor cursor; !cursor.done;) (void)p_.stack->List(p_.now, cursor, some);
    p_.stack->CheckInvariants();
  }

  RawPeer& p_;
  std::vector<SocketId> handles_;
};

TEST(Memory, EveryAllocationOfClosingFailsOnce) {
  std::uint64_t calls = 0;
  for (std::uint64_t i = 0; i <= calls; ++i) {
    SCOPED_TRACE("allocation " + std::to_string(i) + " (0: none)");
    TestAllocator allocator;
    {
      RawPeer p(false, &allocator);
      const std::uint64_t before = allocator.calls();
      if (i != 0) allocator.FailAt(before + i - 1);
      Life(p).Run();
      if (i == 0) calls = allocator.calls() - before;
      const StackCounters c = p.stack->Counters();
      EXPECT_EQ(c.sockets, 0u);
      EXPECT_EQ(c.half_open, 0u);
      EXPECT_EQ(c.time_wait, 0u);
      EXPECT_EQ(c.orphans, 0u);
      EXPECT_EQ(c.payload_chunks, 0u);
      EXPECT_EQ(c.memory_in_use, 0u);
    }
    ASSERT_EQ(allocator.outstanding(), 0u);
  }
  EXPECT_GT(calls, 10u);
}

}  // namespace
}  // namespace estab::test
