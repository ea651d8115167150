// What is kept, agreed and chosen while a connection opens.
#include <algorithm>

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kBytesParameters[] = {{"bytes", "5", "of data on the SYN"}, kDelay};

// B's answer acknowledges the SYN alone, so A must send the data again.
void DataOnSyn(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("bytes", 1, 1400)));
  const SocketId listener = ctx.b().Listen(kServerPort);
  ctx.TakeOver(Side::kA);
  ctx.PlayState(Side::kA, State::kSynSent, "played: the SYN carries data");
  Play(ctx, Side::kA, Craft(kSyn, 1000, 0, data));
  ctx.RunUntil(2 * d);
  ctx.PlayState(Side::kA, State::kEstablished, "played");
  Play(ctx, Side::kA, Craft(kAck, 1001, Numbered(ctx, Side::kB, 1)));
  ctx.RunUntil(3 * d);
  const SocketId b = ctx.b().MustAccept(listener);
  const auto early = ctx.b().Read(b);
  ctx.Expect(!early && early.error() == Error::kWouldBlock, "nothing of it was delivered");
  const Duration again = 200ms;
  ctx.RunUntil(again);
  Play(ctx, Side::kA, Craft(kAck | kPsh, 1001, Numbered(ctx, Side::kB, 1), data));
  ctx.RunUntil(again + 2 * d);
  ctx.ExpectData(ctx.b().Read(b), data, "recv of B");
  const std::string n = std::to_string(data.size());
  const std::string after = std::to_string(data.size() + 1);
  ctx.ExpectWire({{0ms, "A S seq=x len=" + n},
                  {d, "B S. seq=y ack=x+1"},
                  {2 * d, "A . seq=x+1 ack=y+1"},
                  {again, "A . seq=x+1 ack=y+1 len=" + n},
                  {again + d, "B . seq=y+1 ack=x+" + after}});
  ctx.CloseAndExpectNothingLeft();
}

void DataOnSynAck(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("bytes", 1, 1400)));
  ctx.TakeOver(Side::kB);
  ctx.PlayState(Side::kB, State::kListen, "played");
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.RunUntil(d);
  ctx.PlayState(Side::kB, State::kSynRcvd, "played: the SYN|ACK carries data");
  Play(ctx, Side::kB, Craft(kSyn | kAck, 5000, Numbered(ctx, Side::kA, 1), data));
  ctx.RunUntil(3 * d);
  ctx.PlayState(Side::kB, State::kEstablished, "played");
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, 2 * d);
  const Duration again = 200ms;
  ctx.RunUntil(again);
  Play(ctx, Side::kB, Craft(kAck | kPsh, 5001, Numbered(ctx, Side::kA, 1), data));
  ctx.RunUntil(again + 2 * d);
  ctx.ExpectData(ctx.a().Read(a), data, "recv of A");
  const std::string n = std::to_string(data.size());
  ctx.ExpectWire({{0ms, "A S seq=x"},
                  {d, "B S. seq=y ack=x+1 len=" + n},
                  {2 * d, "A . seq=x+1 ack=y+1"},
                  {again, "B . seq=y+1 ack=x+1 len=" + n},
                  {again + d, "A . seq=x+1 ack=y+" + std::to_string(data.size() + 1)}});
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kDataOnSynVariants[] = {{"data on the SYN|ACK", false, DataOnSynAck}};

constexpr Parameter kTcbParameters[] = {
    {"half-open", "8", "how many connections are begun at once"},
    kSynAckRetries,
    kRtoInitial,
    kDelay,
};

// Forged SYNs fill half-open records; each leaves by another way.
void Tcb(ScenarioContext& ctx) {
  constexpr std::uint64_t kMostRecord = 128;
  const Duration d = UseDelay(ctx);
  const std::int64_t count = ctx.Number("half-open", 3, 200);
  const SocketId listener = ctx.b().Listen(kServerPort, 1024);
  ctx.TakeOver(Side::kA);
  const auto counters = [&] { return ctx.b().stack().Counters(); };
  const std::uint64_t before = counters().memory_in_use;
  ctx.ExpectEqual(counters().sockets, 1u, "B has one TCB, the listener's");
  const auto endpoint = [&](std::int64_t i) {
    return ctx.a().endpoint(static_cast<std::uint16_t>(kClientPort + i));
  };
  const Endpoint server = ctx.b().endpoint(kServerPort);
  for (std::int64_t i = 0; i < count; ++i) {
    if (i == 3) ctx.DrawNoMore(fmt::format("and so on: {} SYNs", count));
    ctx.PlaySegment(Side::kA, endpoint(i), server, Craft(kSyn, 1000));
  }
  ctx.RunUntil(2 * d);
  ctx.ExpectEqual(counters().half_open, static_cast<std::uint32_t>(count), "a record for each SYN");
  ctx.ExpectEqual(counters().sockets, 1u, "and no TCB");
  const std::uint64_t each =
      (counters().memory_in_use - before) / static_cast<std::uint64_t>(count);
  ctx.Expect(each <= kMostRecord, "a half-open record takes at most 128 bytes");
  std::vector<std::uint32_t> isn;
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == Side::kB) isn.push_back(s.segment.seq);
  }
  if (isn.size() != static_cast<std::size_t>(count)) return ctx.Fail("not every SYN was answered");
  ctx.Draw();
  // The first completes, the second is taken back, the others wait until they are given up.
  ctx.PlaySegment(Side::kA, endpoint(0), server, Craft(kAck, 1001, isn[0] + 1));
  ctx.PlaySegment(Side::kA, endpoint(1), server, Craft(kRst, 1001));
  ctx.RunUntil(4 * d);
  ctx.ExpectEqual(counters().sockets, 2u, "the first has become a TCB");
  ctx.ExpectEqual(counters().half_open, static_cast<std::uint32_t>(count - 2),
                  "the first two records are gone");
  const SocketId b = ctx.b().MustAccept(listener);
  (void)ctx.b().Abort(b);
  ctx.RunUntil(d + SynAckRepeats(ctx).end);
  ctx.ExpectEqual(counters().half_open, 0u, "those that were given up are gone");
  ctx.ExpectEqual(counters().sockets, 1u, "the listener alone is left");
  ctx.Say(fmt::format("{} bytes for each half-open record", each));
  ctx.ExpectNothingLeft();
}

constexpr Parameter kIsnParameters[] = {
    {"after", "10s", "between two connections on the same four-tuple"},
    {"secret", "", "estab.seed of A; empty: from --seed"},
};

// A's ISN towards B:80 from this port, now; nothing is left of the attempt.
std::uint32_t TakeIsn(ScenarioContext& ctx, std::uint16_t port) {
  const SocketId a = ctx.a().Connect(ctx.b().endpoint(kServerPort), port);
  ctx.Run(0ms);
  (void)ctx.a().Abort(a);
  return ctx.Isn(Side::kA);
}

void Isn(ScenarioContext& ctx) {
  const Duration after = ctx.Span("after", 1ms, 24h);
  ctx.SetNumbers(observe::Numbers::kAbsolute);
  const Duration tick = ctx.Profile() == "linux" ? Duration(64) : Duration(4000);
  ctx.TakeOver(Side::kB);
  const std::string secret = ctx.Value("secret");
  ctx.a().Set("estab.seed", secret.empty() ? fmt::format("{}", ctx.world().seed()) : secret);
  const std::uint32_t first = TakeIsn(ctx, kClientPort);
  const std::uint32_t other = TakeIsn(ctx, kClientPort + 1);
  ctx.RunUntil(after);
  const std::uint32_t later = TakeIsn(ctx, kClientPort);
  const auto ticks = static_cast<std::uint32_t>(after / tick);
  ctx.ExpectEqual(later - first, ticks, fmt::format("the same four-tuple is {} ticks on", ticks));
  const std::uint32_t apart = std::min(other - first, first - other);
  ctx.Expect(apart > 65536, "another four-tuple's number is unrelated");
  // A host that starts anew with the same seed chooses as it did before.
  ctx.a().Restart();
  ctx.ExpectEqual(TakeIsn(ctx, kClientPort), later, "the same seed gives the same number");
  ctx.Say(fmt::format("a tick is {} ns; {} ticks in between; the whole space takes {} s",
                      tick.count(), ticks, (std::int64_t{1} << 32) * tick.count() / 1'000'000'000));
  ctx.ExpectNothingLeft();
}

constexpr Parameter kPortsParameters[] = {
    {"ip_local_port_range", "40000 40003", "ports to choose from: first and last",
     "net.ipv4.ip_local_port_range"},
    kDelay,
};

void Ports(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  int low = 0;
  int high = 0;
  const std::string range = ctx.Setting("net.ipv4.ip_local_port_range");
  if (std::sscanf(range.c_str(), "%d %d", &low, &high) != 2) return ctx.Fail("no range of ports");
  if (high - low > 200) return ctx.Fail("parameter ip_local_port_range: at most 200 ports here");
  ctx.b().Listen(kServerPort, 1024);
  ctx.b().Listen(kServerPort + 1, 1024);
  std::vector<int> ports;
  for (int i = low; i <= high; ++i) {
    const SocketId a = ctx.a().Connect(ctx.b(), kServerPort);
    const auto tuple = ctx.a().stack().GetTuple(a);
    ports.push_back(tuple ? tuple->local.port : 0);
  }
  ctx.Run(3 * d);
  std::sort(ports.begin(), ports.end());
  for (int i = low; i <= high; ++i) {
    ctx.Expect(ports[static_cast<std::size_t>(i - low)] == i,
               "each port of the range is used once");
  }
  ctx.ExpectError(ctx.a().ConnectAgain(ctx.a().Open(), ctx.b().endpoint(kServerPort)),
                  Error::kAddressNotAvailable, "one more connection to that destination");
  const SocketId other = ctx.a().Connect(ctx.b(), kServerPort + 1);
  ctx.Run(3 * d);
  ctx.ExpectState(Side::kA, other, State::kEstablished);
  ctx.ExpectError(ctx.b().Bind(ctx.b().Open(), {IpAddress::AnyV4(), kServerPort}),
                  Error::kAddressInUse, "a port that a listener holds");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kOpenRecordScenarios[] = {
    {"open/data-on-syn", "data on a SYN is not taken",
     "Without Fast Open nobody knows yet whether the SYN is genuine, so data on it (or on the "
     "SYN|ACK) is not acknowledged: the handshake goes on as if it were not there, and the data "
     "comes again (RFC 9293 §3.4).",
     kBytesParameters, DataOnSyn, "data on the SYN", kDataOnSynVariants},
    {"open/tcb", "a half-open connection is a small record",
     "In LISTEN a SYN makes a record of at most 128 bytes, not a whole connection; that comes with "
     "the final ACK. Whichever way a record ends, completed, taken back by a reset, or given up, "
     "it "
     "is freed: counted here.",
     kTcbParameters, Tcb},
    {"open/isn", "where sequence numbers begin",
     "ISN = M + F(addresses, ports, secret): a clock, so that a four-tuple's next connection "
     "begins "
     "beyond the last one, and a keyed hash (SipHash-2-4), so that nobody can tell one "
     "connection's "
     "number from another's (RFC 6528). The clock ticks every 4 microseconds; 64 ns on Linux.",
     kIsnParameters, Isn},
    {"open/ports", "which local port a connection gets",
     "A port of ip_local_port_range, chosen so that it cannot be foreseen (RFC 6056). When all are "
     "taken for one destination: EADDRNOTAVAIL; another destination can still be reached. A port "
     "that a listener holds cannot be bound: EADDRINUSE.",
     kPortsParameters, Ports},
};

}  // namespace

std::span<const Scenario> OpenRecordScenarios() { return kOpenRecordScenarios; }

}  // namespace estab::sim
