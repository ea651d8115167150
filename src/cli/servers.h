// The threads of `serve`, and an end in order.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/control.h"
#include "cli/machine_group.h"
#include "cli/server.h"
#include "cli/signals.h"

namespace estab::cli {

/// A server for each machine of a group, in a thread of its own. The thread that calls Run is none
/// of them: it waits for signals, and answers at the control socket.
class Servers {
 public:
  /// Sessions at one time, of all.
  static constexpr std::size_t kMostSessions = 4096;

  /// `control`, if given, is served too. All must outlive this.
  Servers(MachineGroup& machines, Signals& signals, Control* control);
  ~Servers();
  Servers(const Servers&) = delete;
  Servers& operator=(const Servers&) = delete;

  /// As Server::Listen, for each.
  void Listen(const std::string& flag, std::uint16_t port, const MakeSession& make);

  /// Serves until SIGTERM or SIGINT. Then stops listening, lets sessions and closing connections
  /// finish for at most `grace` (or until a second signal), and resets what is left. Returns how
  /// many connections had to be reset. Throws what a thread could not go on for.
  std::size_t Run(Duration grace);

 private:
  void Start();
  void Serve(Server& server);
  void Stop();
  // Waits for a signal, a client of the control socket, or a thread that has something to tell.
  void Turn(Time until);
  void WaitForTheLast(Time until);
  std::size_t Live();

  MachineGroup& machines_;
  Signals& signals_;
  Control* control_;
  io::Event news_;  // a thread has failed, or its last socket has gone
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<std::thread> threads_;
  std::vector<pollfd> polled_;
  int came_ = 0;  // signals
  bool failed_ = false;
  std::mutex mutex_;
  std::exception_ptr thrown_;  // under the lock: the first
};

}  // namespace estab::cli
