// What the kernel says of a network device of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "io/os_error.h"
#include "wire/ethernet.h"

namespace estab::io {

/// A network device as it was when it was asked for.
struct Interface {
  std::string name;
  int index = 0;
  std::uint32_t mtu = 0;  // bytes of IP packet
  wire::MacAddress station;
  std::string driver;  // "veth"; empty if it does not say
};

/// kInvalid: that can be no device's name (1 to 15 characters).
OsResult<void> CheckDeviceName(std::string_view name);
/// The MTU of the device `name`, now. kNotFound, kPermission.
OsResult<std::uint32_t> MtuOf(const std::string& name);
/// The Ethernet device `name`. kNotFound; kInvalid: no Ethernet, or no name.
OsResult<Interface> FindEthernet(std::string_view name);
/// Whether the device that had this index still has it, in this network namespace.
bool IsThere(int index);

}  // namespace estab::io
