#include "bench/seeds/campaign.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>

#include "bench/parallel.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

// The seed that this thread runs, for the message of one that ends the whole program.
thread_local char running[160] = "";

void OnAbort(int signal) {
  std::fflush(stdout);
  std::fputs(running, stderr);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

struct SeedRun {
  Outcome outcome;
  bool repeatable = true;
};

SeedRun RunOne(const CampaignOptions& options, std::uint64_t seed) {
  const auto text = fmt::format_to_n(running, sizeof(running) - 1, "  repeat: {} --seed {}\n",
                                     options.repeat, seed);
  *text.out = '\0';
  SeedRun run;
  run.outcome = RunSeed(seed, {.trace = options.trace});
  const bool again = options.twice_every != 0 && seed % options.twice_every == 0;
  if (!again) return run;
  // The second time over links with offloads, which are to make no difference.
  const Outcome second = RunSeed(seed, {.offload = true});
  if (run.outcome.failure.empty() && !second.failure.empty()) {
    run.outcome.failure = "over links that cut super-segments: " + second.failure;
  }
  const std::uint64_t hash = run.outcome.same_with_offload ? second.hash : RunSeed(seed).hash;
  run.repeatable = hash == run.outcome.hash;
  return run;
}

void Add(const Outcome& one, Outcome& total) {
  total.packets += one.packets;
  total.bytes_read += one.bytes_read;
  total.connections += one.connections;
  total.ended_well += one.ended_well;
  total.errors += one.errors;
  total.rules.resize(one.rules.size());
  for (std::size_t i = 0; i < one.rules.size(); ++i) total.rules[i] += one.rules[i];
}

}  // namespace

CampaignResult RunCampaign(const CampaignOptions& options,
                           const std::function<void(std::uint64_t, const Outcome&,
                                                    const std::vector<std::string>&)>& told) {
  std::signal(SIGABRT, OnAbort);
  std::signal(SIGSEGV, OnAbort);
  CampaignResult result;
  std::vector<SeedRun> runs(options.count);
  std::map<std::uint64_t, std::uint64_t> seed_of;  // by hash
  const auto begin = std::chrono::steady_clock::now();
  const auto work = [&](std::size_t i) { runs[i] = RunOne(options, options.first + i); };
  const auto done = [&](std::size_t i) {
    const std::uint64_t seed = options.first + i;
    const Outcome out = std::move(runs[i].outcome);
    std::vector<std::string> wrong;
    if (!out.failure.empty()) wrong.push_back(out.failure);
    if (!runs[i].repeatable) wrong.push_back("a second run went another way");
    // Where the hosts were down or silent all the time, all silences are the same.
    const auto [other, fresh] = seed_of.emplace(out.hash, seed);
    if (!fresh && out.packets != 0) {
      wrong.push_back(fmt::format("the same trace as seed {}", other->second));
    }
    if (!wrong.empty()) result.failed.push_back(seed);
    Add(out, result.total);
    told(seed, out, wrong);
  };
  InParallel(options.jobs, options.count, work, done);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

std::string SummaryText(const CampaignOptions& options, const CampaignResult& result) {
  const Outcome& t = result.total;
  const auto rate = [&](std::uint64_t n) { return static_cast<double>(n) / result.seconds; };
  return fmt::format(
      "{} seeds, {} failed; {} connections, {} of them complete both ways, {} errors told; "
      "{} packets, {} bytes\n{:.1f} s: {:.1f} seeds, {:.0f} packets, {:.0f} bytes a second\n",
      options.count, result.failed.size(), t.connections, t.ended_well, t.errors, t.packets,
      t.bytes_read, result.seconds, rate(options.count), rate(t.packets), rate(t.bytes_read));
}

}  // namespace estab::bench
