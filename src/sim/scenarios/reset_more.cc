// Resets: their form, where they come from, and what poll tells.
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kMslAndRto[] = {kDelay, kMsl, kRtoInitial};

// --- rst/no-port ---------------------------------------------------------------------------------

void NoPort(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.Note("nobody listens at port 80", Side::kB);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.RunUntil(2 * d);
  ctx.ExpectError(ctx.a().TakeError(a), Error::kConnectionRefused, "connect of A");
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kClosed, 2 * d);
  (void)ctx.a().Close(a);
  ctx.RunUntil(200ms);
  ctx.Note("data for a connection that nobody knows");
  Forge(ctx, Side::kA, Craft(kAck | kPsh, 1000, 7000, "hello"));
  ctx.Run(2 * d);
  ctx.ExpectWire({{0ms, "A S seq=x"}, {d, "B R. seq=0 ack=x+1"}, {200ms + d, "B R seq=7000"}});
  ctx.ExpectNothingLeft();
}

// --- rst/time-wait-port --------------------------------------------------------------------------

// B's server has closed first and is gone; its TIME_WAIT record is not.
void TimeWaitPort(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(400ms);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(400ms + 3 * d);
  if (TwoMsl(ctx) < 1s) return ctx.Fail("parameter tcp_msl: at least 500 ms here");
  (void)ctx.b().Close(pair.listener);
  ctx.ExpectEqual(ctx.b().stack().Counters().time_wait, 1u, "B holds a TIME_WAIT record");
  ctx.RunUntil(800ms);
  const SocketId other = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1);
  ctx.RunUntil(800ms + 2 * d);
  ctx.ExpectError(ctx.a().TakeError(other), Error::kConnectionRefused, "another four-tuple");
  ctx.ExpectTimes(Side::kB, kRst | kAck, {800ms + d});
  ctx.ExpectEqual(ctx.b().stack().Counters().time_wait, 1u, "the record has not noticed");
  ctx.RunUntil(400ms + TwoMsl(ctx) + 2 * d);
  ctx.ExpectNothingLeft();
}

// --- rst/format ----------------------------------------------------------------------------------

void Format(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.TakeOver(Side::kA);
  ctx.Note("nobody listens at port 80", Side::kB);
  const auto at = [&](Duration when, const char* what, const wire::Segment& segment) {
    ctx.RunUntil(when);
    ctx.Note(what);
    Forge(ctx, Side::kA, segment);
  };
  at(0ms, "a SYN: no ACK to take a number from", Craft(kSyn, 1000));
  at(100ms, "data without ACK", Craft(kPsh, 1000, 0, "hello"));
  at(200ms, "SYN and FIN, without ACK", Craft(kSyn | kFin, 1000, 0, "data"));
  at(300ms, "an ACK", Craft(kAck, 1000, 7000));
  at(400ms, "FIN with ACK", Craft(kFin | kAck, 1000, 7100));
  at(500ms, "a reset: never answered", Craft(kRst, 1000));
  at(600ms, "a reset with ACK: nor that", Craft(kRst | kAck, 1000, 7200));
  ctx.RunUntil(700ms);
  // Numbers as they are: nobody has an ISN here. A reset's window is 0, or it would be told.
  ctx.ExpectCount(Side::kB, kRst | kAck, 3);
  ctx.ExpectCount(Side::kB, kRst, 2);
  const std::uint32_t acks[] = {1001, 1005, 1006};
  const std::uint32_t seqs[] = {7000, 7100};
  std::size_t with = 0;
  std::size_t without = 0;
  for (const SentSegment& s : ctx.sent()) {
    const bool acked = (s.segment.flags & kAck) != 0;
    ctx.ExpectEqual<std::uint32_t>(s.segment.window, 0, "the window of a reset is 0");
    if (acked && with < 3) {
      ctx.ExpectEqual(s.segment.ack, acks[with++], "it acknowledges SEG.SEQ + SEG.LEN");
      ctx.ExpectEqual<std::uint32_t>(s.segment.seq, 0, "its own number is 0");
    } else if (!acked && without < 2) {
      ctx.ExpectEqual(s.segment.seq, seqs[without++], "its number is SEG.ACK");
    }
  }
  (void)d;
  ctx.ExpectNothingLeft();
}

// --- rst/poll ------------------------------------------------------------------------------------

constexpr unsigned kIn = kReadable;
constexpr unsigned kOut = kWritable;
constexpr unsigned kRdHup = kReadClosed;
constexpr unsigned kHup = kHangup;
constexpr unsigned kErr = kErrorPending;

std::string BitsText(unsigned bits) {
  std::string out;
  const auto add = [&](unsigned bit, const char* name) {
    if ((bits & bit) != 0) out += (out.empty() ? "" : "|") + std::string(name);
  };
  add(kIn, "IN");
  add(kOut, "OUT");
  add(kRdHup, "RDHUP");
  add(kHup, "HUP");
  add(kErr, "ERR");
  return out.empty() ? "0" : out;
}

void ExpectPoll(ScenarioContext& ctx, Side side, SocketId socket, unsigned expected,
                const char* where) {
  const unsigned got = ctx.host(side).stack().GetReadiness(socket).value_or(0);
  ctx.PlayCall(side, "poll()", BitsText(got));
  ctx.Expect(got == expected,
             fmt::format("{}: poll tells {}, not {}", where, BitsText(expected), BitsText(got)));
}

void PollInOrder(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort);
  ExpectPoll(ctx, Side::kB, listener, 0, "LISTEN, nobody there");
  const SocketId a = ctx.a().Open();
  ExpectPoll(ctx, Side::kA, a, kOut | kHup, "a socket that is nothing yet");
  (void)ctx.a().ConnectAgain(a, ctx.b().endpoint(kServerPort));
  ExpectPoll(ctx, Side::kA, a, 0, "SYN_SENT");
  ctx.RunUntil(4 * d);
  ExpectPoll(ctx, Side::kA, a, kOut, "ESTABLISHED");
  ExpectPoll(ctx, Side::kB, listener, kIn, "LISTEN, one waits");
  const SocketId b = ctx.b().MustAccept(listener);
  ExpectPoll(ctx, Side::kB, listener, 0, "LISTEN, nobody any more");
  (void)ctx.a().Send(a, "hello");
  ctx.Run(2 * d);
  ExpectPoll(ctx, Side::kB, b, kIn | kOut, "ESTABLISHED with data");
  ctx.ExpectData(ctx.b().Read(b), "hello", "recv of B");
  ExpectPoll(ctx, Side::kB, b, kOut, "ESTABLISHED, all read");
  (void)ctx.a().Shutdown(a);
  ExpectPoll(ctx, Side::kA, a, kOut, "FIN_WAIT_1");
  ctx.Run(200ms);
  ExpectPoll(ctx, Side::kA, a, kOut, "FIN_WAIT_2");
  ExpectPoll(ctx, Side::kB, b, kIn | kOut | kRdHup, "CLOSE_WAIT");
  (void)ctx.b().Shutdown(b);
  ExpectPoll(ctx, Side::kB, b, kIn | kOut | kRdHup | kHup, "LAST_ACK");
  ctx.Run(200ms);
  ExpectPoll(ctx, Side::kB, b, kIn | kOut | kRdHup | kHup, "CLOSED after all");
  ExpectPoll(ctx, Side::kA, a, kIn | kOut | kRdHup | kHup, "TIME_WAIT");
  ctx.CloseAndExpectNothingLeft();
}

void PollAfterErrors(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  constexpr unsigned kAll = kIn | kOut | kRdHup | kHup;
  const SocketId refused = ctx.a().Connect(ctx.b(), kServerPort + 1, kClientPort + 1);
  ctx.RunUntil(100ms);
  ExpectPoll(ctx, Side::kA, refused, kAll | kErr, "refused");
  ctx.ExpectError(ctx.a().TakeError(refused), Error::kConnectionRefused, "connect of A");
  ExpectPoll(ctx, Side::kA, refused, kAll, "refused, and told");
  const Pair pair = Establish(ctx);
  (void)ctx.a().Send(pair.a, "last words");
  ctx.Run(4 * d);
  (void)ctx.a().Abort(pair.a);
  ctx.Run(2 * d);
  ExpectPoll(ctx, Side::kB, pair.b, kAll | kErr, "reset");
  ctx.ExpectError(ctx.b().TakeError(pair.b), Error::kConnectionReset, "SO_ERROR of B");
  ExpectPoll(ctx, Side::kB, pair.b, kAll, "reset, and told");
  ctx.ExpectData(ctx.b().Read(pair.b), "last words", "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kPollVariants[] = {{"after errors", false, PollAfterErrors}};

constexpr Scenario kResetMoreScenarios[] = {
    {"rst/no-port", "a segment for a port where nobody is",
     "Whatever comes for a port without a socket is answered with a reset: a SYN with one that "
     "acknowledges it, so that the client knows its SYN is meant, anything else with one whose "
     "number is the ACK's (RFC 9293 §3.10.7.1).",
     kDelayOnly, NoPort},
    {"rst/time-wait-port", "a port whose server is gone, while records still wait",
     "A TIME_WAIT record speaks for its own four-tuple only. A SYN from another port finds nobody "
     "and is refused; the record does not notice.",
     kMslAndRto, TimeWaitPort},
    {"rst/format", "what a reset looks like",
     "In answer to a segment with ACK: that number, and no ACK of its own. Otherwise: number 0, "
     "and "
     "the ACK of all that the segment took up, SYN and FIN counted. The window is 0. A reset is "
     "never answered (RFC 9293 §3.5.2, §3.10.7.1).",
     kDelayOnly, Format},
    {"rst/poll", "what poll tells in every state",
     "IN, OUT, RDHUP, HUP and ERR from the first call to the last, as Linux has them: also for a "
     "socket that is nothing yet, after both sides have closed, and after errors, which HUP and "
     "ERR "
     "announce until they are fetched.",
     kDelayOnly, PollInOrder, "in order", kPollVariants},
};

}  // namespace

std::span<const Scenario> ResetMoreScenarios() { return kResetMoreScenarios; }

}  // namespace estab::sim
