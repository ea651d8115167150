// Who is who on the wire.
#pragma once

#include "beside_kernel/end.h"
#include "estab/address.h"

namespace beside_kernel {

inline constexpr std::uint32_t kMtu = 1500;

/// Where that end is; the receiver listens there.
inline estab::Endpoint AddressOf(Role role) {
  return {estab::IpAddress::V4(role == Role::kSender ? 0xc0000201 : 0xc0000202),
          static_cast<std::uint16_t>(role == Role::kSender ? 0 : 9)};
}

}  // namespace beside_kernel
