// Sockets as people know them: handles, blocking calls, timeouts; Linux's ways over the engine.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "api/driver.h"
#include "api/open_file.h"
#include "estab/error.h"
#include "estab/options.h"
#include "estab/stack.h"

namespace estab::api {

/// What poll(2) calls a socket's readiness.
std::uint32_t PollBitsOf(std::uint8_t readiness);

/// The stream sockets of one stack, and the epolls that watch them. Every call takes the lock
/// itself; those that wait say so. All of them can fail with kBadHandle (no such handle, or the
/// stack is being destroyed) and kNotSocket (the handle is an epoll's).
class Sockets final : private ReadySink, private FilePoller {
 public:
  static Result<std::unique_ptr<Sockets>> Create(
      const std::optional<std::array<std::uint8_t, 32>>& seed = std::nullopt,
      std::shared_ptr<Exchange::End> end = nullptr);
  /// Ends waiting calls and resets connections; no call may begin any more.
  ~Sockets();

  /// Does the same while the object stays: every call fails from now on.
  void End() { driver_->Shutdown(); }

  Driver& driver() { return *driver_; }

  struct Flags {
    bool nonblocking = false;
    bool close_on_exec = false;
  };

  // --- A socket's life (socket_life.cc, connect.cc)
  // ------------------------------------------------

  /// A new handle. kNoBuffers: there are no more.
  Result<int> Open(bool ipv6, Flags flags);
  Result<void> Bind(int handle, const Endpoint& local);
  Result<void> Listen(int handle, int backlog);
  /// Waits, unless the socket is non-blocking. kTimedOut when a socket timeout ends the attempt.
  Result<void> Connect(int handle, const Endpoint& remote);
  /// connect(AF_UNSPEC): back to a new socket.
  Result<void> Disconnect(int handle);
  /// Waits, unless the listener is non-blocking. kNoBuffers: no handle left.
  Result<int> Accept(int handle, Flags flags);
  Result<void> Shutdown(int handle, How how);
  /// May wait for SO_LINGER.
  Result<void> Close(int handle);
  /// Another handle of the same open file, at least `lowest`. kNoBuffers.
  Result<int> Duplicate(int handle, int lowest, bool close_on_exec);

  /// Whether a socket was made for IPv6.
  Result<bool> IsIpv6(int handle);

  // --- Data (transfer.cc)
  // -------------------------------------------------------------------------

  /// Queues the pieces; waits until all are queued unless told not to. Partial counts as POSIX.
  Result<std::size_t> Send(int handle, std::span<const iovec> pieces, bool dont_wait,
                           SendFlags flags = {});
  /// The same by reference (references.cc). `number`, if given, becomes that of the call; if not,
  /// SO_ZEROCOPY decides, as for MSG_ZEROCOPY, and without it the bytes are copied. kNoBuffers: too
  /// many calls are under way.
  Result<std::size_t> SendReference(int handle, std::span<const iovec> pieces, bool dont_wait,
                                    SendFlags flags, std::uint32_t* number);
  /// The oldest notice of what SendReference took. Never waits.
  Result<std::optional<ReturnedCalls>> TakeReturned(int handle);
  /// Lends what arrived; waits for one byte unless told not to. How many pieces.
  Result<std::size_t> Borrow(int handle, std::span<BorrowedBytes> pieces, bool dont_wait);
  /// Takes back what was lent, by whatever socket.
  Result<void> GiveBack(std::span<const BorrowedBytes> pieces);

  /// Connects with data on the SYN (MSG_FASTOPEN), as much as it takes; waits for the connection
  /// and sends the rest unless told not to (then kInProgress, if the SYN takes none). kIsConnected,
  /// kAlready, kOperationNotSupported.
  Result<std::size_t> SendOnSyn(int handle, const Endpoint& remote, std::span<const iovec> pieces,
                                bool dont_wait, SendFlags flags = {});

  struct ReceiveFlags {
    bool dont_wait = false;
    bool peek = false;
    bool wait_all = false;
    bool discard = false;  // the bytes are dropped; `pieces` only count
    bool urgent = false;   // the urgent byte, and nothing else
  };
  /// Waits for one byte or SO_RCVLOWAT of them (or all), unless told not to. `*queued`, if given,
  /// becomes what TCP_INQ tells afterwards; -1: the option is off.
  Result<std::size_t> Receive(int handle, std::span<const iovec> pieces, ReceiveFlags flags,
                              int* queued = nullptr);

  // --- Asking and setting ------------------------------------------------------------------------

  struct PollItem {
    int handle;
    std::uint8_t readiness = 0;  // out: Readiness bits
    bool bad = false;            // out: no such handle
    std::uint8_t wanted = 0;     // which bits end the wait; errors, hangups and `bad` always do
  };
  /// Waits until an item has what it wants or `timeout` has passed (kNoTimeout: never).
  Result<void> Poll(std::span<PollItem> items, Duration timeout);

  /// Calls `use(OpenFile&, Stack&, Time now)`, which returns a Result, under the lock, and settles.
  template <class Use>
  auto With(int handle, Use&& use)
      -> decltype(use(std::declval<OpenFile&>(), std::declval<Stack&>(), Time{})) {
    const Driver::Lock lock = driver_->Enter();
    const Result<OpenFile*> file = FindSocket(handle);
    if (!file) return std::unexpected(file.error());
    auto result = use(**file, driver_->stack(), driver_->Now());
    driver_->Settle();
    return result;
  }
  /// Calls `use(OpenFile&)`, which returns a Result, under the lock, whatever the handle stands
  /// for.
  template <class Use>
  auto WithAny(int handle, Use&& use) -> decltype(use(std::declval<OpenFile&>())) {
    const Driver::Lock lock = driver_->Enter();
    OpenFile* file = Find(handle);
    if (file == nullptr) return std::unexpected(Error::kBadHandle);
    return use(*file);
  }

  // --- epoll (epoll_calls.cc) --------------------------------------------------------------------

  /// A new epoll's handle. kNoBuffers: there are no more.
  Result<int> OpenEpoll(bool close_on_exec);
  /// 0 or an errno. `event` may be NULL for EPOLL_CTL_DEL.
  int ControlEpoll(int epoll, int operation, int handle, const epoll_event* event);
  /// Waits for events, at most `timeout`. kInvalid: not an epoll.
  Result<std::size_t> WaitEpoll(int epoll, std::span<epoll_event> events, Duration timeout);

  FileTable& files() { return files_; }
  /// The journal's story of a handle's connection, or of the one before it.
  Result<std::string> Why(int handle);
  std::string Why(const Tuple& tuple);

 private:
  /// Keeps an open file alive while a call uses it; made and destroyed under the lock.
  class Use {
   public:
    Use(Sockets& sockets, OpenFile* file) : sockets_(sockets), file_(file) { ++file_->references; }
    ~Use() { sockets_.Release(file_); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Sockets& sockets_;
    OpenFile* file_;
  };

  explicit Sockets(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {
    driver_->set_ready_sink(this);
  }
  void OnReady(const ReadyEvent& event) override;
  void OnReturned(const ReturnedBytes& bytes) override;
  std::uint32_t PollBits(OpenFile& file) override;
  // Readiness of whatever the file is.
  std::uint8_t ReadinessOf(OpenFile& file);
  OpenFile* Find(int handle) const;
  // kBadHandle, kNotSocket.
  Result<OpenFile*> FindSocket(int handle) const;
  // Puts an engine socket behind a file.
  void Place(OpenFile& file, SocketId socket);
  Result<int> Adopt(SocketId socket, bool ipv6, Flags flags, const OpenFile* parent);
  // Drops a reference; the last one closes the socket, without lingering.
  void Release(OpenFile* file);
  void Linger(Driver::Lock& lock, OpenFile& file);
  Result<void> Reopen(OpenFile& file);
  Result<void> DropConnection(OpenFile& file);
  Result<void> ConnectOutcome(OpenFile& file);
  Result<void> AwaitConnect(Driver::Lock& lock, OpenFile& file, bool begun);
  Duration ConnectTimeout(const OpenFile& file) const;
  // A call that sends by reference, once it has sent anything.
  struct ReferenceCall {
    std::size_t size;
    std::optional<std::uint32_t> number;
  };
  // `call`: by reference; nullptr: by copying.
  Result<std::size_t> SendPieces(Driver::Lock& lock, OpenFile& file, std::span<const iovec> pieces,
                                 bool dont_wait, SendFlags flags, ReferenceCall* call = nullptr);
  Result<std::size_t> SendAtOnce(OpenFile& file, const iovec& piece, SendFlags flags);
  Result<std::size_t> SendPiece(OpenFile& file, std::span<const std::byte> piece, SendFlags flags,
                                ReferenceCall& call);
  SendNotices& NoticesOf(OpenFile& file);
  static void WakeForNotice(OpenFile& file);
  void OwnReferences(OpenFile& file);
  Result<std::size_t> ReceiveSome(OpenFile& file, std::span<const iovec> pieces, std::size_t offset,
                                  const ReceiveFlags& flags);
  Result<std::size_t> ReceiveAtOnce(OpenFile& file, const iovec& piece, int* queued);
  // Of a call that received something, if its caller asked for it.
  void TellQueue(const OpenFile& file, bool received, int* queued);
  int QueueOf(Stack& stack, const OpenFile& file);

  /// Calls `attempt` until it gives something else than kWouldBlock, `timeout` has passed (then
  /// that is kWouldBlock), or the stack ends (kBadHandle). `timeout` zero: one attempt.
  template <class Attempt>
  auto Blocking(Driver::Lock& lock, Duration timeout, Attempt&& attempt) -> decltype(attempt());

  std::unique_ptr<Driver> driver_;
  FileTable files_;
  std::unordered_map<std::uint32_t, OpenFile*> referring_;  // SendNotices::owner: whose they are
  std::uint32_t last_owner_ = 0;
};

template <class Attempt>
auto Sockets::Blocking(Driver::Lock& lock, Duration timeout, Attempt&& attempt)
    -> decltype(attempt()) {
  auto result = attempt();
  driver_->Settle();
  const auto waiting = [&] { return !result && result.error() == Error::kWouldBlock; };
  if (timeout <= Duration::zero() || !waiting()) return result;
  const Time now = driver_->Clock();
  Driver::Waiter waiter(*driver_, timeout >= kNever - now ? kNever : now + timeout);
  // What Settle has just caused may already be what is waited for.
  while (waiting()) {
    result = attempt();
    if (!waiting()) break;
    if (driver_->Clock() >= waiter.deadline()) break;
    if (!driver_->Wait(lock, waiter)) {
      result = std::unexpected(Error::kBadHandle);
    }
  }
  driver_->Settle();
  return result;
}

}  // namespace estab::api
