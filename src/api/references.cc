// Sending by reference, and reading by borrowing.
#include "api/sockets.h"

namespace estab::api {

SendNotices& Sockets::NoticesOf(OpenFile& file) {
  if (file.notices == nullptr) {
    do {
      ++last_owner_;
    } while (referring_.contains(last_owner_));
    auto notices = std::make_unique<SendNotices>(last_owner_);
    referring_.emplace(last_owner_, &file);
    driver_->ExpectReturned();
    file.notices = std::move(notices);
  }
  return *file.notices;
}

Result<std::size_t> Sockets::SendReference(int handle, std::span<const iovec> pieces,
                                           bool dont_wait, SendFlags flags, std::uint32_t* number) {
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile& file = **found;
  const Use use(*this, &file);
  if (number == nullptr && !file.zero_copy) {
    return SendPieces(lock, file, pieces, dont_wait, flags);
  }
  ReferenceCall call{};
  for (const iovec& piece : pieces) call.size += piece.iov_len;
  const Result<std::size_t> sent = SendPieces(lock, file, pieces, dont_wait, flags, &call);
  if (!call.number) return sent;
  if (number != nullptr) *number = *call.number;
  if (file.notices->End(*call.number)) WakeForNotice(file);
  return sent;
}

Result<std::size_t> Sockets::SendPiece(OpenFile& file, std::span<const std::byte> piece,
                                       SendFlags flags, ReferenceCall& call) {
  SendNotices& notices = NoticesOf(file);
  if (!call.number && !notices.HasRoom(call.size)) return std::unexpected(Error::kNoBuffers);
  const std::uint64_t token = notices.Token(call.number.value_or(notices.next()));
  const Result<std::size_t> taken =
      driver_->stack().SendReference(driver_->Now(), file.socket, piece, token, flags);
  if (!taken || *taken == 0) return taken;
  if (!call.number) call.number = notices.Begin(call.size);
  notices.AddPiece(*call.number);
  return taken;
}

void Sockets::OnReturned(const ReturnedBytes& bytes) {
  const auto found = referring_.find(SendNotices::OwnerOf(bytes.token));
  if (found == referring_.end()) return;  // closed: there is nobody to be told
  OpenFile& file = *found->second;
  if (file.notices->Returned(bytes)) WakeForNotice(file);
}

void Sockets::WakeForNotice(OpenFile& file) {
  if (!file.watchers.empty()) Epoll::Wake(file, PollBitsOf(kReturned));
}

Result<std::optional<ReturnedCalls>> Sockets::TakeReturned(int handle) {
  return With(handle, [](OpenFile& file, Stack&, Time) -> Result<std::optional<ReturnedCalls>> {
    if (file.notices == nullptr) return std::nullopt;
    return file.notices->Take();
  });
}

// The last handle is going, and with it whoever could be told: all of the caller's memory is its
// own again when this returns.
void Sockets::OwnReferences(OpenFile& file) {
  if (file.notices == nullptr) return;
  if (file.notices->under_way()) {
    Stack& stack = driver_->stack();
    if (!stack.OwnReferences(file.socket)) stack.Abort(driver_->Now(), file.socket);
    driver_->OwnHeld();
  }
  referring_.erase(file.notices->owner());
}

Result<std::size_t> Sockets::Borrow(int handle, std::span<BorrowedBytes> pieces, bool dont_wait) {
  if (pieces.empty()) return std::unexpected(Error::kInvalid);
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile& file = **found;
  const Use use(*this, &file);
  const bool wait = !dont_wait && !file.nonblocking;
  return Blocking(lock, wait ? file.receive_timeout : Duration::zero(),
                  [&] { return driver_->stack().Borrow(driver_->Now(), file.socket, pieces); });
}

Result<void> Sockets::GiveBack(std::span<const BorrowedBytes> pieces) {
  const Driver::Lock lock = driver_->Enter();
  if (driver_->ending()) return std::unexpected(Error::kBadHandle);
  const Result<void> result = driver_->stack().GiveBack(driver_->Now(), pieces);
  driver_->Settle();
  return result;
}

}  // namespace estab::api
