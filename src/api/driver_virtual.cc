// Virtual time, memory links, and the end.
#include <algorithm>
#include <array>
#include <string_view>

#include "api/driver.h"

namespace estab::api {
namespace {

std::unexpected<Error> Told(const io::OsError& error, std::string* message) {
  if (message != nullptr) *message = error.message;
  return std::unexpected(error.error);
}

// Hands the first packet of a memory link over where it is wanted; all others go the usual way.
class Taker final : public PacketSink {
 public:
  Taker(Links& links, LinkId link, std::span<std::byte> into)
      : links_(links), link_(link), into_(into) {}

  std::size_t size() const { return size_; }
  SinkCapabilities Capabilities(LinkId link) const override { return links_.Capabilities(link); }
  SinkResult Send(const TxPacket& packet) override {
    if (packet.link != link_ || !std::exchange(wants_, false)) return links_.Send(packet);
    const std::size_t size = packet.size();
    if (size > into_.size()) return links_.Send(packet);
    MemoryLink::Write(packet, into_.data());
    size_ = size;
    return SinkResult::kSent;
  }

 private:
  Links& links_;
  LinkId link_;
  std::span<std::byte> into_;
  bool wants_ = true;
  std::size_t size_ = 0;
};

}  // namespace

Result<void> Driver::MakeVirtual() {
  Lock lock(mutex_);
  if (virtual_) return {};
  const StackCounters counters = stack_->Counters();
  if (counters.packets_in + counters.packets_out > 0 || !waiters_.empty() || leading_) {
    return std::unexpected(Error::kBusy);
  }
  if (!told_time_) now_ = Time{};  // otherwise time would run backwards for the stack
  virtual_ = true;
  return {};
}

Time Driver::EarliestWaiter() const {
  Time earliest = kNever;
  for (const Waiter* waiter : waiters_) earliest = std::min(earliest, waiter->deadline());
  return earliest;
}

// Until every waiting call has looked at what happened, and has left or waits again.
void Driver::WaitForLookers(Lock& lock) {
  settled_.wait(lock, [&] { return lookers_ == 0 || ending_; });
}

Result<void> Driver::Advance(std::uint64_t ns) {
  Lock lock(mutex_);
  settled_.wait(lock, [&] { return !advancing_ || ending_; });
  if (!virtual_ || ending_) return std::unexpected(Error::kInvalid);
  const auto left = static_cast<std::uint64_t>((kNever - now_).count());
  if (ns >= left) return std::unexpected(Error::kInvalid);
  const Time target = now_ + Duration(static_cast<std::int64_t>(ns));
  advancing_ = true;
  SettleNow();
  WaitForLookers(lock);
  while (!ending_) {
    const Time next = std::min(stack_->NextDeadline(), EarliestWaiter());
    if (next > target) break;
    now_ = std::max(now_, next);
    stack_->Advance(now_);
    SettleNow();
    Notify();
    WaitForLookers(lock);
  }
  now_ = std::max(now_, target);
  advancing_ = false;
  settled_.notify_all();
  return {};
}

std::optional<Duration> Driver::UntilDeadline() {
  const Lock lock = Enter();
  if (pulled_) SettleNow();  // what has not left has no timer yet
  const Time next = stack_->NextDeadline();
  if (next == kNever) return std::nullopt;
  return std::max(Duration::zero(), next - Clock());
}

Result<void> Driver::Inject(int link, std::span<const std::byte> packet) {
  const Lock lock = Enter();
  if (links_.Memory(link) == nullptr) return std::unexpected(Error::kInvalid);
  RxPacket arrived;
  arrived.data = packet;
  arrived.link = static_cast<LinkId>(link);
  stack_->Receive(Now(), std::span(&arrived, 1));
  Settle();
  Notify();
  return {};
}

// Lets the output leave, the first packet of `link` straight to whoever asks for it: its size, 0 if
// there is none or it is in the link's queue.
std::size_t Driver::Pull(int link, std::span<std::byte> into, Time* at) {
  Taker taker(links_, static_cast<LinkId>(link), into);
  Transmit(taker);
  if (at != nullptr) *at = now_;
  Tell();
  return taker.size();
}

void Driver::PullOutput(bool on) {
  const Lock lock = Enter();
  SettleNow();
  pulled_ = on;
}

Result<std::size_t> Driver::CollectNext(int link, std::span<std::byte> into, Time* at) {
  const Lock lock = Enter();
  MemoryLink* memory = links_.Memory(link);
  if (memory == nullptr) return std::unexpected(Error::kInvalid);
  if (memory->empty()) {
    const std::size_t size = pulled_ ? Pull(link, into, at) : 0;
    // With the real clock a timer may have output by and by, and this call fires it.
    if (memory->empty() && virtual_) links_.NoteEmpty(link);
    if (size != 0 || memory->empty()) return size;
  }
  const std::size_t size = memory->front_size();
  if (size > into.size()) return std::unexpected(Error::kMessageTooLong);
  if (at != nullptr) *at = memory->front_time();
  const std::uint64_t token = memory->Take(into);
  if (token != 0) stack_->TransmitComplete({&token, 1});
  if (memory->empty() && virtual_ && !pulled_) links_.NoteEmpty(link);
  if (memory->TakeRefused()) {
    Settle();
  } else if (token != 0 && expects_returned_ && DrainReturned()) {
    Notify();
  }
  return size;
}

Result<LinkId> Driver::AddMemoryLink(int mtu) {
  const Lock lock = Enter();
  if (mtu <= 0) return std::unexpected(Error::kInvalid);
  const auto id = stack_->AddLink({.mtu = static_cast<std::uint32_t>(mtu)});
  if (id) links_.Add(*id, MemoryLink());
  return id;
}

Result<LinkId> Driver::AddLink(io::LinkKind kind, std::string_view text, std::string* message) {
  const auto spec = io::ReadLink(kind, text);
  if (!spec) return Told(spec.error(), message);
  auto opened = io::OpenLink(*spec);
  if (!opened) return Told(opened.error(), message);
  return AddDevice(std::move(*opened), message);
}

Result<LinkId> Driver::AddDevice(std::unique_ptr<io::Device> device, std::string* message) {
  const auto mtu = device->Mtu();
  if (!mtu) return Told(mtu.error(), message);
  const Lock lock = Enter();
  if (busy_poll_) {
    if (auto set = device->SetBusyPoll(true); !set) return Told(set.error(), message);
  }
  const auto id = stack_->AddLink({.mtu = *mtu});
  if (!id) {
    if (message != nullptr) {
      *message = "the stack does not take " + device->Describe() + " with its MTU of " +
                 std::to_string(*mtu) + " bytes: " + estab::Describe(id.error());
    }
    return id;
  }
  links_.Add(*id, std::move(device));
  Notify();
  if (leading_) Kick();
  return id;
}

Result<void> Driver::SetBusyPoll(bool on, std::string* message) {
  const Lock lock = Enter();
  if (auto set = links_.SetBusyPoll(on); !set) return Told(set.error(), message);
  busy_poll_ = on;
  if (leading_) Kick();
  return {};
}

Result<void> Driver::AddAddress(LinkId link, const Prefix& prefix) {
  const Lock lock = Enter();
  const auto added = stack_->AddAddress(link, prefix);
  if (added) links_.AddAddress(link, prefix);
  return added;
}

Result<void> Driver::AddRoute(LinkId link, const Prefix& destination, const IpAddress* via) {
  const Lock lock = Enter();
  const auto added = stack_->AddRoute(link, destination, via);
  if (added) links_.AddRoute(link, destination, via);
  return added;
}

bool Driver::SilentDestroy() const {
  std::array<char, kSettingTextSize> text{};
  const auto value = stack_->GetSetting("estab.destroy", text);
  return value && *value == "silent";
}

void Driver::Shutdown() {
  Lock lock(mutex_);
  if (ending_) return;
  ending_ = true;
  changed_.notify_all();
  settled_.notify_all();
  if (leading_) Kick();
  settled_.wait(lock, [&] { return waiters_.empty() && !advancing_ && !leading_; });
  if (SilentDestroy()) return;
  stack_->ResetAll(Now());
  links_.set_now(now_);
  stack_->Transmit(now_, links_);
  links_.Flush();
}

}  // namespace estab::api
