// Bytes that are not copied: sent from where the user has them, read where they have arrived.
#include "stack/engine.h"
#include "tcp/urgent.h"
#include "tcp/user.h"

namespace estab {
namespace {

constexpr auto kBad = Error::kBadHandle;

}  // namespace

Result<std::size_t> Stack::SendReference(Time now, SocketId id, std::span<const std::byte> data,
                                         std::uint64_t token, SendFlags flags) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  const auto result = tcp::UserSendReference(cx, *socket, data, token, flags.more, flags.urgent);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kSend,
                       result ? static_cast<std::int64_t>(*result) : -1,
                       result ? Error{} : result.error());
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return result;
}

std::size_t Stack::TakeReturned(std::span<ReturnedBytes> out) {
  std::size_t n = 0;
  while (n < out.size() && impl_->buffers.chunks.TakeReturned(out[n])) ++n;
  return n;
}

Result<void> Stack::OwnReferences(SocketId id) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  if (socket->send_buffer == kNoSlot) return {};
  tcp::Buffers& buffers = impl_->buffers;
  if (buffers.send[socket->send_buffer].bytes.Own(buffers.chunks)) return {};
  return std::unexpected(Error::kNoMemory);
}

Result<std::size_t> Stack::Borrow(Time now, SocketId id, std::span<BorrowedBytes> out) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  const auto result = impl_->Borrow(cx, *socket, out);
  std::int64_t bytes = result ? 0 : -1;
  for (std::size_t i = 0; i < result.value_or(0); ++i) {
    bytes += static_cast<std::int64_t>(out[i].bytes.size());
  }
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kReceive, bytes,
                       result ? Error{} : result.error());
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return result;
}

Result<std::size_t> Stack::Impl::Borrow(Context& cx, Socket& socket, std::span<BorrowedBytes> out) {
  std::size_t n = 0;
  for (; n < out.size(); ++n) {
    // An error, and the end, are for a call that has nothing else to tell.
    if (n != 0 && buffers.ReceiveSize(socket) == 0) break;
    if (n != 0 && tcp::AtMark(cx, socket)) break;
    const std::uint32_t slot = borrowed.Create();
    if (slot == kNoSlot) return n != 0 ? Result<std::size_t>(n) : std::unexpected(Error::kNoMemory);
    Slice piece;
    const Result<Chunk*> chunk = tcp::UserBorrow(cx, socket, piece);
    if (!chunk || *chunk == nullptr) {
      borrowed.Destroy(slot);
      if (!chunk) return std::unexpected(chunk.error());
      break;
    }
    borrowed[slot] = {*chunk, static_cast<std::uint32_t>(piece.size), IdOf(socket), socket.number};
    out[n] = {{piece.data, piece.size}, std::uint64_t{borrowed.generation(slot)} << 32 | slot};
  }
  return n;
}

Result<void> Stack::GiveBack(Time now, std::span<const BorrowedBytes> pieces) {
  bool all = true;
  for (const BorrowedBytes& piece : pieces) all &= impl_->GiveBack(now, piece.loan);
  return all ? Result<void>() : std::unexpected(Error::kInvalid);
}

bool Stack::Impl::GiveBack(Time now, std::uint64_t loan) {
  const auto slot = static_cast<std::uint32_t>(loan);
  if (!borrowed.Holds(slot, static_cast<std::uint32_t>(loan >> 32))) return false;
  const Borrowed piece = borrowed[slot];
  borrowed.Destroy(slot);
  buffers.chunks.Unref(piece.chunk);
  if (!sockets.Holds(piece.socket.index, piece.socket.generation)) return true;
  Socket& socket = sockets[piece.socket.index];
  if (socket.number != piece.number || !socket.attached) return true;
  Context cx = MakeContext(now);
  tcp::UserGiveBack(cx, socket, piece.size);
  Settle(cx, socket);
  return true;
}

}  // namespace estab
