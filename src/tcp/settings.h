// The stack-wide settings that decide how connections behave. Read at use: a change is felt at
// once.
#pragma once

#include <cstdint>

namespace estab::tcp {

/// Values of the `default` profile. Names follow Linux's sysctls without their `tcp_`.
struct Settings {
  // Opening.
  std::int32_t syn_retries = 5;
  std::int32_t syn_linear_timeouts = 0;
  std::int32_t synack_retries = 5;
  std::int32_t max_syn_backlog = 1024;
  std::int32_t somaxconn = 4096;
  std::int32_t abort_on_overflow = 0;
  std::int32_t port_min = 32768;
  std::int32_t port_max = 60999;
  // Negotiation.
  std::int32_t timestamps = 1;
  std::int32_t window_scaling = 1;
  std::int32_t sack = 1;
  std::int32_t min_snd_mss = 48;
  std::int32_t default_ttl = 64;
  // Retrying and giving up.
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
  std::int32_t slow_start_after_idle = 1;
};

}  // namespace estab::tcp
