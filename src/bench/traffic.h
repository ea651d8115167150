// Applications of a simulated world that move bytes from host A to host B, as fast as they may.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.h"

namespace estab::bench {

/// One transfer.
struct FlowPlan {
  Time start{};
  std::uint64_t bytes = UINT64_MAX;  // then it closes in order
};

/// How a transfer stands.
struct FlowState {
  std::optional<SocketId> sender;
  std::optional<SocketId> receiver;
  std::uint64_t sent = 0;         // taken by A's socket
  std::uint64_t delivered = 0;    // read in order at B
  std::optional<Time> completed;  // when B read the last of `bytes`
  std::optional<Error> error;
};

/// Opens every flow at its time, writes whenever there is room and reads whatever has come. Takes
/// the world's step hook; must not outlive the world.
class Traffic {
 public:
  Traffic(sim::World& world, std::vector<FlowPlan> plans);
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;
  ~Traffic();

  std::size_t size() const { return flows_.size(); }
  const FlowState& flow(std::size_t i) const { return flows_[i]; }
  /// Bytes delivered of all flows.
  std::uint64_t delivered() const { return delivered_; }
  bool AllCompleted() const { return completed_ == flows_.size(); }
  /// The first thing that went wrong; empty if all is well.
  const std::string& failure() const { return failure_; }
  /// The sender's inner life; nullopt before it began and after it ended.
  std::optional<ConnectionInfo> SenderInfo(std::size_t i) const;

 private:
  void Listen();
  void Connect(std::size_t i);
  void Poll();
  void OnReady(sim::Side side, const ReadyEvent& event);
  void AcceptAll();
  void Write(std::size_t i);
  void Read(std::size_t i);
  void Fail(std::size_t i, const char* what, Error error);

  sim::World& world_;
  std::vector<FlowPlan> plans_;
  std::vector<FlowState> flows_;
  std::vector<std::byte> block_;
  SocketId listener_;
  std::uint64_t delivered_ = 0;
  std::size_t completed_ = 0;
  std::string failure_;
};

/// Settings that give every connection of a host buffers, and so windows, of `bytes`.
std::vector<std::pair<std::string, std::string>> BufferSettings(std::uint64_t bytes);

}  // namespace estab::bench
