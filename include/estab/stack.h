// The engine: a TCP/IP host without I/O, clock or threads. Packets, the time and the user's calls
// go in; packets, readiness and the next deadline come out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "estab/address.h"
#include "estab/allocator.h"
#include "estab/error.h"
#include "estab/observer.h"
#include "estab/options.h"
#include "estab/packet.h"
#include "estab/time.h"

namespace estab {

/// Names a socket of one stack. A handle that was closed is never mistaken for a later socket in
/// the same place: the generation tells them apart, and calls return Error::kBadHandle.
struct SocketId {
  std::uint32_t index = 0xffffffffu;
  std::uint32_t generation = 0;
  friend constexpr bool operator==(const SocketId&, const SocketId&) = default;
};

/// Takes packets that belong to other stacks of a group. Called only from within Receive; must not
/// call back into the stack.
class ShardSink {
 public:
  /// `packet` belongs to the stack whose index is `shard`. Borrowed for the call; its link is that
  /// of the stack that received it. False: it could not be taken, and is lost.
  virtual bool HandOver(std::uint16_t shard, const RxPacket& packet) = 0;

 protected:
  ~ShardSink() = default;
};

/// Which part of a group of stacks this one is: stacks that are one host to the world, with the
/// same secret, links, addresses, settings and listeners. Every connection belongs to one of them,
/// by the keyed hash of its four-tuple. Limits are those of the group: each stack has its share of
/// them, rounded up.
struct Shard {
  std::uint16_t index = 0;
  std::uint16_t count = 1;
  /// Where segments, ICMP errors and fragments go that belong to another stack of the group; it
  /// must outlive the stack. nullptr: they are lost.
  ShardSink* others = nullptr;
};

/// What a stack needs from birth.
struct StackConfig {
  /// Randomness for ISNs, ports, timestamps and table hashes. Use 32 bytes that nobody can guess
  /// (estab::RandomSeed() of estab/host.h); the same bytes and inputs give the same behaviour.
  std::array<std::uint8_t, 32> secret{};
  Shard shard;
  Allocator* allocator = nullptr;  // nullptr: HeapAllocator()
  Observer* observer = nullptr;    // must outlive the stack
};

/// One link of a stack.
struct LinkConfig {
  std::uint32_t mtu = 1500;  // 576-65535 bytes of IP packet (1280 at least for IPv6 to be used)
};

/// Room for the value of a setting as text, terminator included.
inline constexpr std::size_t kSettingTextSize = 128;

/// How Send shall treat its bytes.
struct SendFlags {
  bool more = false;    // more will follow at once: a segment that is not full may wait (MSG_MORE)
  bool urgent = false;  // the last byte is urgent (MSG_OOB, RFC 9293 §3.8.5, RFC 6093)
};

/// Bytes that arrived, lent to the user where they lie.
struct BorrowedBytes {
  std::span<const std::byte> bytes;
  std::uint64_t loan = 0;  // names them in GiveBack
};

/// Which direction Shutdown closes.
enum class How : std::uint8_t { kRead, kWrite, kBoth };

/// A socket whose readiness rose since it was last reported.
struct ReadyEvent {
  SocketId socket;
  std::uint8_t readiness = 0;  // Readiness bits now
  std::uint8_t raised = 0;     // those that are new; kReadable also for more of what was there
  void* user = nullptr;        // as given to SetUser
};

/// How far a walk over a stack's connections has come; begin with a fresh one.
struct ListCursor {
  std::uint8_t table = 0;  // internal
  std::uint32_t slot = 0;  // internal
  bool done = false;       // everything has been looked at
};

/// Counts of everything that lives in a stack, and of what was refused. After all connections have
/// ended every "live" figure returns to zero.
struct StackCounters {
  // Live.
  std::uint32_t sockets = 0;  // TCBs, listeners and unconnected sockets included
  std::uint32_t half_open = 0;
  std::uint32_t time_wait = 0;
  std::uint32_t orphans = 0;        // TCBs whose handle was closed
  std::uint64_t memory = 0;         // bytes taken from the allocator
  std::uint64_t memory_in_use = 0;  // bytes of them that hold records and payload
  std::uint64_t memory_limit = 0;   // estab.mem_limit; 0: none
  std::uint64_t payload_chunks = 0;
  // Kept.
  std::uint32_t path_mtus = 0;  // destinations whose path's MTU is known, or was; 1024 at most
  // Since the start.
  std::uint64_t packets_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bad_packets = 0;       // malformed, or of a wrong checksum
  std::uint64_t not_for_us = 0;        // another host's, or an unknown protocol
  std::uint64_t handed_over = 0;       // to other stacks of the group; counted there in packets_in
  std::uint64_t hand_over_losses = 0;  // should have been, and could not
  std::uint64_t fragments_in = 0;
  std::uint64_t reassembled = 0;          // datagrams made whole
  std::uint64_t reassembly_timeouts = 0;  // datagrams whose rest did not come in time
  std::uint64_t reassembly_failures = 0;  // overlapping, too long, or no room for them
  std::uint64_t icmp_errors_in = 0;       // about TCP segments with our addresses
  std::uint64_t icmp_errors_stray = 0;    // of them, quoting nothing that is in flight (RFC 5927)
  std::uint64_t icmp_errors_sent = 0;
  std::uint64_t icmp_errors_limited = 0;   // not sent, for the rate of them
  std::uint64_t path_mtu_lowered = 0;      // by ICMP
  std::uint64_t path_mtu_refused = 0;      // ICMP about what is in flight that lowers nothing
  std::uint64_t mtu_probes = 0;            // larger segments, to find out (RFC 4821)
  std::uint64_t mtu_probes_passed = 0;     // acknowledged
  std::uint64_t mtu_probes_lost = 0;       // the only thing that was
  std::uint64_t mtu_black_holes = 0;       // segments made smaller after time-outs
  std::uint64_t connections_opened = 0;    // active
  std::uint64_t connections_accepted = 0;  // passive, reached ESTABLISHED
  std::uint64_t resets_sent = 0;
  std::uint64_t challenge_acks = 0;
  std::uint64_t challenge_acks_limited = 0;
  std::uint64_t retransmissions = 0;
  std::uint64_t listen_overflows = 0;  // accept queue full
  std::uint64_t listen_drops = 0;      // SYN queue full
  std::uint64_t syn_cookies_sent = 0;
  std::uint64_t syn_cookies_received = 0;     // valid: a connection was made
  std::uint64_t syn_cookies_failed = 0;       // forged, or too old
  std::uint64_t fast_open_requests = 0;       // SYNs that asked for a Fast Open cookie
  std::uint64_t fast_open_passive = 0;        // connections made on a SYN
  std::uint64_t fast_open_passive_fails = 0;  // invalid cookie, or no room
  std::uint64_t fast_open_overflows = 0;      // over TCP_FASTOPEN's limit
  std::uint64_t fast_open_active = 0;         // SYN data of ours that was accepted
  std::uint64_t fast_open_active_fails = 0;   // and that was not
  std::uint64_t time_wait_overflows = 0;      // over tcp_max_tw_buckets: closed at once
  // For want of memory (estab.mem_limit), in the order in which it is done:
  std::uint64_t memory_shed = 0;          // connections whose data ahead of a gap was dropped
  std::uint64_t memory_windows_held = 0;  // segments that announced a small window
  std::uint64_t memory_drops = 0;         // segments whose data could not be kept
  std::uint64_t out_of_memory = 0;        // records and replies that could not be made
};

/// A TCP/IP host. Not thread-safe: one thread at a time may be inside a stack, whichever it is.
/// Never blocks, never throws. Everything it owns lives in its own slabs.
///
/// The four verbs are Receive, Transmit, NextDeadline and Advance. A driver's loop is: Receive what
/// came in, make the user's calls, Transmit, and wait for a packet or for NextDeadline, then
/// Advance. A driver in virtual time advances to one deadline after the other and transmits between
/// them, and so sees every segment at its own moment.
class Stack {
 public:
  /// Makes a stack. kNoMemory if the allocator has not even the first slabs.
  static Result<Stack> Create(const StackConfig& config);
  Stack(Stack&& other) noexcept;
  Stack& operator=(Stack&& other) noexcept;
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  /// Frees everything without a word on the wire; see ResetAll for a polite end.
  ~Stack();

  // --- Links, addresses, routes ------------------------------------------------------------------

  /// Adds a link. kInvalid for an MTU out of range, kNoBuffers over 16 links.
  Result<LinkId> AddLink(const LinkConfig& config);
  /// Gives `link` an address; its prefix becomes an on-link route. kInvalid, kAddressInUse.
  Result<void> AddAddress(LinkId link, const Prefix& prefix);
  /// Routes `destination` over `link`, longest prefix first. `via` is the next hop on links that
  /// have one (none so far: it is checked and kept). kInvalid, kNoBuffers.
  Result<void> AddRoute(LinkId link, const Prefix& destination, const IpAddress* via);

  /// The index of the stack of the group that a connection belongs to, whose packets come over a
  /// link. Connections of the host to itself stay in the stack that opened them.
  std::uint16_t ShardOf(const Tuple& tuple) const;

  // --- The four verbs ----------------------------------------------------------------------------

  /// Takes packets that arrived, in order. Malformed ones are counted and dropped.
  void Receive(Time now, std::span<const RxPacket> packets);
  /// Offers up to `budget` packets to `sink` and returns how many it took. Stops early when there
  /// is nothing to send or every link that has something is busy.
  std::size_t Transmit(Time now, PacketSink& sink, std::size_t budget = SIZE_MAX);
  /// Whether Transmit would have something to offer.
  bool WantsTransmit() const;
  /// The earliest moment at which Advance has something to do; kNever if there is none. Exact.
  Time NextDeadline();
  /// Fires up to `budget` timers that are due at `now`, each as of `now`, earliest first; returns
  /// how many. To see each at its own time, advance to NextDeadline() and Transmit, repeatedly.
  std::size_t Advance(Time now, std::size_t budget = SIZE_MAX);
  /// Ends the loan of packets for which a sink returned kHeld.
  void TransmitComplete(std::span<const std::uint64_t> tokens);

  // --- The user's calls (RFC 9293 §3.9.1) --------------------------------------------------------
  // None blocks: what cannot be done now is kWouldBlock or kInProgress, and readiness tells when to
  // come back. kBadHandle is possible everywhere.

  /// A new socket in CLOSED, of one family. kNoMemory.
  Result<SocketId> Open(bool ipv6);
  /// Gives it a local address and port; port 0 chooses one. kAddressNotAvailable, kAddressInUse,
  /// kInvalid if it is bound already, kFamilyNotSupported.
  Result<void> Bind(SocketId socket, const Endpoint& local);
  /// CLOSED→LISTEN. `backlog` is cut to net.core.somaxconn. Again on a listener: changes the
  /// backlog. kAddressInUse, kInvalid (connected), kNoMemory. An unbound socket gets a port.
  Result<void> Listen(Time now, SocketId socket, int backlog);
  /// Starts opening: CLOSED→SYN_SENT, and returns kInProgress as its way of success. kAlready,
  /// kIsConnected (also when listening), kAddressNotAvailable (no port left; in a group also a
  /// port that was bound, with which it would belong to another stack), kNetworkUnreachable,
  /// or the error that ended an earlier attempt. With SocketOptions::fast_open_connect and a Fast
  /// Open cookie of the peer at hand the SYN waits for the first Send, and the result is success.
  Result<void> Connect(Time now, SocketId socket, const Endpoint& remote);
  /// Connect with data on the SYN (RFC 7413, MSG_FASTOPEN): returns how many bytes of `data` it
  /// carries. 0 if no cookie of the peer is known: the SYN asks for one, and the data is to be sent
  /// when the connection is open. Data that the peer does not take is sent again by itself.
  /// kOperationNotSupported if net.ipv4.tcp_fastopen does not allow it; else as Connect.
  Result<std::size_t> ConnectWithData(Time now, SocketId socket, const Endpoint& remote,
                                      std::span<const std::byte> data);
  /// Takes the oldest completed connection of a listener. kWouldBlock, kInvalid (not listening).
  Result<SocketId> Accept(Time now, SocketId listener);
  /// Queues bytes for sending and returns how many fitted (possibly fewer). kWouldBlock (no room,
  /// or not connected yet), kBrokenPipe, or the pending error, once.
  Result<std::size_t> Send(Time now, SocketId socket, std::span<const std::byte> data,
                           SendFlags flags = {});
  /// Takes bytes that arrived in order; 0 is the end of the stream. `peek` leaves them. Stops in
  /// front of an urgent byte; when it stands there it leaves the byte out (unless urgent_inline).
  /// kWouldBlock, kNotConnected, or the pending error, once.
  Result<std::size_t> Read(Time now, SocketId socket, std::span<std::byte> into, bool peek = false);
  /// Send without a copy: the engine refers to the bytes where they lie, sends them from there, and
  /// again if they are lost. Returns how many it took (possibly fewer). Of those nothing may change
  /// until TakeReturned gives `token` back: what is changed before may reach the wire. They count
  /// against the send buffer like others; each call costs a record of 64 bytes. kNoMemory; else as
  /// Send. After an error, or 0, nothing will be returned.
  Result<std::size_t> SendReference(Time now, SocketId socket, std::span<const std::byte> data,
                                    std::uint64_t token, SendFlags flags = {});
  /// What SendReference took and is its owner's again, oldest first, each token once: everything of
  /// it was acknowledged or its connection has ended, in whatever way, and no link holds a packet
  /// with any of it. Fills `out` and returns how many; call again while it is full. The end of the
  /// stack returns everything, without a word.
  std::size_t TakeReturned(std::span<ReturnedBytes> out);
  /// Copies what the socket's queue refers to, so that it is returned at once, or when the last
  /// link gives its packet back. For a user that wants its memory back and not wait.
  /// kNoMemory: some of it stays referred to.
  Result<void> OwnReferences(SocketId socket);
  /// Read without a copy: lends up to `out.size()` pieces of the bytes that are next, and returns
  /// how many. 0 is the end of the stream. They are read, but still take room in the receive
  /// buffer: the window opens when they are given back. They stay until then, whatever becomes of
  /// the connection, but not beyond the stack. Stops where Read stops. Errors as Read, and
  /// kNoMemory.
  Result<std::size_t> Borrow(Time now, SocketId socket, std::span<BorrowedBytes> out);
  /// Gives back what was borrowed, in any order; the sockets may be gone. kInvalid: something is
  /// not on loan, or named twice; the rest is given back. Only `loan` is looked at.
  Result<void> GiveBack(Time now, std::span<const BorrowedBytes> pieces);
  /// Takes the urgent byte out of band (MSG_OOB), as Linux: into.size() may be 0. kInvalid: none
  /// was announced, it was read already, or it is in line; kWouldBlock: it has not come yet.
  Result<std::size_t> ReadUrgent(Time now, SocketId socket, std::span<std::byte> into,
                                 bool peek = false);
  /// TCP_QUICKACK: on, a waiting ACK goes out and the next ones do not wait; off, ACKs wait for
  /// data to ride on. Not permanent: what the connection does changes it again. Whether an ACK
  /// waited.
  Result<bool> SetQuickAck(Time now, SocketId socket, bool on);
  /// Lets what is queued go now, once, although TCP_CORK or MSG_MORE hold it back. Switching
  /// `no_delay` on does it too; TCP_NODELAY does it each time it is set, as on Linux.
  Result<void> Push(Time now, SocketId socket);
  /// Closes one direction or both. kNotConnected.
  Result<void> Shutdown(Time now, SocketId socket, How how);
  /// Gives up the handle. The connection closes in order behind it (an orphan), or by a reset if
  /// data was left unread or SO_LINGER says {on, 0}. A linger time is the blocking layer's matter:
  /// it waits for Drained() before it calls this.
  Result<void> Close(Time now, SocketId socket);
  /// Gives up the handle and resets the connection (RFC 9293 §3.10.5).
  Result<void> Abort(Time now, SocketId socket);
  /// Aborts every connection, whose handles end with it, and returns every listener to CLOSED; the
  /// resets leave with the next Transmit. For the end of a stack.
  void ResetAll(Time now);

  // --- Asking and setting ------------------------------------------------------------------------

  /// Readiness bits now.
  Result<std::uint8_t> GetReadiness(SocketId socket) const;
  /// Sockets whose readiness gained bits since they were last drained, each once, in the order in
  /// which they did. Fills `events` and returns how many; call again while it is full.
  std::size_t DrainReady(std::span<ReadyEvent> events);
  /// A word of the caller's own, handed back in ReadyEvent.
  Result<void> SetUser(SocketId socket, void* user);
  /// The pending error, cleared by the asking (SO_ERROR); nullopt if there is none.
  Result<std::optional<Error>> TakeError(SocketId socket);
  /// Lets `error` be the pending error of a socket that is closed: what a new attempt in its place
  /// has to tell of the one before it.
  Result<void> SetError(SocketId socket, Error error);
  /// Local and remote endpoints; ports 0 where there is none yet.
  Result<Tuple> GetTuple(SocketId socket) const;
  Result<SocketOptions> GetOptions(SocketId socket) const;
  /// Replaces the options; what concerns running timers takes effect at once. kInvalid if a value
  /// is out of its range, kNoMemory.
  Result<void> SetOptions(Time now, SocketId socket, const SocketOptions& options);
  Result<ConnectionInfo> GetInfo(Time now, SocketId socket) const;
  /// True once everything sent, FIN included, has been acknowledged, or the connection is gone.
  Result<bool> Drained(SocketId socket) const;
  /// Whether a connect that its caller's timeout cuts short ends the attempt (profiles `default`
  /// and `rfc`); if not, it goes on behind the caller, as on Linux.
  bool ConnectTimeoutEnds() const;
  /// True for sockets in LISTEN (SO_ACCEPTCONN).
  Result<bool> IsListening(SocketId socket) const;

  /// The same by four-tuple: a connection, a half-open record or one in TIME_WAIT; with a remote
  /// end of all zeros and port 0, the listener that would take a SYN for `tuple.local`. kNotFound.
  /// O(1).
  Result<ConnectionInfo> GetInfo(Time now, const Tuple& tuple) const;

  /// Fills `out` with the next connections of a walk over everything that lives: listeners,
  /// connections, half-open records, TIME_WAIT. Returns how many; fewer than fit, even none, does
  /// not mean the end: `cursor.done` does. One call looks at no more than 4096 places, so that a
  /// walk over millions can be shared out between packets. What lives through the whole walk is
  /// seen, twice if it changes its kind of record meanwhile; for the rest, who knows.
  std::size_t List(Time now, ListCursor& cursor, std::span<ConnectionInfo> out) const;
  /// Calls `visit` for each of them in one go: O(n).
  void ForEach(void (*visit)(void* context, const ConnectionInfo& info), void* context,
               Time now) const;

  /// Sets a setting by its Linux name ("net.ipv4.tcp_syn_retries", "estab.tcp_msl"); see
  /// docs/settings.md. kNotFound, kInvalid, kBusy (too late for one that holds from the start).
  Result<void> SetSetting(std::string_view name, std::string_view value);
  /// Writes the value as text into `out` and returns the part written. kNotFound.
  Result<std::string_view> GetSetting(std::string_view name,
                                      std::span<char, kSettingTextSize> out) const;
  /// Every setting in turn: `visit` gets name, one-line description. For docs and `estab set`.
  static void ForEachSetting(void (*visit)(void* context, const char* name, const char* gist),
                             void* context);

  StackCounters Counters() const;
  /// How often each rule has fired; indexed by RuleId.
  std::span<const std::uint64_t> RuleCounters() const;
  /// Attaches another observer, or none (nullptr). It must outlive its attachment.
  void SetObserver(Observer* observer);
  /// Checks every invariant of every record; aborts with a message if one does not hold. Costs a
  /// walk over everything: for tests.
  void CheckInvariants() const;

 private:
  struct Impl;
  explicit Stack(Impl* impl) : impl_(impl) {}
  Impl* impl_;
};

}  // namespace estab
