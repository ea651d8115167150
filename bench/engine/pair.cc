#include "engine/pair.h"

#include <algorithm>
#include <random>

namespace bench_engine {
namespace {

constexpr std::uint32_t kClientAddress = 0xC6336401;  // 198.51.100.1

estab::StackConfig ConfigOf(Host& host, std::uint8_t secret, estab::Shard shard) {
  estab::StackConfig config;
  config.secret.fill(secret);
  config.shard = shard;
  config.allocator = &host.allocator;
  config.observer = host.journal ? &*host.journal : nullptr;
  return config;
}

void Set(estab::Stack& stack, const char* name, const char* value) {
  Must(stack.SetSetting(name, value), name);
}

}  // namespace

void Fail(const char* what, estab::Error error) {
  std::fprintf(stderr, "bench_engine: %s: %s\n", what, estab::Describe(error));
  std::exit(1);
}

Host::Host(std::uint8_t secret, const Options& options, estab::Shard shard)
    : journal(options.journal ? std::optional<estab::observe::Journal>(std::in_place)
                              : std::nullopt),
      stack(Must(estab::Stack::Create(ConfigOf(*this, secret, shard)), "stack")),
      out(options.offloads) {}

Pair::Pair(const Options& options, std::uint64_t listeners)
    : batch_(options.batch),
      client_(1, options),
      server_(2, options,
              {.index = options.shard, .count = std::max<std::uint16_t>(options.shards, 1)}) {
  for (estab::Stack* stack : {&client(), &server()}) {
    Must(stack->AddLink({1500}), "link");
    Set(*stack, "estab.mem_limit", "0");
    Set(*stack, "net.ipv4.tcp_max_tw_buckets", "100000000");
    Set(*stack, "net.ipv4.tcp_max_syn_backlog", "1000000");
    Set(*stack, "net.ipv4.ip_local_port_range", "1024 65535");
  }
  Must(client().AddAddress(0, {estab::IpAddress::V4(kClientAddress), 24}), "address");
  Must(client().AddRoute(0, {estab::IpAddress::V4(kServerAddress), 32}, nullptr), "route");
  Must(server().AddAddress(0, {estab::IpAddress::V4(kServerAddress), 24}), "address");
  Must(server().AddRoute(0, {estab::IpAddress::V4(kClientAddress), 32}, nullptr), "route");
  listeners_.reserve(listeners);
  for (std::uint64_t i = 0; i < listeners; ++i) {
    listeners_.push_back(Must(server().Open(false), "socket"));
    Must(server().Bind(listeners_.back(), Server(i)), "bind");
    Must(server().Listen(now_, listeners_.back(), 4096), "listen");
  }
  if (options.shards != 0) ChoosePorts(options.shard);
}

// For the first listener.
void Pair::ChoosePorts(std::uint16_t shard) {
  for (std::uint32_t port = kFirstPort; port <= 65535; ++port) {
    const estab::Endpoint client{estab::IpAddress::V4(kClientAddress),
                                 static_cast<std::uint16_t>(port)};
    if (server().ShardOf({Server(0), client}) == shard) ports_.push_back(client.port);
  }
}

estab::SocketId Pair::NewClient() {
  const estab::SocketId socket = Must(client().Open(false), "socket");
  if (!ports_.empty()) {
    const std::uint16_t port = ports_[next_port_++ % ports_.size()];
    Must(client().Bind(socket, {estab::IpAddress::V4(kClientAddress), port}), "bind");
  }
  return socket;
}

estab::SocketId Pair::Connect(std::uint64_t listener) {
  const estab::SocketId socket = NewClient();
  const auto result = client().Connect(now_, socket, Server(listener));
  if (!result && result.error() != estab::Error::kInProgress) Fail("connect", result.error());
  return socket;
}

std::size_t Pair::Move(Host& from, estab::Stack& to) {
  from.stack.Transmit(now_, from.out);
  std::span<const estab::RxPacket> rest = from.out.packets();
  const std::size_t count = rest.size();
  while (!rest.empty()) {
    const std::size_t n = std::min(batch_, rest.size());
    to.Receive(now_, rest.first(n));
    rest = rest.subspan(n);
  }
  from.out.Clear();
  packets_ += count;
  return count;
}

std::size_t Pair::Lose(Host& from) {
  std::size_t lost = 0;
  std::size_t n = 0;
  do {
    n = from.stack.Transmit(now_, from.out);
    from.out.Clear();
    lost += n;
  } while (n != 0);
  return lost;
}

std::size_t Pair::LoseToServer() { return Lose(client_); }
std::size_t Pair::LoseToClient() { return Lose(server_); }

std::vector<Open> OpenMany(Pair& pair, std::uint64_t count) {
  std::vector<Open> open;
  open.reserve(count);
  while (open.size() < count) {
    const std::uint64_t listener = open.size() / Pair::kPerListener;
    const std::uint64_t room = std::min(count, (listener + 1) * Pair::kPerListener) - open.size();
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(room, Wire::kPackets));
    std::array<estab::SocketId, Wire::kPackets> clients;
    for (std::size_t i = 0; i < n; ++i) clients[i] = pair.Connect(listener);
    pair.Settle();
    for (std::size_t i = 0; i < n; ++i) {
      open.push_back(
          {clients[i], Must(pair.server().Accept(pair.now(), pair.listener(listener)), "accept")});
    }
  }
  // The same order every time: a benchmark wants no chance.
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed)
  std::shuffle(open.begin(), open.end(), random);
  return open;
}

}  // namespace bench_engine
