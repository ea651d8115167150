// Bytes that go between a fuzzed stack and its users without a copy: lent to it for sending,
// borrowed from it for reading. What changes hands too early or twice is found here.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "estab/stack.h"

namespace estab {

class Loans {
 public:
  /// Sends `data` by reference.
  Result<std::size_t> Send(Stack& stack, Time now, SocketId id, std::vector<std::byte> data) {
    const std::uint64_t token = next_++;
    const auto sent = stack.SendReference(now, id, data, token);
    if (sent && *sent != 0) lent_.emplace(token, std::move(data));
    return sent;
  }

  /// Frees what has come back. False: something was not lent.
  bool TakeBack(Stack& stack) {
    std::array<ReturnedBytes, 4> returned;
    std::size_t n = 0;
    do {
      n = stack.TakeReturned(returned);
      for (std::size_t i = 0; i < n; ++i) {
        if (lent_.erase(returned[i].token) != 1) return false;
      }
    } while (n == returned.size());
    return true;
  }

  /// Borrows a piece; its bytes, which it keeps for comparison.
  Result<std::vector<std::byte>> Borrow(Stack& stack, Time now, SocketId id) {
    BorrowedBytes piece;
    const auto n = stack.Borrow(now, id, {&piece, 1});
    if (!n) return std::unexpected(n.error());
    if (*n == 0) return std::vector<std::byte>{};
    std::vector<std::byte> copy(piece.bytes.begin(), piece.bytes.end());
    borrowed_.push_back({piece, copy});
    return copy;
  }

  /// Gives back all but `keep` pieces. False: one of them has changed, or was not on loan.
  bool GiveBack(Stack& stack, Time now, std::size_t keep) {
    bool good = true;
    for (; borrowed_.size() > keep; borrowed_.pop_front()) {
      const Piece& piece = borrowed_.front();
      good &= std::ranges::equal(piece.bytes.bytes, piece.copy);
      good &= stack.GiveBack(now, {&piece.bytes, 1}).has_value();
    }
    return good;
  }

  /// Whether everything is its owner's again.
  bool settled() const { return lent_.empty() && borrowed_.empty(); }

 private:
  struct Piece {
    BorrowedBytes bytes;
    std::vector<std::byte> copy;
  };
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::vector<std::byte>> lent_;
  std::deque<Piece> borrowed_;
};

}  // namespace estab
