#include "sim/world.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/prng.h"
#include "observe/format.h"
#include "sim/router.h"
#include "wire/super_segment.h"

namespace estab::sim {
namespace {

// What the setting `name` stands for.
std::string GistOf(const std::string& name) {
  std::pair<const std::string&, std::string> search{name, {}};
  Stack::ForEachSetting(
      [](void* context, const char* known, const char* gist) {
        auto& [wanted, found] = *static_cast<std::pair<const std::string&, std::string>*>(context);
        if (wanted == known) found = gist;
      },
      &search);
  return search.second;
}

// More events than this at one moment are an endless exchange, not a simulation.
constexpr std::uint64_t kMostStepsAtOnce = 10'000'000;

constexpr std::uint64_t kPathSalt = 0x70617468;
constexpr std::uint64_t kHostSalt = 0x686f7374;

std::uint64_t Derived(std::uint64_t seed, std::uint64_t salt, Side side, std::uint64_t n = 0) {
  Prng prng(seed ^ (salt << 24) ^ (n << 8) ^ (Index(side) + 1));
  return prng.Next();
}

HostConfig WithAddresses(HostConfig config, Side side) {
  if (!config.addresses.empty()) return config;
  const auto last = static_cast<std::uint8_t>(Index(side) + 1);
  config.addresses.push_back({IpAddress::V4(0xc0000200u + last), 24});
  IpAddress v6;
  v6.bytes = {0x20, 0x01, 0x0d, 0xb8};
  v6.bytes[15] = last;
  config.addresses.push_back({v6, 64});
  return config;
}

}  // namespace

// --- Host
// -----------------------------------------------------------------------------------------

Host::Host(World& world, Side side, const HostConfig& config)
    : world_(world), side_(side), config_(WithAddresses(config, side)) {}

Stack& Host::stack() {
  ESTAB_CHECK(stack_.has_value());
  return *stack_;
}

IpAddress Host::address(bool ipv6) const {
  for (const Prefix& prefix : config_.addresses) {
    if (prefix.address.is_v4() != ipv6) return prefix.address;
  }
  return IpAddress::AnyV6();
}

void Host::Crash() { stack_.reset(); }

void Host::Restart() {
  Crash();
  StackConfig config;
  Prng prng(Derived(world_.config_.seed, kHostSalt, side_, starts_++));
  for (std::uint8_t& byte : config.secret) byte = static_cast<std::uint8_t>(prng.Next());
  config.observer = &observers_;
  auto stack = Stack::Create(config);
  ESTAB_CHECK(stack.has_value());
  stack_.emplace(std::move(*stack));
  const auto link = stack_->AddLink({config_.mtu});
  ESTAB_CHECK(link.has_value());
  link_ = *link;
  for (const Prefix& prefix : config_.addresses) {
    ESTAB_CHECK(stack_->AddAddress(link_, prefix).has_value());
  }
  for (const auto& [name, value] : config_.settings) {
    const auto done = stack_->SetSetting(name, value);
    if (!done && setting_error_.empty()) {
      const char* why = done.error() == Error::kNotFound  ? "there is no such setting"
                        : done.error() == Error::kInvalid ? "not a value that it can have"
                                                          : Describe(done.error());
      setting_error_ = fmt::format("setting {}={}: {}", name, value, why);
      if (done.error() == Error::kInvalid) setting_error_ += fmt::format(" ({})", GistOf(name));
    }
  }
}

void Host::AddObserver(Observer& observer) {
  observers_.Add(observer);
  if (stack_) stack_->SetObserver(&observers_);
}

void Host::RemoveObserver(Observer& observer) {
  observers_.Remove(observer);
  if (stack_) stack_->SetObserver(&observers_);
}

Result<void> Host::Set(std::string_view name, std::string_view value) {
  if (stack_) {
    if (auto done = stack_->SetSetting(name, value); !done) return done;
  }
  config_.settings.emplace_back(name, value);
  return {};
}

// --- World
// ----------------------------------------------------------------------------------------

// Where a stack's packets go: copied into the path at once.
class World::Sink : public PacketSink {
 public:
  Sink(World& world, Side from) : world_(world), from_(from) {}
  SinkCapabilities Capabilities(LinkId) const override {
    if (!world_.config_.host[Index(from_)].offload) return {};
    return {.checksum = true, .max_size = 65535};
  }
  SinkResult Send(const TxPacket& packet) override {
    if (world_.in_flight(from_) >= world_.config_.most_in_flight) return SinkResult::kBusy;
    world_.SendOnPath(from_, packet);
    return SinkResult::kSent;
  }

 private:
  World& world_;
  Side from_;
};

World::World(const WorldConfig& config)
    : config_(config),
      paths_{Path(config.path[0], Derived(config.seed, kPathSalt, Side::kA)),
             Path(config.path[1], Derived(config.seed, kPathSalt, Side::kB))},
      hosts_{Host(*this, Side::kA, config.host[0]), Host(*this, Side::kB, config.host[1])} {
  for (const Side side : {Side::kA, Side::kB}) {
    hashers_[Index(side)].world = this;
    hashers_[Index(side)].side = side;
    if (config_.hash) host(side).AddObserver(hashers_[Index(side)]);
    host(side).Restart();
  }
}

World::~World() = default;

void World::HashObserver::OnRule(const RuleEvent& event) {
  const std::uint64_t what =
      (std::uint64_t{event.number} << 32) | (static_cast<std::uint64_t>(event.rule) << 16) |
      (static_cast<std::uint64_t>(event.from) << 8) | static_cast<std::uint64_t>(event.to);
  const std::uint64_t words[] = {static_cast<std::uint64_t>(event.at.time_since_epoch().count()),
                                 what, Index(side)};
  world->Mix(words);
}

// The hash so far is half of the key for what comes next.
void World::Mix(std::span<const std::uint64_t> words, std::span<const std::byte> bytes) {
  std::array<std::byte, 64> head;
  std::size_t n = 0;
  for (const std::uint64_t word : words) {
    for (unsigned i = 0; i < 64; i += 8) head[n++] = static_cast<std::byte>(word >> i);
  }
  for (const std::span<const std::byte> part : {std::span<const std::byte>(head).first(n), bytes}) {
    if (part.empty()) continue;
    SipKey key{'e', 's', 't', 'a', 'b', 't', 'r', 'c'};
    for (unsigned i = 0; i < 8; ++i) key[8 + i] = static_cast<std::uint8_t>(hash_ >> (8 * i));
    hash_ = SipHash13(key, part);
  }
}

void World::Push(Time at, Kind kind, std::uint32_t index, Side to) {
  heap_.push_back({std::max(at, now_), sequence_++, index, kind, to});
  std::push_heap(heap_.begin(), heap_.end(), Event::Later);
}

void World::At(Time at, std::function<void()> action) {
  std::uint32_t index;
  if (free_actions_.empty()) {
    index = static_cast<std::uint32_t>(actions_.size());
    actions_.push_back(std::move(action));
  } else {
    index = free_actions_.back();
    free_actions_.pop_back();
    actions_[index] = std::move(action);
  }
  Push(at, Kind::kAction, index, Side::kA);
}

std::uint32_t World::NewPacket(std::span<const std::byte> bytes) {
  if (free_packets_.empty()) {
    pool_.emplace_back(bytes.begin(), bytes.end());
    return static_cast<std::uint32_t>(pool_.size() - 1);
  }
  const std::uint32_t index = free_packets_.back();
  free_packets_.pop_back();
  pool_[index].assign(bytes.begin(), bytes.end());
  return index;
}

void World::Report(const PacketReport& report) {
  ++packets_;
  if (config_.hash) {
    std::uint64_t fate =
        static_cast<std::uint64_t>(report.fate.loss) | (std::uint64_t{report.fate.copies} << 8) |
        (std::uint64_t{report.fate.corrupt} << 16) | (std::uint64_t{report.injected()} << 17) |
        (Index(report.from) << 18) | (std::uint64_t{report.fate.marked} << 19);
    const auto arrival = report.fate.copies == 0 ? report.sent : report.fate.at[0];
    const std::uint64_t words[] = {
        static_cast<std::uint64_t>(report.sent.time_since_epoch().count()),
        static_cast<std::uint64_t>(arrival.time_since_epoch().count()), fate};
    Mix(words, report.bytes);
  }
  for (Tap* tap : taps_) tap->OnPacket(report);
}

Fate World::Decide(Side from, const PacketView* view, std::span<const std::byte> packet,
                   const Fault** cause) {
  FaultEffect effect;
  if (view != nullptr && !faults_.empty()) effect = faults_.Apply(from, *view);
  *cause = effect.cause;
  Fate fate;
  if (effect.drop) {
    fate.loss = Loss::kFault;
    return fate;
  }
  if (!FitsPath(path(from).config(), packet)) {
    fate.loss = Loss::kTooBig;
    return fate;
  }
  const bool capable = IsEcnCapable(packet);
  const std::uint32_t mtu = path(from).config().mtu;
  fate = path(from).Offer(now_, packet.size(), capable);
  if (fate.copies == 0) return fate;
  fate.fragmented = mtu != 0 && packet.size() > mtu;
  for (std::uint8_t i = 0; i < fate.copies; ++i) fate.at[i] += effect.delay;
  for (std::uint8_t i = 0; i < effect.copies; ++i) fate.AddCopy(fate.at[0]);
  fate.corrupt = fate.corrupt || effect.corrupt;
  fate.marked = fate.marked || (effect.mark && capable);
  return fate;
}

void World::SendOnPath(Side from, const TxPacket& packet) {
  std::vector<std::byte>& bytes = packet.checksum_start == 0 ? scratch_ : whole_;
  bytes.assign(packet.header.begin(), packet.header.end());
  for (const Slice& slice : packet.payload) {
    bytes.insert(bytes.end(), slice.data, slice.data + slice.size);
  }
  if (packet.checksum_start == 0) return SendSegment(from);
  for (wire::SuperSegmentCutter cutter(whole_, packet.gso_size); !cutter.done();) {
    scratch_.resize(whole_.size());
    scratch_.resize(cutter.Next(scratch_));
    SendSegment(from);
  }
}

// What is in `scratch_` goes on its way.
void World::SendSegment(Side from) {
  // Nobody looks into packets unless somebody asks.
  std::optional<PacketView> view;
  if (!taps_.empty() || !faults_.empty()) view = ViewPacket(scratch_);
  const PacketView* seen = view ? &*view : nullptr;
  const Fault* cause = nullptr;
  const Fate fate = Decide(from, seen, scratch_, &cause);
  Report({from, now_, scratch_, seen, fate, cause, Author::kStack});
  if (fate.marked) MarkCongestion(scratch_);
  if (fate.corrupt) path(from).Corrupt(scratch_);
  if (fate.loss == Loss::kTooBig) {
    const auto message = TooBigMessage(path(from).config(), scratch_);
    const Duration way = path(from).config().delay / 2 + path(Other(from)).config().delay / 2;
    if (!message.empty()) Inject(from, message, way, Author::kRouter);
  }
  PushCopies(from, fate);
}

// What is in `scratch_` arrives, in fragments if the path needs that.
void World::PushCopies(Side from, const Fate& fate) {
  for (std::uint8_t i = 0; i < fate.copies; ++i) {
    const auto push = [&](std::span<const std::byte> bytes) {
      ++in_flight_[Index(from)];
      Push(fate.at[i], Kind::kPacket, NewPacket(bytes), Other(from));
    };
    if (!fate.fragmented) {
      push(scratch_);
      continue;
    }
    for (const auto& part : FragmentsOf(path(from).config(), scratch_)) push(part);
  }
}

void World::Inject(Side to, std::span<const std::byte> packet, Duration delay, Author author) {
  const auto view = ViewPacket(packet);
  Fate fate;
  fate.AddCopy(now_ + delay);
  if (author != Author::kImagined) {
    Report({Other(to), now_, packet, view ? &*view : nullptr, fate, nullptr, author});
  }
  Push(fate.at[0], Kind::kInjected, NewPacket(packet), to);
}

void World::DropInFlight() {
  std::erase_if(heap_, [this](const Event& event) {
    if (event.kind == Kind::kAction) return false;
    free_packets_.push_back(event.index);
    return true;
  });
  std::make_heap(heap_.begin(), heap_.end(), Event::Later);
  in_flight_ = {};
}

void World::Drain() {
  for (const Side side : {Side::kA, Side::kB}) {
    Host& h = host(side);
    if (!h.alive() || !h.stack().WantsTransmit()) continue;
    Sink sink(*this, side);
    h.stack().Transmit(now_, sink);
  }
}

Time World::NextTime() {
  Time next = heap_.empty() ? kNever : heap_.front().at;
  for (Host& h : hosts_) {
    if (h.alive()) next = std::min(next, h.stack().NextDeadline());
  }
  return next;
}

bool World::FireTimers() {
  bool fired = false;
  for (Host& h : hosts_) {
    if (!h.alive() || h.stack().NextDeadline() > now_) continue;
    h.stack().Advance(now_);
    fired = true;
  }
  return fired;
}

void World::Deliver(const Event& event) {
  if (event.kind == Kind::kPacket) --in_flight_[Index(Other(event.to))];
  Host& h = host(event.to);
  if (h.alive()) {
    RxPacket packet;
    packet.data = pool_[event.index];
    packet.link = h.link();
    h.stack().Receive(now_, std::span<const RxPacket>(&packet, 1));
  }
  free_packets_.push_back(event.index);
}

void World::TakeEvent() {
  if (heap_.empty() || heap_.front().at > now_) return;
  std::pop_heap(heap_.begin(), heap_.end(), Event::Later);
  const Event event = heap_.back();
  heap_.pop_back();
  if (event.kind != Kind::kAction) {
    Deliver(event);
    return;
  }
  const std::function<void()> action = std::move(actions_[event.index]);
  actions_[event.index] = nullptr;
  free_actions_.push_back(event.index);
  action();
}

void World::Step(Time at) {
  steps_at_now_ = at > now_ ? 0 : steps_at_now_ + 1;
  ESTAB_CHECK(steps_at_now_ < kMostStepsAtOnce);
  now_ = std::max(now_, at);
  if (!FireTimers()) TakeEvent();
  if (hook_) hook_();
  Drain();
}

RunEnd World::Run(Time until) {
  const RunEnd end = RunUntilIdle(until);
  now_ = std::max(now_, until);
  return end;
}

RunEnd World::RunUntilIdle(Time limit) {
  // What was called between two runs has left something to send, and readiness to look at.
  if (hook_) hook_();
  Drain();
  while (true) {
    const Time next = NextTime();
    if (next == kNever) return RunEnd::kIdle;
    if (next > limit) return RunEnd::kTime;
    Step(next);
  }
}

}  // namespace estab::sim
