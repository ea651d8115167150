// The user's calls on one connection (RFC 9293 §3.10.1 to §3.10.6).
#pragma once

#include <optional>
#include <span>

#include "tcp/context.h"

namespace estab::tcp {

/// Starts an active open: CLOSED→SYN_SENT. The tuple, link, ISS, timestamp offset and options must
/// be in place; `mtu` is the link's.
void BeginOpen(Context& cx, Tcb& tcb, std::uint32_t mtu);

/// Takes as much of `data` as the send buffer has room for. `more`: a segment that is not full may
/// wait for the rest; `urgent`: the last byte is urgent. Errors as Stack::Send.
Result<std::size_t> UserSend(Context& cx, Tcb& tcb, std::span<const std::byte> data,
                             bool more = false, bool urgent = false);

/// The same by reference: the bytes stay where they are until `token` is returned by the pool of
/// chunks. Errors as Stack::SendReference.
Result<std::size_t> UserSendReference(Context& cx, Tcb& tcb, std::span<const std::byte> data,
                                      std::uint64_t token, bool more = false, bool urgent = false);

/// Gives the user what has arrived in order. Errors as Stack::Read.
Result<std::size_t> UserRead(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek);

/// Lends the user a piece of what has arrived in order, in a chunk that has gained a reference;
/// nullptr at the end of the stream. Errors as Stack::Read.
Result<Chunk*> UserBorrow(Context& cx, Tcb& tcb, Slice& piece);
/// `n` bytes that were borrowed take no room any more.
void UserGiveBack(Context& cx, Tcb& tcb, std::uint32_t n);

/// The urgent byte, out of band. Errors as Stack::ReadUrgent.
Result<std::size_t> UserReadUrgent(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek);

/// TCP_QUICKACK; whether an ACK was waiting.
bool UserQuickAck(Context& cx, Tcb& tcb, bool on);

/// Closes the sending side: our FIN follows the queued data.
void UserShutdownWrite(Context& cx, Tcb& tcb);
/// Closes the reading side: what is buffered is dropped, what comes later acknowledged and
/// discarded.
void UserShutdownRead(Context& cx, Tcb& tcb);
/// close(): in order, or by a reset if data is left unread or SO_LINGER is {on, 0}. The connection
/// is an orphan afterwards; `too_many`: over tcp_max_orphans, it is reset instead,
/// unless it counts as a record.
void UserClose(Context& cx, Tcb& tcb, bool too_many);
/// ABORT.
void UserAbort(Context& cx, Tcb& tcb);

/// Readiness bits as Linux's tcp_poll would have them.
std::uint8_t ReadinessOf(const Context& cx, const Tcb& tcb);

/// The pending error, which is then forgotten.
std::optional<Error> TakePendingError(Tcb& tcb);
/// What SO_ERROR says: the pending error, or else what ICMP told an open connection (Linux too).
/// Either is told once.
std::optional<Error> TakeAnyError(Tcb& tcb);

}  // namespace estab::tcp
