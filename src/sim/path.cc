#include "sim/path.h"

#include <algorithm>

namespace estab::sim {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

// How long `bytes` take at `rate` bits per second, rounded up.
Duration SendingTime(std::size_t bytes, std::uint64_t rate) {
  const Wide ns = (Wide{bytes} * 8 * kNanosecondsPerSecond + rate - 1) / rate;
  return Duration(static_cast<std::int64_t>(ns));
}

// How many bytes are sent at `rate` within `span`, rounded up: those that were not sent yet.
std::uint64_t BytesWithin(Duration span, std::uint64_t rate) {
  const Wide per = Wide{8} * kNanosecondsPerSecond;
  return static_cast<std::uint64_t>((Wide(span.count()) * rate + per - 1) / per);
}

}  // namespace

const char* LossText(Loss loss) {
  switch (loss) {
    case Loss::kNone:
      return "";
    case Loss::kRandom:
      return "lost";
    case Loss::kQueueFull:
      return "queue full";
    case Loss::kFault:
      return "lost by fault";
    case Loss::kTooBig:
      return "too big";
  }
  return "";
}

Duration Path::UpTo(Duration most) {
  const std::uint64_t choices = static_cast<std::uint64_t>(most.count()) + 1;
  return Duration(static_cast<std::int64_t>(prng_.Below(choices)));
}

Fate Path::Offer(Time now, std::size_t bytes, bool ecn_capable) {
  Fate fate;
  ++counters_.offered;
  Time sent = now;
  if (config_.rate_bps != 0) {
    const Duration waiting = std::max(free_at_ - now, Duration::zero());
    const std::uint64_t queued = BytesWithin(waiting, config_.rate_bps);
    if (config_.queue_bytes != 0 && queued + bytes > config_.queue_bytes) {
      ++counters_.queue_full;
      fate.loss = Loss::kQueueFull;
      return fate;
    }
    fate.marked = ecn_capable && config_.mark_bytes != 0 && queued > config_.mark_bytes;
    if (fate.marked) ++counters_.marked;
    free_at_ = std::max(free_at_, now) + SendingTime(bytes, config_.rate_bps);
    sent = free_at_;
  }
  counters_.bytes_sent += bytes;
  // Every packet draws the same numbers, so that one fate does not shift the others'.
  const bool lost = prng_.Chance(config_.loss_ppm, kAlways);
  const bool twice = prng_.Chance(config_.duplicate_ppm, kAlways);
  fate.corrupt = prng_.Chance(config_.corrupt_ppm, kAlways);
  fate.reordered = prng_.Chance(config_.reorder_ppm, kAlways);
  const Duration jitter = UpTo(config_.jitter);
  const Duration displaced = config_.reorder_spread == Duration::zero()
                                 ? config_.reorder_delay
                                 : config_.reorder_delay + UpTo(config_.reorder_spread);
  if (lost) {
    ++counters_.lost;
    fate.loss = Loss::kRandom;
    return fate;
  }
  const Time arrival = std::max(sent + config_.delay + jitter, last_);
  if (fate.reordered) {
    fate.AddCopy(arrival + displaced);
  } else {
    last_ = arrival;
    fate.AddCopy(arrival);
  }
  if (twice) fate.AddCopy(fate.at[0]);
  return fate;
}

void Path::Corrupt(std::span<std::byte> packet) {
  if (packet.empty()) return;
  const std::uint64_t bit = prng_.Below(packet.size() * 8);
  packet[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
}

}  // namespace estab::sim
