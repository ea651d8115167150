// The C interface: reading by borrowing.
#include <algorithm>
#include <array>

#include "api/c_common.h"

using estab::BorrowedBytes;
using estab::api::Fail;
using estab::api::Run;
using estab::api::Sockets;

namespace {

// Loans are passed on in groups of so many.
constexpr std::size_t kGroup = 64;

}  // namespace

ssize_t estab_recv_borrow(estab_stack* stack, int s, estab_loan* loans, size_t count, int flags) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (loans == nullptr && count > 0) return Fail(EFAULT);
    if (count == 0) return Fail(EINVAL);
    if ((flags & ~MSG_DONTWAIT) != 0) return Fail(EOPNOTSUPP);
    std::array<BorrowedBytes, kGroup> pieces;
    const auto n = sockets.Borrow(s, std::span(pieces).first(std::min(count, kGroup)),
                                  (flags & MSG_DONTWAIT) != 0);
    if (!n) return Fail(n.error());
    for (std::size_t i = 0; i < *n; ++i) {
      loans[i] = {pieces[i].bytes.data(), pieces[i].bytes.size(), pieces[i].loan};
    }
    return static_cast<ssize_t>(*n);
  });
}

int estab_recv_return(estab_stack* stack, const estab_loan* loans, size_t count) {
  return Run(stack, [&](Sockets& sockets) -> int {
    if (loans == nullptr && count > 0) return Fail(EFAULT);
    int result = 0;
    while (count > 0) {
      std::array<BorrowedBytes, kGroup> pieces;
      const std::size_t n = std::min(count, kGroup);
      for (std::size_t i = 0; i < n; ++i) pieces[i].loan = loans[i].id;
      const auto returned = sockets.GiveBack(std::span(pieces).first(n));
      if (!returned) result = Fail(returned.error());
      loans += n;
      count -= n;
    }
    return result;
  });
}
