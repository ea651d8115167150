// Opening as it might have been: what stands beside the handshake of three segments.
#include "sim/scenarios/open_beside.h"
#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {

using namespace std::chrono_literals;

// Drawn by hand: no stack sends its SYN and its ACK apart.
void FourSegments(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  constexpr std::uint32_t kX = 1000;
  constexpr std::uint32_t kY = 5000;
  ctx.TakeOver(Side::kA);
  ctx.TakeOver(Side::kB);
  ctx.PlayState(Side::kB, State::kListen, "played");
  ctx.PlayCall(Side::kA, "connect()", "EINPROGRESS");
  ctx.PlayState(Side::kA, State::kSynSent, "played");
  Play(ctx, Side::kA, Craft(kSyn, kX));
  ctx.Run(d);
  ctx.PlayState(Side::kB, State::kSynRcvd, "played: ACK and SYN go apart");
  Play(ctx, Side::kB, Craft(kSyn, kY));
  Play(ctx, Side::kB, Craft(kAck, kY + 1, kX + 1));
  ctx.Run(d);
  ctx.PlayState(Side::kA, State::kEstablished, "played");
  Play(ctx, Side::kA, Craft(kAck, kX + 1, kY + 1));
  ctx.Run(d);
  ctx.PlayState(Side::kB, State::kEstablished, "played");
  ctx.ExpectWire({{0ms, "A S seq=x"},
                  {d, "B . seq=y+1 ack=x+1"},
                  {d, "B S seq=y"},
                  {2 * d, "A . seq=x+1 ack=y+1"}});
  ctx.Say(fmt::format("{} segments, and nobody is ESTABLISHED a moment sooner than with three",
                      ctx.sent().size()));
}

namespace {

constexpr Parameter kNotTwoParameters[] = {
    {"handshake", "2", "2: beside it, what two segments would do; 3: only as it is"},
    {"ghosts", "2", "how many old SYNs arrive"},
    {"peer", "gone", "the client that they claim to come from is gone, or alive"},
    {"tcp_synack_retries", "2", "repeats of a SYN|ACK", "net.ipv4.tcp_synack_retries"},
    {"tcp_retries2", "3", "unanswered repeats of data", "net.ipv4.tcp_retries2"},
    kDelay,
    kRtoInitial,
    kRtoMin,
};

std::uint16_t GhostPort(std::int64_t i) { return static_cast<std::uint16_t>(kClientPort + i); }

// Old SYNs of connections long past reach B, 100 ms apart.
void SendGhosts(ScenarioContext& ctx, std::int64_t ghosts, bool gone) {
  if (gone) ctx.a().Crash();
  for (std::int64_t i = 0; i < ghosts; ++i) {
    ctx.At(i * 100ms, [&ctx, i] {
      if (i == 0) ctx.Note("old SYNs turn up: ghosts");
      ctx.Inject(Side::kB, ctx.a().endpoint(GhostPort(i)), ctx.b().endpoint(kServerPort),
                 Craft(kSyn, 1000), ctx.world().path(Side::kA).config().delay);
    });
  }
}

std::size_t SentBy(const ScenarioContext& ctx, Side side) {
  std::size_t count = 0;
  for (const SentSegment& s : ctx.sent()) count += s.from == side ? 1 : 0;
  return count;
}

void ThreeMeetsGhosts(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::int64_t ghosts = ctx.Number("ghosts", 1, 20);
  const bool gone = ctx.Value("peer") == "gone";
  ctx.Number("handshake", 2, 3);  // what else there is stands beside, or does not
  const SocketId listener = ctx.b().Listen(kServerPort);
  SendGhosts(ctx, ghosts, gone);
  const Schedule repeats = SynAckRepeats(ctx);
  const Duration last = (ghosts - 1) * 100ms;
  ctx.RunUntil(last + 2 * d - 1ms);
  ctx.ExpectEqual(ctx.b().stack().Counters().sockets, 1u, "B holds no TCB but its listener's");
  ctx.RunUntil(last + d + repeats.end + 1ms);
  ctx.ExpectError(ctx.b().Accept(listener), Error::kWouldBlock, "accept of B");
  ctx.ExpectEqual(ctx.b().stack().Counters().connections_accepted, std::uint64_t{0},
                  "no ghost was ever accepted");
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 0u, "the half-open records are gone");
  const std::size_t each = gone ? repeats.at.size() : 1;
  ctx.ExpectCount(Side::kB, kSyn | kAck, static_cast<std::size_t>(ghosts) * each);
  ctx.Say(fmt::format("B: 0 TCBs, {} segments, and the application has noticed nothing",
                      SentBy(ctx, Side::kB)));
  ctx.ExpectNothingLeft();
}

// The third segment is imagined: as soon as B's SYN|ACK is out, B believes it acknowledged, which
// is just what a handshake of two would mean. All the rest is the engine as it is.
class ThirdImagined : public Tap {
 public:
  explicit ThirdImagined(ScenarioContext& ctx) : ctx_(ctx) {
    ctx.world().AddTap(*this);
    ctx.ladder().Explain("syn-rcvd-ack", "counterfactual: open on the SYN", "");
  }
  ~ThirdImagined() { ctx_.world().RemoveTap(*this); }
  void OnPacket(const PacketReport& report) override {
    if (report.view == nullptr || report.from != Side::kB) return;
    const SegmentSummary& s = report.view->segment;
    if ((s.flags & (kSyn | kAck)) != (kSyn | kAck)) return;
    const Endpoint to = report.view->source;
    const Endpoint from = report.view->destination;
    const wire::Segment ack = Craft(kAck, s.ack, s.seq + 1);
    ctx_.At(ctx_.now(), [this, to, from, ack] { ctx_.Imagine(Side::kB, from, to, ack); });
  }

 private:
  ScenarioContext& ctx_;
};

void TwoMeetsGhosts(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::int64_t ghosts = ctx.Number("ghosts", 1, 20);
  const bool gone = ctx.Value("peer") == "gone";
  const SocketId listener = ctx.b().Listen(kServerPort);
  ThirdImagined imagined(ctx);
  SendGhosts(ctx, ghosts, gone);
  std::vector<SocketId> accepted;
  for (std::int64_t i = 0; i < ghosts; ++i) {
    ctx.RunUntil(i * 100ms + d);
    accepted.push_back(ctx.b().MustAccept(listener));
    (void)ctx.b().Send(accepted.back(), "220 welcome");
  }
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, (ghosts - 1) * 100ms + d);
  const auto wasted = static_cast<std::uint32_t>(ghosts);
  if (gone) {
    ctx.ExpectEqual(ctx.b().stack().Counters().sockets, wasted + 1, "a TCB for every ghost");
  }
  ctx.RunUntilIdle(24h);
  for (const SocketId socket : accepted) {
    ctx.ExpectError(ctx.b().TakeError(socket), gone ? Error::kTimedOut : Error::kConnectionReset,
                    "SO_ERROR of B");
    ctx.ExpectState(Side::kB, socket, State::kClosed);
  }
  std::size_t data = 0;
  for (const SentSegment& s : ctx.sent()) {
    data += s.from == Side::kB && s.segment.length != 0 ? 1 : 0;
  }
  if (gone) {
    const auto repeats = static_cast<std::size_t>(ctx.SettingNumber("net.ipv4.tcp_retries2"));
    ctx.Expect(data >= wasted * (repeats + 1), "the data was sent in vain, again and again");
  }
  ctx.Say(
      fmt::format("B: {} TCBs for nobody, {} segments, {} of them data into nothing; the "
                  "application has talked to ghosts for {}",
                  ghosts, SentBy(ctx, Side::kB), data, observe::SpanText(ctx.now())));
  ctx.ExpectNothingLeft();
}

constexpr Variant kNotTwoVariants[] = {
    {"with two segments (counterfactual)", true, TwoMeetsGhosts, "handshake", "2"}};

constexpr Scenario kOpenBesideScenarios[] = {
    {"open/why-not-two", "why two segments are not enough to open",
     "A SYN proves nothing: it may be a ghost, a duplicate of a connection long past. With three "
     "segments B keeps a small record, asks back with its SYN|ACK, and drops it when nobody "
     "confirms; the application hears nothing. If B were ESTABLISHED on the SYN alone it would "
     "have "
     "a whole connection for every ghost, its application would accept it and send data into "
     "nothing, again and again (RFC 9293 §3.5). In the counterfactual run the third segment is "
     "imagined by the script; all the rest is the engine as it is.",
     kNotTwoParameters, ThreeMeetsGhosts, "with three segments, as it is", kNotTwoVariants},
};

}  // namespace

std::span<const Scenario> OpenBesideScenarios() { return kOpenBesideScenarios; }

}  // namespace estab::sim
