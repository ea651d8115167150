// What would happen without TIME_WAIT. tcp_max_tw_buckets=0, as on Linux, keeps no record: that is
// all that is changed in the stacks.
#include "sim/scenarios/time_wait_without.h"

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {

using namespace std::chrono_literals;

namespace {

void ForgetTimeWait(ScenarioContext& ctx, Side side) {
  ctx.host(side).Set("net.ipv4.tcp_max_tw_buckets", "0");
  ctx.ladder().Explain("time-wait-refused", "counterfactual: no TIME_WAIT", "");
}

// B as old hosts were: every connection begins at the same number. It opens, sends what is left
// before seq 301, and returns A's socket.
SocketId OldHostOpens(ScenarioContext& ctx, Duration d, const std::string& before) {
  constexpr std::uint32_t kY = 0;
  ctx.PlayState(Side::kB, State::kListen, "played: begins at 0 every time");
  const SocketId a = ctx.a().Connect(ctx.b().endpoint(kServerPort), kClientPort);
  ctx.Run(d);
  ctx.PlayState(Side::kB, State::kSynRcvd, "played");
  // The widest window there is: else RFC 5961 §5 would refuse the old segment for its old ACK.
  wire::Segment syn_ack = Craft(kSyn | kAck, kY, Numbered(ctx, Side::kA, 1));
  syn_ack.options.has_window_scale = true;
  syn_ack.options.window_scale = 14;
  Play(ctx, Side::kB, syn_ack);
  ctx.Run(2 * d);
  ctx.PlayState(Side::kB, State::kEstablished, "played");
  Play(ctx, Side::kB, Craft(kAck | kPsh, 1, Numbered(ctx, Side::kA, 1), before));
  ctx.Run(2 * d);
  return a;
}

std::string ReadAll(ScenarioContext& ctx, SocketId socket) {
  std::string all;
  std::string piece(4096, '\0');
  while (true) {
    const auto n =
        ctx.a().stack().Read(ctx.world().now(), socket, std::as_writable_bytes(std::span(piece)));
    if (!n || *n == 0) break;
    all += piece.substr(0, *n);
  }
  return all;
}

}  // namespace

void OldDataTaken(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.SetNumbers(observe::Numbers::kRelative);
  const Duration after = ctx.Span("after", 100ms, TwoMsl(ctx) - 100ms);
  ctx.TakeOver(Side::kB);
  ForgetTimeWait(ctx, Side::kA);
  const std::string before = Pattern(300);
  const SocketId first = OldHostOpens(ctx, d, before);
  const std::uint32_t fin = Numbered(ctx, Side::kA, 1);
  Play(ctx, Side::kB, Craft(kAck | kPsh, 301, fin, "old"));
  ctx.RunUntil(kClose + 8 * d);
  ctx.Expect(ReadAll(ctx, first) == before + "old", "the old connection's stream is right");
  (void)ctx.a().Close(first);
  ctx.Run(d);
  ctx.PlayState(Side::kB, State::kLastAck, "played");
  Play(ctx, Side::kB, Craft(kFin | kAck, 304, fin + 1));
  ctx.Run(d);
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 0u, "A keeps no record");
  ctx.Run(d);
  ctx.PlayState(Side::kB, State::kClosed, "played");
  ctx.Run(after);
  ctx.Note("the same four-tuple again");
  const SocketId second = OldHostOpens(ctx, d, before);
  ctx.Run(4 * d);
  ctx.Note("the copy of seq 301 from the old connection arrives");
  Forge(ctx, Side::kB, Craft(kAck | kPsh, 301, fin, "old"));
  ctx.Run(3 * d);
  Play(ctx, Side::kB, Craft(kAck | kPsh, 301, Numbered(ctx, Side::kA, 1), "new"));
  ctx.Run(3 * d);
  const std::string got = ReadAll(ctx, second);
  ctx.PlayCall(Side::kA, "recv()",
               fmt::format("\"...{}\"", got.size() > 3 ? got.substr(300) : got));
  // Linux's ISNs move on so fast that an ACK of the old connection lies outside of any window, and
  // is not believed (RFC 5961 §5).
  const bool believed = ctx.Profile() != "linux";
  ctx.Expect(got == before + (believed ? "old" : "new"),
             believed ? "the new connection's stream is corrupted by the old one's"
                      : "the old segment is refused by its ACK");
  ctx.Say(fmt::format("B sent 300 bytes and \"new\"; A read 300 bytes and \"{}\"",
                      got.size() > 300 ? got.substr(300) : ""));
  ctx.CloseAndExpectNothingLeft();
}

namespace {

constexpr Parameter kLastAckRstParameters[] = {kWithoutTimeWait, kRtoInitial, kRtoMin, kMsl,
                                               kDelay};

constexpr Duration kSecond = kClose + 200ms;  // when B sends its FIN

// Up to the last ACK, which is lost. B's application keeps its handle, so that it can be told; A's
// does until then, for by profile linux an orphan in FIN_WAIT_2 would need a record already.
Pair LoseLastAck(ScenarioContext& ctx, Duration d) {
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Shutdown(pair.a);
  ctx.RunUntil(kSecond);
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  ctx.Fault("drop the 1st ACK from A");
  (void)ctx.b().Shutdown(pair.b);
  ctx.RunUntil(kSecond + 2 * d);
  ctx.ExpectState(Side::kB, pair.b, State::kLastAck);
  (void)ctx.a().Close(pair.a);
  return pair;
}

void LastAckAgain(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::string wanted = ctx.Value("time-wait");
  if (wanted != "0" && wanted != "1") return ctx.Fail("parameter time-wait: 0 or 1");
  const Pair pair = LoseLastAck(ctx, d);
  const Duration again = kSecond + Rto(ctx, d);
  if (TwoMsl(ctx) <= Rto(ctx, d) + d) return ctx.Fail("parameters: 2 MSL end before the repeat");
  ctx.RunUntil(again + 2 * d);
  ctx.ExpectSent({again, "B F. seq=y+1 ack=x+2"});
  ctx.ExpectSent({again + d, "A . seq=x+2 ack=y+2"});
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, again + 2 * d);
  ctx.Expect(!ctx.b().TakeError(pair.b).has_value(), "B is told of no error");
  ctx.RunUntil(again + d + TwoMsl(ctx));
  ctx.ExpectNothingLeft();
}

void LastAckReset(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ForgetTimeWait(ctx, Side::kA);
  const Pair pair = LoseLastAck(ctx, d);
  const Duration again = kSecond + Rto(ctx, d);
  ctx.RunUntil(again + 3 * d);
  ctx.ExpectSent({again, "B F. seq=y+1 ack=x+2"});
  ctx.ExpectSent({again + d, "A R seq=x+2"});
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, again + 2 * d);
  ctx.ExpectError(ctx.b().TakeError(pair.b), Error::kConnectionReset, "SO_ERROR of B");
  ctx.Say("B is told ECONNRESET of a connection that was closed well on both sides");
  ctx.ExpectNothingLeft();
}

constexpr Duration kAgain = kSecond + 100ms;  // when A opens the same four-tuple again

void NewSynChallenged(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ForgetTimeWait(ctx, Side::kA);
  const Pair pair = LoseLastAck(ctx, d);
  ctx.RunUntil(kAgain);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  const Duration repeat = SynAgain(ctx, kAgain, kAgain + 2 * d);
  ctx.RunUntil(repeat + 4 * d);
  ctx.ExpectSent({kAgain + d, "B . seq=y+2 ack=x+2"});
  ctx.ExpectSent({kAgain + 2 * d, "A R seq=x+2"});
  ctx.ExpectError(ctx.b().TakeError(pair.b), Error::kConnectionReset, "SO_ERROR of B");
  ctx.ExpectSent({repeat, "A S seq=x'"});
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  (void)ctx.b().MustAccept(pair.listener);
  ctx.CloseAndExpectNothingLeft();
}

void NewSynReset(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ForgetTimeWait(ctx, Side::kA);
  (void)LoseLastAck(ctx, d);
  ctx.RunUntil(kAgain);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.TakeOver(Side::kB);
  ctx.Run(d);
  ctx.PlayState(Side::kB, State::kClosed, "counterfactual: any SYN is answered with a reset");
  ctx.PlayCall(Side::kB, "recv()", "ECONNRESET");
  Play(ctx, Side::kB, Craft(kRst | kAck, 0, Numbered(ctx, Side::kA, 1)));
  ctx.Run(2 * d);
  ctx.ExpectSent({kAgain + d, "B R. seq=0 ack=x'+1"});
  ctx.ExpectError(ctx.a().TakeError(a), Error::kConnectionRefused, "connect of A");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kLastAckAgainVariants[] = {
    {"without TIME_WAIT (counterfactual)", true, LastAckReset, "time-wait", "0"},
    {"without TIME_WAIT, a new SYN, as RFC 5961 has it (counterfactual)", true, NewSynChallenged,
     "time-wait", "0"},
    {"without TIME_WAIT, a new SYN, as textbooks have it (counterfactual)", true, NewSynReset,
     "time-wait", "0"}};

constexpr Scenario kTimeWaitWithoutScenarios[] = {
    {"time-wait/last-ack-rst", "the last ACK is lost, with and without TIME_WAIT",
     "A in TIME_WAIT acknowledges B's repeated FIN again, and B ends well. Without TIME_WAIT that "
     "FIN meets a host that has forgotten everything, and a reset: B is told of an error on a "
     "connection that was closed well. A new SYN meets B in LAST_ACK: it is challenged (RFC 5961 "
     "§4), A resets the old connection, and the repeated SYN opens; textbooks have B answer with a "
     "reset at once, and A's connection is refused.",
     kLastAckRstParameters, LastAckAgain, "with TIME_WAIT, as it is", kLastAckAgainVariants},
};

}  // namespace

std::span<const Scenario> TimeWaitWithoutScenarios() { return kTimeWaitWithoutScenarios; }

}  // namespace estab::sim
