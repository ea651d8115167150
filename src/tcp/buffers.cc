#include "tcp/buffers.h"

namespace estab::tcp {
namespace {

template <class Slab>
auto* Attach(Slab& slab, std::uint32_t& slot) {
  if (slot == kNoSlot) slot = slab.Create();
  return slot == kNoSlot ? nullptr : &slab[slot];
}

template <class Slab>
void DetachQueue(Slab& slab, std::uint32_t& slot, ChunkPool& chunks) {
  if (slot == kNoSlot) return;
  slab[slot].bytes.Clear(chunks);
  slab.Destroy(slot);
  slot = kNoSlot;
}

}  // namespace

void Buffers::DetachSend(Tcb& tcb) {
  if (tcb.send_buffer == kNoSlot) return;
  LossState& loss = send[tcb.send_buffer].loss;
  loss.flight.Release(rings);
  loss.marks.Release(rings);
  if (BbrModel* model = ModelOf(tcb)) model->kept = loss.deliveries;
  tcb.fine_at = kNever;  // its deadlines go with it
  DetachQueue(send, tcb.send_buffer, chunks);
}

void Buffers::Detach(Tcb& tcb) {
  DetachSend(tcb);
  DetachQueue(receive, tcb.receive_buffer, chunks);
  DropReassembly(tcb);
  DetachModel(tcb);
}

BbrModel* Buffers::ModelOf(const Tcb& tcb) {
  return tcb.modelled ? &models[tcb.congestion_state[0]] : nullptr;
}

BbrModel* Buffers::AttachModel(Tcb& tcb) {
  if (tcb.modelled) return ModelOf(tcb);
  const std::uint32_t slot = models.Create();
  if (slot == kNoSlot) return nullptr;
  tcb.congestion_state[0] = slot;
  tcb.modelled = true;
  return &models[slot];
}

void Buffers::DetachModel(Tcb& tcb) {
  if (!tcb.modelled) return;
  models.Destroy(tcb.congestion_state[0]);
  tcb.congestion_state = {};
  tcb.modelled = false;
}

void Buffers::Empty(Reassembly& waiting) {
  for (Runs::Index run = waiting.runs.last(); run != kNoSlot; run = waiting.runs.last()) {
    runs[run].bytes.Clear(chunks);
    waiting.runs.Remove(runs, run);
  }
  waiting.total = waiting.duplicate_count = 0;
  waiting.has_fin = false;
}

void Buffers::ShedReassembly() {
  constexpr int kAtOnce = 16;
  for (int i = 0; i < kAtOnce && UnderPressure() && reassembly.live() != 0; ++i) {
    shed_next_ = (shed_next_ + 1) % reassembly.capacity();
    if (!reassembly.IsLive(shed_next_) || reassembly[shed_next_].runs.empty()) continue;
    Empty(reassembly[shed_next_]);
    ++pressure.shed;
  }
}

void Buffers::DropReassembly(Tcb& tcb) {
  if (tcb.reassembly == kNoSlot) return;
  Empty(reassembly[tcb.reassembly]);
  reassembly.Destroy(tcb.reassembly);
  tcb.reassembly = kNoSlot;
}

void Buffers::DetachIdle(Tcb& tcb) {
  if (SendSize(tcb) == 0 && tcb.send_buffer != kNoSlot) {
    const LossState& loss = send[tcb.send_buffer].loss;
    // A late D-SACK may still show that a reduction was for nothing.
    // And what is not due yet must wait although nothing is in flight (SchedulePacing).
    const bool open_question =
        IsIn(tcb.state, kMaySend) && (loss.may_undo || loss.probe.out || loss.pace_at != kNever);
    if (loss.flight.empty() && !open_question) DetachSend(tcb);
  }
  const bool urgent =
      tcb.receive_buffer != kNoSlot && receive[tcb.receive_buffer].urgent != Urgent::kNone;
  if (ReceiveHeld(tcb) == 0 && !urgent) DetachQueue(receive, tcb.receive_buffer, chunks);
  if (tcb.reassembly != kNoSlot && reassembly[tcb.reassembly].runs.empty() &&
      !reassembly[tcb.reassembly].has_fin && reassembly[tcb.reassembly].duplicate_count == 0) {
    reassembly.Destroy(tcb.reassembly);
    tcb.reassembly = kNoSlot;
  }
}

SendBuffer* Buffers::AttachSend(Tcb& tcb) {
  const bool fresh = tcb.send_buffer == kNoSlot;
  SendBuffer* buffer = Attach(send, tcb.send_buffer);
  if (const BbrModel* model = ModelOf(tcb); fresh && buffer != nullptr && model != nullptr) {
    buffer->loss.deliveries = model->kept;
  }
  return buffer;
}
Reassembly* Buffers::AttachReassembly(Tcb& tcb) { return Attach(reassembly, tcb.reassembly); }

}  // namespace estab::tcp
