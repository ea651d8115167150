#include "engine/syn_flood.h"

#include <algorithm>
#include <utility>

#include "wire/ip.h"
#include "wire/tcp.h"

namespace bench_engine {
namespace {

constexpr std::size_t kKinds = 32768;
constexpr std::uint32_t kFirstAddress = 0xCB007101;  // 203.0.113.1, of documentation
constexpr std::uint32_t kAddresses = 254;

// A SYN as Linux sends it; returns its size.
std::size_t MakeSyn(std::span<std::byte> out, std::uint32_t i) {
  const estab::Endpoint server = Pair::Server(0);
  estab::wire::Segment syn;
  syn.source_port = static_cast<std::uint16_t>(1024 + i / kAddresses * 251 % 64000);
  syn.destination_port = server.port;
  syn.seq = i * 2654435761u;
  syn.flags = estab::kSyn;
  syn.window = 64240;
  syn.options.has_mss = syn.options.has_timestamp = syn.options.has_window_scale = true;
  syn.options.mss = 1460;
  syn.options.sack_permitted = true;
  syn.options.ts_value = i;
  syn.options.window_scale = 7;
  estab::wire::IpHeader ip;
  ip.source = estab::IpAddress::V4(kFirstAddress + i % kAddresses);
  ip.destination = server.address;
  ip.protocol = static_cast<std::uint8_t>(estab::wire::Protocol::kTcp);
  const std::size_t tcp_size = estab::wire::TcpHeaderSize(syn);
  const std::size_t ip_size = estab::wire::EncodeIp(out, ip, tcp_size);
  const std::span<std::byte> tcp = out.subspan(ip_size, tcp_size);
  estab::wire::EncodeTcp(tcp, syn);
  estab::wire::StoreTcpChecksum(tcp, estab::wire::TcpChecksum(ip.source, ip.destination, tcp, {}));
  return ip_size + tcp_size;
}

}  // namespace

SynFlood::SynFlood(Pair& pair) : pair_(pair), bytes_(kKinds * kPacketSize), packets_(kKinds) {
  for (std::size_t i = 0; i < kKinds; ++i) {
    const std::span<std::byte> out = std::span(bytes_).subspan(i * kPacketSize, kPacketSize);
    packets_[i].data = out.first(MakeSyn(out, static_cast<std::uint32_t>(i)));
  }
}

void SynFlood::Send(std::size_t count) {
  while (count != 0) {
    const std::size_t n = std::min({count, kTogether, packets_.size() - next_});
    pair_.server().Receive(pair_.now(), std::span(packets_).subspan(next_, n));
    pair_.LoseToClient();
    next_ = (next_ + n) % packets_.size();
    sent_ += n;
    count -= n;
  }
}

void SynFlood::Begin(double rate) {
  rate_ = rate;
  looked_ = Clock::now();
  due_ = 0;
}

void SynFlood::Continue() {
  const Clock::time_point now = Clock::now();
  const std::chrono::duration<double> elapsed = now - std::exchange(looked_, now);
  // What no queue holds is lost: a pause of this program is not the flood's.
  due_ = std::min(due_ + elapsed.count() * rate_, double{kTogether});
  const auto whole = static_cast<std::size_t>(due_);
  due_ -= static_cast<double>(whole);
  Send(whole);
}

}  // namespace bench_engine
