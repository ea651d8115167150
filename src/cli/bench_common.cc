#include "cli/bench_common.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/failure.h"

namespace estab::cli {

void AddCommonFlags(CLI::App& verb, BenchFlags& flags) {
  verb.add_option("--cc", flags.cc, "Congestion control: reno, cubic, bbr")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->take_all();
  verb.add_option("--set", flags.settings, "A setting of both hosts; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1);
  verb.add_flag("--check", flags.check, "Exit status 1 if a figure is out of its bounds");
  verb.add_option("--seed", flags.seed, "Of chance; the same seed, the same figures")
      ->type_name("N");
  verb.add_option("--jobs", flags.jobs, "How many are measured at the same time")->type_name("N");
  verb.add_option("--json", flags.json, "Write the results there too; -: standard output")
      ->type_name("FILE");
}

std::FILE* TextOutput(const BenchFlags& flags) { return flags.json == "-" ? stderr : stdout; }

std::vector<std::string> ChosenCc(const BenchFlags& flags) {
  std::vector<std::string> names = {"reno", "cubic", "bbr"};
  if (!flags.cc.empty()) names = flags.cc;
  std::erase_if(names, [&](const std::string& name) {
    if (bench::KnowsCongestionControl(name)) return false;
    fmt::print(TextOutput(flags), "{}: left out, net.ipv4.tcp_congestion_control={} is refused\n",
               name, name);
    return true;
  });
  if (names.empty()) Misused("--cc: nothing is left to measure");
  return names;
}

bench::PathOptions PathOptionsOf(const BenchFlags& flags) {
  bench::PathOptions options;
  options.seed = ParseNumber("--seed", flags.seed, 0, UINT64_MAX);
  for (const std::string& setting : flags.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == 0 || equals == setting.npos) Misused("--set wants NAME=VALUE, not {}", setting);
    options.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return options;
}

unsigned JobsOf(const BenchFlags& flags) {
  return static_cast<unsigned>(ParseNumber("--jobs", flags.jobs, 1, 256));
}

}  // namespace estab::cli
