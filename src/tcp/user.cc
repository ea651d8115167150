#include "tcp/user.h"

#include <algorithm>

#include "base/check.h"
#include "tcp/ack_policy.h"
#include "tcp/congestion/congestion.h"
#include "tcp/delivery.h"
#include "tcp/ecn.h"
#include "tcp/fast_open.h"
#include "tcp/negotiation.h"
#include "tcp/policy.h"
#include "tcp/receiver.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/sender.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"
#include "tcp/window_use.h"

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
  if (OwnsWindow(tcb)) return;
  if (cx.buffers.SendSize(tcb) != 0 || tcb.last_sent == 0) return;
  const auto pause = std::chrono::milliseconds(cx.stamp() - tcb.last_sent);
  if (pause > BackedOffRto(cx, tcb)) RestartWindow(cx, tcb, pause);
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
      if (tcb.fin_queued) return;
      tcb.fin_queued = true;
      // By the RFC's letter what is queued goes first; the FIN itself then leads to LAST_ACK.
      return Apply(cx, tcb,
                   cx.settings.policy.last_ack_when_sent && cx.buffers.SendSize(tcb) != 0
                       ? RuleId::kCloseQueued
                       : RuleId::kCloseCloseWait);
    default:
      return;  // closed before: nothing changes
  }
}

// What the windows let go at once.
std::uint32_t GoesNow(const Context& cx, const Tcb& tcb) {
  const std::uint32_t pipe = Pipe(cx, tcb);
  return std::min(UsableWindow(tcb), tcb.cwnd > pipe ? tcb.cwnd - pipe : 0);
}

// Room that TCP_NOTSENT_LOWAT leaves. As on Linux it is asked for each piece of up to 64 KiB, or
// half of the peer's largest window, which is then taken whole and sent as far as it can be.
std::uint32_t RoomUnsent(const Context& cx, const Tcb& tcb) {
  constexpr std::uint32_t kLargestPiece = 65535;
  constexpr std::uint32_t kSmallWindow = 536;
  const std::uint32_t limit = UnsentLowWater(cx.settings, tcb);
  if (limit == UINT32_MAX) return UINT32_MAX;
  const std::uint32_t unsent = Unsent(cx, tcb);
  if (unsent >= limit) return 0;
  const std::uint32_t half = tcb.snd.max_wnd > kSmallWindow ? tcb.snd.max_wnd / 2 : tcb.snd.max_wnd;
  const std::uint64_t mss = tcb.send_mss;
  const std::uint64_t piece = std::max(std::min(kLargestPiece, half) / mss * mss, mss);
  const std::uint64_t wanted = std::uint64_t{limit - unsent} + GoesNow(cx, tcb);
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>((wanted + piece - 1) / piece * piece, UINT32_MAX));
}

// Whether the SYN waits for the first data (TCP_FASTOPEN_CONNECT).
bool WaitsForData(const Tcb& tcb) {
  return tcb.fast_open == FastOpen::kDeferred && tcb.state == State::kSynSent;
}

// Readies a connection for more data: how many bytes of `wanted` fit.
Result<std::size_t> MakeRoom(Context& cx, Tcb& tcb, std::size_t wanted) {
  const bool early = OpenedOnSyn(tcb);
  if (!early && IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd)) && !tcb.fin_queued) {
    return std::unexpected(Error::kWouldBlock);
  }
  const bool closed = !IsIn(tcb.state, kMaySend) || tcb.fin_queued;
  if (!early && closed) return std::unexpected(Error::kBrokenPipe);
  if (wanted == 0) return 0;
  const std::uint32_t held = cx.buffers.SendSize(tcb);
  const std::uint32_t limit = SendLimit(cx.settings, tcb);
  const std::uint32_t room_unsent = RoomUnsent(cx, tcb);
  if (held >= limit || room_unsent == 0) return std::unexpected(Error::kWouldBlock);
  RestartAfterIdle(cx, tcb);
  SendBuffer* buffer = cx.buffers.AttachSend(tcb);
  if (buffer == nullptr) return std::unexpected(Error::kNoMemory);
  NoteAppLimit(cx, tcb, buffer->loss);
  return std::min<std::size_t>(wanted, std::min(limit - held, room_unsent));
}

void NoteQueued(Context& cx, Tcb& tcb, bool more, bool urgent) {
  tcb.more = more;
  if (urgent) MarkUrgent(cx, tcb);
}

// What rides on a SYN is copied: it is little, and may have to be sent again as ordinary data.
Result<std::size_t> CopySynData(Context& cx, Tcb& tcb, std::span<const std::byte> data,
                                std::uint64_t token) {
  if (data.empty()) return QueueSynData(cx, tcb, data);
  ChunkPool& chunks = cx.buffers.chunks;
  Chunk* returned = chunks.Refer(data, token);
  if (returned == nullptr) return std::unexpected(Error::kNoMemory);
  const Result<std::size_t> taken = QueueSynData(cx, tcb, data);
  if (!taken || *taken == 0) {
    chunks.Forget(returned);
  } else {
    returned->copied = true;
    chunks.Unref(returned);
  }
  return taken;
}

// Whether there ever was a connection here that has ended.
bool Over(const Tcb& tcb) {
  return IsIn(tcb.state, In(State::kClosed) | In(State::kTimeWait)) && tcb.number != 0;
}

}  // namespace

void BeginOpen(Context& cx, Tcb& tcb, std::uint32_t mtu) {
  SetCall(cx, CallKind::kConnect);
  tcb.mtu_most = static_cast<std::uint16_t>(mtu);
  tcb.announced_mss = AnnouncedMss(mtu, tcb.tuple.remote.address.is_v4(), *tcb.options);
  if (tcb.options->max_segment != 0) {  // what it would send if the peer told no MSS
    tcb.send_mss = std::min(tcb.options->max_segment, tcb.announced_mss);
  }
  const Offer offer = MakeOffer(cx.settings, *tcb.options, tcb.announced_mss);
  tcb.timestamps = offer.timestamps;
  tcb.window_scaling = offer.window_scaling;
  tcb.sack = offer.sack;
  tcb.ecn = cx.settings.ecn == kEcnAsk;
  tcb.receive_scale = offer.window_scale & 0xf;
  tcb.snd.nxt = tcb.snd.una;
  tcb.congestion = ChosenControl(cx.settings, *tcb.options);
  ResetRto(cx, tcb, false);
  Apply(cx, tcb, RuleId::kActiveOpen);
  tcb.pending.syn = true;
  ArmRetransmit(cx, tcb, SynTimeout(cx.settings, *tcb.options, 0, cx.settings.syn_linear_timeouts));
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

Result<std::size_t> UserSend(Context& cx, Tcb& tcb, std::span<const std::byte> data, bool more,
                             bool urgent) {
  if (auto error = TakePendingError(tcb)) return std::unexpected(*error);
  if (WaitsForData(tcb)) return QueueSynData(cx, tcb, data);
  const Result<std::size_t> room = MakeRoom(cx, tcb, data.size());
  if (!room || *room == 0) return room;
  ByteQueue& bytes = cx.buffers.send[tcb.send_buffer].bytes;
  const bool first = bytes.empty();
  const std::size_t taken = bytes.Append(cx.buffers.chunks, data.first(*room));
  if (taken == 0) return std::unexpected(first ? Error::kNoMemory : Error::kWouldBlock);
  NoteQueued(cx, tcb, more, urgent);
  return taken;
}

Result<std::size_t> UserSendReference(Context& cx, Tcb& tcb, std::span<const std::byte> data,
                                      std::uint64_t token, bool more, bool urgent) {
  if (auto error = TakePendingError(tcb)) return std::unexpected(*error);
  if (WaitsForData(tcb)) return CopySynData(cx, tcb, data, token);
  const Result<std::size_t> room = MakeRoom(cx, tcb, data.size());
  if (!room || *room == 0) return room;
  Chunk* chunk = cx.buffers.chunks.Refer(data.first(*room), token);
  if (chunk == nullptr) return std::unexpected(Error::kNoMemory);
  cx.buffers.send[tcb.send_buffer].bytes.Append(chunk);
  NoteQueued(cx, tcb, more, urgent);
  return *room;
}

namespace {

// Why there is nothing to read, if there is nothing; 0: the end of the stream.
Result<std::size_t> NothingToRead(Tcb& tcb) {
  if (tcb.fin_received) return 0;
  if (auto error = TakePendingError(tcb)) return std::unexpected(*error);
  if (tcb.read_shut || Over(tcb)) return 0;
  if (IsIn(tcb.state, In(State::kClosed) | In(State::kListen))) {
    return std::unexpected(Error::kNotConnected);
  }
  return std::unexpected(Error::kWouldBlock);
}

}  // namespace

Result<std::size_t> UserRead(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek) {
  if (cx.buffers.ReceiveSize(tcb) != 0) {
    const std::size_t n = TakeStream(cx, tcb, into, peek);
    if (!peek) {
      NoteRead(cx, tcb);
      AckIfWindowOpens(cx, tcb);
    }
    if (n != 0 || into.empty()) return n;  // 0: only an urgent byte was there
  }
  return NothingToRead(tcb);
}

Result<Chunk*> UserBorrow(Context& cx, Tcb& tcb, Slice& piece) {
  if (Chunk* chunk = LendStream(cx, tcb, piece)) return chunk;
  const Result<std::size_t> end = NothingToRead(tcb);
  if (!end) return std::unexpected(end.error());
  return nullptr;
}

void UserGiveBack(Context& cx, Tcb& tcb, std::uint32_t n) {
  if (tcb.receive_buffer == kNoSlot) return;  // the connection is over
  ReceiveBuffer& buffer = cx.buffers.receive[tcb.receive_buffer];
  ESTAB_CHECK(buffer.borrowed >= n);
  buffer.borrowed -= n;
  NoteRead(cx, tcb);
  AckIfWindowOpens(cx, tcb);
}

Result<std::size_t> UserReadUrgent(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek) {
  if (tcb.state == State::kListen) return std::unexpected(Error::kNotConnected);
  return TakeUrgentByte(cx, tcb, into, peek);
}

bool UserQuickAck(Context& cx, Tcb& tcb, bool on) {
  tcb.interactive = !on;
  constexpr StateSet kOpen = In(State::kEstablished) | In(State::kCloseWait);
  if (!on || !IsIn(tcb.state, kOpen) || tcb.delayed_ack_at == kNever) return false;
  if (cx.buffers.ReceiveSize(tcb) != 0) return true;  // as Linux: reading it will let the ACK go
  DisarmDelayedAck(cx, tcb);
  AckOnce(tcb);
  return true;
}

void UserShutdownWrite(Context& cx, Tcb& tcb) {
  SetCall(cx, CallKind::kShutdownWrite);
  const bool attempt = tcb.state == State::kSynSent;
  CloseSending(cx, tcb);
  if (attempt) SetError(tcb, Error::kConnectionReset);  // as Linux tells whoever waits for it
}

void UserShutdownRead(Context& cx, Tcb& tcb) {
  if (tcb.state == State::kSynSent) return UserShutdownWrite(cx, tcb);  // either ends the attempt
  SetCall(cx, CallKind::kShutdownRead);
  tcb.read_shut = true;
  if (tcb.receive_buffer == kNoSlot || !cx.settings.policy.shut_read_discards) return;
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
  const bool unread = cx.buffers.ReceiveSize(tcb) != 0;
  const bool open = IsIn(tcb.state, kSynchronized);
  if (unread && open) {
    tcb.orphan = true;
    tcb.pending.reset = true;
    return ApplyClosed(cx, tcb, RuleId::kCloseUnread);
  }
  if (tcb.options->linger && tcb.options->linger_seconds == 0) return UserAbort(cx, tcb);
  tcb.orphan = true;
  tcb.read_shut = true;
  if (IsIn(tcb.state, kMaySend) || IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd))) {
    CloseSending(cx, tcb);
  } else {
    Apply(cx, tcb, RuleId::kCloseAgain);
  }
  if (tcb.state == State::kClosed) return;
  if (tcb.state == State::kFinWait2) {
    if (tcb.options->fin_wait2_seconds < 0) {
      tcb.pending.reset = true;
      return ApplyClosed(cx, tcb, RuleId::kNoFinWait2);
    }
    ArmFinWait2(cx, tcb);
  }
  if (too_many && !FinWait2IsRecord(tcb)) {
    tcb.pending.reset = true;
    ApplyClosed(cx, tcb, RuleId::kTooManyOrphans);
  }
}

void UserAbort(Context& cx, Tcb& tcb) {
  if (cx.cause.trigger != Trigger::kCall || cx.cause.call != CallKind::kClose) {
    SetCall(cx, CallKind::kAbort);
  }
  constexpr StateSet kTold = In(State::kSynRcvd) | In(State::kEstablished) | In(State::kFinWait1) |
                             In(State::kFinWait2) | In(State::kCloseWait);
  // What was closed with data unsent would otherwise look whole to the peer (Linux).
  const bool cut_off =
      IsIn(tcb.state, In(State::kClosing) | In(State::kLastAck)) && SendEnd(cx, tcb) != tcb.snd.nxt;
  tcb.orphan = true;
  tcb.pending.reset = IsIn(tcb.state, kTold) || cut_off;
  ApplyClosed(cx, tcb, tcb.pending.reset ? RuleId::kAbort : RuleId::kAbortQuiet);
}

namespace {

// Linux's tcp_stream_is_readable: SO_RCVLOWAT bytes are there, an urgent byte at the mark not
// counted; or the window is so small that no more can come.
bool Readable(const Context& cx, const Tcb& tcb) {
  std::uint32_t available = cx.buffers.ReceiveSize(tcb);
  if (available != 0 && !tcb.options->urgent_inline && AtMark(cx, tcb)) --available;
  if (available == 0) return false;
  if (available >= tcb.options->receive_low_water) return true;
  return tcb.rcv.adv - tcb.rcv.nxt <= std::int32_t{tcb.typical_in};
}

// Whether there is room to write into (Linux: sk_stream_is_writeable, tcp_stream_memory_free).
bool Writable(const Context& cx, const Tcb& tcb, bool closed) {
  const std::uint32_t low_water = UnsentLowWater(cx.settings, tcb);
  if (tcb.send_buffer == kNoSlot && low_water == UINT32_MAX) return true;
  const std::uint32_t held = cx.buffers.SendSize(tcb);
  const std::uint32_t limit = closed ? 1 : SendLimit(cx.settings, tcb);
  return held < limit && limit - held >= held / 2 &&
         (low_water == UINT32_MAX || std::uint64_t{2} * Unsent(cx, tcb) < low_water);
}

}  // namespace

std::uint8_t ReadinessOf(const Context& cx, const Tcb& tcb) {
  const bool closed = IsIn(tcb.state, In(State::kClosed) | In(State::kTimeWait));
  const bool over = closed && Over(tcb);
  const bool read_closed = tcb.fin_received || tcb.read_shut || over;
  const bool write_closed = tcb.fin_queued || over;
  unsigned bits = 0;
  if (closed || (read_closed && write_closed)) bits |= kHangup;
  if (read_closed) bits |= kReadClosed | kReadable;
  if (tcb.pending_error != 0) bits |= kErrorPending;
  if (IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd)) && !OpenedOnSyn(tcb)) {
    const bool waits = tcb.state == State::kSynSent && tcb.fast_open == FastOpen::kDeferred;
    return static_cast<std::uint8_t>(waits ? bits | kWritable : bits);
  }
  if (tcb.receive_buffer != kNoSlot) {
    if (Readable(cx, tcb)) bits |= kReadable;
    if (UrgentHere(cx, tcb)) bits |= kUrgent;
  }
  if (write_closed || Writable(cx, tcb, closed)) bits |= kWritable;
  return static_cast<std::uint8_t>(bits);
}

}  // namespace estab::tcp
