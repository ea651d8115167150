// Two hosts, a path between them, and a clock that is advanced by nobody but us.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "estab/stack.h"
#include "observe/fanout.h"
#include "observe/ladder.h"
#include "sim/fault.h"
#include "sim/packet_view.h"
#include "sim/path.h"

namespace estab::sim {

using observe::Index;
using observe::Other;

/// What a host is made of.
struct HostConfig {
  std::vector<Prefix> addresses;  // empty: 192.0.2.1/24 and 2001:db8::1/64 for A, ...2 for B
  std::uint32_t mtu = 1500;
  /// Its link fills in checksums and cuts super-segments. The path sees no difference.
  bool offload = false;
  /// Settings by name, applied in order whenever the host starts.
  std::vector<std::pair<std::string, std::string>> settings;
};

struct WorldConfig {
  std::uint64_t seed = 1;          // of secrets and of chance on the path
  std::array<PathConfig, 2> path;  // by the side that sends
  std::array<HostConfig, 2> host;
  std::size_t most_in_flight = 4096;  // packets per direction; beyond it the link is busy
  bool hash = true;                   // keep the trace hash
};

/// Who made a packet.
enum class Author : std::uint8_t {
  kStack,     // the stack of the side that sends it
  kForged,    // a script, under that side's name: an attacker, or the past
  kScript,    // a script that plays the side, whose stack is gone
  kRouter,    // a router on the way, about what that side's peer has sent
  kImagined,  // nobody: it is delivered, but no tap is told
};

/// What became of one packet, told when it is sent. Valid during the call only.
struct PacketReport {
  Side from;
  Time sent;
  std::span<const std::byte> bytes;  // as sent, before any corruption
  const PacketView* view;            // nullptr if it is not TCP
  Fate fate;                         // losses, copies and when they arrive
  const Fault* fault;                // the fault that hit it, or nullptr
  Author author;
  bool injected() const { return author == Author::kForged; }
};

/// Is told about every packet.
class Tap {
 public:
  virtual void OnPacket(const PacketReport& report) = 0;

 protected:
  ~Tap() = default;
};

class World;

/// One host of a world: a stack that can die and come back.
class Host {
 public:
  Host(World& world, Side side, const HostConfig& config);

  Side side() const { return side_; }
  /// Whether it is running. Everything that needs its stack needs this.
  bool alive() const { return stack_.has_value(); }
  Stack& stack();
  LinkId link() const { return link_; }
  /// Its first address of that family; :: if it has none.
  IpAddress address(bool ipv6 = false) const;

  /// The stack is gone without a word: no segment, no goodbye. Packets to it vanish.
  void Crash();
  /// It starts anew, with nothing remembered and a new secret. Crashes first if it is alive.
  void Restart();
  /// Watches this host's stack, also after a restart. Must outlive the world or RemoveObserver.
  void AddObserver(Observer& observer);
  void RemoveObserver(Observer& observer);
  /// Sets a setting now and at every later start.
  Result<void> Set(std::string_view name, std::string_view value);
  /// The first setting of its configuration that the stack refused, as a sentence; empty if none.
  const std::string& setting_error() const { return setting_error_; }

 private:
  World& world_;
  Side side_;
  HostConfig config_;
  observe::Fanout observers_;
  std::optional<Stack> stack_;
  LinkId link_ = 0;
  std::uint32_t starts_ = 0;
  std::string setting_error_;
};

/// Why Run came back.
enum class RunEnd : std::uint8_t {
  kTime,  // the time asked for has come
  kIdle,  // nothing will ever happen any more
};

/// A virtual world of hosts A and B. Time goes from event to event: timers of the stacks, arrivals,
/// scheduled actions. At equal times timers go first (A's before B's), then the rest in the order
/// in which it was scheduled. After every event both stacks are drained into the path. The same
/// seed, configuration and actions give the same packets at the same times: see trace_hash.
class World {
 public:
  explicit World(const WorldConfig& config);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  Time now() const { return now_; }
  Host& host(Side side) { return hosts_[Index(side)]; }
  Host& a() { return host(Side::kA); }
  Host& b() { return host(Side::kB); }
  /// The path that packets of `from` take.
  Path& path(Side from) { return paths_[Index(from)]; }
  FaultSet& faults() { return faults_; }

  /// Calls `action` at `at` (now, if that has passed). Actions may call anything but Run.
  void At(Time at, std::function<void()> action);
  /// Called after every event, before the stacks are drained: for applications that react to
  /// readiness. One at a time; empty for none.
  void SetStepHook(std::function<void()> hook) { hook_ = std::move(hook); }
  /// A packet made by hand reaches `to` after `delay`, whatever the path is like.
  void Inject(Side to, std::span<const std::byte> packet, Duration delay = Duration::zero(),
              Author author = Author::kForged);
  /// Forgets every packet that is on its way.
  void DropInFlight();

  /// Runs until `until`, everything due then included; now() is `until` afterwards.
  RunEnd Run(Time until);
  /// Runs until nothing is left to happen, or until `limit`. now() is the time of the last event if
  /// it became idle.
  RunEnd RunUntilIdle(Time limit);

  void AddTap(Tap& tap) { taps_.push_back(&tap); }
  void RemoveTap(Tap& tap) { std::erase(taps_, &tap); }

  /// A hash over every packet sent (bytes, time, side, fate) and every rule that fired (time, side,
  /// connection, rule, states). Two runs with the same hash did the same.
  std::uint64_t trace_hash() const { return hash_; }
  std::uint64_t packets() const { return packets_; }
  std::uint64_t seed() const { return config_.seed; }
  std::size_t in_flight(Side from) const { return in_flight_[Index(from)]; }

 private:
  friend class Host;
  class Sink;
  class HashObserver : public Observer {
   public:
    unsigned Interests() const override { return kTransitions | kVerdicts; }
    void OnRule(const RuleEvent& event) override;
    World* world = nullptr;
    Side side = Side::kA;
  };

  enum class Kind : std::uint8_t { kPacket, kInjected, kAction };
  struct Event {
    Time at;
    std::uint64_t sequence;
    std::uint32_t index;  // of the packet or action
    Kind kind;
    Side to;
    static bool Later(const Event& a, const Event& b) {
      return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
  };

  void Push(Time at, Kind kind, std::uint32_t index, Side to);
  std::uint32_t NewPacket(std::span<const std::byte> bytes);
  void Drain();
  void SendOnPath(Side from, const TxPacket& packet);
  void SendSegment(Side from);
  void PushCopies(Side from, const Fate& fate);
  Fate Decide(Side from, const PacketView* view, std::span<const std::byte> packet,
              const Fault** cause);
  void Report(const PacketReport& report);
  Time NextTime();
  bool FireTimers();
  void TakeEvent();
  void Deliver(const Event& event);
  void Step(Time at);
  void Mix(std::span<const std::uint64_t> words, std::span<const std::byte> bytes = {});

  WorldConfig config_;
  Time now_{};
  std::uint64_t sequence_ = 0;
  std::uint64_t packets_ = 0;
  std::uint64_t hash_ = 0;
  std::uint64_t steps_at_now_ = 0;
  std::array<HashObserver, 2> hashers_;
  std::array<Path, 2> paths_;
  std::array<std::size_t, 2> in_flight_{};
  FaultSet faults_;
  std::vector<Event> heap_;
  std::vector<std::vector<std::byte>> pool_;  // packets on their way; memory is reused
  std::vector<std::uint32_t> free_packets_;
  std::vector<std::function<void()>> actions_;
  std::vector<std::uint32_t> free_actions_;
  std::vector<std::byte> scratch_;  // the segment that is being sent ...
  std::vector<std::byte> whole_;    // ... and the super-segment that it is cut from
  std::vector<Tap*> taps_;
  std::function<void()> hook_;
  std::array<Host, 2> hosts_;  // last: their stacks go first
};

}  // namespace estab::sim
