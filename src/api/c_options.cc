// The C interface: socket options.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "api/c_common.h"
#include "api/option_value.h"

using estab::Duration;
using estab::Result;
using estab::Time;
using estab::api::Fail;
using estab::api::OpenFile;
using estab::api::OptionIn;
using estab::api::OptionOut;
using estab::api::Run;
using estab::api::Sockets;

namespace {

// The two layouts of Linux are one where a long has 64 bits.
#ifndef SO_RCVTIMEO_NEW
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#endif
static_assert(sizeof(timeval) == 2 * sizeof(std::int64_t));

// The timeout that `name` means.
Duration OpenFile::* TimeoutOf(int name) {
  const bool receive = name == SO_RCVTIMEO || name == SO_RCVTIMEO_NEW;
  return receive ? &OpenFile::receive_timeout : &OpenFile::send_timeout;
}

int SetTimeout(OpenFile& file, int name, const OptionIn& in) {
  const auto value = in.As<timeval>();
  if (!value) return EINVAL;
  if (value->tv_usec < 0 || value->tv_usec >= 1'000'000) return EDOM;
  constexpr std::int64_t kEndless = Duration::max().count() / 1'000'000'000 - 1;
  Duration timeout = std::chrono::seconds(std::clamp<std::int64_t>(value->tv_sec, 0, kEndless)) +
                     std::chrono::microseconds(value->tv_usec);
  if (value->tv_sec < 0) timeout = Duration::zero();  // as Linux: do not wait at all
  const bool none = value->tv_sec >= kEndless || (value->tv_sec == 0 && value->tv_usec == 0);
  file.*TimeoutOf(name) = none ? estab::api::kNoTimeout : timeout;
  return 0;
}

void GetTimeout(const OpenFile& file, int name, OptionOut* out) {
  const Duration timeout = file.*TimeoutOf(name);
  timeval value{};
  if (timeout != estab::api::kNoTimeout) {
    value.tv_sec = static_cast<time_t>(timeout.count() / 1'000'000'000);
    value.tv_usec = static_cast<suseconds_t>(timeout.count() % 1'000'000'000 / 1000);
  }
  out->Set(value);
}

bool IsTimeout(int level, int name) {
  return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO ||
                                 name == SO_RCVTIMEO_NEW || name == SO_SNDTIMEO_NEW);
}

bool IsInq(int level, int name) { return level == IPPROTO_TCP && name == TCP_INQ; }

int SetInq(OpenFile& file, const OptionIn& in) {
  const auto value = in.As<int>();
  if (!value || *value < 0 || *value > 1) return EINVAL;
  file.report_queue = *value != 0;
  return 0;
}

bool IsZeroCopy(int level, int name) { return level == SOL_SOCKET && name == SO_ZEROCOPY; }

int SetZeroCopy(OpenFile& file, const OptionIn& in) {
  const auto value = in.As<int>();
  if (!value || *value < 0 || *value > 1) return EINVAL;
  file.zero_copy = *value != 0;
  return 0;
}

int GetError(estab::Stack& stack, const OpenFile& file, OptionOut* out) {
  const auto error = stack.TakeError(file.socket);
  if (!error) return estab::ToErrno(error.error());
  out->Set(*error ? estab::ToErrno(**error) : 0);
  return 0;
}

// As Linux: at the IP level a value that fits one byte may be asked for with room for less than an
// int, and comes as that byte.
// And SO_MAX_PACING_RATE is a long only if there is room for one.
void Shrink(int level, int name, socklen_t room, OptionOut* out) {
  int value = 0;
  if (level == SOL_SOCKET && name == SO_MAX_PACING_RATE && room < sizeof(std::uint64_t)) {
    std::uint64_t rate = 0;
    std::memcpy(&rate, out->bytes, sizeof(rate));
    out->Set(static_cast<std::uint32_t>(std::min<std::uint64_t>(rate, UINT32_MAX)));
  }
  if (level != IPPROTO_IP || room >= sizeof(int) || room == 0) return;
  std::memcpy(&value, out->bytes, sizeof(value));
  if (value >= 0 && value <= 255) out->Set(static_cast<unsigned char>(value));
}

// Runs `use(file, stack, now)`, which returns an errno or 0, on the socket.
template <class Use>
int ErrnoOf(Sockets& sockets, int s, Use&& use) {
  const Result<int> error =
      sockets.With(s, [&](OpenFile& file, estab::Stack& stack, Time now) -> Result<int> {
        return use(file, stack, now);
      });
  if (!error) return Fail(error.error());
  return *error == 0 ? 0 : Fail(*error);
}

}  // namespace

int estab_setsockopt(estab_stack* stack, int s, int level, int name, const void* value,
                     socklen_t length) {
  return Run(stack, [&](Sockets& sockets) {
    return ErrnoOf(sockets, s, [&](OpenFile& file, estab::Stack& engine, Time now) {
      if (static_cast<int>(length) < 0) return EINVAL;
      if (value == nullptr && length > 0) return EFAULT;
      const OptionIn in{value, length};
      if (IsTimeout(level, name)) return SetTimeout(file, name, in);
      if (IsInq(level, name)) return SetInq(file, in);
      if (IsZeroCopy(level, name)) return SetZeroCopy(file, in);
      return estab::api::SetStackOption(engine, now, file.socket, file.ipv6, level, name, in);
    });
  });
}

int estab_getsockopt(estab_stack* stack, int s, int level, int name, void* value,
                     socklen_t* length) {
  return Run(stack, [&](Sockets& sockets) {
    return ErrnoOf(sockets, s, [&](OpenFile& file, estab::Stack& engine, Time now) {
      if (length == nullptr) return EFAULT;
      if (static_cast<int>(*length) < 0) return EINVAL;
      if (value == nullptr && *length > 0) return EFAULT;
      OptionOut out;
      int error = 0;
      if (IsTimeout(level, name)) {
        GetTimeout(file, name, &out);
      } else if (IsInq(level, name)) {
        out.Set(file.report_queue ? 1 : 0);
      } else if (IsZeroCopy(level, name)) {
        out.Set(file.zero_copy ? 1 : 0);
      } else if (level == SOL_SOCKET && name == SO_ERROR) {
        error = GetError(engine, file, &out);
      } else {
        error = estab::api::GetStackOption(engine, now, file.socket, file.ipv6, level, name, &out);
      }
      if (error != 0) return error;
      Shrink(level, name, *length, &out);
      const socklen_t n = std::min(*length, out.size);
      if (n > 0) std::memcpy(value, out.bytes, n);
      *length = n;
      return 0;
    });
  });
}
