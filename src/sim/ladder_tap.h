// Tells a ladder what the path did with each segment.
#pragma once

#include "observe/ladder_builder.h"
#include "sim/world.h"

namespace estab::sim {

/// Reports every segment of a world to a LadderBuilder. Both must outlive it.
class LadderTap : public Tap {
 public:
  explicit LadderTap(observe::LadderBuilder& builder) : builder_(builder) {}
  void OnPacket(const PacketReport& report) override;

 private:
  void OnRouter(const PacketReport& report);

  observe::LadderBuilder& builder_;
};

}  // namespace estab::sim
