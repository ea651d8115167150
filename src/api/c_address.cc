// Socket addresses: sockaddr_in and sockaddr_in6 to endpoints and back.
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "api/c_common.h"

namespace estab::api {
namespace {

// sockaddr_in6 without its last field, which Linux lets a caller leave out.
constexpr socklen_t kShortestIn6 = 24;

Endpoint FromIn(const sockaddr_in& in) {
  return {IpAddress::V4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
}

Endpoint FromIn6(const sockaddr_in6& in6) {
  Endpoint endpoint;
  std::memcpy(endpoint.address.bytes.data(), &in6.sin6_addr, 16);
  endpoint.port = ntohs(in6.sin6_port);
  return endpoint;
}

int ReadIn(const sockaddr* address, socklen_t length, Endpoint* out) {
  sockaddr_in in{};
  if (length < sizeof(in)) return EINVAL;
  std::memcpy(&in, address, sizeof(in));
  // As Linux: an unspecified family is taken for IPv4 if the address is 0.0.0.0.
  if (in.sin_family != AF_INET &&
      !(in.sin_family == AF_UNSPEC && in.sin_addr.s_addr == htonl(INADDR_ANY))) {
    return EAFNOSUPPORT;
  }
  *out = FromIn(in);
  return 0;
}

int ReadIn6(const sockaddr* address, socklen_t length, Endpoint* out) {
  sockaddr_in6 in6{};
  if (address->sa_family != AF_INET6) return length < kShortestIn6 ? EINVAL : EAFNOSUPPORT;
  if (length < kShortestIn6) return EINVAL;
  std::memcpy(&in6, address, std::min<std::size_t>(length, sizeof(in6)));
  *out = FromIn6(in6);
  return 0;
}

}  // namespace

int ReadAddress(const sockaddr* address, socklen_t length, bool ipv6, Endpoint* out) {
  if (length > sizeof(sockaddr_storage) || length < sizeof(sa_family_t)) return EINVAL;
  if (address == nullptr) return EFAULT;
  return ipv6 ? ReadIn6(address, length, out) : ReadIn(address, length, out);
}

int WriteAddress(const Endpoint& endpoint, bool ipv6, sockaddr* address, socklen_t* length) {
  if (length == nullptr || (address == nullptr && *length > 0)) return EFAULT;
  if (static_cast<int>(*length) < 0) return EINVAL;
  sockaddr_storage whole{};
  socklen_t size = 0;
  if (ipv6) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    std::memcpy(&in6.sin6_addr, endpoint.address.bytes.data(), 16);
    size = sizeof(in6);
    std::memcpy(&whole, &in6, size);
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    in.sin_addr.s_addr = htonl(endpoint.address.is_v4() ? endpoint.address.v4() : 0);
    size = sizeof(in);
    std::memcpy(&whole, &in, size);
  }
  if (*length > 0) std::memcpy(address, &whole, std::min(*length, size));
  *length = size;
  return 0;
}

}  // namespace estab::api

using estab::Result;
using estab::Time;
using estab::Tuple;
using estab::api::Fail;
using estab::api::OpenFile;
using estab::api::Run;
using estab::api::Sockets;

int estab_getsockname(estab_stack* stack, int s, sockaddr* address, socklen_t* length) {
  return Run(stack, [&](Sockets& sockets) {
    bool ipv6 = false;
    const Result<Tuple> tuple = sockets.With(s, [&](OpenFile& file, estab::Stack& engine, Time) {
      ipv6 = file.ipv6;
      return engine.GetTuple(file.socket);
    });
    if (!tuple) return Fail(tuple.error());
    const int error = estab::api::WriteAddress(tuple->local, ipv6, address, length);
    return error == 0 ? 0 : Fail(error);
  });
}

int estab_getpeername(estab_stack* stack, int s, sockaddr* address, socklen_t* length) {
  return Run(stack, [&](Sockets& sockets) {
    bool ipv6 = false;
    const Result<Tuple> tuple =
        sockets.With(s, [&](OpenFile& file, estab::Stack& engine, Time now) -> Result<Tuple> {
          using estab::State;
          ipv6 = file.ipv6;
          const auto info = engine.GetInfo(now, file.socket);
          if (!info) return std::unexpected(info.error());
          constexpr estab::StateSet kNoPeer =
              estab::In(State::kClosed) | estab::In(State::kListen) | estab::In(State::kSynSent);
          if ((estab::In(info->state) & kNoPeer) != 0) {
            return std::unexpected(estab::Error::kNotConnected);
          }
          return engine.GetTuple(file.socket);
        });
    if (!tuple) return Fail(tuple.error());
    const int error = estab::api::WriteAddress(tuple->remote, ipv6, address, length);
    return error == 0 ? 0 : Fail(error);
  });
}
