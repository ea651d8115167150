// Drives one stack: its mutex, its clock, its links, and the waiting of its callers.
#pragma once

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "api/exchange.h"
#include "api/links.h"
#include "estab/stack.h"
#include "estab/time.h"
#include "io/clock.h"
#include "io/event.h"
#include "io/link_spec.h"
#include "observe/fanout.h"
#include "observe/journal.h"

namespace estab::api {

/// Is told of every socket that becomes readier, under the lock.
class ReadySink {
 public:
  virtual void OnReady(const ReadyEvent& event) = 0;
  /// And of bytes sent by reference that have come back.
  virtual void OnReturned(const ReturnedBytes& bytes) = 0;

 protected:
  ~ReadySink() = default;
};

/// The one place with a lock. Every call begins with Enter, uses the stack under the lock, and
/// calls Settle when it may have caused something; a call that has to wait makes a Waiter and calls
/// Wait.
///
/// With the real clock one waiting caller leads: it lets go of the lock, sleeps in poll on the
/// links and an eventfd until the next timer, and then does the I/O; the others wait for it on a
/// condition, and one of them takes over when it leaves. With the virtual clock everybody waits on
/// the condition, and whoever advances the clock stops at every deadline, of a timer or of a
/// waiting caller, until all callers who have something to do there have done it.
class Driver {
 public:
  using Lock = std::unique_lock<std::mutex>;

  /// A waiting call's place; made and destroyed under the lock.
  class Waiter {
   public:
    /// `deadline` is when the call gives up; kNever: it does not.
    Waiter(Driver& driver, Time deadline);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    Time deadline() const { return deadline_; }

   private:
    friend class Driver;
    Driver& driver_;
    Time deadline_;
    std::uint64_t seen_;
  };

  /// Makes the stack. `seed`, if given, replaces the system's randomness. `end`: its place in a
  /// group, with the seed of all. kNoMemory, kNoBuffers (no descriptor left), kIo (no randomness).
  static Result<std::unique_ptr<Driver>> Create(
      const std::optional<std::array<std::uint8_t, 32>>& seed,
      std::shared_ptr<Exchange::End> end = nullptr);
  ~Driver();

  // --- For calls, under the lock -----------------------------------------------------------------

  /// Takes the lock; with the real clock, fires the timers that have become due meanwhile.
  Lock Enter() {
    Lock lock(mutex_);
    if (!virtual_) CatchUp();
    return lock;
  }
  Stack& stack() { return *stack_; }
  Links& links() { return links_; }
  const observe::Journal& journal() const { return journal_; }
  /// Attaches another observer beside the journal; it must outlive the driver.
  void AddObserver(Observer& observer);
  /// Who is told of sockets that become readier; it must outlive the driver's last call.
  void set_ready_sink(ReadySink* sink) { ready_sink_ = sink; }
  /// From here to EndWatching somebody wants to know which sockets become readier, and not what
  /// has become of them before. While nobody does, nobody asks the stack.
  void BeginWatching();
  void EndWatching() { --watchers_; }
  /// Bytes have been sent by reference: from now on the stack is asked for those that came back.
  void ExpectReturned() { expects_returned_ = true; }
  /// The time, real or virtual, to be told to the stack.
  Time Now() {
    told_time_ = true;
    return Clock();
  }
  /// The same, for everything else.
  Time Clock() {
    if (!virtual_) now_ = std::max(now_, io::MonotonicNow());
    return now_;
  }
  /// Sends what is to be sent, unless output is pulled, and wakes whom that concerns; true if a
  /// socket became readier.
  bool Settle() {
    if (pulled_) {
      links_.NoteOutput();
    } else {
      Transmit(links_);
    }
    return Tell();
  }
  /// No link reads the memory of the stack, or of its users, any more.
  void OwnHeld();
  /// Wakes every waiting call, so that it looks again.
  void WakeAll();
  /// Waits until something may have changed or the waiter's deadline has passed. False: the stack
  /// is being destroyed, leave. Spurious returns happen; look again.
  bool Wait(Lock& lock, Waiter& waiter);
  /// True once Shutdown has begun.
  bool ending() const { return ending_; }

  // --- Whole calls, which take the lock themselves -----------------------------------------------

  Result<void> MakeVirtual();
  Result<void> Advance(std::uint64_t ns);
  /// ns to the next timer; nullopt: none.
  std::optional<Duration> UntilDeadline();
  /// Packets moved, those that came from other stacks of a group too. `timeout_ms` as for poll.
  std::size_t PollIo(int timeout_ms);
  /// Whether a device was removed under us.
  bool LinkGone();
  Result<void> Inject(int link, std::span<const std::byte> packet);
  /// Takes the next packet of a memory link into `into`: its size, 0 if there is none, and when it
  /// left in `*at`. kMessageTooLong leaves it there.
  Result<std::size_t> Collect(int link, std::span<std::byte> into, Time* at) {
    if (links_.KnownEmpty(link)) return 0;
    return CollectNext(link, into, at);
  }
  /// Whether output is pulled: what calls and packets cause leaves when it is collected, when the
  /// I/O is run, time passes or a call waits, and not at once.
  void PullOutput(bool on);
  Result<LinkId> AddMemoryLink(int mtu);
  /// A link over a device; `text` is what io::ReadLink reads. On failure `*message`, if given,
  /// becomes a line that says what to do.
  Result<LinkId> AddLink(io::LinkKind kind, std::string_view text, std::string* message);
  /// The same over one that is open.
  Result<LinkId> AddDevice(std::unique_ptr<io::Device> device, std::string* message);
  /// Whether a waiting call looks at the links over and over instead of sleeping. An error is that
  /// of a device which cannot be polled so; `*message` as for AddLink.
  Result<void> SetBusyPoll(bool on, std::string* message);
  /// As the stack's.
  Result<void> AddAddress(LinkId link, const Prefix& prefix);
  Result<void> AddRoute(LinkId link, const Prefix& destination, const IpAddress* via);
  /// Ends all waiting calls and, unless estab.destroy says otherwise, resets all connections.
  void Shutdown();

 private:
  Driver(Stack stack, io::Event event, std::shared_ptr<Exchange::End> end);
  void CatchUp();
  void Transmit(PacketSink& sink);
  /// The part of Settle that is for others than the stack: nothing, mostly.
  bool Tell() {
    const bool anybody =
        watchers_ != 0 || expects_returned_ || links_.has_device() || end_ != nullptr;
    return anybody && TellOthers();
  }
  bool TellOthers();
  /// As Settle; output leaves even if it is pulled.
  bool SettleNow() {
    Transmit(links_);
    return Tell();
  }
  bool DrainReady();
  bool DrainReturned();
  Result<std::size_t> CollectNext(int link, std::span<std::byte> into, Time* at);
  std::size_t Pull(int link, std::span<std::byte> into, Time* at);
  void Notify() {
    if (!waiters_.empty()) WakeWaiters();
  }
  void WakeWaiters();
  void Kick();
  void Look(Waiter& waiter);
  void Lead(Lock& lock, Time until);
  void Sleep(Lock& lock);
  std::size_t RunOnce();
  std::size_t CollectHandedOver();
  /// Of the stack, and with the real clock of the links.
  Time NextDeadline();
  std::size_t FireDue();
  void WaitForLookers(Lock& lock);
  Time EarliestWaiter() const;
  bool SilentDestroy() const;

  std::mutex mutex_;
  std::condition_variable changed_;  // epoch_ grew, or somebody must take the lead
  std::condition_variable settled_;  // lookers_ became 0, an advance or the last waiter is done

  ReadySink* ready_sink_ = nullptr;
  observe::Journal journal_;
  observe::Fanout observers_;
  std::optional<Stack> stack_;
  Links links_;
  io::Event event_;
  std::shared_ptr<Exchange::End> end_;  // nullptr: alone
  bool handed_over_ = false;            // it was seen to be readable

  bool virtual_ = false;
  Time now_{};              // virtual time; with the real clock, the last time it said
  bool told_time_ = false;  // the stack knows a time
  bool pulled_ = false;     // output is
  bool advancing_ = false;
  bool ending_ = false;

  std::size_t watchers_ = 0;           // who want to know which sockets become readier
  bool expects_returned_ = false;      // the stack may have something for TakeReturned
  std::array<ReadyEvent, 64> events_;  // where DrainReady puts them
  std::vector<Waiter*> waiters_;
  std::uint64_t epoch_ = 0;  // grows whenever waiting calls should look again
  std::size_t lookers_ = 0;  // waiters that have not looked since
  bool leading_ = false;     // somebody sleeps in poll ...
  Time leading_until_{};     // ... until then at the latest
  bool kicked_ = false;      // ... and has been woken
  bool lead_wants_write_ = false;
  bool busy_poll_ = false;
  std::uint64_t received_ = 0;
};

}  // namespace estab::api
