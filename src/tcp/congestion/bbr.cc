#include "tcp/congestion/bbr.h"

#include <algorithm>

#include "tcp/congestion/bbr_path.h"
#include "tcp/delivery.h"
#include "tcp/pacing.h"
#include "tcp/recovery.h"

namespace estab::tcp {
namespace {

using Mode = BbrModel::Mode;

constexpr std::uint32_t kHighGain = kGainUnit * 2885 / 1000 + 1;  // 2 / ln 2
constexpr std::uint32_t kDrainGain = kGainUnit * 1000 / 2885;
constexpr std::uint32_t kWindowGain = 2 * kGainUnit;
// A little more for one round trip, as much less for the next, and the rate itself for six.
constexpr std::uint32_t kCycle[] = {320, 192, 256, 256, 256, 256, 256, 256};
constexpr std::uint32_t kLeastWindow = 4;  // segments

// Word of congestion_state, beside the model's slot: losses were repaired as of the last ACK, and
// not after a time-out.
constexpr std::size_t kWasFast = 1;

constexpr std::chrono::seconds kMinRttLasts(10);
constexpr std::chrono::milliseconds kProbeRttLasts(200);
constexpr std::uint32_t kModerateGain = kGainUnit * 4 / 5;

std::uint64_t PacingRateOf(std::uint64_t rate, std::uint32_t gain) {
  // What two ACKs at nearly the same moment make of a rate must not wrap.
  constexpr std::uint64_t kMost = std::uint64_t{1} << 50;
  // 1 % below, so that queues do not grow for ever.
  return std::min(rate, kMost) * gain / kGainUnit * 99 / 100;
}

// Rate times round trip, in whole segments.
std::uint64_t BytesInPath(const Tcb& tcb, const BbrModel& model, std::uint64_t rate,
                          std::uint32_t gain) {
  const std::uint64_t mss = tcb.send_mss;
  if (model.min_rtt == Duration::max()) return 10 * mss;
  const std::uint64_t bytes = BbrBytesIn(rate, model.min_rtt) * gain / kGainUnit;
  return (bytes + mss - 1) / mss * mss;
}

// Bursts and delayed ACKs take room: three bursts, a whole number of pairs of segments, and more
// while the rate is probed, or a small window could not show that there is more.
std::uint64_t WithBursts(const Tcb& tcb, const BbrModel& model, std::uint64_t window) {
  const std::uint64_t pair = 2u * tcb.send_mss;
  window += 3u * PacingQuantum(tcb, model.pacing_rate);
  window = (window + pair - 1) / pair * pair;
  if (model.mode == Mode::kProbeBandwidth && model.phase == 0) window += pair;
  return window;
}

std::uint64_t InFlightAt(const Tcb& tcb, const BbrModel& model, std::uint32_t gain) {
  return WithBursts(tcb, model, BytesInPath(tcb, model, model.bandwidth.value(), gain));
}

// What of `in_flight` will still be in the path when the next burst may go.
std::uint64_t InPathAtNextBurst(const BbrStep& step, std::uint64_t in_flight) {
  const Duration wait = std::max(step.loss.pace.next - step.cx.now, Duration(0));
  const std::uint64_t gone = BbrBytesIn(BbrRate(step.model), wait);
  if (step.model.pacing_gain > kGainUnit) {
    in_flight += PacingQuantum(step.tcb, step.model.pacing_rate);
  }
  return in_flight - std::min(in_flight, gone);
}

void SaveWindow(const Tcb& tcb, BbrModel& model) {
  const bool meant = !model.in_recovery && model.mode != Mode::kProbeRoundTrip;
  model.prior_cwnd = meant ? tcb.cwnd : std::max(model.prior_cwnd, tcb.cwnd);
}

void BeginMode(const Context& cx, const Tcb& tcb, const Deliveries& deliveries, BbrModel& model) {
  if (model.full) return BeginCycle(cx, tcb, deliveries, model);
  model.mode = Mode::kStartup;
}

// --- The pacing rate ---

void SetFirstRate(const Tcb& tcb, BbrModel& model) {
  const std::uint64_t trip = tcb.rtt.srtt8 != 0 ? std::max(tcb.rtt.srtt8 / 8, 1u) : 1000;
  model.has_round_trip = tcb.rtt.srtt8 != 0;
  model.pacing_rate = PacingRateOf(tcb.cwnd * std::uint64_t{1'000'000} / trip, kHighGain);
}

void SetRate(const Tcb& tcb, BbrModel& model, std::uint64_t rate, std::uint32_t gain) {
  const std::uint64_t wanted = PacingRateOf(rate, gain);
  if (!model.has_round_trip && tcb.rtt.srtt8 != 0) SetFirstRate(tcb, model);
  // Until the pipe is full a first, low sample must not slow things down.
  if (model.full || wanted > model.pacing_rate) model.pacing_rate = wanted;
}

// --- The machine ---

bool PhaseIsOver(const BbrStep& step) {
  const BbrModel& model = step.model;
  const bool whole = step.loss.deliveries.delivered_at - model.phase_at > model.min_rtt;
  if (model.pacing_gain == kGainUnit) return whole;
  const std::uint64_t in_flight = InPathAtNextBurst(step, step.news.prior_pipe);
  if (model.pacing_gain > kGainUnit) {
    // Until there really is more in flight, or more than the path takes.
    return whole &&
           (step.news.lost != 0 || in_flight >= InFlightAt(step.tcb, model, model.pacing_gain));
  }
  return whole || in_flight <= InFlightAt(step.tcb, model, kGainUnit);
}

void TurnCycle(const BbrStep& step) {
  if (step.model.mode != Mode::kProbeBandwidth || !PhaseIsOver(step)) return;
  step.model.phase = (step.model.phase + 1) & 7;
  step.model.phase_at = step.loss.deliveries.delivered_at;
}

// Three round trips in which the rate has not grown by a quarter: the pipe is full.
void WatchForFullPipe(const BbrStep& step) {
  constexpr std::uint8_t kRounds = 3;
  BbrModel& model = step.model;
  if (model.full || !model.round_start || step.news.sample.app_limited) return;
  const std::uint64_t rate = model.bandwidth.value();
  if (rate >= model.full_bandwidth + model.full_bandwidth / 4) {
    model.full_bandwidth = rate;
    model.full_rounds = 0;
    return;
  }
  model.full = ++model.full_rounds >= kRounds;
}

void Drain(const BbrStep& step) {
  BbrModel& model = step.model;
  const std::uint64_t held = InFlightAt(step.tcb, model, kGainUnit);
  if (model.mode == Mode::kStartup && model.full) {
    model.mode = Mode::kDrain;
    step.tcb.ssthresh = static_cast<std::uint32_t>(std::min<std::uint64_t>(held, kLargestWindow));
  }
  if (model.mode != Mode::kDrain) return;
  if (InPathAtNextBurst(step, Pipe(step.cx, step.tcb)) > held) return;
  BeginCycle(step.cx, step.tcb, step.loss.deliveries, model);
}

void EndProbeRttWhenDone(const Context& cx, Tcb& tcb, const Deliveries& deliveries,
                         BbrModel& model) {
  if (model.probe_rtt_done == kNever || cx.now <= model.probe_rtt_done) return;
  model.min_rtt_at = cx.now;
  if (model.probe_is_deep) model.clear_rtt = model.min_rtt;
  tcb.cwnd = std::max(tcb.cwnd, model.prior_cwnd);
  BeginMode(cx, tcb, deliveries, model);
}

// Down to four segments.
void ProbeDeep(const Tcb& tcb, BbrModel& model) {
  model.probe_window = kLeastWindow * tcb.send_mss;
  model.probe_rtt_done = kNever;
  model.probe_is_deep = true;
}

// Before what is known of the round trip is renewed by a sample that a queue may be in.
void BeginProbeRtt(const BbrStep& step) {
  BbrModel& model = step.model;
  SaveWindow(step.tcb, model);
  model.mode = Mode::kProbeRoundTrip;
  ProbeDeep(step.tcb, model);
  // To wait for a round trip longer than the 200 ms that this is meant to take would cost a tenth
  // of the time: there a moderate step has to do.
  if (step.cx.settings.policy.bbr_as_linux || model.clear_rtt <= kProbeRttLasts) return;
  const std::uint64_t most = BytesInPath(step.tcb, model, BbrRate(model), kModerateGain);
  const auto moderate = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, kLargestWindow));
  model.probe_window = std::max(model.probe_window, moderate);
  model.probe_is_deep = false;
}

// With some of it still in flight: does a queue stay that others keep? Then the round trip has not
// been seen.
bool SeesQueue(const BbrModel& model) {
  return !model.probe_is_deep && model.min_rtt - model.clear_rtt > model.clear_rtt / 8;
}

void ProbeRoundTrip(const BbrStep& step) {
  BbrModel& model = step.model;
  Deliveries& deliveries = step.loss.deliveries;
  const std::uint32_t pipe = Pipe(step.cx, step.tcb);
  deliveries.app_limited = true;  // the rate is low now, and means nothing
  deliveries.limited_until = deliveries.delivered + pipe;
  if (model.probe_rtt_done == kNever) {
    if (pipe > model.probe_window) return;
    model.probe_rtt_done = step.cx.now + kProbeRttLasts;
    model.probe_rtt_round = false;
    model.round_end = deliveries.delivered;
    return;
  }
  if (model.round_start) model.probe_rtt_round = true;
  if (!model.probe_rtt_round) return;
  const bool over = step.cx.now > model.probe_rtt_done;
  if (over && SeesQueue(model)) return ProbeDeep(step.tcb, model);
  EndProbeRttWhenDone(step.cx, step.tcb, deliveries, model);
}

// One segment that is not full, and nothing else: its ACK may have been delayed.
bool MaybeDelayed(const Tcb& tcb, const AckNews& news) {
  return news.acked != 0 && news.acked < tcb.send_mss && news.sacked == 0;
}

void TakeRoundTrip(const BbrStep& step) {
  BbrModel& model = step.model;
  const Duration trip = step.news.sample.rtt;
  const bool old = step.cx.now > model.min_rtt_at + kMinRttLasts;
  const bool renews = old && !MaybeDelayed(step.tcb, step.news);
  const bool begins = old && !model.idle_restart && model.mode != Mode::kProbeRoundTrip;
  if (begins) BeginProbeRtt(step);
  if (trip >= Duration(0) && (trip < model.min_rtt || renews)) {
    model.min_rtt = std::max(trip, Duration(1));
    model.min_rtt_at = step.cx.now;
    model.clear_rtt = std::min(model.clear_rtt, model.min_rtt);
  }
  if (model.mode == Mode::kProbeRoundTrip) ProbeRoundTrip(step);
  if (step.news.sample.marked) model.idle_restart = false;
}

void SetGains(BbrModel& model) {
  model.cwnd_gain = kWindowGain;
  switch (model.mode) {
    case Mode::kStartup:
      model.pacing_gain = model.cwnd_gain = kHighGain;
      break;
    case Mode::kDrain:
      model.pacing_gain = kDrainGain;
      model.cwnd_gain = kHighGain;
      break;
    case Mode::kProbeBandwidth:
      model.pacing_gain = model.policer.used ? kGainUnit : kCycle[model.phase];
      break;
    case Mode::kProbeRoundTrip:
      model.pacing_gain = model.cwnd_gain = kGainUnit;
      break;
  }
}

// --- The window ---

// Beginning and end of recovery. True: for now as much leaves as arrives.
bool WindowInRecovery(const BbrStep& step, std::uint64_t& cwnd) {
  BbrModel& model = step.model;
  const std::uint64_t pipe = Pipe(step.cx, step.tcb);
  const std::uint64_t least = step.tcb.send_mss;
  cwnd = std::max(cwnd - std::min<std::uint64_t>(cwnd, step.news.lost), least);
  const bool recovering = step.tcb.recovery >= Recovery::kFast;
  const bool fast = step.tcb.recovery == Recovery::kFast;
  std::uint32_t& was_fast = step.tcb.congestion_state[kWasFast];
  if (fast && was_fast == 0) {
    model.conserving = true;
    model.round_end = step.loss.deliveries.delivered;
    cwnd = pipe + step.news.delivered;
    // As in Reduce: after a tail loss probe no ACKs are there to go by.
    const bool by_acks = !step.loss.tail_lost || step.cx.settings.policy.probes_as_linux;
    if (!by_acks) cwnd = std::max<std::uint64_t>(cwnd, InitialWindow(step.tcb));
  } else if (!recovering && model.in_recovery) {
    cwnd = std::max<std::uint64_t>(cwnd, model.prior_cwnd);
    model.conserving = false;
  }
  model.in_recovery = recovering;
  was_fast = fast ? 1 : 0;
  if (model.conserving) cwnd = std::max(cwnd, pipe + step.news.delivered);
  return model.conserving;
}

// Bunches of ACKs must not keep the path empty while they gather.
std::uint64_t RoomForBunches(const BbrModel& model) {
  if (!model.full) return 0;
  const std::uint64_t most = BbrBytesIn(BbrRate(model), std::chrono::milliseconds(100));
  return std::min<std::uint64_t>(std::max(model.bunches.extra[0], model.bunches.extra[1]), most);
}

std::uint64_t NextWindow(const BbrStep& step) {
  const Tcb& tcb = step.tcb;
  const BbrModel& model = step.model;
  std::uint64_t cwnd = tcb.cwnd;
  if (step.news.delivered == 0 || WindowInRecovery(step, cwnd)) return cwnd;
  std::uint64_t target = BytesInPath(tcb, model, BbrRate(model), model.cwnd_gain);
  target = WithBursts(tcb, model, target + RoomForBunches(model));
  if (model.full) {
    cwnd = std::min(cwnd + step.news.delivered, target);
  } else if (cwnd < target || tcb.delivered < 10) {
    cwnd += step.news.delivered;
  }
  return std::max<std::uint64_t>(cwnd, kLeastWindow * tcb.send_mss);
}

void SetWindow(const BbrStep& step) {
  std::uint64_t cwnd = std::min<std::uint64_t>(NextWindow(step), kLargestWindow);
  if (step.model.mode == Mode::kProbeRoundTrip) {
    cwnd = std::min<std::uint64_t>(cwnd, step.model.probe_window);
  }
  step.tcb.cwnd = static_cast<std::uint32_t>(cwnd);
}

// --- The interface ---

void TakeOver(const Context& cx, Tcb& tcb) {
  BbrModel* model = cx.buffers.AttachModel(tcb);
  if (model == nullptr) {  // it needs its memory: then without it
    tcb.congestion = Congestion::kReno;
    return;
  }
  const LossState* loss = LossOf(cx, tcb);
  if (loss != nullptr) model->kept = loss->deliveries;
  model->round_end = model->kept.delivered;
  model->min_rtt_at = model->bunches.began = cx.now;
  if (tcb.rtt.srtt8 != 0) model->min_rtt = std::chrono::microseconds(std::max(tcb.rtt.min, 1u));
  model->clear_rtt = model->min_rtt;
  tcb.ssthresh = UINT32_MAX;
  SetFirstRate(tcb, *model);
  ForgetPolicer(model->kept, *model);
  SetGains(*model);
}

void Begin(const Context& cx, Tcb& tcb) {
  cx.buffers.DetachModel(tcb);
  BeginFirstWindow(cx, tcb);
  TakeOver(cx, tcb);
}

void ControlByModel(const Context& cx, Tcb& tcb, const AckNews& news) {
  BbrModel& model = *cx.buffers.ModelOf(tcb);
  const BbrStep step{cx, tcb, LossIn(cx, tcb), model, news};
  TakeBandwidth(step);
  TakeBunch(step);
  TurnCycle(step);
  WatchForFullPipe(step);
  Drain(step);
  TakeRoundTrip(step);
  SetGains(model);
  SetRate(tcb, model, BbrRate(model), model.pacing_gain);
  SetWindow(step);
}

void Acked(const Context&, Tcb&, const AckNews&, bool) {}

// Losses do not reduce it, but what repairs them does: this is what to come back to.
std::uint32_t Reduced(const Context& cx, Tcb& tcb) {
  SaveWindow(tcb, *cx.buffers.ModelOf(tcb));
  return tcb.ssthresh;
}

void TimedOut(const Context& cx, Tcb& tcb) {
  BbrModel& model = *cx.buffers.ModelOf(tcb);
  model.in_recovery = true;
  tcb.congestion_state[kWasFast] = 0;
  model.full_bandwidth = 0;
  model.round_start = true;
  WatchForPolicer(cx, tcb, LossIn(cx, tcb).deliveries, model, true, false);
}

std::uint32_t Undone(const Context& cx, Tcb& tcb, std::uint32_t) {
  BbrModel& model = *cx.buffers.ModelOf(tcb);
  model.full_bandwidth = 0;  // what looked like a full pipe may have been the reduction
  model.full_rounds = 0;
  ForgetPolicer(LossIn(cx, tcb).deliveries, model);
  return tcb.cwnd;
}

void Resumed(const Context& cx, Tcb& tcb, std::uint32_t) {
  BbrModel& model = *cx.buffers.ModelOf(tcb);
  const LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr || !loss->deliveries.app_limited) return;
  model.idle_restart = true;
  model.bunches.began = cx.now;
  model.bunches.acked = 0;
  if (model.mode == Mode::kProbeBandwidth) {
    SetRate(tcb, model, BbrRate(model), kGainUnit);  // the pipe is empty: no need to overfill it
  } else if (model.mode == Mode::kProbeRoundTrip) {
    EndProbeRttWhenDone(cx, tcb, loss->deliveries, model);
  }
}

std::uint64_t RateOfModel(const Context& cx, const Tcb& tcb) {
  const BbrModel* model = cx.buffers.ModelOf(tcb);
  return model == nullptr ? kNoRate : model->pacing_rate;
}

// Below 1.2 Mbit/s two segments at once would be a queue.
std::uint32_t LeastBurst(std::uint64_t rate) { return rate < 1'200'000 / 8 ? 1 : 2; }

}  // namespace

const CongestionControl kBbr = {
    .name = "bbr",
    .begin = Begin,
    .acked = Acked,
    .reduced = Reduced,
    .timed_out = TimedOut,
    .undone = Undone,
    .resumed = Resumed,
    .marked_percent = 0,
    .control = ControlByModel,
    .take_over = TakeOver,
    .paces = true,
    .wants_samples = true,
    .pacing_rate = RateOfModel,
    .least_burst = LeastBurst,
};

}  // namespace estab::tcp
