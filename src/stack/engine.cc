#include "stack/engine.h"

#include <cstring>

#include "base/check.h"

namespace estab {
namespace {

// Enough for millions of connections, and still a limit: estab.mem_limit.
constexpr std::uint64_t kDefaultMemoryLimit = std::uint64_t{4} << 30;

}  // namespace

Stack::Impl::Impl(const StackConfig& config, Allocator& from)
    : memory(from),
      allocator(&from),
      buffers(memory),
      options(memory),
      sockets(memory),
      half_open(memory),
      time_wait4(memory),
      time_wait6(memory),
      listeners(memory),
      groups(memory),
      loans(memory),
      borrowed(memory),
      index(memory),
      ports(memory),
      fast_open_cache(memory),
      paths(memory),
      replies(memory, buffers.chunks),
      looped(memory, buffers.chunks),
      fine(memory),
      fragments4(memory, buffers.chunks, wheel),
      fragments6(memory, buffers.chunks, wheel),
      shard(config.shard) {
  if (shard.count == 0) shard.count = 1;
  SetMemoryLimit(kDefaultMemoryLimit);
  Seed(config.secret);
  recorder.SetObserver(config.observer);
}

Stack::Impl::~Impl() {
  loans.ForEach([&](std::uint32_t, Loan& loan) {
    for (std::uint32_t i = 0; i < loan.count; ++i) buffers.chunks.Unref(loan.chunks[i]);
  });
  borrowed.ForEach([&](std::uint32_t, Borrowed& piece) { buffers.chunks.Unref(piece.chunk); });
  sockets.ForEach([&](std::uint32_t, Socket& socket) { buffers.Detach(socket); });
}

bool Stack::Impl::Begin() { return options.Begin(); }

void Stack::Impl::Seed(std::span<const std::uint8_t, 32> secret) {
  SipKey key;
  std::memcpy(key.data(), secret.data(), key.size());
  const auto derive = [&](std::uint8_t purpose, SipKey& out) {
    std::byte message[17];
    std::memcpy(message, secret.data() + 16, 16);
    for (std::uint8_t half = 0; half < 2; ++half) {
      message[16] = static_cast<std::byte>(purpose * 2 + half);
      const std::uint64_t h = SipHash24(key, message);
      std::memcpy(out.data() + half * 8, &h, 8);
    }
  };
  derive(1, keys.table);
  hasher.SetKey(keys.table);
  derive(2, keys.sequence);
  derive(3, keys.ports);
  derive(6, challenges.key);
  derive(4, keys.cookies);
  if (!fast_open_key_given) derive(5, fast_open_keys.keys[0]);
  derive(7, keys.fragments);
}

}  // namespace estab
