// What one seed stands for: two hosts, a path, and what the applications on them do.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "estab/options.h"
#include "sim/world.h"

namespace estab::bench {

/// How an application leaves its connection once it has written everything.
enum class Ending : std::uint8_t {
  kPolite,      // half-close, read to the end of the stream, close
  kCloseEarly,  // close at once, whatever is still to be read
  kAbort,       // abort after so many bytes in either direction
  kLingerZero,  // close with SO_LINGER {on, 0}
  kShutBoth,    // shut both directions, close some time later
};
const char* EndingText(Ending ending);

/// The application at one end.
struct EndPlan {
  std::uint32_t bytes = 0;  // to write
  std::uint32_t write_chunk = 1;
  Duration write_pause{};  // between chunks; zero: as much as fits
  std::uint32_t read_chunk = 65536;
  Duration read_pause{};
  bool replies = false;  // writes only after the end of the peer's stream
  Ending ending = Ending::kPolite;
  std::uint32_t abort_after = 0;
  SocketOptions options;
};

/// How a conversation begins.
enum class Opening : std::uint8_t {
  kListener,
  kNobody,        // nothing listens there
  kSimultaneous,  // both connect
};
const char* OpeningText(Opening opening);

/// One connection, or the attempt at one.
struct ConversationPlan {
  Opening opening = Opening::kListener;
  bool ipv6 = false;
  sim::Side client = sim::Side::kA;
  Time start{};
  Time listener_from{};
  std::optional<Time> listener_until;
  int backlog = 8;
  std::array<EndPlan, 2> end;  // the client's, the server's
};

/// A host that stops without a word, and starts again.
struct CrashPlan {
  sim::Side side = sim::Side::kA;
  Time at{};
  Duration down{};
};

/// The path becomes narrower than the links at its ends.
struct NarrowPlan {
  Time at{};
  std::optional<Duration> span;  // until it is as wide as it was
  std::array<bool, 2> from{};    // by the side that sends
  std::uint32_t mtu = 1500;
  sim::Router router = sim::Router::kTells;  // silent: then both hosts probe
};

struct Plan {
  sim::WorldConfig world;
  std::vector<ConversationPlan> conversations;
  std::optional<Time> cut;           // nothing passes from then on
  std::optional<Duration> cut_span;  // until it is mended
  std::optional<CrashPlan> crash;
  std::optional<NarrowPlan> narrow;
  bool abort_at_last = false;  // how applications give up when their patience ends
};

/// When applications give up what has not ended by itself.
inline constexpr Time kPatience{std::chrono::hours(2)};
/// When at the latest nothing may be left of any connection.
inline constexpr Time kEnd{std::chrono::hours(4)};

/// The plan of `seed`; the same everywhere.
Plan MakePlan(std::uint64_t seed);
/// A plan as some lines of text, for people.
std::string PlanText(const Plan& plan);

}  // namespace estab::bench
