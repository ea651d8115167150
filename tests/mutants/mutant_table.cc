// In the place of src/tcp/rules.cc: the same table, but whoever asks for the changed rule gets the
// change. The library's own object of that file stays in its archive, since nothing in it is
// missed.
#include "mutants/mutant_table.h"

#include <utility>

#include "estab/rule.h"

namespace estab {
const Rule& TrueRule(RuleId id);
}  // namespace estab

#define GetRule TrueRule
#include "tcp/rules.cc"
#undef GetRule

namespace estab {
namespace {

Rule g_changed;
bool g_mutated = false;
std::array<bool, tcp::kRuleCount> g_asked{};

}  // namespace

const Rule& GetRule(RuleId id) {
  const Rule& rule = TrueRule(id);
  g_asked[static_cast<std::size_t>(id)] = true;
  return g_mutated && g_changed.id == id ? g_changed : rule;
}

namespace test {

void Mutate(const Rule& changed) {
  g_changed = changed;
  g_mutated = true;
}

std::array<bool, tcp::kRuleCount> TakeAsked() { return std::exchange(g_asked, {}); }

}  // namespace test
}  // namespace estab
