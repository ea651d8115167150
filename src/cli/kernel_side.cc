#include "cli/kernel_side.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <array>
#include <fstream>
#include <memory>
#include <optional>

namespace estab::cli {
namespace {

using Interfaces = std::unique_ptr<ifaddrs, decltype(&freeifaddrs)>;

Interfaces ListInterfaces() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) first = nullptr;
  return {first, &freeifaddrs};
}

std::optional<IpAddress> AddressOf(const sockaddr& socket) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* address = nullptr;
  if (socket.sa_family == AF_INET) {
    address = &reinterpret_cast<const sockaddr_in&>(socket).sin_addr;
  } else if (socket.sa_family == AF_INET6) {
    address = &reinterpret_cast<const sockaddr_in6&>(socket).sin6_addr;
  }
  if (address == nullptr ||
      inet_ntop(socket.sa_family, address, text.data(), text.size()) == nullptr) {
    return std::nullopt;
  }
  return IpAddress::Parse(text.data());
}

}  // namespace

std::string KernelDeviceOf(const IpAddress& address) {
  const Interfaces all = ListInterfaces();
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr != nullptr && AddressOf(*one->ifa_addr) == address) return one->ifa_name;
  }
  return {};
}

bool Forwards(const std::string& name) {
  for (const char* family : {"ipv4", "ipv6"}) {
    std::ifstream setting(std::string("/proc/sys/net/") + family + "/conf/" + name + "/forwarding");
    if (int value = 0; setting >> value && value != 0) return true;
  }
  return false;
}

bool IsDown(const std::string& name) {
  const Interfaces all = ListInterfaces();
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    if (name == one->ifa_name) return (one->ifa_flags & IFF_UP) == 0;
  }
  return false;
}

}  // namespace estab::cli
