// Opening, where nothing is lost.
#include <algorithm>

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"
#include "sim/scenarios/open_beside.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

void ThreeWay(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  (void)ctx.a().Send(pair.a, "hello");
  ctx.RunUntil(200ms + 2 * d);
  ctx.ExpectData(ctx.b().Read(pair.b), "hello", "recv of B");
  ctx.ExpectWire(Then(Handshake(d),
                      {{200ms, "A . seq=x+1 ack=y+1 len=5"}, {200ms + d, "B . seq=y+1 ack=x+6"}}));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished});
  ctx.ExpectTransition(Side::kA, State::kClosed, State::kSynSent, 0ms);
  ctx.ExpectTransition(Side::kB, State::kListen, State::kSynRcvd, d);
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, 2 * d);
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, 3 * d);
  ctx.CloseAndExpectNothingLeft();
}

// An application that writes as soon as its socket is connected, before the stack is asked for
// what it has to send: the ACK rides on the data.
void ThirdCarriesData(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  bool written = false;
  ctx.world().SetStepHook([&] {
    if (written || ctx.a().state(a) != State::kEstablished) return;
    written = ctx.a().Send(a, "hello").has_value();
  });
  ctx.Run(5 * d);
  ctx.world().SetStepHook({});
  const SocketId b = ctx.b().MustAccept(listener);
  ctx.ExpectData(ctx.b().Read(b), "hello", "recv of B");
  ctx.ExpectWire({{0ms, "A S seq=x"},
                  {d, "B S. seq=y ack=x+1"},
                  {2 * d, "A . seq=x+1 ack=y+1 len=5"},
                  {3 * d, "B . seq=y+1 ack=x+6"}});
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, 3 * d);
  ctx.CloseAndExpectNothingLeft();
}

void SimultaneousOpen(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  constexpr std::uint16_t kPortA = 5000;
  constexpr std::uint16_t kPortB = 6000;
  const SocketId a = ctx.a().Connect(ctx.b(), kPortB, kPortA);
  const SocketId b = ctx.b().Connect(ctx.a(), kPortA, kPortB);
  ctx.Run(4 * d);
  std::vector<ExpectedSegment> wire{
      {0ms, "A S seq=x"}, {0ms, "B S seq=y"}, {d, "A S. seq=x ack=y+1"}, {d, "B S. seq=y ack=x+1"}};
  if (ctx.Profile() == "linux") {  // which acknowledges the other's SYN once more
    wire.push_back({2 * d, "A . seq=x+1 ack=y+1"});
    wire.push_back({2 * d, "B . seq=y+1 ack=x+1"});
  }
  ctx.ExpectWire(wire);
  for (const Side side : {Side::kA, Side::kB}) {
    ctx.ExpectStates(side, {State::kClosed, State::kSynSent, State::kSynRcvd, State::kEstablished});
    ctx.ExpectTransition(side, State::kSynSent, State::kSynRcvd, d);
    ctx.ExpectTransition(side, State::kSynRcvd, State::kEstablished, 2 * d);
    ctx.ExpectEqual(ctx.host(side).stack().Counters().sockets, 1u, "there is one connection");
  }
  ctx.RunUntil(200ms);
  (void)ctx.a().Send(a, "one connection");
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.b().Read(b), "one connection", "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

void Refused(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.Note("nobody listens at port 81", Side::kB);
  const SocketId a = ctx.a().Connect(ctx.b(), 81, kClientPort);
  ctx.Run(2 * d);
  ctx.ExpectError(ctx.a().TakeError(a), Error::kConnectionRefused, "connect of A");
  ctx.ExpectWire({{0ms, "A S seq=x"}, {d, "B R. seq=0 ack=x+1"}});
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kClosed, 2 * d);
  ctx.ExpectStates(Side::kB, {});
  (void)ctx.a().Close(a);
  ctx.ExpectNothingLeft();
}

void OldSynFirst(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort);
  const Duration late = 5 * d;
  ctx.Fault(fmt::format("delay the 1st SYN from A by {}us",
                        std::chrono::duration_cast<std::chrono::microseconds>(late).count()));
  ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.Run(0ms);
  wire::Segment old;
  old.flags = kSyn;
  old.seq = ctx.Isn(Side::kA) - 10;
  old.window = 65535;
  ctx.Note("an old SYN of A turns up");
  ctx.Inject(Side::kB, ctx.a().endpoint(kClientPort), ctx.b().endpoint(kServerPort), old, d);
  ctx.RunUntil(3 * d + 1ms);
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kListen});
  ctx.ExpectError(ctx.b().Accept(listener), Error::kWouldBlock, "accept of B");
  ctx.RunUntil(d + late + 4 * d);
  std::vector<ExpectedSegment> wire{
      {0ms, "A S seq=x"}, {d, "B S. seq=y ack=x-9"}, {2 * d, "A R seq=x-9"}};
  const Duration again = SynAgain(ctx, 0ms, 2 * d);
  const Duration opens = std::min(again + d, d + late);  // whichever SYN comes first
  if (again + d < d + late) wire.push_back({again, "A S seq=x"});
  wire.push_back({opens, "B S. seq=y' ack=x+1"});
  wire.push_back({opens + d, "A . seq=x+1 ack=y'+1"});
  // The delayed SYN finds B open already, or the SYN|ACK still unconfirmed and just sent.
  if (opens + 2 * d <= d + late) wire.push_back({d + late, "B . seq=y'+1 ack=x+1"});
  ctx.ExpectWire(wire);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished});
  (void)ctx.b().MustAccept(listener);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kNewSynParameters[] = {kDelay, kRtoInitial};

// Linux resets the new SYN and forgets the old one.
void NewSynOnLinux(ScenarioContext& ctx, SocketId a, Duration d) {
  ctx.RunUntil(2 * d + 1ms);
  ctx.ExpectSent({d / 2, "B S. seq=y ack=x-9"});
  ctx.ExpectSent({d, "B R. seq=0 ack=x+1"});
  ctx.ExpectSent({d + d / 2, "A R seq=x-9"});
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kListen, d);
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kClosed, 2 * d);
  ctx.ExpectError(ctx.a().TakeError(a), Error::kConnectionRefused, "connect of A");
  ctx.CloseAndExpectNothingLeft();
}

void NewSynBeforeRst(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.Run(0ms);
  wire::Segment old;
  old.flags = kSyn;
  old.seq = ctx.Isn(Side::kA) - 10;
  old.window = 65535;
  ctx.Note("an old SYN of A is just ahead of the new one");
  ctx.Inject(Side::kB, ctx.a().endpoint(kClientPort), ctx.b().endpoint(kServerPort), old, d / 2);
  const std::string profile = ctx.Profile();
  if (profile == "linux") return NewSynOnLinux(ctx, a, d);
  const Duration again = SynRepeats(ctx).at.at(1);
  ctx.RunUntil(again + 3 * d);
  std::vector<ExpectedSegment> wire{{0ms, "A S seq=x"},
                                    {d / 2, "B S. seq=y ack=x-9"},
                                    {d + d / 2, "A R seq=x-9"},
                                    {again, "A S seq=x"},
                                    {again + d, "B S. seq=y' ack=x+1"},
                                    {again + 2 * d, "A . seq=x+1 ack=y'+1"}};
  if (profile == "default") {
    wire.push_back({d, "B . seq=y+1 ack=x-9"});
    wire.push_back({2 * d, "A R seq=x-9"});
  } else {
    ctx.ExpectTransition(Side::kB, State::kListen, State::kSynRcvd, again + d);
  }
  ctx.ExpectWire(wire);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished});
  (void)ctx.b().MustAccept(listener);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kBacklogParameters[] = {
    kDelay,
    {"tcp_abort_on_overflow", nullptr, "1: reset what does not fit",
     "net.ipv4.tcp_abort_on_overflow"},
    kRtoInitial,
};

// A backlog of 1 holds 2. One connection waits already; two more handshakes begin at once, so the
// last one's final ACK meets a full queue. A fourth SYN comes later and is not even answered.
void Backlog(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const bool abort = ctx.SettingNumber("net.ipv4.tcp_abort_on_overflow") != 0;
  const SocketId listener = ctx.b().Listen(kServerPort, 1);
  std::array<SocketId, 4> a{};
  a[0] = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  const Duration begin = 4 * d;
  ctx.RunUntil(begin);
  a[1] = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1);
  a[2] = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 2);
  ctx.RunUntil(begin + 4 * d);
  if (abort) {
    ctx.ExpectTimes(Side::kB, kRst, {begin + 3 * d});
    ctx.ExpectState(Side::kA, a[2], State::kClosed);
    ctx.ExpectError(ctx.a().TakeError(a[2]), Error::kConnectionReset, "A's third connection");
    return ctx.CloseAndExpectNothingLeft();
  }
  ctx.ExpectState(Side::kA, a[2], State::kEstablished);
  const Duration later = begin + 6 * d;
  ctx.RunUntil(later);
  a[3] = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 3);
  // The queue stays full until B's first repeat has gone, and A has not repeated its SYN in vain.
  const Schedule syns = SynRepeats(ctx);
  const Schedule synacks = SynAckRepeats(ctx);
  const Duration third = begin + d;  // when its SYN|ACK went out
  const Duration accepted = third + synacks.at.at(1) + 4 * d;
  ctx.RunUntil(accepted);
  ctx.ExpectState(Side::kA, a[3], State::kSynSent);
  ctx.ExpectTimes(Side::kB, kSyn | kAck, {d, third, third, third + synacks.at[1]});
  (void)ctx.b().MustAccept(listener);
  (void)ctx.b().MustAccept(listener);
  ctx.ExpectError(ctx.b().Accept(listener), Error::kWouldBlock, "the third accept of B");
  std::size_t next = 1;
  while (later + syns.at.at(next) + d <= accepted) ++next;
  const Duration fourth = later + syns.at[next] + d;
  std::vector<Duration> times{d,     third, third, third + synacks.at[1], third + synacks.at.at(2),
                              fourth};
  std::sort(times.begin(), times.end());
  ctx.RunUntil(times.back() + 3 * d);
  ctx.ExpectTimes(Side::kB, kSyn | kAck, times);
  ctx.ExpectState(Side::kA, a[3], State::kEstablished);
  (void)ctx.b().MustAccept(listener);
  (void)ctx.b().MustAccept(listener);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kThreeWayVariants[] = {
    {"with four segments (counterfactual)", true, FourSegments}};

constexpr Scenario kOpenScenarios[] = {
    {"open/three-way", "three segments open a connection",
     "A asks with a SYN, B answers with SYN and ACK in one segment, A acknowledges: each side has "
     "sent its number and has it acknowledged. A SYN uses one sequence number and a bare ACK none, "
     "so the first byte of data is x+1 as well (RFC 9293 §3.5). Nothing is won by sending B's ACK "
     "and "
     "SYN apart: four segments instead of three, and nobody is ready sooner.",
     kDelayOnly, ThreeWay, "with three segments, as it is", kThreeWayVariants},
    {"open/third-carries-data", "the third segment carries data already",
     "The third segment may carry data: B delivers it as it becomes ESTABLISHED (RFC 9293 §3.5).",
     kDelayOnly, ThirdCarriesData},
    {"open/simultaneous", "both sides open at once, and their SYNs cross",
     "Each side gets a SYN while its own is under way: SYN_SENT becomes SYN_RCVD, each answers "
     "with "
     "SYN and ACK, and one connection is there, not two (RFC 9293 §3.5, figure 7).",
     kDelayOnly, SimultaneousOpen},
    {"open/refused", "nobody listens at the port",
     "A SYN to a port without listener is answered with a reset: seq 0, since there is no ACK to "
     "take a number from, and ack SEG.SEQ+SEG.LEN. connect gives ECONNREFUSED (RFC 9293 "
     "§3.10.7.1).",
     kDelayOnly, Refused},
    {"open/old-syn-first", "an old SYN arrives before the new one",
     "B cannot know that the SYN is old and answers it. A expects x+1, sees another number "
     "acknowledged, and resets; B drops its half-open record without a word to the application. "
     "The new SYN opens the connection: this is what the third segment is for (RFC 9293 §3.5, "
     "figure 8).",
     kDelayOnly, OldSynFirst},
    {"open/new-syn-before-rst", "the new SYN meets the half-open record of an old one",
     "B is in SYN_RCVD from an old SYN when the new one arrives, inside the window: a challenge "
     "ACK repeats what B believes. A resets that, and its SYN's repeat completes (RFC 5961 §4.2). "
     "Profile linux: B resets, and A's connection is refused; rfc: B returns to LISTEN without a "
     "word.",
     kNewSynParameters, NewSynBeforeRst},
    {"open/backlog", "the accept queue is full",
     "A backlog of 1 holds 2, as on Linux. The third handshake's final ACK is dropped and B goes "
     "on "
     "repeating its SYN|ACK, though A believes the connection open; a fourth SYN is not answered. "
     "Both complete once the application has accepted. With tcp_abort_on_overflow=1 the third is "
     "reset.",
     kBacklogParameters, Backlog},
};

}  // namespace

std::span<const Scenario> OpenScenarios() { return kOpenScenarios; }

}  // namespace estab::sim
