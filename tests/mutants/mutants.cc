// Changes one rule of the table at a time and expects a test to die. A mutant that every test
// survives is a rule whose words nobody checks. Two kinds:
//   target  where the rule leads: to another state, or nowhere, or somewhere instead of nowhere
//   guard   where it applies: without one of its states
//
// Every mutant lives in a process of its own, forked before the first test, and meets only the
// tests that ask for its rule.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "mutants/mutant_table.h"

namespace estab::test {
namespace {

constexpr unsigned kSlowestMutant = 60;  // seconds; a mutant may well never end
constexpr std::size_t kMostTests = 4096;

constexpr State kStates[] = {State::kClosed,   State::kListen,      State::kSynSent,
                             State::kSynRcvd,  State::kEstablished, State::kFinWait1,
                             State::kFinWait2, State::kCloseWait,   State::kClosing,
                             State::kLastAck,  State::kTimeWait};

struct Mutant {
  Rule rule;
  const char* kind;
  std::string what;
};

std::string TargetName(const Rule& rule) { return rule.moves ? StateName(rule.to) : "STAY"; }

void AddTargets(const Rule& rule, std::vector<Mutant>& all) {
  const auto add = [&](bool moves, State to) {
    Rule changed = rule;
    changed.moves = moves;
    changed.to = to;
    all.push_back({changed, "target", TargetName(rule) + " becomes " + TargetName(changed)});
  };
  if (!rule.moves)
    return add(true, rule.from == In(State::kClosed) ? State::kListen : State::kClosed);
  add(false, rule.to);
  for (State other : {State::kEstablished, State::kClosed, State::kFinWait1}) {
    if (other != rule.to) return add(true, other);
  }
}

void AddGuards(const Rule& rule, std::vector<Mutant>& all) {
  for (State state : kStates) {
    if ((rule.from & In(state)) == 0 || rule.from == In(state)) continue;
    Rule changed = rule;
    changed.from = static_cast<StateSet>(rule.from & ~In(state));
    all.push_back({changed, "guard", std::string("no longer in ") + StateName(state)});
  }
}

std::vector<Mutant> AllMutants(std::string_view only) {
  std::vector<Mutant> all;
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const Rule& rule = GetRule(static_cast<RuleId>(i));
    if (!only.empty() && only != rule.name) continue;
    AddTargets(rule, all);
    AddGuards(rule, all);
  }
  return all;
}

std::vector<std::string> TestNames() {
  std::vector<std::string> names;
  const testing::UnitTest& unit = *testing::UnitTest::GetInstance();
  for (int s = 0; s < unit.total_test_suite_count(); ++s) {
    const testing::TestSuite& suite = *unit.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      names.push_back(std::string(suite.name()) + "." + suite.GetTestInfo(t)->name());
    }
  }
  return names;
}

/// What the processes tell each other.
struct Shared {
  bool asks[kMostTests][tcp::kRuleCount];
  char running[64][160];  // by place: the test that a mutant is in
};

Shared& MapShared() {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return *static_cast<Shared*>(memory);
}

/// Writes down which test asks for which rule.
class AskedListener final : public testing::EmptyTestEventListener {
 public:
  AskedListener(Shared& shared, const std::vector<std::string>& names) : shared_(shared) {
    for (std::size_t i = 0; i < names.size(); ++i) places_[names[i]] = i;
  }
  void OnTestStart(const testing::TestInfo&) override { TakeAsked(); }
  void OnTestEnd(const testing::TestInfo& info) override {
    const auto asked = TakeAsked();
    const std::size_t at = places_.at(std::string(info.test_suite_name()) + "." + info.name());
    std::copy(asked.begin(), asked.end(), shared_.asks[at]);
  }

 private:
  Shared& shared_;
  std::map<std::string, std::size_t> places_;
};

/// Writes down which test runs.
class RunningListener final : public testing::EmptyTestEventListener {
 public:
  explicit RunningListener(char (&slot)[160]) : slot_(slot) {}
  void OnTestStart(const testing::TestInfo& info) override {
    std::snprintf(slot_, sizeof slot_, "%s.%s", info.test_suite_name(), info.name());
  }

 private:
  char (&slot_)[160];
};

/// Runs the chosen tests in this process, silently, and ends it.
[[noreturn]] void RunAndExit(testing::TestEventListener* listener, const std::string& filter) {
  if (std::freopen("/dev/null", "w", stdout) == nullptr ||
      std::freopen("/dev/null", "w", stderr) == nullptr) {
    _exit(2);
  }
  testing::UnitTest::GetInstance()->listeners().Append(listener);
  GTEST_FLAG_SET(filter, filter);
  GTEST_FLAG_SET(fail_fast, true);
  _exit(RUN_ALL_TESTS());
}

/// Runs every test without a mutant and learns what each asks for. False if one fails.
bool Learn(Shared& shared, const std::vector<std::string>& names) {
  const pid_t child = fork();
  if (child == 0) RunAndExit(new AskedListener(shared, names), "*");
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string TestsOf(const Shared& shared, const std::vector<std::string>& names, RuleId rule) {
  std::string filter;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (shared.asks[i][static_cast<std::size_t>(rule)]) filter += names[i] + ":";
  }
  return filter;
}

/// Lets the mutants live, as many at a time as there are processors.
class Judge {
 public:
  Judge(Shared& shared, const std::vector<std::string>& names, bool verbose)
      : shared_(shared), names_(names), verbose_(verbose) {}

  /// How many survived.
  int Run(const std::vector<Mutant>& all) {
    const std::size_t places = std::clamp(std::thread::hardware_concurrency(), 1u, 64u);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (running_.size() == places) Reap(all);
      Start(all[i], i);
    }
    while (!running_.empty()) Reap(all);
    return survivors_;
  }

 private:
  void Start(const Mutant& mutant, std::size_t number) {
    std::size_t place = 0;
    const auto taken = [&](std::size_t p) {
      return std::any_of(running_.begin(), running_.end(),
                         [p](const auto& entry) { return entry.second.place == p; });
    };
    while (taken(place)) ++place;
    std::strcpy(shared_.running[place], "the start");
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      const std::string filter = TestsOf(shared_, names_, mutant.rule.id);
      if (filter.empty()) _exit(0);
      Mutate(mutant.rule);
      const rlimit no_core{};
      setrlimit(RLIMIT_CORE, &no_core);
      alarm(kSlowestMutant);
      RunAndExit(new RunningListener(shared_.running[place]), filter);
    }
    running_[child] = {number, place};
  }

  void Reap(const std::vector<Mutant>& all) {
    int status = 0;
    const pid_t child = waitpid(-1, &status, 0);
    const Running done = running_.at(child);
    running_.erase(child);
    const Mutant& mutant = all[done.number];
    const bool survived = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    survivors_ += survived;
    if (!survived && !verbose_) return;
    std::printf("%-8s  %-6s  %s: %s%s%s\n", survived ? "SURVIVED" : "died", mutant.kind,
                mutant.rule.name, mutant.what.c_str(), survived ? "" : " in ",
                survived ? "" : shared_.running[done.place]);
  }

  struct Running {
    std::size_t number;
    std::size_t place;
  };
  Shared& shared_;
  const std::vector<std::string>& names_;
  bool verbose_;
  std::map<pid_t, Running> running_;
  int survivors_ = 0;
};

int Main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::string only;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--verbose") {
      verbose = true;
    } else if (std::string_view(argv[i]) == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      std::fprintf(stderr, "usage: mutants [--only RULE] [--verbose]\n");
      return 2;
    }
  }
  const std::vector<std::string> names = TestNames();
  const std::vector<Mutant> all = AllMutants(only);
  if (all.empty() || names.size() > kMostTests) {
    std::fprintf(stderr, all.empty() ? "no such rule\n" : "too many tests: raise kMostTests\n");
    return 2;
  }
  Shared& shared = MapShared();
  if (!Learn(shared, names)) {
    std::printf("the tests fail without any mutant\n");
    return 1;
  }
  const int survivors = Judge(shared, names, verbose).Run(all);
  std::printf("%zu mutants, %d survived\n", all.size(), survivors);
  return survivors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace estab::test

int main(int argc, char** argv) { return estab::test::Main(argc, argv); }
