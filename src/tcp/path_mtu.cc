#include "tcp/path_mtu.h"

#include <algorithm>

#include "tcp/negotiation.h"
#include "tcp/receiver.h"
#include "tcp/recovery.h"
#include "tcp/send_queue.h"
#include "tcp/sender.h"

namespace estab::tcp {
namespace {

constexpr std::uint32_t kInfinite = 0x7fffffff;  // Linux's TCP_INFINITE_SSTHRESH

// What a packet holds besides payload: the headers and what goes with every segment.
std::uint32_t Overhead(const Tcb& tcb) {
  return HeaderRoom(tcb.tuple.remote.address.is_v4()) + (tcb.timestamps ? kTimestampRoom : 0u);
}

// The payload of a full segment in packets of `mtu` bytes.
std::uint32_t MssWithin(const Settings& settings, const Tcb& tcb, std::uint32_t mtu) {
  const std::uint32_t headers = HeaderRoom(tcb.tuple.remote.address.is_v4());
  // The least counts before timestamps are taken off (Linux: tcp_mtu_to_mss).
  const auto least = static_cast<std::uint32_t>(settings.min_snd_mss);
  const std::uint32_t room = std::clamp<std::uint32_t>(mtu - headers, least, UINT16_MAX);
  return SendMss(tcb.peer_mss, static_cast<std::uint16_t>(room), tcb.timestamps, *tcb.options);
}

// The largest packet that the peer takes.
std::uint16_t MostToPeer(const Tcb& tcb) {
  const std::uint32_t headers = HeaderRoom(tcb.tuple.remote.address.is_v4());
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(tcb.peer_mss + headers, UINT16_MAX));
}

std::uint16_t MtuOf(const Tcb& tcb, std::uint32_t mss) {
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(mss + Overhead(tcb), UINT16_MAX));
}

std::uint8_t Minutes(const Context& cx) { return static_cast<std::uint8_t>(cx.stamp() / 60'000); }

void BeginSearch(const Context& cx, Tcb& tcb) {
  tcb.mtu_shown = MtuOf(tcb, static_cast<std::uint32_t>(cx.settings.base_mss));
  tcb.search_began = Minutes(cx);
}

// How far the search still is from its end, in bytes; its bounds may have crossed.
int Distance(const Tcb& tcb) { return int{tcb.mtu_most} - int{tcb.mtu_shown}; }
int EndOfSearch(const Context& cx) { return std::max(cx.settings.probe_threshold, 1); }

void Shrink(std::uint32_t& bytes, std::uint32_t from, std::uint32_t to) {
  bytes = std::max(static_cast<std::uint32_t>(std::uint64_t{bytes} * to / from), to);
}

}  // namespace

void SyncMss(const Settings& settings, Tcb& tcb, std::uint32_t mtu) {
  if (tcb.peer_mss == 0) {  // while opening: the smallest that every path takes
    tcb.mtu_most = static_cast<std::uint16_t>(mtu);
    return;
  }
  // A probe that was lost has shown more than this is: only time makes the search begin anew.
  const std::uint16_t most = tcb.mtu_shown != 0 ? tcb.mtu_most : MostToPeer(tcb);
  tcb.mtu_most = static_cast<std::uint16_t>(std::min<std::uint32_t>(most, mtu));
  if (tcb.mtu_shown != 0) mtu = std::min<std::uint32_t>(mtu, tcb.mtu_shown);
  const std::uint32_t before = tcb.send_mss;
  const std::uint32_t mss = MssWithin(settings, tcb, mtu);
  tcb.send_mss = static_cast<std::uint16_t>(mss);
  if (mss >= before || tcb.cwnd == 0) return;
  Shrink(tcb.cwnd, before, mss);
  if (tcb.ssthresh < kInfinite) Shrink(tcb.ssthresh, before, mss);
}

bool ExceedsPath(const Tcb& tcb, std::uint32_t mtu) {
  return tcb.peer_mss != 0 && tcb.send_mss + Overhead(tcb) > mtu;
}

bool LowersMss(const Settings& settings, const Tcb& tcb, std::uint32_t mtu) {
  return tcb.peer_mss == 0 || MssWithin(settings, tcb, mtu) < tcb.send_mss;
}

void BeginMss(const Context& cx, Tcb& tcb) {
  const std::uint32_t path = tcb.mtu_most;
  tcb.mtu_most = std::min(tcb.mtu_most, MostToPeer(tcb));
  if (cx.settings.mtu_probing > 1) BeginSearch(cx, tcb);
  SyncMss(cx.settings, tcb, path);
}

void ReducePathMtu(Context& cx, Tcb& tcb, std::uint32_t mtu) {
  const std::uint32_t before = tcb.send_mss;
  SyncMss(cx.settings, tcb, mtu);
  if (tcb.state == State::kSynSent) {
    // Data on a SYN: the SYN goes again without it.
    if (tcb.fast_open == FastOpen::kData) tcb.pending.syn = true;
  } else if (tcb.send_mss < before) {
    RepeatTooLarge(cx, tcb);
  }
}

bool OnBlackHole(const Context& cx, Tcb& tcb) {
  const Settings& settings = cx.settings;
  if (settings.mtu_probing == 0) return false;
  const std::uint32_t before = tcb.send_mss;
  if (tcb.mtu_shown == 0) {
    BeginSearch(cx, tcb);
  } else {
    const auto half = static_cast<std::int32_t>(MssWithin(settings, tcb, tcb.mtu_shown) / 2);
    const std::int32_t mss = std::max(
        {std::min(settings.base_mss, half), settings.mtu_probe_floor, settings.min_snd_mss});
    tcb.mtu_shown = MtuOf(tcb, static_cast<std::uint32_t>(mss));
  }
  SyncMss(settings, tcb, tcb.mtu_most);
  return tcb.send_mss < before;
}

void RenewMtuSearch(const Context& cx, Tcb& tcb, std::uint32_t mtu) {
  if (tcb.mtu_shown == 0 || Distance(tcb) >= EndOfSearch(cx)) return;
  const LossState* loss = LossOf(cx, tcb);
  if (loss != nullptr && loss->mtu_probe.size != 0) return;
  const auto since = static_cast<std::uint8_t>(Minutes(cx) - tcb.search_began);
  if (since * 60 < cx.settings.probe_interval_s) return;
  tcb.mtu_most = static_cast<std::uint16_t>(std::min<std::uint32_t>(MostToPeer(tcb), mtu));
  tcb.mtu_shown = MtuOf(tcb, tcb.send_mss);
  tcb.search_began = Minutes(cx);
}

bool MtuSearchGoesOn(const Context& cx, const Tcb& tcb) {
  if (tcb.mtu_shown == 0 || tcb.recovery != Recovery::kOpen) return false;
  const LossState* loss = LossOf(cx, tcb);
  return (loss == nullptr || loss->mtu_probe.size == 0) && Distance(tcb) >= EndOfSearch(cx);
}

MtuProbe ChooseMtuProbe(const Context& cx, const Tcb& tcb) {
  using What = MtuProbe::What;
  constexpr std::uint32_t kLeastWindow = 11;  // segments
  const std::uint32_t mss = tcb.send_mss;
  if (!MtuSearchGoesOn(cx, tcb)) return {};
  // SACK blocks would make the headers larger than was reckoned.
  if (tcb.cwnd < kLeastWindow * mss || tcb.reassembly != kNoSlot) return {};
  const std::uint32_t length =
      MssWithin(cx.settings, tcb, (std::uint32_t{tcb.mtu_most} + tcb.mtu_shown) / 2);
  if (length <= mss) return {};
  // Its loss must show by what follows it.
  const std::uint32_t needed = length + (tcb.reordering + 1u) * mss;
  if (Unsent(cx, tcb) < needed || tcb.snd.wnd < needed) return {};
  if (UsableWindow(tcb) < needed) return {What::kWait};
  const std::uint32_t pipe = Pipe(cx, tcb);
  if (pipe != 0 && pipe + 2 * mss > tcb.cwnd) return {What::kWait};
  return {What::kSend, length};
}

void NoteMtuProbeSent(Context& cx, Tcb& tcb, LossState& loss, SndSeq begin, SndSeq end) {
  ++cx.recorder.mtu_probes.sent;
  loss.mtu_probe = {MtuOf(tcb, static_cast<std::uint32_t>(end - begin)), begin, end};
  tcb.cwnd -= std::min<std::uint32_t>(tcb.cwnd, tcb.send_mss);  // it counts for two
}

void NoteMtuProbeAnswer(Context& cx, Tcb& tcb, LossState& loss, SndSeq una) {
  if (loss.mtu_probe.size == 0 || una < loss.mtu_probe.end) return;
  ++cx.recorder.mtu_probes.passed;
  tcb.mtu_shown = loss.mtu_probe.size;
  loss.mtu_probe.size = 0;
  SyncMss(cx.settings, tcb, tcb.mtu_most);
}

bool MtuProbeFailed(Context& cx, Tcb& tcb, LossState& loss) {
  const bool alone = tcb.recovery <= Recovery::kDisorder && tcb.snd.una == loss.mtu_probe.begin;
  if (loss.mtu_probe.size == 0 || !alone) return false;
  ++cx.recorder.mtu_probes.lost;
  tcb.mtu_most = loss.mtu_probe.size - 1;
  loss.mtu_probe.size = 0;
  tcb.cwnd += tcb.send_mss;
  return true;
}

}  // namespace estab::tcp
