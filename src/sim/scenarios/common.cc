#include "sim/scenarios/common.h"

#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"

namespace estab::sim {

using std::chrono::milliseconds;

Duration UseDelay(ScenarioContext& ctx) {
  const Duration delay = ctx.Span("delay", milliseconds(1), milliseconds(40));
  ctx.SetDelay(delay);
  ctx.SetNumbers(observe::Numbers::kSymbolic);
  return delay;
}

Pair Establish(ScenarioContext& ctx, const SocketOptions& a, const SocketOptions& b) {
  Pair pair;
  pair.listener = ctx.b().Listen(kServerPort, 16, b);
  pair.a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort, a);
  ctx.Run(3 * ctx.world().path(Side::kA).config().delay);
  pair.b = ctx.b().MustAccept(pair.listener);
  return pair;
}

std::string Transfer(ScenarioContext& ctx, const Pair& pair, const std::string& data,
                     Duration limit) {
  std::string got;
  std::size_t written = 0;
  std::string piece(65536, '\0');
  ctx.world().SetStepHook([&] {
    if (written < data.size()) {
      const auto n = ctx.a().stack().Send(ctx.world().now(), pair.a,
                                          std::as_bytes(std::span(data).subspan(written)));
      if (n) written += *n;
    }
    const auto n =
        ctx.b().stack().Read(ctx.world().now(), pair.b, std::as_writable_bytes(std::span(piece)));
    if (n) got += piece.substr(0, *n);
  });
  const Duration end = ctx.now() + limit;
  while (ctx.now() < end && got.size() < data.size()) ctx.Run(milliseconds(1));
  ctx.Run(4 * ctx.world().path(Side::kA).config().delay);
  ctx.world().SetStepHook({});
  ctx.PlayCall(Side::kB, fmt::format("recv(), {} bytes in all", got.size()),
               got == data ? "as A sent them" : "NOT as A sent them");
  ctx.Expect(got == data, "B reads what A wrote: in order, once, unchanged");
  return got;
}

std::vector<ExpectedSegment> Handshake(Duration delay) {
  return {{Duration::zero(), "A S seq=x"},
          {delay, "B S. seq=y ack=x+1"},
          {2 * delay, "A . seq=x+1 ack=y+1"}};
}

wire::Segment Craft(std::uint16_t flags, std::uint32_t seq, std::uint32_t ack,
                    std::string_view data) {
  wire::Segment segment;
  segment.flags = flags;
  segment.seq = seq;
  segment.ack = ack;
  segment.window = (flags & kRst) != 0 ? 0 : 65535;
  segment.payload = std::as_bytes(std::span(data.data(), data.size()));
  return segment;
}

void Forge(ScenarioContext& ctx, Side from, const wire::Segment& segment) {
  const Endpoint a = ctx.a().endpoint(kClientPort);
  const Endpoint b = ctx.b().endpoint(kServerPort);
  const bool by_a = from == Side::kA;
  ctx.Inject(Other(from), by_a ? a : b, by_a ? b : a, segment,
             ctx.world().path(from).config().delay);
}

void Play(ScenarioContext& ctx, Side from, const wire::Segment& segment) {
  const Endpoint a = ctx.a().endpoint(kClientPort);
  const Endpoint b = ctx.b().endpoint(kServerPort);
  const bool by_a = from == Side::kA;
  ctx.PlaySegment(from, by_a ? a : b, by_a ? b : a, segment);
}

std::uint32_t Numbered(const ScenarioContext& ctx, Side side, std::int64_t offset) {
  return ctx.Isn(side) + static_cast<std::uint32_t>(offset);
}

std::string Pattern(std::size_t bytes, char first) {
  std::string out(bytes, first);
  for (std::size_t i = 0; i < bytes; ++i)
    out[i] = static_cast<char>(first + static_cast<char>(i % 26));
  return out;
}

std::vector<ExpectedSegment> Then(std::vector<ExpectedSegment> list,
                                  const std::vector<ExpectedSegment>& more) {
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

Schedule Repeats(ScenarioContext& ctx, std::int64_t repeats, Duration first, std::int64_t linear) {
  const Duration most = milliseconds(ctx.SettingNumber("net.ipv4.tcp_rto_max_ms"));
  Schedule schedule;
  Duration at{};
  Duration wait = std::min(first, most);
  for (std::int64_t i = 0; i <= repeats; ++i) {
    schedule.at.push_back(at);
    at += wait;
    if (i >= linear) wait = std::min(2 * wait, most);
  }
  schedule.end = at;
  return schedule;
}

Schedule SynRepeats(ScenarioContext& ctx) {
  const std::int64_t linear = ctx.SettingNumber("net.ipv4.tcp_syn_linear_timeouts");
  const std::int64_t repeats = ctx.SettingNumber("net.ipv4.tcp_syn_retries") + linear;
  return Repeats(ctx, repeats, milliseconds(ctx.SettingNumber("estab.tcp_rto_initial")), linear);
}

Schedule SynAckRepeats(ScenarioContext& ctx) {
  return Repeats(ctx, ctx.SettingNumber("net.ipv4.tcp_synack_retries"),
                 milliseconds(ctx.SettingNumber("estab.tcp_rto_initial")));
}

namespace {

// Linux repeats until so many repeats would have taken, with the least RTO, the time that has
// passed since the first of them.
Schedule RepeatsByTime(ScenarioContext& ctx, std::int64_t repeats, Duration first) {
  const Duration least = milliseconds(ctx.SettingNumber("estab.tcp_rto_min"));
  const Duration limit = Repeats(ctx, repeats, least).end;
  const Schedule many = Repeats(ctx, repeats + 64, first);
  Schedule schedule;
  for (const Duration at : many.at) {
    schedule.end = at;
    if (at > many.at[1] && at - many.at[1] >= limit) break;
    schedule.at.push_back(at);
  }
  return schedule;
}

// Where SACK is agreed Linux sends a tail loss probe when the first repeat would be due, and counts
// from there on.
Schedule AfterProbe(ScenarioContext& ctx, Schedule schedule) {
  const bool probes = ctx.SettingNumber("net.ipv4.tcp_early_retrans") >= 3 &&
                      ctx.SettingNumber("net.ipv4.tcp_sack") != 0;
  if (!probes) return schedule;
  const Duration first = schedule.at.at(1);
  for (std::size_t i = 1; i < schedule.at.size(); ++i) schedule.at[i] += first;
  schedule.at.insert(schedule.at.begin() + 1, first);
  schedule.end += first;
  return schedule;
}

}  // namespace

Schedule DataRepeats(ScenarioContext& ctx, std::int64_t repeats, Duration first) {
  return ctx.Profile() == "linux" ? AfterProbe(ctx, RepeatsByTime(ctx, repeats, first))
                                  : Repeats(ctx, repeats, first);
}

Schedule OrphanRepeats(ScenarioContext& ctx, Duration delay) {
  const std::int64_t retries = ctx.SettingNumber("net.ipv4.tcp_orphan_retries");
  return DataRepeats(ctx, retries == 0 ? 8 : retries, Rto(ctx, delay));
}

Duration SynAgain(ScenarioContext& ctx, Duration sent, Duration reset) {
  constexpr Duration kLinuxMoment = milliseconds(8);  // two ticks of its 250 Hz clock
  const Duration due = sent + SynRepeats(ctx).at.at(1);
  return ctx.Profile() == "linux" ? std::min(due, reset + kLinuxMoment) : due;
}

wire::Segment Stamped(const ScenarioContext& ctx, Side side, wire::Segment segment) {
  for (auto s = ctx.sent().rbegin(); s != ctx.sent().rend(); ++s) {
    if (s->from != side || !s->options.has_timestamp) continue;
    segment.options.has_timestamp = true;
    segment.options.ts_value = s->options.ts_value;
    segment.options.ts_echo = s->options.ts_echo;
    break;
  }
  return segment;
}

Duration Rto(ScenarioContext& ctx, Duration delay) {
  const Duration least = milliseconds(ctx.SettingNumber("estab.tcp_rto_min"));
  // RTTVAR begins at half the round trip. By the RFC's letter the whole has a least value.
  if (ctx.Profile() == "rfc") return std::max(6 * delay, least);
  return 2 * delay + std::max(4 * delay, least);
}

Duration FinWait2Span(ScenarioContext& ctx, Duration delay) {
  const Duration set = std::chrono::seconds(ctx.SettingNumber("net.ipv4.tcp_fin_timeout"));
  return std::max(set, (Rto(ctx, delay) + kFinAckWait / 8) * 7 / 2);
}

Duration TwoMsl(ScenarioContext& ctx) {
  return milliseconds(2 * ctx.SettingNumber("estab.tcp_msl"));
}

ConnectionInfo InfoOf(ScenarioContext& ctx, Side side, SocketId socket) {
  const auto info = ctx.host(side).stack().GetInfo(ctx.world().now(), socket);
  return info ? *info : ConnectionInfo{};
}

std::optional<std::size_t> HowMany(ScenarioContext& ctx, std::string_view name) {
  if (ctx.Value(name) == "all") return std::nullopt;
  return static_cast<std::size_t>(ctx.Number(name, 0, 255));
}

void ExpectErrorOnce(ScenarioContext& ctx, Side side, SocketId socket, Error error) {
  const std::string reader = fmt::format("recv of {}", observe::SideName(side));
  ctx.ExpectError(ctx.host(side).Read(socket), error, reader);
  ctx.ExpectData(ctx.host(side).Read(socket), "", reader + ", the second time");
}

}  // namespace estab::sim
