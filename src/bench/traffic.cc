#include "bench/traffic.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using sim::Side;

constexpr std::uint16_t kPort = 9;  // discard
constexpr std::uint16_t kFirstClientPort = 20'000;
constexpr std::size_t kBlock = 65536;
// So much lies ready in a sender beyond what is in flight: plenty, and memory stays bounded.
constexpr std::uint32_t kUnsent = 4 * kBlock;

void* UserOf(std::size_t i) { return reinterpret_cast<void*>(i + 1); }
std::size_t FlowOf(void* user) { return reinterpret_cast<std::size_t>(user) - 1; }

}  // namespace

Traffic::Traffic(sim::World& world, std::vector<FlowPlan> plans)
    : world_(world), plans_(std::move(plans)), flows_(plans_.size()), block_(kBlock) {
  Listen();
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    world_.At(plans_[i].start, [this, i] { Connect(i); });
  }
  world_.SetStepHook([this] { Poll(); });
}

Traffic::~Traffic() { world_.SetStepHook({}); }

void Traffic::Fail(std::size_t i, const char* what, Error error) {
  flows_[i].error = error;
  if (failure_.empty()) failure_ = fmt::format("flow {}: {}: {}", i, what, Describe(error));
}

void Traffic::Listen() {
  Stack& stack = world_.b().stack();
  const auto socket = stack.Open(false);
  ESTAB_CHECK(socket.has_value());
  listener_ = *socket;
  ESTAB_CHECK(stack.Bind(listener_, {world_.b().address(), kPort}).has_value());
  ESTAB_CHECK(stack.Listen(world_.now(), listener_, 4096).has_value());
}

void Traffic::Connect(std::size_t i) {
  Stack& stack = world_.a().stack();
  const auto socket = stack.Open(false);
  if (!socket) return Fail(i, "open", socket.error());
  SocketOptions options;
  options.unsent_low_water = kUnsent;
  ESTAB_CHECK(stack.SetOptions(world_.now(), *socket, options).has_value());
  const auto port = static_cast<std::uint16_t>(kFirstClientPort + i);
  ESTAB_CHECK(stack.Bind(*socket, {world_.a().address(), port}).has_value());
  ESTAB_CHECK(stack.SetUser(*socket, UserOf(i)).has_value());
  flows_[i].sender = *socket;
  const auto done = stack.Connect(world_.now(), *socket, {world_.b().address(), kPort});
  if (!done && done.error() != Error::kInProgress) Fail(i, "connect", done.error());
}

void Traffic::Poll() {
  for (const Side side : {Side::kA, Side::kB}) {
    std::array<ReadyEvent, 16> events;
    std::size_t count = events.size();
    while (count == events.size()) {
      count = world_.host(side).stack().DrainReady(events);
      for (const ReadyEvent& event : std::span(events).first(count)) OnReady(side, event);
    }
  }
}

void Traffic::OnReady(Side side, const ReadyEvent& event) {
  if (side == Side::kB && event.socket == listener_) return AcceptAll();
  if (event.user == nullptr) return;
  if (side == Side::kA) {
    Write(FlowOf(event.user));
  } else {
    Read(FlowOf(event.user));
  }
}

void Traffic::AcceptAll() {
  Stack& stack = world_.b().stack();
  while (const auto socket = stack.Accept(world_.now(), listener_)) {
    const auto tuple = stack.GetTuple(*socket);
    ESTAB_CHECK(tuple.has_value());
    const std::size_t i = tuple->remote.port - std::size_t{kFirstClientPort};
    ESTAB_CHECK(i < flows_.size());
    flows_[i].receiver = *socket;
    ESTAB_CHECK(stack.SetUser(*socket, UserOf(i)).has_value());
    Read(i);
  }
}

void Traffic::Write(std::size_t i) {
  FlowState& flow = flows_[i];
  Stack& stack = world_.a().stack();
  while (flow.sender && flow.sent < plans_[i].bytes) {
    const auto ready = stack.GetReadiness(*flow.sender);
    if (!ready || (*ready & kWritable) == 0) return;
    const auto most = std::min<std::uint64_t>(plans_[i].bytes - flow.sent, block_.size());
    const auto sent = stack.Send(world_.now(), *flow.sender, std::span(block_).first(most));
    if (!sent && sent.error() == Error::kWouldBlock) return;
    if (!sent) return Fail(i, "send", sent.error());
    flow.sent += *sent;
  }
  if (!flow.sender) return;
  static_cast<void>(stack.Close(world_.now(), *flow.sender));
  flow.sender.reset();
}

void Traffic::Read(std::size_t i) {
  FlowState& flow = flows_[i];
  Stack& stack = world_.b().stack();
  while (flow.receiver) {
    const auto read = stack.Read(world_.now(), *flow.receiver, block_);
    if (!read && read.error() == Error::kWouldBlock) return;
    if (!read) Fail(i, "read", read.error());
    if (!read || *read == 0) {
      static_cast<void>(stack.Close(world_.now(), *flow.receiver));
      flow.receiver.reset();
      return;
    }
    flow.delivered += *read;
    delivered_ += *read;
    if (flow.delivered < plans_[i].bytes || flow.completed) continue;
    flow.completed = world_.now();
    ++completed_;
  }
}

std::optional<ConnectionInfo> Traffic::SenderInfo(std::size_t i) const {
  if (!flows_[i].sender) return std::nullopt;
  const auto info = world_.a().stack().GetInfo(world_.now(), *flows_[i].sender);
  if (!info) return std::nullopt;
  return *info;
}

std::vector<std::pair<std::string, std::string>> BufferSettings(std::uint64_t bytes) {
  const std::string triple = fmt::format("4096 {} {}", bytes, bytes);
  return {{"net.ipv4.tcp_rmem", triple}, {"net.ipv4.tcp_wmem", triple}, {"estab.mem_limit", "0"}};
}

}  // namespace estab::bench
