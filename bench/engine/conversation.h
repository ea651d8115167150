// Connections that come and go, and the programs at both ends of them.
#pragma once

#include <array>

#include "engine/pair.h"

namespace bench_engine {

/// The programs at both ends, driven by readiness.
class Conversation {
 public:
  Conversation(Pair& pair, bool data) : pair_(pair), data_(data) {}

  /// One connection to `listener`, from its opening to its end.
  void Run(std::uint64_t listener) {
    listener_ = pair_.listener(listener);
    client_ = pair_.Connect(listener);
    pair_.Run([this](const estab::ReadyEvent& e) { OnClient(e); },
              [this](const estab::ReadyEvent& e) { OnServer(e); });
    if (open_ != 0) Fail("a connection that did not end", estab::Error::kBusy);
  }

 private:
  void OnClient(const estab::ReadyEvent& e) {
    if (e.socket != client_) return;
    const bool opened = (e.raised & estab::kWritable) != 0;
    const bool answered = (e.raised & estab::kReadable) != 0;
    std::array<std::byte, 1> byte{};
    if (answered) Must(pair_.client().Read(pair_.now(), client_, byte), "read");
    if (answered || (opened && !data_)) {
      Must(pair_.client().Close(pair_.now(), client_), "close");
    } else if (opened) {
      Must(pair_.client().Send(pair_.now(), client_, byte), "send");
    }
  }

  void OnServer(const estab::ReadyEvent& e) {
    if (e.socket == listener_) {
      while (pair_.server().Accept(pair_.now(), listener_)) ++open_;
      return;
    }
    if ((e.readiness & estab::kReadable) == 0) return;
    std::array<std::byte, 1> byte{};
    for (;;) {
      const auto n = pair_.server().Read(pair_.now(), e.socket, byte);
      if (!n && n.error() == estab::Error::kWouldBlock) return;
      if (Must(n, "read") == 0) break;
      Must(pair_.server().Send(pair_.now(), e.socket, byte), "send");
    }
    Must(pair_.server().Close(pair_.now(), e.socket), "close");
    --open_;
  }

  Pair& pair_;
  bool data_;
  estab::SocketId client_;
  estab::SocketId listener_;
  int open_ = 0;
};

/// Connections one after the other to the first listener. Every 64 a jump over 2MSL: TIME_WAIT
/// begins and ends, and does not pile up.
inline void ConverseMany(Pair& pair, Conversation& conversation, std::uint64_t count) {
  for (std::uint64_t i = 1; i <= count; ++i) {
    conversation.Run(0);
    if (i % 64 == 0) pair.Pass(std::chrono::seconds(61));
  }
}

}  // namespace bench_engine
