// The control socket of `serve`: what `ss`, `why` and `set` talk to.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/machine_group.h"
#include "io/fd.h"

namespace estab::cli {

/// Answers a request a piece at a time: appends what it has to `out` and returns true once that was
/// all. A step looks at a bounded number of connections.
using ControlTask = std::function<bool(std::string& out)>;

/// What answers one request (a line of JSON; control_tasks.cc). Every answer is lines of JSON, the
/// last of them {"end":true} or {"error":"one line","status":1 or 2}.
ControlTask MakeControlTask(MachineGroup& machines, const std::string& request);

/// A Unix socket at a path, for its owner alone. A client sends one line and reads until the end.
/// A bounded piece for every client at every turn: the machines are asked between their packets.
class Control {
 public:
  /// Throws Failure of status 1: the path is taken by a server that lives, or cannot be made. A
  /// socket that a dead server left is replaced.
  Control(const std::string& path, MachineGroup& machines);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Adds what is to be waited for.
  void Poll(std::vector<pollfd>& polled) const;
  /// Serves those of `polled`, as Poll added them, that are ready.
  void Serve(std::span<const pollfd> polled);

 private:
  struct Client {
    io::Fd fd;
    std::string in;
    std::string out;
    ControlTask task;
    Time deadline;
    bool done = false;
  };
  void Accept();
  bool ServeClient(Client& client, short events);
  bool Read(Client& client);
  bool Write(Client& client);

  std::string path_;
  MachineGroup& machines_;
  io::Fd listener_;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace estab::cli
