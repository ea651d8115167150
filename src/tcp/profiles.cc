// The profiles: where `linux` and `rfc` leave `default`.
#include "estab/options.h"
#include "tcp/settings.h"

namespace estab::tcp {
namespace {

// Linux 6.18 as measured.
void MakeLinux(Settings& s) {
  s.syn_retries = 6;
  s.syn_linear_timeouts = 4;
  s.keepalive_probes = 9;
  s.policy.other_syn = Policy::OtherSyn::kReset;
  s.policy.syn_queue_by_backlog = true;
  s.policy.bad_ack_hastens_syn = true;
  s.policy.give_up_by_time = true;
  s.policy.shut_read_discards = false;
  s.policy.reset_may_carry_fins_number = true;
  s.policy.ack_floor_is_first_byte = true;
  s.policy.window_takes_in_edges = true;
  s.policy.no_ack_before_sequence = true;
  s.policy.text_after_fin_counts = true;
  s.policy.fin_wait2_is_record = true;
  s.policy.old_syn_restarts_time_wait = true;
  s.policy.bound_port_takes_time_wait = true;
  s.policy.connect_timeout_ends = false;
  s.policy.icmp_may_quote_next = true;
  s.policy.mtu_plateaus = false;
  s.policy.crossed_syn_ack_as_linux = true;
  s.policy.probes_wait_from_answer = true;
  s.policy.probes_as_linux = true;
  s.policy.bbr_as_linux = true;
  s.policy.repairs_as_linux = true;
  s.policy.window_shrinks_with_news = true;
  s.policy.paws_spares_overtaken = false;
  s.policy.isn_tick_ns = 64;
  s.policy.time_wait_shows_closed = true;
}

// RFC 9293 and its companions, to the letter.
void MakeRfc(Settings& s) {
  s.syn_retries = 7;    // MUST-23: at least 3 minutes
  s.rto_min_ms = 1000;  // RFC 6298 §2.4
  s.msl_ms = 120'000;   // RFC 9293 §3.4.2
  s.early_retrans = 0;  // RFC 8985 is a choice, and the times of RFC 6298 are the letter
  s.congestion = static_cast<std::int32_t>(Congestion::kReno);  // MUST-19; others are MAY-18
  s.hystart = 2;                                                // RFC 9406, where it is used
  s.policy.other_syn = Policy::OtherSyn::kListen;
  s.policy.paws_spares_overtaken = false;
  s.policy.timestamps_required = true;
  s.policy.rto_min_of_whole = true;
  s.policy.soft_icmp_ends_opening = false;
  s.policy.reset_refuses_active_opener = true;
  s.policy.last_ack_when_sent = true;
}

}  // namespace

Settings SettingsOf(Profile profile) {
  Settings settings;
  settings.profile = profile;
  if (profile == Profile::kLinux) MakeLinux(settings);
  if (profile == Profile::kRfc) MakeRfc(settings);
  return settings;
}

}  // namespace estab::tcp
