// One connection with data in one direction, and the programs at its ends.
#pragma once

#include <chrono>
#include <span>
#include <vector>

#include "engine/pair.h"

namespace bench_engine {

/// One connection with data in one direction.
class Bulk {
 public:
  explicit Bulk(const Options& options) : pair_(options, 1), data_(kPiece), sink_(kPiece) {
    estab::SocketOptions buffers;
    buffers.send_buffer = options.buffer;
    buffers.receive_buffer = options.buffer;
    Must(pair_.server().SetOptions(pair_.now(), pair_.listener(0), buffers), "options");
    client_ = pair_.NewClient();
    Must(pair_.client().SetOptions(pair_.now(), client_, buffers), "options");
    static_cast<void>(pair_.client().Connect(pair_.now(), client_, Pair::Server(0)));
    pair_.Settle();
    server_ = Must(pair_.server().Accept(pair_.now(), pair_.listener(0)), "accept");
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i] = static_cast<std::byte>(i * 7);
  }
  virtual ~Bulk() = default;
  Bulk(const Bulk&) = delete;
  Bulk& operator=(const Bulk&) = delete;

  /// Until so many bytes have been read; returns how many, exactly.
  std::uint64_t Transfer(std::uint64_t bytes) {
    std::uint64_t read = 0;
    while (read < bytes) {
      while (Went(Send(), "send") != 0) {
      }
      pair_.ToServer();
      while (const std::uint64_t n = Went(Read(), "read")) read += n;
      pair_.ToClient();
      pair_.Pass(std::chrono::microseconds(10));
    }
    return read;
  }

  Pair& pair() { return pair_; }

 protected:
  virtual estab::Result<std::size_t> Send() {
    return pair_.client().Send(pair_.now(), client_, data_);
  }
  virtual estab::Result<std::size_t> Read() {
    return pair_.server().Read(pair_.now(), server_, sink_);
  }

  estab::SocketId client() const { return client_; }
  estab::SocketId server() const { return server_; }
  std::span<const std::byte> data() const { return data_; }

 private:
  static constexpr std::size_t kPiece = std::size_t{64} * 1024;  // of a program's own buffer

  // 0: not now.
  static std::size_t Went(const estab::Result<std::size_t>& n, const char* what) {
    if (n) return *n;
    if (n.error() != estab::Error::kWouldBlock) Fail(what, n.error());
    return 0;
  }

  Pair pair_;
  estab::SocketId client_;
  estab::SocketId server_;
  std::vector<std::byte> data_;
  std::vector<std::byte> sink_;
};

}  // namespace bench_engine
