// TCP Fast Open.
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kFastOpenParameters[] = {
    {"bytes", "5", "of data on the SYN"},
    {"again", "500ms", "when A comes for the second time, with its cookie"},
    kRtoInitial,
    kDelay,
};

// Connects with data on the SYN, as MSG_FASTOPEN does; `taken` says how much it carries.
SocketId ConnectWith(ScenarioContext& ctx, std::uint16_t port, const std::string& data,
                     std::size_t taken) {
  const SocketId a = ctx.a().Open();
  (void)ctx.a().stack().Bind(a, ctx.a().endpoint(port));
  const auto sent =
      ctx.a().stack().ConnectWithData(ctx.world().now(), a, ctx.b().endpoint(kServerPort),
                                      std::as_bytes(std::span(data.data(), data.size())));
  ctx.PlayCall(Side::kA, "sendto(MSG_FASTOPEN)", sent ? fmt::format("{} bytes", *sent) : "error");
  ctx.Expect(sent && *sent == taken, fmt::format("the SYN carries {} bytes", taken));
  return a;
}

SocketId ListenFast(ScenarioContext& ctx) {
  for (const Side side : {Side::kA, Side::kB}) ctx.host(side).Set("net.ipv4.tcp_fastopen", "3");
  SocketOptions options;
  options.fast_open_queue = 16;
  return ctx.b().Listen(kServerPort, 16, options);
}

// The first connection asks for a cookie, and sends its data when it is open.
void AskForCookie(ScenarioContext& ctx, SocketId listener, Duration d, const std::string& data) {
  const SocketId a = ConnectWith(ctx, kClientPort, data, 0);
  ctx.Run(4 * d);
  ctx.ExpectSent({0ms, "A S seq=x"});
  ctx.ExpectSent({d, "B S. seq=y ack=x+1"});
  (void)ctx.a().Send(a, data);
  const SocketId b = ctx.b().MustAccept(listener);
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.b().Read(b), data, "recv of B");
  (void)ctx.a().Abort(a);
  ctx.Run(2 * d);
  ctx.ExpectEqual(ctx.b().stack().Counters().fast_open_requests, std::uint64_t{1},
                  "B was asked for a cookie");
}

void FastOpen(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration again = ctx.Span("again", 400ms, 3600s);
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("bytes", 1, 1200)));
  const SocketId listener = ListenFast(ctx);
  AskForCookie(ctx, listener, d, data);
  ctx.RunUntil(again);
  const SocketId a = ConnectWith(ctx, kClientPort + 1, data, data.size());
  ctx.RunUntil(again + d);
  const SocketId b = ctx.b().MustAccept(listener);
  ctx.ExpectData(ctx.b().Read(b), data, "recv of B, half a round trip after the call");
  ctx.RunUntil(again + 4 * d);
  const std::size_t n = data.size();
  ctx.ExpectSent({again, fmt::format("A S seq=x len={}", n)});
  ctx.ExpectSent({again + d, fmt::format("B S. seq=y ack=x+{}", n + 1)});
  ctx.ExpectSent({again + 2 * d, fmt::format("A . seq=x+{} ack=y+1", n + 1)});
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  ctx.ExpectState(Side::kB, b, State::kEstablished);
  ctx.CloseAndExpectNothingLeft();
}

// B has forgotten its key: the cookie is worth nothing, the data comes after the handshake.
void CookieRefused(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration again = ctx.Span("again", 400ms, 3600s);
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("bytes", 1, 1200)));
  AskForCookie(ctx, ListenFast(ctx), d, data);
  ctx.b().Restart();
  const SocketId listener = ListenFast(ctx);
  ctx.RunUntil(again);
  (void)ConnectWith(ctx, kClientPort + 1, data, data.size());
  ctx.RunUntil(again + 6 * d);
  ctx.ExpectSent({again, fmt::format("A S seq=x len={}", data.size())});
  ctx.ExpectSent({again + d, "B S. seq=y ack=x+1"});
  ctx.ExpectData(ctx.b().Read(ctx.b().MustAccept(listener)), data, "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

// The SYN with data is lost: its repeat is an ordinary one.
void SynWithDataLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration again = ctx.Span("again", 400ms, 3600s);
  const std::string data = Pattern(static_cast<std::size_t>(ctx.Number("bytes", 1, 1200)));
  const SocketId listener = ListenFast(ctx);
  AskForCookie(ctx, listener, d, data);
  ctx.RunUntil(again);
  ctx.Fault("drop the 1st SYN from A");
  (void)ConnectWith(ctx, kClientPort + 1, data, data.size());
  const Duration repeat = again + SynRepeats(ctx).at.at(1);
  ctx.RunUntil(repeat + 6 * d);
  ctx.ExpectSent({again, fmt::format("A S seq=x len={}", data.size())});
  ctx.ExpectSent({repeat, "A S seq=x"});
  ctx.ExpectSent({repeat + d, "B S. seq=y ack=x+1"});
  ctx.ExpectData(ctx.b().Read(ctx.b().MustAccept(listener)), data, "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Variant kFastOpenVariants[] = {
    {"the cookie is worth nothing any more", false, CookieRefused},
    {"the SYN with data is lost", false, SynWithDataLost}};

constexpr Scenario kOpenFastScenarios[] = {
    {"open/fast-open", "data on the SYN, with a cookie",
     "The first connection asks B for a cookie: proof that A is where it says it is. The next one "
     "shows it, and its data is delivered with the SYN, a round trip sooner. If the cookie is "
     "worth "
     "nothing any more, or the SYN is lost, the data goes after an ordinary handshake (RFC 7413).",
     kFastOpenParameters, FastOpen, "the cookie is asked for, and used", kFastOpenVariants},
};

}  // namespace

std::span<const Scenario> OpenFastScenarios() { return kOpenFastScenarios; }

}  // namespace estab::sim
