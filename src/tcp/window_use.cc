#include "tcp/window_use.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"
#include "tcp/policy.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"

namespace estab::tcp {
namespace {

// Of the connection's milliseconds, what 16 bits hold for longer than any time-out.
constexpr int kCoarse = 2;

std::uint16_t CoarseNow(const Context& cx) {
  return static_cast<std::uint16_t>(cx.stamp() >> kCoarse);
}

Duration UnusedFor(const Context& cx, const Tcb& tcb) {
  const auto coarse = static_cast<std::uint16_t>(CoarseNow(cx) - tcb.window_adapted_at);
  return std::chrono::milliseconds(std::uint32_t{coarse} << kCoarse);
}

// The user waits for room: then it is the send buffer that limits, not the user.
bool WaitsForRoom(const Context& cx, const Tcb& tcb) {
  return cx.buffers.SendSize(tcb) >= SendLimit(cx.settings, tcb);
}

}  // namespace

void NoteWindowUse(const Context& cx, Tcb& tcb, LossState& loss) {
  const std::uint32_t out = Outstanding(tcb);
  const bool limited = Pipe(cx, tcb) + tcb.send_mss > tcb.cwnd;
  auto& use = loss.use;
  if (tcb.snd.una >= use.round_end || limited || (!use.limited && out > use.most)) {
    use.limited = limited;
    use.most = out;
    use.round_end = tcb.snd.nxt;
  }
  if (WindowInUse(tcb, loss)) {
    use.used = 0;
    NoteWindowAdapted(cx, tcb);
  } else {
    use.used = std::max(use.used, out);
  }
}

bool WindowInUse(const Tcb& tcb, const LossState& loss) {
  if (loss.use.limited) return true;
  return tcb.cwnd < tcb.ssthresh && tcb.cwnd / 2 < loss.use.most;
}

void NoteWindowAdapted(const Context& cx, Tcb& tcb) { tcb.window_adapted_at = CoarseNow(cx); }

void DecayUnusedWindow(const Context& cx, Tcb& tcb, LossState& loss) {
  if (cx.settings.slow_start_after_idle == 0 || tcb.recovery != Recovery::kOpen) return;
  if (WindowInUse(tcb, loss) || UnusedFor(cx, tcb) < BackedOffRto(cx, tcb)) return;
  if (!WaitsForRoom(cx, tcb)) {
    const std::uint32_t used = std::max(loss.use.used, InitialWindow(tcb));
    if (used < tcb.cwnd) {
      tcb.ssthresh = CurrentSsthresh(tcb);
      tcb.cwnd = (tcb.cwnd + used) / 2;
    }
    loss.use.used = 0;
  }
  NoteWindowAdapted(cx, tcb);
}

void RestartWindow(const Context& cx, Tcb& tcb, Duration pause) {
  const Duration rto = BackedOffRto(cx, tcb);
  tcb.ssthresh = CurrentSsthresh(tcb);
  const std::uint32_t least = std::min(tcb.cwnd, InitialWindow(tcb));
  for (pause -= rto; pause > Duration(0) && tcb.cwnd > least; pause -= rto) tcb.cwnd /= 2;
  tcb.cwnd = std::max(tcb.cwnd, least);
  NoteWindowAdapted(cx, tcb);
}

}  // namespace estab::tcp
