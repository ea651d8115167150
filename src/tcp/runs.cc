#include "tcp/runs.h"

#include <algorithm>

#include "base/check.h"

namespace estab::tcp {
namespace {

using Index = Runs::Index;
using Pool = Runs::Pool;

std::uint32_t LevelOf(const Pool& pool, Index t) { return t == kNoSlot ? 0 : pool[t].level; }

// A left child of the same level becomes the parent.
Index Skew(Pool& pool, Index t) {
  if (t == kNoSlot) return t;
  const Index l = pool[t].left;
  if (LevelOf(pool, l) != pool[t].level) return t;
  pool[t].left = pool[l].right;
  pool[l].right = t;
  return l;
}

// Of two right children of the same level the first becomes the parent, a level higher.
Index Split(Pool& pool, Index t) {
  if (t == kNoSlot) return t;
  const Index r = pool[t].right;
  if (r == kNoSlot || LevelOf(pool, pool[r].right) != pool[t].level) return t;
  pool[t].right = pool[r].left;
  pool[r].left = t;
  ++pool[r].level;
  return r;
}

Index Insert(Pool& pool, Index t, Index run) {
  if (t == kNoSlot) return run;
  if (pool[run].begin < pool[t].begin) {
    pool[t].left = Insert(pool, pool[t].left, run);
  } else {
    pool[t].right = Insert(pool, pool[t].right, run);
  }
  return Split(pool, Skew(pool, t));
}

Index Rebalance(Pool& pool, Index t) {
  const std::uint32_t least =
      std::min(LevelOf(pool, pool[t].left), LevelOf(pool, pool[t].right)) + 1;
  if (least < pool[t].level) {
    pool[t].level = least;
    const Index r = pool[t].right;
    if (r != kNoSlot && pool[r].level > least) pool[r].level = least;
  }
  t = Skew(pool, t);
  pool[t].right = Skew(pool, pool[t].right);
  if (const Index r = pool[t].right; r != kNoSlot) pool[r].right = Skew(pool, pool[r].right);
  t = Split(pool, t);
  pool[t].right = Split(pool, pool[t].right);
  return t;
}

Index Erase(Pool& pool, Index t, Index run);

// Takes `t` out of the tree below it. Its neighbour in the stream, which is a leaf there, replaces
// it.
Index EraseRoot(Pool& pool, Index t) {
  Run& gone = pool[t];
  if (gone.left == kNoSlot && gone.right == kNoSlot) return kNoSlot;
  const bool by_next = gone.left == kNoSlot;
  const Index heir = by_next ? gone.after : gone.before;
  Index& side = by_next ? gone.right : gone.left;
  side = Erase(pool, side, heir);
  pool[heir].left = gone.left;
  pool[heir].right = gone.right;
  pool[heir].level = gone.level;
  return Rebalance(pool, heir);
}

Index Erase(Pool& pool, Index t, Index run) {
  ESTAB_CHECK(t != kNoSlot);
  if (t == run) return EraseRoot(pool, t);
  if (pool[run].begin < pool[t].begin) {
    pool[t].left = Erase(pool, pool[t].left, run);
  } else {
    pool[t].right = Erase(pool, pool[t].right, run);
  }
  return Rebalance(pool, t);
}

// Checks what lies below `t`, from which the next in the stream is to be `next`; returns how many.
std::uint32_t CheckTree(const Pool& pool, Index t, Index& next) {
  if (t == kNoSlot) return 0;
  const Run& run = pool[t];
  ESTAB_CHECK(LevelOf(pool, run.left) == run.level - 1);
  const std::uint32_t right = LevelOf(pool, run.right);
  ESTAB_CHECK(right == run.level || right == run.level - 1);
  if (run.right != kNoSlot) ESTAB_CHECK(LevelOf(pool, pool[run.right].right) < run.level);
  std::uint32_t count = CheckTree(pool, run.left, next);
  ESTAB_CHECK(t == next);
  next = run.after;
  return count + 1 + CheckTree(pool, run.right, next);
}

}  // namespace

Runs::Index Runs::Floor(const Pool& pool, RcvSeq seq) const {
  if (last_ == kNoSlot || pool[last_].begin <= seq) return last_;  // mostly
  Index found = kNoSlot;
  for (Index t = root_; t != kNoSlot;) {
    const bool before = pool[t].begin <= seq;
    if (before) found = t;
    t = before ? pool[t].right : pool[t].left;
  }
  return found;
}

Runs::Index Runs::AddAfter(Pool& pool, Index before, RcvSeq begin) {
  const Index run = pool.Create(begin);
  if (run == kNoSlot) return kNoSlot;
  const Index after = before == kNoSlot ? first_ : pool[before].after;
  pool[run].before = before;
  pool[run].after = after;
  (before == kNoSlot ? first_ : pool[before].after) = run;
  (after == kNoSlot ? last_ : pool[after].before) = run;
  LinkFreshest(pool, run);
  root_ = Insert(pool, root_, run);
  ++count_;
  return run;
}

void Runs::Remove(Pool& pool, Index run) {
  root_ = Erase(pool, root_, run);
  const Index before = pool[run].before;
  const Index after = pool[run].after;
  (before == kNoSlot ? first_ : pool[before].after) = after;
  (after == kNoSlot ? last_ : pool[after].before) = before;
  UnlinkFresh(pool, run);
  --count_;
  pool.Destroy(run);
}

void Runs::Touch(Pool& pool, Index run) {
  if (run == freshest_) return;
  UnlinkFresh(pool, run);
  LinkFreshest(pool, run);
}

void Runs::LinkFreshest(Pool& pool, Index run) {
  pool[run].fresher = kNoSlot;
  pool[run].staler = freshest_;
  if (freshest_ != kNoSlot) pool[freshest_].fresher = run;
  freshest_ = run;
}

void Runs::UnlinkFresh(Pool& pool, Index run) {
  const Index fresher = pool[run].fresher;
  const Index staler = pool[run].staler;
  (fresher == kNoSlot ? freshest_ : pool[fresher].staler) = staler;
  if (staler != kNoSlot) pool[staler].fresher = fresher;
}

void Runs::Check(const Pool& pool) const {
  Index next = first_;
  ESTAB_CHECK(CheckTree(pool, root_, next) == count_ && next == kNoSlot);
  Index before = kNoSlot;
  for (Index run = first_; run != kNoSlot; run = pool[run].after) {
    ESTAB_CHECK(pool[run].before == before && !pool[run].bytes.empty());
    ESTAB_CHECK(before == kNoSlot || pool[before].end() < pool[run].begin);
    before = run;
  }
  ESTAB_CHECK(before == last_);
  std::uint32_t listed = 0;
  for (Index run = freshest_; run != kNoSlot; run = pool[run].staler) ++listed;
  ESTAB_CHECK(listed == count_);
}

}  // namespace estab::tcp
