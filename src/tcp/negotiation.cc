#include "tcp/negotiation.h"

#include <algorithm>
#include <bit>

#include "tcp/policy.h"

namespace estab::tcp {
namespace {

constexpr std::uint8_t kMaxScale = 14;  // RFC 7323 §2.3

// net.core.rmem_max, as Linux 6.18 has it: the most that SO_RCVBUF could still ask for.
constexpr std::int64_t kReceiveMost = 4 << 20;

// The buffer that may be promised to the peer at first, in payload.
std::uint32_t FirstBuffer(const Settings& settings, const SocketOptions& options) {
  if (options.receive_buffer != 0) return options.receive_buffer;
  return static_cast<std::uint32_t>(settings.rmem[1] / 2);
}

// The scale with which the largest buffer that this connection may ever get can be announced.
std::uint8_t ScaleFor(const Settings& settings, const SocketOptions& options) {
  std::int64_t largest = options.receive_buffer;
  if (largest == 0) {
    largest =
        std::max({std::int64_t{FirstBuffer(settings, options)}, settings.rmem[2], kReceiveMost});
  }
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(largest)));
  return static_cast<std::uint8_t>(std::clamp<int>(bits - 16, 0, kMaxScale));
}

}  // namespace

std::uint16_t AnnouncedMss(std::uint32_t mtu, bool v4, const SocketOptions& options) {
  const std::uint32_t room = std::min<std::uint32_t>(mtu - HeaderRoom(v4), 65535);
  const std::uint32_t wanted = options.max_segment != 0 ? options.max_segment : room;
  return static_cast<std::uint16_t>(std::min(room, wanted));
}

Offer MakeOffer(const Settings& settings, const SocketOptions& options, std::uint16_t mss) {
  Offer offer;
  offer.mss = mss;
  offer.timestamps = settings.timestamps != 0;
  offer.window_scaling = settings.window_scaling != 0;
  offer.sack = settings.sack != 0;
  if (offer.window_scaling) offer.window_scale = ScaleFor(settings, options);
  offer.window = FirstWindow(settings, options, mss);
  return offer;
}

Offer Answered(const Settings& settings, const SocketOptions& options, const Offer& ours,
               const wire::TcpOptions& theirs) {
  Offer answer = ours;
  answer.timestamps = ours.timestamps && theirs.has_timestamp;
  answer.window_scaling = ours.window_scaling && theirs.has_window_scale;
  answer.sack = ours.sack && theirs.sack_permitted;
  if (!answer.window_scaling) answer.window_scale = 0;
  // Here it is known how much of each segment the options take.
  const std::uint32_t payload = ours.mss - (answer.timestamps ? kTimestampRoom : 0u);
  answer.window = FirstWindow(settings, options, payload);
  return answer;
}

std::uint16_t FirstWindow(const Settings& settings, const SocketOptions& options,
                          std::uint32_t payload) {
  std::uint32_t window = FirstBuffer(settings, options);
  if (options.window_clamp != 0) window = std::min(window, options.window_clamp);
  if (payload != 0 && window > payload) window -= window % payload;
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(window, 65535));
}

std::uint16_t PeerMss(const Settings& settings, const wire::TcpOptions& theirs, bool v4) {
  const int assumed = v4 ? 536 : 1220;
  const int mss = theirs.has_mss && theirs.mss != 0 ? theirs.mss : assumed;
  return static_cast<std::uint16_t>(std::max(mss, settings.min_snd_mss));
}

wire::TcpOptions SynOptions(const Offer& offer, std::uint32_t ts_value, std::uint32_t ts_echo) {
  wire::TcpOptions options;
  options.has_mss = true;
  options.mss = offer.mss;
  options.sack_permitted = offer.sack;
  options.has_window_scale = offer.window_scaling;
  options.window_scale = offer.window_scale;
  options.has_timestamp = offer.timestamps;
  options.ts_value = ts_value;
  options.ts_echo = ts_echo;
  return options;
}

std::uint16_t SendMss(std::uint16_t peer_mss, std::uint16_t path_mss, bool timestamps,
                      const SocketOptions& options) {
  std::uint16_t mss = std::min(peer_mss, path_mss);
  if (options.max_segment != 0) mss = std::min(mss, options.max_segment);
  if (timestamps) mss = static_cast<std::uint16_t>(mss - std::min<int>(mss, kTimestampRoom));
  return mss;
}

void Agree(Tcb& tcb, const wire::TcpOptions& theirs, std::uint16_t peer_mss) {
  tcb.timestamps = tcb.timestamps && theirs.has_timestamp;
  tcb.window_scaling = tcb.window_scaling && theirs.has_window_scale;
  tcb.sack = tcb.sack && theirs.sack_permitted;
  tcb.send_scale = tcb.window_scaling ? std::min(theirs.window_scale, kMaxScale) & 0xf : 0;
  if (!tcb.window_scaling) tcb.receive_scale = 0;
  tcb.peer_mss = peer_mss;
}

}  // namespace estab::tcp
