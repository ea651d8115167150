// Data that leaves at a rate: pacing, and BBR, which finds the rate by itself.
#include <algorithm>

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

// --- data/pacing ---------------------------------------------------------------------------------

constexpr std::size_t kAtOnce = 10;  // segments that pacing lets pass at the beginning

constexpr Parameter kPacingParameters[] = {
    {"rate", "500000", "SO_MAX_PACING_RATE, bytes a second"},
    {"segments", "20", "full-sized segments that are sent"},
    kDelay,
};

// A writes, B reads what comes. Returns when each segment of data left.
std::vector<Duration> SendAll(ScenarioContext& ctx, const SocketOptions& options) {
  UseDelay(ctx);
  const Pair pair = Establish(ctx, options);
  ctx.RunUntil(kBegin);
  const std::uint32_t mss = InfoOf(ctx, Side::kA, pair.a).send_mss;
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("segments", 16, 20)) * mss);
  std::string got;
  ctx.a().Send(pair.a, data);
  std::string piece(65536, '\0');
  ctx.world().SetStepHook([&] {
    const auto n =
        ctx.b().stack().Read(ctx.world().now(), pair.b, std::as_writable_bytes(std::span(piece)));
    if (n) got += piece.substr(0, *n);
  });
  for (const Duration end = ctx.now() + 30s; ctx.now() < end && got.size() < data.size();) {
    ctx.Run(1ms);
  }
  ctx.Run(100ms);
  ctx.world().SetStepHook({});
  ctx.Expect(got == data, "B reads what A wrote");
  std::vector<Duration> times;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == Side::kA && s.segment.length != 0) times.push_back(s.at);
  }
  ctx.CloseAndExpectNothingLeft();
  return times;
}

void Paced(ScenarioContext& ctx) {
  SocketOptions options;
  options.paced = true;
  options.max_pacing_rate = static_cast<std::uint64_t>(ctx.Number("rate", 50'000, 2'000'000));
  const std::vector<Duration> times = SendAll(ctx, options);
  const std::uint64_t mss = 1448;
  const Duration burst(
      static_cast<std::int64_t>(2 * mss * 1'000'000'000 / options.max_pacing_rate));
  ctx.Say(fmt::format("two segments at {} bytes a second take {:.1f} ms", options.max_pacing_rate,
                      SecondsOf(burst) * 1e3));
  ctx.Expect(times.size() > kAtOnce + 4 && times[kAtOnce - 1] == times[0],
             "the first ten segments go at once, as Linux lets them");
  for (std::size_t i = kAtOnce + 4; i < times.size(); ++i) {
    ctx.Expect(times[i] - times[i - 2] >= burst - 1us, "never more than two in such a time");
  }
}

void NotPaced(ScenarioContext& ctx) {
  static_cast<void>(ctx.Number("rate", 50'000, 2'000'000));
  const std::vector<Duration> times = SendAll(ctx, {});
  ctx.Expect(times.size() > kAtOnce && times.back() == times[kAtOnce],
             "the others follow at once when the ACKs come");
}

constexpr Variant kPacingVariants[] = {{"without SO_MAX_PACING_RATE", false, NotPaced}};

// --- data/bbr ------------------------------------------------------------------------------------

constexpr Parameter kBbrParameters[] = {
    {"delay", "20ms", "how long a packet takes, each way"},
    {"rate", "10", "what the path takes, Mbit/s"},
    {"loss", "0", "of a thousand packets, how many are lost by chance"},
};

class Probing {
 public:
  Probing(ScenarioContext& ctx, const char* control) : ctx_(ctx) {
    const Duration delay = ctx.Span("delay", 5ms, 100ms);
    ctx.SetDelay(delay);
    rate_ = static_cast<std::uint64_t>(ctx.Number("rate", 2, 50)) * 1'000'000;
    const std::uint64_t bdp = rate_ / 8 * static_cast<std::uint64_t>(delay / 1us) * 2 / 1'000'000;
    for (ScenarioHost* host : {&ctx.a(), &ctx.b()}) {
      for (const char* buffer : {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}) {
        const std::uint64_t room = 12 * bdp + 262'144;
        static_cast<void>(host->stack().SetSetting(buffer, fmt::format("4096 {} {}", room, room)));
      }
    }
    static_cast<void>(ctx.a().stack().SetSetting("net.ipv4.tcp_congestion_control", control));
    PathConfig path = ctx.world().path(Side::kA).config();
    path.rate_bps = rate_;
    path.queue_bytes = static_cast<std::uint32_t>(4 * bdp + 30'000);
    path.loss_ppm = static_cast<Ppm>(ctx.Number("loss", 0, 20) * 1000);
    least_ = 2 * delay +
             Duration(1500 * 8 * std::int64_t{1'000'000'000} / static_cast<std::int64_t>(rate_));
    pair_ = Establish(ctx);
    ctx.RunUntil(500ms);
    ctx.DrawNoMore(
        fmt::format("A sends all that {} lets it; the path takes {} Mbit/s, and its "
                    "queue has room for four times what is in flight",
                    control, rate_ / 1'000'000));
    ctx.world().path(Side::kA).set_config(path);
    began_ = ctx.now();
    ctx.world().SetStepHook([this] { Work(); });
  }

  double Share(std::uint64_t bytes, Duration in) const {
    return static_cast<double>(bytes) * 8 * 1500 / 1448 / SecondsOf(in) /
           static_cast<double>(rate_);
  }
  ConnectionInfo Info() { return InfoOf(ctx_, Side::kA, pair_.a); }
  Duration least() const { return least_; }
  std::uint64_t read() const { return read_; }

  // Until so long after it began; what it looked like then.
  void GoOn(Duration until) {
    const std::uint64_t before = read_;
    const Duration from = ctx_.now();
    longest_ = {};
    narrowest_ = UINT32_MAX;
    while (ctx_.now() - began_ < until) {
      ctx_.Run(2ms);
      const ConnectionInfo info = Info();
      longest_ = std::max(longest_, info.srtt);
      narrowest_ = std::min(narrowest_, info.congestion_window / info.send_mss);
    }
    share_ = Share(read_ - before, ctx_.now() - from);
    const ConnectionInfo info = Info();
    ctx_.Say(
        fmt::format("{:4.1f} s: {:3.0f} % of the path used, round trip {:3.0f} ms, window {} "
                    "segments",
                    SecondsOf(until), share_ * 100, SecondsOf(info.srtt) * 1e3,
                    info.congestion_window / info.send_mss));
    ctx_.Draw();
    ctx_.Note(fmt::format("{:.0f} % used, round trip {:.0f} ms, window {} segments", share_ * 100,
                          SecondsOf(info.srtt) * 1e3, info.congestion_window / info.send_mss),
              Side::kA);
    ctx_.ladder().SetPaused(true);
  }
  double share() const { return share_; }
  Duration longest() const { return longest_; }
  std::uint32_t narrowest() const { return narrowest_; }

  void End() {
    ctx_.world().SetStepHook({});
    ctx_.CloseAndExpectNothingLeft();
  }

 private:
  void Work() {
    const Time now = ctx_.world().now();
    static_cast<void>(ctx_.a().stack().Send(now, pair_.a, std::as_bytes(std::span(data_))));
    std::array<std::byte, 65536> piece;
    const auto n = ctx_.b().stack().Read(now, pair_.b, piece);
    if (n) read_ += *n;
  }

  ScenarioContext& ctx_;
  Pair pair_;
  std::string data_ = Pattern(262'144);
  std::uint64_t rate_ = 0;
  std::uint64_t read_ = 0;
  Duration least_{};
  Duration began_{};
  Duration longest_{};
  std::uint32_t narrowest_ = 0;
  double share_ = 0;
};

void BbrSeen(ScenarioContext& ctx) {
  Probing flow(ctx, "bbr");
  for (const Duration at : {250ms, 500ms, 1000ms}) flow.GoOn(at);
  flow.GoOn(3s);
  const ConnectionInfo info = flow.Info();
  ctx.Say(fmt::format("what it has learned: {:.2f} Mbit/s of payload, {:.1f} ms",
                      static_cast<double>(info.bbr.bandwidth) * 8e-6,
                      SecondsOf(info.bbr.min_rtt) * 1e3));
  ctx.Expect(std::abs(flow.Share(info.bbr.bandwidth, 1s) - 1) < 0.03, "that is the path's rate");
  ctx.Expect(info.bbr.min_rtt < flow.least() + 5ms, "and its round trip without a queue");
  flow.GoOn(9s);
  ctx.Expect(flow.share() > 0.95, "the path is full");
  ctx.Expect(flow.longest() < flow.least() * 3 / 2, "and its queue is not");
  flow.GoOn(13s);
  ctx.Expect(flow.narrowest() == 4,
             "after ten seconds, for 200 ms, four segments: is the round trip still the same?");
  flow.End();
}

void CubicBeside(ScenarioContext& ctx) {
  Probing flow(ctx, "cubic");
  for (const Duration at : {250ms, 500ms, 1000ms, 3000ms, 9000ms, 13000ms}) flow.GoOn(at);
  flow.End();
}

constexpr Variant kBbrVariants[] = {{"with cubic", false, CubicBeside}};

constexpr Scenario kDataRateScenarios[] = {
    {"data/pacing", "data leaves at a rate",
     "With SO_MAX_PACING_RATE data does not leave as fast as the window lets it, but in bursts of "
     "a "
     "millisecond's worth, at least two segments, each at its time. Only the first ten segments go "
     "at once. ACKs, probes and the end of the connection do not wait.",
     kPacingParameters, Paced, "as it is", kPacingVariants},
    {"data/bbr", "the rate and the round trip of a path",
     "BBR measures how fast data arrives and how long that takes at least, sends at that rate, and "
     "keeps twice in flight what the path holds. It begins with three times the rate until more "
     "brings no more, lets the queue that this has made drain, and then tries a quarter more and a "
     "quarter less in turn. A queue is never used for long, and what chance loses does not slow it "
     "down.",
     kBbrParameters, BbrSeen, "with bbr", kBbrVariants},
};

}  // namespace

std::span<const Scenario> DataRateScenarios() { return kDataRateScenarios; }

}  // namespace estab::sim
