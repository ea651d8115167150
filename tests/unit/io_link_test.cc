// Links as they are written, and what is told of a frame before anybody takes it.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "io/interface.h"
#include "io/link_spec.h"
#include "io/unfinished.h"
#include "wire/checksum.h"

namespace estab::io {
namespace {

TEST(IoLinkSpec, DevicesAndTheirOptions) {
  const auto plain = ReadLink(LinkKind::kPacket, "eth0");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->device, "eth0");
  EXPECT_FALSE(plain->packet.blocks);
  EXPECT_TRUE(ReadLink(LinkKind::kPacket, "eth0,blocks")->packet.blocks);
  const auto best = ReadLink(LinkKind::kXdp, "eth0")->xdp;
  EXPECT_EQ(best.mode, XdpMode::kBest);
  EXPECT_EQ(best.copy, XdpCopy::kBest);
  EXPECT_EQ(best.queue, 0u);
  const auto all = ReadLink(LinkKind::kXdp, "eth0,queue=17,zerocopy,mode=native");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->device, "eth0");
  EXPECT_EQ(all->xdp.mode, XdpMode::kNative);
  EXPECT_EQ(all->xdp.copy, XdpCopy::kZeroCopy);
  EXPECT_EQ(all->xdp.queue, 17u);
  EXPECT_EQ(ReadLink(LinkKind::kXdp, "eth0,mode=generic,copy")->xdp.mode, XdpMode::kGeneric);
}

TEST(IoLinkSpec, WhatCannotBe) {
  const struct {
    LinkKind kind;
    const char* text;
    const char* says;
  } all[] = {
      {LinkKind::kTun, "", "1 to 15"},
      {LinkKind::kTun, "estab0,blocks", "no options"},
      {LinkKind::kTap, "estab0,", "no options"},
      {LinkKind::kPacket, "a/b", "1 to 15"},
      {LinkKind::kPacket, ",blocks", "1 to 15"},
      {LinkKind::kPacket, "eth0,block", "'block' is no option"},
      {LinkKind::kPacket, "eth0,blocks,", "'' is no option"},
      {LinkKind::kXdp, "eth0,blocks", "'blocks' is no option"},
      {LinkKind::kXdp, "eth0,queue=", "'queue=' is no option"},
      {LinkKind::kXdp, "eth0,queue=-1", "'queue=-1' is no option"},
      {LinkKind::kXdp, "eth0,queue=4294967296", "is no option"},
      {LinkKind::kXdp, "eth0,mode=best", "is no option"},
      {LinkKind::kXdp, "eth0,zerocopy,mode=generic", "always copies"},
  };
  for (const auto& one : all) {
    const auto spec = ReadLink(one.kind, one.text);
    ASSERT_FALSE(spec) << one.text;
    EXPECT_EQ(spec.error().error, Error::kInvalid) << one.text;
    EXPECT_NE(spec.error().message.find(one.says), std::string::npos) << spec.error().message;
  }
}

TEST(IoInterface, DevicesThatWillNotDo) {
  const auto loopback = FindEthernet("lo");
  ASSERT_FALSE(loopback);
  EXPECT_EQ(loopback.error().error, Error::kInvalid);
  EXPECT_NE(loopback.error().message.find("no Ethernet"), std::string::npos);
  const auto missing = FindEthernet("estab-none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().error, Error::kNotFound);
  EXPECT_FALSE(IsThere(0x7ffffff0));
}

// A frame with one segment of TCP in it, whose checksum is the sum of the pseudo-header, as a
// kernel leaves it.
std::vector<std::byte> UnfinishedFrame(bool v6) {
  constexpr std::size_t kEthernet = 14;
  constexpr std::size_t kTcp = 21;  // a header and a byte
  const std::size_t ip = v6 ? 40 : 20;
  std::vector<std::byte> frame(kEthernet + ip + kTcp);
  std::byte* const at = frame.data() + kEthernet;
  const auto source = *IpAddress::Parse(v6 ? "2001:db8::1" : "192.0.2.1");
  const auto destination = *IpAddress::Parse(v6 ? "2001:db8::2" : "192.0.2.2");
  if (v6) {
    at[0] = std::byte{0x60};
    Store16(at + 4, kTcp);
    at[6] = std::byte{6};
    at[7] = std::byte{64};
    std::memcpy(at + 8, source.bytes.data(), 16);
    std::memcpy(at + 24, destination.bytes.data(), 16);
  } else {
    at[0] = std::byte{0x45};
    Store16(at + 2, static_cast<std::uint16_t>(ip + kTcp));
    at[8] = std::byte{64};
    at[9] = std::byte{6};
    Store32(at + 12, source.v4());
    Store32(at + 16, destination.v4());
    wire::Checksum header;
    header.Add({at, ip});
    Store16(at + 10, header.Finish());
  }
  Store16(at + ip, 1000);
  Store16(at + ip + 2, 7);
  at[ip + 12] = std::byte{0x50};
  wire::Checksum pseudo_header;
  pseudo_header.AddPseudoHeader(source, destination, 6, kTcp);
  Store16(at + ip + 16, pseudo_header.Sum());
  return frame;
}

TEST(IoUnfinished, ChecksumsLeftToHardware) {
  for (const bool v6 : {false, true}) {
    auto frame = UnfinishedFrame(v6);
    EXPECT_TRUE(IsUnfinished(frame)) << v6;
    const std::size_t tcp = frame.size() - 21;
    const std::uint16_t sum = Load16(&frame[tcp + 16]);
    // Finished, it is none; neither with any other bit changed.
    Store16(&frame[tcp + 16], 0);
    wire::Checksum whole;
    whole.Add({&frame[tcp], 21});
    Store16(&frame[tcp + 16], static_cast<std::uint16_t>(~(sum + whole.Sum())));
    EXPECT_FALSE(IsUnfinished(frame)) << v6;
    Store16(&frame[tcp + 16], sum ^ 1);
    EXPECT_FALSE(IsUnfinished(frame)) << v6;
    Store16(&frame[tcp + 16], sum);
    EXPECT_TRUE(IsUnfinished(frame)) << v6;
    frame[v6 ? 20 : 23] = std::byte{17};  // not TCP; for IPv4 the header's checksum is wrong, too
    EXPECT_FALSE(IsUnfinished(frame)) << v6;
  }
}

TEST(IoUnfinished, FramesThatAreCutOff) {
  const auto frame = UnfinishedFrame(false);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const std::vector<std::byte> part(frame.begin(),
                                      frame.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(IsUnfinished(part)) << size;
  }
}

}  // namespace
}  // namespace estab::io
