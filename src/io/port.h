// A device and what is needed between it and a stack: the Ethernet layer, where there are frames.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "base/siphash.h"
#include "estab/stack.h"
#include "io/device.h"
#include "stack/ethernet.h"

namespace estab::io {

/// One link of a stack. Not thread-safe.
class Port final : private stack::FrameSink {
 public:
  /// Randomness for the Ethernet layer comes from the system.
  explicit Port(std::unique_ptr<Device> device);
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  Device& device() { return *device_; }
  const Device& device() const { return *device_; }
  /// nullptr where there are no frames.
  const stack::Ethernet* ethernet() const { return ethernet_.get(); }

  /// Besides those of the stack.
  void AddAddress(const Prefix& prefix);
  void AddRoute(const Prefix& destination, const IpAddress* via);

  /// One batch of what has come; without the headers of frames, if there are any. Answers that the
  /// Ethernet layer owes leave at once. Valid until the next call.
  std::span<const RxPacket> Read(Time now, LinkId link);
  /// Sends a packet of the stack's. It may wait for Flush.
  SinkResult Send(Time now, const TxPacket& packet);
  /// To be called when nothing more is to be sent for now.
  void Flush() { device_->Flush(); }
  /// When Advance has something to do.
  Time NextDeadline() const { return ethernet_ ? ethernet_->NextDeadline() : kNever; }
  /// Asks neighbours again, and tells `stack` of those that do not answer.
  void Advance(Time now, LinkId link, Stack& stack);

 private:
  SinkResult SendFrame(std::span<const std::byte> frame_header, const TxPacket& packet) override;
  void TransmitOwn();

  std::unique_ptr<Device> device_;
  std::unique_ptr<stack::Ethernet> ethernet_;
  std::array<RxPacket, Device::kBatch> packets_{};
};

}  // namespace estab::io
