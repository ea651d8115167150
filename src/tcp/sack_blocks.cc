#include "tcp/sack_blocks.h"

#include <algorithm>

namespace estab::tcp {
namespace {

struct SackWriter {
  wire::TcpOptions& options;
  std::uint8_t most;
  bool full() const { return options.sack_count == most; }
  void Add(RcvSeq begin, RcvSeq end) {
    options.sack[options.sack_count++] = {begin.raw(), end.raw()};
  }
};

// Runs in the order of their last change, the last first (RFC 2018 §4).
void AddRuns(const Runs::Pool& pool, const Reassembly& waiting, SackWriter& writer) {
  for (Runs::Index i = waiting.runs.freshest(); i != kNoSlot && !writer.full();
       i = pool[i].staler) {
    writer.Add(pool[i].begin, pool[i].end());
  }
}

// The FIN's number lies behind the last data, or alone behind a gap.
void AddHeldFin(const Runs::Pool& pool, const Reassembly& waiting, std::uint8_t first,
                SackWriter& writer) {
  wire::TcpOptions& options = writer.options;
  for (std::uint8_t i = first; i < options.sack_count; ++i) {
    if (options.sack[i].right != waiting.fin.raw()) continue;
    ++options.sack[i].right;
    return;
  }
  const Runs::Index last = waiting.runs.last();
  const bool last_told = last == kNoSlot || pool[last].end() != waiting.fin;
  if (last_told && !writer.full()) writer.Add(waiting.fin, waiting.fin + 1);
}

}  // namespace

void NoteDuplicate(Context& cx, Tcb& tcb, RcvSeq begin, RcvSeq end) {
  if (!tcb.sack || cx.settings.dsack == 0 || begin >= end) return;
  // What lies before all that has come has not come twice.
  const bool behind = begin < tcb.rcv.nxt;
  if (behind && static_cast<std::uint32_t>(tcb.rcv.nxt - begin) > tcb.bytes_received + 1) return;
  Reassembly* waiting = cx.buffers.AttachReassembly(tcb);
  if (waiting == nullptr || waiting->duplicate_count == Reassembly::kMaxDuplicates) return;
  waiting->duplicates[waiting->duplicate_count++] = {begin, end};
}

void NoteDuplicateTold(Context& cx, Tcb& tcb) {
  if (tcb.reassembly == kNoSlot) return;
  Reassembly& waiting = cx.buffers.reassembly[tcb.reassembly];
  if (waiting.duplicate_count == 0) return;
  --waiting.duplicate_count;
  std::copy_n(waiting.duplicates.begin() + 1, waiting.duplicate_count, waiting.duplicates.begin());
}

void AddHeldBlocks(const Context& cx, const Tcb& tcb, wire::TcpOptions& options) {
  const Reassembly& waiting = cx.buffers.reassembly[tcb.reassembly];
  SackWriter writer{options, static_cast<std::uint8_t>(tcb.timestamps ? 3 : 4)};
  if (waiting.duplicate_count != 0) {
    writer.Add(waiting.duplicates[0].begin, waiting.duplicates[0].end);
  }
  const std::uint8_t first = options.sack_count;
  AddRuns(cx.buffers.runs, waiting, writer);
  if (waiting.has_fin) AddHeldFin(cx.buffers.runs, waiting, first, writer);
}

}  // namespace estab::tcp
