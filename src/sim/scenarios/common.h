// What many scenarios have in common.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.h"

namespace estab::sim {

inline constexpr std::uint16_t kServerPort = 80;
inline constexpr std::uint16_t kClientPort = 40000;

inline constexpr Parameter kDelay = {"delay", "10ms", "how long a packet takes, each way"};
inline constexpr Parameter kSynRetries = {"tcp_syn_retries", nullptr, "repeats of a SYN",
                                          "net.ipv4.tcp_syn_retries"};
inline constexpr Parameter kLinear = {"tcp_syn_linear_timeouts", nullptr,
                                      "more repeats, whose time-outs do not double",
                                      "net.ipv4.tcp_syn_linear_timeouts"};
inline constexpr Parameter kSynAckRetries = {"tcp_synack_retries", nullptr, "repeats of a SYN|ACK",
                                             "net.ipv4.tcp_synack_retries"};
inline constexpr Parameter kRtoInitial = {
    "tcp_rto_initial", nullptr, "the first time-out of a SYN, ms", "estab.tcp_rto_initial"};
inline constexpr Parameter kRtoMin = {
    "tcp_rto_min", nullptr,
    "ms that the time-out exceeds the round trip by, at least; profile rfc: that it is at least",
    "estab.tcp_rto_min"};
inline constexpr Parameter kMsl = {
    "tcp_msl", nullptr, "maximum segment lifetime, ms; TIME_WAIT is twice that", "estab.tcp_msl"};
inline constexpr Parameter kOrphanRetries = {"tcp_orphan_retries", nullptr,
                                             "repeats after close(); 0 means 8",
                                             "net.ipv4.tcp_orphan_retries"};
inline constexpr Parameter kFinTimeout = {
    "tcp_fin_timeout", nullptr, "seconds in FIN_WAIT_2 after close()", "net.ipv4.tcp_fin_timeout"};

/// What many scenarios take.
inline constexpr Parameter kDelayOnly[] = {kDelay};
inline constexpr Parameter kDelayAndMsl[] = {kDelay, kMsl};

/// When A begins to send, or to close, unless the story has it otherwise.
inline constexpr Duration kBegin = std::chrono::milliseconds(200);
inline constexpr Duration kClose = std::chrono::milliseconds(200);

/// How long the ACK of a FIN that no data came before waits for something to travel with: a tick.
inline constexpr Duration kFinAckWait = std::chrono::milliseconds(1);

inline double SecondsOf(Duration d) { return std::chrono::duration<double>(d).count(); }

/// Sets the path's delay as parameter `delay` says (1 to 40 ms, so that the least time-out always
/// exceeds the variation of the round trip) and returns it.
Duration UseDelay(ScenarioContext& ctx);

/// A client's socket at A and a server's at B, connected: SYN at `opened`.
struct Pair {
  SocketId listener;
  SocketId a;
  SocketId b;
};

/// B listens at port 80, A connects from port 40000, B accepts. Three delays pass.
Pair Establish(ScenarioContext& ctx, const SocketOptions& a = {}, const SocketOptions& b = {});

/// A writes `data` as fast as it may, B reads what there is, until all is there or `limit` passes;
/// what B has read, which is expected to be the same.
std::string Transfer(ScenarioContext& ctx, const Pair& pair, const std::string& data,
                     Duration limit);

/// The three segments of Establish, begun at 0.
std::vector<ExpectedSegment> Handshake(Duration delay);

/// `list`, and then `more`.
std::vector<ExpectedSegment> Then(std::vector<ExpectedSegment> list,
                                  const std::vector<ExpectedSegment>& more);

/// A segment with these numbers and flags, a wide window and no options. `data` must outlive it.
wire::Segment Craft(std::uint16_t flags, std::uint32_t seq, std::uint32_t ack = 0,
                    std::string_view data = {});

/// `segment` reaches the other side one delay later as if `from` (A: port 40000, B: port 80) had
/// sent it: forged, or, with Play, sent by a side that the script plays.
void Forge(ScenarioContext& ctx, Side from, const wire::Segment& segment);
void Play(ScenarioContext& ctx, Side from, const wire::Segment& segment);

/// The number of the last SYN of that side, and what follows: x+n, y+n.
std::uint32_t Numbered(const ScenarioContext& ctx, Side side, std::int64_t offset);

/// `bytes` bytes that can be told apart from others.
std::string Pattern(std::size_t bytes, char first = 'a');

/// When something is sent again and again, counted from the first time.
struct Schedule {
  std::vector<Duration> at;  // the first, then every repeat
  Duration end;              // when it is given up
};

/// `repeats` repeats; the wait is `first`, and doubles after the first `linear` waits, up to the
/// setting tcp_rto_max_ms.
Schedule Repeats(ScenarioContext& ctx, std::int64_t repeats, Duration first,
                 std::int64_t linear = 0);

/// The repeats of a SYN, of a SYN|ACK, and of an orphan's FIN, by the settings in force.
Schedule SynRepeats(ScenarioContext& ctx);
Schedule SynAckRepeats(ScenarioContext& ctx);
/// Of unacknowledged data, `first` being the RTO: ended by the number of repeats or, on Linux, by
/// the time that they take.
// Of a segment that is alone in flight: a FIN, or a little data.
Schedule DataRepeats(ScenarioContext& ctx, std::int64_t repeats, Duration first);
Schedule OrphanRepeats(ScenarioContext& ctx, Duration delay);

/// When A's first SYN is sent again, if it was sent at `sent` and a reset that answers a bad ACK at
/// `reset`: on Linux a moment after that, else when its time has come.
Duration SynAgain(ScenarioContext& ctx, Duration sent, Duration reset);

/// `segment` with the timestamp that `side` sent last, if it sends any.
wire::Segment Stamped(const ScenarioContext& ctx, Side side, wire::Segment segment);

/// The retransmission time-out where every round trip has taken twice `delay`: RFC 6298 with
/// Linux's least variation.
Duration Rto(ScenarioContext& ctx, Duration delay);

/// How long an orphan stays in FIN_WAIT_2: tcp_fin_timeout, or 3.5 time-outs if that is more. The
/// FIN's own round trip, with the wait of its ACK, has then been measured too.
Duration FinWait2Span(ScenarioContext& ctx, Duration delay);

/// 2 MSL by the setting in force.
Duration TwoMsl(ScenarioContext& ctx);

/// What the youngest connection on `side` tells of itself; empty if the socket is no more.
ConnectionInfo InfoOf(ScenarioContext& ctx, Side side, SocketId socket);

/// How many of something are lost: parameter `name` is a number, or "all" (nullopt).
std::optional<std::size_t> HowMany(ScenarioContext& ctx, std::string_view name);

/// Expects that reading gives `error` now and the end of the stream after that: an error comes
/// once.
void ExpectErrorOnce(ScenarioContext& ctx, Side side, SocketId socket, Error error);

}  // namespace estab::sim
