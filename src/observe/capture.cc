#include "observe/capture.h"

#include <array>
#include <cstdint>

namespace estab::observe {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kLinkTypeRaw = 101;

// Options: a code and a length, then the value, padded to four bytes.
constexpr std::uint16_t kComment = 1;
constexpr std::uint16_t kName = 2;         // of an interface
constexpr std::uint16_t kResolution = 9;   // of an interface's times, as a power of ten
constexpr std::uint16_t kApplication = 4;  // of a section
constexpr std::size_t kMostComment = 65'000;

// The host's byte order: the section header says which that is.
class Block {
 public:
  explicit Block(std::uint32_t type) {
    Add32(type);
    Add32(0);  // its length, known at the end
  }
  void Add16(std::uint16_t value) { Append(&value, sizeof(value)); }
  void Add32(std::uint32_t value) { Append(&value, sizeof(value)); }
  void AddPadded(const void* data, std::size_t size) {
    Append(data, size);
    out_.resize((out_.size() + 3) / 4 * 4, '\0');
  }
  void AddOption(std::uint16_t code, std::string_view value) {
    value = value.substr(0, kMostComment);
    Add16(code);
    Add16(static_cast<std::uint16_t>(value.size()));
    AddPadded(value.data(), value.size());
  }
  std::string End() {
    Add32(0);  // the end of the options
    const auto length = static_cast<std::uint32_t>(out_.size() + sizeof(std::uint32_t));
    Add32(length);
    out_.replace(4, sizeof(length), reinterpret_cast<const char*>(&length), sizeof(length));
    return std::move(out_);
  }

 private:
  void Append(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }
  std::string out_;
};

std::string SectionHeader(const CaptureInfo& info) {
  Block block(kSectionHeader);
  block.Add32(kByteOrder);
  block.Add16(1);  // version 1.0
  block.Add16(0);
  block.Add32(UINT32_MAX);  // the section's length is not told
  block.Add32(UINT32_MAX);
  if (!info.title.empty()) block.AddOption(kComment, info.title);
  block.AddOption(kApplication, "estab lab");
  return block.End();
}

std::string InterfaceDescription(const CaptureInfo& info) {
  Block block(kInterface);
  block.Add16(kLinkTypeRaw);
  block.Add16(0);
  block.Add32(0);  // no limit to what is kept of a packet
  if (!info.interface.empty()) block.AddOption(kName, info.interface);
  block.AddOption(kResolution, "\x09");
  return block.End();
}

std::string EnhancedPacket(const CapturedPacket& packet) {
  const auto ns = static_cast<std::uint64_t>(packet.at.time_since_epoch().count());
  const auto size = static_cast<std::uint32_t>(packet.bytes.size());
  Block block(kEnhancedPacket);
  block.Add32(0);  // the interface
  block.Add32(static_cast<std::uint32_t>(ns >> 32));
  block.Add32(static_cast<std::uint32_t>(ns));
  block.Add32(size);
  block.Add32(size);
  block.AddPadded(packet.bytes.data(), packet.bytes.size());
  if (!packet.comment.empty()) block.AddOption(kComment, packet.comment);
  return block.End();
}

}  // namespace

std::string ToPcapng(const CaptureInfo& info, std::span<const CapturedPacket> packets) {
  std::string out = SectionHeader(info) + InterfaceDescription(info);
  for (const CapturedPacket& packet : packets) out += EnhancedPacket(packet);
  return out;
}

}  // namespace estab::observe
