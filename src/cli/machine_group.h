// The machines of `serve`: one for each thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "cli/errands.h"
#include "cli/machine.h"

namespace estab::cli {

/// Machines with the same links, addresses and settings, one host to the world. Each is for the
/// thread that serves it alone; others have it do what they want of it.
class MachineGroup {
 public:
  /// As Machine's. Throws Failure, with nothing left behind.
  MachineGroup(const LinkOptions& options, std::size_t count);

  std::size_t size() const { return members_.size(); }
  /// For the thread that serves it, or before there is one.
  Machine& operator[](std::size_t index) { return members_[index]->machine; }
  Errands& errands(std::size_t index) { return members_[index]->errands; }

  /// Has `use(Machine&)` called by the machine's thread, between two turns (at once, if none
  /// serves), and waits for it. Throws what it throws. For one thread at a time.
  template <class Use>
  void Ask(std::size_t index, Use&& use) {
    errands(index).Do([&] { use((*this)[index]); });
  }
  template <class Use>
  void AskAll(Use&& use) {
    for (std::size_t i = 0; i < size(); ++i) Ask(i, use);
  }

  /// The sums of what the stacks have counted.
  StackCounters Counters();

 private:
  struct Member {
    Member(const LinkOptions& options, Share share) : machine(options, std::move(share)) {}
    Machine machine;
    Errands errands;
  };
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace estab::cli
