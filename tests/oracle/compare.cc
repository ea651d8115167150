#include "oracle/compare.h"

#include <algorithm>
#include <cstdlib>

namespace oracle {
namespace {

constexpr Micros kSchedulerLate = 25'000;
constexpr Micros kEarly = 6'000;  // one tick of the kernel's, and rounding
constexpr std::size_t kAnchors = 4;

/// An event that a timer may have been started by: when estab had it, and how late the kernel was.
struct Anchor {
  Micros time;
  Micros late;
};

bool MayStartTimer(const std::string& verb) {
  return verb != "wait" && verb != "state" && verb != "info" && verb != "loss" && verb != "poll" &&
         verb != "getsockopt" && verb != "ioctl" && verb != "flow";
}

/// The events before a packet, youngest last.
std::vector<Anchor> AnchorsBefore(const Script& script, const Trace& kernel, const Trace& estab,
                                  std::size_t packet) {
  std::vector<Anchor> anchors;
  const Micros time = estab.packets[packet].time;
  for (std::size_t i = 0; i < estab.times.size() && estab.times[i] <= time; ++i) {
    if (MayStartTimer(script.steps[i].verb)) anchors.push_back({estab.times[i], 0});
  }
  for (std::size_t i = 0; i < packet; ++i) {
    anchors.push_back({estab.packets[i].time, kernel.packets[i].time - estab.packets[i].time});
  }
  std::sort(anchors.begin(), anchors.end(),
            [](const Anchor& a, const Anchor& b) { return a.time < b.time; });
  if (anchors.size() > kAnchors) anchors.erase(anchors.begin(), anchors.end() - kAnchors);
  return anchors;
}

bool TimesAgree(const Script& script, const Trace& kernel, const Trace& estab, std::size_t packet) {
  const Micros time = estab.packets[packet].time;
  const Micros late = kernel.packets[packet].time - time;
  Micros allowed = 0;
  Micros earliest = 0;
  for (const Anchor& a : AnchorsBefore(script, kernel, estab, packet)) {
    allowed = std::max(allowed, a.late + (time - a.time) / 8);
    earliest = std::min(earliest, a.late);
  }
  return late >= earliest - kEarly && late <= allowed + kSchedulerLate;
}

/// A SYN cookie keeps what was offered in the low six bits of its timestamp: the first one, from
/// which the others are counted, is then up to 64 ms older than its moment.
std::int64_t CookieSlack(const Script& script) {
  const auto sets_cookies = [](const Step& step) {
    return step.verb == "set" && !step.arguments.empty() &&
           step.arguments[0] == "net.ipv4.tcp_syncookies";
  };
  return std::any_of(script.steps.begin(), script.steps.end(), sets_cookies) ? 64 : 0;
}

bool TimestampsAgree(const Script& script, const Trace& kernel, const Trace& estab,
                     std::size_t packet) {
  const Entry& k = kernel.packets[packet];
  const Entry& e = estab.packets[packet];
  if (!k.has_timestamp) return true;
  const std::int64_t late = (k.time - e.time) / 1000;
  const std::int64_t slack = kSchedulerLate / 1000 + CookieSlack(script);
  const std::int64_t difference = k.timestamp - e.timestamp;
  return difference >= std::min<std::int64_t>(late, 0) - slack &&
         difference <= std::max<std::int64_t>(late, 0) + slack;
}

/// How wide an open window is depends on how buffers are accounted for, and is not compared; what a
/// SYN says, and whether a window is closed, is.
bool WindowsAgree(const Entry& k, const Entry& e) {
  return k.opening ? k.window == e.window : (k.window == 0) == (e.window == 0);
}

void CompareCalls(const Trace& kernel, const Trace& estab, std::vector<Difference>* out) {
  for (std::size_t i = 0; i < kernel.calls.size() && i < estab.calls.size(); ++i) {
    const Entry& k = kernel.calls[i];
    const Entry& e = estab.calls[i];
    if (k.text != e.text) out->push_back({k.time, k.text, e.text});
  }
}

void ComparePackets(const Script& script, const Trace& kernel, const Trace& estab,
                    std::vector<Difference>* out) {
  const std::size_t both = std::min(kernel.packets.size(), estab.packets.size());
  for (std::size_t i = 0; i < both; ++i) {
    const Entry& k = kernel.packets[i];
    const Entry& e = estab.packets[i];
    const bool same = k.text == e.text && WindowsAgree(k, e);
    if (same && TimesAgree(script, kernel, estab, i) && TimestampsAgree(script, kernel, estab, i))
      continue;
    out->push_back({std::min(k.time, e.time), k.Text(), e.Text()});
    // What follows a missing or superfluous packet says nothing more.
    if (k.text != e.text) return;
  }
  for (std::size_t i = both; i < kernel.packets.size(); ++i) {
    out->push_back({kernel.packets[i].time, kernel.packets[i].Text(), "nothing"});
  }
  for (std::size_t i = both; i < estab.packets.size(); ++i) {
    const Entry& e = estab.packets[i];
    const auto anchors = AnchorsBefore(script, kernel, estab, both);
    Micros late = 0;
    for (const Anchor& a : anchors) late = std::max(late, a.late + (e.time - a.time) / 8);
    if (e.time + late + kSchedulerLate > kernel.end) continue;
    out->push_back({e.time, "nothing", e.Text()});
  }
}

}  // namespace

std::vector<Difference> Compare(const Script& script, const Trace& kernel, const Trace& estab) {
  std::vector<Difference> differences;
  CompareCalls(kernel, estab, &differences);
  ComparePackets(script, kernel, estab, &differences);
  std::stable_sort(differences.begin(), differences.end(),
                   [](const Difference& a, const Difference& b) { return a.time < b.time; });
  return differences;
}

}  // namespace oracle
