#include "cli/session.h"

#include <array>
#include <string>
#include <vector>

namespace estab::cli {
namespace {

bool NotNow(Error error) { return error == Error::kWouldBlock; }

class Echo final : public Session {
 public:
  using Session::Session;

  Next Run() override {
    for (std::size_t moved = 0; moved < kTurn;) {
      if (!pending_.empty()) {
        const auto sent = Send(pending_);
        if (!sent) return NotNow(sent.error()) ? Next::kWait : Next::kDone;
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(*sent));
        continue;
      }
      if (finishing_) return Next::kDone;
      const std::span<std::byte> room = Scratch();
      const auto got = Read(room);
      if (!got) return NotNow(got.error()) ? Next::kWait : Next::kDone;
      if (*got == 0) return Next::kDone;
      moved += *got;
      const auto sent = Send(room.first(*got));
      if (!sent && !NotNow(sent.error())) return Next::kDone;
      const std::size_t taken = sent.value_or(0);
      pending_.assign(room.begin() + static_cast<std::ptrdiff_t>(taken),
                      room.begin() + static_cast<std::ptrdiff_t>(*got));
    }
    return Next::kAgain;
  }

  Next Finish() override {
    finishing_ = true;
    return Run();
  }

 private:
  std::vector<std::byte> pending_;  // read, not yet queued for sending
  bool finishing_ = false;
};

class Discard final : public Session {
 public:
  using Session::Session;

  Next Run() override {
    for (std::size_t moved = 0; moved < kTurn;) {
      const auto got = Read(Scratch());
      if (!got) return NotNow(got.error()) ? Next::kWait : Next::kDone;
      if (*got == 0) return Next::kDone;
      moved += *got;
    }
    return Next::kAgain;
  }
  Next Finish() override {
    Run();  // what has come is taken, so that closing is no reset
    return Next::kDone;
  }
};

// 95 lines of 72 printable characters, each shifted by one.
const std::string& ChargenPattern() {
  static const std::string pattern = [] {
    std::string lines;
    for (int line = 0; line < 95; ++line) {
      for (int i = 0; i < 72; ++i) lines += static_cast<char>(' ' + (line + i) % 95);
      lines += "\r\n";
    }
    return lines;
  }();
  return pattern;
}

class Chargen final : public Session {
 public:
  using Session::Session;

  Next Run() override {
    while (true) {
      const auto got = Read(Scratch());
      if (got && *got != 0) continue;
      if (got || !NotNow(got.error())) return Next::kDone;
      break;
    }
    const std::string& pattern = ChargenPattern();
    for (std::size_t moved = 0; moved < kTurn;) {
      const auto sent = Send(std::as_bytes(std::span(pattern).subspan(position_)));
      if (!sent) return NotNow(sent.error()) ? Next::kWait : Next::kDone;
      position_ = (position_ + *sent) % pattern.size();
      moved += *sent;
    }
    return Next::kAgain;
  }
  Next Finish() override { return Next::kDone; }

 private:
  std::size_t position_ = 0;
};

}  // namespace

Session::~Session() {
  if (!closed_) static_cast<void>(machine_.stack().Close(machine_.now(), socket_));
}

void Session::ShutdownWrite() {
  static_cast<void>(machine_.stack().Shutdown(machine_.now(), socket_, How::kWrite));
}

void Session::Abort() {
  static_cast<void>(machine_.stack().Abort(machine_.now(), socket_));
  closed_ = true;
}

std::span<std::byte> Session::Scratch() {
  thread_local std::array<std::byte, 65536> scratch;
  return scratch;
}

std::unique_ptr<Session> MakeEcho(Machine& machine, SocketId socket) {
  return std::make_unique<Echo>(machine, socket);
}
std::unique_ptr<Session> MakeDiscard(Machine& machine, SocketId socket) {
  return std::make_unique<Discard>(machine, socket);
}
std::unique_ptr<Session> MakeChargen(Machine& machine, SocketId socket) {
  return std::make_unique<Chargen>(machine, socket);
}

}  // namespace estab::cli
