#include "cli/pcap.h"

#include <errno.h>
#include <time.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "cli/failure.h"
#include "io/clock.h"

namespace estab::cli {
namespace {

constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kLinkTypeRaw = 101;
constexpr std::uint32_t kLongest = 65536;

Duration TimeOfDay() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

PcapFile::PcapFile(const std::string& path)
    : path_(path),
      file_(std::fopen(path.c_str(), "wbe")),
      to_time_of_day_(TimeOfDay() - io::MonotonicNow().time_since_epoch()) {
  if (!file_) Failed("--pcap {}: cannot write it: {}", path, std::strerror(errno));
  const std::uint32_t versions = 2 | 4 << 16;
  const std::array<std::uint32_t, 6> head = {kMagicNanoseconds, versions,    0, 0,
                                             kLongest,          kLinkTypeRaw};
  Write(head.data(), sizeof(head));
}

void PcapFile::Write(const void* bytes, std::size_t size) {
  if (failed_ || std::fwrite(bytes, 1, size, file_.get()) == size) return;
  failed_ = true;
  fmt::print(stderr, "estab: --pcap {}: {}; recording has ended\n", path_, std::strerror(errno));
}

void PcapFile::Add(Time at, std::span<const std::byte> header, std::span<const Slice> payload) {
  std::size_t size = header.size();
  for (const Slice& slice : payload) size += slice.size;
  const auto ns = (at.time_since_epoch() + to_time_of_day_).count();
  const auto length = static_cast<std::uint32_t>(size);
  const std::array<std::uint32_t, 4> head = {static_cast<std::uint32_t>(ns / 1'000'000'000),
                                             static_cast<std::uint32_t>(ns % 1'000'000'000), length,
                                             length};
  const std::lock_guard lock(mutex_);
  Write(head.data(), sizeof(head));
  Write(header.data(), header.size());
  for (const Slice& slice : payload) Write(slice.data, slice.size);
}

}  // namespace estab::cli
