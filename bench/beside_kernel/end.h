// One end of a transfer in real time: the kernel's TCP, or estab's.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "estab/time.h"

namespace beside_kernel {

using estab::Time;

enum class Role : std::uint8_t { kSender, kReceiver };

struct EndConfig {
  Role role = Role::kSender;
  std::string cc = "reno";
  std::uint64_t buffer = 16 << 20;  // bytes of tcp_rmem and tcp_wmem
  std::uint64_t seed = 1;
};

/// Sends, or receives, as fast as it may, once it has begun. Driven by whoever moves the packets:
/// one thread, no blocking.
class End {
 public:
  using PacketTaker = std::function<void(std::span<const std::byte>)>;
  virtual ~End() = default;
  /// Listens, or connects. The receiver begins first.
  virtual void Begin(Time now) = 0;
  /// Timers, and what the application can do now.
  virtual void Step(Time now) = 0;
  /// Hands over every packet that this end has sent.
  virtual void Collect(Time now, const PacketTaker& take) = 0;
  /// A packet has arrived.
  virtual void Deliver(Time now, std::span<const std::byte> packet) = 0;
  /// When it wants to be stepped, whatever its descriptors say.
  virtual Time NextDeadline() = 0;
  /// What to wait for.
  virtual void AddDescriptors(std::vector<pollfd>& fds) const = 0;
  /// Bytes that the application has read.
  virtual std::uint64_t received() const = 0;
  /// What went wrong; empty if nothing did.
  virtual std::string failure() const = 0;
};

using MadeEnd = std::expected<std::unique_ptr<End>, std::string>;
/// The kernel's TCP in a network namespace of its own, behind a TUN device. Needs the right to make
/// one: root, or a user namespace.
MadeEnd MakeKernelEnd(const EndConfig& config);
/// A stack of estab in this process.
MadeEnd MakeEstabEnd(const EndConfig& config);

}  // namespace beside_kernel
