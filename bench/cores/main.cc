// What a second core is worth: one stack in one thread beside two stacks of a group in two threads,
// in memory, in turn. Each thread drives one of the server's stacks and clients whose connections
// belong to that stack, as if a link had steered them there.
#include <sched.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cores/shift.h"
#include "engine/bulk.h"
#include "engine/conversation.h"

namespace bench_cores {
namespace {

using bench_engine::Bulk;
using bench_engine::Conversation;
using bench_engine::Options;
using bench_engine::Pair;

constexpr std::uint16_t kStacks = 2;

// Nothing may have gone from one stack to the other: that is what is measured.
void CheckAlone(Pair& pair) {
  if (pair.server().Counters().handed_over == 0 && pair.server().Counters().hand_over_losses == 0) {
    return;
  }
  bench_engine::Fail("a packet came to the wrong stack", estab::Error::kInvalid);
}

// Connect, a byte each way, close.
Operations Short(const Options& options) {
  struct Ends {
    explicit Ends(const Options& o) : pair(o, 1), conversation(pair, true) {}
    Pair pair;
    Conversation conversation;
  };
  const auto ends = std::make_shared<Ends>(options);
  return [ends] {
    constexpr std::uint64_t kSome = 64;
    ConverseMany(ends->pair, ends->conversation, kSome);
    CheckAlone(ends->pair);
    return static_cast<double>(kSome);
  };
}

// Data in one direction, in bytes.
Operations Stream(const Options& options) {
  Options with_batch = options;
  with_batch.batch = bench_engine::Wire::kPackets;
  const auto bulk = std::make_shared<Bulk>(with_batch);
  return [bulk] {
    constexpr std::uint64_t kSome = std::uint64_t{1} << 20;
    const auto bytes = static_cast<double>(bulk->Transfer(kSome));
    CheckAlone(bulk->pair());
    return bytes;
  };
}

struct Workload {
  const char* name;
  const char* unit;
  double per_unit;
  Operations (*make)(const Options& options);
};
constexpr Workload kWorkloads[] = {{"short", "k/s", 1e3, Short},
                                   {"bulk", "Gbit/s", 1e9 / 8, Stream}};

struct Spread {
  double least;
  double median;
  double most;
};
Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

struct Found {
  Spread one;
  Spread two;
  Spread ratio;
};

// The processors that this process may run on.
std::vector<unsigned> Processors() {
  cpu_set_t set;
  std::vector<unsigned> all;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return all;
  for (unsigned i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) all.push_back(i);
  }
  return all;
}

// In each round each of the two alone, then both together: what is one core's share is the mean of
// what they do alone.
Found Measure(const Workload& workload, const std::vector<unsigned>& processors, int rounds,
              Clock::duration span) {
  std::vector<std::unique_ptr<Shift>> shifts;
  for (std::uint16_t i = 0; i < kStacks; ++i) {
    shifts.push_back(std::make_unique<Shift>(processors[i], [&workload, i] {
      Options options;
      options.shards = kStacks;
      options.shard = i;
      return workload.make(options);
    }));
  }
  std::vector<double> one;
  std::vector<double> two;
  std::vector<double> ratio;
  for (int round = -1; round < rounds; ++round) {
    double alone = 0;
    for (const auto& shift : shifts) {
      shift->Begin(span);
      alone += shift->End() / kStacks;
    }
    for (const auto& shift : shifts) shift->Begin(span);
    double together = 0;
    for (const auto& shift : shifts) together += shift->End();
    if (round < 0) continue;  // everybody is warm now
    one.push_back(alone / workload.per_unit);
    two.push_back(together / workload.per_unit);
    ratio.push_back(together / alone);
  }
  return {SpreadOf(one), SpreadOf(two), SpreadOf(ratio)};
}

void Print(const Workload& workload, const Found& found) {
  const auto line = [&](const char* what, const Spread& s, const char* unit) {
    std::printf("%-6s %-10s %8.2f %8.2f %8.2f %s\n", workload.name, what, s.least, s.median, s.most,
                unit);
  };
  line("one", found.one, workload.unit);
  line("two", found.two, workload.unit);
  line("ratio", found.ratio, "");
}

void PrintJson(const Workload& workload, const Found& found) {
  const auto figures = [&](const char* what, const Spread& s) {
    std::printf("\"%s_%s_min\": %.4f, \"%s_%s\": %.4f, \"%s_%s_max\": %.4f, ", workload.name, what,
                s.least, workload.name, what, s.median, workload.name, what, s.most);
  };
  figures("one", found.one);
  figures("two", found.two);
  figures("ratio", found.ratio);
}

int Run(bool json, int rounds, int ms) {
  const std::vector<unsigned> processors = Processors();
  if (processors.size() < kStacks) {
    std::fprintf(stderr, "bench_cores: one processor is not enough: two threads want two\n");
    return 1;
  }
  double least = 0;
  if (json) std::printf("{");
  for (const Workload& workload : kWorkloads) {
    const Found found = Measure(workload, processors, rounds, std::chrono::milliseconds(ms));
    json ? PrintJson(workload, found) : Print(workload, found);
    std::fflush(stdout);
    least = least == 0 ? found.ratio.median : std::min(least, found.ratio.median);
  }
  if (json) std::printf("\"two_over_one\": %.4f}\n", least);
  return 0;
}

}  // namespace
}  // namespace bench_cores

int main(int argc, char** argv) {
  CLI::App app("One stack in one thread beside two in two, in memory: least, median and most");
  bool json = false;
  int rounds = 9;
  int ms = 200;
  app.add_flag("--json", json, "One line of JSON; two_over_one: the lesser of the median ratios");
  app.add_option("--rounds", rounds, "How often")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--ms", ms, "For so many milliseconds")
      ->check(CLI::Range(1, 60'000))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "bench_cores: %s\n", e.what());
    return 2;
  }
  return bench_cores::Run(json, rounds, ms);
}
