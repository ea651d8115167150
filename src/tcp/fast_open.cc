#include "tcp/fast_open.h"

#include <algorithm>

#include "tcp/acceptance.h"
#include "tcp/congestion/congestion.h"
#include "tcp/receiver.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

// The text of a SYN or SYN|ACK; what the window does not take is not acknowledged.
bool TakeSynText(Context& cx, Tcb& tcb, Arriving segment) {
  TrimToWindow(WindowOf(tcb), segment);
  segment.fin = false;
  if (segment.data.empty()) return false;
  TakeText(cx, tcb, segment);
  return true;
}

}  // namespace

void OpenOnSyn(Context& cx, Tcb& tcb, const wire::Segment& syn) {
  tcb.snd.nxt = tcb.snd.una;  // the SYN|ACK is still to be sent
  tcb.snd.small = tcb.snd.una;
  EndSynTiming(tcb);
  BeginControl(cx, tcb);
  if (TakeSynText(cx, tcb, Arriving(syn))) tcb.fast_open = FastOpen::kAccepted;
  tcb.acks_owed = 0;  // the SYN|ACK acknowledges it
  DisarmDelayedAck(cx, tcb);
  tcb.pending.syn = true;
  ArmRetransmit(cx, tcb, SynTimeout(cx.settings, *tcb.options, 0, 0));
}

std::uint32_t SynDataRoom(const Tcb& tcb) {
  constexpr std::uint32_t kOptions = 40;
  const std::uint32_t mss =
      tcb.peer_mss == 0 ? tcb.announced_mss : std::min(tcb.announced_mss, tcb.peer_mss);
  return mss > kOptions ? mss - kOptions : 0;
}

void DeferSyn(Context& cx, Tcb& tcb) {
  tcb.fast_open = FastOpen::kDeferred;
  tcb.pending.syn = false;
  DisarmRetransmit(cx, tcb);
}

Result<std::size_t> QueueSynData(Context& cx, Tcb& tcb, std::span<const std::byte> data) {
  const std::size_t room = std::min<std::size_t>(data.size(), SynDataRoom(tcb));
  std::size_t taken = 0;
  if (room != 0) {
    SendBuffer* buffer = cx.buffers.AttachSend(tcb);
    if (buffer != nullptr) taken = buffer->bytes.Append(cx.buffers.chunks, data.first(room));
    if (taken == 0) return std::unexpected(Error::kNoMemory);
  }
  tcb.fast_open = taken != 0 ? FastOpen::kData : FastOpen::kAsking;
  tcb.pending.syn = true;
  ArmRetransmit(cx, tcb, SynTimeout(cx.settings, *tcb.options, 0, cx.settings.syn_linear_timeouts));
  return taken;
}

void SettleSynData(Context& cx, Tcb& tcb, SndSeq iss) {
  const auto taken = static_cast<std::uint32_t>(tcb.snd.una - (iss + 1));
  if (taken != 0) cx.buffers.send[tcb.send_buffer].bytes.Consume(cx.buffers.chunks, taken);
  tcb.bytes_acked += taken;
  if (tcb.fast_open != FastOpen::kData) return;
  tcb.fast_open = Outstanding(tcb) == 0 ? FastOpen::kAccepted : FastOpen::kNone;
  tcb.snd.nxt = tcb.snd.una;  // what was not taken has gone to nobody: it is new again
}

void TakeSynAckData(Context& cx, Tcb& tcb, const Arriving& segment) {
  TakeSynText(cx, tcb, segment);
}

}  // namespace estab::tcp
