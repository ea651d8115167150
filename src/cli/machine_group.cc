#include "cli/machine_group.h"

#include <utility>

#include "observe/metrics.h"

namespace estab::cli {

MachineGroup::MachineGroup(const LinkOptions& options, std::size_t count) {
  for (Share& share : MakeShares(options, count)) {
    members_.push_back(std::make_unique<Member>(options, std::move(share)));
  }
}

StackCounters MachineGroup::Counters() {
  StackCounters sum;
  AskAll([&](Machine& machine) { observe::Accumulate(sum, machine.stack().Counters()); });
  return sum;
}

}  // namespace estab::cli
