// Fast Open (RFC 7413) as one connection sees it: data on the SYN, sent and received. Cookies are
// the stack's matter.
#pragma once

#include "tcp/arriving.h"
#include "tcp/context.h"

namespace estab::tcp {

/// A connection that was made on its SYN: it sends and delivers data before it is ESTABLISHED.
inline bool OpenedOnSyn(const Tcb& tcb) { return tcb.state == State::kSynRcvd && tcb.passive; }

/// Server: `tcb`, in SYN_RCVD, takes the data of its SYN, and owes the SYN|ACK.
void OpenOnSyn(Context& cx, Tcb& tcb, const wire::Segment& syn);

/// Client: how much data the SYN takes. Options get 40 bytes of the segment, whatever they need, as
/// on Linux.
std::uint32_t SynDataRoom(const Tcb& tcb);

/// Client: puts off the SYN until there is data for it (TCP_FASTOPEN_CONNECT).
void DeferSyn(Context& cx, Tcb& tcb);

/// Client: the SYN goes out, with as much of `data` as it takes; returns how much. kNoMemory.
Result<std::size_t> QueueSynData(Context& cx, Tcb& tcb, std::span<const std::byte> data);

/// Client: SND.UNA, which was `iss`, has become what the SYN|ACK acknowledges: takes accepted data
/// off the queue; the rest will be sent anew.
void SettleSynData(Context& cx, Tcb& tcb, SndSeq iss);

/// Client: takes data that came on the SYN|ACK.
void TakeSynAckData(Context& cx, Tcb& tcb, const Arriving& segment);

}  // namespace estab::tcp
