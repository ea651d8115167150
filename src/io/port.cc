#include "io/port.h"

#include "io/entropy.h"

namespace estab::io {

Port::Port(std::unique_ptr<Device> device) : device_(std::move(device)) {
  const auto station = device_->Station();
  if (!station) return;
  SipKey key{};
  (void)FillRandom(std::as_writable_bytes(std::span(key)));
  ethernet_ = std::make_unique<stack::Ethernet>(*station, key);
}

void Port::AddAddress(const Prefix& prefix) {
  if (ethernet_) (void)ethernet_->AddAddress(prefix);
}

void Port::AddRoute(const Prefix& destination, const IpAddress* via) {
  if (ethernet_) (void)ethernet_->AddRoute(destination, via);
}

SinkResult Port::SendFrame(std::span<const std::byte> frame_header, const TxPacket& packet) {
  return device_->Write(frame_header, packet);
}

// What the Ethernet layer itself has to say.
void Port::TransmitOwn() {
  if (!ethernet_->WantsTransmit()) return;
  ethernet_->Transmit(*this);
  device_->Flush();
}

std::span<const RxPacket> Port::Read(Time now, LinkId link) {
  const auto batch = device_->ReadBatch(link);
  if (!ethernet_) return batch;
  std::size_t count = 0;
  for (const RxPacket& frame : batch) {
    if (const auto packet = ethernet_->Receive(now, frame)) packets_[count++] = *packet;
  }
  TransmitOwn();
  return std::span(packets_).first(count);
}

SinkResult Port::Send(Time now, const TxPacket& packet) {
  if (!ethernet_) return device_->Write({}, packet);
  const SinkResult result = ethernet_->Send(now, packet, *this);
  if (ethernet_->WantsTransmit()) ethernet_->Transmit(*this);
  return result;
}

void Port::Advance(Time now, LinkId link, Stack& stack) {
  if (!ethernet_ || ethernet_->NextDeadline() > now) return;
  std::array<std::byte, 1280> message;
  while (auto packet = ethernet_->Advance(now, message)) {
    packet->link = link;
    stack.Receive(now, std::span<const RxPacket>(&*packet, 1));
  }
  TransmitOwn();
}

}  // namespace estab::io
