// Closing in other orders, and closing that nobody finishes.
#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/close_beside.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {

using namespace std::chrono_literals;

namespace {}  // namespace

// B must send its FIN together with its ACK, although its application still has something to say.
// A script forces that on B's application; the stacks are as they are.
void CloseInThree(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  bool closed = false;
  ctx.world().SetStepHook([&] {
    if (closed || ctx.b().state(pair.b) != State::kCloseWait) return;
    closed = true;
    ctx.Note("counterfactual: the FIN must go with the ACK", Side::kB);
    (void)ctx.b().stack().Shutdown(ctx.world().now(), pair.b, How::kWrite);
  });
  (void)ctx.a().Shutdown(pair.a);
  ctx.RunUntil(kClose + 200ms);
  ctx.world().SetStepHook({});
  const std::string rest = "the rest";
  ctx.ExpectError(ctx.b().Send(pair.b, rest), Error::kBrokenPipe, "send of B");
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.a().Read(pair.a), "", "recv of A");
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose + d, "B F. seq=y+1 ack=x+2"},
                                     {kClose + 2 * d, "A . seq=x+2 ack=y+2"}}));
  ctx.Say(fmt::format("{} bytes that B still had for A are lost, and A takes the stream for whole",
                      rest.size()));
  ctx.CloseAndExpectNothingLeft();
}

namespace {

constexpr Parameter kMslToo[] = {kDelay, kMsl};

// --- close/fin-with-ack --------------------------------------------------------------------------

void FinAfterAck(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  bool closed = false;
  ctx.world().SetStepHook([&] {
    if (closed || ctx.b().state(pair.b) != State::kCloseWait) return;
    closed = ctx.b().Close(pair.b).has_value();
  });
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + 3 * d);
  ctx.world().SetStepHook({});
  ctx.ExpectSent({kClose + d, "B F. seq=y+1 ack=x+2"});
  ctx.ExpectTransition(Side::kA, State::kFinWait1, State::kTimeWait, kClose + 2 * d);
  ctx.RunUntil(kClose + 2 * d + TwoMsl(ctx));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kTimeWait, State::kClosed});
  ctx.ExpectNothingLeft();
}

// B closes while A's FIN is still under way: the same two FINs, in another order.
void FinBeforeAck(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + d / 2);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(kClose + 3 * d);
  ctx.ExpectSent({kClose + d / 2, "B F. seq=y+1 ack=x+1"});
  // B's ACK of A's FIN leaves when that FIN arrives, half a delay after B's own.
  ctx.ExpectTransition(Side::kA, State::kFinWait1, State::kClosing, kClose + d + d / 2);
  ctx.ExpectTransition(Side::kA, State::kClosing, State::kTimeWait, kClose + 2 * d);
  ctx.RunUntil(kClose + 3 * d + TwoMsl(ctx));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kClosing, State::kTimeWait, State::kClosed});
  ctx.ExpectNothingLeft();
}

constexpr Variant kFinVariants[] = {{"the FIN comes before the ACK", false, FinBeforeAck}};

// --- close/fin-odd -------------------------------------------------------------------------------

// The data is held back, so the FIN overtakes it; by less than what RACK takes for reordering.
void FinAhead(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  const Duration late = 2 * d / 5;
  ctx.Fault(fmt::format("delay the 1st data from A by {}us", late / 1us));
  (void)ctx.a().Send(pair.a, "the last words");
  ctx.Run(d / 5);
  (void)ctx.a().Shutdown(pair.a);
  ctx.RunUntil(kClose + d + 3 * d / 10);
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  ctx.ExpectSent({kClose + d + d / 5, "B . seq=y+1 ack=x+1"});
  ctx.RunUntil(kClose + late + d);
  ctx.ExpectTransition(Side::kB, State::kEstablished, State::kCloseWait, kClose + late + d);
  ctx.ExpectData(ctx.b().Read(pair.b), "the last words", "recv of B");
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  ctx.Run(2 * d);
  ctx.ExpectSent({kClose + late + d, "B . seq=y+1 ack=x+16"});
  ctx.CloseAndExpectNothingLeft();
}

// A FIN that carries data; the same again; and data beyond it.
void FinWithData(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort);
  ctx.TakeOver(Side::kA);
  ctx.PlayState(Side::kA, State::kSynSent, "played");
  Play(ctx, Side::kA, Craft(kSyn, 1000));
  ctx.RunUntil(2 * d);
  const std::uint32_t y = ctx.Isn(Side::kB);
  ctx.PlayState(Side::kA, State::kEstablished, "played");
  Play(ctx, Side::kA, Craft(kAck, 1001, y + 1));
  ctx.RunUntil(3 * d);
  const SocketId b = ctx.b().MustAccept(listener);
  ctx.RunUntil(kClose);
  ctx.PlayState(Side::kA, State::kFinWait1, "played: FIN with data");
  Play(ctx, Side::kA, Craft(kFin | kAck, 1001, y + 1, "hello"));
  ctx.RunUntil(kClose + 100ms);
  ctx.ExpectTransition(Side::kB, State::kEstablished, State::kCloseWait, kClose + d);
  ctx.ExpectData(ctx.b().Read(b), "hello", "recv of B");
  ctx.ExpectData(ctx.b().Read(b), "", "recv of B");
  ctx.Note("the same FIN again");
  Play(ctx, Side::kA, Craft(kFin | kAck, 1001, y + 1, "hello"));
  ctx.RunUntil(kClose + 200ms);
  ctx.ExpectSent({kClose + 100ms + d, "B . seq=y+1 ack=x+7"});
  ctx.Note("data beyond the FIN");
  Play(ctx, Side::kA, Craft(kAck | kPsh, 1007, y + 1, "more"));
  ctx.RunUntil(kClose + 300ms);
  ctx.ExpectData(ctx.b().Read(b), "", "recv of B");
  ctx.ExpectState(Side::kB, b, State::kCloseWait);
  for (const SentSegment& s : ctx.sent()) {
    const bool beyond = s.from == Side::kB && s.segment.ack - 1007 < 0x80000000u &&
                        s.segment.ack != 1007 && (s.segment.flags & kAck) != 0;
    ctx.Expect(!beyond, "nothing beyond the FIN is ever acknowledged");
  }
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kOddVariants[] = {
    {"with data, repeated, and data beyond it", false, FinWithData}};

// --- close/ack-of-fin-lost -----------------------------------------------------------------------

constexpr Parameter kAckOfFinParameters[] = {
    {"lost", "2", "how many ACKs of the FIN are lost: a number, or all"},
    {"tcp_orphan_retries", "4", "repeats after close(); 0 means 8", "net.ipv4.tcp_orphan_retries"},
    kRtoMin,
    kDelay,
};

void AckOfFinLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Schedule fins = OrphanRepeats(ctx, d);
  const auto lost = HowMany(ctx, "lost");
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  if (!lost || *lost > 0) {
    ctx.Fault(lost ? fmt::format("drop the first {} ACK from B", *lost) : "drop every ACK from B");
  }
  (void)ctx.a().Close(pair.a);
  const bool forever = !lost || *lost >= fins.at.size();
  std::vector<Duration> times;
  for (const Duration at : fins.at) times.push_back(kClose + at);
  if (!forever) times.resize(*lost + 1);
  // The ACK of the first FIN waits a little for something to travel with; the others do not.
  std::vector<Duration> acks;
  for (const Duration at : times) acks.push_back(at + d);
  acks.front() += kFinAckWait;
  const Duration end = forever ? kClose + fins.end : acks.back() + d;
  ctx.RunUntil(end + 1ms);
  ctx.ExpectTimes(Side::kA, kFin | kAck, times);
  ctx.ExpectTimes(Side::kB, kAck, acks);
  ctx.ExpectState(Side::kB, pair.b, State::kCloseWait);
  const State then = forever ? State::kClosed : State::kFinWait2;
  ctx.ExpectTransition(Side::kA, State::kFinWait1, then, end);
  if (forever) {
    ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 0u, "A has no TIME_WAIT");
    ctx.ExpectEqual(ctx.a().stack().Counters().orphans, 0u, "A has no orphan left");
  }
  ctx.CloseAndExpectNothingLeft();
}

// --- close/close-wait-leak -----------------------------------------------------------------------

constexpr Parameter kLeakParameters[] = {
    {"connections", "3", "that B's application forgets"},
    {"after", "24h", "how long it does (h, s or ms)"},
    kDelay,
};

Duration Hours(ScenarioContext& ctx, std::string_view name) {
  const std::string text = ctx.Value(name);
  if (text.ends_with('h')) return std::atoi(text.c_str()) * 1h;
  return ctx.Span(name, 1s, 24h * 30);
}

void CloseWaitLeak(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto count = static_cast<std::size_t>(ctx.Number("connections", 1, 50));
  const Duration after = Hours(ctx, "after");
  const SocketId listener = ctx.b().Listen(kServerPort, 64);
  std::vector<SocketId> a;
  std::vector<SocketId> b;
  for (std::size_t i = 0; i < count; ++i) {
    a.push_back(ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i)));
  }
  ctx.RunUntil(4 * d);
  for (std::size_t i = 0; i < count; ++i) b.push_back(ctx.b().MustAccept(listener));
  ctx.RunUntil(kClose);
  for (const SocketId socket : a) (void)ctx.a().Close(socket);
  ctx.RunUntil(kClose + after);
  for (const SocketId socket : b) ctx.ExpectState(Side::kB, socket, State::kCloseWait);
  struct Leak {
    std::size_t count = 0;
    std::uint16_t port = 0;
  } leak;
  ctx.b().stack().ForEach(
      [](void* context, const ConnectionInfo& info) {
        if (info.state != State::kCloseWait) return;
        auto& l = *static_cast<Leak*>(context);
        ++l.count;
        l.port = info.tuple.local.port;
      },
      &leak, ctx.world().now());
  ctx.ExpectEqual(leak.count, count, "the stack lists all of them");
  ctx.Say(
      fmt::format("{} in CLOSE_WAIT at port {} for {}: the application does not close them, and "
                  "the stack never does it in its place",
                  leak.count, leak.port, observe::SpanText(after - d)));
  ctx.CloseAndExpectNothingLeft();
}

// close() with data that A has no room for: the FIN waits behind it.
void FinBehindData(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  SocketOptions small;
  small.receive_buffer = 4096;
  const Pair pair = Establish(ctx, small);
  ctx.RunUntil(kClose);
  (void)ctx.a().Shutdown(pair.a);
  ctx.Run(4 * d + kFinAckWait);
  std::string rest = Pattern(12'000);
  (void)ctx.b().Send(pair.b, rest);
  (void)ctx.b().Close(pair.b);
  // By the RFC the state changes when the FIN goes out; on Linux with the call that queues it.
  const bool when_sent = ctx.Profile() == "rfc";
  ctx.ExpectState(Side::kB, when_sent ? State::kCloseWait : State::kLastAck);
  ctx.RunUntil(2s);
  ctx.ExpectCount(Side::kB, kFin | kAck, 0);
  ctx.ExpectState(Side::kB, when_sent ? State::kCloseWait : State::kLastAck);
  std::string got;
  for (int i = 0; i < 2000 && got.size() < rest.size(); ++i) {
    std::string piece(65536, '\0');
    const auto n =
        ctx.a().stack().Read(ctx.world().now(), pair.a, std::as_writable_bytes(std::span(piece)));
    if (n) got += piece.substr(0, *n);
    ctx.Run(4 * d);
  }
  ctx.Expect(got == rest, "all of it arrives, and the FIN after it");
  ctx.Run(1s);
  ctx.ExpectState(Side::kB, State::kClosed);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kLeakVariants[] = {{"close() while data waits", false, FinBehindData}};

// --- close/orphans -------------------------------------------------------------------------------

constexpr Parameter kOrphanParameters[] = {
    {"tcp_max_orphans", "2", "connections without an owner; more are reset",
     "net.ipv4.tcp_max_orphans"},
    {"closed", "4", "how many connections are closed by their application"},
    kDelay,
};

void Orphans(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto limit = static_cast<std::size_t>(ctx.SettingNumber("net.ipv4.tcp_max_orphans"));
  const auto count = static_cast<std::size_t>(ctx.Number("closed", 1, 40));
  ctx.b().Listen(kServerPort, 64);
  std::vector<SocketId> a;
  for (std::size_t i = 0; i < count; ++i) {
    a.push_back(ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i)));
  }
  ctx.RunUntil(kClose);
  ctx.TakeOver(Side::kB);  // which never answers again, so that every orphan stays one
  for (const SocketId socket : a) (void)ctx.a().Close(socket);
  ctx.RunUntil(kClose + d);
  const std::size_t kept = std::min(limit, count);
  ctx.ExpectEqual<std::size_t>(ctx.a().stack().Counters().orphans, kept,
                               "so many orphans are kept");
  std::size_t fins = 0;
  std::size_t resets = 0;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from != Side::kA || s.at != kClose) continue;
    fins += (s.segment.flags & kFin) != 0 ? 1 : 0;
    resets += (s.segment.flags & kRst) != 0 ? 1 : 0;
  }
  ctx.ExpectEqual(fins, kept, "these close in order");
  ctx.ExpectEqual(resets, count - kept, "and the others are reset");
  ctx.CloseAndExpectNothingLeft();
}

// The end of a stack: every connection is told.
void StackEnds(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  ctx.Note("its stack is taken down", Side::kA);
  ctx.a().stack().ResetAll(ctx.world().now());
  ctx.Run(2 * d);
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A R. seq=x+1 ack=y+1"}}));
  ExpectErrorOnce(ctx, Side::kB, pair.b, Error::kConnectionReset);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kOrphanVariants[] = {{"the end of a stack", false, StackEnds}};

constexpr Scenario kCloseOddScenarios[] = {
    {"close/fin-with-ack", "the FIN comes with the ACK, or before it",
     "In FIN_WAIT_1 a FIN that acknowledges our own FIN leads to TIME_WAIT at once; one that does "
     "not, because the peer closed before ours had arrived, leads to CLOSING first. The order of "
     "arrival is the whole difference (RFC 9293 §3.10.7.4).",
     kMslToo, FinAfterAck, "the FIN comes with the ACK", kFinVariants},
    {"close/fin-odd", "FINs ahead of data, with data, and again",
     "A FIN ahead of data is held until the gap is filled: its number stands behind the data's. A "
     "FIN may carry data itself; repeated it is acknowledged again; data beyond it is dropped "
     "(RFC 9293 §3.10.7.4).",
     kDelayOnly, FinAhead, "ahead of the data", kOddVariants},
    {"close/ack-of-fin-lost", "the ACK of the first FIN is lost",
     "An ACK is never repeated by itself. A repeats its FIN, and B answers it again; if every "
     "answer is lost A gives up as in close/fin-lost (RFC 9293 §3.10.7.4).",
     kAckOfFinParameters, AckOfFinLost},
    {"close/close-wait-leak", "an application that never closes",
     "The stack never closes in an application's place: CLOSE_WAIT stays as long as the handle "
     "does, and the list of connections shows it. After close() the FIN waits until the data "
     "before "
     "it has gone; the state is LAST_ACK from the call on (profile rfc: from the FIN on).",
     kLeakParameters, CloseWaitLeak, "the application forgets", kLeakVariants},
    {"close/orphans", "connections without an owner are limited",
     "After close() nobody but the stack waits for the end. Over tcp_max_orphans such a connection "
     "is reset instead. A stack that is taken down resets all of its connections.",
     kOrphanParameters, Orphans, "over the limit", kOrphanVariants},
};

}  // namespace

std::span<const Scenario> CloseOddScenarios() { return kCloseOddScenarios; }

}  // namespace estab::sim
