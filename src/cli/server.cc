#include "cli/server.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cli/failure.h"

namespace estab::cli {
namespace {

constexpr int kBacklog = 1024;
constexpr Duration kTick = std::chrono::seconds(1);
// What ends within this long after SIGTERM is not worth a word.
constexpr Duration kUnsaid = std::chrono::milliseconds(200);

void SayWaiting(std::size_t connections, Duration left) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
  if (seconds <= 0) return;
  fmt::print(stderr, "estab: waiting up to {} s for {} connection{}; again to end now\n", seconds,
             connections, connections == 1 ? "" : "s");
}

}  // namespace

void Server::Listen(const std::string& flag, std::uint16_t port, MakeSession make) {
  Stack& stack = machine_.stack();
  const auto socket = stack.Open(true);
  if (!socket) Failed("{}: {}", flag, Describe(socket.error()));
  Result<void> done = stack.Bind(*socket, {IpAddress::AnyV6(), port});
  if (done) done = stack.Listen(machine_.now(), *socket, kBacklog);
  if (!done) Failed("{}: {}", flag, Describe(done.error()));
  services_.push_back(std::make_unique<Service>(Service{*socket, std::move(make)}));
}

template <class Call>
void Server::ForEachSession(Call call) {
  std::vector<Session*> all;
  all.reserve(sessions_.size());
  for (const auto& entry : sessions_) all.push_back(entry.first);
  for (Session* session : all) Follow(session, call(*session));
}

void Server::Follow(Session* session, Next next) {
  if (next == Next::kDone) {
    if (session->again) std::erase(again_, session);
    sessions_.erase(session);
  } else if (next == Next::kAgain && !session->again) {
    session->again = true;
    again_.push_back(session);
  }
}

void Server::RunSession(Session* session) { Follow(session, session->Run()); }

void Server::AcceptFrom(Service& service) {
  while (sessions_.size() < kMostSessions) {
    const auto socket = machine_.stack().Accept(machine_.now(), service.listener);
    if (!socket) return;
    std::unique_ptr<Session> made = service.make(machine_, *socket);
    Session* session = made.get();
    static_cast<void>(machine_.stack().SetUser(*socket, session));
    sessions_.emplace(session, std::move(made));
    RunSession(session);
  }
}

void Server::DispatchReady() {
  std::array<ReadyEvent, 64> events;
  std::size_t n = 0;
  do {
    n = machine_.stack().DrainReady(events);
    for (const ReadyEvent& event : std::span(events).first(n)) {
      // Listeners carry no user's word; they are looked at below.
      auto* session = static_cast<Session*>(event.user);
      if (session != nullptr && sessions_.contains(session)) RunSession(session);
    }
  } while (n == events.size());
}

void Server::Turn(Time until) {
  polled_.assign(1, {machine_.signal_fd(), POLLIN, 0});
  if (control_ != nullptr) control_->Poll(polled_);
  until = std::min(until, next_tick_);
  machine_.Turn(polled_, again_.empty() ? until : machine_.now());
  if (polled_[0].revents != 0 && machine_.TakeSignal() != 0) ++signals_;
  if (control_ != nullptr) control_->Serve(std::span(polled_).subspan(1));
  DispatchReady();
  for (const auto& service : services_) AcceptFrom(*service);
  for (Session* session : std::exchange(again_, {})) {
    if (!sessions_.contains(session)) continue;
    session->again = false;
    RunSession(session);
  }
  if (machine_.now() < next_tick_) return;
  next_tick_ = machine_.now() + kTick;
  ForEachSession([](Session& session) { return session.Tick(); });
}

void Server::StopListening() {
  for (const auto& service : services_) {
    static_cast<void>(machine_.stack().Close(machine_.now(), service->listener));
  }
  services_.clear();
}

std::size_t Server::Run(Duration grace) {
  while (signals_ == 0) Turn(kNever);
  StopListening();
  ForEachSession([](Session& session) { return session.Finish(); });
  const Time limit = machine_.now() + grace;
  Stack& stack = machine_.stack();
  const auto wait = [&](Time until) {
    while (stack.Counters().sockets != 0 && signals_ < 2 && machine_.now() < until) Turn(until);
    return stack.Counters().sockets;
  };
  if (const auto live = wait(std::min(limit, machine_.now() + kUnsaid)); live != 0) {
    SayWaiting(live, limit - machine_.now());
    wait(limit);
  }
  const std::size_t left = stack.Counters().sockets;
  again_.clear();
  ForEachSession([](Session&) { return Next::kDone; });
  stack.ResetAll(machine_.now());
  machine_.Flush();
  return left;
}

}  // namespace estab::cli
