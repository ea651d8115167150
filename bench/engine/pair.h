// Two stacks on one wire in one thread, each with a journal, and the ways to drive them.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>

#include "engine/report.h"
#include "engine/wire.h"
#include "estab/large_pages.h"
#include "estab/stack.h"
#include "observe/journal.h"

namespace bench_engine {

/// What a measurement cannot go on after: prints one line and ends the process.
[[noreturn]] void Fail(const char* what, estab::Error error);

template <class T>
T Must(estab::Result<T> result, const char* what) {
  if (!result) Fail(what, result.error());
  return *std::move(result);
}
inline void Must(const estab::Result<void>& result, const char* what) {
  if (!result) Fail(what, result.error());
}

/// Counts how often a stack takes memory.
class CountingAllocator final : public estab::Allocator {
 public:
  void* Allocate(std::size_t bytes, std::size_t alignment) override {
    ++calls_;
    return estab::LargePageAllocator().Allocate(bytes, alignment);
  }
  void Free(void* memory, std::size_t bytes) override {
    estab::LargePageAllocator().Free(memory, bytes);
  }
  std::uint64_t calls() const { return calls_; }

 private:
  std::uint64_t calls_ = 0;
};

/// One end: a stack, its journal, and the packets that it has put on the wire.
struct Host {
  Host(std::uint8_t secret, const Options& options, estab::Shard shard = {});

  CountingAllocator allocator;
  std::optional<estab::observe::Journal> journal;
  estab::Stack stack;
  Wire out;
};

/// A client and a server, both with room for as many connections as the machine has memory for.
/// Time stands still but for Pass.
class Pair {
 public:
  /// The listeners of the server: ports kFirstPort and following.
  static constexpr std::uint16_t kFirstPort = 1024;
  static constexpr std::uint32_t kServerAddress = 0xC0000202;  // 192.0.2.2
  /// Connections that setups put between the client and one listener: of 64 512 ports.
  static constexpr std::uint64_t kPerListener = 40'000;

  Pair(const Options& options, std::uint64_t listeners);

  estab::Stack& client() { return client_.stack; }
  estab::Stack& server() { return server_.stack; }
  estab::Time now() const { return now_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t allocations() const {
    return client_.allocator.calls() + server_.allocator.calls();
  }
  estab::SocketId listener(std::uint64_t i) const { return listeners_[i]; }
  static estab::Endpoint Server(std::uint64_t listener) {
    return {estab::IpAddress::V4(kServerAddress),
            static_cast<std::uint16_t>(kFirstPort + listener)};
  }

  /// Receive gets so many packets at a time, at most.
  void set_batch(std::size_t batch) { batch_ = batch; }

  /// The wires are busy with so many packets.
  void set_room(std::size_t packets) {
    client_.out.set_room(packets);
    server_.out.set_room(packets);
  }

  /// A client's socket, with its port if it is to have a certain one.
  estab::SocketId NewClient();
  /// The same on its way to a listener.
  estab::SocketId Connect(std::uint64_t listener);

  /// Lets time pass and what is due happen, nothing else.
  void Pass(estab::Duration time) {
    now_ += time;
    client().Advance(now_);
    server().Advance(now_);
  }

  /// What one end has to send goes to the other. The number of packets.
  std::size_t ToServer() { return Move(client_, server()); }
  std::size_t ToClient() { return Move(server_, client()); }
  /// What the client has to send is lost. The number of packets.
  std::size_t LoseToServer();
  std::size_t LoseToClient();

  /// Moves packets and hands each event to `on_client` or `on_server` until all is quiet.
  template <class OnClient, class OnServer>
  void Run(const OnClient& on_client, const OnServer& on_server) {
    for (;;) {
      std::size_t moved = ToServer();
      Dispatch(server(), on_server);
      moved += ToClient();
      Dispatch(client(), on_client);
      if (moved == 0 && !client().WantsTransmit() && !server().WantsTransmit()) return;
    }
  }
  /// The same without anybody who looks at events.
  void Settle() {
    Run([](const estab::ReadyEvent&) {}, [](const estab::ReadyEvent&) {});
  }

  /// Hands the events of one of the two stacks to `on_event`.
  template <class OnEvent>
  void Dispatch(estab::Stack& stack, const OnEvent& on_event) {
    std::size_t n = 0;
    do {
      n = stack.DrainReady(events_);
      for (std::size_t i = 0; i < n; ++i) on_event(events_[i]);
    } while (n == events_.size());
  }

 private:
  void ChoosePorts(std::uint16_t shard);
  std::size_t Move(Host& from, estab::Stack& to);
  std::size_t Lose(Host& from);

  std::size_t batch_;
  Host client_;
  Host server_;
  std::vector<estab::SocketId> listeners_;
  std::vector<std::uint16_t> ports_;  // the client's to take in turn; none: any
  std::size_t next_port_ = 0;
  std::array<estab::ReadyEvent, Wire::kPackets> events_;
  estab::Time now_{std::chrono::seconds(1)};
  std::uint64_t packets_ = 0;
};

/// A connection that is open at both ends.
struct Open {
  estab::SocketId client;
  estab::SocketId server;
};

/// Opens `count` connections, kPerListener to each listener, and shuffles them (always alike), so
/// that a walk over them is a walk over memory without order.
std::vector<Open> OpenMany(Pair& pair, std::uint64_t count);
/// How many listeners that needs.
inline std::uint64_t ListenersFor(std::uint64_t connections) {
  return connections / Pair::kPerListener + 1;
}

}  // namespace bench_engine
