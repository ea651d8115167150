// Where the send queue lies in sequence space: [SYN] data [FIN].
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// The number of the first byte in the send buffer.
inline SndSeq FirstByte(const Tcb& tcb) { return tcb.snd.una + (tcb.syn_acked ? 0u : 1u); }

/// One past the last queued byte: the number of the FIN, if there will be one.
inline SndSeq DataEnd(const Context& cx, const Tcb& tcb) {
  return FirstByte(tcb) + cx.buffers.SendSize(tcb);
}

/// One past everything that is to be sent, FIN included.
inline SndSeq SendEnd(const Context& cx, const Tcb& tcb) {
  return DataEnd(cx, tcb) + (tcb.fin_queued && !tcb.fin_acked ? 1u : 0u);
}

/// Bytes of data that wait and have never been sent; none counts before our SYN is acknowledged.
inline std::uint32_t Unsent(const Context& cx, const Tcb& tcb) {
  const SndSeq end = DataEnd(cx, tcb);
  return tcb.syn_acked && end > tcb.snd.nxt ? static_cast<std::uint32_t>(end - tcb.snd.nxt) : 0;
}

/// Sequence numbers sent and not acknowledged.
inline std::uint32_t Outstanding(const Tcb& tcb) {
  return static_cast<std::uint32_t>(tcb.snd.nxt - tcb.snd.una);
}

}  // namespace estab::tcp
