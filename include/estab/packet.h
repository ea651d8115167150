// Packets at the engine's boundary: what goes into Receive and what comes out of Transmit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace estab {

/// Names a link of one stack: the value that Stack::AddLink returned.
using LinkId = std::uint16_t;

/// One IP packet that arrived. `data` is borrowed for the duration of the Receive call.
struct RxPacket {
  std::span<const std::byte> data;  // from the IP header on; trailing link padding is tolerated
  LinkId link = 0;
  bool checksum_ok = false;    // the link vouches for the checksum of TCP or UDP; it is not read
  std::uint16_t gso_size = 0;  // non-zero: merged of TCP segments with this much payload each, the
                               // last with the rest; the headers are the first one's
  void* owner = nullptr;       // for links that lend buffers; the engine does not interpret it yet
};

/// A piece of memory to send; like iovec, but const and typed.
struct Slice {
  const std::byte* data = nullptr;
  std::size_t size = 0;
};

/// Bytes that were lent to the engine (Stack::SendReference) and are their owner's again.
struct ReturnedBytes {
  std::uint64_t token = 0;  // as it was given with them
  bool copied = false;      // the engine has copied them after all: nothing was saved
};

/// One IP packet to send. Everything it points to stays valid until Send returns; if Send returned
/// kHeld, header and payload until Stack::TransmitComplete was called with its token, but the list
/// of the payload's pieces must be copied.
struct TxPacket {
  std::span<const std::byte> header;  // IP and TCP headers; for a reply, the whole packet
  std::span<const Slice> payload;     // in order; may be empty
  LinkId link = 0;
  // Where the checksum's coverage begins, and from there to its field, which holds the sum of the
  // pseudo-header. 0: the checksum is filled in. Only for a sink that declares `checksum`.
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
  // Non-zero: a super-segment, to be cut into TCP segments with this many bytes of payload each,
  // the last with the rest. PSH and FIN belong to the last. Only for a sink that declares
  // `max_size`; its checksum is never filled in.
  std::uint16_t gso_size = 0;
  std::uint64_t token = 0;  // names the packet in TransmitComplete; 0: it must not be held

  std::size_t payload_size() const {
    std::size_t n = 0;
    for (const Slice& s : payload) n += s.size;
    return n;
  }
  std::size_t size() const { return header.size() + payload_size(); }
};

/// What a link can do for the engine.
struct SinkCapabilities {
  bool checksum = false;       // it fills in TCP checksums; without it the engine does
  bool holds = false;          // it may answer kHeld
  std::uint32_t max_size = 0;  // largest packet it takes with gso_size set, up to 65535; 0, or
                               // without `checksum`: no super-segments
};

/// What became of a packet that was offered to a sink.
enum class SinkResult : std::uint8_t {
  kSent,  // taken, and its memory is free again
  kHeld,  // taken, but its memory is still read: TransmitComplete(token) will follow. Only from a
          // sink that declares `holds`, and only for packets with a token
  kBusy,  // not taken: the link is full; it is offered again by a later Transmit
};

/// Where Transmit puts packets. Implemented by links; called only from within Transmit, and must
/// not call back into the stack.
class PacketSink {
 public:
  /// What `link` can do. Asked during Transmit; must not change from call to call.
  virtual SinkCapabilities Capabilities(LinkId link) const = 0;
  /// Takes `packet` or says why not.
  virtual SinkResult Send(const TxPacket& packet) = 0;

 protected:
  ~PacketSink() = default;
};

}  // namespace estab
