// Sending and receiving.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "api/sockets.h"

namespace estab::api {
namespace {

std::size_t TotalSize(std::span<const iovec> pieces) {
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

// Calls `use(bytes, more)` for each part of `pieces` behind the first `offset` bytes until it says
// stop (false).
template <class Byte, class UsePart>
void ForEachPart(std::span<const iovec> pieces, std::size_t offset, UsePart&& use) {
  for (const iovec& piece : pieces) {
    if (offset >= piece.iov_len) {
      offset -= piece.iov_len;
      continue;
    }
    const auto* begin = static_cast<std::byte*>(piece.iov_base) + offset;
    if (!use(std::span<Byte>(const_cast<Byte*>(begin), piece.iov_len - offset))) return;
    offset = 0;
  }
}

bool ErrorWaits(const Stack& stack, SocketId socket) {
  return (stack.GetReadiness(socket).value_or(0) & kErrorPending) != 0;
}

}  // namespace

Result<std::size_t> Sockets::Send(int handle, std::span<const iovec> pieces, bool dont_wait,
                                  SendFlags flags) {
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile& file = **found;
  if (pieces.size() == 1 && (dont_wait || file.nonblocking)) {
    return SendAtOnce(file, pieces[0], flags);
  }
  const Use use(*this, &file);
  return SendPieces(lock, file, pieces, dont_wait, flags);
}

// One piece, and no waiting: what the engine says is the answer.
Result<std::size_t> Sockets::SendAtOnce(OpenFile& file, const iovec& piece, SendFlags flags) {
  const std::span bytes(static_cast<const std::byte*>(piece.iov_base), piece.iov_len);
  const Result<std::size_t> sent = driver_->stack().Send(driver_->Now(), file.socket, bytes, flags);
  driver_->Settle();
  if (sent && *sent == 0 && !bytes.empty()) return std::unexpected(Error::kWouldBlock);
  return sent;
}

Result<std::size_t> Sockets::SendPieces(Driver::Lock& lock, OpenFile& file,
                                        std::span<const iovec> pieces, bool dont_wait,
                                        SendFlags flags, ReferenceCall* call) {
  Stack& stack = driver_->stack();
  const std::size_t total = TotalSize(pieces);
  std::size_t sent = 0;
  const auto attempt = [&]() -> Result<std::size_t> {
    // An error is told once: not by a call that can still return a count.
    if (sent > 0 && ErrorWaits(stack, file.socket)) return sent;
    Result<std::size_t> last = std::size_t{0};
    if (total == 0) last = stack.Send(driver_->Now(), file.socket, {});
    ForEachPart<const std::byte>(pieces, sent, [&](std::span<const std::byte> part) {
      // Pieces of one call belong together: none but the last one ends a segment.
      SendFlags now = flags;
      const bool ends = sent + part.size() == total;
      now.more |= !ends;
      now.urgent &= ends;
      last = call == nullptr ? stack.Send(driver_->Now(), file.socket, part, now)
                             : SendPiece(file, part, now, *call);
      if (last) sent += *last;
      return last && *last == part.size();
    });
    if (!last && (last.error() != Error::kWouldBlock || total == 0)) {
      return sent > 0 ? Result<std::size_t>(sent) : last;
    }
    if (sent < total) return std::unexpected(Error::kWouldBlock);
    return sent;
  };
  const bool wait = !dont_wait && !file.nonblocking;
  Result<std::size_t> result = Blocking(lock, wait ? file.send_timeout : Duration::zero(), attempt);
  if (!result && sent > 0) result = sent;
  return result;
}

// What can be had now, behind `offset` bytes had before. Never takes an error or an end of stream
// when there were bytes before: those are for the next call.
Result<std::size_t> Sockets::ReceiveSome(OpenFile& file, std::span<const iovec> pieces,
                                         std::size_t offset, const ReceiveFlags& flags) {
  Stack& stack = driver_->stack();
  std::size_t got = 0;
  Result<std::size_t> last = std::size_t{0};
  std::array<std::byte, 4096> waste;
  ForEachPart<std::byte>(pieces, offset, [&](std::span<std::byte> part) {
    std::size_t left = part.size();
    while (left != 0) {
      if (offset + got > 0) {  // the next call's: what lies behind an urgent byte, and the end
        const auto info = stack.GetInfo(driver_->Now(), file.socket);
        if (!info || info->receive_queue == 0 || info->at_mark) return false;
      }
      // Discarding, the caller's memory may not even be there.
      const std::span<std::byte> into =
          flags.discard ? std::span(waste).first(std::min(left, waste.size())) : part.last(left);
      last = stack.Read(driver_->Now(), file.socket, into);
      if (!last || *last == 0) return false;
      got += *last;
      left -= *last;
    }
    return true;
  });
  if (got > 0) return got;
  if (offset > 0) return std::unexpected(Error::kWouldBlock);
  return last;
}

namespace {

// MSG_PEEK into several pieces: the engine peeks at the head only.
Result<std::size_t> Peek(Stack& stack, Time now, SocketId socket, std::span<const iovec> pieces,
                         bool discard) {
  if (pieces.size() == 1 && !discard) {
    return stack.Read(now, socket, {static_cast<std::byte*>(pieces[0].iov_base), pieces[0].iov_len},
                      true);
  }
  const auto info = stack.GetInfo(now, socket);
  if (!info) return std::unexpected(info.error());
  std::vector<std::byte> bytes(
      std::max<std::size_t>(1, std::min<std::size_t>(TotalSize(pieces), info->receive_queue)));
  const Result<std::size_t> n = stack.Read(now, socket, bytes, true);
  if (discard) return n;
  std::size_t copied = 0;
  ForEachPart<std::byte>(pieces, 0, [&](std::span<std::byte> part) {
    const std::size_t take = std::min(part.size(), n.value_or(0) - copied);
    std::copy_n(bytes.data() + copied, take, part.data());
    copied += take;
    return copied < n.value_or(0);
  });
  return n;
}

// Nothing will be added to what this call can read.
bool NoMoreToCome(const Stack& stack, Time now, SocketId socket) {
  const auto info = stack.GetInfo(now, socket);
  if (!info || info->at_mark) return true;
  return (stack.GetReadiness(socket).value_or(kHangup) & (kReadClosed | kHangup | kErrorPending)) !=
         0;
}

// SO_RCVLOWAT, as far as this call can take so much.
std::size_t LowWater(const Stack& stack, SocketId socket, std::size_t total) {
  const auto options = stack.GetOptions(socket);
  const std::size_t low = options ? options->receive_low_water : 0;
  return std::min(std::max<std::size_t>(low, 1), total);
}

// MSG_OOB: never waits, as on Linux.
Result<std::size_t> ReceiveUrgent(Stack& stack, Time now, SocketId socket,
                                  std::span<const iovec> pieces,
                                  const Sockets::ReceiveFlags& flags) {
  std::byte byte{};
  const bool room = TotalSize(pieces) > 0;
  const auto n =
      stack.ReadUrgent(now, socket, {&byte, room ? std::size_t{1} : std::size_t{0}}, flags.peek);
  if (!n || *n == 0 || flags.discard) return n;
  ForEachPart<std::byte>(pieces, 0, [&](std::span<std::byte> part) {
    part[0] = byte;
    return false;
  });
  return n;
}

}  // namespace

Result<std::size_t> Sockets::Receive(int handle, std::span<const iovec> pieces, ReceiveFlags flags,
                                     int* queued) {
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile* file = *found;
  Stack& stack = driver_->stack();
  if (flags.urgent) return ReceiveUrgent(stack, driver_->Now(), file->socket, pieces, flags);
  const bool wait = !flags.dont_wait && !file->nonblocking;
  if (pieces.size() == 1 && !wait && !flags.peek && !flags.discard) {
    return ReceiveAtOnce(*file, pieces[0], queued);
  }
  const Use use(*this, file);
  const std::size_t total = TotalSize(pieces);
  const std::size_t target = flags.wait_all ? total : LowWater(stack, file->socket, total);
  std::size_t got = 0;
  const auto attempt = [&]() -> Result<std::size_t> {
    if (total == 0) return stack.Read(driver_->Now(), file->socket, {}, flags.peek);
    if (flags.peek) {
      const Result<std::size_t> n =
          Peek(stack, driver_->Now(), file->socket, pieces, flags.discard);
      if (!n) return got > 0 ? Result<std::size_t>(got) : n;
      got = *n;
    } else {
      const Result<std::size_t> n = ReceiveSome(*file, pieces, got, flags);
      if (!n && n.error() != Error::kWouldBlock) return n;
      if (!n && got == 0) return n;
      if (n && *n == 0) return got;
      got += n.value_or(0);
    }
    if (got > 0 && got < target && !NoMoreToCome(stack, driver_->Now(), file->socket)) {
      return std::unexpected(Error::kWouldBlock);
    }
    return got;
  };
  Result<std::size_t> result =
      Blocking(lock, wait ? file->receive_timeout : Duration::zero(), attempt);
  if (!result && got > 0) result = got;
  TellQueue(*file, result.has_value(), queued);
  return result;
}

// Into one piece, and no waiting: what the engine says is the answer.
Result<std::size_t> Sockets::ReceiveAtOnce(OpenFile& file, const iovec& piece, int* queued) {
  const std::span into(static_cast<std::byte*>(piece.iov_base), piece.iov_len);
  const Result<std::size_t> got = driver_->stack().Read(driver_->Now(), file.socket, into);
  driver_->Settle();
  TellQueue(file, got.has_value(), queued);
  return got;
}

void Sockets::TellQueue(const OpenFile& file, bool received, int* queued) {
  if (received && queued != nullptr && file.report_queue) {
    *queued = QueueOf(driver_->stack(), file);
  }
}

// TCP_INQ: bytes that wait, and, after a FIN, at least 1, so that the end is read too.
int Sockets::QueueOf(Stack& stack, const OpenFile& file) {
  const auto info = stack.GetInfo(driver_->Now(), file.socket);
  if (!info) return 0;
  const bool ended = (stack.GetReadiness(file.socket).value_or(0) & kReadClosed) != 0;
  return static_cast<int>(info->receive_queue) + (ended ? 1 : 0);
}

}  // namespace estab::api
