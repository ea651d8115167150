// Opening under a flood of SYNs.
#include <algorithm>

#include "base/prng.h"
#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kSynFloodParameters[] = {
    {"syns", "1000", "of the attacker, from addresses that nobody has"},
    {"every", "100us", "between two of them"},
    {"honest", "2", "clients that come in the midst of it"},
    {"backlog", "32", "of B's listener"},
    {"tcp_max_syn_backlog", "32", "half-open records of one listener",
     "net.ipv4.tcp_max_syn_backlog"},
    {"tcp_syncookies", "1", "0: never, 1: when the SYN queue is full, 2: always",
     "net.ipv4.tcp_syncookies"},
    {"tcp_synack_retries", "1", "repeats of a SYN|ACK", "net.ipv4.tcp_synack_retries"},
    kRtoInitial,
    kDelay,
};

Endpoint Spoofed(std::int64_t i) {
  return {IpAddress::V4(0xc6336400u + static_cast<std::uint32_t>(i % 250) + 1),
          static_cast<std::uint16_t>(1024 + i)};
}

void SynFlood(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::int64_t syns = ctx.Number("syns", 1, 20'000);
  const Duration every = ctx.Span("every", 1us, 100ms);
  const auto honest = static_cast<std::size_t>(ctx.Number("honest", 1, 10));
  const bool cookies = ctx.SettingNumber("net.ipv4.tcp_syncookies") != 0;
  const auto backlog = static_cast<int>(ctx.Number("backlog", 1, 1000));
  ctx.ladder().OnlyBetween(ctx.a().address(), ctx.b().address());
  const SocketId listener = ctx.b().Listen(kServerPort, backlog);
  const Endpoint server = ctx.b().endpoint(kServerPort);
  const std::uint64_t before = ctx.b().stack().Counters().memory_in_use;
  for (std::int64_t i = 0; i < syns; ++i) {
    ctx.At(i * every, [&ctx, server, i] {
      wire::Segment syn = Craft(kSyn, static_cast<std::uint32_t>(i * 7919));
      syn.options.has_mss = true;
      syn.options.mss = 1460;
      ctx.Imagine(Side::kB, Spoofed(i), server, syn);
    });
  }
  ctx.Note(fmt::format("{} SYNs from nobody in {}", syns, observe::SpanText(syns * every)),
           Side::kB);
  ctx.RunUntil(syns * every / 2);
  std::vector<SocketId> a;
  for (std::size_t i = 0; i < honest; ++i) {
    a.push_back(ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i)));
  }
  ctx.Run(4 * d);
  const StackCounters during = ctx.b().stack().Counters();
  const std::int64_t queue =
      std::max<std::int64_t>(backlog, ctx.SettingNumber("net.ipv4.tcp_max_syn_backlog"));
  ctx.Expect(during.half_open <= static_cast<std::uint32_t>(queue) + 1,
             "the SYN queue holds no more than it may");
  if (cookies) {
    for (std::size_t i = 0; i < honest; ++i) {
      ctx.ExpectState(Side::kA, a[i], State::kEstablished);
      const SocketId b = ctx.b().MustAccept(listener);
      const ConnectionInfo info = InfoOf(ctx, Side::kB, b);
      ctx.Expect(info.window_scaling && info.sack && info.timestamps && info.send_mss >= 1300,
                 "the options are recovered, although nothing was remembered");
      (void)ctx.a().Send(a[i], "hello");
      ctx.Run(2 * d);
      ctx.ExpectData(ctx.b().Read(b), "hello", "recv of B");
    }
    ctx.Expect(ctx.b().stack().Counters().memory_in_use - before < 1'000'000,
               "no memory goes with the flood");
    const std::uint64_t failed = ctx.b().stack().Counters().syn_cookies_failed;
    ctx.Note("an ACK with a cookie that B never made");
    ctx.Inject(Side::kB, ctx.a().endpoint(kClientPort + 500), server, Craft(kAck, 5000, 77'777), d);
    const Duration at = ctx.now() + d;
    ctx.Run(3 * d);
    ctx.ExpectTimes(Side::kB, kRst, {at});
    ctx.ExpectEqual(ctx.b().stack().Counters().syn_cookies_failed, failed + 1,
                    "a forged cookie is refused");
  }
  ctx.RunUntil(syns * every + SynAckRepeats(ctx).end + 4s);
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 0u, "the flood leaves no record behind");
  const StackCounters after = ctx.b().stack().Counters();
  ctx.Say(fmt::format("{} SYNs: {} cookies sent, {} came back, {} SYNs dropped", syns,
                      after.syn_cookies_sent, after.syn_cookies_received, after.listen_drops));
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kOpenFloodScenarios[] = {
    {"open/syn-flood", "SYNs from addresses that nobody has",
     "The attacker's SYNs fill the SYN queue and are never confirmed. From then on B answers "
     "without "
     "remembering: the SYN|ACK's number and timestamp carry all that must come back with the final "
     "ACK (SYN cookies, RFC 4987 §3.6). Who is honest connects at once, options and all; an ACK "
     "whose cookie is forged is reset. With tcp_syncookies=0 SYNs are dropped instead.",
     kSynFloodParameters, SynFlood},
};

}  // namespace

std::span<const Scenario> OpenFloodScenarios() { return kOpenFloodScenarios; }

}  // namespace estab::sim
