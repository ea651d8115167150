// Keeps every packet of a world, and why it was sent and what became of it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "observe/capture.h"
#include "sim/world.h"

namespace estab::sim {

/// How often a rule has fired at one side.
struct FiredRule {
  Side side;
  RuleId rule;
  std::uint64_t count;
};

/// Attach it to a world as a tap, and Of(side) to each host as an observer. Counts rules always;
/// keeps packets, each with the rule that sent it and the one that it ended in, only if asked.
class CaptureTap : public Tap {
 public:
  static constexpr std::size_t kMostPackets = 100'000;  // later ones are not kept

  explicit CaptureTap(bool packets);

  Observer& Of(Side side) { return sides_[Index(side)]; }
  void OnPacket(const PacketReport& report) override;

  const std::vector<observe::CapturedPacket>& packets() const { return packets_; }
  /// In the order of the table of rules, A's before B's.
  std::vector<FiredRule> Fired() const;

 private:
  class SideObserver : public Observer {
   public:
    unsigned Interests() const override { return kTransitions | kVerdicts; }
    void OnRule(const RuleEvent& event) override { tap->OnRule(side, event); }
    CaptureTap* tap = nullptr;
    Side side = Side::kA;
  };
  // The rule that a side applied last, and when: the cause of what it sends at that moment.
  struct Latest {
    Time at{};
    const Rule* rule = nullptr;
  };
  // A packet on its way to a side.
  struct Travelling {
    Time at;
    SegmentSummary segment;
    std::size_t index;
  };

  void OnRule(Side side, const RuleEvent& event);

  bool keep_;
  std::array<SideObserver, 2> sides_;
  std::array<std::map<RuleId, std::uint64_t>, 2> fired_;
  std::array<Latest, 2> latest_;
  std::array<std::deque<Travelling>, 2> travelling_;
  std::vector<observe::CapturedPacket> packets_;
};

}  // namespace estab::sim
