// A host to which scripts can be done: the kernel of this machine, or estab.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "oracle/packet.h"
#include "oracle/script.h"

namespace oracle {

/// The calls are those of sockets; all sockets are non-blocking, and failure is -errno.
class World {
 public:
  virtual ~World() = default;

  /// What left the host, and when.
  using Sink = std::function<void(Micros, std::span<const std::uint8_t>)>;

  /// Begins a run: time 0, a host address that no earlier run had.
  virtual void Begin(bool ipv6) = 0;
  /// Ends a run: settings are as they were before it.
  virtual void End() = 0;
  virtual Address HostAddress() const = 0;
  virtual Micros Now() = 0;
  /// Lets time pass until `until` and gives every packet that leaves to `sink`.
  virtual void RunUntil(Micros until, const Sink& sink) = 0;
  virtual void Inject(std::span<const std::uint8_t> packet) = 0;
  virtual int Set(const std::string& name, const std::string& value) = 0;

  virtual int Socket(int domain) = 0;
  virtual int Bind(int s, const sockaddr* address, socklen_t length) = 0;
  virtual int Listen(int s, int backlog) = 0;
  virtual int Accept(int s) = 0;
  virtual int Connect(int s, const sockaddr* address, socklen_t length) = 0;
  virtual int Send(int s, const void* data, std::size_t size, int flags, const sockaddr* address,
                   socklen_t length) = 0;
  virtual int Recv(int s, void* data, std::size_t size, int flags) = 0;
  virtual int Shutdown(int s, int how) = 0;
  virtual int Close(int s) = 0;
  virtual int SetOption(int s, int level, int name, const void* value, socklen_t length) = 0;
  virtual int GetOption(int s, int level, int name, void* value, socklen_t* length) = 0;
  virtual int Poll(pollfd* one) = 0;
  virtual int Ioctl(int s, unsigned long request, int* value) = 0;
  virtual int Name(int s, bool peer, sockaddr* address, socklen_t* length) = 0;
};

/// The kernel, in a network namespace that the calling thread enters for good. nullptr if that
/// cannot be had; `why` then says what is missing.
std::unique_ptr<World> MakeKernelWorld(std::string* why);

/// estab over its C ABI in virtual time, under a profile.
std::unique_ptr<World> MakeEstabWorld(const std::string& profile);

/// The address of the other side of the wire.
Address PeerAddress(bool ipv6);

}  // namespace oracle
