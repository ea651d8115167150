// The largest of the values of late, in constant space (Kathleen Nichols' algorithm; Linux:
// lib/win_minmax.c).
#pragma once

#include <array>
#include <cstdint>

namespace estab::tcp {

/// The maximum over a window of rounds. Three values are kept: the best, the best since that came,
/// and the best since that; so that when the first grows too old there is one to take its place.
class WindowedMax {
 public:
  std::uint64_t value() const { return kept_[0].value; }

  void Reset(std::uint32_t round, std::uint64_t value) { kept_.fill({round, value}); }

  /// `value` was seen in `round`; what is older than `window` rounds goes.
  void Add(std::uint32_t window, std::uint32_t round, std::uint64_t value) {
    const Kept fresh{round, value};
    if (value >= kept_[0].value || round - kept_[2].round > window) return kept_.fill(fresh);
    if (value >= kept_[1].value) {
      kept_[1] = kept_[2] = fresh;
    } else if (value >= kept_[2].value) {
      kept_[2] = fresh;
    }
    Age(window, fresh);
  }

 private:
  struct Kept {
    std::uint32_t round = 0;
    std::uint64_t value = 0;
  };

  void Age(std::uint32_t window, const Kept& fresh) {
    const std::uint32_t age = fresh.round - kept_[0].round;
    if (age > window) {
      kept_ = {kept_[1], kept_[2], fresh};
      if (fresh.round - kept_[0].round > window) kept_ = {kept_[1], kept_[2], fresh};
    } else if (kept_[1].round == kept_[0].round && age > window / 4) {
      // A quarter of the window without a second best: take one from the second quarter.
      kept_[1] = kept_[2] = fresh;
    } else if (kept_[2].round == kept_[1].round && age > window / 2) {
      kept_[2] = fresh;
    }
  }

  std::array<Kept, 3> kept_{};
};

}  // namespace estab::tcp
