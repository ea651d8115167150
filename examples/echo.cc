// An echo server in ten lines: estab answers at 192.0.2.2, port 7, over the TUN device estab0.
//   sudo ip tuntap add estab0 mode tun; sudo ip addr add 192.0.2.1/24 dev estab0
//   sudo ip link set estab0 up; sudo ./echo & nc 192.0.2.2 7
#include <array>
#include <thread>

#include "estab/host.h"

int main() {
  auto host = estab::Host::Create().value();
  host.AddAddress(host.AddTun("estab0").value(), "192.0.2.2/24").value();
  auto listener = host.Listen("0.0.0.0", 7).value();
  while (auto stream = listener.Accept()) {
    std::thread([peer = *std::move(stream)]() mutable {
      std::array<std::byte, 4096> bytes;
      while (auto n = peer.Read(bytes).value_or(0)) peer.WriteAll(std::span(bytes).first(n));
    }).detach();
  }
}
