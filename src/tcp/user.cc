#include "tcp/user.h"

#include <algorithm>

#include "tcp/ack_policy.h"
#include "tcp/congestion/congestion.h"
#include "tcp/negotiation.h"
#include "tcp/policy.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

void SetCall(Context& cx, CallKind call) {
  cx.cause = Cause{};
  cx.cause.trigger = Trigger::kCall;
  cx.cause.call = call;
}

// A sender that paused for longer than its RTO knows nothing of the path any more (RFC 5681 §4.1).
void RestartAfterIdle(Context& cx, Tcb& tcb) {
  if (cx.settings.slow_start_after_idle == 0 || Outstanding(tcb) != 0) return;
  if (cx.buffers.SendSize(tcb) != 0 || tcb.last_sent == 0) return;
  const auto pause = std::chrono::milliseconds(cx.stamp() - tcb.last_sent);
  if (pause > BackedOffRto(cx, tcb)) tcb.cwnd = std::min(tcb.cwnd, InitialWindow(tcb));
}

// The sending side ends: our FIN follows what is queued.
void CloseSending(Context& cx, Tcb& tcb) {
  switch (tcb.state) {
    case State::kSynSent:
      return ApplyClosed(cx, tcb, RuleId::kCloseSynSent);
    case State::kSynRcvd:
    case State::kEstablished:
      tcb.fin_queued = true;
      return Apply(cx, tcb, RuleId::kCloseEstablished);
    case State::kCloseWait:
      tcb.fin_queued = true;
      return Apply(cx, tcb, RuleId::kCloseCloseWait);
    default:
      return;  // closed before: nothing changes
  }
}

// Whether there ever was a connection here that has ended.
bool Over(const Tcb& tcb) {
  return IsIn(tcb.state, In(State::kClosed) | In(State::kTimeWait)) && tcb.number != 0;
}

}  // namespace

void BeginOpen(Context& cx, Tcb& tcb, std::uint32_t mtu) {
  SetCall(cx, CallKind::kConnect);
  tcb.announced_mss = AnnouncedMss(mtu, tcb.tuple.remote.address.is_v4(), *tcb.options);
  const Offer offer = MakeOffer(cx.settings, *tcb.options, tcb.announced_mss);
  tcb.timestamps = offer.timestamps;
  tcb.window_scaling = offer.window_scaling;
  tcb.sack = offer.sack;
  tcb.receive_scale = offer.window_scale;
  tcb.snd.una = tcb.snd.nxt = tcb.snd.max = tcb.snd.iss;
  tcb.congestion = &kReno;
  ResetRto(cx, tcb, false);
  Apply(cx, tcb, RuleId::kActiveOpen);
  tcb.pending.syn = true;
  ArmRetransmit(cx, tcb, SynTimeout(cx.settings, 0, cx.settings.syn_linear_timeouts));
}

std::optional<Error> TakePendingError(Tcb& tcb) {
  if (tcb.pending_error == 0) return std::nullopt;
  const auto error = static_cast<Error>(tcb.pending_error);
  tcb.pending_error = 0;
  return error;
}

std::optional<Error> TakeAnyError(Tcb& tcb) {
  std::optional<Error> error = TakePendingError(tcb);
  if (!error && tcb.soft_error != 0) error = static_cast<Error>(tcb.soft_error);
  tcb.soft_error = 0;
  return error;
}

Result<std::size_t> UserSend(Context& cx, Tcb& tcb, std::span<const std::byte> data) {
  if (auto error = TakePendingError(tcb)) return std::unexpected(*error);
  if (IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd)) && !tcb.fin_queued) {
    return std::unexpected(Error::kWouldBlock);
  }
  if (!IsIn(tcb.state, kMaySend)) return std::unexpected(Error::kBrokenPipe);
  if (data.empty()) return 0;
  const std::uint32_t held = cx.buffers.SendSize(tcb);
  const std::uint32_t limit = SendLimit(cx.settings, tcb);
  if (held >= limit) return std::unexpected(Error::kWouldBlock);
  RestartAfterIdle(cx, tcb);
  SendBuffer* buffer = cx.buffers.AttachSend(tcb);
  if (buffer == nullptr) return std::unexpected(Error::kNoMemory);
  const std::size_t room = std::min<std::size_t>(data.size(), limit - held);
  const std::size_t taken = buffer->bytes.Append(cx.buffers.chunks, data.first(room));
  if (taken == 0) return std::unexpected(held == 0 ? Error::kNoMemory : Error::kWouldBlock);
  return taken;
}

Result<std::size_t> UserRead(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek) {
  if (cx.buffers.ReceiveSize(tcb) != 0 && !tcb.read_shut) {
    ByteQueue& bytes = cx.buffers.receive[tcb.receive_buffer].bytes;
    const std::size_t n = bytes.CopyOut(0, into);
    if (peek) return n;
    bytes.Consume(cx.buffers.chunks, n);
    AckIfWindowOpens(cx, tcb);
    return n;
  }
  if (tcb.fin_received) return 0;
  if (auto error = TakePendingError(tcb)) return std::unexpected(*error);
  if (tcb.read_shut || Over(tcb)) return 0;
  if (IsIn(tcb.state, In(State::kClosed) | In(State::kListen))) {
    return std::unexpected(Error::kNotConnected);
  }
  return std::unexpected(Error::kWouldBlock);
}

void UserShutdownWrite(Context& cx, Tcb& tcb) {
  SetCall(cx, CallKind::kShutdownWrite);
  CloseSending(cx, tcb);
}

void UserShutdownRead(Context& cx, Tcb& tcb) {
  SetCall(cx, CallKind::kShutdownRead);
  tcb.read_shut = true;
  if (tcb.receive_buffer == kNoSlot) return;
  ByteQueue& bytes = cx.buffers.receive[tcb.receive_buffer].bytes;
  bytes.Consume(cx.buffers.chunks, bytes.size());
  AckIfWindowOpens(cx, tcb);
}

void UserClose(Context& cx, Tcb& tcb, bool too_many) {
  SetCall(cx, CallKind::kClose);
  if (Over(tcb) || tcb.state == State::kClosed) {
    tcb.orphan = true;
    cx.buffers.Detach(tcb);
    return;
  }
  if (tcb.options->linger && tcb.options->linger_seconds == 0) return UserAbort(cx, tcb);
  const bool unread = cx.buffers.ReceiveSize(tcb) != 0 && !tcb.read_shut;
  const bool open = IsIn(tcb.state, kSynchronized);
  tcb.orphan = true;
  if (unread && open) {
    tcb.pending.reset = true;
    return ApplyClosed(cx, tcb, RuleId::kCloseUnread);
  }
  tcb.read_shut = true;
  if (IsIn(tcb.state, kMaySend) || IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd))) {
    CloseSending(cx, tcb);
  } else {
    Apply(cx, tcb, RuleId::kCloseAgain);
  }
  if (tcb.state == State::kClosed) return;
  if (too_many) {
    tcb.pending.reset = true;
    return ApplyClosed(cx, tcb, RuleId::kTooManyOrphans);
  }
  if (tcb.state != State::kFinWait2) return;
  if (tcb.options->fin_wait2_seconds < 0) {
    tcb.pending.reset = true;
    return ApplyClosed(cx, tcb, RuleId::kNoFinWait2);
  }
  ArmFinWait2(cx, tcb);
}

void UserAbort(Context& cx, Tcb& tcb) {
  if (cx.cause.trigger != Trigger::kCall || cx.cause.call != CallKind::kClose) {
    SetCall(cx, CallKind::kAbort);
  }
  constexpr StateSet kTold = In(State::kSynRcvd) | In(State::kEstablished) | In(State::kFinWait1) |
                             In(State::kFinWait2) | In(State::kCloseWait);
  tcb.orphan = true;
  tcb.pending.reset = IsIn(tcb.state, kTold);
  ApplyClosed(cx, tcb, tcb.pending.reset ? RuleId::kAbort : RuleId::kAbortQuiet);
}

std::uint8_t ReadinessOf(const Context& cx, const Tcb& tcb) {
  const bool closed = IsIn(tcb.state, In(State::kClosed) | In(State::kTimeWait));
  const bool over = Over(tcb);
  const bool read_closed = tcb.fin_received || tcb.read_shut || over;
  const bool write_closed = tcb.fin_queued || over;
  unsigned bits = 0;
  if (closed || (read_closed && write_closed)) bits |= kHangup;
  if (read_closed) bits |= kReadClosed | kReadable;
  if (tcb.pending_error != 0) bits |= kErrorPending;
  if (IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd))) {
    return static_cast<std::uint8_t>(bits);
  }
  if (cx.buffers.ReceiveSize(tcb) != 0) bits |= kReadable;
  const std::uint32_t held = cx.buffers.SendSize(tcb);
  const std::uint32_t limit = closed ? 1 : SendLimit(cx.settings, tcb);
  const bool room = held < limit && limit - held >= held / 2;
  if (write_closed || room) bits |= kWritable;
  return static_cast<std::uint8_t>(bits);
}

}  // namespace estab::tcp
