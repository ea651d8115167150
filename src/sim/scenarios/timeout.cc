// Limits on waiting, as a blocking call has them: SO_SNDTIMEO and SO_RCVTIMEO. What the calls wait
// for is the stack's; that they stop waiting is played here as src/api does it.
#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kConnectParameters[] = {
    {"timeout", "2500ms", "SO_SNDTIMEO of A's socket"}, kRtoInitial, kSynRetries, kLinear, kDelay,
};

void ConnectTimeout(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration timeout = ctx.Span("timeout", 4 * d, 60s);
  const bool goes_on = ctx.Profile() == "linux";
  const SocketId listener = ctx.b().Listen(kServerPort);
  ctx.Fault(fmt::format("delay the 1st SYN|ACK from B by {}us", timeout / 1us));
  if (SynAckRepeats(ctx).at.at(1) < timeout + 2 * d) {
    ctx.Fault("drop every SYN|ACK from B after 1st");
  }
  const Endpoint server = ctx.b().endpoint(kServerPort);
  ctx.Note(fmt::format("SO_SNDTIMEO {}", observe::SpanText(timeout)), Side::kA);
  const SocketId a = ctx.a().Connect(server, kClientPort);
  ctx.RunUntil(timeout);
  std::vector<Duration> syns;
  for (const Duration at : SynRepeats(ctx).at) {
    if (at < timeout) syns.push_back(at);
  }
  ctx.ExpectTimes(Side::kA, kSyn, syns);
  ctx.ExpectState(Side::kA, a, State::kSynSent);
  ctx.PlayCall(Side::kA, "connect()", goes_on ? "EINPROGRESS" : "ETIMEDOUT");
  if (!goes_on) (void)ctx.a().stack().Abort(ctx.world().now(), a);
  const Duration answer = timeout + 2 * d;  // when the SYN|ACK comes at last
  ctx.RunUntil(answer + 2 * d);
  if (goes_on) {
    ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, answer);
    (void)ctx.b().MustAccept(listener);
    return ctx.CloseAndExpectNothingLeft();
  }
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kClosed, timeout);
  ctx.ExpectSent({answer, "A R seq=x+1"});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kListen});
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kIoParameters[] = {{"timeout", "3s", "SO_RCVTIMEO of A, SO_SNDTIMEO of B"},
                                       kDelay};

void IoTimeout(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration timeout = ctx.Span("timeout", 1ms, 3600s);
  SocketOptions small;
  small.receive_buffer = 4096;
  SocketOptions sender;
  sender.send_buffer = 8192;
  const Pair pair = Establish(ctx, small, sender);
  ctx.RunUntil(200ms);
  ctx.Note(fmt::format("recv() waits for at most {}", observe::SpanText(timeout)), Side::kA);
  const Duration begin = ctx.now();
  ctx.Run(timeout);
  ctx.ExpectError(ctx.a().Read(pair.a), Error::kWouldBlock, "recv of A after SO_RCVTIMEO");
  ctx.ExpectEqual(ctx.now() - begin, timeout, "neither sooner nor later");
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  (void)ctx.b().Send(pair.b, "late");
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.a().Read(pair.a), "late", "recv of A");
  // B writes more than both buffers hold, and nobody reads.
  ctx.Note(fmt::format("send() of 100000 bytes waits for at most {}", observe::SpanText(timeout)),
           Side::kB);
  const std::string much = Pattern(100'000);
  std::size_t taken = 0;
  const Duration end = ctx.now() + timeout;
  while (ctx.now() < end) {
    const auto n = ctx.b().stack().Send(ctx.world().now(), pair.b,
                                        std::as_bytes(std::span(much).subspan(taken)));
    if (n) taken += *n;
    ctx.Run(std::min<Duration>(d, end - ctx.now()));
  }
  ctx.PlayCall(Side::kB, "send(100000 bytes)", fmt::format("{} bytes", taken));
  ctx.Expect(taken > 0 && taken < much.size(), "the call tells how much was taken");
  const auto more = ctx.b().stack().Send(ctx.world().now(), pair.b,
                                         std::as_bytes(std::span(much).subspan(taken)));
  ctx.Expect(!more && more.error() == Error::kWouldBlock, "the next one waits in vain: EAGAIN");
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  std::string got;
  for (int i = 0; i < 5000 && got.size() < taken; ++i) {
    std::string piece(65536, '\0');
    const auto n =
        ctx.a().stack().Read(ctx.world().now(), pair.a, std::as_writable_bytes(std::span(piece)));
    if (n) got += piece.substr(0, *n);
    ctx.Run(2 * d);
  }
  ctx.Expect(got == much.substr(0, taken), "and that much arrives once A reads");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kTimeoutScenarios[] = {
    {"timeout/connect", "connect does not wait for ever",
     "With SO_SNDTIMEO (or SO_RCVTIMEO) connect gives up in time: ETIMEDOUT, the attempt ends with "
     "it, and a SYN|ACK that comes later meets a reset. On Linux it returns EINPROGRESS instead "
     "and "
     "the SYNs go on until the socket is closed (--profile linux).",
     kConnectParameters, ConnectTimeout},
    {"timeout/io", "recv and send do not wait for ever",
     "With SO_RCVTIMEO recv returns EAGAIN in time; with SO_SNDTIMEO send returns how much it has "
     "taken, and EAGAIN only if that is nothing. The connection does not notice.",
     kIoParameters, IoTimeout},
};

}  // namespace

std::span<const Scenario> TimeoutScenarios() { return kTimeoutScenarios; }

}  // namespace estab::sim
