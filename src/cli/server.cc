#include "cli/server.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cli/failure.h"

namespace estab::cli {
namespace {

constexpr int kBacklog = 1024;
constexpr Duration kTick = std::chrono::seconds(1);
}  // namespace

Server::Server(Machine& machine, Errands& errands, std::size_t most_sessions,
               std::function<void()> on_last)
    : machine_(machine),
      errands_(errands),
      most_sessions_(most_sessions),
      on_last_(std::move(on_last)) {}

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
  while (sessions_.size() < most_sessions_) {
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

void Server::Turn() {
  std::array<pollfd, 1> others{{{errands_.fd(), POLLIN, 0}}};
  machine_.Turn(others, again_.empty() ? next_tick_ : machine_.now());
  if (others[0].revents != 0) errands_.Run();
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

void Server::Finish() {
  for (const auto& service : services_) {
    static_cast<void>(machine_.stack().Close(machine_.now(), service->listener));
  }
  services_.clear();
  ForEachSession([](Session& session) { return session.Finish(); });
  finishing_ = true;
}

void Server::Run() {
  while (!ending_) {
    Turn();
    if (finishing_ && live() == 0) {
      finishing_ = false;
      on_last_();
    }
  }
  again_.clear();
  ForEachSession([](Session&) { return Next::kDone; });
  machine_.stack().ResetAll(machine_.now());
  machine_.Flush();
}

}  // namespace estab::cli
