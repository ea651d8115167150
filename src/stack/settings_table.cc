#include "stack/settings_table.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "estab/options.h"
#include "stack/fast_open.h"

namespace estab::stack {
namespace {

using S = tcp::Settings;
using Kind = SettingEntry::Kind;

constexpr SettingEntry Int(const char* name, std::int32_t S::* member, std::int64_t least,
                           std::int64_t most, const char* gist) {
  return {name, gist, Kind::kInt, least, most, member};
}
constexpr SettingEntry Span(const char* name, std::int64_t S::* member, std::int64_t least,
                            std::int64_t most, const char* gist) {
  return {name, gist, Kind::kDuration, least, most, nullptr, nullptr, member};
}
constexpr SettingEntry Triple(const char* name, std::int64_t (S::*member)[3], const char* gist) {
  return {name, gist, Kind::kTriple, 1, 1 << 30, nullptr, nullptr, nullptr, member};
}
// What this stack cannot do yet: Linux's name, and the one value that is true.
constexpr SettingEntry Fixed(const char* name, std::int64_t value, const char* gist) {
  return {name, gist, Kind::kFixed, value, value};
}

constexpr std::int64_t kMany = INT32_MAX;
constexpr std::int64_t kHour = 3'600'000;

constexpr SettingEntry kEntries[] = {
    Int("net.ipv4.tcp_syn_retries", &S::syn_retries, 0, 127, "repeats of a SYN before giving up"),
    Int("net.ipv4.tcp_syn_linear_timeouts", &S::syn_linear_timeouts, 0, 127,
        "SYN time-outs that do not double"),
    Int("net.ipv4.tcp_synack_retries", &S::synack_retries, 0, 255,
        "repeats of a SYN|ACK before the half-open record is dropped"),
    Int("net.ipv4.tcp_max_syn_backlog", &S::max_syn_backlog, 1, kMany,
        "half-open records of one listener (`linux`: only without SYN cookies, and three quarters "
        "of it)"),
    Int("net.core.somaxconn", &S::somaxconn, 0, kMany, "upper limit of listen's backlog"),
    Int("net.ipv4.tcp_syncookies", &S::syncookies, 0, 2,
        "SYN cookies: 0 never, 1 when the SYN queue is full, 2 always"),
    {"net.ipv4.tcp_fastopen",
     "Fast Open, sum of: 1 client, 2 server, 4 client without cookies, 512 server without cookies, "
     "1024 every listener",
     Kind::kMask, 0, kFastOpenBits, &S::fastopen},
    Int("net.ipv4.tcp_abort_on_overflow", &S::abort_on_overflow, 0, 1,
        "reset, instead of waiting, when the accept queue is full"),
    {"net.ipv4.ip_local_port_range", "ports to choose from: first and last", Kind::kRange, 1, 65535,
     &S::port_min, &S::port_max},
    Int("net.ipv4.tcp_timestamps", &S::timestamps, 0, 1, "offer timestamps (RFC 7323)"),
    Int("net.ipv4.tcp_window_scaling", &S::window_scaling, 0, 1, "offer window scaling (RFC 7323)"),
    Int("net.ipv4.tcp_sack", &S::sack, 0, 1,
        "offer selective acknowledgments (RFC 2018) and send them"),
    Int("net.ipv4.tcp_ecn", &S::ecn, 0, 2,
        "explicit congestion notification (RFC 3168): 0 never, 1 asked for and accepted, 2 "
        "accepted"),
    Int("net.ipv4.tcp_ecn_fallback", &S::ecn_fallback, 0, 1,
        "a SYN that is repeated does not ask for it any more"),
    Int("net.ipv4.tcp_min_snd_mss", &S::min_snd_mss, 48, 65535,
        "what a peer's MSS counts at least"),
    Int("net.ipv4.ip_default_ttl", &S::default_ttl, 1, 255, "TTL and hop limit"),
    Int("net.ipv4.tcp_retries1", &S::retries1, 0, 255,
        "unanswered repeats of data before a black hole is suspected (tcp_mtu_probing)"),
    Int("net.ipv4.tcp_retries2", &S::retries2, 0, 255,
        "unanswered repeats of data before the connection times out"),
    Int("net.ipv4.tcp_orphan_retries", &S::orphan_retries, 0, 255,
        "the same after close(); 0 means 8"),
    Int("net.ipv4.tcp_max_orphans", &S::max_orphans, 0, kMany,
        "connections without an owner; more are reset"),
    Span("net.ipv4.tcp_rto_max_ms", &S::rto_max_ms, 1000, 120'000,
         "longest retransmission time-out"),
    Int("net.ipv4.tcp_fin_timeout", &S::fin_timeout_s, 0, kMany / 1000,
        "seconds that an ownerless connection stays in FIN_WAIT_2"),
    Int("net.ipv4.tcp_max_tw_buckets", &S::max_tw_buckets, 0, kMany, "TIME_WAIT records"),
    Int("net.ipv4.tcp_rfc1337", &S::rfc1337, 0, 1, "no reset ends TIME_WAIT"),
    Int("net.ipv4.tcp_tw_reuse", &S::tw_reuse, 0, 2,
        "an outgoing connection may take over a TIME_WAIT record (2: loopback only)"),
    Int("net.ipv4.tcp_tw_reuse_delay", &S::tw_reuse_delay_ms, 1, kHour,
        "milliseconds before it may"),
    Int("net.ipv4.tcp_keepalive_time", &S::keepalive_time_s, 1, 32767,
        "seconds of silence before the first keepalive probe"),
    Int("net.ipv4.tcp_keepalive_intvl", &S::keepalive_intvl_s, 1, 32767,
        "seconds between keepalive probes"),
    Int("net.ipv4.tcp_keepalive_probes", &S::keepalive_probes, 1, 127,
        "unanswered keepalive probes before the connection times out"),
    Int("net.ipv4.tcp_challenge_ack_limit", &S::challenge_ack_limit, 0, kMany,
        "challenge ACKs a second (RFC 5961)"),
    Int("net.ipv4.tcp_invalid_ratelimit", &S::invalid_ratelimit_ms, 0, kHour,
        "milliseconds between two answers to what does not fit one connection"),
    Triple("net.ipv4.tcp_rmem", &S::rmem, "receive buffer: least, default, most; bytes"),
    Triple("net.ipv4.tcp_wmem", &S::wmem, "send buffer: least, default, most; bytes"),
    Int("net.core.rmem_max", &S::rmem_max, 2304, kMany, "most that SO_RCVBUF can ask for; bytes"),
    Int("net.core.wmem_max", &S::wmem_max, 4608, kMany, "most that SO_SNDBUF can ask for; bytes"),
    Int("net.ipv4.tcp_slow_start_after_idle", &S::slow_start_after_idle, 0, 1,
        "begin with the initial window again after a pause"),
    {"net.ipv4.tcp_congestion_control",
     "congestion control of new connections: cubic (RFC 9438), reno (RFC 5681) or bbr (version 1)",
     Kind::kCongestion, 1, kCongestionControls, &S::congestion},
    Int("estab.tcp_hystart", &S::hystart, 0, 2,
        "leave slow start before it loses anything, with cubic: 0 no, 1 HyStart, 2 HyStart++ (RFC "
        "9406)"),
    Int("net.ipv4.tcp_pacing_ss_ratio", &S::pacing_ss_ratio, 0, 1000,
        "pacing rate in slow start, percent of a window per round trip"),
    Int("net.ipv4.tcp_pacing_ca_ratio", &S::pacing_ca_ratio, 0, 1000, "the same after it"),
    Fixed("net.ipv4.tcp_fastopen_blackhole_timeout_sec", 0,
          "pause of Fast Open after black holes on the path: not yet"),
    Int("net.ipv4.tcp_dsack", &S::dsack, 0, 1, "tell duplicates in SACK blocks (RFC 2883)"),
    Int("net.ipv4.tcp_early_retrans", &S::early_retrans, 0, 4,
        "tail loss probes (RFC 8985): 3 and 4 on, less off"),
    {"net.ipv4.tcp_recovery",
     "RACK (RFC 8985), sum of: 1 on (always), 2 a reordering window that does not adapt, 4 three "
     "SACKed segments do not close it",
     Kind::kMask, tcp::kRackOn, 7, &S::recovery},
    Span("net.ipv4.tcp_notsent_lowat", &S::unsent_low_water, 0, UINT32_MAX,
         "bytes that may wait unsent, for sockets without TCP_NOTSENT_LOWAT"),
    Int("net.ipv4.tcp_frto", &S::frto, 0, 2, "find out spurious time-outs (RFC 5682); 0: no"),
    Int("net.ipv4.ip_no_pmtu_disc", &S::no_pmtu_disc, 0, 3,
        "ICMP about packets that were too big: 0 and 3 believed, 1 the path takes no more than "
        "min_pmtu, 2 not believed; over 0 DF is set only by IP_MTU_DISCOVER"),
    Int("net.ipv4.route.min_pmtu", &S::min_pmtu, 68, 65535,
        "an MTU below this is taken for this one, and DF is set no more; bytes"),
    Int("net.ipv4.route.mtu_expires", &S::mtu_expires_s, 1, kMany / 1000,
        "seconds that a path's MTU is remembered"),
    Int("net.ipv6.route.mtu_expires", &S::mtu_expires_v6_s, 1, kMany / 1000, "the same for IPv6"),
    Int("net.ipv4.tcp_mtu_probing", &S::mtu_probing, 0, 2,
        "path MTU found by probing (RFC 4821): 0 no, 1 after a black hole, 2 always"),
    Int("net.ipv4.tcp_base_mss", &S::base_mss, 1, 65535,
        "MSS that probing begins with, and falls back to"),
    Int("net.ipv4.tcp_mtu_probe_floor", &S::mtu_probe_floor, 48, 65535,
        "least MSS that it falls back to"),
    Int("net.ipv4.tcp_probe_interval", &S::probe_interval_s, 1, 14400,
        "seconds between two rounds of probing, to the minute"),
    Int("net.ipv4.tcp_probe_threshold", &S::probe_threshold, 0, 65535,
        "bytes between a round's bounds at which it ends"),
    Int("net.ipv4.tcp_moderate_rcvbuf", &S::moderate_rcvbuf, 0, 1,
        "receive buffers grow to what a round trip brings, up to tcp_rmem's most"),
    Fixed("net.ipv4.tcp_no_metrics_save", 1, "nothing is remembered of a path: not yet"),
    Int("net.ipv4.ipfrag_high_thresh", &S::frag_high_thresh, 0, kMany,
        "bytes of memory for fragments of IPv4 that wait for others; one source has a quarter"),
    Int("net.ipv4.ipfrag_time", &S::frag_time_s, 0, kMany / 1000, "seconds that they wait"),
    Int("net.ipv6.ip6frag_high_thresh", &S::frag_high_thresh_v6, 0, kMany,
        "the same for IPv6: bytes of memory"),
    Int("net.ipv6.ip6frag_time", &S::frag_time_v6_s, 0, kMany / 1000, "and seconds"),
    Int("net.ipv4.icmp_ratelimit", &S::icmp_ratelimit_ms, 0, kHour,
        "milliseconds between two ICMP errors to one host, after six at once; 0: no limit"),
    Int("net.ipv6.icmp.ratelimit", &S::icmp_ratelimit_v6_ms, 0, kHour, "the same for ICMPv6"),
    Int("net.ipv4.icmp_msgs_per_sec", &S::icmp_msgs_per_sec, 0, 1'000'000,
        "ICMP errors a second of both families to all hosts"),
    Int("net.ipv4.icmp_msgs_burst", &S::icmp_msgs_burst, 0, 1'000'000, "and of them at once"),
    Int("estab.tcp_abe", &S::abe, 0, 1,
        "a mark of congestion leaves more of the window than a loss (RFC 8511)"),
    Span("estab.tcp_msl", &S::msl_ms, 1, 24 * kHour,
         "maximum segment lifetime; TIME_WAIT lasts twice as long"),
    Span("estab.tcp_rto_max", &S::rto_max_ms, 1, 24 * kHour,
         "the same as net.ipv4.tcp_rto_max_ms, in a wider range"),
    Span("estab.tcp_rto_initial", &S::rto_initial_ms, 1, 120'000,
         "retransmission time-out before the first measurement"),
    Span("estab.tcp_rto_min", &S::rto_min_ms, 1, 120'000,
         "least that the retransmission time-out exceeds the round trip by"),
    Int("estab.tcp_rto_restart", &S::rto_restart, 0, 1,
        "with fewer than four segments to go, the time-out counts from the oldest one's sending "
        "(RFC "
        "7765)"),
};

static_assert(std::size(kEntries) <= kMostSettings);

// "500", "500ms", "3s", "1min": whole numbers; milliseconds where no unit is given.
bool ReadDuration(std::string_view text, std::int64_t& ms) {
  std::int64_t factor = 1;
  const auto unit = [&](std::string_view name, std::int64_t f) {
    if (!text.ends_with(name)) return false;
    text.remove_suffix(name.size());
    factor = f;
    return true;
  };
  if (!unit("ms", 1) && !unit("min", 60'000)) unit("s", 1000);
  std::int64_t number = 0;
  if (!ReadNumber(Trimmed(text), number) || number < 0 || number > INT64_MAX / 60'000) return false;
  ms = number * factor;
  return true;
}

// `count` numbers separated by spaces or tabs.
bool ReadRow(std::string_view text, std::int64_t* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    text = Trimmed(text);
    const std::string_view word(text.data(), std::min(text.find_first_of(" \t"), text.size()));
    if (!ReadNumber(word, values[i])) return false;
    text.remove_prefix(word.size());
  }
  return Trimmed(text).empty();
}

bool InRange(const SettingEntry& entry, std::int64_t value) {
  return value >= entry.least && value <= entry.most;
}

bool ReadRange(const SettingEntry& entry, std::string_view text, tcp::Settings& settings) {
  std::int64_t row[2];
  if (!ReadRow(text, row, 2) || !InRange(entry, row[0]) || !InRange(entry, row[1])) return false;
  if (row[0] > row[1]) return false;
  settings.*entry.int_member = static_cast<std::int32_t>(row[0]);
  settings.*entry.second_member = static_cast<std::int32_t>(row[1]);
  return true;
}

bool ReadTriple(const SettingEntry& entry, std::string_view text, tcp::Settings& settings) {
  std::int64_t row[3];
  if (!ReadRow(text, row, 3)) return false;
  for (std::int64_t value : row) {
    if (!InRange(entry, value)) return false;
  }
  if (row[0] > row[1] || row[1] > row[2]) return false;
  for (int i = 0; i < 3; ++i) (settings.*entry.triple_member)[i] = row[i];
  return true;
}

}  // namespace

std::span<const SettingEntry> SettingEntries() { return kEntries; }

const SettingEntry* FindSetting(std::string_view name) {
  for (const SettingEntry& entry : kEntries) {
    if (name == entry.name) return &entry;
  }
  return nullptr;
}

std::string_view Trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

bool ReadNumber(std::string_view text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// A bit mask may be hexadecimal, as it may for a sysctl.
bool ReadMask(std::string_view text, std::int64_t& value) {
  if (!text.starts_with("0x")) return ReadNumber(text, value);
  text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string_view WriteNumber(std::int64_t value, std::span<char> out) {
  char* end = std::to_chars(out.data(), out.data() + out.size(), value).ptr;
  return {out.data(), static_cast<std::size_t>(end - out.data())};
}

bool ReadSetting(const SettingEntry& entry, std::string_view text, tcp::Settings& settings) {
  std::int64_t value = 0;
  switch (entry.kind) {
    case Kind::kInt:
      if (!ReadNumber(Trimmed(text), value) || !InRange(entry, value)) return false;
      settings.*entry.int_member = static_cast<std::int32_t>(value);
      return true;
    case Kind::kMask:
      if (!ReadMask(Trimmed(text), value) || (value & ~entry.most) != 0) return false;
      if ((value & entry.least) != entry.least) return false;
      settings.*entry.int_member = static_cast<std::int32_t>(value);
      return true;
    case Kind::kDuration:
      if (!ReadDuration(Trimmed(text), value) || !InRange(entry, value)) return false;
      settings.*entry.duration_member = value;
      return true;
    case Kind::kTriple:
      return ReadTriple(entry, text, settings);
    case Kind::kRange:
      return ReadRange(entry, text, settings);
    case Kind::kCongestion: {
      const auto congestion = CongestionByName(Trimmed(text));
      if (!congestion) return false;
      settings.*entry.int_member = static_cast<std::int32_t>(*congestion);
      return true;
    }
    case Kind::kFixed:
      return ReadNumber(Trimmed(text), value) && value == entry.least;
  }
  return false;
}

void CopySetting(const SettingEntry& entry, const tcp::Settings& from, tcp::Settings& to) {
  switch (entry.kind) {
    case Kind::kInt:
    case Kind::kMask:
    case Kind::kCongestion:
      to.*entry.int_member = from.*entry.int_member;
      break;
    case Kind::kDuration:
      to.*entry.duration_member = from.*entry.duration_member;
      break;
    case Kind::kTriple:
      for (int i = 0; i < 3; ++i) (to.*entry.triple_member)[i] = (from.*entry.triple_member)[i];
      break;
    case Kind::kRange:
      to.*entry.int_member = from.*entry.int_member;
      to.*entry.second_member = from.*entry.second_member;
      break;
    case Kind::kFixed:
      break;
  }
}

std::string_view WriteSetting(const SettingEntry& entry, const tcp::Settings& settings,
                              std::span<char> out) {
  if (entry.kind == Kind::kCongestion) {
    const std::string_view name = NameOf(static_cast<Congestion>(settings.*entry.int_member));
    return {out.data(), name.copy(out.data(), out.size())};
  }
  char* p = out.data();
  char* const end = out.data() + out.size();
  const auto write = [&](std::int64_t value) {
    if (p != out.data()) *p++ = '\t';
    p = std::to_chars(p, end, value).ptr;
  };
  switch (entry.kind) {
    case Kind::kInt:
    case Kind::kMask:
      write(settings.*entry.int_member);
      break;
    case Kind::kDuration:
      write(settings.*entry.duration_member);
      break;
    case Kind::kTriple:
      for (std::int64_t value : settings.*entry.triple_member) write(value);
      break;
    case Kind::kRange:
      write(settings.*entry.int_member);
      write(settings.*entry.second_member);
      break;
    case Kind::kCongestion:
      break;  // written above
    case Kind::kFixed:
      write(entry.least);
      break;
  }
  return {out.data(), static_cast<std::size_t>(p - out.data())};
}

}  // namespace estab::stack
