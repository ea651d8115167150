#include "tcp/congestion/congestion.h"

#include <algorithm>
#include <iterator>

#include "tcp/congestion/bbr.h"
#include "tcp/congestion/cubic.h"
#include "tcp/recovery.h"

namespace estab {

constinit const tcp::CongestionControl* const tcp::kControls[] = {&tcp::kReno, &tcp::kCubic,
                                                                  &tcp::kBbr};

const char* NameOf(Congestion congestion) {
  if (congestion == Congestion::kBySetting) return "";
  return tcp::kControls[static_cast<std::size_t>(congestion) - 1]->name;
}

std::optional<Congestion> CongestionByName(std::string_view name) {
  for (std::size_t i = 0; i < std::size(tcp::kControls); ++i) {
    if (name == tcp::kControls[i]->name) return static_cast<Congestion>(i + 1);
  }
  return std::nullopt;
}

namespace tcp {

Congestion ChosenControl(const Settings& settings, const SocketOptions& options) {
  if (options.congestion != Congestion::kBySetting) return options.congestion;
  return static_cast<Congestion>(settings.congestion);
}

void BeginControl(const Context& cx, Tcb& tcb) {
  Control(tcb).begin(cx, tcb);
  if (tcb.options->paced || Control(tcb).paces) tcb.paced = true;
}

void SwitchControl(const Context& cx, Tcb& tcb, Congestion control) {
  if (tcb.congestion == control) return;
  cx.buffers.DetachModel(tcb);
  tcb.congestion = control;
  tcb.congestion_state = {};
  if (LossState* loss = LossOf(cx, tcb)) loss->congestion = {};
  constexpr StateSet kOver = In(State::kClosed) | In(State::kListen) | In(State::kTimeWait);
  if (tcb.cwnd == 0 || IsIn(tcb.state, kOver)) return;  // it begins in ESTABLISHED, or never
  if (const auto take_over = Control(tcb).take_over) take_over(cx, tcb);
  if (Control(tcb).paces) tcb.paced = true;  // for good, as on Linux
}

void BeginFirstWindow(const Context&, Tcb& tcb) {
  tcb.cwnd = InitialWindow(tcb);
  if (tcb.ssthresh == 0) tcb.ssthresh = UINT32_MAX;
  tcb.congestion_state = {};
}

std::uint32_t SlowStart(Tcb& tcb, std::uint32_t delivered) {
  if (tcb.cwnd >= tcb.ssthresh) return delivered;
  const std::uint32_t grown = std::min(delivered, tcb.ssthresh - tcb.cwnd);
  tcb.cwnd += grown;
  return delivered - grown;
}

std::uint32_t InitialWindow(const Tcb& tcb) {
  const std::uint32_t mss = tcb.send_mss;
  return std::min(10 * mss, std::max(2 * mss, 14600u));
}

}  // namespace tcp
}  // namespace estab
