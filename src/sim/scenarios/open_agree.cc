// What two SYNs agree on.
#include <algorithm>

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kAgreeParameters[] = {
    {"a.tcp_timestamps", "1", "A offers timestamps"},
    {"b.tcp_timestamps", "1", "B offers them"},
    {"a.tcp_window_scaling", "1", "A offers window scaling"},
    {"b.tcp_window_scaling", "1", "B offers it"},
    {"a.tcp_sack", "1", "A offers selective acknowledgments"},
    {"b.tcp_sack", "1", "B offers them"},
    {"a.maxseg", "0", "TCP_MAXSEG of A; 0: from its MTU"},
    {"tos", "16", "IP_TOS of A"},
    kDelay,
};

constexpr std::uint32_t kMtu = 1500;
constexpr std::uint32_t kTimestampBytes = 12;

bool Offers(ScenarioContext& ctx, Side side, const char* what) {
  const std::string name = fmt::format("{}.{}", side == Side::kA ? "a" : "b", what);
  const std::string value = ctx.Value(name);
  ctx.host(side).Set(fmt::format("net.ipv4.{}", what), value);
  return value != "0";
}

struct Offer {
  bool timestamps, scaling, sack;
};

Offer OfferOf(ScenarioContext& ctx, Side side) {
  return {Offers(ctx, side, "tcp_timestamps"), Offers(ctx, side, "tcp_window_scaling"),
          Offers(ctx, side, "tcp_sack")};
}

// The order and padding of Linux.
std::string OrderOf(const Offer& offer) {
  std::string out = "mss";
  if (offer.sack && offer.timestamps) out += ", sackOK, TS";
  if (!offer.sack && offer.timestamps) out += ", nop, nop, TS";
  if (offer.sack && !offer.timestamps) out += ", nop, nop, sackOK";
  if (offer.scaling) out += ", nop, wscale";
  return out;
}

const SentSegment* FirstOf(const ScenarioContext& ctx, Side side, std::uint16_t flags) {
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == side && (s.segment.flags & (kSyn | kAck)) == flags) return &s;
  }
  return nullptr;
}

void ExpectAgreed(ScenarioContext& ctx, Side side, SocketId socket, const Offer& both) {
  const ConnectionInfo info = InfoOf(ctx, side, socket);
  const std::string name = observe::SideName(side);
  ctx.ExpectEqual(info.timestamps, both.timestamps, name + " uses timestamps if both offered them");
  ctx.ExpectEqual(info.window_scaling, both.scaling, name + " scales windows if both offered it");
  ctx.ExpectEqual(info.sack, both.sack, name + " uses SACK if both offered it");
}

void Negotiate(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Offer a = OfferOf(ctx, Side::kA);
  const Offer b = OfferOf(ctx, Side::kB);
  const Offer both{a.timestamps && b.timestamps, a.scaling && b.scaling, a.sack && b.sack};
  SocketOptions options;
  options.max_segment = static_cast<std::uint16_t>(ctx.Number("a.maxseg", 0, 1460));
  options.tos = static_cast<std::uint8_t>(ctx.Number("tos", 0, 252) & 0xfc);
  const Pair pair = Establish(ctx, options);
  const SentSegment* syn = FirstOf(ctx, Side::kA, kSyn);
  const SentSegment* syn_ack = FirstOf(ctx, Side::kB, kSyn | kAck);
  const SentSegment* ack = FirstOf(ctx, Side::kA, kAck);
  if (syn == nullptr || syn_ack == nullptr || ack == nullptr) return ctx.Fail("no handshake");
  ctx.ExpectEqual(syn->option_order, OrderOf(a), "A's options lie as Linux lays them");
  ctx.ExpectEqual(syn_ack->option_order, OrderOf(both), "B answers what it was offered only");
  const std::uint32_t own = options.max_segment == 0 ? kMtu - 40 : options.max_segment;
  ctx.ExpectEqual<std::uint32_t>(syn->options.mss, own, "A announces MTU-40, or TCP_MAXSEG");
  ctx.ExpectEqual<std::uint32_t>(syn_ack->options.mss, kMtu - 40, "B announces MTU-40");
  ExpectAgreed(ctx, Side::kA, pair.a, both);
  ExpectAgreed(ctx, Side::kB, pair.b, both);
  const std::uint32_t room = both.timestamps ? kTimestampBytes : 0;
  const ConnectionInfo at_b = InfoOf(ctx, Side::kB, pair.b);
  ctx.ExpectEqual(at_b.send_mss, own - room, "B sends as much as A announced, less the options");
  // The window of a SYN is never scaled; that of the first ACK is.
  const unsigned scale = both.scaling ? InfoOf(ctx, Side::kA, pair.a).receive_window_scale : 0;
  ctx.ExpectEqual<std::uint32_t>(at_b.send_window, std::uint32_t{ack->segment.window} << scale,
                                 "the window of A's first ACK is scaled");
  (void)ctx.a().Send(pair.a, "hello");
  ctx.Run(2 * d);
  for (const SentSegment& s : ctx.sent()) {
    if (s.from == Side::kA) ctx.ExpectEqual(s.tos, options.tos, "IP_TOS is on every segment");
  }
  ctx.CloseAndExpectNothingLeft();
}

void NegotiateV6(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const SocketId listener = ctx.b().Listen(kServerPort, 16, {}, true);
  const SocketId a = ctx.a().Connect(ctx.b().endpoint(kServerPort, true), kClientPort);
  ctx.Run(3 * d);
  const SocketId b = ctx.b().MustAccept(listener);
  const SentSegment* syn = FirstOf(ctx, Side::kA, kSyn);
  if (syn == nullptr) return ctx.Fail("no SYN");
  ctx.ExpectEqual<std::uint32_t>(syn->options.mss, kMtu - 60, "A announces MTU-60");
  const ConnectionInfo info = InfoOf(ctx, Side::kB, b);
  const std::uint32_t room = info.timestamps ? kTimestampBytes : 0;
  ctx.ExpectEqual(info.send_mss, kMtu - 60 - room, "B sends that, less the options");
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  ctx.CloseAndExpectNothingLeft();
}

// A SYN|ACK without any option: nothing is agreed, and segments of 536 bytes are assumed.
void NothingAgreed(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  ctx.TakeOver(Side::kB);
  ctx.PlayState(Side::kB, State::kListen, "played: an old host without options");
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.RunUntil(d);
  ctx.PlayState(Side::kB, State::kSynRcvd, "played");
  Play(ctx, Side::kB, Craft(kSyn | kAck, 5000, Numbered(ctx, Side::kA, 1)));
  ctx.RunUntil(3 * d);
  const ConnectionInfo info = InfoOf(ctx, Side::kA, a);
  ctx.ExpectEqual(info.send_mss, 536u, "536 bytes are assumed (IPv4)");
  ctx.Expect(!info.timestamps && !info.window_scaling && !info.sack, "nothing is agreed");
  ctx.ExpectEqual(info.send_window, 65535u, "B's window is not scaled");
  ctx.PlayState(Side::kB, State::kEstablished, "played");
  (void)ctx.a().Send(a, std::string(700, 'x'));
  ctx.Run(2 * d);
  ctx.ExpectSent({3 * d, "A . seq=x+1 ack=y+1 len=536"});
  ctx.CloseAndExpectNothingLeft();
}

// Data without the timestamp that was agreed on: taken, or, by RFC 7323's letter, dropped.
void MissingTimestamp(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  const bool agreed = InfoOf(ctx, Side::kB, pair.b).timestamps;
  ctx.RunUntil(200ms);
  ctx.Note("data without a timestamp");
  Forge(ctx, Side::kA,
        Craft(kAck | kPsh, Numbered(ctx, Side::kA, 1), Numbered(ctx, Side::kB, 1), "bare"));
  ctx.RunUntil(400ms);
  const bool dropped = agreed && ctx.Profile() == "rfc";
  if (dropped) {
    ctx.ExpectError(ctx.b().Read(pair.b), Error::kWouldBlock, "recv of B");
  } else {
    ctx.ExpectData(ctx.b().Read(pair.b), "bare", "recv of B");
  }
  ctx.Note("a reset without a timestamp");
  Forge(ctx, Side::kA, Craft(kRst, Numbered(ctx, Side::kA, dropped ? 1 : 5)));
  ctx.Run(2 * d);
  ctx.ExpectState(Side::kB, pair.b, State::kClosed);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kAgreeVariants[] = {
    {"over IPv6", false, NegotiateV6},
    {"with a host that knows no options", false, NothingAgreed},
    {"a segment without the agreed timestamp", false, MissingTimestamp}};

constexpr Scenario kOpenAgreeScenarios[] = {
    {"open/negotiate", "what two SYNs agree on",
     "Window scaling, timestamps and SACK are used only if both SYNs carried them (RFC 7323, "
     "2018). "
     "The maximum segment size is each direction's own: MTU-40 is announced (IPv6: MTU-60), 536 "
     "(1220) assumed where nothing is said. The window of a SYN is never scaled. Options lie in "
     "Linux's order; IP_TOS is on every segment, the SYN included.",
     kAgreeParameters, Negotiate, "as the parameters say", kAgreeVariants},
};

}  // namespace

std::span<const Scenario> OpenAgreeScenarios() { return kOpenAgreeScenarios; }

}  // namespace estab::sim
