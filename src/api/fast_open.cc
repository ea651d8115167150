// Connecting with data on the SYN: sendto and sendmsg with MSG_FASTOPEN.
#include <algorithm>
#include <cstring>
#include <vector>

#include "api/sockets.h"

namespace estab::api {
namespace {

// More than any SYN takes.
constexpr std::size_t kMostOnSyn = 64 * 1024;

std::vector<std::byte> FirstBytes(std::span<const iovec> pieces) {
  std::vector<std::byte> bytes;
  for (const iovec& piece : pieces) {
    const auto* from = static_cast<const std::byte*>(piece.iov_base);
    const std::size_t n = std::min(piece.iov_len, kMostOnSyn - bytes.size());
    bytes.insert(bytes.end(), from, from + n);
  }
  return bytes;
}

// What lies behind the first `offset` bytes.
std::vector<iovec> Behind(std::span<const iovec> pieces, std::size_t offset) {
  std::vector<iovec> rest;
  for (const iovec& piece : pieces) {
    const std::size_t skipped = std::min(offset, piece.iov_len);
    offset -= skipped;
    if (skipped == piece.iov_len) continue;
    rest.push_back({static_cast<std::byte*>(piece.iov_base) + skipped, piece.iov_len - skipped});
  }
  return rest;
}

}  // namespace

Result<std::size_t> Sockets::SendOnSyn(int handle, const Endpoint& remote,
                                       std::span<const iovec> pieces, bool dont_wait,
                                       SendFlags flags) {
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile* file = *found;
  if (file->stage == SocketStage::kConnected) return std::unexpected(Error::kIsConnected);
  if (file->stage == SocketStage::kDisconnecting) return std::unexpected(Error::kInvalid);
  const Use use(*this, file);
  const Result<std::size_t> taken =
      driver_->stack().ConnectWithData(driver_->Now(), file->socket, remote, FirstBytes(pieces));
  if (taken) file->stage = SocketStage::kConnecting;
  driver_->Settle();
  if (!taken) return taken;
  if (dont_wait || file->nonblocking) {
    if (*taken == 0) return std::unexpected(Error::kInProgress);
    return taken;
  }
  if (auto open = AwaitConnect(lock, *file, true); !open) return std::unexpected(open.error());
  const std::vector<iovec> rest = Behind(pieces, *taken);
  if (rest.empty()) return taken;
  const Result<std::size_t> more = SendPieces(lock, *file, rest, false, flags);
  if (!more && *taken == 0) return more;
  return *taken + more.value_or(0);
}

}  // namespace estab::api
