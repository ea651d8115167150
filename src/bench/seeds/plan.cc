#include "bench/seeds/plan.h"

#include "base/prng.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;
using sim::Side;

class Maker {
 public:
  explicit Maker(std::uint64_t seed) : prng_(seed * 2 + 0x73696d) {}

  Plan Make(std::uint64_t seed) {
    Plan plan;
    plan.world.seed = seed;
    MakePaths(plan);
    MakeHosts(plan);
    // Many seeds are light, so that some thousand of them take seconds.
    heavy_ = Percent(40);
    const std::uint64_t count = heavy_ ? Between(1, 8) : Between(1, 4);
    for (std::uint64_t i = 0; i < count; ++i) plan.conversations.push_back(MakeConversation());
    if (Percent(8)) {
      plan.cut = Time(Milliseconds(0, 20'000));
      if (Percent(50)) plan.cut_span = Milliseconds(100, 300'000);
    }
    if (Percent(5)) {
      plan.crash = CrashPlan{AnySide(), Time(Milliseconds(0, 10'000)), Milliseconds(0, 100'000)};
    }
    plan.abort_at_last = Percent(50);
    ChooseControls(seed, plan);
    Narrow(seed, plan);
    return plan;
  }

 private:
  bool Percent(std::uint64_t n) { return prng_.Chance(n, 100); }
  std::uint64_t Between(std::uint64_t least, std::uint64_t most) {
    return least + prng_.Below(most - least + 1);
  }
  Duration Milliseconds(std::uint64_t least, std::uint64_t most) {
    return std::chrono::milliseconds(Between(least, most));
  }
  Side AnySide() { return Percent(50) ? Side::kA : Side::kB; }
  std::uint32_t Small(std::uint64_t least, std::uint64_t most) {
    return static_cast<std::uint32_t>(Between(least, most));
  }

  void MakePaths(Plan& plan) {
    const bool clean = Percent(20);
    for (sim::PathConfig& path : plan.world.path) {
      path.delay = std::chrono::microseconds(Percent(20) ? Between(0, 300) : Between(300, 150'000));
      if (Percent(30)) path.jitter = Milliseconds(0, 30);
      if (Percent(30)) path.rate_bps = Between(200'000, 50'000'000);
      if (path.rate_bps != 0 && Percent(70)) path.queue_bytes = Small(3'000, 200'000);
      if (clean) continue;
      if (Percent(60)) path.loss_ppm = Small(0, Percent(30) ? 200'000 : 30'000);
      if (Percent(30)) path.duplicate_ppm = Small(0, 100'000);
      if (Percent(30)) path.corrupt_ppm = Small(0, 30'000);
      if (Percent(40)) path.reorder_ppm = Small(0, 150'000);
      if (path.reorder_ppm != 0) path.reorder_delay = Milliseconds(0, Percent(20) ? 2'000 : 60);
    }
    plan.world.most_in_flight = Percent(20) ? Between(1, 20) : 4096;
  }

  void Set(sim::HostConfig& host, std::uint64_t percent, const char* name, std::string value) {
    if (Percent(percent)) host.settings.emplace_back(name, std::move(value));
  }

  void MakeHosts(Plan& plan) {
    for (sim::HostConfig& host : plan.world.host) {
      if (Percent(20)) host.mtu = Small(1280, 9000);
      Set(host, 20, "net.ipv4.tcp_timestamps", "0");
      Set(host, 20, "net.ipv4.tcp_window_scaling", "0");
      Set(host, 20, "net.ipv4.tcp_sack", "0");
      Set(host, 10, "net.ipv4.tcp_retries2", fmt::format("{}", Between(2, 8)));
      Set(host, 10, "net.ipv4.tcp_orphan_retries", fmt::format("{}", Between(1, 5)));
      Set(host, 10, "net.ipv4.tcp_fin_timeout", fmt::format("{}", Between(0, 10)));
      Set(host, 5, "net.ipv4.tcp_max_tw_buckets", fmt::format("{}", Between(0, 2)));
      Set(host, 5, "net.ipv4.tcp_max_orphans", fmt::format("{}", Between(0, 2)));
      Set(host, 5, "net.ipv4.tcp_abort_on_overflow", "1");
      Set(host, 10, "estab.tcp_msl", fmt::format("{}ms", Between(1, 5'000)));
      Set(host, 10, "net.ipv4.tcp_wmem", fmt::format("4096 {} 4194304", Between(4'096, 20'000)));
    }
  }

  // By dice of their own, so that a seed stays the world that it was.
  static void ChooseControls(std::uint64_t seed, Plan& plan) {
    Prng dice(seed * 2 + 0x636f6e);
    constexpr Congestion kAny[] = {Congestion::kBySetting, Congestion::kReno, Congestion::kCubic,
                                   Congestion::kBbr, Congestion::kBbr};
    for (ConversationPlan& c : plan.conversations) {
      for (EndPlan& end : c.end) {
        end.options.congestion = kAny[dice.Below(std::size(kAny))];
        if (!dice.Chance(10, 100)) continue;
        end.options.paced = true;
        end.options.max_pacing_rate = 20'000 + dice.Below(2'000'000);
      }
    }
  }

  // By dice of their own, too. Black holes are found where hosts look for them.
  static void Narrow(std::uint64_t seed, Plan& plan) {
    Prng dice(seed * 2 + 0x6d7475);
    if (!dice.Chance(25, 100)) return;
    bool ipv6 = false;
    for (const ConversationPlan& c : plan.conversations) ipv6 = ipv6 || c.ipv6;
    NarrowPlan narrow;
    narrow.at = Time(std::chrono::milliseconds(dice.Chance(20, 100) ? 0 : dice.Below(3'000)));
    if (dice.Chance(30, 100)) narrow.span = std::chrono::milliseconds(dice.Below(30'000));
    narrow.from[dice.Below(2)] = true;
    if (dice.Chance(50, 100)) narrow.from = {true, true};
    const std::uint32_t least = ipv6 ? 1'280 : 300;
    narrow.mtu = least + static_cast<std::uint32_t>(dice.Below(1'500 - least));
    constexpr sim::Router kAny[] = {sim::Router::kTells, sim::Router::kTells, sim::Router::kOld,
                                    sim::Router::kSilent};
    narrow.router = kAny[dice.Below(std::size(kAny))];
    const bool probes = narrow.router == sim::Router::kSilent || dice.Chance(20, 100);
    for (sim::HostConfig& host : plan.world.host) {
      if (!probes) break;
      host.settings.emplace_back("net.ipv4.tcp_mtu_probing", dice.Chance(50, 100) ? "1" : "2");
    }
    plan.narrow = narrow;
  }

  std::uint32_t Amount() {
    if (Percent(15)) return 0;
    if (Percent(30)) return Small(1, 2'000);
    return Small(1, heavy_ && Percent(50) ? 300'000 : 30'000);
  }

  Ending AnyEnding() {
    if (Percent(65)) return Ending::kPolite;
    constexpr Ending kOthers[] = {Ending::kCloseEarly, Ending::kCloseEarly, Ending::kAbort,
                                  Ending::kLingerZero, Ending::kShutBoth};
    return kOthers[prng_.Below(std::size(kOthers))];
  }

  EndPlan MakeEnd() {
    EndPlan end;
    end.bytes = Amount();
    end.write_chunk = Percent(40) ? Small(1, 3'000) : Small(1'000, 65'536);
    if (Percent(30)) end.write_pause = Milliseconds(1, 100);
    // A chunk a byte long would take for ever.
    end.write_chunk = std::max(end.write_chunk, end.bytes / 2'000);
    if (Percent(20)) {
      end.read_chunk = Small(100, 5'000);
      end.read_pause = Milliseconds(1, 50);
    }
    end.ending = AnyEnding();
    end.abort_after = Small(0, 40'000);
    SocketOptions& o = end.options;
    o.no_delay = Percent(30);
    o.reuse_address = Percent(30);
    if (Percent(25)) o.receive_buffer = Small(1'000, 20'000);
    if (Percent(15)) o.send_buffer = Small(1'000, 20'000);
    if (Percent(10)) o.max_segment = static_cast<std::uint16_t>(Between(88, 1'400));
    if (Percent(15)) {
      o.keepalive = true;
      o.keepalive_idle = Small(1, 60);
      o.keepalive_interval = Small(1, 10);
      o.keepalive_count = static_cast<std::uint8_t>(Between(1, 9));
    }
    if (Percent(5)) o.user_timeout_ms = Small(1'000, 60'000);
    return end;
  }

  ConversationPlan MakeConversation() {
    ConversationPlan c;
    c.ipv6 = Percent(40);
    c.client = AnySide();
    c.start = Time(Milliseconds(0, Percent(70) ? 100 : 5'000));
    for (EndPlan& end : c.end) end = MakeEnd();
    if (Percent(20)) c.end[prng_.Below(2)].replies = true;
    if (Percent(6)) {
      c.opening = Opening::kNobody;
    } else if (Percent(10)) {
      c.opening = Opening::kSimultaneous;
    }
    if (Percent(8)) c.listener_from = c.start + Milliseconds(1, 3'000);
    if (Percent(10)) c.listener_until = c.listener_from + Milliseconds(0, 3'000);
    c.backlog = Percent(20) ? 0 : 8;
    return c;
  }

  Prng prng_;
  bool heavy_ = false;
};

std::string NarrowText(const NarrowPlan& narrow) {
  constexpr const char* kRouters[] = {"tells", "is old", "is silent"};
  const auto [a, b] = narrow.from;
  return fmt::format("{} bytes wide from {} ms{}, from {}; the router {}\n", narrow.mtu,
                     narrow.at.time_since_epoch() / 1ms,
                     narrow.span ? fmt::format(" for {} ms", *narrow.span / 1ms) : "",
                     a && b ? "both"
                     : a    ? "A"
                            : "B",
                     kRouters[static_cast<std::size_t>(narrow.router)]);
}

std::string EndText(const EndPlan& end) {
  const SocketOptions& o = end.options;
  return fmt::format(
      "{} bytes by {} / {} ms, reads {} / {} ms, {}{}{}{}{}{}{}{}", end.bytes, end.write_chunk,
      end.write_pause / 1ms, end.read_chunk, end.read_pause / 1ms, EndingText(end.ending),
      end.replies ? ", replies" : "", o.no_delay ? ", no delay" : "",
      o.keepalive ? ", keepalive" : "",
      o.receive_buffer != 0 ? fmt::format(", rcvbuf {}", o.receive_buffer) : "",
      o.send_buffer != 0 ? fmt::format(", sndbuf {}", o.send_buffer) : "",
      o.congestion != Congestion::kBySetting ? fmt::format(", {}", NameOf(o.congestion)) : "",
      o.paced ? fmt::format(", at most {} bytes/s", o.max_pacing_rate) : "");
}

}  // namespace

const char* EndingText(Ending ending) {
  constexpr const char* kTexts[] = {"polite", "closes early", "aborts", "linger 0", "shuts both"};
  return kTexts[static_cast<std::size_t>(ending)];
}

const char* OpeningText(Opening opening) {
  constexpr const char* kTexts[] = {"to a listener", "to nobody", "simultaneous"};
  return kTexts[static_cast<std::size_t>(opening)];
}

Plan MakePlan(std::uint64_t seed) { return Maker(seed).Make(seed); }

std::string PlanText(const Plan& plan) {
  std::string text;
  for (const sim::Side side : {Side::kA, Side::kB}) {
    const sim::PathConfig& p = plan.world.path[sim::Index(side)];
    text += fmt::format(
        "{}: delay {} us, jitter {} ms, rate {}, queue {}, ppm: loss {}, twice {}, corrupt {}, "
        "reorder {} by {} ms; mtu {}\n",
        side == Side::kA ? "A" : "B", p.delay / 1us, p.jitter / 1ms, p.rate_bps, p.queue_bytes,
        p.loss_ppm, p.duplicate_ppm, p.corrupt_ppm, p.reorder_ppm, p.reorder_delay / 1ms,
        plan.world.host[sim::Index(side)].mtu);
    for (const auto& [name, value] : plan.world.host[sim::Index(side)].settings) {
      text += fmt::format("   {} = {}\n", name, value);
    }
  }
  if (plan.cut) text += fmt::format("cut at {} ms\n", plan.cut->time_since_epoch() / 1ms);
  if (plan.narrow) text += NarrowText(*plan.narrow);
  if (plan.crash) text += fmt::format("crash at {} ms\n", plan.crash->at.time_since_epoch() / 1ms);
  for (const ConversationPlan& c : plan.conversations) {
    text += fmt::format("{} by {} at {} ms, IPv{}\n   client: {}\n   server: {}\n",
                        OpeningText(c.opening), c.client == Side::kA ? "A" : "B",
                        c.start.time_since_epoch() / 1ms, c.ipv6 ? 6 : 4, EndText(c.end[0]),
                        EndText(c.end[1]));
  }
  return text;
}

}  // namespace estab::bench
