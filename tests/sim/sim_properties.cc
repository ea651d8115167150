// Seeded simulation: for every seed, random conversations over a random path, and what must hold
// whatever happens. A seed that fails is repeated by `sim_properties --seed N`.

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "bench/seeds/run.h"
#include "estab/rule.h"
#include "observe/format.h"

namespace {

using estab::bench::Outcome;
using estab::bench::RunSeed;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t count = 1000;
  bool trace = false;
  bool print_hashes = false;
  bool print_rules = false;
  std::uint64_t twice_every = 10;  // how often a seed is run a second time
  const char* golden = nullptr;
  const char* write_golden = nullptr;
};

constexpr const char* kUsage =
    "usage: sim_properties [--seed N [--trace]] [--first-seed N] [--seeds N] [--twice-every N]\n"
    "                      [--hashes] [--rules] [--golden FILE] [--write-golden FILE]\n";

// For the message of a seed that ends the whole program.
char running[64] = "";

void OnAbort(int signal) {
  std::fflush(stdout);
  std::fputs(running, stderr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

bool ReadNumber(const char* text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
  return error == std::errc{} && *end == '\0';
}

bool ReadOptions(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--trace") {
      o.trace = true;
    } else if (name == "--hashes") {
      o.print_hashes = true;
    } else if (name == "--rules") {
      o.print_rules = true;
    } else if (name == "--golden" && *value != '\0') {
      o.golden = argv[++i];
    } else if (name == "--write-golden" && *value != '\0') {
      o.write_golden = argv[++i];
    } else if (name == "--seed" && ReadNumber(value, o.first)) {
      o.count = 1;
      ++i;
    } else if ((name == "--first-seed" && ReadNumber(value, o.first)) ||
               (name == "--seeds" && ReadNumber(value, o.count)) ||
               (name == "--twice-every" && ReadNumber(value, o.twice_every))) {
      ++i;
    } else {
      std::fputs(kUsage, stderr);
      return false;
    }
  }
  return true;
}

class Campaign {
 public:
  explicit Campaign(const Options& options) : o_(options) {}

  int Go() {
    if (o_.golden != nullptr && !ReadGolden()) return 2;
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < o_.count; ++i) One(o_.first + i);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    Report(took.count());
    if (o_.write_golden != nullptr && !WriteGolden()) return 2;
    return failures_ == 0 ? 0 : 1;
  }

 private:
  void Fail(std::uint64_t seed, const std::string& what) {
    ++failures_;
    fmt::print("seed {}: {}\n  repeat: sim_properties --seed {} --trace\n", seed, what, seed);
    std::fflush(stdout);
  }

  void One(std::uint64_t seed) {
    const auto text = fmt::format_to_n(running, sizeof(running) - 1,
                                       "  repeat: sim_properties --seed {}\n", seed);
    *text.out = '\0';
    const Outcome out = RunSeed(seed, o_.trace);
    if (!out.failure.empty()) Fail(seed, out.failure);
    if (o_.twice_every != 0 && seed % o_.twice_every == 0 && RunSeed(seed).hash != out.hash) {
      Fail(seed, "a second run went another way");
    }
    // Where the hosts were down or silent all the time, all silences are the same.
    const auto [other, fresh] = seed_of_.emplace(out.hash, seed);
    if (!fresh && out.packets != 0)
      Fail(seed, fmt::format("the same trace as seed {}", other->second));
    if (const auto expected = golden_.find(seed);
        expected != golden_.end() && expected->second != out.hash) {
      Fail(seed,
           fmt::format("trace {:016x}, but {:016x} is on record", out.hash, expected->second));
    }
    if (o_.print_hashes) fmt::print("{} {:016x}\n", seed, out.hash);
    Add(out);
  }

  void Add(const Outcome& out) {
    total_.packets += out.packets;
    total_.bytes_read += out.bytes_read;
    total_.connections += out.connections;
    total_.ended_well += out.ended_well;
    total_.errors += out.errors;
    total_.rules.resize(out.rules.size());
    for (std::size_t i = 0; i < out.rules.size(); ++i) total_.rules[i] += out.rules[i];
  }

  void Report(double seconds) const {
    if (o_.print_rules) {
      for (std::size_t i = 0; i < total_.rules.size(); ++i) {
        fmt::print("{:>10} {}\n", total_.rules[i],
                   estab::GetRule(static_cast<estab::RuleId>(i)).name);
      }
    }
    const auto rate = [&](std::uint64_t n) { return static_cast<double>(n) / seconds; };
    fmt::print(
        stderr,
        "{} seeds, {} failed; {} connections, {} of them complete both ways, {} errors told; "
        "{} packets, {} bytes\n{:.1f} s: {:.1f} seeds, {:.0f} packets, {:.0f} bytes a second\n",
        o_.count, failures_, total_.connections, total_.ended_well, total_.errors, total_.packets,
        total_.bytes_read, seconds, rate(o_.count), rate(total_.packets), rate(total_.bytes_read));
  }

  bool ReadGolden() {
    std::ifstream in(o_.golden);
    std::uint64_t seed = 0;
    std::uint64_t hash = 0;
    while (in >> std::dec >> seed >> std::hex >> hash) golden_[seed] = hash;
    if (golden_.empty()) std::fprintf(stderr, "sim_properties: nothing in %s\n", o_.golden);
    return !golden_.empty();
  }

  bool WriteGolden() const {
    std::map<std::uint64_t, std::uint64_t> by_seed;
    for (const auto& [hash, seed] : seed_of_) by_seed[seed] = hash;
    std::ofstream out(o_.write_golden);
    for (const auto& [seed, hash] : by_seed) out << fmt::format("{} {:016x}\n", seed, hash);
    return out.good();
  }

  Options o_;
  Outcome total_;
  std::uint64_t failures_ = 0;
  std::map<std::uint64_t, std::uint64_t> seed_of_;  // by hash
  std::map<std::uint64_t, std::uint64_t> golden_;   // hash by seed
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, options)) return 2;
  std::signal(SIGABRT, OnAbort);
  std::signal(SIGSEGV, OnAbort);
  return Campaign(options).Go();
}
