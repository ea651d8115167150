// The layer between a stack, which knows IP packets, and a link that takes Ethernet frames:
// headers, ARP, neighbour discovery. Like the stack a function of its inputs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "estab/packet.h"
#include "estab/time.h"
#include "stack/neighbours.h"
#include "stack/network.h"
#include "wire/arp.h"
#include "wire/ethernet.h"
#include "wire/ndp.h"

namespace estab::stack {

/// Where frames go.
class FrameSink {
 public:
  /// Takes `packet` with `frame_header` before it. As PacketSink::Send; a frame is never held.
  virtual SinkResult SendFrame(std::span<const std::byte> frame_header, const TxPacket& packet) = 0;

 protected:
  ~FrameSink() = default;
};

struct EthernetCounters {
  std::uint64_t foreign = 0;      // frames that are not for this station, or not of IP
  std::uint64_t malformed = 0;    // ARP and neighbour discovery that is
  std::uint64_t conflicts = 0;    // another station claims an address of ours
  std::uint64_t unreachable = 0;  // neighbours that did not answer
  std::uint64_t dropped = 0;      // packets that waited for one and had to go
};

/// One station on one Ethernet. It answers for its addresses, and asks for the neighbours that its
/// packets are for. Not supported: duplicate address detection of our own, router discovery,
/// redirects, multicast, proxies. Its memory is bounded and part of it (some 300 KiB).
///
/// A packet for a neighbour that is not known yet waits with a few others until that answers. When
/// it does not, the stack is told as by a router: destination unreachable.
class Ethernet {
 public:
  /// `mac` is the station's own; `key` is secret.
  Ethernet(const wire::MacAddress& mac, const SipKey& key);

  /// As Stack::AddAddress and Stack::AddRoute of this link, besides which they are to be called.
  Result<void> AddAddress(const Prefix& prefix) { return network_.AddAddress(0, prefix); }
  Result<void> AddRoute(const Prefix& destination, const IpAddress* via) {
    return network_.AddRoute(0, destination, via);
  }

  /// Takes a frame. What is for the stack comes back, without the frame's header; it points into
  /// `frame`.
  std::optional<RxPacket> Receive(Time now, const RxPacket& frame);
  /// Sends a packet of the stack's, or lets it wait for its neighbour (kSent).
  SinkResult Send(Time now, const TxPacket& packet, FrameSink& sink);
  /// Whether Transmit has something: questions, answers, packets that have waited.
  bool WantsTransmit() const { return ready_ != 0; }
  void Transmit(FrameSink& sink);
  Time NextDeadline() const { return neighbours_.NextDeadline(); }
  /// Asks again, and gives up. Call it until it returns nothing: what it returns is for the stack,
  /// and lies in `message`, which has room for 1280 bytes.
  std::optional<RxPacket> Advance(Time now, std::span<std::byte> message);

  const EthernetCounters& counters() const { return counters_; }
  const Neighbours& neighbours() const { return neighbours_; }

 private:
  static constexpr std::size_t kFrames = 128;
  static constexpr std::size_t kFrameSize = 1600;
  static constexpr std::size_t kMostForOne = 32;  // packets that wait for one neighbour

  /// A frame of our own making that waits for the link, or a packet that waits for its neighbour.
  struct Frame {
    std::array<std::byte, wire::kEthernetHeaderSize> header;
    std::array<std::byte, kFrameSize> bytes;
    std::uint16_t size = 0;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;
    bool waits = false;  // for `next_hop`
    IpAddress next_hop;
  };

  void ReceiveArp(Time now, const wire::EthernetHeader& header, std::span<const std::byte> bytes);
  void ReceiveNeighbour(Time now, const wire::EthernetHeader& header,
                        std::span<const std::byte> packet);
  void AnswerQuestion(Time now, const wire::EthernetHeader& header,
                      const wire::NeighbourMessage& question);
  void Hear(Time now, const IpAddress& address, const wire::MacAddress& mac, Hearsay what,
            bool overrides = true);
  void Ask(const IpAddress& target, const wire::MacAddress* station);
  Frame* NewFrame();
  void Wait(const IpAddress& next_hop, const TxPacket& packet);
  void Queue(Frame& frame, const wire::MacAddress& to, std::uint16_t type);
  void Remove(std::size_t place);
  std::optional<RxPacket> TellUnreachable(std::span<std::byte> message);
  bool Neighbourly(const IpAddress& address) const;

  wire::MacAddress mac_;
  Neighbours neighbours_;
  Network network_;
  EthernetCounters counters_;
  std::array<Frame, kFrames> frames_;
  std::array<std::uint8_t, kFrames> order_;  // the frames in use, oldest first, then the others
  std::size_t used_ = 0;
  std::size_t ready_ = 0;            // of those, that wait for the link alone
  std::optional<IpAddress> failed_;  // a neighbour that has not answered: packets wait for it
};

}  // namespace estab::stack
