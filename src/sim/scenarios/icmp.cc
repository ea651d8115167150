// What the network says about a SYN, and about an open connection.
#include <array>

#include "sim/packet_view.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"
#include "wire/icmp.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kIcmpParameters[] = {
    {"type", "3", "of the ICMP error: 3 unreachable, 11 time exceeded, 12 parameter problem"},
    {"code", "1", "of the ICMP error; of type 3: 0 net, 1 host, 2 protocol, 3 port"},
    {"off", "0", "how far the sequence number that it quotes is from that of the SYN"},
    kDelay,
    kSynRetries,
};

// What a user is told (behaviours open/icmp, Linux's icmp_err_convert); nothing: it means nothing.
std::optional<Error> Means(std::int64_t type, std::int64_t code) {
  constexpr std::array kUnreachable = {Error::kNetworkUnreachable,
                                       Error::kHostUnreachable,
                                       Error::kProtocolNotAvailable,
                                       Error::kConnectionRefused,
                                       Error{},
                                       Error::kOperationNotSupported,
                                       Error::kNetworkUnreachable,
                                       Error::kHostDown,
                                       Error::kNotOnNetwork,
                                       Error::kNetworkUnreachable,
                                       Error::kHostUnreachable,
                                       Error::kNetworkUnreachable,
                                       Error::kHostUnreachable,
                                       Error::kHostUnreachable,
                                       Error::kHostUnreachable,
                                       Error::kHostUnreachable};
  if (type == 12) return Error::kProtocolError;
  if (type == 11 && code != 1) return Error::kHostUnreachable;
  constexpr std::int64_t kFragmentationNeeded = 4;
  if (type != 3 || code == kFragmentationNeeded || code >= std::ssize(kUnreachable)) return {};
  return kUnreachable[static_cast<std::size_t>(code)];
}

// A router on the way tells A about the segment that A sent with this number.
void RouterSays(ScenarioContext& ctx, std::int64_t type, std::int64_t code, std::uint32_t seq) {
  wire::Segment quoted;
  quoted.flags = kAck;
  quoted.seq = seq;
  const auto offending =
      CraftPacket(ctx.a().endpoint(kClientPort), ctx.b().endpoint(kServerPort), quoted);
  std::array<std::byte, wire::kMaxIcmpError> packet;
  const std::size_t size = wire::EncodeIcmpError(
      *wire::DecodeIp(offending), static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code),
      0, *IpAddress::Parse("198.51.100.1"), packet);
  ctx.world().Inject(Side::kA, std::span(packet).first(size));
  ctx.Note("ICMP type " + std::to_string(type) + " code " + std::to_string(code), Side::kA);
  ctx.Run(0ms);
}

void Icmp(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const std::int64_t type = ctx.Number("type", 3, 12);
  const std::int64_t code = ctx.Number("code", 0, 15);
  const std::int64_t off = ctx.Number("off", -65536, 65536);
  const bool rfc = ctx.Setting("estab.profile") == "rfc";
  const std::int64_t most_off = ctx.Setting("estab.profile") == "linux" ? 1 : 0;
  const auto error = off >= 0 && off <= most_off ? Means(type, code) : std::nullopt;
  const bool hard = type == 3 && (code == 2 || code == 3);
  const bool ends = error && (hard || !rfc);

  // B cannot be reached.
  ctx.Cut(Side::kA);
  const SocketId attempt = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.RunUntil(2 * d);
  RouterSays(ctx, type, code, ctx.Isn(Side::kA) + static_cast<std::uint32_t>(off));
  const Schedule syns = SynRepeats(ctx);
  if (!ends) {
    ctx.ExpectState(Side::kA, attempt, State::kSynSent);
    ctx.RunUntil(syns.end);
    ctx.ExpectTimes(Side::kA, kSyn, syns.at);
  }
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kClosed, ends ? 2 * d : syns.end);
  ctx.ExpectError(ctx.a().TakeError(attempt), error.value_or(Error::kTimedOut), "SO_ERROR of A");
  (void)ctx.a().Close(attempt);

  // B is there, the connection is open: now the same error may say what it likes.
  ctx.Cut(Side::kA, false);
  ctx.Run(1s);
  const Pair pair = Establish(ctx);
  ctx.Run(200ms);
  (void)ctx.a().Send(pair.a, "hello");
  ctx.Run(d);
  RouterSays(ctx, type, code, ctx.Isn(Side::kA) + 1 + static_cast<std::uint32_t>(off));
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  ctx.Run(2 * d);
  ctx.ExpectData(ctx.b().Read(pair.b), "hello", "what B reads");
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kIcmpScenarios[] = {
    {"open/icmp", "a router says that it cannot be",
     "A router answers A's SYN with an ICMP error. If it quotes what is in flight it ends the "
     "attempt, with the error that its code stands for: nothing is lost yet, and the user need not "
     "wait (RFC 5461 §4). Under profile rfc a soft error, one that may pass, does not (MUST-56); "
     "it "
     "only replaces ETIMEDOUT in the end. The same error about an open connection changes "
     "nothing: anybody can forge it (RFC 5927).",
     kIcmpParameters, Icmp},
};

}  // namespace

std::span<const Scenario> IcmpScenarios() { return kIcmpScenarios; }

}  // namespace estab::sim
