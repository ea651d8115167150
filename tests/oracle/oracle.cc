// The oracle: the same scripts against estab and against the kernel of this machine.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <thread>

#include "oracle/compare.h"
#include "oracle/differences.h"
#include "oracle/matrix_scripts.h"
#include "oracle/mutate.h"
#include "oracle/runner.h"

namespace oracle {
namespace {

constexpr int kSkipped = 77;
/// A namespace's addresses are used once each.
constexpr int kRunsPerNamespace = 200;
/// Mutants of longer scripts would take too long.
constexpr Micros kLongestBase = 1'500'000;

struct Settings {
  std::string scripts = ".";
  std::string differences;
  std::vector<std::string> profiles = {"linux", "default"};
  std::string only;
  bool trace = false;
  bool list = false;
  bool matrix = false;
  std::uint64_t seed = 1;
  std::uint64_t mutants = 0;
  std::int64_t mutant = -1;
  std::size_t threads = 64;
  std::size_t most_different = 0;  // more than these fail
};

/// Runs scripts against the kernel, many at a time: they mostly wait. False if it cannot be had.
bool RunKernel(const std::vector<const Script*>& scripts, std::size_t threads,
               std::vector<Trace>* traces) {
  traces->assign(scripts.size(), {});
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::string why;
  const auto work = [&] {
    std::unique_ptr<World> world;
    int runs = 0;
    for (std::size_t i = next++; i < scripts.size(); i = next++) {
      if (world == nullptr || ++runs > kRunsPerNamespace) {
        std::string problem;
        world.reset();
        world = MakeKernelWorld(&problem);
        runs = 1;
        if (world == nullptr) {
          const std::lock_guard lock(mutex);
          why = problem;
          return;
        }
      }
      (*traces)[i] = Run(*scripts[i], *world, nullptr);
    }
  };
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < std::min(threads, scripts.size()); ++i) workers.emplace_back(work);
  for (std::thread& worker : workers) worker.join();
  if (!why.empty())
    std::printf("skipped: the kernel's TCP cannot be asked here: %s\n", why.c_str());
  return why.empty();
}

/// Which script estab is in, for the last words of a process that aborts.
char g_current[512];

void OnAbort(int) {
  // The return value does not matter: the process dies.
  [[maybe_unused]] const auto written = write(2, g_current, std::strlen(g_current));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

Trace RunEstab(const Script& script, const std::string& profile, const Trace& kernel) {
  std::snprintf(g_current, sizeof g_current, "estab aborted in %s under %s\n", script.name.c_str(),
                profile.c_str());
  const auto world = MakeEstabWorld(profile);
  return Run(script, *world, &kernel.times);
}

std::string Repeat(const Script& script, const Settings& settings) {
  const auto tilde = script.name.find('~');
  if (tilde == std::string::npos) return "oracle --only " + script.name + " --trace";
  return "oracle --seed " + std::to_string(settings.seed) + " --mutant " +
         script.name.substr(script.name.find('.', tilde) + 1) + " --trace";
}

void Report(const Script& script, const std::string& profile, const Settings& settings,
            const std::vector<Difference>& differences, const Trace& kernel, const Trace& estab) {
  std::printf("--- %s under %s: %zu difference%s\n    again: %s\n", script.name.c_str(),
              profile.c_str(), differences.size(), differences.size() == 1 ? "" : "s",
              Repeat(script, settings).c_str());
  for (std::size_t i = 0; i < differences.size() && i < 4; ++i) {
    std::printf("    kernel: %s\n    estab:  %s\n", differences[i].kernel.c_str(),
                differences[i].estab.c_str());
  }
  if (settings.trace) {
    std::printf("%skernel:\n%sestab:\n%s", script.Text().c_str(), kernel.Text(script).c_str(),
                estab.Text(script).c_str());
  }
}

struct Outcome {
  std::size_t same = 0, accepted = 0, different = 0, late = 0, gone = 0;
};

class Oracle {
 public:
  Oracle(Settings settings, std::vector<Accepted> accepted)
      : settings_(std::move(settings)), accepted_(std::move(accepted)) {}

  int Judge(const std::vector<Script>& scripts) {
    std::vector<const Script*> all;
    for (const Script& script : scripts) all.push_back(&script);
    std::vector<Trace> traces;
    if (!RunKernel(all, settings_.threads, &traces)) return kSkipped;
    // A busy machine runs late: what differs must differ each time, with fewer and fewer beside it.
    const std::vector<const Script*> again = Differing(all, traces);
    if (!RunKernel(again, std::min<std::size_t>(settings_.threads, 16), &traces_)) return kSkipped;
    const std::vector<const Script*> still = Differing(again, traces_);
    std::vector<Trace> last;
    if (!RunKernel(still, std::min<std::size_t>(settings_.threads, 4), &last)) return kSkipped;
    for (std::size_t i = 0; i < still.size(); ++i) {
      const auto at = std::find(again.begin(), again.end(), still[i]) - again.begin();
      traces_[static_cast<std::size_t>(at)] = std::move(last[i]);
    }
    Outcome outcome;
    outcome.same = all.size() - again.size();
    for (std::size_t i = 0; i < again.size(); ++i) Decide(*again[i], traces_[i], &outcome);
    if (settings_.trace) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (Agrees(*all[i], traces[i])) {
          std::printf("%s\n%s", all[i]->name.c_str(), traces[i].Text(*all[i]).c_str());
        }
      }
    }
    if (settings_.only.empty() && settings_.mutants == 0 && settings_.mutant < 0) {
      CheckAccepted(scripts, &outcome);
    }
    std::printf(
        "%zu scripts: %zu as Linux under every profile, %zu at another try, %zu differ as "
        "listed, %zu differ, %zu listed but the same\n",
        all.size(), outcome.same, outcome.late, outcome.accepted, outcome.different, outcome.gone);
    return outcome.different + outcome.gone <= settings_.most_different ? 0 : 1;
  }

 private:
  std::vector<const Script*> Differing(const std::vector<const Script*>& scripts,
                                       const std::vector<Trace>& traces) const {
    std::vector<const Script*> differing;
    for (std::size_t i = 0; i < scripts.size(); ++i) {
      if (!Agrees(*scripts[i], traces[i])) differing.push_back(scripts[i]);
    }
    return differing;
  }
  bool Agrees(const Script& script, const Trace& kernel) const {
    return std::all_of(settings_.profiles.begin(), settings_.profiles.end(),
                       [&](const std::string& profile) {
                         return Compare(script, kernel, RunEstab(script, profile, kernel)).empty();
                       });
  }

  void Decide(const Script& script, const Trace& kernel, Outcome* outcome) {
    bool any = false;
    bool bad = false;
    for (const std::string& profile : settings_.profiles) {
      const Trace estab = RunEstab(script, profile, kernel);
      const auto differences = Compare(script, kernel, estab);
      if (differences.empty()) continue;
      any = true;
      const Accepted* accepted = Find(accepted_, profile, script.name, differences.front());
      if (accepted == nullptr) bad = true;
      if (accepted != nullptr) used_.insert({accepted->name, profile, script.name});
      if (accepted == nullptr || settings_.trace) {
        Report(script, profile, settings_, differences, kernel, estab);
      }
    }
    ++(bad ? outcome->different : any ? outcome->accepted : outcome->late);
  }

  /// A listed script that no longer differs is a list that is no longer true.
  void CheckAccepted(const std::vector<Script>& scripts, Outcome* outcome) const {
    for (const Accepted& entry : accepted_) {
      if (entry.open) continue;
      for (const std::string& name : entry.scripts) {
        if (name.ends_with('*') || name.starts_with("matrix/") != settings_.matrix) continue;
        const bool exists = std::any_of(scripts.begin(), scripts.end(),
                                        [&](const Script& s) { return s.name == name; });
        for (const std::string& profile : entry.profiles) {
          if (std::count(settings_.profiles.begin(), settings_.profiles.end(), profile) == 0) {
            continue;
          }
          if (exists && used_.count({entry.name, profile, name}) != 0) continue;
          std::printf("--- %s: differences.txt lists it in '%s' for %s, but %s\n", name.c_str(),
                      entry.name.c_str(), profile.c_str(),
                      exists ? "it is the same" : "there is no such script");
          ++outcome->gone;
        }
      }
    }
  }

  Settings settings_;
  std::vector<Accepted> accepted_;
  std::vector<Trace> traces_;
  std::set<std::array<std::string, 3>> used_;
};

int Usage() {
  std::fprintf(stderr,
               "usage: oracle --scripts DIR --differences FILE [--profile P] [--only TEXT] "
               "[--trace] [--list]\n"
               "              [--matrix] [--seed N] [--mutants N | --mutant K] [--threads N] "
               "[--most-different N]\n"
               "       oracle --differences FILE --document FILE\n");
  return 2;
}

/// Whether this machine's kernel lets us choose that congestion control.
bool KernelHas(const std::string& control) {
  if (control.empty()) return true;
  const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool has = setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, control.data(),
                              static_cast<socklen_t>(control.size())) == 0;
  close(s);
  return has;
}

std::vector<Script> ReadUsable(const std::string& directory) {
  std::vector<Script> scripts = ReadScripts(directory);
  std::erase_if(scripts, [](const Script& s) { return !KernelHas(s.control); });
  return scripts;
}

std::vector<Script> Choose(const Settings& settings) {
  if (settings.matrix) {
    std::vector<Script> scripts = ParseScripts(MatrixScripts(), "matrix");
    std::erase_if(scripts,
                  [&](const Script& s) { return s.name.find(settings.only) == std::string::npos; });
    return scripts;
  }
  std::vector<Script> scripts = ReadUsable(settings.scripts);
  if (settings.mutants == 0 && settings.mutant < 0) {
    std::erase_if(scripts,
                  [&](const Script& s) { return s.name.find(settings.only) == std::string::npos; });
    return scripts;
  }
  std::erase_if(scripts, [&](const Script& s) {
    return s.Duration() > kLongestBase || s.MayWait() ||
           s.name.find(settings.only) == std::string::npos;
  });
  std::vector<Script> mutants;
  const auto first = static_cast<std::uint64_t>(std::max<std::int64_t>(settings.mutant, 0));
  const std::uint64_t count = settings.mutant >= 0 ? 1 : settings.mutants;
  for (std::uint64_t i = 0; i < count; ++i) {
    mutants.push_back(Mutate(scripts, settings.seed, first + i));
  }
  return mutants;
}

/// Compares the document with what the list makes of it; ESTAB_WRITE_DOCS=1 renews it.
int CheckDocument(const std::vector<Accepted>& accepted, const std::string& path) {
  const std::string text = DifferencesDocument(accepted);
  if (std::getenv("ESTAB_WRITE_DOCS") != nullptr) {
    std::ofstream(path) << text;
    return 0;
  }
  std::ifstream file(path);
  const std::string present((std::istreambuf_iterator<char>(file)), {});
  if (present == text) return 0;
  std::printf("%s is not what differences.txt says; ESTAB_WRITE_DOCS=1 renews it\n", path.c_str());
  return 1;
}

int Main(int argc, char** argv) {
  Settings settings;
  std::string document;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    const auto number = [&] { return std::strtoull(value().c_str(), nullptr, 10); };
    if (option == "--scripts") {
      settings.scripts = value();
    } else if (option == "--differences") {
      settings.differences = value();
    } else if (option == "--profile") {
      settings.profiles = {value()};
    } else if (option == "--only") {
      settings.only = value();
    } else if (option == "--trace") {
      settings.trace = true;
    } else if (option == "--matrix") {
      settings.matrix = true;
    } else if (option == "--list") {
      settings.list = true;
    } else if (option == "--seed") {
      settings.seed = number();
    } else if (option == "--mutants") {
      settings.mutants = number();
    } else if (option == "--mutant") {
      settings.mutant = static_cast<std::int64_t>(number());
    } else if (option == "--threads") {
      settings.threads = static_cast<std::size_t>(number());
    } else if (option == "--most-different") {
      settings.most_different = static_cast<std::size_t>(number());
    } else if (option == "--document") {
      document = value();
    } else {
      return Usage();
    }
  }
  const auto accepted = ReadAccepted(settings.differences);
  if (!document.empty()) return CheckDocument(accepted, document);
  const std::vector<Script> scripts = Choose(settings);
  if (settings.list) {
    for (const Script& script : scripts) std::printf("%s", script.Text().c_str());
    return 0;
  }
  std::signal(SIGABRT, OnAbort);
  return Oracle(settings, accepted).Judge(scripts);
}

}  // namespace
}  // namespace oracle

int main(int argc, char** argv) { return oracle::Main(argc, argv); }
