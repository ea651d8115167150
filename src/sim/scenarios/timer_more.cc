// The retransmission time-out, delayed ACKs, and many timers at once.
#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kData = 500ms;  // when data is sent

std::vector<Duration> DataTimes(const ScenarioContext& ctx, Side side) {
  std::vector<Duration> times;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == side && s.segment.length != 0) times.push_back(s.at);
  }
  return times;
}

constexpr Parameter kRtoParameters[] = {
    {"lost", "4", "how often the data is lost"},
    kRtoMin,
    {"tcp_rto_max_ms", nullptr, "longest retransmission time-out", "net.ipv4.tcp_rto_max_ms"},
    kDelay,
};

void ExpectSchedule(ScenarioContext& ctx, const Schedule& schedule, std::size_t lost) {
  std::vector<Duration> expected;
  for (std::size_t i = 0; i <= lost; ++i) expected.push_back(kData + schedule.at.at(i));
  const std::vector<Duration> got = DataTimes(ctx, Side::kA);
  bool same = got.size() == expected.size();
  for (std::size_t i = 0; same && i < got.size(); ++i) {
    same = got[i] >= expected[i] - 1ms && got[i] <= expected[i] + 1ms;
  }
  std::string text;
  for (const Duration at : expected) text += " " + observe::SpanText(at - kData);
  std::string told;
  for (const Duration at : got) told += " " + observe::SpanText(at - kData);
  ctx.Expect(same, fmt::format("the data goes at{}, not at{}", text, told));
}

// The first `count` repeats of many.
Schedule FirstRepeats(ScenarioContext& ctx, std::size_t count, Duration rto) {
  Schedule schedule = DataRepeats(ctx, static_cast<std::int64_t>(count) + 1, rto);
  schedule.at.resize(count + 1);
  return schedule;
}

void RtoGrows(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto lost = static_cast<std::size_t>(ctx.Number("lost", 0, 12));
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kData);
  const ConnectionInfo before = InfoOf(ctx, Side::kA, pair.a);
  ctx.ExpectEqual(before.srtt, 2 * d, "the handshake has measured the round trip");
  ctx.ExpectEqual(before.rto, Rto(ctx, d), "RTO = SRTT + max(4 RTTVAR, the least variation)");
  if (lost != 0) ctx.Fault(fmt::format("drop the first {} data from A", lost));
  (void)ctx.a().Send(pair.a, "hello");
  const Schedule schedule = FirstRepeats(ctx, lost, Rto(ctx, d));
  ctx.RunUntil(kData + schedule.at.back() + 4 * d);
  ExpectSchedule(ctx, schedule, lost);
  ctx.ExpectData(ctx.b().Read(pair.b), "hello", "recv of B");
  ctx.ExpectEqual(InfoOf(ctx, Side::kA, pair.a).backoff, 0u, "the ACK ends the doubling");
  ctx.CloseAndExpectNothingLeft();
}

// Without timestamps an ACK of repeated data measures nothing (Karn).
void RtoKarn(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.a().Set("net.ipv4.tcp_timestamps", "0");
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kData);
  const Duration srtt = InfoOf(ctx, Side::kA, pair.a).srtt;
  ctx.Fault("drop the first 2 data from A");
  (void)ctx.a().Send(pair.a, "hello");
  const Schedule schedule = FirstRepeats(ctx, 2, Rto(ctx, d));
  ctx.RunUntil(kData + schedule.at.back() + 4 * d);
  ExpectSchedule(ctx, schedule, 2);
  ctx.ExpectEqual(InfoOf(ctx, Side::kA, pair.a).srtt, srtt, "SRTT is what it was");
  ctx.CloseAndExpectNothingLeft();
}

// The SYN was repeated, so nothing was measured: 3 s for the data (RFC 6298 §5.7).
void RtoAfterSyn(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.a().Set("net.ipv4.tcp_timestamps", "0");
  const SocketId listener = ctx.b().Listen(kServerPort);
  ctx.Fault("drop the 1st SYN from A");
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  const Duration open = SynRepeats(ctx).at.at(1) + 3 * d;
  ctx.RunUntil(open);
  (void)ctx.b().MustAccept(listener);
  const Duration most = ctx.SettingNumber("net.ipv4.tcp_rto_max_ms") * 1ms;
  const Duration rto = std::min<Duration>(3s, most);
  ctx.ExpectEqual(InfoOf(ctx, Side::kA, a).rto, rto, "the time-out is 3 s");
  ctx.Fault("drop the 1st data from A");
  (void)ctx.a().Send(a, "hello");
  ctx.RunUntil(open + 4s);
  const std::vector<Duration> times = DataTimes(ctx, Side::kA);
  ctx.Expect(times.size() == 2 && times[1] - times[0] == rto, "the data is repeated after 3 s");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kRtoVariants[] = {
    {"without timestamps: Karn", false, RtoKarn},
    {"after a repeated SYN, without timestamps", false, RtoAfterSyn}};

// --- timer/delayed-ack ---------------------------------------------------------------------------

constexpr Parameter kAckParameters[] = {
    {"pieces", "24", "small pieces of data, 100 ms apart"},
    {"full", "20", "full-sized segments in one go"},
    kDelay,
};

struct Acked {
  Duration data;   // when it left
  Duration delay;  // from its arrival to the ACK
};

std::vector<Acked> AckDelays(const ScenarioContext& ctx, Duration d) {
  std::vector<Acked> out;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from != Side::kA || s.segment.length == 0) continue;
    const std::uint32_t end = s.segment.seq + s.segment.length;
    for (const SentSegment& ack : ctx.sent()) {
      const bool covers = static_cast<std::int32_t>(ack.segment.ack - end) >= 0;
      if (ack.from == Side::kB && covers && ack.at >= s.at + d) {
        out.push_back({s.at, ack.at - s.at - d});
        break;
      }
    }
  }
  return out;
}

void DelayedAck(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto pieces = static_cast<std::size_t>(ctx.Number("pieces", 1, 60));
  const auto full = static_cast<std::size_t>(ctx.Number("full", 2, 40));
  const Pair pair = Establish(ctx);
  for (std::size_t i = 0; i < pieces; ++i) {
    ctx.RunUntil(kData + i * 100ms);
    (void)ctx.a().stack().Send(ctx.world().now(), pair.a, std::as_bytes(std::span("piece", 5)));
    if (i == 3 && pieces > 20) ctx.DrawNoMore("and so on, until ACKs begin to wait");
    if (i == 17) ctx.Draw();
  }
  ctx.Run(1s);
  const std::vector<Acked> small = AckDelays(ctx, d);
  ctx.ExpectEqual(small.size(), pieces, "every piece is acknowledged");
  Duration longest{};
  for (const Acked& a : small) longest = std::max(longest, a.delay);
  ctx.Expect(longest <= 200ms, "no ACK waits longer than 200 ms");
  ctx.Expect(small.front().delay == 0ms, "at the start ACKs do not wait");
  if (pieces > 20) ctx.Expect(longest >= 40ms, "later they do, for something to travel with");
  const std::size_t before = ctx.sent().size();
  const std::uint32_t mss = InfoOf(ctx, Side::kA, pair.a).send_mss;
  (void)ctx.a().Send(pair.a, std::string(full * mss, 'x'));
  ctx.Run(2s);
  std::size_t acks = 0;
  std::size_t segments = 0;
  for (std::size_t i = before; i < ctx.sent().size(); ++i) {
    acks += ctx.sent()[i].from == Side::kB ? 1 : 0;
    segments += ctx.sent()[i].from == Side::kA ? 1 : 0;
  }
  ctx.Expect(acks * 2 >= segments, "at least every second full-sized segment is acknowledged");
  ctx.Say(fmt::format("{} pieces: at most {} until the ACK; {} full segments: {} ACKs", pieces,
                      observe::SpanText(longest), segments, acks));
  ctx.CloseAndExpectNothingLeft();
}

// --- timer/cost ----------------------------------------------------------------------------------

constexpr Parameter kTimersParameters[] = {
    {"connections", "150", "each with its keepalive timer"},
    {"idle", "30", "TCP_KEEPIDLE, seconds"},
};

// Every connection was last heard of at another moment, and so is asked at another.
void ManyTimers(ScenarioContext& ctx) {
  constexpr Duration d = 1ms;
  constexpr Duration kApart = 7ms;
  ctx.SetDelay(d);
  ctx.SetNumbers(observe::Numbers::kSymbolic);
  const auto count = static_cast<std::size_t>(ctx.Number("connections", 1, 400));
  const Duration idle = ctx.Number("idle", 5, 3600) * 1s;
  SocketOptions options;
  options.keepalive = true;
  options.keepalive_idle = static_cast<std::uint32_t>(idle / 1s);
  const SocketId listener = ctx.b().Listen(kServerPort, 1024);
  std::vector<Duration> heard;
  for (std::size_t i = 0; i < count; ++i) {
    ctx.RunUntil(i * kApart);
    ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(20'000 + i), options);
    heard.push_back(ctx.now() + 2 * d);
    if (i == 1) ctx.DrawNoMore(fmt::format("and so on: {} connections, 7 ms apart", count));
  }
  ctx.Run(3 * d);
  for (std::size_t i = 0; i < count; ++i) (void)ctx.b().MustAccept(listener);
  const std::size_t before = ctx.sent().size();
  ctx.RunUntil(heard.back() + idle + 2 * d);
  std::size_t exact = 0;
  for (std::size_t i = before; i < ctx.sent().size(); ++i) {
    const SentSegment& s = ctx.sent()[i];
    if (s.from != Side::kA) continue;
    const std::size_t which = s.source.port - 20'000u;
    exact += which < count && s.at == heard[which] + idle ? 1 : 0;
  }
  ctx.ExpectEqual(exact, count, "each connection is asked at its own moment, to the millisecond");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kTimerMoreScenarios[] = {
    {"timer/rto", "how long to wait before sending again",
     "RTO = SRTT + max(4 RTTVAR, 200 ms), under profile rfc at least 1 s as a whole, measured with "
     "every ACK and doubled with every repeat, up to 120 s. Without timestamps an ACK of repeated "
     "data measures nothing (Karn), and after a "
     "repeated SYN the first time-out is 3 s (RFC 6298).",
     kRtoParameters, RtoGrows, "doubling", kRtoVariants},
    {"timer/delayed-ack", "an ACK waits for something to travel with",
     "At the start every segment is acknowledged at once; later an ACK waits, 40 to 200 ms, for "
     "data "
     "to travel with, but every second full-sized segment is acknowledged. Never over 500 ms "
     "(RFC 9293 §3.8.6.3).",
     kAckParameters, DelayedAck},
    {"timer/cost", "many timers at once",
     "Timers lie in a wheel: setting and cancelling one costs the same however many there are, and "
     "each fires at its own millisecond.",
     kTimersParameters, ManyTimers},
};

}  // namespace

std::span<const Scenario> TimerMoreScenarios() { return kTimerMoreScenarios; }

}  // namespace estab::sim
