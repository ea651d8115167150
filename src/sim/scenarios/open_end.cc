// Opening that is given up, taken back, or asked of the wrong one.
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

// --- open/close-while-opening --------------------------------------------------------------------

void ClosedInSynSent(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.b().Listen(kServerPort);
  const Endpoint server = ctx.b().endpoint(kServerPort);
  const SocketId a = ctx.a().Connect(server, kClientPort);
  ctx.ExpectError(ctx.a().ConnectAgain(a, server), Error::kAlready, "connect in SYN_SENT");
  ctx.RunUntil(d);
  (void)ctx.a().Close(a);
  ctx.RunUntil(4 * d);
  // Nothing on the wire, and the SYN|ACK that comes is answered with a reset.
  ctx.ExpectWire({{0ms, "A S seq=x"}, {d, "B S. seq=y ack=x+1"}, {2 * d, "A R seq=x+1"}});
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kClosed});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kListen});
  ctx.ExpectNothingLeft();
}

// Both SYNs cross, so A is in SYN_RCVD with a handle of its own when it closes.
void ClosedInSynRcvd(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.TakeOver(Side::kB);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.PlayState(Side::kB, State::kSynSent, "played: its SYN crosses A's");
  Play(ctx, Side::kB, Craft(kSyn, 5000));
  ctx.RunUntil(d + d / 2);
  ctx.ExpectState(Side::kA, a, State::kSynRcvd);
  (void)ctx.a().Close(a);
  ctx.RunUntil(2 * d);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kSynRcvd, State::kFinWait1});
  Play(ctx, Side::kB, Craft(kAck, 5001, Numbered(ctx, Side::kA, 1)));
  ctx.RunUntil(4 * d);
  ctx.ExpectSent({d, "A S. seq=x ack=y+1"});
  ctx.ExpectCount(Side::kA, kRst, 0);
  const std::vector<SentSegment>& sent = ctx.sent();
  std::size_t fins = 0;
  for (const SentSegment& s : sent) fins += s.text.starts_with("A F. seq=x+1 ack=y+1") ? 1 : 0;
  ctx.Expect(fins == 1, "the FIN follows the handshake");
  ctx.CloseAndExpectNothingLeft();
}

void ConnectTwice(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.ExpectError(ctx.a().ConnectAgain(pair.a, ctx.b().endpoint(kServerPort)), Error::kIsConnected,
                  "connect in ESTABLISHED");
  // Reset before anybody has accepted it.
  const SocketId early = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1);
  ctx.RunUntil(7 * d);
  (void)ctx.a().Abort(early);
  ctx.RunUntil(9 * d);
  const auto accepted = ctx.b().Accept(pair.listener);
  if (accepted) {
    ctx.ExpectError(ctx.b().TakeError(*accepted), Error::kConnectionReset,
                    "the connection that was reset before accept");
  }
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kClosingVariants[] = {
    {"closed in SYN_RCVD", false, ClosedInSynRcvd},
    {"connected twice; reset before accept", false, ConnectTwice}};

// --- open/listener-close -------------------------------------------------------------------------

constexpr Parameter kListenerParameters[] = {
    {"syn-count", "2", "TCP_SYNCNT of the listener: repeats of its SYN|ACKs"},
    {"queued", "2", "connections that nobody has accepted"},
    kRtoInitial,
    kDelay,
};

void ListenerClose(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const auto queued = static_cast<std::size_t>(ctx.Number("queued", 1, 8));
  SocketOptions options;
  options.syn_count = static_cast<std::uint8_t>(ctx.Number("syn-count", 1, 10));
  const SocketId listener = ctx.b().Listen(kServerPort, 16, options);
  std::vector<SocketId> a;
  for (std::size_t i = 0; i < queued; ++i) {
    a.push_back(ctx.a().Connect(ctx.b(), kServerPort, static_cast<std::uint16_t>(kClientPort + i)));
  }
  ctx.RunUntil(4 * d);
  ctx.Fault("drop every RST from A");  // that it knows nothing of what is forged in its name
  const auto half = ctx.a().endpoint(kClientPort + 100);
  ctx.Inject(Side::kB, half, ctx.b().endpoint(kServerPort), Craft(kSyn, 1000), d);
  ctx.RunUntil(8 * d);
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 1u, "one is half-open");
  (void)ctx.b().Close(listener);
  const Duration closed = ctx.now();
  ctx.RunUntil(closed + 2 * d);
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 0u, "the half-open one is forgotten");
  ctx.ExpectEqual(ctx.b().stack().Counters().sockets, 0u, "and the queued ones are gone");
  for (const SocketId socket : a) {
    ctx.ExpectState(Side::kA, socket, State::kClosed);
    ctx.ExpectError(ctx.a().TakeError(socket), Error::kConnectionReset, "SO_ERROR of A");
  }
  std::size_t resets = 0;
  for (const SentSegment& s : ctx.sent()) {
    const bool reset = s.from == Side::kB && (s.segment.flags & kRst) != 0;
    resets += reset && s.at == closed ? 1 : 0;
  }
  ctx.ExpectEqual(resets, queued, "each queued connection is reset, the half-open one is not");
  ctx.ExpectNothingLeft();
}

// What the listener was told holds for what it accepts.
void Inherited(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  SocketOptions options;
  options.syn_count = static_cast<std::uint8_t>(ctx.Number("syn-count", 1, 10));
  options.keepalive = true;
  options.keepalive_idle = 77;
  options.no_delay = true;
  options.user_timeout_ms = 4321;
  const Pair pair = Establish(ctx, {}, options);
  const auto got = ctx.b().stack().GetOptions(pair.b);
  ctx.Expect(got && got->keepalive && got->keepalive_idle == 77 && got->no_delay &&
                 got->user_timeout_ms == 4321,
             "the accepted socket has the listener's options");
  ctx.Note("a SYN from somebody who never answers");
  ctx.Inject(Side::kB, ctx.a().endpoint(kClientPort + 100), ctx.b().endpoint(kServerPort),
             Craft(kSyn, 1000), d);
  const Duration begin = ctx.now() + d;
  ctx.Fault("drop every RST from A");
  const Duration rto = ctx.SettingNumber("estab.tcp_rto_initial") * 1ms;
  const Schedule repeats = Repeats(ctx, options.syn_count, rto);
  ctx.RunUntil(begin + repeats.end + 1ms);
  std::vector<Duration> times{d};
  for (const Duration at : repeats.at) times.push_back(begin + at);
  ctx.ExpectTimes(Side::kB, kSyn | kAck, times);
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 0u, "then the record is dropped");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kListenerVariants[] = {{"what is inherited from a listener", false, Inherited}};

// --- open/bad-segments ---------------------------------------------------------------------------

void BadInSynSent(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.TakeOver(Side::kB);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.Run(0ms);
  const std::uint32_t x = ctx.Isn(Side::kA);
  ctx.RunUntil(2 * d);
  ctx.Note("an ACK of what was never sent");
  Forge(ctx, Side::kB, Craft(kAck, 5000, x + 100));
  ctx.RunUntil(6 * d);
  ctx.Note("a reset without ACK");
  Forge(ctx, Side::kB, Craft(kRst, 5000));
  ctx.RunUntil(10 * d);
  ctx.Note("a reset that acknowledges something else");
  Forge(ctx, Side::kB, Craft(kRst | kAck, 5000, x + 100));
  ctx.RunUntil(14 * d);
  std::vector<ExpectedSegment> wire{{0ms, "A S seq=x"}, {3 * d, "A R seq=x+100"}};
  if (const Duration again = SynAgain(ctx, 0ms, 3 * d); again <= ctx.now()) {
    wire.push_back({again, "A S seq=x"});
  }
  ctx.ExpectWire(wire);
  ctx.ExpectState(Side::kA, a, State::kSynSent);
  ctx.CloseAndExpectNothingLeft();
}

void BadInListen(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.b().Listen(kServerPort);
  ctx.TakeOver(Side::kA);
  Duration at{};
  const auto next = [&](const char* what) {
    ctx.RunUntil(at);
    ctx.Note(what);
    at += 3 * d;
  };
  next("an ACK");
  Forge(ctx, Side::kA, Craft(kAck, 1000, 7000));
  next("a reset");
  Forge(ctx, Side::kA, Craft(kRst, 1000));
  next("SYN and FIN at once");
  Forge(ctx, Side::kA, Craft(kSyn | kFin, 1000));
  const Endpoint server = ctx.b().endpoint(kServerPort);
  next("SYNs from a multicast, the broadcast and B's own address");
  for (const std::uint32_t source : {0xe0000001u, 0xffffffffu, 0xc0000202u}) {
    ctx.Inject(Side::kB, {IpAddress::V4(source), kClientPort}, server, Craft(kSyn, 1000), d);
  }
  next("SYNs to a multicast and to the broadcast address");
  for (const std::uint32_t target : {0xe0000001u, 0xffffffffu, 0xc00002ffu}) {
    ctx.Inject(Side::kB, ctx.a().endpoint(kClientPort), {IpAddress::V4(target), kServerPort},
               Craft(kSyn, 1000), d);
  }
  ctx.RunUntil(at);
  ctx.ExpectWire({{d, "B R seq=7000"}});
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 0u, "no record was made");
  ctx.ExpectNothingLeft();
}

void BadInSynRcvd(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort);
  ctx.TakeOver(Side::kA);
  Play(ctx, Side::kA, Craft(kSyn, 1000));
  ctx.RunUntil(3 * d);
  ctx.Note("an ACK of another SYN|ACK than B's");
  const std::uint32_t y = ctx.Isn(Side::kB);
  Forge(ctx, Side::kA, Craft(kAck, 1001, y + 100));
  ctx.RunUntil(6 * d);
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 1u, "the record survives");
  Play(ctx, Side::kA, Craft(kAck, 1001, y + 1));
  ctx.RunUntil(8 * d);
  ctx.ExpectWire({{0ms, "A S seq=x"},
                  {d, "B S. seq=y ack=x+1"},
                  {4 * d, "B R seq=y+100"},
                  {6 * d, "A . seq=x+1 ack=y+1"}});
  (void)ctx.b().MustAccept(listener);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kBadVariants[] = {{"in LISTEN", false, BadInListen},
                                    {"in SYN_RCVD", false, BadInSynRcvd}};

// --- open/self-connect ---------------------------------------------------------------------------

void SelfConnect(ScenarioContext& ctx) {
  UseDelay(ctx);
  const Endpoint own = ctx.a().endpoint(kClientPort);
  const SocketId a = ctx.a().Connect(own, kClientPort);
  ctx.Run(1s);
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  ctx.ExpectEqual(ctx.a().stack().Counters().sockets, 1u, "there is one socket");
  (void)ctx.a().Send(a, "to myself");
  ctx.Run(1s);
  ctx.ExpectData(ctx.a().Read(a), "to myself", "recv of A");
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kSynRcvd, State::kEstablished});
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kOpenEndScenarios[] = {
    {"open/close-while-opening", "close before the peer has answered",
     "Closing in SYN_SENT puts nothing on the wire; the SYN|ACK that comes later finds nobody and "
     "is answered with a reset. Closing in SYN_RCVD sends a FIN after the handshake. A second "
     "connect says EALREADY while the first is under way and EISCONN afterwards. A connection that "
     "is reset before it was accepted says so to whoever accepts it (RFC 9293 §3.10.4).",
     kDelayOnly, ClosedInSynSent, "closed in SYN_SENT", kClosingVariants},
    {"open/listener-close", "the listener is closed",
     "Connections that wait in its queue are reset; half-open ones, whom nobody has promised "
     "anything, are forgotten without a word. What it accepted inherits its options; TCP_SYNCNT on "
     "a listener says how often its SYN|ACKs are repeated.",
     kListenerParameters, ListenerClose, "what is in its queues", kListenerVariants},
    {"open/bad-segments", "segments that open nothing",
     "In SYN_SENT an ACK of what was never sent draws a reset, and a reset that does not "
     "acknowledge our SYN proves nothing. In LISTEN an ACK draws a reset; resets, SYN|FIN, and "
     "SYNs "
     "from or to many at once are dropped. In SYN_RCVD the ACK of another SYN draws a reset, and "
     "the record survives (RFC 9293 §3.10.7.2 to §3.10.7.4).",
     kDelayOnly, BadInSynSent, "in SYN_SENT", kBadVariants},
    {"open/self-connect", "a socket connected to itself",
     "A socket that connects to its own address and port gets its own SYN: a simultaneous open "
     "with "
     "itself. What it writes it reads, as on Linux.",
     kDelayOnly, SelfConnect},
};

}  // namespace

std::span<const Scenario> OpenEndScenarios() { return kOpenEndScenarios; }

}  // namespace estab::sim
