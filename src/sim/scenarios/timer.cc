// Timers.
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kKeepaliveParameters[] = {
    {"peer", "silent", "silent, alive or restarted"},
    kDelay,
    {"tcp_keepalive_time", nullptr, "seconds of silence before the first probe",
     "net.ipv4.tcp_keepalive_time"},
    {"tcp_keepalive_intvl", nullptr, "seconds between probes", "net.ipv4.tcp_keepalive_intvl"},
    {"tcp_keepalive_probes", nullptr, "unanswered probes", "net.ipv4.tcp_keepalive_probes"},
};

void Keepalive(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::string peer = ctx.Value("peer");
  const auto idle = ctx.SettingNumber("net.ipv4.tcp_keepalive_time") * 1s;
  const auto interval = ctx.SettingNumber("net.ipv4.tcp_keepalive_intvl") * 1s;
  const auto probes = ctx.SettingNumber("net.ipv4.tcp_keepalive_probes");
  SocketOptions options;
  options.keepalive = true;
  const Pair pair = Establish(ctx, options);
  ctx.Note("SO_KEEPALIVE", Side::kA);
  const Duration from = 2 * d;  // the last that A heard of B
  ctx.RunUntil(500ms);
  if (peer != "alive") ctx.b().Crash();
  if (peer == "restarted") ctx.b().Restart();
  std::vector<ExpectedSegment> wire = Handshake(d);
  const ExpectedSegment probe{from + idle, "A . seq=x ack=y+1"};
  if (peer == "alive") {
    // Each answer begins the idle time anew.
    const Duration next = from + idle + 2 * d + idle;
    ctx.RunUntil(next + 3 * d);
    ctx.ExpectWire(Then(wire, {probe,
                               {probe.at + d, "B . seq=y+1 ack=x+1"},
                               {next, "A . seq=x ack=y+1"},
                               {next + d, "B . seq=y+1 ack=x+1"}}));
    ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
    return ctx.CloseAndExpectNothingLeft();
  }
  if (peer == "restarted") {
    ctx.RunUntil(probe.at + 2 * d);
    ctx.ExpectWire(Then(wire, {probe, {probe.at + d, "B R seq=y+1"}}));
    ExpectErrorOnce(ctx, Side::kA, pair.a, Error::kConnectionReset);
    return ctx.CloseAndExpectNothingLeft();
  }
  if (peer != "silent") return ctx.Fail("parameter peer: silent, alive or restarted");
  for (std::int64_t i = 0; i < probes; ++i) wire.push_back({probe.at + i * interval, probe.text});
  const Duration end = from + idle + probes * interval;
  wire.push_back({end, "A R. seq=x+1 ack=y+1"});
  ctx.RunUntil(end);
  ctx.ExpectWire(wire);
  ctx.ExpectTransition(Side::kA, State::kEstablished, State::kClosed, end);
  ExpectErrorOnce(ctx, Side::kA, pair.a, Error::kTimedOut);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kPersistParameters[] = {
    kDelay,
    kRtoMin,
    {"probes", "8", "how many probes are watched"},
};

// The bare segments that A sends in (from, until]: its window probes.
std::vector<Duration> Probes(ScenarioContext& ctx, Duration from, Duration until) {
  std::vector<Duration> times;
  for (const SentSegment& s : ctx.sent()) {
    const bool old = static_cast<std::int32_t>(s.segment.seq - ctx.Isn(Side::kA)) > 0;
    if (s.from == Side::kA && s.at > from && s.at <= until && old && s.segment.length <= 1) {
      times.push_back(s.at);
    }
  }
  return times;
}

void Persist(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto wanted = static_cast<std::size_t>(ctx.Number("probes", 2, 12));
  SocketOptions small;
  small.receive_buffer = 4096;
  const Pair pair = Establish(ctx, {}, small);
  ctx.RunUntil(200ms);
  const std::string data(12'000, 'x');
  (void)ctx.a().Send(pair.a, data);
  // Until B has closed its window, and A knows.
  ctx.RunUntil(2s);
  const auto full = [&] {
    const auto info = ctx.a().stack().GetInfo(ctx.world().now(), pair.a);
    return info && info->send_window == 0;
  };
  ctx.Expect(full(), "B's window is closed");
  const Duration most = ctx.SettingNumber("net.ipv4.tcp_rto_max_ms") * 1ms;
  Duration until = 2s;
  std::vector<Duration> probes;
  for (int i = 0; i < 100 && probes.size() < wanted; ++i) {
    until += Rto(ctx, d);
    until += until / 2;
    ctx.RunUntil(until);
    probes = Probes(ctx, 200ms, until);
  }
  ctx.Expect(probes.size() >= wanted, "A goes on probing");
  for (std::size_t i = 2; i < std::min(probes.size(), wanted); ++i) {
    const Duration before = probes[i - 1] - probes[i - 2];
    const Duration wait = probes[i] - probes[i - 1];
    const Duration expected = std::min(2 * before, most);
    // Linux counts from the answer, a round trip later, if there was one: they are rate limited.
    const Duration off = ctx.Profile() == "linux" ? 4 * d + 2ms : Duration(2ms);
    ctx.Expect(wait >= expected - off && wait <= expected + off,
               fmt::format("probe {} comes after twice the wait before", i + 1));
  }
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  std::string got;
  while (got.size() < data.size()) {
    const auto piece = ctx.b().Read(pair.b);
    if (piece && piece->empty()) break;
    if (piece) got += *piece;
    if (!piece && !ctx.a().stack().GetInfo(ctx.world().now(), pair.a)) break;
    if (ctx.now() > until + 10min) break;
    ctx.Run(4 * d);
  }
  ctx.Expect(got == data, "all arrives once B reads");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kTimerScenarios[] = {
    {"timer/keepalive", "a long silence is looked into",
     "With SO_KEEPALIVE A probes after tcp_keepalive_time with a segment that has no data and the "
     "number before the next, which a living peer must acknowledge. After "
     "tcp_keepalive_probes unanswered ones, by default ten, A resets, and the error is ETIMEDOUT: "
     "after 7950 s (Linux has nine: 7875 s). A restarted peer resets (RFC 9293 §3.8.4).",
     kKeepaliveParameters, Keepalive},
    {"timer/persist", "the peer's window is closed",
     "B's application does not read, so its window closes. A probes, each wait twice as long as "
     "the "
     "one before, for ever while B answers; when B reads, the window opens and data flows "
     "(RFC 9293 §3.8.6.1).",
     kPersistParameters, Persist},
};

}  // namespace

std::span<const Scenario> TimerScenarios() { return kTimerScenarios; }

}  // namespace estab::sim
