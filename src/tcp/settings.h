// The stack-wide settings that decide how connections behave. Read at use: a change is felt at
// once.
#pragma once

#include <cstdint>

namespace estab::tcp {

/// Whose rules hold where they differ: what people expect, Linux as it is, or the RFC's letter.
enum class Profile : std::uint8_t { kDefault, kLinux, kRfc };

/// What a profile decides that is not a number. Fixed by the profile, read at use.
struct Policy {
  /// A SYN other than the one that made a half-open record, within the window.
  enum class OtherSyn : std::uint8_t {
    kChallenge,  // an ACK: the real peer resets the old attempt
    kReset,      // Linux: R. with the ACK of the new SYN; the record is dropped (a connection
                 // that Fast Open has made on its SYN stays)
    kListen,     // RFC 9293 §3.10.7.4 as it stands without RFC 5961: back to LISTEN, silently
  };
  OtherSyn other_syn = OtherSyn::kChallenge;
  /// The SYN queue of a listener is limited by its backlog (holding one more), as on Linux, where
  /// tcp_max_syn_backlog counts only without SYN cookies, and three quarters of it; or simply by
  /// tcp_max_syn_backlog.
  bool syn_queue_by_backlog = false;
  /// In SYN_SENT an ACK of another SYN draws a reset, and our SYN again a moment later, before its
  /// time: what answered may be a leftover that this reset has just cleared away. A RST with such
  /// an ACK hastens the SYN too.
  bool bad_ack_hastens_syn = false;
  /// Repeats end by their number and TCP_USER_TIMEOUT counts from the first transmission; or, as on
  /// Linux, both by the time since the first repeat: as long as that number of repeats would take
  /// after it at the shortest RTO, whatever the RTO is. Windows that stay closed are then limited
  /// by TCP_USER_TIMEOUT although the peer answers.
  bool give_up_by_time = false;
  /// What fills a gap may be older than TS.Recent by a round trip: a repeat that overtook it has
  /// moved TS.Recent on, and within a round trip, which carries a window of at most 2^30, no number
  /// comes twice. RFC 7323 and Linux drop it, and the peer has to repeat it for nothing.
  bool paws_spares_overtaken = true;
  /// Segments without the agreed timestamp are dropped, resets apart (RFC 7323 §3.2).
  bool timestamps_required = false;
  /// SHUT_RD drops what is unread and what comes later; Linux keeps both readable.
  bool shut_read_discards = true;
  /// The least RTO bounds the whole (RFC 6298 §2.4), or what is added to SRTT, as on Linux.
  bool rto_min_of_whole = false;
  /// After the peer's FIN, a reset with the FIN's own number counts as exact: some peers send both.
  bool reset_may_carry_fins_number = false;
  /// An ACK is too old if it lies before the first byte of the stream too, as on Linux; RFC 5961
  /// knows only MAX.SND.WND.
  bool ack_floor_is_first_byte = false;
  /// What lies within the window as Linux sees it (tcp_sequence): a segment that ends at the last
  /// number acknowledged, or begins at the right edge, too. Nothing of its text is taken, but its
  /// ACK is, and its RST and SYN draw a challenge. What reaches over the right edge is refused as a
  /// whole while anything is unread.
  bool window_takes_in_edges = false;
  /// A segment without ACK, RST and SYN is dropped before its number is looked at.
  bool no_ack_before_sequence = false;
  /// After the peer's FIN, urgent data is still announced, and data that begins before the FIN and
  /// reaches beyond it resets the connection; RFC 9293 ignores both.
  bool text_after_fin_counts = false;
  /// An orphan in FIN_WAIT_2 is a small record like TIME_WAIT on Linux: resets need not be exact, a
  /// SYN is answered with a reset, and a time over 60 s is taken in two parts of which each is only
  /// what lies above 60 s. It counts against tcp_max_tw_buckets; else, being a whole connection
  /// that nobody owns, against tcp_max_orphans.
  bool fin_wait2_is_record = false;
  /// In TIME_WAIT a SYN with an older timestamp restarts 2MSL.
  bool old_syn_restarts_time_wait = false;
  /// A socket that is bound to the port takes a four-tuple with timestamps over from TIME_WAIT at
  /// once, whatever tcp_tw_reuse says.
  bool bound_port_takes_time_wait = false;
  /// A blocking connect that runs into SO_SNDTIMEO or SO_RCVTIMEO ends the attempt with ETIMEDOUT;
  /// on Linux SO_SNDTIMEO gives EINPROGRESS, the attempt goes on, and SO_RCVTIMEO does not count.
  bool connect_timeout_ends = true;
  /// ICMP errors that may pass (net or host unreachable, time exceeded ...) end an attempt in
  /// SYN_SENT; RFC 9293 MUST-56 forbids it.
  bool soft_icmp_ends_opening = true;
  /// An ICMP error may quote SND.NXT, which nothing in flight has, as on Linux.
  bool icmp_may_quote_next = false;
  /// "Fragmentation needed" of an old router, which tells no MTU: the next smaller of RFC 1191 §7.1
  /// than what it quotes, or, on Linux, min_pmtu.
  bool mtu_plateaus = true;
  /// A reset in SYN_RCVD of an active opener: ECONNREFUSED by the RFC, ECONNRESET on Linux.
  bool reset_refuses_active_opener = false;
  /// LAST_ACK begins when the FIN goes out (RFC 9293 §3.10.4), or with the call that queued it.
  bool last_ack_when_sent = false;
  /// On Linux the SYN|ACK of a simultaneous open offers all options, whatever the peer's SYN had
  /// (by RFC 7323 those that it had), and is itself answered with an ACK; so is the SYN that comes
  /// again, which else draws the SYN|ACK again.
  bool crossed_syn_ack_as_linux = false;
  /// The wait before the next probe of a closed window begins with the answer to the last one, as
  /// on Linux, or with that probe.
  bool probes_wait_from_answer = false;
  /// A segment that is alone in flight has a tail loss probe too, 200 ms later than others, for the
  /// peer may delay its ACK (RFC 8985 §7.2); one that falls due no earlier than the retransmission
  /// takes its place, and is not counted. Else such a segment is left to the retransmission timer,
  /// and a probe comes in time or not at all.
  bool probes_as_linux = false;
  /// BBR looks for the round trip with four segments in flight, also where that itself takes longer
  /// than the 200 ms that it is meant to last (bbr.h).
  bool bbr_as_linux = false;
  /// Without SACK the next hole waits for room in the window (RFC 6582 repeats it at once).
  bool repairs_as_linux = false;
  /// A window that is smaller than before counts only in a segment that brings something new, or
  /// if it is zero: else it makes no difference, and the segment is a duplicate ACK. An ACK of
  /// something new brings a new window whatever its sequence number.
  bool window_shrinks_with_news = false;
  /// Nanoseconds between two ticks of the ISN's clock (RFC 6528: 4 µs; Linux: 64 ns).
  std::int64_t isn_tick_ns = 4000;
  /// The handle of a connection in TIME_WAIT tells CLOSED, as on Linux, where the record has taken
  /// over; else TIME_WAIT as long as it lasts.
  bool time_wait_shows_closed = false;
};

/// Bits of tcp_recovery.
constexpr std::int32_t kRackOn = 1;
constexpr std::int32_t kRackStaticWindow = 2;
constexpr std::int32_t kRackNoDuplicateThreshold = 4;

/// The numbers, as the `default` profile has them. Names follow Linux's sysctls without their
/// `tcp_`.
struct Settings {
  Profile profile = Profile::kDefault;
  Policy policy;
  // Opening.
  std::int32_t syn_retries = 5;
  std::int32_t syn_linear_timeouts = 0;
  std::int32_t synack_retries = 5;
  std::int32_t max_syn_backlog = 1024;
  std::int32_t somaxconn = 4096;
  std::int32_t syncookies = 1;
  std::int32_t abort_on_overflow = 0;
  std::int32_t fastopen = 1;  // bits: 1 client, 2 server, 4, 0x200, 0x400 (stack/fast_open.h)
  std::int32_t port_min = 32768;
  std::int32_t port_max = 60999;
  // Negotiation.
  std::int32_t timestamps = 1;
  std::int32_t window_scaling = 1;
  std::int32_t sack = 1;
  std::int32_t ecn = 2;           // 0: no, 1: ask and accept, 2: accept
  std::int32_t ecn_fallback = 1;  // a repeated SYN does not ask
  std::int32_t min_snd_mss = 48;
  std::int32_t default_ttl = 64;
  // The path's MTU: as ICMP tells it ...
  std::int32_t no_pmtu_disc = 0;  // 0, 3: believed; 1: as little as min_pmtu; 2: not believed
  std::int32_t min_pmtu = 552;
  std::int32_t mtu_expires_s = 600;
  std::int32_t mtu_expires_v6_s = 600;
  // ... and as probes find it (RFC 4821).
  std::int32_t mtu_probing = 0;  // 1: after a black hole; 2: always
  std::int32_t base_mss = 1024;
  std::int32_t mtu_probe_floor = 48;
  std::int32_t probe_interval_s = 600;
  std::int32_t probe_threshold = 8;
  // Retrying and giving up.
  std::int32_t retries1 = 3;
  std::int32_t retries2 = 15;
  std::int32_t orphan_retries = 0;  // 0 means 8
  std::int32_t max_orphans = 65536;
  std::int64_t rto_initial_ms = 1000;
  std::int64_t rto_min_ms = 200;
  std::int64_t rto_max_ms = 120'000;
  // Closing.
  std::int32_t fin_timeout_s = 60;
  std::int64_t msl_ms = 30'000;
  std::int32_t max_tw_buckets = 262'144;
  std::int32_t rfc1337 = 0;
  std::int32_t tw_reuse = 2;
  std::int32_t tw_reuse_delay_ms = 1000;
  // Keepalive.
  std::int32_t keepalive_time_s = 7200;
  std::int32_t keepalive_intvl_s = 75;
  std::int32_t keepalive_probes = 10;
  // Answers to segments that do not fit (RFC 5961).
  std::int32_t challenge_ack_limit = INT32_MAX;  // a second and stack
  std::int32_t invalid_ratelimit_ms = 500;       // between two of one connection
  // Buffers: minimum, default, maximum; bytes of payload.
  std::int64_t rmem[3] = {4096, 131'072, 6'291'456};
  std::int64_t wmem[3] = {4096, 16'384, 4'194'304};
  std::int32_t rmem_max = 4'194'304;  // most that SO_RCVBUF ...
  std::int32_t wmem_max = 4'194'304;  // ... and SO_SNDBUF can ask for
  std::int64_t unsent_low_water = UINT32_MAX;
  std::int32_t moderate_rcvbuf = 1;
  std::int32_t slow_start_after_idle = 1;
  // Congestion control.
  std::int32_t congestion = 2;  // a Congestion, never kBySetting
  std::int32_t hystart = 1;     // 2: HyStart++
  // The pacing rate, in percent of a window per round trip: in slow start, and after it.
  std::int32_t pacing_ss_ratio = 200;
  std::int32_t pacing_ca_ratio = 120;
  // Loss recovery.
  std::int32_t recovery = kRackOn;  // kRack...
  std::int32_t early_retrans = 3;   // 0: no tail loss probes
  std::int32_t frto = 2;
  std::int32_t rto_restart = 0;  // RFC 7765
  std::int32_t dsack = 1;
  std::int32_t abe = 0;  // RFC 8511: a mark reduces the window by less than a loss
  // Fragments: bytes that may wait for the rest of their datagrams, and how long.
  std::int32_t frag_high_thresh = 4 << 20;
  std::int32_t frag_high_thresh_v6 = 4 << 20;
  std::int32_t frag_time_s = 30;
  std::int32_t frag_time_v6_s = 60;
  // ICMP errors sent: milliseconds between two to one host; a second, and at once, to all.
  std::int32_t icmp_ratelimit_ms = 1000;
  std::int32_t icmp_ratelimit_v6_ms = 100;
  std::int32_t icmp_msgs_per_sec = 1000;
  std::int32_t icmp_msgs_burst = 50;
};

/// Everything as `profile` has it.
Settings SettingsOf(Profile profile);

}  // namespace estab::tcp
