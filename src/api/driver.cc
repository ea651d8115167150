#include "api/driver.h"

#include <errno.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "estab/large_pages.h"
#include "io/entropy.h"

namespace estab::api {

Driver::Waiter::Waiter(Driver& driver, Time deadline)
    : driver_(driver), deadline_(deadline), seen_(driver.epoch_) {
  driver_.BeginWatching();
  driver_.waiters_.push_back(this);
}

Driver::Waiter::~Waiter() {
  driver_.Look(*this);
  std::erase(driver_.waiters_, this);
  driver_.EndWatching();
  if (driver_.waiters_.empty()) {
    driver_.settled_.notify_all();
  } else if (!driver_.virtual_ && !driver_.leading_) {
    driver_.changed_.notify_all();  // somebody must take the lead
  }
}

Driver::Driver(Stack stack, io::Event event, std::shared_ptr<Exchange::End> end)
    : stack_(std::move(stack)), event_(std::move(event)), end_(std::move(end)) {
  observers_.Add(journal_);
  stack_->SetObserver(&journal_);  // alone, it needs nobody who passes events on
}

Driver::~Driver() = default;

Result<std::unique_ptr<Driver>> Driver::Create(
    const std::optional<std::array<std::uint8_t, 32>>& seed, std::shared_ptr<Exchange::End> end) {
  StackConfig config;
  config.allocator = &LargePageAllocator();
  if (end != nullptr) config.shard = end->shard();
  if (seed) {
    config.secret = *seed;
  } else if (!io::FillRandom(std::as_writable_bytes(std::span(config.secret)))) {
    return std::unexpected(Error::kIo);
  }
  auto event = io::Event::Create();
  if (!event) return std::unexpected(event.error().error);
  auto stack = Stack::Create(config);
  if (!stack) return std::unexpected(stack.error());
  return std::unique_ptr<Driver>(new Driver(std::move(*stack), std::move(*event), std::move(end)));
}

void Driver::AddObserver(Observer& observer) {
  observers_.Add(observer);
  stack_->SetObserver(&observers_);
}

// What has become due while nobody was here; with the real clock.
void Driver::CatchUp() {
  if (ending_ || NextDeadline() > Clock()) return;
  FireDue();
  Settle();
  Notify();
}

Time Driver::NextDeadline() { return std::min(stack_->NextDeadline(), links_.NextDeadline()); }

// What is due now; with the real clock.
std::size_t Driver::FireDue() {
  links_.Advance(now_, *stack_);
  return stack_->Advance(now_);
}

void Driver::Transmit(PacketSink& sink) {
  if (!stack_->WantsTransmit()) return;
  const Time now = Now();
  links_.set_now(now);
  stack_->Transmit(now, sink);
}

// Whoever leads the I/O waits, or has a device.
bool Driver::TellOthers() {
  links_.Flush();
  if (end_ != nullptr) end_->Flush();
  const bool returned = expects_returned_ && DrainReturned();
  const bool ready = (watchers_ != 0 && DrainReady()) || returned;
  if (ready) Notify();
  if (leading_ && !kicked_ &&
      (NextDeadline() < leading_until_ || links_.wants_write() != lead_wants_write_)) {
    Kick();
  }
  return ready;
}

void Driver::BeginWatching() {
  if (watchers_++ != 0) return;
  while (stack_->DrainReady(events_) == events_.size()) {
  }
}

bool Driver::DrainReady() {
  bool any = false;
  while (const std::size_t n = stack_->DrainReady(events_)) {
    any = true;
    for (std::size_t i = 0; i < n && ready_sink_ != nullptr; ++i) ready_sink_->OnReady(events_[i]);
    if (n < events_.size()) break;
  }
  return any;
}

void Driver::OwnHeld() {
  links_.OwnHeld([&](std::uint64_t token) { stack_->TransmitComplete({&token, 1}); });
}

bool Driver::DrainReturned() {
  ReturnedBytes bytes;
  bool any = false;
  for (; stack_->TakeReturned({&bytes, 1}) != 0; any = true) {
    if (ready_sink_ != nullptr) ready_sink_->OnReturned(bytes);
  }
  return any;
}

void Driver::WakeWaiters() {
  ++epoch_;
  lookers_ = waiters_.size();
  changed_.notify_all();
  if (leading_) Kick();
}

void Driver::WakeAll() { Notify(); }

void Driver::Kick() {
  if (std::exchange(kicked_, true)) return;
  event_.Signal();
}

// The waiter has seen all that happened up to now.
void Driver::Look(Waiter& waiter) {
  if (waiter.seen_ == epoch_) return;
  waiter.seen_ = epoch_;
  if (--lookers_ == 0) settled_.notify_all();
}

bool Driver::Wait(Lock& lock, Waiter& waiter) {
  if (ending_) return false;
  if (SettleNow()) return !ending_;  // the caller itself may be concerned
  Look(waiter);
  const std::uint64_t seen = waiter.seen_;
  if (virtual_) {
    changed_.wait(lock, [&] { return epoch_ != seen || ending_; });
  } else if (!leading_) {
    Lead(lock, waiter.deadline());
  } else {
    const auto news = [&] { return epoch_ != seen || ending_ || !leading_; };
    if (waiter.deadline() == kNever) {
      changed_.wait(lock, news);
    } else {
      // steady_clock is CLOCK_MONOTONIC, as our real clock.
      changed_.wait_until(
          lock, std::chrono::steady_clock::time_point(waiter.deadline().time_since_epoch()), news);
    }
  }
  return !ending_;
}

// Until a link has something, a timer is due, `until` (of the real clock), or a kick. The lock is
// not held.
void Driver::Sleep(Lock& lock) {
  std::vector<pollfd> fds{{event_.fd(), POLLIN, 0}};
  if (end_ != nullptr) fds.push_back({end_->fd(), POLLIN, 0});
  links_.Watch(fds);
  const Time real_now = io::MonotonicNow();
  timespec timeout{};
  if (leading_until_ != kNever && leading_until_ > real_now) {
    const Duration left = leading_until_ - real_now;
    timeout.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000);
    timeout.tv_nsec = static_cast<long>(left.count() % 1'000'000'000);
  }
  lock.unlock();
  ppoll(fds.data(), fds.size(), leading_until_ == kNever ? nullptr : &timeout, nullptr);
  lock.lock();
  handed_over_ = end_ != nullptr && fds[1].revents != 0;
}

// Sleeps, or with busy polling lets only the others have the lock for a moment; then does what
// there is to do.
void Driver::Lead(Lock& lock, Time until) {
  leading_ = true;
  kicked_ = false;
  leading_until_ = virtual_ ? until : std::min(until, NextDeadline());
  lead_wants_write_ = links_.wants_write();
  if (busy_poll_) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  } else {
    Sleep(lock);
  }
  leading_ = false;
  if (kicked_) event_.Clear();
  if (ending_) settled_.notify_all();
  if (RunOnce() > 0) Notify();
}

// Fires due timers, reads and sends; returns how much of that there was.
std::size_t Driver::RunOnce() {
  constexpr int kRounds = 4;  // before others get the lock
  std::size_t done = 0;
  if (!virtual_ && NextDeadline() <= Clock()) done += FireDue();
  done += CollectHandedOver();
  for (int round = 0; round < kRounds; ++round) {
    const auto read = links_.Read(Clock(), [&](auto batch) { stack_->Receive(Now(), batch); });
    received_ += read.packets;
    done += read.packets;
    const std::uint64_t sent = links_.sent();
    SettleNow();
    done += links_.sent() - sent;
    if (read.drained) break;
  }
  return done;
}

std::size_t Driver::CollectHandedOver() {
  if (end_ == nullptr) return 0;
  const bool polled = std::exchange(handed_over_, false);
  const std::size_t count =
      end_->Collect(polled, [&](auto batch) { stack_->Receive(Now(), batch); });
  received_ += count;
  return count;
}

bool Driver::LinkGone() {
  const Lock lock(mutex_);
  return links_.Gone() != nullptr;
}

std::size_t Driver::PollIo(int timeout_ms) {
  Lock lock(mutex_);
  const std::uint64_t before = received_ + links_.sent();
  const auto moved = [&] { return received_ + links_.sent() - before; };
  if (ending_ || RunOnce() > 0) {
    Notify();
    return moved();
  }
  if (timeout_ms == 0 || (virtual_ && !links_.has_device())) return 0;
  const Time deadline =
      timeout_ms < 0 ? kNever : io::MonotonicNow() + std::chrono::milliseconds(timeout_ms);
  // In virtual time this call does not count as waiting: its timeout is real.
  if (virtual_) {
    do {
      if (!leading_) Lead(lock, deadline);
    } while (busy_poll_ && moved() == 0 && io::MonotonicNow() < deadline);
    return moved();
  }
  Waiter waiter(*this, deadline);
  const std::uint64_t epoch = epoch_;
  while (Wait(lock, waiter) && moved() == 0 && epoch_ == epoch && Clock() < deadline) {
  }
  return moved();
}

}  // namespace estab::api
