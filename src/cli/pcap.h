// A recording of packets that Wireshark and tcpdump read.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "estab/packet.h"
#include "estab/time.h"

namespace estab::cli {

/// Writes a pcap file of raw IP packets (LINKTYPE_RAW) with nanosecond times. Buffered; complete
/// when it goes. Several threads may add to it: packets then stand in the order in which they were
/// added, by which their times may step back.
class PcapFile {
 public:
  /// Creates `path`, or empties it. Throws Failure of status 1.
  explicit PcapFile(const std::string& path);

  /// Adds a packet seen at `at` (CLOCK_MONOTONIC; written as the time of day). If the disk refuses,
  /// says so once on standard error and records no more.
  void Add(Time at, std::span<const std::byte> header, std::span<const Slice> payload);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  // Under the lock.
  void Write(const void* bytes, std::size_t size);

  std::string path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  Duration to_time_of_day_{};
  std::mutex mutex_;
  bool failed_ = false;
};

}  // namespace estab::cli
