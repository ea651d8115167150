#include "cli/servers.h"

#include <algorithm>
#include <utility>

#include "cli/failure.h"
#include "io/clock.h"

namespace estab::cli {
namespace {

// What ends within this long after SIGTERM is not worth a word.
constexpr Duration kUnsaid = std::chrono::milliseconds(200);

void SayWaiting(std::size_t connections, Duration left) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
  if (seconds <= 0) return;
  fmt::print(stderr, "estab: waiting up to {} s for {} connection{}; again to end now\n", seconds,
             connections, connections == 1 ? "" : "s");
}

io::Event MakeNews() {
  auto event = io::Event::Create();
  if (!event) Failed("{}", event.error().message);
  return std::move(*event);
}

}  // namespace

Servers::Servers(MachineGroup& machines, Signals& signals, Control* control)
    : machines_(machines), signals_(signals), control_(control), news_(MakeNews()) {
  const std::size_t most = (kMostSessions + machines.size() - 1) / machines.size();
  for (std::size_t i = 0; i < machines.size(); ++i) {
    servers_.push_back(std::make_unique<Server>(machines[i], machines.errands(i), most,
                                                [this] { news_.Signal(); }));
  }
}

Servers::~Servers() { Stop(); }

void Servers::Listen(const std::string& flag, std::uint16_t port, const MakeSession& make) {
  for (const auto& server : servers_) server->Listen(flag, port, make);
}

void Servers::Start() {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    threads_.emplace_back([this, i] {
      Serve(*servers_[i]);
      machines_.errands(i).Close();
    });
  }
}

void Servers::Serve(Server& server) {
  try {
    server.Run();
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (thrown_ == nullptr) thrown_ = std::current_exception();
    news_.Signal();
  }
}

void Servers::Stop() {
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    machines_.errands(i).Do([&] { servers_[i]->End(); });
  }
  for (std::thread& thread : std::exchange(threads_, {})) thread.join();
}

void Servers::Turn(Time until) {
  polled_.assign({{signals_.fd(), POLLIN, 0}, {news_.fd(), POLLIN, 0}});
  if (control_ != nullptr) control_->Poll(polled_);
  timespec limit{};
  if (until != kNever) {
    const auto left = std::max(until - io::MonotonicNow(), Duration::zero()).count();
    limit = {static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
  }
  const int n = ppoll(polled_.data(), polled_.size(), until == kNever ? nullptr : &limit, nullptr);
  if (n <= 0) return;
  if (polled_[0].revents != 0 && signals_.Take() != 0) ++came_;
  if (polled_[1].revents != 0) {
    news_.Clear();
    const std::lock_guard lock(mutex_);
    failed_ = thrown_ != nullptr;
  }
  if (control_ != nullptr) control_->Serve(std::span(polled_).subspan(2));
}

std::size_t Servers::Live() {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    machines_.errands(i).Do([&] { sum += servers_[i]->live(); });
  }
  return sum;
}

void Servers::WaitForTheLast(Time until) {
  while (came_ < 2 && !failed_ && io::MonotonicNow() < until && Live() != 0) Turn(until);
}

std::size_t Servers::Run(Duration grace) {
  Start();
  while (came_ == 0 && !failed_) Turn(kNever);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    machines_.errands(i).Do([&] { servers_[i]->Finish(); });
  }
  const Time begun = io::MonotonicNow();
  WaitForTheLast(begun + std::min(grace, kUnsaid));
  if (const std::size_t live = failed_ ? 0 : Live(); live != 0) {
    SayWaiting(live, begun + grace - io::MonotonicNow());
    WaitForTheLast(begun + grace);
  }
  const std::size_t left = Live();
  Stop();
  if (failed_) std::rethrow_exception(thrown_);
  return left;
}

}  // namespace estab::cli
