// The records of a stack: sockets (with their TCBs), half-open connections, TIME_WAIT, listeners.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/slab.h"
#include "stack/fine_heap.h"
#include "stack/timer_wheel.h"
#include "tcp/half_open.h"
#include "tcp/tcb.h"
#include "tcp/time_wait.h"

namespace estab::stack {

struct OutputTag;
struct QueueTag;
struct HalfOpenTag;

/// What a timer node belongs to.
enum class Owner : std::uint8_t { kSocket, kHalfOpen, kTimeWait4, kTimeWait6, kDatagram };

/// A socket: a TCB with its places in the stack's lists, wheel and tables. Idle, this is all that a
/// connection costs.
struct Socket final : tcp::Tcb,
                      FineNode,             // the earliest of its fine deadlines
                      TimerNode,            // its earliest deadline
                      ListNode<OutputTag>,  // on its link's list: may have something to send
                      ListNode<QueueTag> {  // on the ready list, or (unaccepted) the accept queue
  void* user = nullptr;
  std::uint32_t self = kNoSlot;  // its own slot
  // LISTEN: its Listener; unaccepted, or counted there (fast_open_pending): the one it came from.
  std::uint32_t listener = kNoSlot;
  std::uint32_t binding = kNoSlot;  // explicitly bound: its Binding
  std::uint8_t reported = 0;        // readiness the user knows of
  std::uint8_t listener_turn = 0;   // fast_open_pending: the Listener's generation, its low bits
  bool ipv6 : 1 = false;            // the family it was opened with
  bool attached : 1 = false;        // in the table of connections, and counted at its port
  bool address_bound : 1 = false;   // bind took its address, but no port
  bool queued : 1 = false;          // waits in an accept queue: no handle yet
  bool counted_orphan : 1 = false;
  bool mtu_locked : 1 = false;              // its path takes less than we go down to
  bool counted_record : 1 = false;          // in FIN_WAIT_2, but counted like TIME_WAIT
  bool fast_open_pending : 1 = false;       // counted so at its listener
  bool fast_open_renew : 1 = false;         // its SYN|ACK brings a new Fast Open cookie ...
  bool fast_open_experimental : 1 = false;  // ... in the option's experimental form
  bool held_address : 1 = false;            // how it is counted at its port ...
  bool held_port : 1 = false;               // ... of what it shares
  bool to_self : 1 = false;                 // the remote end is one of our own addresses
};
static_assert(sizeof(Socket) <= 384, "an idle connection must stay within six cache lines");

/// A connection in SYN_RCVD that somebody else opened.
struct HalfOpenRecord final : TimerNode, ListNode<HalfOpenTag> {
  tcp::HalfOpen state;
  std::uint32_t listener = kNoSlot;
};
static_assert(sizeof(HalfOpenRecord) <= 128, "a half-open record must stay within two cache lines");

/// TIME_WAIT between IPv4 addresses.
struct TimeWait4 final : TimerNode {
  tcp::TimeWait state;
  std::uint32_t local = 0;
  std::uint32_t remote = 0;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;

  void SetTuple(const Tuple& t) {
    local = t.local.address.v4();
    remote = t.remote.address.v4();
    local_port = t.local.port;
    remote_port = t.remote.port;
  }
  Tuple tuple() const {
    return {{IpAddress::V4(local), local_port}, {IpAddress::V4(remote), remote_port}};
  }
};
static_assert(sizeof(TimeWait4) <= 64, "a TIME_WAIT record must stay within one cache line");

/// TIME_WAIT between IPv6 addresses.
struct TimeWait6 final : TimerNode {
  tcp::TimeWait state;
  IpAddress local;
  IpAddress remote;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;

  void SetTuple(const Tuple& t) {
    local = t.local.address;
    remote = t.remote.address;
    local_port = t.local.port;
    remote_port = t.remote.port;
  }
  Tuple tuple() const { return {{local, local_port}, {remote, remote_port}}; }
};
static_assert(sizeof(TimeWait6) <= 96);

/// What a socket in LISTEN has besides.
struct Listener {
  std::uint32_t socket = kNoSlot;
  std::uint32_t backlog = 0;
  std::uint32_t waiting = 0;    // connections in the accept queue
  std::uint32_t half_open = 0;  // records in the SYN queue ...
  std::uint32_t young = 0;      // ... whose SYN|ACK has not been repeated by the timer
  Time cookie_at = kNever;      // the last SYN cookie; kNever: none
  // Fast Open: connections made on a SYN whose handshake is not complete, and those of the last
  // minute that ended in a reset: both count against TCP_FASTOPEN.
  std::uint32_t fast_open_pending = 0;
  std::uint32_t fast_open_resets = 0;
  Time fast_open_resets_end{};
  std::uint32_t group = kNoSlot;  // SO_REUSEPORT: the ListenerGroup, if there are others ...
  std::uint32_t place = 0;        // ... and the place in it
  IntrusiveList<Socket, QueueTag> accept_queue;
  IntrusiveList<HalfOpenRecord, HalfOpenTag> syn_queue;
};

/// Listeners of one address and port (SO_REUSEPORT), as many as there is memory for. One of them
/// stands in the table for all.
class ListenerGroup {
 public:
  explicit ListenerGroup(Memory& memory) : memory_(&memory) {}
  ~ListenerGroup();
  ListenerGroup(const ListenerGroup&) = delete;
  ListenerGroup& operator=(const ListenerGroup&) = delete;

  std::uint32_t count() const { return count_; }
  std::uint32_t operator[](std::uint32_t place) const { return members_[place]; }
  /// Adds one behind the others; false without memory.
  bool Add(std::uint32_t listener);
  /// Takes out the one at `place`; the last one moves there, and is returned.
  std::uint32_t Remove(std::uint32_t place);

 private:
  static constexpr std::uint32_t kFirst = 4;

  Memory* memory_;
  std::uint32_t* members_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint32_t room_ = 0;
};

}  // namespace estab::stack
