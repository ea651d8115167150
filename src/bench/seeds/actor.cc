#include "bench/seeds/actor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/prng.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

// Bytes whose period is no multiple of anything that a stack might be wrong by.
constexpr std::size_t kPeriod = 65521;
constexpr std::size_t kMost = 65536;  // one write or read

std::span<const std::byte> Pattern() {
  static const std::vector<std::byte> pattern = [] {
    std::vector<std::byte> bytes(kPeriod + kMost);
    Prng prng(0x7061747465726e);
    for (std::size_t i = 0; i < kPeriod; ++i) bytes[i] = static_cast<std::byte>(prng.Next());
    std::copy_n(bytes.begin(), kMost, bytes.begin() + kPeriod);
    return bytes;
  }();
  return pattern;
}

std::span<const std::byte> Bytes(std::uint64_t key, std::uint64_t offset, std::size_t count) {
  return Pattern().subspan((key + offset) % kPeriod, count);
}

}  // namespace

Actor::Actor(sim::World& world, Verdict& verdict, sim::Side side, const EndPlan& plan,
             std::uint64_t key, std::string name)
    : world_(world),
      verdict_(verdict),
      side_(side),
      plan_(plan),
      key_(key % kPeriod),
      name_(std::move(name)) {}

void Actor::Fail(const std::string& what) {
  verdict_.Fail(
      fmt::format("{} at {} ms: {} ({})", name_, now().time_since_epoch() / 1ms, what, Summary()));
}

std::string Actor::Summary() const {
  return fmt::format("sent {} of {}, received {}{}{}", sent_, plan_.bytes, received_,
                     ended_ ? ", end seen" : "",
                     error_ ? fmt::format(", {}", Describe(*error_)) : "");
}

void Actor::Begin(SocketId socket) {
  began_ = true;
  socket_ = socket;
  static_cast<void>(stack().SetUser(socket, this));
  Pump();
}

void Actor::Die() {
  if (!socket_) return;
  socket_.reset();
  died_ = true;
}

void Actor::PumpAt(Time at) {
  world_.At(at, [this] { Pump(); });
}

void Actor::Pump() {
  while (socket_) {
    const bool wrote = WriteSome();
    if (!socket_) return;
    const bool read = ReadSome();
    if (!socket_) return;
    Leave();
    if (!socket_) return;
    if (!wrote && !read) break;
  }
  if (socket_) CheckDead();
}

// Writes one chunk; true if there may be more to write now.
bool Actor::WriteSome() {
  const bool held_back = plan_.replies && !ended_;
  if (fin_ || shut_both_ || error_ || held_back || sent_ >= plan_.bytes) return false;
  if (now() < write_at_) return false;
  const std::size_t chunk = std::min<std::size_t>(plan_.bytes - sent_, plan_.write_chunk);
  const auto result = stack().Send(now(), *socket_, Bytes(key_, sent_, chunk));
  if (!result) {
    if (result.error() != Error::kWouldBlock) OnError(result.error());
    return false;
  }
  if (*result == 0 || *result > chunk) Fail(fmt::format("wrote {} of {}", *result, chunk));
  sent_ += *result;
  if (plan_.write_pause == Duration::zero()) return *result != 0;
  write_at_ = now() + plan_.write_pause;
  PumpAt(write_at_);
  return false;
}

// Reads one chunk; true if there may be more to read now.
bool Actor::ReadSome() {
  if (ended_ || shut_both_ || now() < read_at_) return false;
  std::array<std::byte, kMost> into;
  const std::size_t most = std::min<std::size_t>(plan_.read_chunk, into.size());
  const auto result = stack().Read(now(), *socket_, std::span(into).first(most));
  if (!result) {
    if (result.error() == Error::kWouldBlock) return false;
    OnError(result.error());
    return true;
  }
  if (*result > most) {
    Fail("read more than there was room for");
    return false;
  }
  if (*result == 0) {
    OnEnd();
    return true;
  }
  OnBytes(std::span<const std::byte>(into).first(*result));
  if (plan_.read_pause == Duration::zero()) return true;
  read_at_ = now() + plan_.read_pause;
  PumpAt(read_at_);
  return false;
}

// Delivered bytes are an exact prefix of the sent bytes.
void Actor::OnBytes(std::span<const std::byte> bytes) {
  if (received_ + bytes.size() > peer_->sent_) {
    Fail(fmt::format("{} bytes beyond what was sent", received_ + bytes.size() - peer_->sent_));
  }
  const auto expected = Bytes(peer_->key_, received_, bytes.size());
  if (!std::ranges::equal(bytes, expected)) {
    const auto wrong = std::ranges::mismatch(bytes, expected).in1 - bytes.begin();
    Fail(fmt::format("wrong byte at {}", received_ + static_cast<std::uint64_t>(wrong)));
  }
  received_ += bytes.size();
}

// Nobody is told of an orderly end that was none, nor of one before the last byte.
void Actor::OnEnd() {
  ended_ = true;
  if (error_) return;
  if (!peer_->fin_) Fail("end of a stream that the peer has not closed");
  if (received_ != peer_->sent_) Fail(fmt::format("the end came before {} bytes", peer_->sent_));
}

void Actor::OnError(Error error) {
  if (!error_) error_ = error;
}

// A connection that is over must have said so, by an error or the end of the stream.
void Actor::CheckDead() {
  const auto info = stack().GetInfo(now(), *socket_);
  if (!info) return Fail("the socket has gone");
  if (info->state != State::kClosed || info->number == 0) return;
  const bool told = ended_ || error_ || shut_both_ || now() < read_at_;
  if (!told) Fail("CLOSED, and neither an error nor an end was reported");
}

void Actor::Close(bool linger_zero) {
  const auto info = stack().GetInfo(now(), *socket_);
  const bool orderly = info && info->receive_queue == 0 && !linger_zero;
  if (orderly || shut_both_) fin_ = true;
  if (linger_zero) {
    SocketOptions options = plan_.options;
    options.linger = true;
    if (!stack().SetOptions(now(), *socket_, options)) Fail("SO_LINGER was refused");
  }
  if (!stack().Close(now(), *socket_)) Fail("close failed");
  socket_.reset();
}

void Actor::Leave() {
  const bool written = sent_ >= plan_.bytes && !(plan_.replies && !ended_);
  if (plan_.ending == Ending::kAbort && sent_ + received_ >= plan_.abort_after) {
    if (!stack().Abort(now(), *socket_)) Fail("abort failed");
    socket_.reset();
    return;
  }
  if (error_ && ended_) return Close(false);
  if (!written) return;
  if (shut_both_) {
    if (now() >= leave_at_) Close(false);
    return;
  }
  // Before the connection is there, closing would only withdraw the attempt.
  const auto info = stack().GetInfo(now(), *socket_);
  if (info && info->state == State::kSynSent) return;
  switch (plan_.ending) {
    case Ending::kPolite:
    case Ending::kAbort:
      if (!fin_ && !error_ && stack().Shutdown(now(), *socket_, How::kWrite)) fin_ = true;
      if (ended_) Close(false);
      return;
    case Ending::kCloseEarly:
      return Close(false);
    case Ending::kLingerZero:
      return Close(true);
    case Ending::kShutBoth:
      if (!stack().Shutdown(now(), *socket_, How::kBoth)) return;
      shut_both_ = fin_ = true;
      leave_at_ = now() + std::chrono::milliseconds(plan_.abort_after);
      PumpAt(leave_at_);
      return;
  }
}

void Actor::CheckGivenUp() {
  if (!socket_) return;
  const auto info = stack().GetInfo(now(), *socket_);
  if (info && (info->send_queue != 0 || info->state == State::kSynSent)) {
    Fail("nobody has answered for hours, and the connection was not given up");
  }
}

void Actor::GiveUp(bool abort, bool must_be_over) {
  if (!socket_) return;
  const std::uint64_t sent_before = sent_;
  const std::uint64_t received_before = received_;
  const auto readiness = stack().GetReadiness(*socket_);
  const bool writable = readiness && (*readiness & kWritable) != 0;
  const bool ended_before = ended_;
  const bool error_before = error_.has_value();
  // Everything that can be done now could have been done when it became possible.
  Pump();
  // Little room for writing is not told on purpose.
  if ((sent_ != sent_before && writable) || received_ != received_before ||
      ended_ != ended_before || error_.has_value() != error_before) {
    Fail("there was something to do that readiness did not tell");
  }
  if (!socket_) return;
  if (must_be_over) Fail("the conversation never ended");
  if (abort) {
    static_cast<void>(stack().Abort(now(), *socket_));
    socket_.reset();
  } else {
    Close(false);
  }
}

}  // namespace estab::bench
