// Option values as callers pass them: bytes of some length.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <expected>
#include <optional>

#include "estab/stack.h"

namespace estab::api {

/// TCP_RTO_MAX_MS of <linux/tcp.h> since Linux 6.15, which older headers do not have yet.
inline constexpr int kTcpRtoMaxMs = 44;

/// IP_LOCAL_PORT_RANGE of <linux/in.h> since Linux 6.3, likewise.
inline constexpr int kIpLocalPortRange = 51;

/// TCP_CA_NAME_MAX: the name of a congestion control with its final zero.
inline constexpr std::size_t kCongestionNameSize = 16;

/// The value of a setsockopt.
struct OptionIn {
  const void* data;
  socklen_t length;

  /// The value as a T; nullopt if it is too short for one. Longer ones are cut, as on Linux.
  template <class T>
  std::optional<T> As() const {
    if (length < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, data, sizeof(T));
    return value;
  }
  /// An int, or the single byte that the IP level takes for one.
  std::optional<int> IntOrByte() const {
    if (length >= sizeof(int)) return As<int>();
    if (length < 1) return std::nullopt;
    return int{*static_cast<const unsigned char*>(data)};
  }
};

/// The answer of a getsockopt: at most what the structures of Linux need.
struct OptionOut {
  alignas(8) std::byte bytes[512];
  socklen_t size = 0;

  template <class T>
  void Set(const T& value) {
    static_assert(sizeof(T) <= sizeof(bytes));
    std::memcpy(bytes, &value, sizeof(T));
    size = sizeof(T);
  }
};

/// Number `index` of a setting's value ("4096 131072 6291456" has three); `fallback` if it has
/// none.
int SettingNumber(const Stack& stack, const char* name, int index, int fallback);

/// Sets or asks for the options that live in SocketOptions. `ipv6` is the socket's family. The
/// result is 0 or an errno; ENOPROTOOPT for an option that is not of this kind.
int SetStackOption(Stack& stack, Time now, SocketId socket, bool ipv6, int level, int name,
                   const OptionIn& value);
int GetStackOption(const Stack& stack, Time now, SocketId socket, bool ipv6, int level, int name,
                   OptionOut* out);

}  // namespace estab::api
