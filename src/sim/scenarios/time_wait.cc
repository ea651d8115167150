// TIME_WAIT.
#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"
#include "sim/scenarios/time_wait_without.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

// A (or B) closes, the other side follows; returns when the last ACK is sent.
Duration CloseBoth(ScenarioContext& ctx, const Pair& pair, Side first, Duration d) {
  ctx.RunUntil(kClose);
  const SocketId own = first == Side::kA ? pair.a : pair.b;
  const SocketId peer = first == Side::kA ? pair.b : pair.a;
  (void)ctx.host(first).Close(own);
  const Duration last = kClose + 200ms;
  ctx.RunUntil(last);
  ctx.ExpectData(ctx.host(Other(first)).Read(peer), "", "recv of the other side");
  (void)ctx.host(Other(first)).Close(peer);
  ctx.RunUntil(last + 2 * d);
  ctx.ExpectTransition(first, State::kFinWait2, State::kTimeWait, last + d);
  return last + d;
}

void TwoMslScenario(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  const Duration from = CloseBoth(ctx, pair, Side::kA, d);
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 1u, "A holds one TIME_WAIT record");
  ctx.ExpectEqual(ctx.a().stack().Counters().sockets, 0u, "and no connection");
  ctx.ExpectEqual(ctx.b().stack().Counters().time_wait, 0u, "B holds none");
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, from + d);
  ctx.RunUntil(from + TwoMsl(ctx) - 1ms);
  ctx.ExpectState(Side::kA, State::kTimeWait);
  ctx.RunUntil(from + TwoMsl(ctx));
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed, from + TwoMsl(ctx));
  ctx.ExpectWire(Then(Handshake(d), {{kClose, "A F. seq=x+1 ack=y+1"},
                                     {kClose + d + kFinAckWait, "B . seq=y+1 ack=x+2"},
                                     {kClose + 200ms, "B F. seq=y+1 ack=x+2"},
                                     {kClose + 200ms + d, "A . seq=x+2 ack=y+2"}}));
  ctx.ExpectNothingLeft();
}

constexpr Parameter kOldDataParameters[] = {
    {"after", "10s", "how long after the last ACK the old segment comes"},
    kWithoutTimeWait,
    {"tcp_rfc1337", "1", "1: no reset ends TIME_WAIT; 0, the stack's default: an exact one does",
     "net.ipv4.tcp_rfc1337"},
    kDelay,
    kMsl,
};

void OldData(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration after = ctx.Span("after", 100ms, TwoMsl(ctx) - 100ms);
  const Pair pair = Establish(ctx);
  (void)ctx.b().Send(pair.b, "old");
  ctx.Run(4 * d);
  ctx.ExpectData(ctx.a().Read(pair.a), "old", "recv of A");
  const Duration from = CloseBoth(ctx, pair, Side::kA, d);
  ctx.RunUntil(from + after - d);
  wire::Segment old;
  old.flags = kAck | kPsh;
  old.seq = ctx.Isn(Side::kB) + 1;
  old.ack = ctx.Isn(Side::kA) + 1;
  old.window = 502;
  const char data[] = {'o', 'l', 'd'};
  old.payload = std::as_bytes(std::span(data));
  ctx.Note("a copy of the data was on its way all the time");
  ctx.Inject(Side::kA, ctx.b().endpoint(kServerPort), ctx.a().endpoint(kClientPort),
             Stamped(ctx, Side::kB, old), d);
  ctx.RunUntil(from + after + TwoMsl(ctx));
  ctx.ExpectSent({from + after, "A . seq=x+2 ack=y+5"});
  // B has forgotten the connection, and its reset is exact: RFC 1337's assassination.
  ctx.ExpectSent({from + after + d, "B R seq=y+5"});
  const bool dies = ctx.SettingNumber("net.ipv4.tcp_rfc1337") == 0;
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed,
                       from + after + (dies ? 2 * d : TwoMsl(ctx)));
  ctx.ExpectNothingLeft();
}

constexpr Parameter kFourTupleParameters[] = {kDelay, kMsl};

void FourTuple(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  const Duration from = CloseBoth(ctx, pair, Side::kA, d);
  const Endpoint server = ctx.b().endpoint(kServerPort);
  ctx.RunUntil(from + 1s);
  const auto again = [&]() -> Result<void> {
    const auto socket = ctx.a().stack().Open(false);
    if (!socket) return std::unexpected(socket.error());
    const Endpoint local = ctx.a().endpoint(kClientPort);
    Result<void> result = ctx.a().stack().Bind(*socket, local);
    if (result) result = ctx.a().stack().Connect(ctx.world().now(), *socket, server);
    (void)ctx.a().stack().Abort(ctx.world().now(), *socket);
    return result;
  }();
  const bool taken = !again && (again.error() == Error::kAddressInUse ||
                                again.error() == Error::kAddressNotAvailable);
  ctx.Expect(taken, "the same four-tuple cannot be opened (EADDRINUSE or EADDRNOTAVAIL)");
  ctx.PlayCall(Side::kA, fmt::format("connect() from port {}", kClientPort),
               again ? "ok" : std::string(observe::ErrnoName(again.error())));
  ctx.Note("and from another port:", Side::kA);
  const SocketId other = ctx.a().Connect(server, kClientPort + 1);
  ctx.Run(3 * d);
  ctx.ExpectState(Side::kA, other, State::kEstablished);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kReopenParameters[] = {
    {"after", "10s", "how long after the last ACK the client comes back"}, kDelay, kMsl};

void Reopen(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration after = ctx.Span("after", 100ms, TwoMsl(ctx) - 100ms);
  const Pair pair = Establish(ctx);
  // The server closes first, and so it is the server that waits.
  const Duration from = CloseBoth(ctx, pair, Side::kB, d);
  const std::uint32_t x = ctx.Isn(Side::kA);
  const std::uint32_t y = ctx.Isn(Side::kB);
  ctx.ExpectEqual(ctx.b().stack().Counters().time_wait, 1u, "B holds one TIME_WAIT record");
  const Duration at = from + after;
  ctx.RunUntil(at);
  ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.RunUntil(at + 3 * d);
  ctx.ExpectSent({at, "A S seq=x'"});
  ctx.ExpectSent({at + d, "B S. seq=y' ack=x'+1"});
  ctx.ExpectSent({at + 2 * d, "A . seq=x'+1 ack=y'+1"});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished});
  ctx.ExpectEqual(ctx.b().stack().Counters().time_wait, 0u, "the record has made way");
  ctx.Expect(static_cast<std::int32_t>(ctx.Isn(Side::kA) - x) > 2,
             "A's ISN lies beyond the old one");
  ctx.Expect(static_cast<std::int32_t>(ctx.Isn(Side::kB) - y) > 2,
             "B's ISN lies beyond the old one");
  (void)ctx.b().MustAccept(pair.listener);
  ctx.CloseAndExpectNothingLeft();
}

// The port of a listener that closed its connections first, and is itself closed.
void ServersPort(ScenarioContext& ctx, bool reuse) {
  const Duration d = UseDelay(ctx);
  SocketOptions options;
  options.reuse_address = reuse;
  const Pair pair = Establish(ctx, {}, options);
  (void)CloseBoth(ctx, pair, Side::kB, d);
  (void)ctx.b().Close(pair.listener);
  const SocketId again = ctx.b().Open();
  if (reuse) ctx.Note("SO_REUSEADDR, on the old and on the new socket", Side::kB);
  (void)ctx.b().SetOptions(again, options);
  const auto bound = ctx.b().Bind(again, {IpAddress::AnyV4(), kServerPort});
  if (reuse) {
    ctx.Expect(bound.has_value(), "with SO_REUSEADDR the port can be bound again");
  } else {
    ctx.ExpectError(bound, Error::kAddressInUse, "bind of B");
  }
  ctx.CloseAndExpectNothingLeft();
}

void ServersPortTaken(ScenarioContext& ctx) { ServersPort(ctx, false); }
void ServersPortReused(ScenarioContext& ctx) { ServersPort(ctx, true); }

// Without timestamps the sequence number tells new from old.
void ReopenByNumber(ScenarioContext& ctx) {
  ctx.a().Set("net.ipv4.tcp_timestamps", "0");
  Reopen(ctx);
}

// A SYN older than the record: answered with an ACK, whatever its number.
void ReopenByOldSyn(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration after = ctx.Span("after", 100ms, TwoMsl(ctx) - 100ms);
  const Pair pair = Establish(ctx);
  const Duration from = CloseBoth(ctx, pair, Side::kB, d);
  const bool stamped = ctx.sent().front().options.has_timestamp;
  const std::uint32_t stamp = ctx.sent().front().options.ts_value;
  ctx.RunUntil(from + 10 * d);
  ctx.TakeOver(Side::kA);
  ctx.RunUntil(from + after);
  wire::Segment old = Craft(kSyn, Numbered(ctx, Side::kA, stamped ? 100'000 : -100'000));
  old.options.has_timestamp = stamped;
  old.options.ts_value = stamp - 1000;
  ctx.Note("a SYN that is older than the connection");
  Forge(ctx, Side::kA, old);
  ctx.Run(2 * d);
  ctx.ExpectSent({from + after + d, "B . seq=y+2 ack=x+2"});
  ctx.ExpectState(Side::kB, State::kTimeWait);
  // An old SYN does not restart 2 MSL; on Linux one with an old timestamp does.
  const bool restarts = stamped && ctx.Profile() == "linux";
  const Duration end = (restarts ? from + after + d : from) + TwoMsl(ctx);
  ctx.RunUntil(end + 1ms);
  ctx.ExpectTransition(Side::kB, State::kTimeWait, State::kClosed, end);
  ctx.ExpectNothingLeft();
}

// The listener is gone: an ACK, the client's reset, which ends the record, and then a refusal.
void ReopenUnheard(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration after = ctx.Span("after", 100ms, TwoMsl(ctx) - 100ms);
  const Pair pair = Establish(ctx);
  const Duration from = CloseBoth(ctx, pair, Side::kB, d);
  (void)ctx.b().Close(pair.listener);
  const Duration at = from + after;
  ctx.RunUntil(at);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  const Duration again = SynAgain(ctx, at, at + 2 * d);
  ctx.RunUntil(again + 3 * d);
  ctx.ExpectSent({at + d, "B . seq=y+2 ack=x+2"});
  ctx.ExpectSent({at + 2 * d, "A R seq=x+2"});
  if (ctx.SettingNumber("net.ipv4.tcp_rfc1337") == 0) {
    ctx.ExpectTransition(Side::kB, State::kTimeWait, State::kClosed, at + 3 * d);
    ctx.ExpectSent({again + d, "B R. seq=0 ack=x'+1"});
    ctx.ExpectError(ctx.a().TakeError(a), Error::kConnectionRefused, "connect of A");
  }
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kOldDataVariants[] = {
    {"without TIME_WAIT (counterfactual)", true, OldDataTaken, "time-wait", "0"}};
constexpr Variant kFourTupleVariants[] = {
    {"the server's port", false, ServersPortTaken},
    {"the server's port, with SO_REUSEADDR", false, ServersPortReused}};
constexpr Variant kReopenVariants[] = {{"without timestamps", false, ReopenByNumber},
                                       {"by an old SYN", false, ReopenByOldSyn},
                                       {"when nobody listens any more", false, ReopenUnheard}};

constexpr Scenario kTimeWaitScenarios[] = {
    {"time-wait/2msl", "the side that closes first waits 2 MSL",
     "After the last ACK A keeps a small record of the connection for twice the lifetime of a "
     "segment: long enough to answer a repeated FIN, and until every old duplicate is dead. B, who "
     "got the ACK, is CLOSED at once (RFC 9293 §3.6.1).",
     kDelayAndMsl, TwoMslScenario},
    {"time-wait/old-data", "a delayed segment of the old connection",
     "It meets the record: answered with an ACK, delivered to nobody, and the 2 MSL begin anew. "
     "Without TIME_WAIT a new connection on the same four-tuple may take it for its own: shown "
     "with "
     "a B whose every connection begins at 0, as old hosts' did. B, who "
     "has forgotten everything, answers the ACK with a reset; with tcp_rfc1337=1 that ends nothing "
     "(RFC 9293 §3.10.7.4, RFC 1337).",
     kOldDataParameters, OldData, "with TIME_WAIT, as it is", kOldDataVariants},
    {"time-wait/four-tuple", "the four-tuple is taken, the port is not",
     "While the record lives the same four-tuple cannot be opened; another local port can. A port "
     "that it holds can be listened at again only with SO_REUSEADDR on both sockets, as on Linux.",
     kFourTupleParameters, FourTuple, "the client's four-tuple", kFourTupleVariants},
    {"time-wait/reopen", "a newer SYN for the same four-tuple",
     "The server closed first, so it holds the record when the client comes back from the same "
     "port. The SYN's timestamp is later than anything of the old connection, so it cannot be an "
     "old duplicate: the record makes way, with an ISN beyond the old one's (RFC 9293 §3.6.1, "
     "RFC 6191).",
     kReopenParameters, Reopen, "by a newer SYN", kReopenVariants},
};

}  // namespace

std::span<const Scenario> TimeWaitScenarios() { return kTimeWaitScenarios; }

}  // namespace estab::sim
