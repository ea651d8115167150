// The application at one end of a connection, which knows what it must be told.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "bench/seeds/plan.h"

namespace estab::bench {

/// Where actors say what went wrong. Only the first word counts.
struct Verdict {
  std::string failure;
  void Fail(std::string what) {
    if (failure.empty()) failure = std::move(what);
  }
};

/// One end: writes, reads, checks and leaves as its plan says. Every byte it reads is compared
/// with what its peer wrote, and the end of the stream with how its peer left.
class Actor {
 public:
  /// `key` makes the bytes that it writes its own. `name` is for messages.
  Actor(sim::World& world, Verdict& verdict, sim::Side side, const EndPlan& plan, std::uint64_t key,
        std::string name);
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  void SetPeer(Actor& peer) { peer_ = &peer; }
  /// Takes a socket: from now on it acts.
  void Begin(SocketId socket);
  /// Does whatever can be done now.
  void Pump();
  /// Its host has crashed: it is no more.
  void Die();
  /// Its peer has been out of reach for long: fails if the stack has not given up on bytes, or a
  /// SYN, that nobody has acknowledged.
  void CheckGivenUp();
  /// Its patience is at an end. Fails if there was something that nobody told it of, or, with
  /// `must_be_over`, if the conversation has not ended by itself; then gives up its socket.
  void GiveUp(bool abort, bool must_be_over);

  bool began() const { return began_; }
  bool open() const { return socket_.has_value(); }
  bool died() const { return died_; }
  sim::Side side() const { return side_; }
  const EndPlan& plan() const { return plan_; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }
  const std::optional<Error>& error() const { return error_; }
  /// It has read everything to the end of the stream, and closed, without an error.
  bool ended_well() const { return ended_ && !error_.has_value() && !died_; }
  /// Leaves in order on both its directions.
  bool polite() const { return plan_.ending == Ending::kPolite; }
  std::string Summary() const;

 private:
  Stack& stack() { return world_.host(side_).stack(); }
  Time now() const { return world_.now(); }
  bool WriteSome();
  bool ReadSome();
  void Leave();
  void OnBytes(std::span<const std::byte> bytes);
  void OnEnd();
  void OnError(Error error);
  void CheckDead();
  void Close(bool linger_zero);
  void Fail(const std::string& what);
  void PumpAt(Time at);

  sim::World& world_;
  Verdict& verdict_;
  Actor* peer_ = nullptr;
  sim::Side side_;
  const EndPlan& plan_;
  std::uint64_t key_;
  std::string name_;
  std::optional<SocketId> socket_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::optional<Error> error_;
  Time write_at_{};
  Time read_at_{};
  Time leave_at_{};
  bool began_ = false;
  bool died_ = false;
  bool fin_ = false;  // has closed its direction in order
  bool shut_both_ = false;
  bool ended_ = false;  // has seen the end of the peer's stream
};

}  // namespace estab::bench
