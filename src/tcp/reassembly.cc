#include "tcp/reassembly.h"

#include <algorithm>
#include <utility>

namespace estab::tcp {
namespace {

void RemoveRun(Reassembly& waiting, std::uint32_t index) {
  std::move(waiting.runs.begin() + index + 1, waiting.runs.begin() + waiting.count,
            waiting.runs.begin() + index);
  --waiting.count;
  waiting.runs[waiting.count] = Reassembly::Run{};
}

// Makes room for a run at `index`; false when all are taken.
bool OpenRun(Reassembly& waiting, std::uint32_t index, RcvSeq begin) {
  if (waiting.count == Reassembly::kMaxRuns) return false;
  std::move_backward(waiting.runs.begin() + index, waiting.runs.begin() + waiting.count,
                     waiting.runs.begin() + waiting.count + 1);
  waiting.runs[index] = Reassembly::Run{begin, ByteQueue{}};
  ++waiting.count;
  return true;
}

// Joins run `index` with the next one if they touch.
void JoinNext(Reassembly& waiting, ChunkPool& chunks, std::uint32_t index) {
  if (index + 1 >= waiting.count) return;
  Reassembly::Run& run = waiting.runs[index];
  Reassembly::Run& next = waiting.runs[index + 1];
  if (run.end() != next.begin) return;
  run.bytes.Splice(chunks, next.bytes);
  RemoveRun(waiting, index + 1);
}

// Stores `piece`, which overlaps nothing, before run `index`. `index` then names the run after it.
bool Store(Reassembly& waiting, ChunkPool& chunks, std::uint32_t& index, RcvSeq seq,
           std::span<const std::byte> piece) {
  const bool extends = index > 0 && waiting.runs[index - 1].end() == seq;
  if (!extends && !OpenRun(waiting, index, seq)) return false;
  const std::uint32_t target = extends ? index - 1 : index;
  const std::size_t stored = waiting.runs[target].bytes.Append(chunks, piece);
  waiting.total += static_cast<std::uint32_t>(stored);
  waiting.runs[target].turn = ++waiting.turns;
  if (waiting.runs[target].bytes.empty()) {
    RemoveRun(waiting, target);
    return false;
  }
  JoinNext(waiting, chunks, target);
  index = target + 1;
  return stored == piece.size();
}

}  // namespace

bool Insert(Reassembly& waiting, ChunkPool& chunks, RcvSeq seq, std::span<const std::byte> data) {
  std::uint32_t i = 0;
  while (!data.empty()) {
    while (i < waiting.count && waiting.runs[i].end() <= seq) ++i;
    const bool inside = i < waiting.count && waiting.runs[i].begin <= seq;
    if (inside) {
      const auto known = static_cast<std::size_t>(waiting.runs[i].end() - seq);
      const std::size_t skip = std::min(data.size(), known);
      data = data.subspan(skip);
      seq += static_cast<std::uint32_t>(skip);
      waiting.runs[i].turn = ++waiting.turns;
      continue;
    }
    std::size_t room = data.size();
    if (i < waiting.count) {
      room = std::min(room, static_cast<std::size_t>(waiting.runs[i].begin - seq));
    }
    if (!Store(waiting, chunks, i, seq, data.first(room))) return false;
    data = data.subspan(room);
    seq += static_cast<std::uint32_t>(room);
    if (i > 0) --i;
  }
  return true;
}

std::optional<Reassembly::Duplicate> Overlap(const Reassembly& waiting, RcvSeq begin, RcvSeq end) {
  for (std::uint32_t i = 0; i < waiting.count; ++i) {
    const Reassembly::Run& run = waiting.runs[i];
    if (run.end() <= begin) continue;
    if (run.begin >= end) break;
    return Reassembly::Duplicate{Later(begin, run.begin), Earlier(end, run.end())};
  }
  return std::nullopt;
}

void CutAt(Reassembly& waiting, ChunkPool& chunks, RcvSeq end) {
  while (waiting.count != 0 && waiting.runs[waiting.count - 1].end() > end) {
    Reassembly::Run& last = waiting.runs[waiting.count - 1];
    const auto beyond = static_cast<std::uint32_t>(last.end() - end);
    const std::uint32_t cut = std::min(beyond, last.bytes.size());
    last.bytes.Truncate(chunks, cut);
    waiting.total -= cut;
    if (last.bytes.empty()) RemoveRun(waiting, waiting.count - 1);
  }
}

bool PopReached(Reassembly& waiting, ChunkPool& chunks, RcvSeq next, ByteQueue& bytes) {
  while (waiting.count != 0 && waiting.runs[0].begin <= next) {
    Reassembly::Run& run = waiting.runs[0];
    const std::uint32_t known = static_cast<std::uint32_t>(next - run.begin);
    const std::uint32_t size = run.bytes.size();
    run.bytes.Consume(chunks, std::min(known, size));
    waiting.total -= size;
    bytes.Splice(chunks, run.bytes);
    RemoveRun(waiting, 0);
    if (!bytes.empty()) return true;
  }
  return false;
}

}  // namespace estab::tcp
