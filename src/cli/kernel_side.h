// What the kernel has on its side of a link.
#pragma once

#include <string>

#include "estab/address.h"

namespace estab::cli {

/// The device on which the kernel itself has `address`; empty if it has it on none, or does not
/// tell. Packets that came from such an address would be thrown away as forged.
std::string KernelDeviceOf(const IpAddress& address);

/// Whether the kernel forwards packets that come by the device `name`: also those that are for
/// estab.
bool Forwards(const std::string& name);

/// Whether the device `name` is switched off; false where the kernel does not tell.
bool IsDown(const std::string& name);

}  // namespace estab::cli
