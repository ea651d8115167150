// What the two SYNs agree on (RFC 9293 §3.7.1, RFC 7323, RFC 2018), and the first windows.
#pragma once

#include "tcp/context.h"
#include "wire/ip.h"
#include "wire/segment.h"
#include "wire/tcp.h"

namespace estab::tcp {

constexpr std::uint16_t kTimestampRoom = 12;  // nop nop TS, in every segment

/// What the two headers take of a packet, without options.
constexpr std::uint32_t HeaderRoom(bool v4) {
  return static_cast<std::uint32_t>(wire::kTcpHeaderSize +
                                    (v4 ? wire::kIpv4HeaderSize : wire::kIpv6HeaderSize));
}

/// What we say in a SYN or SYN|ACK, and what came of the peer's.
struct Offer {
  std::uint16_t mss = 0;     // announced
  std::uint16_t window = 0;  // never scaled (RFC 7323 §2.2)
  std::uint8_t window_scale = 0;
  bool timestamps = false;
  bool window_scaling = false;
  bool sack = false;
};

/// The MSS we announce on a link of that MTU: MTU - 40 (IPv4) or MTU - 60 (IPv6), TCP_MAXSEG at
/// most.
std::uint16_t AnnouncedMss(std::uint32_t mtu, bool v4, const SocketOptions& options);

/// Our side of a SYN: everything that settings and options allow.
Offer MakeOffer(const Settings& settings, const SocketOptions& options, std::uint16_t mss);

/// Our answer to a peer's SYN: only what it offered too.
Offer Answered(const Settings& settings, const SocketOptions& options, const Offer& ours,
               const wire::TcpOptions& theirs);

/// The first window, as Linux chooses it: whole segments of `payload` bytes out of the receive
/// buffer (half of tcp_rmem's default, which counts bookkeeping too; or SO_RCVBUF as asked for).
std::uint16_t FirstWindow(const Settings& settings, const SocketOptions& options,
                          std::uint32_t payload);

/// The peer's MSS: as announced, else 536 or 1220 (RFC 9293 §3.7.1); never below tcp_min_snd_mss.
std::uint16_t PeerMss(const Settings& settings, const wire::TcpOptions& theirs, bool v4);

/// Options of our SYN or SYN|ACK.
wire::TcpOptions SynOptions(const Offer& offer, std::uint32_t ts_value, std::uint32_t ts_echo);

/// Payload of a full segment: the smaller of the peer's MSS, what the path takes and TCP_MAXSEG,
/// less the room that timestamps take in every segment (RFC 9293 §3.7.1, RFC 6691).
std::uint16_t SendMss(std::uint16_t peer_mss, std::uint16_t path_mss, bool timestamps,
                      const SocketOptions& options);

/// Takes the outcome of a negotiation into a connection: flags, scales, the peer's MSS. (Our
/// receive scale must be set. send_mss follows from it: BeginMss.)
void Agree(Tcb& tcb, const wire::TcpOptions& theirs, std::uint16_t peer_mss);

}  // namespace estab::tcp
