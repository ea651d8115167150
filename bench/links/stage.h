// Network namespaces with a link between two ends, and processes at both.
#pragma once

#include <string>

#include "links/workloads.h"

namespace links {

/// What lies between the ends.
enum class Kind {
  kVeth,  // a pair of Ethernet devices, the kernel at both ends: what the others are compared with
  kTun,   // a TUN device: the kernel at the one end, estab at the other
  kPacket,  // the veth pair, estab at the one end by AF_PACKET
  kXdp,     // the same by AF_XDP
  // The same three with an estab that looks at the link all the time.
  kTunBusy,
  kPacketBusy,
  kXdpBusy,
};
constexpr Kind kKinds[] = {Kind::kVeth,    Kind::kTun,        Kind::kPacket, Kind::kXdp,
                           Kind::kTunBusy, Kind::kPacketBusy, Kind::kXdpBusy};
const char* NameOf(Kind kind);
const char* NameOf(Workload workload);

/// One run: a client at the one end, a server at the other, for so many seconds. estab is the
/// client for bulk, so that "up" is to the kernel, and the server for what is short. Ends the
/// program if anything fails; leaves nothing behind.
Figure Measure(Kind kind, Workload workload, double seconds);

/// A server on another stack over a TUN device: what is run as `program DEVICE ADDRESS PORT COUNT`
/// makes the device, prints a line, and at so many ports from PORT on accepts connections and
/// closes each when its peer has.
struct OtherServer {
  std::string name;
  std::string program;
};
/// The kernel's client of Workload::kConnect against it, as against estab over TUN.
Figure Measure(const OtherServer& other, double seconds);

/// Whether such a link can be had here; if not, why is said on standard error.
bool CanHave(Kind kind);

/// Moves the process into a network namespace of its own; ends the program if that cannot be.
void EnterOwnNetwork();

}  // namespace links
