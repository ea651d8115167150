// Closing, where nothing is lost.
#include "observe/format.h"
#include "sim/scenarios/close_beside.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

void FourWay(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Shutdown(pair.a);
  ctx.RunUntil(kClose + d);
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  ctx.RunUntil(kClose + 2 * d + kFinAckWait);
  ctx.ExpectState(Side::kA, pair.a, State::kFinWait2);
  ctx.ExpectState(Side::kB, pair.b, State::kCloseWait);
  const Duration rest = kClose + 200ms;
  ctx.RunUntil(rest);
  (void)ctx.b().Send(pair.b, "the rest");
  ctx.RunUntil(rest + 2 * d);
  ctx.ExpectData(ctx.a().Read(pair.a), "the rest", "recv of A");
  const Duration last = rest + 200ms;
  ctx.RunUntil(last);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(last + 2 * d);
  ctx.ExpectData(ctx.a().Read(pair.a), "", "recv of A");
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(last + d + TwoMsl(ctx));
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose + d + kFinAckWait, "B . seq=y+1 ack=x+2"},
                                     {rest, "B . seq=y+1 ack=x+2 len=8"},
                                     {rest + d, "A . seq=x+2 ack=y+9"},
                                     {last, "B F. seq=y+9 ack=x+2"},
                                     {last + d, "A . seq=x+2 ack=y+10"}}));
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kEstablished, State::kFinWait1,
                    State::kFinWait2, State::kTimeWait, State::kClosed});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished,
                              State::kCloseWait, State::kLastAck, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kEstablished, State::kFinWait1, kClose);
  ctx.ExpectTransition(Side::kB, State::kEstablished, State::kCloseWait, kClose + d);
  ctx.ExpectTransition(Side::kA, State::kFinWait1, State::kFinWait2, kClose + 2 * d + kFinAckWait);
  ctx.ExpectTransition(Side::kB, State::kCloseWait, State::kLastAck, last);
  ctx.ExpectTransition(Side::kA, State::kFinWait2, State::kTimeWait, last + d);
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, last + 2 * d);
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed, last + d + TwoMsl(ctx));
  ctx.ExpectNothingLeft();
}

// B's application closes the moment it reads the end, before its stack was asked for the ACK.
void ThreeSegments(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  bool closed = false;
  ctx.world().SetStepHook([&] {
    if (closed || ctx.b().state(pair.b) != State::kCloseWait) return;
    ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
    (void)ctx.b().Close(pair.b);
    closed = true;
  });
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + 2 * d + TwoMsl(ctx));
  ctx.world().SetStepHook({});
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose + d, "B F. seq=y+1 ack=x+2"},
                                     {kClose + 2 * d, "A . seq=x+2 ack=y+2"}}));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kTimeWait, State::kClosed});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished,
                              State::kCloseWait, State::kLastAck, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kFinWait1, State::kTimeWait, kClose + 2 * d);
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, kClose + 3 * d);
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed, kClose + 2 * d + TwoMsl(ctx));
  ctx.ExpectNothingLeft();
}

void Half(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Shutdown(pair.a);
  ctx.ExpectError(ctx.a().Send(pair.a, "more"), Error::kBrokenPipe, "send of A");
  ctx.RunUntil(kClose + 2 * d);
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  // Long after an orphan's FIN_WAIT_2 would have ended.
  std::vector<ExpectedSegment> wire =
      Then(Handshake(d),
           {{kClose, "A F. seq=x+1 ack=y+1"}, {kClose + d + kFinAckWait, "B . seq=y+1 ack=x+2"}});
  Duration at = kClose;
  int sent = 1;
  for (const std::string piece : {"one", "two", "three"}) {
    at += 60s;
    ctx.RunUntil(at);
    (void)ctx.b().Send(pair.b, piece);
    ctx.RunUntil(at + 1s);
    ctx.ExpectData(ctx.a().Read(pair.a), piece, "recv of A");
    const int length = static_cast<int>(piece.size());
    wire.push_back(
        {at, "B . seq=y+" + std::to_string(sent) + " ack=x+2 len=" + std::to_string(length)});
    sent += length;
  }
  ctx.ExpectState(Side::kA, pair.a, State::kFinWait2);
  ctx.ExpectState(Side::kB, pair.b, State::kCloseWait);
  at += 60s;
  ctx.RunUntil(at);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(at + 2 * d);
  ctx.ExpectData(ctx.a().Read(pair.a), "", "recv of A");
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(at + d + TwoMsl(ctx));
  ctx.ExpectTransition(Side::kA, State::kFinWait2, State::kTimeWait, at + d);
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, at + 2 * d);
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed, at + d + TwoMsl(ctx));
  ctx.ExpectTimes(Side::kA, kFin | kAck, {kClose});
  ctx.ExpectTimes(Side::kB, kFin | kAck, {at});
  for (const ExpectedSegment& s : wire) ctx.ExpectSent(s);
  ctx.ExpectNothingLeft();
}

void HalfRead(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const bool kept = ctx.Profile() == "linux";  // what is there and what comes stays readable
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.b().Send(pair.b, "unread");
  ctx.RunUntil(kClose + 2 * d);
  (void)ctx.a().Shutdown(pair.a, How::kRead);
  ctx.ExpectData(ctx.a().Read(pair.a), kept ? "unread" : "", "recv of A");
  const Duration later = kClose + 300ms;
  ctx.RunUntil(later);
  (void)ctx.b().Send(pair.b, "later");
  ctx.Run(1s);
  ctx.ExpectData(ctx.a().Read(pair.a), kept ? "later" : "", "recv of A");
  ctx.ExpectSent({kClose, "B . seq=y+1 ack=x+1 len=6"});
  ctx.ExpectSent({later, "B . seq=y+7 ack=x+1 len=5"});
  ctx.ExpectCount(Side::kA, kRst, 0);
  const auto acked = ctx.b().stack().GetInfo(ctx.world().now(), pair.b);
  ctx.Expect(acked && acked->send_queue == 0, "all that B sent is acknowledged");
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  const auto sent = ctx.a().Send(pair.a, "still");
  ctx.Expect(sent.has_value(), "A may still write");
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.b().Read(pair.b), "still", "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

void SimultaneousClose(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(kClose + 2 * d + TwoMsl(ctx));
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose, "B F. seq=y+1 ack=x+1"},
                                     {kClose + d, "A . seq=x+2 ack=y+2"},
                                     {kClose + d, "B . seq=y+2 ack=x+2"}}));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kClosing, State::kTimeWait, State::kClosed});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished,
                              State::kFinWait1, State::kClosing, State::kTimeWait, State::kClosed});
  for (const Side side : {Side::kA, Side::kB}) {
    ctx.ExpectTransition(side, State::kFinWait1, State::kClosing, kClose + d);
    ctx.ExpectTransition(side, State::kClosing, State::kTimeWait, kClose + 2 * d);
    // 2 MSL from the last ACK sent, or from the state's beginning one way later: both are right.
    ctx.ExpectTransition(side, State::kTimeWait, State::kClosed, kClose + d + d / 2 + TwoMsl(ctx),
                         d / 2 + 1ms);
  }
  ctx.ExpectNothingLeft();
}

constexpr Parameter kLingerParameters[] = {{"linger", "1", "l_linger of the second play, seconds"},
                                           kDelay};

constexpr SocketOptions Abortive() {
  SocketOptions options;
  options.linger = true;
  options.linger_seconds = 0;
  return options;
}

void LingerAbort(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx, Abortive());
  ctx.RunUntil(kClose);
  ctx.Note("SO_LINGER {1, 0}", Side::kA);
  (void)ctx.a().Send(pair.a, "never sent");
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + 2 * d);
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A R. seq=x+1 ack=y+1"}}));
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kEstablished, State::kClosed});
  ctx.ExpectTransition(Side::kB, State::kEstablished, State::kClosed, kClose + d);
  ExpectErrorOnce(ctx, Side::kB, pair.b, Error::kConnectionReset);
  ctx.ExpectError(ctx.b().Send(pair.b, "x"), Error::kBrokenPipe, "send of B");
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 0u, "A has no TIME_WAIT");
  (void)ctx.b().Close(pair.b);
  ctx.ExpectNothingLeft();
}

// SO_LINGER {1, n}: the blocking layer waits for the FIN's ACK for n seconds, then closes; the
// stack goes on repeating.
void LingerWait(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration linger = ctx.Number("linger", 1, 60) * 1s;
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  ctx.Fault("drop every FIN from A");
  ctx.PlayCall(Side::kA, fmt::format("close(), SO_LINGER {{1, {}}}", linger / 1s), "waits");
  (void)ctx.a().stack().Shutdown(ctx.world().now(), pair.a, How::kWrite);
  ctx.RunUntil(kClose + linger);
  const auto drained = ctx.a().stack().Drained(pair.a);
  ctx.Expect(drained && !*drained, "the FIN is not acknowledged yet");
  (void)ctx.a().Close(pair.a);
  const std::size_t until_then = ctx.sent().size();
  ctx.ExpectState(Side::kA, State::kFinWait1);
  ctx.Run(8 * linger);
  ctx.Expect(ctx.sent().size() > until_then, "the repeats go on after close() has returned");
  ctx.Run(4 * d);
  ctx.CloseAndExpectNothingLeft();
}

void UnreadData(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.b().Send(pair.b, "hello");
  ctx.RunUntil(kClose + 200ms);
  (void)ctx.a().Close(pair.a);
  ctx.Run(2 * d);
  ctx.ExpectSent({kClose + 200ms, "A R. seq=x+1 ack=y+6"});
  ctx.ExpectCount(Side::kA, kFin | kAck, 0);
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kEstablished, State::kClosed});
  ExpectErrorOnce(ctx, Side::kB, pair.b, Error::kConnectionReset);
  (void)ctx.b().Close(pair.b);
  ctx.ExpectNothingLeft();
}

void DataAfterClose(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + 3 * d);
  const Duration late = kClose + 200ms;
  ctx.RunUntil(late);
  (void)ctx.b().Send(pair.b, "too late");
  ctx.RunUntil(late + 2 * d);
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose + d + kFinAckWait, "B . seq=y+1 ack=x+2"},
                                     {late, "B . seq=y+1 ack=x+2 len=8"},
                                     {late + d, "A R seq=x+2"}}));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kFinWait2, State::kClosed});
  // B had read the end already: nothing was lost for the reader, only writing fails.
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  ctx.ExpectError(ctx.b().Send(pair.b, "x"), Error::kBrokenPipe, "send of B");
  (void)ctx.b().Close(pair.b);
  ctx.ExpectNothingLeft();
}

constexpr Parameter kFinWait2Parameters[] = {kDelay, kFinTimeout};

void FinWait2(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  const Duration end = kClose + 2 * d + kFinAckWait + FinWait2Span(ctx, d);
  ctx.RunUntil(end + 1ms);
  ctx.ExpectTransition(Side::kA, State::kFinWait1, State::kFinWait2, kClose + 2 * d + kFinAckWait);
  ctx.ExpectTransition(Side::kA, State::kFinWait2, State::kClosed, end);
  ctx.ExpectState(Side::kB, pair.b, State::kCloseWait);
  ctx.ExpectEqual(ctx.a().stack().Counters().orphans, 0u, "A has no orphan left");
  ctx.RunUntil(end + 10s);
  ctx.Note("B closes at last, and finds nobody");
  (void)ctx.b().Close(pair.b);
  ctx.Run(2 * d);
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose + d + kFinAckWait, "B . seq=y+1 ack=x+2"},
                                     {end + 10s, "B F. seq=y+1 ack=x+2"},
                                     {end + 10s + d, "A R seq=x+2"}}));
  ctx.ExpectState(Side::kB, State::kClosed);
  ctx.ExpectNothingLeft();
}

constexpr Variant kFourWayVariants[] = {
    {"in three segments while B has data (counterfactual)", true, CloseInThree}};

constexpr Variant kLingerVariants[] = {{"SO_LINGER {1, n}: close() waits", false, LingerWait}};

constexpr Scenario kCloseScenarios[] = {
    {"close/four-way", "four segments close both directions",
     "Each direction is closed by its own FIN, and each FIN is acknowledged. Between the first ACK "
     "and the second FIN B still sends what it has: closing in three would lose that. A FIN uses "
     "one sequence number. The side that closed first waits 2 MSL in TIME_WAIT (RFC 9293 §3.6).",
     kDelayAndMsl, FourWay, "in four segments, as it is", kFourWayVariants},
    {"close/three-segments", "ACK and FIN travel together",
     "B's application closes before the ACK of A's FIN has gone: one segment carries both, and A "
     "goes from FIN_WAIT_1 straight to TIME_WAIT (RFC 9293 §3.10.7.4).",
     kDelayAndMsl, ThreeSegments},
    {"close/half", "one direction is closed, the other goes on",
     "After shutdown(SHUT_WR) A receives whatever B sends in CLOSE_WAIT, for as long as it takes: "
     "FIN_WAIT_2 has no limit while the handle is open. Writing gives EPIPE (RFC 9293 §3.6).",
     kDelayAndMsl, Half},
    {"close/half-read", "the reading side is shut",
     "After shutdown(SHUT_RD) reads return the end, what was buffered is dropped, and what comes "
     "later is acknowledged and discarded (on Linux both stay readable). The peer is told nothing, "
     "and writing goes on.",
     kDelayOnly, HalfRead},
    {"close/simultaneous", "both close at once, and their FINs cross",
     "Each gets the other's FIN before the ACK of its own: FIN_WAIT_1, CLOSING, TIME_WAIT, on both "
     "sides (RFC 9293 §3.6, figure 13).",
     kDelayAndMsl, SimultaneousClose},
    {"close/linger-abort", "SO_LINGER with time 0: close is a reset",
     "close() drops what was not sent and resets with seq=SND.NXT: CLOSED at once, no TIME_WAIT. "
     "The peer gets ECONNRESET, once (RFC 9293 §3.10.5). With another time close() waits that long "
     "for the FIN's ACK and then returns; the repeats go on behind it.",
     kLingerParameters, LingerAbort, "SO_LINGER {1, 0}", kLingerVariants},
    {"close/unread-data", "close with data unread is a reset",
     "What B sent was acknowledged but never read: closing in order would tell B that all was "
     "well. "
     "So A resets (RFC 2525 §2.17).",
     kDelayOnly, UnreadData},
    {"close/data-after-close", "data for a connection that nobody owns",
     "A has called close(), so nobody will ever read what B still sends: it is answered with a "
     "reset (RFC 9293 §3.6).",
     kDelayOnly, DataAfterClose},
    {"close/fin-wait-2", "the peer never closes its side",
     "After close() nobody waits for B's FIN but the stack: FIN_WAIT_2 ends after tcp_fin_timeout, "
     "without TIME_WAIT. B stays in CLOSE_WAIT until its application closes, and is then reset.",
     kFinWait2Parameters, FinWait2},
};

}  // namespace

std::span<const Scenario> CloseScenarios() { return kCloseScenarios; }

}  // namespace estab::sim
