// Payload and what belongs to it: attached to a connection only while it has some.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/chunk.h"
#include "base/memory.h"
#include "base/slab.h"
#include "tcp/congestion/bbr_model.h"
#include "tcp/loss_state.h"
#include "tcp/runs.h"
#include "tcp/tcb.h"

namespace estab::tcp {

/// What waits to be sent or acknowledged. Its first byte is SND.UNA (ISS + 1 while the SYN is
/// unacknowledged).
struct SendBuffer {
  LossState loss;
  ByteQueue bytes;
  bool urgent = false;  // SND.UP is ahead of what is acknowledged
  SndSeq up;            // one past the urgent byte
};

/// The peer's urgent byte, as Linux knows it: one at a time, the latest.
enum class Urgent : std::uint8_t {
  kNone,
  kAwaited,  // announced by an urgent pointer; the byte itself is still to come
  kHere,     // not read yet
  kRead,     // read by MSG_OOB; its place in the stream is still ahead of the reader
};

/// What arrived in order and waits to be read.
struct ReceiveBuffer {
  ByteQueue bytes;
  std::uint32_t borrowed = 0;  // bytes that the user has, and that still take room
  Urgent urgent = Urgent::kNone;
  std::byte urgent_byte{};
  RcvSeq urgent_at;  // the byte's own number
};

/// What arrived ahead of a gap: runs that never touch.
struct Reassembly {
  static constexpr std::size_t kMaxDuplicates = 4;
  struct Duplicate {
    RcvSeq begin;
    RcvSeq end;
  };
  Runs runs;
  std::uint32_t total = 0;  // bytes in all of them
  // What came twice and is to be told, one in each ACK (RFC 2883); of more than these nobody hears.
  std::array<Duplicate, kMaxDuplicates> duplicates;
  std::uint32_t duplicate_count = 0;
  bool has_fin = false;
  RcvSeq fin;  // the FIN's own number
};

/// What was done for want of memory, in this order.
struct PressureCounts {
  std::uint64_t shed = 0;          // connections whose data ahead of a gap was dropped
  std::uint64_t windows_held = 0;  // segments that announced less than there would have been
  std::uint64_t drops = 0;         // segments whose data could not be kept, or not all of it
};

/// The pools of one stack.
class Buffers {
  Memory* memory_;
  std::uint32_t shed_next_ = 0;  // where ShedReassembly goes on

  void DetachSend(Tcb& tcb);
  void DetachIdle(Tcb& tcb);
  // Bytes that payload may take.
  std::uint64_t Room() const {
    const std::uint64_t pool = chunks.live_bytes() + chunks.kept_bytes();
    const std::uint64_t others = memory_->used() - pool;
    return memory_->limit() - std::min(memory_->limit(), others);
  }

 public:
  explicit Buffers(Memory& memory)
      : memory_(&memory),
        chunks(memory),
        rings(memory),
        send(memory),
        receive(memory),
        runs(memory),
        reassembly(memory),
        models(memory) {}

  /// Frees whatever `tcb` has attached.
  void Detach(Tcb& tcb);
  /// Frees attached buffers that are empty.
  void DetachEmpty(Tcb& tcb) {
    if ((tcb.send_buffer & tcb.receive_buffer & tcb.reassembly) != kNoSlot) DetachIdle(tcb);
  }

  /// Most of what the memory budget leaves for payload, beside records and tables, is taken. Then
  /// data that waits ahead of gaps is dropped, and windows stop growing, so that what was promised
  /// can still be kept; what arrives is dropped only when nothing is left.
  bool UnderPressure() const { return chunks.live_bytes() > Room() / 4 * 3; }
  /// So much of it that connections with much unread have no share in the rest.
  bool NearlyFull() const { return chunks.live_bytes() > Room() / 8 * 7; }
  /// Drops everything that waits for reassembly at `tcb`: the peer has to send it again.
  void DropReassembly(Tcb& tcb);
  /// Under pressure: empties some connections' reassembly, whoever they are, a few at a call and
  /// all in turn. What is dropped was never acknowledged (RFC 2018 §8 allows it even if SACKed).
  void ShedReassembly();

  // Sizes of what is attached, 0 for nothing.
  std::uint32_t SendSize(const Tcb& tcb) const {
    return tcb.send_buffer == kNoSlot ? 0 : send[tcb.send_buffer].bytes.size();
  }
  std::uint32_t ReceiveSize(const Tcb& tcb) const {
    return tcb.receive_buffer == kNoSlot ? 0 : receive[tcb.receive_buffer].bytes.size();
  }
  /// What takes room in the receive buffer: what waits, and what the user has borrowed.
  std::uint32_t ReceiveHeld(const Tcb& tcb) const {
    if (tcb.receive_buffer == kNoSlot) return 0;
    const ReceiveBuffer& buffer = receive[tcb.receive_buffer];
    return buffer.bytes.size() + buffer.borrowed;
  }
  std::uint32_t ReassemblySize(const Tcb& tcb) const {
    return tcb.reassembly == kNoSlot ? 0 : reassembly[tcb.reassembly].total;
  }

  /// The attached buffer, attaching one if need be; nullptr without memory.
  SendBuffer* AttachSend(Tcb& tcb);
  ReceiveBuffer* AttachReceive(Tcb& tcb) {
    if (tcb.receive_buffer == kNoSlot) tcb.receive_buffer = receive.Create();
    return tcb.receive_buffer == kNoSlot ? nullptr : &receive[tcb.receive_buffer];
  }
  Reassembly* AttachReassembly(Tcb& tcb);

  /// The model of a connection's path, which stays as long as the connection; nullptr without
  /// memory, or if it has none.
  BbrModel* AttachModel(Tcb& tcb);
  BbrModel* ModelOf(const Tcb& tcb);
  void DetachModel(Tcb& tcb);

  /// Drops what waits, but leaves the record where it is.
  void Empty(Reassembly& waiting);

  PressureCounts pressure;
  ChunkPool chunks;
  RingPool rings;  // of scoreboards
  Slab<SendBuffer, 16> send;
  Slab<ReceiveBuffer> receive;
  Runs::Pool runs;
  Slab<Reassembly, 16> reassembly;
  Slab<BbrModel, 16> models;
};

}  // namespace estab::tcp
