// TIME_WAIT: who has it, what ends it, and what it costs.
#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

// --- time-wait/who -------------------------------------------------------------------------------

void ExpectWaiting(ScenarioContext& ctx, std::uint32_t a, std::uint32_t b) {
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, a, fmt::format("A has {} record(s)", a));
  ctx.ExpectEqual(ctx.b().stack().Counters().time_wait, b, fmt::format("B has {} record(s)", b));
}

void TheFirstToClose(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(2 * kClose);
  (void)ctx.b().Close(pair.b);
  ctx.Run(3 * d);
  ExpectWaiting(ctx, 1, 0);
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished,
                              State::kCloseWait, State::kLastAck, State::kClosed});
  ctx.RunUntil(2 * kClose + d + TwoMsl(ctx));
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kEstablished, State::kFinWait1,
                    State::kFinWait2, State::kTimeWait, State::kClosed});
  ctx.ExpectNothingLeft();
}

void BothAtOnce(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(kClose + 3 * d);
  ExpectWaiting(ctx, 1, 1);
  for (const Side side : {Side::kA, Side::kB}) {
    ctx.ExpectTransition(side, State::kClosing, State::kTimeWait, kClose + 2 * d);
  }
  ctx.RunUntil(kClose + 3 * d + TwoMsl(ctx));
  ctx.ExpectNothingLeft();
}

constexpr Variant kWhoVariants[] = {{"both close at once", false, BothAtOnce}};

// --- time-wait/rst -------------------------------------------------------------------------------

constexpr Parameter kRstParameters[] = {
    {"tcp_rfc1337", nullptr, "1: no reset ends TIME_WAIT; 0: an exact one does",
     "net.ipv4.tcp_rfc1337"},
    kMsl,
    kDelay,
};

// Opens, and closes A first; returns when A's last ACK is sent.
Duration IntoTimeWait(ScenarioContext& ctx, Duration d) {
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(2 * kClose);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(2 * kClose + 3 * d);
  return 2 * kClose + d;
}

void TimeWaitRst(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration from = IntoTimeWait(ctx, d);
  const bool ends = ctx.SettingNumber("net.ipv4.tcp_rfc1337") == 0;
  if (TwoMsl(ctx) < 1s) return ctx.Fail("parameter tcp_msl: at least 500 ms here");
  const std::uint32_t expected = Numbered(ctx, Side::kB, 2);
  ctx.RunUntil(from + 200ms);
  ctx.Note("a reset beyond what A expects");
  Forge(ctx, Side::kB, Craft(kRst, expected + 100));
  ctx.RunUntil(from + 400ms);
  ctx.Note("a reset below it");
  Forge(ctx, Side::kB, Craft(kRst, expected - 1));
  ctx.RunUntil(from + 600ms);
  ctx.ExpectState(Side::kA, State::kTimeWait);
  ctx.Note("a reset with exactly the expected number");
  Forge(ctx, Side::kB, Craft(kRst, expected));
  const Duration end = ends ? from + 600ms + d : from + TwoMsl(ctx);
  ctx.RunUntil(from + TwoMsl(ctx) + 1ms);
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed, end);
  ctx.ExpectNothingLeft();
}

// --- time-wait/reuse -----------------------------------------------------------------------------

constexpr Parameter kReuseParameters[] = {
    {"tcp_tw_reuse", "1", "0: never, 1: yes, 2: on loopback only", "net.ipv4.tcp_tw_reuse"},
    {"tcp_tw_reuse_delay", nullptr, "milliseconds before it may", "net.ipv4.tcp_tw_reuse_delay"},
    {"tcp_timestamps", "1", "without them never", "net.ipv4.tcp_timestamps"},
    {"after", "2s", "how long after the last ACK A connects again"},
    kMsl,
    kDelay,
};

// One port to choose from, so the four-tuple must be the same.
void Reuse(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration after = ctx.Span("after", 10ms, 24h);
  ctx.a().Set("net.ipv4.ip_local_port_range", fmt::format("{0} {0}", kClientPort));
  const Duration from = IntoTimeWait(ctx, d);
  const bool waiting = after < TwoMsl(ctx);
  const bool allowed = ctx.SettingNumber("net.ipv4.tcp_tw_reuse") == 1 &&
                       ctx.SettingNumber("net.ipv4.tcp_timestamps") != 0 &&
                       after >= ctx.SettingNumber("net.ipv4.tcp_tw_reuse_delay") * 1ms;
  if (after < 3 * d) return ctx.Fail("parameter after: at least three delays");
  ctx.RunUntil(from + after);
  const SocketId a = ctx.a().Open();
  const auto again = ctx.a().ConnectAgain(a, ctx.b().endpoint(kServerPort));
  if (waiting && !allowed) {
    ctx.ExpectError(again, Error::kAddressNotAvailable, "connect of A");
    return ctx.CloseAndExpectNothingLeft();
  }
  ctx.ExpectError(again, Error::kInProgress, "connect of A");
  ctx.Run(3 * d);
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 0u, "the record has made way");
  ctx.CloseAndExpectNothingLeft();
}

// --- time-wait/cost ------------------------------------------------------------------------------

constexpr Parameter kCostParameters[] = {
    {"connections", "60", "opened and closed by A, one after the other"},
    {"tcp_max_tw_buckets", "40", "records at most", "net.ipv4.tcp_max_tw_buckets"},
    {"ipv6", "0", "1: over IPv6"},
    kMsl,
};

// Opens, closes in order, and is gone; nothing of it is drawn but the first.
void OneMore(ScenarioContext& ctx, SocketId listener, bool ipv6, Duration d) {
  const SocketId a = ctx.a().Connect(ctx.b().endpoint(kServerPort, ipv6));
  ctx.Run(3 * d);
  const SocketId b = ctx.b().MustAccept(listener);
  (void)ctx.a().Close(a);
  ctx.Run(d);
  (void)ctx.b().Close(b);
  ctx.Run(4 * d);
}

void Cost(ScenarioContext& ctx) {
  constexpr Duration d = 1ms;
  ctx.SetDelay(d);
  ctx.SetNumbers(observe::Numbers::kSymbolic);
  const auto count = static_cast<std::uint32_t>(ctx.Number("connections", 1, 2000));
  const bool ipv6 = ctx.Value("ipv6") == "1";
  const auto limit = static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.tcp_max_tw_buckets"));
  if (count * 8 * d >= TwoMsl(ctx)) return ctx.Fail("parameters: the first would end too early");
  const SocketId listener = ctx.b().Listen(kServerPort, 16, {}, ipv6);
  const auto counters = [&] { return ctx.a().stack().Counters(); };
  const std::uint64_t before = counters().memory_in_use;
  for (std::uint32_t i = 0; i < count; ++i) {
    OneMore(ctx, listener, ipv6, d);
    if (i == 0) ctx.DrawNoMore(fmt::format("and so on: {} connections", count));
  }
  const std::uint32_t kept = std::min(count, limit);
  ctx.ExpectEqual(counters().time_wait, kept, "tcp_max_tw_buckets bounds the records");
  ctx.ExpectEqual<std::uint64_t>(counters().time_wait_overflows, count - kept,
                                 "and what is over it is closed at once, and counted");
  ctx.ExpectEqual(counters().sockets, 0u, "no connection is left");
  if (kept != 0) {
    const std::uint64_t each = (counters().memory_in_use - before) / kept;
    ctx.Expect(each <= (ipv6 ? 96u : 64u), "a record takes at most 64 bytes (96 for IPv6)");
    ctx.Say(fmt::format("{} records of {} bytes each", kept, each));
  }
  ctx.RunUntil(ctx.now() + TwoMsl(ctx));
  ctx.ExpectNothingLeft();
}

// Every port of the range waits: the error says so.
void PortsUsedUp(ScenarioContext& ctx) {
  constexpr Duration d = 1ms;
  ctx.SetDelay(d);
  ctx.SetNumbers(observe::Numbers::kSymbolic);
  ctx.a().Set("net.ipv4.ip_local_port_range", "40000 40002");
  ctx.a().Set("net.ipv4.tcp_tw_reuse", "0");
  ctx.a().Set("net.ipv4.tcp_max_tw_buckets", "1000");
  const SocketId listener = ctx.b().Listen(kServerPort);
  for (int i = 0; i < 3; ++i) OneMore(ctx, listener, false, d);
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 3u, "all three ports wait");
  ctx.ExpectError(ctx.a().ConnectAgain(ctx.a().Open(), ctx.b().endpoint(kServerPort)),
                  Error::kAddressNotAvailable, "the fourth connect of A");
  ctx.Run(TwoMsl(ctx));
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort);
  ctx.Run(3 * d);
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kCostVariants[] = {{"every port of the range waits", false, PortsUsedUp}};

constexpr Scenario kTimeWaitMoreScenarios[] = {
    {"time-wait/who", "who has to wait",
     "The side that closes first waits; the other is CLOSED on its last ACK. If both close at "
     "once, "
     "both wait. There is no other way in but from FIN_WAIT_1, FIN_WAIT_2 and CLOSING (RFC 9293 "
     "§3.6).",
     kDelayAndMsl, TheFirstToClose, "A closes first", kWhoVariants},
    {"time-wait/rst", "a reset for a connection in TIME_WAIT",
     "An exact reset would end the wait, and with it what it protects against: TIME-WAIT "
     "assassination (RFC 1337). With tcp_rfc1337=1 none does; with 0 one with exactly the expected "
     "number does, as RFC 9293 has it. Any other is ignored.",
     kRstParameters, TimeWaitRst},
    {"time-wait/reuse", "an outgoing connection takes the four-tuple over",
     "With tcp_tw_reuse=1 a client may connect again from a four-tuple in TIME_WAIT, once "
     "tcp_tw_reuse_delay has passed, if timestamps let the peer tell new from old; with 2 only "
     "over "
     "loopback, with 0 never: EADDRNOTAVAIL, when no other port is left.",
     kReuseParameters, Reuse},
    {"time-wait/cost", "what it costs to wait",
     "A record takes at most 64 bytes (96 for IPv6), not a whole connection; adding, finding, "
     "restarting and ending one costs the same however many there are. tcp_max_tw_buckets bounds "
     "them. What may run out is ports: connect says EADDRNOTAVAIL.",
     kCostParameters, Cost, "records", kCostVariants},
};

}  // namespace

std::span<const Scenario> TimeWaitMoreScenarios() { return kTimeWaitMoreScenarios; }

}  // namespace estab::sim
