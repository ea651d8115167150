// A hostile world: floods and guesses, beside people who only want to be served. Thousands of
// packets are not drawn, only what they do.
#include <algorithm>

#include "base/prng.h"
#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kFloodParameters[] = {
    {"packets", "2000", "of the attacker"},
    {"every", "200us", "between two of them"},
    kDelay,
};

struct Flood {
  std::int64_t packets;
  Duration every;
  Duration span() const { return packets * every; }
};

Flood UseFlood(ScenarioContext& ctx) {
  return {ctx.Number("packets", 1, 20'000), ctx.Span("every", 1us, 1s)};
}

// Each of the attacker's packets, from `begin` on, as `make` says; not drawn.
void Release(ScenarioContext& ctx, const Flood& flood, Side to,
             const std::function<void(std::int64_t)>& make) {
  const Duration begin = ctx.now();
  for (std::int64_t i = 0; i < flood.packets; ++i) {
    ctx.At(begin + i * flood.every, [make, i] { make(i); });
  }
  ctx.Note(fmt::format("{} forged packets in {}", flood.packets, observe::SpanText(flood.span())),
           to);
}

// A says something to B every 50 ms, and B reads it: the honest pair that the flood is beside.
void Converse(ScenarioContext& ctx, const Pair& pair, Duration span) {
  const Duration end = ctx.now() + span;
  const Duration d = ctx.world().path(Side::kA).config().delay;
  std::size_t said = 0;
  std::size_t heard = 0;
  while (ctx.now() < end) {
    const auto sent =
        ctx.a().stack().Send(ctx.world().now(), pair.a, std::as_bytes(std::span("hello", 5)));
    said += sent.value_or(0);
    ctx.Run(std::max<Duration>(50ms, 3 * d));
    if (said == 10) ctx.DrawNoMore("and so on, while the flood goes on");
    std::array<std::byte, 64> buffer;
    heard += ctx.b().stack().Read(ctx.world().now(), pair.b, buffer).value_or(0);
  }
  ctx.Draw();
  ctx.Expect(said != 0 && heard == said, "all that A says is heard, flood or not");
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  ctx.Say(fmt::format("{} bytes said and heard during the flood", said));
}

std::size_t MostChallenges(ScenarioContext& ctx, Duration span) {
  const Duration limit = ctx.SettingNumber("net.ipv4.tcp_invalid_ratelimit") * 1ms;
  return limit == 0ms ? SIZE_MAX : static_cast<std::size_t>(span / limit) + 2;
}

Endpoint Client(ScenarioContext& ctx) { return ctx.a().endpoint(kClientPort); }
Endpoint Server(ScenarioContext& ctx) { return ctx.b().endpoint(kServerPort); }

// What B has sent that carries nothing: its ACKs.
std::size_t BareFromB(const ScenarioContext& ctx) {
  std::size_t count = 0;
  for (const SentSegment& s : ctx.sent()) count += s.from == Side::kB ? 1 : 0;
  return count;
}

// Resets within the window, but never at its edge: the attacker guesses.
void RstFlood(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Flood flood = UseFlood(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  Prng prng(ctx.world().seed());
  Release(ctx, flood, Side::kB, [&ctx, &prng](std::int64_t) {
    const auto offset = static_cast<std::uint32_t>(1'000 + prng.Next() % 50'000);
    ctx.Imagine(Side::kB, Client(ctx), Server(ctx), Craft(kRst, ctx.Isn(Side::kA) + offset));
  });
  const Duration span = flood.span() + 100ms;
  Converse(ctx, pair, span);
  const std::uint64_t challenges = ctx.b().stack().Counters().challenge_acks;
  ctx.Expect(challenges <= MostChallenges(ctx, span + 100ms), "challenge ACKs are rate limited");
  ctx.Say(fmt::format("{} forged resets, {} challenge ACKs, no connection lost", flood.packets,
                      challenges));
  ctx.CloseAndExpectNothingLeft();
}

// ACKs with numbers out of the blue.
void AckFlood(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Flood flood = UseFlood(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  Prng prng(ctx.world().seed());
  Release(ctx, flood, Side::kB, [&ctx, &prng](std::int64_t) {
    const std::uint32_t far = 0x20000000u + static_cast<std::uint32_t>(prng.Next() % 0x40000000u);
    ctx.Imagine(Side::kB, Client(ctx), Server(ctx),
                Craft(kAck, ctx.Isn(Side::kA) + far, ctx.Isn(Side::kB) + far));
  });
  const std::size_t before = BareFromB(ctx);
  const Duration span = flood.span() + 100ms;
  Converse(ctx, pair, span);
  const std::size_t answers = BareFromB(ctx) - before;
  const std::size_t conversation = static_cast<std::size_t>(span / 50ms) + 1;
  ctx.Expect(answers <= conversation + MostChallenges(ctx, span + 100ms),
             "answers to what is out of the window are rate limited");
  ctx.Say(fmt::format("{} forged ACKs, {} segments from B in all", flood.packets, answers));
  ctx.CloseAndExpectNothingLeft();
}

// Data within the window, acknowledging anything but what B has sent.
void BlindInjection(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Flood flood = UseFlood(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  Prng prng(ctx.world().seed());
  Release(ctx, flood, Side::kB, [&ctx, &prng](std::int64_t) {
    const std::uint32_t far = 0x20000000u + static_cast<std::uint32_t>(prng.Next() % 0xa0000000u);
    const auto next = static_cast<std::uint32_t>(prng.Next() % 20'000);
    ctx.Imagine(Side::kB, Client(ctx), Server(ctx),
                Craft(kAck | kPsh, ctx.Isn(Side::kA) + 1 + next, ctx.Isn(Side::kB) + far, "evil!"));
  });
  Converse(ctx, pair, flood.span() + 100ms);
  const ConnectionInfo info = InfoOf(ctx, Side::kB, pair.b);
  ctx.ExpectEqual(info.receive_queue, 0u, "nothing of it is delivered");
  ctx.Say(fmt::format("{} forged segments, none of them delivered", flood.packets));
  ctx.CloseAndExpectNothingLeft();
}

// ICMP errors of every kind about the connection, with guessed and with exact numbers.
void IcmpFlood(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Flood flood = UseFlood(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  Prng prng(ctx.world().seed());
  Release(ctx, flood, Side::kA, [&ctx, &prng](std::int64_t i) {
    const bool exact = i % 2 == 0;
    const std::uint32_t seq =
        ctx.Isn(Side::kA) + 1 + (exact ? 0 : static_cast<std::uint32_t>(prng.Next()));
    const std::uint8_t codes[] = {0, 1, 2, 3, 13};
    ctx.InjectIcmp(Side::kA, Client(ctx), Server(ctx), seq, 3, codes[i % 5]);
  });
  Converse(ctx, pair, flood.span() + 100ms);
  ctx.Expect(!ctx.a().TakeError(pair.a).has_value(), "no error is told");
  ctx.CloseAndExpectNothingLeft();
}

// --- Limits --------------------------------------------------------------------------------------

constexpr Parameter kOverflowParameters[] = {
    {"clients", "24", "that come all at once"},
    {"backlog", "4", "of B's listener"},
    {"every", "30ms", "B's application accepts one"},
    kDelay,
};

void BacklogOverflow(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto clients = static_cast<std::size_t>(ctx.Number("clients", 1, 100));
  const auto backlog = static_cast<int>(ctx.Number("backlog", 1, 100));
  const Duration every = ctx.Span("every", 1ms, 1s);
  const SocketId listener = ctx.b().Listen(kServerPort, backlog);
  // One who finds room, and the last, who does not.
  const auto last = static_cast<std::uint16_t>(kClientPort + clients - 1);
  ctx.ladder().OnlyPorts({kClientPort, last});
  std::vector<SocketId> a;
  for (std::size_t i = 0; i < clients; ++i) {
    if (i == 1 && clients > 2) {
      ctx.DrawNoMore(fmt::format("{} clients at once; drawn are the first and the last", clients));
    }
    if (i + 1 == clients) ctx.Draw();
    a.push_back(ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i)));
  }
  std::size_t served = 0;
  std::vector<bool> asked(clients);
  while (served < clients && ctx.now() < 120s) {
    ctx.Run(every);
    // Each client asks as soon as it is connected: that alone completes a handshake by cookie.
    for (std::size_t i = 0; i < clients; ++i) {
      if (asked[i] || ctx.a().state(a[i]) != State::kEstablished) continue;
      asked[i] = ctx.a()
                     .stack()
                     .Send(ctx.world().now(), a[i], std::as_bytes(std::span("hi", 2)))
                     .has_value();
    }
    const auto accepted = ctx.b().stack().Accept(ctx.world().now(), listener);
    if (!accepted) continue;
    ++served;
    std::array<std::byte, 16> question;  // read, or close() would be a reset
    (void)ctx.b().stack().Read(ctx.world().now(), *accepted, question);
    (void)ctx.b().stack().Send(ctx.world().now(), *accepted, std::as_bytes(std::span("hello", 5)));
    (void)ctx.b().stack().Close(ctx.world().now(), *accepted);
  }
  ctx.ExpectEqual(served, clients, "every client is served in the end");
  ctx.Run(4 * d);
  std::size_t greeted = 0;
  for (const SocketId socket : a) {
    std::array<std::byte, 16> buffer;
    greeted += ctx.a().stack().Read(ctx.world().now(), socket, buffer).value_or(0) == 5 ? 1 : 0;
  }
  ctx.ExpectEqual(greeted, clients, "and each has read its greeting");
  const StackCounters counters = ctx.b().stack().Counters();
  if (clients > static_cast<std::size_t>(backlog) + 1) {
    ctx.Expect(counters.listen_overflows > 0, "although the queue was too short");
  }
  ctx.Say(fmt::format("{} clients served after {}; {} times the queue was full", served,
                      observe::SpanText(ctx.now()), counters.listen_overflows));
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kPortParameters[] = {
    {"ports", "100", "that A may choose from"},
    {"tcp_tw_reuse", "0", "whether a waiting one may be taken over", "net.ipv4.tcp_tw_reuse"},
    kMsl,
};

void PortExhaustion(ScenarioContext& ctx) {
  constexpr Duration d = 1ms;
  ctx.SetDelay(d);
  ctx.SetNumbers(observe::Numbers::kSymbolic);
  const auto ports = static_cast<int>(ctx.Number("ports", 1, 500));
  ctx.a().Set("net.ipv4.ip_local_port_range", fmt::format("40000 {}", 40000 + ports - 1));
  const SocketId listener = ctx.b().Listen(kServerPort, 1024);
  const SocketId other = ctx.b().Listen(kServerPort + 1, 1024);
  for (int i = 0; i < ports; ++i) {
    if (i == 1) ctx.DrawNoMore(fmt::format("and so on, with every one of {} ports", ports));
    const SocketId a = ctx.a().Connect(ctx.b(), kServerPort);
    ctx.Run(3 * d);
    (void)ctx.a().Close(a);
    ctx.Run(d);
    (void)ctx.b().Close(ctx.b().MustAccept(listener));
    ctx.Run(3 * d);
  }
  if (ports * 7 * d + 1s > TwoMsl(ctx)) return ctx.Fail("parameters: the first has ended already");
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, static_cast<std::uint32_t>(ports),
                  "every port waits");
  ctx.Draw();
  ctx.ExpectError(ctx.a().ConnectAgain(ctx.a().Open(), Server(ctx)), Error::kAddressNotAvailable,
                  "one more connection to B:80");
  const SocketId honest = ctx.a().Connect(ctx.b(), kServerPort + 1);
  ctx.Run(4 * d);
  ctx.ExpectState(Side::kA, honest, State::kEstablished);
  (void)ctx.b().MustAccept(other);
  ctx.DrawNoMore("every record waits for 2 MSL");
  ctx.Run(TwoMsl(ctx));
  ctx.Draw();
  const SocketId later = ctx.a().Connect(ctx.b(), kServerPort);
  ctx.Run(4 * d);
  ctx.ExpectState(Side::kA, later, State::kEstablished);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kLimitParameters[] = {
    {"tcp_max_orphans", "8", "connections without an owner", "net.ipv4.tcp_max_orphans"},
    {"tcp_max_tw_buckets", "8", "TIME_WAIT records", "net.ipv4.tcp_max_tw_buckets"},
    {"connections", "40", "that B's application closes"},
    kDelay,
};

// Clients that never close their side: B is left with orphans, up to the limit.
void OrphanLimit(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto count = static_cast<std::size_t>(ctx.Number("connections", 1, 200));
  const auto limit = static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.tcp_max_orphans"));
  const SocketId listener = ctx.b().Listen(kServerPort, 1024);
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == 2) ctx.DrawNoMore(fmt::format("and so on: {} connections", count));
    ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i));
    ctx.Run(3 * d);
    (void)ctx.b().Close(ctx.b().MustAccept(listener));
    ctx.Run(2 * d);
    most = std::max(most, ctx.b().stack().Counters().orphans);
  }
  ctx.Expect(most <= limit, "there are never more orphans than tcp_max_orphans");
  // What Linux keeps as records has the limit of records.
  const auto records = static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.tcp_max_tw_buckets"));
  const std::uint32_t all = ctx.Profile() == "linux" ? limit + records : limit;
  ctx.Expect(ctx.b().stack().Counters().sockets <= all + 1, "nor connections");
  ctx.Draw();
  const SocketId honest = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1000);
  ctx.Run(3 * d);
  const SocketId b = ctx.b().MustAccept(listener);
  (void)ctx.a().Send(honest, "hello");
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.b().Read(b), "hello", "recv of B");
  ctx.Say(fmt::format("{} connections abandoned, at most {} orphans at once", count, most));
  ctx.CloseAndExpectNothingLeft();
}

// B closes first, again and again: records up to the limit.
void TimeWaitLimit(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto count = static_cast<std::size_t>(ctx.Number("connections", 1, 200));
  const auto limit = static_cast<std::uint32_t>(ctx.SettingNumber("net.ipv4.tcp_max_tw_buckets"));
  const SocketId listener = ctx.b().Listen(kServerPort, 1024);
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == 1) ctx.DrawNoMore(fmt::format("and so on: {} connections", count));
    const SocketId a =
        ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i));
    ctx.Run(3 * d);
    (void)ctx.b().Close(ctx.b().MustAccept(listener));
    ctx.Run(d);
    (void)ctx.a().Close(a);
    ctx.Run(3 * d);
    most = std::max(most, ctx.b().stack().Counters().time_wait);
  }
  ctx.Expect(most <= limit, "there are never more records than tcp_max_tw_buckets");
  ctx.Say(
      fmt::format("{} connections closed, at most {} TIME_WAIT records at once, {} over the "
                  "limit",
                  count, most, ctx.b().stack().Counters().time_wait_overflows));
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kMemoryParameters[] = {
    {"budget", "262144", "bytes that B may take beyond what it has at the start"},
    {"connections", "20", "that send and are never read"},
    kDelay,
};

void Memory(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto count = static_cast<std::size_t>(ctx.Number("connections", 1, 60));
  const SocketId listener = ctx.b().Listen(kServerPort, 1024);
  const std::uint64_t limit = ctx.b().stack().Counters().memory +
                              static_cast<std::uint64_t>(ctx.Number("budget", 65536, 1 << 26));
  ctx.b().Set("estab.mem_limit", fmt::format("{}", limit));
  const std::string much = Pattern(60'000);
  std::vector<SocketId> a;
  std::vector<SocketId> b;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == 1) ctx.DrawNoMore(fmt::format("and so on: {} connections, and nobody reads", count));
    a.push_back(ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i)));
    ctx.Run(3 * d);
    const auto accepted = ctx.b().stack().Accept(ctx.world().now(), listener);
    if (accepted) b.push_back(*accepted);
    (void)ctx.a().stack().Send(ctx.world().now(), a.back(), std::as_bytes(std::span(much)));
  }
  ctx.Run(10s);
  const StackCounters full = ctx.b().stack().Counters();
  ctx.Expect(full.memory <= limit, "B stays within its budget");
  ctx.Expect(full.memory + 65536 > limit, "all of which was needed");
  for (const SocketId socket : a) (void)ctx.a().stack().Abort(ctx.world().now(), socket);
  for (const SocketId socket : b) (void)ctx.b().stack().Close(ctx.world().now(), socket);
  ctx.Run(1s);
  ctx.Draw();
  const SocketId honest = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1000);
  ctx.Run(2s);
  const SocketId served = ctx.b().MustAccept(listener);
  (void)ctx.a().Send(honest, "hello");
  ctx.Run(1s);
  ctx.ExpectData(ctx.b().Read(served), "hello", "recv of B");
  ctx.Say(
      fmt::format("budget {} bytes, at most {} taken; {} times something was dropped for want "
                  "of memory",
                  limit, full.memory, full.out_of_memory));
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kHostileScenarios[] = {
    {"hostile/rst-flood", "forged resets that are nearly right",
     "Every one lies in the window, none at its edge: each would draw a challenge ACK, but those "
     "are "
     "limited for each connection (tcp_invalid_ratelimit), and the conversation goes on (RFC 5961 "
     "§3, §7).",
     kFloodParameters, RstFlood},
    {"hostile/ack-flood", "forged ACKs with numbers out of the blue",
     "What lies outside the window is answered with an ACK, at most once per "
     "tcp_invalid_ratelimit: "
     "the attacker cannot make B shout (RFC 9293 §3.10.7.4, RFC 5961 §5).",
     kFloodParameters, AckFlood},
    {"hostile/blind-injection", "forged data within the window",
     "Whoever does not see the segments can guess a number in the window, but must guess what B "
     "has "
     "sent as well: an ACK of anything else is not taken, nor the data with it (RFC 5961 §5.2).",
     kFloodParameters, BlindInjection},
    {"hostile/icmp-flood", "forged ICMP errors about an open connection",
     "No ICMP message ends a connection that is open, not even one that quotes it exactly (RFC "
     "5927 "
     "§4).",
     kFloodParameters, IcmpFlood},
    {"hostile/backlog-overflow", "more clients than the queue holds",
     "SYNs and final ACKs that find the accept queue full are dropped and come again; every client "
     "is served in the end.",
     kOverflowParameters, BacklogOverflow},
    {"hostile/port-exhaustion", "every local port is taken",
     "All ports that may be chosen wait in TIME_WAIT for one destination. One more connection "
     "there "
     "is EADDRNOTAVAIL; another destination can be reached, and this one again after 2 MSL.",
     kPortParameters, PortExhaustion},
    {"hostile/orphan-limit", "clients that never close their side",
     "B's application has closed, the clients do not. Over tcp_max_orphans B resets them; who "
     "comes "
     "honestly is served.",
     kLimitParameters, OrphanLimit},
    {"hostile/time-wait-limit", "a server that closes first, again and again",
     "TIME_WAIT records are bounded by tcp_max_tw_buckets; over it a connection is closed without "
     "waiting, and that is counted.",
     kLimitParameters, TimeWaitLimit},
    {"hostile/memory", "more data than there is memory for",
     "Clients send and nobody reads. B stays within estab.mem_limit: what does not fit is dropped "
     "and comes again. When they are gone everything is free again, and the next client is served.",
     kMemoryParameters, Memory},
};

}  // namespace

std::span<const Scenario> HostileScenarios() { return kHostileScenarios; }

}  // namespace estab::sim
