// Seeded simulation: for every seed, random conversations over a random path, and what must hold
// whatever happens. A seed that fails is repeated by `sim_properties --seed N`.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/seeds/campaign.h"
#include "estab/rule.h"
#include "observe/format.h"

namespace {

using estab::bench::CampaignOptions;
using estab::bench::Outcome;
using estab::bench::RunCampaign;
using estab::bench::SummaryText;

struct Options {
  CampaignOptions campaign;
  bool print_hashes = false;
  bool print_rules = false;
  const char* golden = nullptr;
  const char* write_golden = nullptr;
};

constexpr const char* kUsage =
    "usage: sim_properties [--seed N [--trace]] [--first-seed N] [--seeds N] [--twice-every N]\n"
    "                      [--hashes] [--rules] [--golden FILE] [--write-golden FILE]\n";

bool ReadNumber(const char* text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
  return error == std::errc{} && *end == '\0';
}

bool ReadOptions(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--trace") {
      o.campaign.trace = true;
    } else if (name == "--hashes") {
      o.print_hashes = true;
    } else if (name == "--rules") {
      o.print_rules = true;
    } else if (name == "--golden" && *value != '\0') {
      o.golden = argv[++i];
    } else if (name == "--write-golden" && *value != '\0') {
      o.write_golden = argv[++i];
    } else if (name == "--seed" && ReadNumber(value, o.campaign.first)) {
      o.campaign.count = 1;
      ++i;
    } else if ((name == "--first-seed" && ReadNumber(value, o.campaign.first)) ||
               (name == "--seeds" && ReadNumber(value, o.campaign.count)) ||
               (name == "--twice-every" && ReadNumber(value, o.campaign.twice_every))) {
      ++i;
    } else {
      std::fputs(kUsage, stderr);
      return false;
    }
  }
  return true;
}

// The campaign's own verdicts, and those that need a file on record.
class Tester {
 public:
  explicit Tester(const Options& options) : o_(options) {}

  int Go() {
    if (o_.golden != nullptr && !ReadGolden()) return 2;
    const auto result = RunCampaign(
        o_.campaign, [this](std::uint64_t seed, const Outcome& out,
                            const std::vector<std::string>& wrong) { Told(seed, out, wrong); });
    if (o_.print_rules) PrintRules(result.total);
    fmt::print(stderr, "{}", SummaryText(o_.campaign, result));
    if (o_.write_golden != nullptr && !WriteGolden()) return 2;
    return result.failed.empty() && other_failures_ == 0 ? 0 : 1;
  }

 private:
  void Fail(std::uint64_t seed, const std::string& what) {
    fmt::print("seed {}: {}\n  repeat: sim_properties --seed {} --trace\n", seed, what, seed);
    std::fflush(stdout);
  }

  void Told(std::uint64_t seed, const Outcome& out, const std::vector<std::string>& wrong) {
    for (const std::string& what : wrong) Fail(seed, what);
    if (const auto expected = golden_.find(seed);
        expected != golden_.end() && expected->second != out.hash) {
      ++other_failures_;
      Fail(seed,
           fmt::format("trace {:016x}, but {:016x} is on record", out.hash, expected->second));
    }
    if (o_.print_hashes) fmt::print("{} {:016x}\n", seed, out.hash);
    if (o_.write_golden != nullptr) hash_of_[seed] = out.hash;
  }

  static void PrintRules(const Outcome& total) {
    for (std::size_t i = 0; i < total.rules.size(); ++i) {
      fmt::print("{:>10} {}\n", total.rules[i], estab::GetRule(static_cast<estab::RuleId>(i)).name);
    }
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
    std::ofstream out(o_.write_golden);
    for (const auto& [seed, hash] : hash_of_) out << fmt::format("{} {:016x}\n", seed, hash);
    return out.good();
  }

  Options o_;
  std::uint64_t other_failures_ = 0;
  std::map<std::uint64_t, std::uint64_t> golden_;   // hash by seed
  std::map<std::uint64_t, std::uint64_t> hash_of_;  // of this run
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, options)) return 2;
  options.campaign.repeat = "sim_properties";
  return Tester(options).Go();
}
