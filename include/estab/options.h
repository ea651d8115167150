// What can be set for one socket, and what can be asked of it.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "estab/address.h"
#include "estab/error.h"
#include "estab/observer.h"
#include "estab/rule.h"
#include "estab/time.h"

namespace estab {

/// What decides how fast a connection sends.
enum class Congestion : std::uint8_t {
  kBySetting,  // net.ipv4.tcp_congestion_control, as of when the connection begins
  kReno,       // RFC 5681
  kCubic,      // RFC 9438
  kBbr,        // BBR, version 1
};
/// How many there are, kBySetting not counted.
inline constexpr std::size_t kCongestionControls = 3;
/// Its name, as the setting and TCP_CONGESTION have it; empty for kBySetting.
const char* NameOf(Congestion congestion);
/// The one of that name; nullopt if there is none.
std::optional<Congestion> CongestionByName(std::string_view name);

/// What a connection makes of its path's MTU (IP_MTU_DISCOVER, IPV6_MTU_DISCOVER). Over IPv4,
/// whether routers may fragment its packets; by a setting, that is net.ipv4.ip_no_pmtu_disc, they
/// may not unless it is on. Over IPv6 no router fragments, and only the last two make a difference:
/// "packet too big" is not believed.
enum class MtuDiscovery : std::uint8_t {
  kBySetting,
  kDont,   // they may
  kWant,   // they may not, unless the path takes less than net.ipv4.route.min_pmtu
  kDo,     // they may not
  kProbe,  // as Linux has it for TCP: they may, and so with the next two
  kInterface,
  kOmit,
};

/// Per-socket overrides. A zero (or empty) value means "as the stack's setting says at the time",
/// so changing a setting is felt by every socket that has not its own value. Copied by value;
/// sockets with equal options share one block. A listener's options are inherited by the sockets
/// accepted from it.
struct SocketOptions {
  bool reuse_address = false;      // SO_REUSEADDR
  bool keepalive = false;          // SO_KEEPALIVE
  bool no_delay = false;           // TCP_NODELAY
  bool v6_only = false;            // IPV6_V6ONLY; before bind only
  bool linger = false;             // SO_LINGER l_onoff
  bool reuse_port = false;         // SO_REUSEPORT
  bool cork = false;               // TCP_CORK: only full segments, or after an RTO
  bool urgent_inline = false;      // SO_OOBINLINE: urgent data stays in the stream
  bool bind_address_only = false;  // IP_BIND_ADDRESS_NO_PORT: bind to port 0 takes none
  std::uint8_t tos = 0;            // IP_TOS: of IPv4; ECN bits are the stack's own
  std::uint8_t ttl = 0;            // IP_TTL: of IPv4
  std::uint8_t traffic_class = 0;  // IPV6_TCLASS: of IPv6, likewise
  std::uint8_t hop_limit = 0;      // IPV6_UNICAST_HOPS: of IPv6
  MtuDiscovery mtu_discovery = MtuDiscovery::kBySetting;     // IP_MTU_DISCOVER: of IPv4
  MtuDiscovery mtu_discovery_v6 = MtuDiscovery::kBySetting;  // IPV6_MTU_DISCOVER
  std::uint8_t syn_count = 0;        // TCP_SYNCNT, 1-127; listener: SYN|ACK repeats
  std::uint8_t keepalive_count = 0;  // TCP_KEEPCNT, 1-127
  std::uint8_t defer_accept = 0;     // TCP_DEFER_ACCEPT, as SYN|ACK time-outs to wait for data
  bool fast_open_connect = false;    // TCP_FASTOPEN_CONNECT: the first write sends the SYN
  bool fast_open_no_cookie = false;  // TCP_FASTOPEN_NO_COOKIE
  Congestion congestion = Congestion::kBySetting;  // TCP_CONGESTION
  std::uint16_t max_segment = 0;                   // TCP_MAXSEG, 88-32767; 0: from the MTU
  std::uint16_t port_min = 0;         // IP_LOCAL_PORT_RANGE: narrows ip_local_port_range ...
  std::uint16_t port_max = 0;         // ... as far as it lies within it; 0: no bound
  std::uint32_t fast_open_queue = 0;  // TCP_FASTOPEN: listener; 0: no Fast Open
  /// TCP_FASTOPEN_KEY: a listener's own secrets, as many as fast_open_keys says (at most 2):
  /// cookies are made with the first, and still taken with the second. 0: tcp_fastopen_key.
  std::uint8_t fast_open_keys = 0;
  std::array<std::array<std::uint8_t, 16>, 2> fast_open_key{};
  std::uint32_t send_buffer = 0;         // SO_SNDBUF, bytes of payload held
  std::uint32_t receive_buffer = 0;      // SO_RCVBUF, bytes of payload held
  std::uint32_t linger_seconds = 0;      // SO_LINGER l_linger; {on, 0} makes close an abort
  std::uint32_t keepalive_idle = 0;      // TCP_KEEPIDLE, s, 1-32767
  std::uint32_t keepalive_interval = 0;  // TCP_KEEPINTVL, s, 1-32767
  std::int32_t fin_wait2_seconds = 0;    // TCP_LINGER2, s; negative: no FIN_WAIT_2 for an orphan
  std::uint32_t user_timeout_ms = 0;     // TCP_USER_TIMEOUT
  std::uint32_t receive_low_water = 0;   // SO_RCVLOWAT, bytes that make a socket readable; 0: 1
  std::uint32_t unsent_low_water = 0;  // TCP_NOTSENT_LOWAT: bytes that may wait unsent; 0: setting
  std::uint32_t window_clamp = 0;      // TCP_WINDOW_CLAMP, bytes; 0: none
  std::uint32_t rto_max_ms = 0;        // TCP_RTO_MAX_MS, 1000-120000; 0: tcp_rto_max_ms
  /// SO_MAX_PACING_RATE, bytes a second. Once it was limited (`paced`) data leaves at the pacing
  /// rate for good, as on Linux, even if the limit is lifted again.
  std::uint64_t max_pacing_rate = UINT64_MAX;
  bool paced = false;
  friend bool operator==(const SocketOptions&, const SocketOptions&) = default;
};

/// What poll would say of a socket; a bit mask.
enum Readiness : std::uint8_t {
  kReadable = 1,    // data, end of stream, a connection to accept, or an error
  kWritable = 2,    // room for at least a third of the send buffer, or writing would fail at once
  kReadClosed = 4,  // the peer has sent its FIN, or SHUT_RD (POLLRDHUP)
  kHangup = 8,      // both directions are closed (POLLHUP)
  kErrorPending = 16,  // an error waits to be fetched (POLLERR)
  kUrgent = 32,        // an urgent byte can be read (POLLPRI)
  kReturned = 64,      // bytes sent by reference have come back (POLLERR): streams only, no stack
};

/// What holds a connection: a socket with its TCB, or one of the two small records.
enum class Holder : std::uint8_t { kSocket, kHalfOpen, kTimeWait };

/// A connection's inner life, for TCP_INFO and for people. Records know little: of a half-open one
/// and of one in TIME_WAIT only the first two groups and `retransmits` are filled in.
struct ConnectionInfo {
  State state = State::kClosed;
  ConnectionNumber number = 0;
  Tuple tuple;  // of a listener: the remote end is all zeros
  Holder holder = Holder::kSocket;
  bool passive = false;     // the peer opened it
  bool orphan = false;      // its handle was closed
  bool unaccepted = false;  // waits in an accept queue
  /// How long ago the peer was last heard, to the millisecond, if that is under 49 days. Of
  /// TIME_WAIT: since 2MSL last began anew. Not known of half-open records and listeners, nor
  /// before the peer's first word.
  std::optional<Duration> idle;
  // The timer that runs out next; kNone if none runs.
  TimerKind timer = TimerKind::kNone;
  Duration timer_in{};
  /// How often that timer may still repeat something before it gives up; nullopt if it does not
  /// count.
  std::optional<unsigned> repeats_left;
  // Negotiated.
  bool timestamps = false;
  bool sack = false;
  bool window_scaling = false;
  bool ecn = false;       // (of an opener: asked for)
  bool ecn_seen = false;  // data has come that may be marked on its way, or is
  bool syn_data = false;  // data on the SYN was accepted (Fast Open)
  std::uint8_t send_window_scale = 0;
  std::uint8_t receive_window_scale = 0;
  std::uint32_t send_mss = 0;     // payload bytes of a full segment, options taken off
  std::uint32_t receive_mss = 0;  // what we announced
  std::uint32_t path_mtu = 0;     // the largest packet that the path takes, as far as is known
  std::uint32_t typical_in = 0;   // the largest payload that came
  // Time.
  Duration rto{};
  Duration srtt{};
  Duration rttvar{};
  Duration min_rtt{};
  unsigned retransmits = 0;  // repeats of the segment in flight now
  unsigned backoff = 0;
  unsigned probes = 0;            // zero-window or keepalive probes unanswered
  Duration ack_delay{};           // how long an ACK may wait for company
  Duration since_data_sent{};     // age of the last data sent ...
  Duration since_data_arrived{};  // ... and received ...
  Duration since_heard{};         // ... and of the last acceptable segment
  std::uint32_t timestamp = 0;    // what a timestamp option would say now
  // Windows; congestion windows in bytes.
  Congestion congestion = Congestion::kBySetting;  // in use; kBySetting before it is decided
  std::uint32_t congestion_window = 0;
  std::uint32_t slow_start_threshold = 0;
  std::uint32_t send_window = 0;
  std::uint32_t receive_window = 0;
  // Rates, bytes a second.
  std::uint64_t pacing_rate = UINT64_MAX;  // of a paced connection, or what it would be; no limit
  std::uint64_t max_pacing_rate = UINT64_MAX;
  std::uint64_t delivery_rate = 0;         // as last measured; 0: not yet
  bool delivery_rate_app_limited = false;  // by what the user gave us, not by the path
  /// What BBR knows of the path (TCP_CC_INFO); gains in 256ths, all 0 for others.
  struct {
    std::uint64_t bandwidth = 0;  // bytes a second
    Duration min_rtt{};
    std::uint32_t pacing_gain = 0;
    std::uint32_t cwnd_gain = 0;
  } bbr;
  // Loss recovery, in segments; as Linux's tcpi_ca_state and what follows it.
  std::uint8_t recovery_state = 0;  // 0 open, 1 disorder, 2 window reduced, 3 recovery, 4 loss
  std::uint8_t reordering = 3;      // segments that may overtake one before it counts as lost
  bool reordering_seen = false;     // segments of ours have overtaken each other
  std::uint32_t in_flight = 0;      // sent and not acknowledged cumulatively, of these:
  std::uint32_t sacked = 0;         // the peer has; without SACK, its duplicate ACKs
  std::uint32_t lost = 0;           // found lost, sent again or not
  std::uint32_t repeats_out = 0;    // sent again, and on their way
  // Counters.
  std::uint64_t bytes_acked = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;  // repeats included
  std::uint32_t segments_in = 0;
  std::uint32_t segments_out = 0;
  std::uint32_t segments_retransmitted = 0;
  std::uint32_t segments_delivered = 0;  // of ours, as far as we know: SYN and repeats too
  std::uint32_t segments_marked = 0;     // of ours, delivered by ACKs that tell of congestion (ECE)
  // Queues, bytes.
  std::uint32_t send_queue = 0;  // not yet acknowledged
  std::uint32_t unsent = 0;
  std::uint32_t receive_queue = 0;  // in order, not yet read
  std::uint32_t readable = 0;       // of those, what lies before an urgent byte
  bool at_mark = false;             // the next byte is the urgent one (SIOCATMARK)
  bool quick_ack = false;           // ACKs do not wait for data to ride on (TCP_QUICKACK)
  std::uint32_t accept_queue = 0;   // listener: connections waiting
  std::uint32_t backlog = 0;        // listener
  std::uint32_t syn_queue = 0;      // listener: half-open connections
};

}  // namespace estab
