// Very many connections that carry a byte now and then.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "engine/pair.h"

namespace bench_engine {

/// Many connections that each carry a byte there and a byte back.
class Rounds {
 public:
  /// When the answer's acknowledgement leaves: with the next byte, or, if `delayed_acks`, by the
  /// client's timer, which then fires for the connections that were visited last, 32 at a time.
  Rounds(Pair& pair, std::vector<Open> open, bool delayed_acks)
      : pair_(pair), open_(std::move(open)), delayed_acks_(delayed_acks) {
    for (std::size_t i = 0; i < open_.size(); ++i) {
      Must(pair_.client().SetUser(open_[i].client, &open_[i]), "user");
      Must(pair_.server().SetUser(open_[i].server, &open_[i]), "user");
    }
    const auto nobody = [](const estab::ReadyEvent&) {};
    pair_.Dispatch(pair_.client(), nobody);
    pair_.Dispatch(pair_.server(), nobody);
  }

  /// At least `rounds` of them, a whole number of batches; returns how many.
  std::uint64_t Run(std::uint64_t rounds) {
    const std::size_t visited = std::min(open_.size(), Wire::kPackets);
    std::uint64_t done = 0;
    std::uint64_t acknowledged = 0;
    while (done < rounds) {
      done += Batch();
      if (!delayed_acks_ || done - acknowledged < visited) continue;
      acknowledged = done;
      pair_.Pass(std::chrono::milliseconds(50));
      while (pair_.ToServer() == Wire::kPackets) {
      }
    }
    return done;
  }
  /// From now on so many at a time.
  void set_batch(std::size_t batch) {
    batch_ = std::min(batch, open_.size());
    next_ = 0;
    pair_.set_batch(batch);
  }
  std::size_t size() const { return open_.size(); }

 private:
  // Time passes a millisecond in each walk over all of them, so that every connection's timers have
  // the same to do however many there are.
  std::size_t Batch() {
    if (next_ + batch_ > open_.size()) {
      next_ = 0;
      pair_.Pass(std::chrono::milliseconds(1));
    }
    std::array<std::byte, 1> byte{};
    for (std::size_t i = 0; i < batch_; ++i) {
      Must(pair_.client().Send(pair_.now(), open_[next_ + i].client, byte), "send");
    }
    next_ += batch_;
    std::size_t echoed = 0;
    std::size_t back = 0;
    while (pair_.ToServer() == Wire::kPackets) {
    }
    pair_.Dispatch(pair_.server(), [&](const estab::ReadyEvent& e) {
      if ((e.raised & estab::kReadable) == 0) return;
      Must(pair_.server().Read(pair_.now(), e.socket, byte), "read");
      Must(pair_.server().Send(pair_.now(), e.socket, byte), "send");
      ++echoed;
    });
    while (pair_.ToClient() == Wire::kPackets) {
    }
    pair_.Dispatch(pair_.client(), [&](const estab::ReadyEvent& e) {
      if ((e.raised & estab::kReadable) == 0) return;
      Must(pair_.client().Read(pair_.now(), e.socket, byte), "read");
      ++back;
    });
    if (echoed != batch_ || back != batch_) Fail("a byte did not come", estab::Error::kBusy);
    return batch_;
  }

  Pair& pair_;
  std::vector<Open> open_;
  bool delayed_acks_;
  std::size_t batch_ = 1;
  std::size_t next_ = 0;
};

}  // namespace bench_engine
