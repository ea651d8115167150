#include "wire/ethernet.h"

#include <cstring>

#include "base/bytes.h"

namespace estab::wire {

std::optional<EthernetHeader> DecodeEthernet(std::span<const std::byte> frame) {
  if (frame.size() < kEthernetHeaderSize) return std::nullopt;
  EthernetHeader header;
  std::memcpy(header.destination.bytes.data(), frame.data(), 6);
  std::memcpy(header.source.bytes.data(), frame.data() + 6, 6);
  header.type = Load16(frame.data() + 12);
  return header;
}

void EncodeEthernet(std::span<std::byte> out, const EthernetHeader& header) {
  std::memcpy(out.data(), header.destination.bytes.data(), 6);
  std::memcpy(out.data() + 6, header.source.bytes.data(), 6);
  Store16(out.data() + 12, header.type);
}

MacAddress GroupMac(const IpAddress& group) {
  MacAddress mac{{0x33, 0x33}};
  std::memcpy(mac.bytes.data() + 2, group.bytes.data() + 12, 4);
  return mac;
}

IpAddress SolicitedNode(const IpAddress& address) {
  IpAddress group{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0}};
  std::memcpy(group.bytes.data() + 13, address.bytes.data() + 13, 3);
  return group;
}

}  // namespace estab::wire
