// A path that takes smaller packets than the links at its ends.
#include <algorithm>

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLinkMtu = 1500;

void Narrow(ScenarioContext& ctx, std::uint32_t mtu, Router router) {
  PathConfig config = ctx.world().path(Side::kA).config();
  config.mtu = mtu;
  config.router = router;
  ctx.world().path(Side::kA).set_config(config);
}

// The payload of a full segment in packets of `mtu` bytes.
std::uint32_t MssIn(ScenarioContext& ctx, std::uint32_t mtu) {
  constexpr std::uint32_t kHeaders = 40;
  constexpr std::uint32_t kTimestamps = 12;
  return mtu - kHeaders - (ctx.SettingNumber("net.ipv4.tcp_timestamps") != 0 ? kTimestamps : 0);
}

// What A sent with data, in order.
std::vector<SentSegment> DataOf(const ScenarioContext& ctx) {
  std::vector<SentSegment> list;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == Side::kA && s.segment.length != 0) list.push_back(s);
  }
  return list;
}

// --- data/pmtu -----------------------------------------------------------------------------------

constexpr Parameter kPmtuParameters[] = {
    {"mtu", "1300", "bytes that the narrowest link takes"},
    {"router", "tells", "there: tells its MTU, or old: says only that it was too much"},
    {"df", "1", "0: IP_PMTUDISC_DONT, routers may fragment"},
    {"segments", "6", "full-sized segments that are sent"},
    kDelay,
    {"min_pmtu", nullptr, "no path is taken for narrower", "net.ipv4.route.min_pmtu"},
};

// Without DF the router cuts what is too big, and B makes it whole.
void InFragments(ScenarioContext& ctx, const Pair& pair, const std::string& data) {
  Transfer(ctx, pair, data, 20s);
  const StackCounters counters = ctx.b().stack().Counters();
  ctx.Expect(counters.fragments_in >= 2 && counters.reassembled >= 1,
             "B makes datagrams whole again");
  ctx.ExpectEqual(InfoOf(ctx, Side::kA, pair.a).path_mtu, kLinkMtu, "A never learns of it");
  ctx.CloseAndExpectNothingLeft();
}

// What the router's word makes of the path.
std::uint32_t MtuTold(ScenarioContext& ctx, std::uint32_t mtu, bool old) {
  const auto least = static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.route.min_pmtu"));
  if (!old) return std::max(mtu, least);
  if (ctx.Profile() == "linux") return least;
  for (const std::uint32_t plateau : {1492u, 1006u}) {
    if (plateau <= mtu) return std::max(plateau, least);
  }
  return least;
}

void Pmtu(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto mtu = static_cast<std::uint32_t>(ctx.Number("mtu", 576, 1499));
  const std::string router = ctx.Value("router");
  const bool old = router == "old";
  ctx.Expect(old || router == "tells", "parameter router is tells or old");
  const bool df = ctx.Value("df") == "1";
  SocketOptions options;
  if (!df) options.mtu_discovery = MtuDiscovery::kDont;
  const Pair pair = Establish(ctx, options);
  Narrow(ctx, mtu, old ? Router::kOld : Router::kTells);
  ctx.RunUntil(kBegin);
  const ConnectionInfo before = InfoOf(ctx, Side::kA, pair.a);
  const auto segments = static_cast<std::size_t>(ctx.Number("segments", 1, 10));
  const std::string data = Pattern(segments * before.send_mss);
  if (!df) return InFragments(ctx, pair, data);
  Transfer(ctx, pair, data, 20s);
  const std::uint32_t told = MtuTold(ctx, mtu, old);
  const std::uint32_t smaller = MssIn(ctx, told);
  const ConnectionInfo info = InfoOf(ctx, Side::kA, pair.a);
  ctx.ExpectEqual(info.path_mtu, told, "A knows what the path takes");
  ctx.ExpectEqual(info.send_mss, smaller, "and its segments are as large as that allows");
  ctx.ExpectEqual(info.slow_start_threshold, before.slow_start_threshold,
                  "nothing was taken for congestion");
  std::size_t repeats = 0;
  for (const SentSegment& s : DataOf(ctx)) {
    if (s.at == kBegin) continue;
    if (!old) ctx.Expect(s.segment.length <= smaller, "nothing that A sends then is larger");
    repeats += s.segment.seq == Numbered(ctx, Side::kA, 1) ? 1 : 0;
  }
  if (!old) {
    ctx.ExpectEqual(repeats, std::size_t{1}, "what was too big goes again once, in parts");
    ctx.ExpectSent({kBegin + d, fmt::format("A . seq=x+1 ack=y+1 len={}", smaller)});
  }
  const SocketId next = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1);
  const std::uint32_t announced = InfoOf(ctx, Side::kA, next).receive_mss;
  ctx.ExpectEqual(announced, told - 40, "the next connection to B knows it from the start");
  ctx.Run(3 * d);
  ctx.CloseAndExpectNothingLeft();
}

// --- data/black-hole -----------------------------------------------------------------------------

constexpr Parameter kBlackHoleParameters[] = {
    {"mtu", "1200", "bytes that the narrowest link takes; nobody says so"},
    kDelay,
    {"tcp_retries1", "3", "repeats until A doubts the path", "net.ipv4.tcp_retries1"},
    {"tcp_base_mss", "1024", "MSS that A then falls back to", "net.ipv4.tcp_base_mss"},
    {"tcp_mtu_probe_floor", "48", "and the least", "net.ipv4.tcp_mtu_probe_floor"},
};

Pair SendIntoBlackHole(ScenarioContext& ctx, const char* probing) {
  UseDelay(ctx);
  ctx.a().Set("net.ipv4.tcp_mtu_probing", probing);
  ctx.a().Set("net.ipv4.tcp_early_retrans", "0");  // no other repeats than the timer's
  const Pair pair = Establish(ctx);
  Narrow(ctx, static_cast<std::uint32_t>(ctx.Number("mtu", 300, 1499)), Router::kSilent);
  ctx.RunUntil(kBegin);
  return pair;
}

void BlackHole(ScenarioContext& ctx) {
  const Pair pair = SendIntoBlackHole(ctx, "1");
  const std::string data = Pattern(2 * std::size_t{InfoOf(ctx, Side::kA, pair.a).send_mss});
  Transfer(ctx, pair, data, 600s);
  const auto mtu = static_cast<std::uint32_t>(ctx.Number("mtu", 300, 1499));
  const std::uint32_t mss = InfoOf(ctx, Side::kA, pair.a).send_mss;
  ctx.Expect(mss <= MssIn(ctx, mtu), "A's segments fit the path");
  ctx.Expect(ctx.a().stack().Counters().mtu_black_holes >= 1, "A has made them smaller by itself");
  std::int64_t in_vain = 0;
  for (const SentSegment& s : DataOf(ctx)) {
    in_vain += s.at > kBegin && s.segment.length > MssIn(ctx, mtu) ? 1 : 0;
  }
  ctx.Expect(in_vain >= ctx.SettingNumber("net.ipv4.tcp_retries1"),
             "after tcp_retries1 repeats in vain");
  ctx.CloseAndExpectNothingLeft();
}

// Without probing it repeats until it gives up; a few of the repeats are enough to see.
void Forever(ScenarioContext& ctx) {
  const Pair pair = SendIntoBlackHole(ctx, "0");
  (void)ctx.a().Send(pair.a, Pattern(2 * std::size_t{InfoOf(ctx, Side::kA, pair.a).send_mss}));
  ctx.Run(30s);
  for (const SentSegment& s : DataOf(ctx)) {
    ctx.Expect(s.segment.length == MssIn(ctx, kLinkMtu), "always the same");
  }
  ctx.ExpectError(ctx.b().Read(pair.b), Error::kWouldBlock, "recv of B");
  ctx.DrawNoMore("and so on, until tcp_retries2");
  (void)ctx.a().Abort(pair.a);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kForever[] = {{"tcp_mtu_probing=0", false, Forever}};

// --- data/mtu-probe ------------------------------------------------------------------------------

constexpr Parameter kProbeParameters[] = {
    {"mtu", "1400", "bytes that the narrowest link takes; nobody says so"},
    kDelay,
    {"tcp_base_mss", "1024", "MSS that the search begins with", "net.ipv4.tcp_base_mss"},
    {"tcp_probe_threshold", "64", "bytes between the bounds at which it ends",
     "net.ipv4.tcp_probe_threshold"},
};

void MtuProbe(ScenarioContext& ctx) {
  UseDelay(ctx);
  ctx.a().Set("net.ipv4.tcp_mtu_probing", "2");
  ctx.a().Set("net.ipv4.tcp_congestion_control", "reno");
  const auto mtu = static_cast<std::uint32_t>(ctx.Number("mtu", 1076, 1500));
  Narrow(ctx, mtu, Router::kSilent);
  SocketOptions small;  // a window that can be drawn
  small.receive_buffer = 16'384;
  const Pair pair = Establish(ctx, {}, small);
  ctx.RunUntil(kBegin);
  const ConnectionInfo before = InfoOf(ctx, Side::kA, pair.a);
  ctx.ExpectEqual(before.send_mss,
                  static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.tcp_base_mss")),
                  "A begins with what every path takes");
  Transfer(ctx, pair, Pattern(70'000), 20s);
  const ConnectionInfo info = InfoOf(ctx, Side::kA, pair.a);
  const StackCounters counters = ctx.a().stack().Counters();
  const auto close = static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.tcp_probe_threshold"));
  ctx.Expect(info.send_mss <= MssIn(ctx, mtu), "A's segments fit the path");
  ctx.Expect(info.send_mss + close >= MssIn(ctx, mtu), "and are nearly as large as it takes");
  ctx.Expect(counters.mtu_probes >= 1, "larger segments have shown whether they pass");
  ctx.ExpectEqual(counters.mtu_probes, counters.mtu_probes_passed + counters.mtu_probes_lost,
                  "every probe had its answer");
  ctx.ExpectEqual(info.slow_start_threshold, before.slow_start_threshold,
                  "those that do not pass are no sign of congestion");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kDataPathScenarios[] = {
    {"data/pmtu", "the path takes smaller packets than the link",
     "A's full segments are too big for a link on the way. The router drops them and says how much "
     "it takes: what it quotes is in flight, so A believes it, sends the same bytes again at once "
     "in smaller segments, and does not slow down. Connections that come after learn it from a "
     "cache (RFC 1191, RFC 5927).",
     kPmtuParameters, Pmtu},
    {"data/black-hole", "the path takes less, and nobody says so",
     "The handshake passes, full segments vanish, and no ICMP message comes through. After "
     "tcp_retries1 time-outs A tries smaller ones (RFC 4821, net.ipv4.tcp_mtu_probing 1); without "
     "that it repeats the same until it gives up.",
     kBlackHoleParameters, BlackHole, "tcp_mtu_probing=1", kForever},
    {"data/mtu-probe", "A finds out by itself what the path takes",
     "A begins small and now and then sends one larger segment, half way between what is known to "
     "pass and what is known not to. If it is lost, and nothing else is, that says something about "
     "its size and nothing about congestion (RFC 4821, net.ipv4.tcp_mtu_probing 2).",
     kProbeParameters, MtuProbe},
};

}  // namespace

std::span<const Scenario> DataPathScenarios() { return kDataPathScenarios; }

}  // namespace estab::sim
