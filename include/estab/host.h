// A TCP/IP host inside the process, with streams and listeners: the door for C++ programs.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "estab/address.h"
#include "estab/error.h"
#include "estab/observer.h"
#include "estab/options.h"
#include "estab/packet.h"
#include "estab/stack.h"
#include "estab/time.h"

struct estab_stack;

namespace estab {

class TcpStream;
class TcpListener;
struct HostState;

/// 32 bytes that nobody can guess, from the operating system. kIo if it has none to give.
Result<std::array<std::uint8_t, 32>> RandomSeed();

/// How a Host begins.
struct HostOptions {
  /// Time stands still until Advance; every timeout counts it.
  bool virtual_clock = false;
  /// The stack's secret, for runs that repeat; nullopt: RandomSeed().
  std::optional<std::array<std::uint8_t, 32>> seed = std::nullopt;
  /// Watches the stack beside the host's own journal; must outlive the host.
  Observer* observer = nullptr;
};

/// A Stack with everything that it leaves out: a lock, a clock, links, and calls that wait. Every
/// member of Host, TcpStream and TcpListener may be called from every thread; no lock is held while
/// a call waits. With the real clock a waiting call runs the host's I/O and timers itself; a
/// program that never waits calls PollIo. Nothing throws, except std::bad_alloc.
///
/// Move-only. Streams and listeners may outlive their host; their calls then give kBadHandle.
class Host {
 public:
  static Result<Host> Create(const HostOptions& options = {});
  Host(Host&&) noexcept;
  Host& operator=(Host&&) noexcept;
  /// Ends waiting calls with kBadHandle, then resets the connections (setting estab.destroy).
  ~Host();

  // --- Links
  // ---------------------------------------------------------------------------------------

  /// Adds a link over the TUN device `name`, which is attached to or made. kNotFound, kPermission,
  /// kBusy, kInvalid; `*message`, if given, becomes a line that says what to do.
  Result<LinkId> AddTun(std::string_view name, std::string* message = nullptr);
  /// The same over a TAP device: Ethernet, with ARP and IPv6's neighbour discovery.
  Result<LinkId> AddTap(std::string_view name, std::string* message = nullptr);
  /// The same over an Ethernet device of the kernel's, by AF_PACKET: "eth0", or "eth0,blocks" to
  /// read from a ring of blocks (TPACKET_V3). The host shares the device's Ethernet address with
  /// the kernel, which must not have its IP addresses, nor forward packets on that device. Needs
  /// CAP_NET_RAW.
  Result<LinkId> AddPacket(std::string_view device, std::string* message = nullptr);
  /// The same by AF_XDP, past the kernel's stack, which sees no frame of that queue: "eth0", or
  /// with options behind it, each after a comma: "mode=native" or "mode=generic", "copy" or
  /// "zerocopy", "queue=N"; what is left open is taken as well as it can be had. See estab_link_xdp
  /// for what it asks of the other end of a veth. Needs libxdp, CAP_BPF, CAP_NET_ADMIN and
  /// CAP_NET_RAW.
  Result<LinkId> AddXdp(std::string_view device, std::string* message = nullptr);
  /// Whether calls that wait look at the links over and over instead of sleeping (off at first):
  /// packets are seen sooner, and a core is busy all the time. kPermission: an AF_XDP link's queue
  /// is polled, too, which needs CAP_NET_ADMIN.
  Result<void> SetBusyPoll(bool on, std::string* message = nullptr);
  /// Gives the kernel's side of a TUN or TAP link its addresses and switches the device on.
  /// kInvalid: not a TUN or TAP link, or not an address with prefix; kPermission.
  Result<void> BringUp(LinkId link, std::span<const std::string_view> kernel_addresses,
                       std::string* message = nullptr);
  /// Adds a link whose wire is Inject and Collect. kInvalid: an MTU that is not 576 to 65535.
  Result<LinkId> AddMemoryLink(std::uint32_t mtu = 1500);
  /// Whether output leaves when it is asked for, by Collect, PollIo or Advance, or when a call
  /// waits, instead of at once; see estab_pull_output of estab/estab.h.
  void PullOutput(bool on);
  /// "192.0.2.2/24". kInvalid, kAddressInUse.
  Result<void> AddAddress(LinkId link, std::string_view cidr);
  /// Routes `cidr` over `link`, by way of `via` if that is not empty. kInvalid, kNoBuffers.
  Result<void> AddRoute(LinkId link, std::string_view cidr, std::string_view via = {});

  // --- Sockets
  // -------------------------------------------------------------------------------------

  /// Listens on `address` ("0.0.0.0", "::" for both families, or one of the host's own) and `port`
  /// (0 chooses one), with SO_REUSEADDR. kInvalid, kAddressInUse, kAddressNotAvailable.
  Result<TcpListener> Listen(std::string_view address, std::uint16_t port, int backlog = 128);
  /// Connects and waits for the outcome, at most `timeout` (kTimedOut; the attempt is then given
  /// up). kConnectionRefused, kTimedOut, kNetworkUnreachable, kHostUnreachable, kInvalid (the
  /// address).
  Result<TcpStream> Connect(std::string_view address, std::uint16_t port,
                            Duration timeout = Duration::max());
  /// Begins to connect and returns at once with a non-blocking stream; it becomes writable when the
  /// connection is open, or has failed (TakeError). kNetworkUnreachable, kAddressNotAvailable.
  Result<TcpStream> StartConnect(const Endpoint& remote);

  // --- Time and I/O
  // --------------------------------------------------------------------------------

  /// The clock's time: real (CLOCK_MONOTONIC) or virtual (from 0).
  Time Now();
  /// Lets virtual time pass, deadline by deadline. kInvalid with the real clock.
  Result<void> Advance(Duration by);
  /// From now to the next timer; nullopt if there is none.
  std::optional<Duration> UntilDeadline();
  /// Runs the I/O once, waiting up to `timeout` for something to do; returns how many packets
  /// moved.
  std::size_t PollIo(std::chrono::milliseconds timeout);
  /// A packet arrives over a memory link. kInvalid: not a memory link.
  Result<void> Inject(LinkId link, std::span<const std::byte> packet);
  /// The next packet that left over a memory link: its size, 0 if there is none; `*at` is when it
  /// left. kMessageTooLong leaves it there.
  Result<std::size_t> Collect(LinkId link, std::span<std::byte> into, Time* at = nullptr);

  // --- Asking and setting
  // --------------------------------------------------------------------------

  /// A setting by its Linux name. kNotFound, kInvalid, kBusy.
  Result<void> Set(std::string_view name, std::string_view value);
  Result<std::string> Get(std::string_view name);
  /// The story of the youngest connection between two ends, dead ones included, as text: its state
  /// and why, what it waits for, which timer is next, its history. If there was none: what became
  /// of segments that were refused there. With a remote end of all zeros and port 0: the listener.
  std::string Why(const Tuple& tuple);
  StackCounters Counters();
  /// The next connections of a walk; see Stack::List. Others may use the host between two calls.
  std::size_t List(ListCursor& cursor, std::span<ConnectionInfo> out);
  /// Every connection and record, alive, half-open or in TIME_WAIT, in one go.
  void ForEach(void (*visit)(void* context, const ConnectionInfo& info), void* context);

  /// The same host for the C functions of estab/estab.h; it stays this object's.
  estab_stack* c_stack() const;

 private:
  friend class HostGroup;
  explicit Host(std::shared_ptr<HostState> state);
  std::shared_ptr<HostState> state_;
};

/// Calls of TcpStream::WriteReference whose bytes are the caller's again: numbers first to last.
struct ReturnedCalls {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool copied = false;  // the bytes were copied after all: nothing was saved
};

/// One connection. Closed in order when it goes (see Close). Move-only.
class TcpStream {
 public:
  TcpStream(TcpStream&& other) noexcept;
  TcpStream& operator=(TcpStream&& other) noexcept;
  ~TcpStream();

  /// Waits for bytes and takes some; 0 is the end of the stream. kConnectionReset and the like
  /// once, kWouldBlock when non-blocking or the read timeout has passed.
  Result<std::size_t> Read(std::span<std::byte> into);
  /// The same without taking them.
  Result<std::size_t> Peek(std::span<std::byte> into);
  /// Queues bytes; waits until all are queued (non-blocking: what fits). Returns how many; fewer
  /// only if an error or the write timeout came between. kBrokenPipe, kConnectionReset,
  /// kWouldBlock.
  Result<std::size_t> Write(std::span<const std::byte> bytes);
  /// Write, with everything less than all of it an error.
  Result<void> WriteAll(std::span<const std::byte> bytes);
  /// What WriteReference took, and the number of the call: the first one's is 0.
  struct Referred {
    std::size_t bytes = 0;
    std::uint32_t call = 0;
  };
  /// Write without a copy (Linux: MSG_ZEROCOPY): the bytes are sent, and sent again if they are
  /// lost, from where they lie. They stay as they are until TakeReturned has named the call, or the
  /// stream is closed: Close copies what is not acknowledged yet. Worth it from some 10 KiB. A call
  /// that returns an error has no number. kNoBuffers: too many calls are under way; else as Write.
  Result<Referred> WriteReference(std::span<const std::byte> bytes);
  /// The oldest calls whose bytes have come back, in one range as far as they follow upon each
  /// other; nullopt if there are none. Poll ends with kReturned while there are. Never waits.
  Result<std::optional<ReturnedCalls>> TakeReturned();
  /// Read without a copy: waits for bytes and lends some, in up to `pieces.size()` pieces; returns
  /// how many. 0 is the end of the stream. They have been read, but take room in the receive buffer
  /// until GiveBack, which may come after Close, from any stream of the host; not after the host is
  /// gone. kInvalid: no room for pieces; else as Read.
  Result<std::size_t> Borrow(std::span<BorrowedBytes> pieces);
  /// Gives pieces back, in any order. kInvalid: one is not on loan; the others are given back.
  Result<void> GiveBack(std::span<const BorrowedBytes> pieces);
  /// Sends a FIN behind all queued data; reading goes on.
  Result<void> ShutdownWrite();
  /// Reads return 0 from now on.
  Result<void> ShutdownRead();
  /// Gives the connection up: it closes in order behind this call, or by a reset if data was left
  /// unread. Waits if SO_LINGER says so. The stream is then empty, and calls give kBadHandle. What
  /// is still queued goes out while some call on the host waits: a program whose last call this is
  /// sets SO_LINGER, or calls PollIo.
  Result<void> Close();
  /// Gives the connection up with a reset.
  Result<void> Abort();

  /// Waits until one of `wanted` (Readiness bits), an error or a hangup, at most `timeout`; returns
  /// the readiness then.
  Result<std::uint8_t> Poll(std::uint8_t wanted, Duration timeout = Duration::max());
  /// Calls return kWouldBlock instead of waiting.
  Result<void> SetNonBlocking(bool on);
  /// Limits of reading and writing; Duration::max(): none.
  Result<void> SetTimeouts(Duration read, Duration write);
  Result<SocketOptions> Options() const;
  Result<void> SetOptions(const SocketOptions& options);
  /// The pending error, cleared by the asking; nullopt if there is none.
  Result<std::optional<Error>> TakeError();
  Result<ConnectionInfo> Info() const;
  Result<Endpoint> Local() const;
  Result<Endpoint> Remote() const;
  /// Its story so far, as text.
  Result<std::string> Why() const;

  /// Its handle for the C functions; -1 when it is empty.
  int handle() const { return handle_; }

 private:
  friend class Host;
  friend class TcpListener;
  TcpStream(std::weak_ptr<HostState> host, int handle);
  std::weak_ptr<HostState> host_;
  int handle_ = -1;
};

/// Waits for connections. Closing it resets those that nobody has accepted. Move-only.
class TcpListener {
 public:
  TcpListener(TcpListener&& other) noexcept;
  TcpListener& operator=(TcpListener&& other) noexcept;
  ~TcpListener();

  /// Waits for a connection and takes it. kWouldBlock when non-blocking or the timeout has passed,
  /// kBadHandle when the host is being destroyed.
  Result<TcpStream> Accept();
  Result<void> SetNonBlocking(bool on);
  /// How long Accept waits; Duration::max(): for ever.
  Result<void> SetTimeout(Duration accept);
  /// What accepted connections begin with.
  Result<void> SetOptions(const SocketOptions& options);
  Result<SocketOptions> Options() const;
  /// Where it listens.
  Result<Endpoint> Local() const;
  Result<void> Close();
  int handle() const { return handle_; }

 private:
  friend class Host;
  TcpListener(std::weak_ptr<HostState> host, int handle);
  std::weak_ptr<HostState> host_;
  int handle_ = -1;
};

}  // namespace estab
