// Connecting, and everything that can come of it.
#include <algorithm>

#include "api/sockets.h"

namespace estab::api {

Duration Sockets::ConnectTimeout(const OpenFile& file) const {
  if (file.nonblocking) return Duration::zero();
  if (!driver_->stack().ConnectTimeoutEnds()) return file.send_timeout;
  return std::min(file.send_timeout, file.receive_timeout);
}

// Puts a new engine socket behind the file, with the same options and the same bind.
Result<void> Sockets::Reopen(OpenFile& file) {
  Stack& stack = driver_->stack();
  const Result<SocketOptions> options = stack.GetOptions(file.socket);
  const Result<ConnectionInfo> info = stack.GetInfo(driver_->Now(), file.socket);
  const Result<SocketId> fresh = stack.Open(file.ipv6);
  if (!fresh) return std::unexpected(fresh.error());
  if (info && info->number != 0) file.past_connection = info->number;
  file.stage = SocketStage::kUnconnected;
  static_cast<void>(stack.Abort(driver_->Now(), file.socket));
  Place(file, *fresh);
  if (options) {
    if (auto set = stack.SetOptions(driver_->Now(), *fresh, *options); !set) return set;
  }
  if (!file.bound) return {};
  if (info) file.bound->port = info->tuple.local.port;  // the one that bind chose, if it chose
  auto bound = stack.Bind(*fresh, *file.bound);
  if (!bound) file.bound.reset();
  return bound;
}

// kWouldBlock while the attempt is under way; afterwards its outcome, told once.
Result<void> Sockets::ConnectOutcome(OpenFile& file) {
  Stack& stack = driver_->stack();
  const Result<ConnectionInfo> info = stack.GetInfo(driver_->Now(), file.socket);
  if (!info) return std::unexpected(info.error());
  if (info->state == State::kSynSent || info->state == State::kSynRcvd) {
    return std::unexpected(Error::kWouldBlock);
  }
  if (info->state != State::kClosed) {
    file.stage = SocketStage::kConnected;
    return {};
  }
  const auto error = stack.TakeError(file.socket);
  // The socket is as new, and may connect again.
  static_cast<void>(Reopen(file));
  if (!error) return std::unexpected(error.error());
  return std::unexpected(error->value_or(Error::kConnectionAborted));
}

// `begun` by this very call: then Linux's answer to a time-out is "in progress".
Result<void> Sockets::AwaitConnect(Driver::Lock& lock, OpenFile& file, bool begun) {
  const Result<void> result =
      Blocking(lock, ConnectTimeout(file), [&] { return ConnectOutcome(file); });
  if (result || result.error() != Error::kWouldBlock) return result;
  if (!driver_->stack().ConnectTimeoutEnds()) {
    return std::unexpected(begun ? Error::kInProgress : Error::kAlready);
  }
  static_cast<void>(Reopen(file));
  driver_->Settle();
  return std::unexpected(Error::kTimedOut);
}

Result<void> Sockets::Connect(int handle, const Endpoint& remote) {
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile* file = *found;
  const Use use(*this, file);
  if (file->stage == SocketStage::kConnected) return std::unexpected(Error::kIsConnected);
  if (file->stage == SocketStage::kDisconnecting) return std::unexpected(Error::kInvalid);
  if (file->stage == SocketStage::kConnecting) {
    if (!file->nonblocking) return AwaitConnect(lock, *file, false);
    Result<void> outcome = ConnectOutcome(*file);
    driver_->Settle();
    if (!outcome && outcome.error() == Error::kWouldBlock)
      outcome = std::unexpected(Error::kAlready);
    return outcome;
  }
  const Result<void> begun = driver_->stack().Connect(driver_->Now(), file->socket, remote);
  if (begun) file->stage = SocketStage::kConnecting;  // Fast Open: the first write sends the SYN
  if (begun || begun.error() != Error::kInProgress) {
    driver_->Settle();
    return begun;
  }
  file->stage = SocketStage::kConnecting;
  driver_->Settle();
  if (file->nonblocking) return std::unexpected(Error::kInProgress);
  return AwaitConnect(lock, *file, true);
}

// Linux's tcp_disconnect: the socket is as new, and what was open or opening leaves an error.
Result<void> Sockets::DropConnection(OpenFile& file) {
  const Result<ConnectionInfo> info = driver_->stack().GetInfo(driver_->Now(), file.socket);
  constexpr StateSet kLeavesError = In(State::kSynSent) | In(State::kSynRcvd) |
                                    In(State::kEstablished) | In(State::kFinWait1) |
                                    In(State::kFinWait2) | In(State::kCloseWait);
  const bool error = info && (In(info->state) & kLeavesError) != 0;
  const Result<void> result = Reopen(file);
  if (result && error) {
    static_cast<void>(driver_->stack().SetError(file.socket, Error::kConnectionReset));
  }
  return result;
}

Result<void> Sockets::Disconnect(int handle) {
  const Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile* file = *found;
  const Result<void> result = DropConnection(*file);
  driver_->Settle();
  driver_->WakeAll();
  return result;
}

}  // namespace estab::api
