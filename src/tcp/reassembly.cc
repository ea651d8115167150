#include "tcp/reassembly.h"

#include <algorithm>

namespace estab::tcp {
namespace {

// Puts `piece`, which overlaps nothing, behind run `at` (kNoSlot: before all), which it extends or
// follows. `at` then names the run that holds it. False if not all of it was kept.
bool Store(Buffers& buffers, Reassembly& waiting, std::uint32_t most, Runs::Index& at, RcvSeq seq,
           std::span<const std::byte> piece) {
  Runs::Pool& pool = buffers.runs;
  if (at == kNoSlot || pool[at].end() != seq) {
    if (waiting.runs.count() >= most) return false;
    at = waiting.runs.AddAfter(pool, at, seq);
    if (at == kNoSlot) return false;
  }
  Run& run = pool[at];
  const std::size_t stored = run.bytes.Append(buffers.chunks, piece);
  waiting.total += static_cast<std::uint32_t>(stored);
  waiting.runs.Touch(pool, at);
  if (run.bytes.empty()) waiting.runs.Remove(pool, at);
  if (stored != piece.size()) return false;
  const Runs::Index next = run.after;
  if (next == kNoSlot || run.end() != pool[next].begin) return true;
  run.bytes.Splice(buffers.chunks, pool[next].bytes);
  waiting.runs.Remove(pool, next);
  return true;
}

}  // namespace

bool Insert(Buffers& buffers, Reassembly& waiting, std::uint32_t most, RcvSeq seq,
            std::span<const std::byte> data) {
  const Runs::Pool& pool = buffers.runs;
  Runs::Index at = waiting.runs.Floor(pool, seq);
  while (!data.empty()) {
    std::size_t step = 0;
    if (at != kNoSlot && pool[at].end() > seq) {  // the first copy wins
      step = std::min(data.size(), static_cast<std::size_t>(pool[at].end() - seq));
      waiting.runs.Touch(buffers.runs, at);
    } else {
      const Runs::Index next = at == kNoSlot ? waiting.runs.first() : pool[at].after;
      step = data.size();
      if (next != kNoSlot) step = std::min(step, static_cast<std::size_t>(pool[next].begin - seq));
      if (step == 0) {
        at = next;
        continue;
      }
      if (!Store(buffers, waiting, most, at, seq, data.first(step))) return false;
    }
    data = data.subspan(step);
    seq += static_cast<std::uint32_t>(step);
  }
  return true;
}

std::optional<Reassembly::Duplicate> Overlap(const Buffers& buffers, const Reassembly& waiting,
                                             RcvSeq begin, RcvSeq end) {
  const Runs::Pool& pool = buffers.runs;
  Runs::Index run = waiting.runs.Floor(pool, begin);
  if (run == kNoSlot || pool[run].end() <= begin) {
    run = run == kNoSlot ? waiting.runs.first() : pool[run].after;
  }
  if (run == kNoSlot || pool[run].begin >= end) return std::nullopt;
  return Reassembly::Duplicate{Later(begin, pool[run].begin), Earlier(end, pool[run].end())};
}

void CutAt(Buffers& buffers, Reassembly& waiting, RcvSeq end) {
  for (Runs::Index last = waiting.runs.last(); last != kNoSlot; last = waiting.runs.last()) {
    Run& run = buffers.runs[last];
    if (run.end() <= end) return;
    const auto beyond = static_cast<std::uint32_t>(run.end() - end);
    const std::uint32_t cut = std::min(beyond, run.bytes.size());
    run.bytes.Truncate(buffers.chunks, cut);
    waiting.total -= cut;
    if (run.bytes.empty()) waiting.runs.Remove(buffers.runs, last);
  }
}

bool PopReached(Buffers& buffers, Reassembly& waiting, RcvSeq next, ByteQueue& bytes) {
  for (Runs::Index first = waiting.runs.first(); first != kNoSlot; first = waiting.runs.first()) {
    Run& run = buffers.runs[first];
    if (run.begin > next) return false;
    const auto known = static_cast<std::uint32_t>(next - run.begin);
    const std::uint32_t size = run.bytes.size();
    run.bytes.Consume(buffers.chunks, std::min(known, size));
    waiting.total -= size;
    bytes.Splice(buffers.chunks, run.bytes);
    waiting.runs.Remove(buffers.runs, first);
    if (!bytes.empty()) return true;
  }
  return false;
}

}  // namespace estab::tcp
