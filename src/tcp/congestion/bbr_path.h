// BBR's measurements: rounds, the rate, policers and bunches of ACKs.
#pragma once

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// Everything that one ACK is judged by.
struct BbrStep {
  const Context& cx;
  Tcb& tcb;
  LossState& loss;
  BbrModel& model;
  const AckNews& news;
};

/// The rate to go by, bytes a second: a policer's, or the most of the last ten rounds.
inline std::uint64_t BbrRate(const BbrModel& model) {
  return model.policer.used ? model.policer.bandwidth : model.bandwidth.value();
}

/// More than any window, and little enough to be multiplied by any gain.
constexpr std::uint64_t kMostBbrBytes = std::uint64_t{1} << 40;
/// Bytes that so much time brings, at most that.
std::uint64_t BbrBytesIn(std::uint64_t rate, Duration time);

/// Counts the round, and takes the sample's rate.
void TakeBandwidth(const BbrStep& step);
/// How much more than expected has come in a bunch.
void TakeBunch(const BbrStep& step);

/// Is there a policer? `lost`: this ACK, or a time-out, tells of a loss.
void WatchForPolicer(const Context& cx, const Tcb& tcb, const Deliveries& deliveries,
                     BbrModel& model, bool lost, bool app_limited);
/// Whatever was taken for one is forgotten.
void ForgetPolicer(const Deliveries& deliveries, BbrModel& model);

/// The cycle of gains begins anew, at a phase that differs from connection to connection.
void BeginCycle(const Context& cx, const Tcb& tcb, const Deliveries& deliveries, BbrModel& model);

}  // namespace estab::tcp
