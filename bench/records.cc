// What a connection costs: bytes of each record, memory of many idle connections, and the time that
// a short connection takes, both ends together.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "estab/stack.h"
#include "stack/socket.h"

namespace {

using estab::Endpoint;
using estab::IpAddress;
using estab::Result;
using estab::SocketId;
using estab::Stack;
using estab::StackCounters;
using estab::Time;

constexpr Endpoint kServer{IpAddress::V4(0xC0000202), 7};

template <class T>
T Must(Result<T> result, const char* what) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "bench_records: %s: %s\n", what, estab::Describe(result.error()));
  std::exit(1);
}

// A wire that keeps what is sent until the other stack receives it.
class Wire final : public estab::PacketSink {
 public:
  estab::SinkCapabilities Capabilities(estab::LinkId) const override { return {}; }
  estab::SinkResult Send(const estab::TxPacket& packet) override {
    if (sizes_.size() == kMost) return estab::SinkResult::kBusy;
    bytes_.insert(bytes_.end(), packet.header.begin(), packet.header.end());
    for (const estab::Slice& slice : packet.payload) {
      bytes_.insert(bytes_.end(), slice.data, slice.data + slice.size);
    }
    sizes_.push_back(packet.size());
    return estab::SinkResult::kSent;
  }
  // Returns false if there was nothing.
  bool DeliverTo(Stack& stack, Time now) {
    std::array<estab::RxPacket, kMost> packets;
    std::size_t offset = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      packets[i].data = std::span(bytes_).subspan(offset, sizes_[i]);
      offset += sizes_[i];
    }
    const std::size_t count = sizes_.size();
    stack.Receive(now, std::span(packets).first(count));
    bytes_.clear();
    sizes_.clear();
    return count != 0;
  }

 private:
  static constexpr std::size_t kMost = 64;
  std::vector<std::byte> bytes_;
  std::vector<std::size_t> sizes_;
};

// Two hosts on one wire, without delay.
class Pair {
 public:
  explicit Pair(std::uint32_t client_addresses)
      : client_(Must(Stack::Create({}), "client")), server_(Must(Stack::Create({}), "server")) {
    for (Stack* stack : {&client_, &server_}) Must(stack->AddLink({1500}), "link");
    for (std::uint32_t i = 0; i < client_addresses; ++i) {
      Require(client_.AddAddress(0, {IpAddress::V4(0xC6336401 + i), 24}), "address");
    }
    Require(client_.AddRoute(0, {kServer.address, 32}, nullptr), "route");
    Require(server_.AddAddress(0, {kServer.address, 24}), "address");
    Require(server_.AddRoute(0, {IpAddress::V4(0xC6336400), 24}, nullptr), "route");
    listener_ = Must(server_.Open(false), "socket");
    Require(server_.Bind(listener_, kServer), "bind");
    Require(server_.Listen(now_, listener_, 4096), "listen");
  }

  Stack& client() { return client_; }
  Stack& server() { return server_; }
  Time now() const { return now_; }
  void Pass(estab::Duration time) { now_ += time; }
  void FireTimers() {
    client_.Advance(now_);
    server_.Advance(now_);
    Settle();
  }

  // Until both are silent.
  void Settle() {
    bool moved = true;
    while (moved) {
      client_.Transmit(now_, wire_);
      moved = wire_.DeliverTo(server_, now_);
      server_.Transmit(now_, wire_);
      moved = wire_.DeliverTo(client_, now_) || moved;
    }
    std::array<estab::ReadyEvent, 64> events;
    for (Stack* stack : {&client_, &server_}) {
      while (stack->DrainReady(events) == events.size()) {
      }
    }
  }

  struct Connection {
    SocketId client;
    SocketId server;
  };
  Connection Open() {
    const SocketId socket = Must(client_.Open(false), "socket");
    static_cast<void>(client_.Connect(now_, socket, kServer));
    Settle();
    return {socket, Must(server_.Accept(now_, listener_), "accept")};
  }
  void SendByte(Stack& from, SocketId a, Stack& to, SocketId b) {
    std::array<std::byte, 1> byte{};
    Must(from.Send(now_, a, byte), "send");
    Settle();
    Must(to.Read(now_, b, byte), "read");
  }
  void Exchange(const Connection& c) {
    SendByte(client_, c.client, server_, c.server);
    SendByte(server_, c.server, client_, c.client);
  }
  void Close(const Connection& c) {
    Require(client_.Close(now_, c.client), "close");
    Settle();
    Require(server_.Close(now_, c.server), "close");
    Settle();
  }

 private:
  static void Require(const Result<void>& result, const char* what) {
    if (result) return;
    std::fprintf(stderr, "bench_records: %s: %s\n", what, estab::Describe(result.error()));
    std::exit(1);
  }
  Stack client_;
  Stack server_;
  Wire wire_;
  SocketId listener_;
  Time now_{std::chrono::seconds(1)};
};

void PrintSizes() {
  std::printf("record sizes, bytes\n");
  std::printf("  idle connection             %4zu\n", sizeof(estab::stack::Socket));
  std::printf("  half-open connection        %4zu\n", sizeof(estab::stack::HalfOpenRecord));
  std::printf("  TIME_WAIT, IPv4             %4zu\n", sizeof(estab::stack::TimeWait4));
  std::printf("  TIME_WAIT, IPv6             %4zu\n", sizeof(estab::stack::TimeWait6));
}

void PrintIdleMemory(int count) {
  Pair pair(4);
  const std::uint64_t before[2] = {pair.client().Counters().memory,
                                   pair.server().Counters().memory};
  for (int i = 0; i < count; ++i) pair.Exchange(pair.Open());
  pair.Pass(std::chrono::seconds(1));
  pair.FireTimers();
  const StackCounters counters[2] = {pair.client().Counters(), pair.server().Counters()};
  std::printf("\nmemory of %d idle connections that have carried a byte each way\n", count);
  const char* const names[2] = {"client", "server"};
  for (int i = 0; i < 2; ++i) {
    const double each = static_cast<double>(counters[i].memory - before[i]) / count;
    std::printf(
        "  %s, bytes per connection: %.1f taken from the allocator (tables and kept "
        "chunks included), %.1f in use; payload chunks: %llu\n",
        names[i], each, static_cast<double>(counters[i].memory_in_use) / count,
        static_cast<unsigned long long>(counters[i].payload_chunks));
  }
}

void PrintShortConnections(int count) {
  Pair pair(4);
  std::uint64_t packets = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const Pair::Connection c = pair.Open();
    pair.Exchange(c);
    pair.Close(c);
    // 2MSL later every port is free again.
    pair.Pass(std::chrono::milliseconds(10));
    pair.FireTimers();
  }
  const auto took = std::chrono::steady_clock::now() - start;
  packets = pair.client().Counters().packets_out + pair.server().Counters().packets_out;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
  std::printf("\nconnect, a byte each way, close; both ends, in memory, %d times\n", count);
  std::printf("  %lld ns each (%.1f packets); %u connections left in TIME_WAIT\n",
              static_cast<long long>(ns / count), static_cast<double>(packets) / count,
              pair.client().Counters().time_wait);
}

}  // namespace

int main() {
  PrintSizes();
  PrintIdleMemory(10'000);
  PrintShortConnections(50'000);
}
