// What `serve` does with one connection.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "cli/machine.h"

namespace estab::cli {

/// What a session wants next.
enum class Next { kWait, kAgain, kDone };

/// Serves one connection without ever waiting. The server calls Run when the socket's readiness
/// rose, and again while it answers kAgain (it gave way to others); kDone ends the session, which
/// closes the socket.
class Session {
 public:
  Session(Machine& machine, SocketId socket) : machine_(machine), socket_(socket) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  /// Closes the socket in order, unless Abort was called.
  virtual ~Session();

  /// Does what can be done now.
  virtual Next Run() = 0;
  /// About once a second: for limits of time. As Run otherwise.
  virtual Next Tick() { return Run(); }
  /// The server is to end: begin nothing new, then be done.
  virtual Next Finish() = 0;

  bool again = false;  // the server's own: it is queued to run

 protected:
  Result<std::size_t> Read(std::span<std::byte> into) {
    return machine_.stack().Read(machine_.now(), socket_, into);
  }
  Result<std::size_t> Send(std::span<const std::byte> bytes) {
    return machine_.stack().Send(machine_.now(), socket_, bytes);
  }
  void ShutdownWrite();
  /// Resets the connection; the session must then be done.
  void Abort();
  Time now() const { return machine_.now(); }
  SocketId socket() const { return socket_; }

  /// Where bytes are on their way between socket and file or back; nothing stays in it.
  static std::span<std::byte> Scratch();
  /// Bytes that a session moves before it gives way to the others.
  static constexpr std::size_t kTurn = std::size_t{1} << 20;

 private:
  Machine& machine_;
  SocketId socket_;
  bool closed_ = false;
};

/// Sends back what comes (RFC 862).
std::unique_ptr<Session> MakeEcho(Machine& machine, SocketId socket);
/// Takes what comes (RFC 863).
std::unique_ptr<Session> MakeDiscard(Machine& machine, SocketId socket);
/// Sends lines of characters without end (RFC 864).
std::unique_ptr<Session> MakeChargen(Machine& machine, SocketId socket);

}  // namespace estab::cli
