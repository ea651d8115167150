// The loop of `serve`: listeners, sessions, and an end in order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cli/control.h"
#include "cli/session.h"

namespace estab::cli {

/// Makes the session of an accepted connection.
using MakeSession = std::function<std::unique_ptr<Session>(Machine&, SocketId)>;

/// Accepts connections on its ports and runs their sessions, all in one thread.
class Server {
 public:
  /// Sessions at one time; more connections wait unaccepted.
  static constexpr std::size_t kMostSessions = 4096;

  /// `control`, if given, is served too and must outlive the server.
  explicit Server(Machine& machine, Control* control = nullptr)
      : machine_(machine), control_(control) {}

  /// Listens on `port`, both families. `flag` is what the user asked with, for the Failure (status
  /// 1) if that cannot be.
  void Listen(const std::string& flag, std::uint16_t port, MakeSession make);

  /// Serves until SIGTERM or SIGINT. Then stops listening, lets sessions and closing connections
  /// finish for at most `grace` (or until a second signal), and resets what is left. Returns how
  /// many connections had to be reset.
  std::size_t Run(Duration grace);

 private:
  struct Service {
    SocketId listener;
    MakeSession make;
  };

  void Turn(Time until);
  void DispatchReady();
  void AcceptFrom(Service& service);
  void RunSession(Session* session);
  // Does what a session's answer asks for.
  void Follow(Session* session, Next next);
  template <class Call>
  void ForEachSession(Call call);
  void StopListening();

  Machine& machine_;
  Control* control_;
  std::vector<pollfd> polled_;
  std::vector<std::unique_ptr<Service>> services_;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
  std::vector<Session*> again_;
  Time next_tick_{};
  int signals_ = 0;
};

}  // namespace estab::cli
