#include "api/tcp_info.h"

#include <linux/inet_diag.h>
#include <linux/tcp.h>

#include <algorithm>
#include <cstring>

namespace estab::api {
namespace {

std::uint32_t Microseconds(Duration time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(us, UINT32_MAX));
}

std::uint32_t Milliseconds(Duration time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

// Linux counts windows and queues in segments.
std::uint32_t Segments(std::uint64_t bytes, std::uint32_t mss) {
  return mss == 0 ? 0 : static_cast<std::uint32_t>((bytes + mss - 1) / mss);
}

// What is sent and not acknowledged. A SYN and a FIN have a number, as a byte of data has.
std::uint32_t Outstanding(const ConnectionInfo& info) {
  const std::uint32_t data = info.send_queue - std::min(info.unsent, info.send_queue);
  switch (info.state) {
    case State::kSynSent:
    case State::kSynRcvd:
      return 1;
    case State::kFinWait1:
    case State::kClosing:
    case State::kLastAck:
      return info.unsent == 0 ? data + 1 : data;
    default:
      return data;
  }
}

constexpr std::uint32_t kTimestampSize = 12;
constexpr std::uint32_t kNoThreshold = 0x7fffffff;  // TCP_INFINITE_SSTHRESH

void WriteState(const ConnectionInfo& info, tcp_info& out) {
  out.tcpi_state = static_cast<__u8>(info.state);
  out.tcpi_retransmits = static_cast<__u8>(std::min(info.retransmits, 255u));
  out.tcpi_probes = static_cast<__u8>(std::min(info.probes, 255u));
  out.tcpi_backoff = static_cast<__u8>(std::min(info.backoff, 255u));
  if (info.state == State::kSynSent) return;  // offered is not agreed: as Linux, no options yet
  int options = 0;
  if (info.timestamps) options |= TCPI_OPT_TIMESTAMPS;
  if (info.sack) options |= TCPI_OPT_SACK;
  if (info.syn_data) options |= TCPI_OPT_SYN_DATA;
  if (info.window_scaling) options |= TCPI_OPT_WSCALE;
  if (info.ecn) options |= TCPI_OPT_ECN;
  if (info.ecn_seen) options |= TCPI_OPT_ECN_SEEN;
  out.tcpi_options = static_cast<__u8>(options);
  out.tcpi_snd_wscale = info.send_window_scale & 0xf;
  out.tcpi_rcv_wscale = info.receive_window_scale & 0xf;
}

void WriteLosses(const ConnectionInfo& info, tcp_info& out) {
  out.tcpi_ca_state = info.recovery_state;
  out.tcpi_sacked = info.sacked;
  out.tcpi_lost = info.lost;
  out.tcpi_retrans = info.repeats_out;
  out.tcpi_reordering = info.reordering;
  out.tcpi_reord_seen = info.reordering_seen ? 1 : 0;
}

void WriteWindows(const ConnectionInfo& info, tcp_info& out) {
  const std::uint32_t mss = info.send_mss;
  // As Linux: while opening the timestamps that were only offered are taken off already.
  const bool offered = info.timestamps && info.state == State::kSynSent;
  out.tcpi_snd_mss = mss - (offered ? std::min(kTimestampSize, mss) : 0);
  out.tcpi_pmtu = info.path_mtu;
  out.tcpi_rcv_mss = std::min(info.typical_in, info.receive_mss);
  const bool agreed = info.timestamps && info.state != State::kSynSent;
  out.tcpi_advmss = info.receive_mss - (agreed ? std::min(kTimestampSize, info.receive_mss) : 0);
  // What is less than a segment lets none go.
  const std::uint32_t window = info.congestion_window;
  out.tcpi_snd_cwnd = mss == 0 ? 0 : std::max(window / mss, std::min(window, 1u));
  const bool infinite = info.slow_start_threshold == 0 || info.slow_start_threshold >= kNoThreshold;
  out.tcpi_snd_ssthresh = infinite ? kNoThreshold : Segments(info.slow_start_threshold, mss);
  out.tcpi_rcv_space = info.receive_window;
  out.tcpi_snd_wnd = info.send_window;
  out.tcpi_rcv_ssthresh = info.receive_window;
  if (info.state == State::kListen) {  // as Linux: the accept queue and its limit
    out.tcpi_unacked = info.accept_queue;
    out.tcpi_sacked = info.backlog;
  } else {
    out.tcpi_unacked = std::max(info.in_flight, Segments(Outstanding(info), mss));
    WriteLosses(info, out);
  }
}

}  // namespace

std::size_t WriteTcpInfo(const ConnectionInfo& info, std::span<std::byte> into) {
  tcp_info out{};
  WriteState(info, out);
  WriteWindows(info, out);
  out.tcpi_ato = Microseconds(info.ack_delay);
  out.tcpi_last_data_sent = Milliseconds(info.since_data_sent);
  out.tcpi_last_data_recv = Milliseconds(info.since_data_arrived);
  out.tcpi_last_ack_recv = Milliseconds(info.since_heard);
  out.tcpi_rto = Microseconds(info.rto);
  out.tcpi_rtt = Microseconds(info.srtt);
  out.tcpi_rttvar = Microseconds(info.rttvar);
  out.tcpi_min_rtt = Microseconds(info.min_rtt);
  out.tcpi_total_retrans = info.segments_retransmitted;
  out.tcpi_bytes_acked = info.bytes_acked;
  out.tcpi_bytes_received = info.bytes_received;
  out.tcpi_bytes_sent = info.bytes_sent;
  out.tcpi_pacing_rate = info.pacing_rate;
  out.tcpi_max_pacing_rate = info.max_pacing_rate;
  out.tcpi_delivery_rate = info.delivery_rate;
  out.tcpi_delivery_rate_app_limited = info.delivery_rate_app_limited ? 1 : 0;
  out.tcpi_delivered = info.segments_delivered;
  out.tcpi_delivered_ce = info.segments_marked;
  out.tcpi_segs_in = info.segments_in;
  out.tcpi_segs_out = info.segments_out;
  out.tcpi_notsent_bytes = info.unsent;
  const std::size_t size = std::min(into.size(), sizeof(out));
  std::memcpy(into.data(), &out, size);
  return size;
}

std::size_t WriteCongestionInfo(const ConnectionInfo& info, std::span<std::byte> into) {
  if (info.congestion != Congestion::kBbr) return 0;
  tcp_bbr_info out{};
  out.bbr_bw_lo = static_cast<__u32>(info.bbr.bandwidth);
  out.bbr_bw_hi = static_cast<__u32>(info.bbr.bandwidth >> 32);
  out.bbr_min_rtt = Microseconds(info.bbr.min_rtt);
  out.bbr_pacing_gain = info.bbr.pacing_gain;
  out.bbr_cwnd_gain = info.bbr.cwnd_gain;
  const std::size_t size = std::min(into.size(), sizeof(out));
  std::memcpy(into.data(), &out, size);
  return size;
}

}  // namespace estab::api
