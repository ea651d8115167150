#include "wire/header_series.h"

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace estab::wire {

HeaderSeries::HeaderSeries(const IpHeader& ip, const Segment& first, bool offload)
    : ip_(ip), offload_(offload), ip_size_(IpHeaderSize(ip.destination)) {
  tcp_size_ = EncodeTcp(Tcp(), first);
}

std::span<std::byte> HeaderSeries::Write(std::span<std::byte> out, const Place& place,
                                         std::span<const Slice> payload, std::size_t size) {
  ESTAB_CHECK(out.size() >= pattern_.size());
  const bool other = size != payload_size_ || place.flags != flags_;
  if (other || place.number == 0 || !ip_.dont_fragment) Begin(place, size);
  std::memcpy(out.data(), pattern_.data(), pattern_.size());
  std::byte* const tcp = out.data() + ip_size_;
  Store32(tcp + kTcpSequenceOffset, place.seq);
  Checksum checksum = common_;
  if (!offload_) {
    checksum.AddWord(place.seq);
    for (const Slice& slice : payload) checksum.Add({slice.data, slice.size});
  }
  Store16(tcp + kTcpChecksumOffset, offload_ ? checksum.Sum() : checksum.Finish());
  return out.first(ip_size_ + tcp_size_);
}

// The pattern for this segment and those like it, and the sum of it but for the number.
void HeaderSeries::Begin(const Place& place, std::size_t size) {
  IpHeader ip = ip_;
  if (!ip.dont_fragment) {
    ip.identification = static_cast<std::uint16_t>(ip.identification + place.number);
  }
  EncodeIp(pattern_, ip, tcp_size_ + size);
  common_ = {};
  common_.AddPseudoHeader(ip.source, ip.destination, ip.protocol,
                          static_cast<std::uint32_t>(tcp_size_ + size));
  RenumberTcp(Tcp(), 0, place.flags);
  if (!offload_) common_.Add(Tcp());
  payload_size_ = size;
  flags_ = place.flags;
}

}  // namespace estab::wire
