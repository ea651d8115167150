// What one thread of `serve` does: listeners and sessions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cli/errands.h"
#include "cli/session.h"

namespace estab::cli {

/// Makes the session of an accepted connection.
using MakeSession = std::function<std::unique_ptr<Session>(Machine&, SocketId)>;

/// Accepts connections on its ports and runs their sessions, all in one thread. Listen is called
/// before Run; everything else by errands, while it runs.
class Server {
 public:
  /// At most `most_sessions` at one time; more connections wait unaccepted. `on_last` is called by
  /// the thread that serves when, after Finish, the last socket has gone.
  Server(Machine& machine, Errands& errands, std::size_t most_sessions,
         std::function<void()> on_last);

  /// Listens on `port`, both families. `flag` is what the user asked with, for the Failure (status
  /// 1) if that cannot be.
  void Listen(const std::string& flag, std::uint16_t port, MakeSession make);

  /// Serves until End. Then resets what is left.
  void Run();

  /// Stops listening, and lets sessions and closing connections finish.
  void Finish();
  /// Sockets that live.
  std::size_t live() const { return machine_.stack().Counters().sockets; }
  /// Lets Run return.
  void End() { ending_ = true; }

 private:
  struct Service {
    SocketId listener;
    MakeSession make;
  };

  void Turn();
  void DispatchReady();
  void AcceptFrom(Service& service);
  void RunSession(Session* session);
  // Does what a session's answer asks for.
  void Follow(Session* session, Next next);
  template <class Call>
  void ForEachSession(Call call);

  Machine& machine_;
  Errands& errands_;
  std::size_t most_sessions_;
  std::function<void()> on_last_;
  std::vector<std::unique_ptr<Service>> services_;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
  std::vector<Session*> again_;
  Time next_tick_{};
  bool finishing_ = false;
  bool ending_ = false;
};

}  // namespace estab::cli
