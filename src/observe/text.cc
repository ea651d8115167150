#include "observe/text.h"

#include <array>
#include <cstddef>
#include <utility>

#include "estab/stack.h"
#include "observe/format.h"

namespace estab::observe {
namespace {

struct FlagName {
  std::uint16_t flag;
  const char* name;
  char letter;
};
constexpr FlagName kFlagNames[] = {
    {kSyn, "SYN", 'S'}, {kFin, "FIN", 'F'}, {kRst, "RST", 'R'},
    {kPsh, "PSH", 'P'}, {kUrg, "URG", 'U'}, {kEce, "ECE", 'E'},
    {kCwr, "CWR", 'W'}, {kAe, "AE", 'e'},   {kAck, "ACK", '.'},
};

struct ErrorName {
  Error error;
  std::string_view name;
};
constexpr ErrorName kErrorNames[] = {
    {Error::kWouldBlock, "EAGAIN"},
    {Error::kInProgress, "EINPROGRESS"},
    {Error::kAlready, "EALREADY"},
    {Error::kIsConnected, "EISCONN"},
    {Error::kNotConnected, "ENOTCONN"},
    {Error::kInvalid, "EINVAL"},
    {Error::kBadHandle, "EBADF"},
    {Error::kAddressInUse, "EADDRINUSE"},
    {Error::kAddressNotAvailable, "EADDRNOTAVAIL"},
    {Error::kFamilyNotSupported, "EAFNOSUPPORT"},
    {Error::kConnectionRefused, "ECONNREFUSED"},
    {Error::kConnectionReset, "ECONNRESET"},
    {Error::kConnectionAborted, "ECONNABORTED"},
    {Error::kTimedOut, "ETIMEDOUT"},
    {Error::kBrokenPipe, "EPIPE"},
    {Error::kNetworkUnreachable, "ENETUNREACH"},
    {Error::kHostUnreachable, "EHOSTUNREACH"},
    {Error::kProtocolNotAvailable, "ENOPROTOOPT"},
    {Error::kProtocolError, "EPROTO"},
    {Error::kOperationNotSupported, "EOPNOTSUPP"},
    {Error::kNoMemory, "ENOMEM"},
    {Error::kNoBuffers, "ENOBUFS"},
    {Error::kMessageTooLong, "EMSGSIZE"},
    {Error::kNotFound, "ENOENT"},
    {Error::kBusy, "EBUSY"},
    {Error::kPermission, "EPERM"},
    {Error::kIo, "EIO"},
};

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

}  // namespace

std::string FlagsText(std::uint16_t flags, bool brief) {
  std::string out;
  for (const FlagName& f : kFlagNames) {
    if ((flags & f.flag) == 0) continue;
    if (brief) {
      out += f.letter;
    } else {
      if (!out.empty()) out += '|';
      out += f.name;
    }
  }
  return out.empty() ? "none" : out;
}

std::string SecondsText(Duration time, int decimals) {
  const bool negative = time.count() < 0;
  const std::uint64_t ns = negative ? 0 - static_cast<std::uint64_t>(time.count())
                                    : static_cast<std::uint64_t>(time.count());
  std::string out =
      fmt::format("{}{}.{:09}", negative ? "-" : "", ns / 1'000'000'000, ns % 1'000'000'000);
  out.resize(out.size() - 9 + static_cast<std::size_t>(decimals));
  if (decimals == 0) out.pop_back();
  return out;
}

std::string SpanText(Duration span) {
  const std::int64_t ns = span.count();
  struct Unit {
    std::int64_t size;
    int digits;
    const char* name;
  };
  constexpr Unit kUnits[] = {{1'000'000'000, 9, "s"}, {1'000'000, 6, "ms"}, {1'000, 3, "us"}};
  if (ns == 0) return "0 s";
  if (ns < 0) return "-" + SpanText(Duration(-ns));
  for (const Unit& unit : kUnits) {
    if (ns < unit.size) continue;
    std::string out = fmt::format("{}", ns / unit.size);
    if (ns % unit.size != 0) {
      out += fmt::format(".{:0{}}", ns % unit.size, unit.digits);
      while (out.back() == '0') out.pop_back();
    }
    return out + " " + unit.name;
  }
  return fmt::format("{} ns", ns);
}

std::string Counted(std::uint64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

std::string EndpointText(const Endpoint& endpoint) {
  std::array<char, kEndpointTextSize> buffer;
  return std::string(FormatEndpoint(endpoint, buffer));
}

std::string TupleText(const Tuple& tuple) {
  return EndpointText(tuple.local) + " - " + EndpointText(tuple.remote);
}

std::string_view ErrnoName(Error error) {
  for (const ErrorName& e : kErrorNames) {
    if (e.error == error) return e.name;
  }
  return "error";
}

std::size_t Columns(std::string_view utf8) {
  std::size_t n = 0;
  for (const char c : utf8) n += IsContinuation(c) ? 0 : 1;
  return n;
}

std::string Fit(std::string_view utf8, std::size_t columns, bool ascii) {
  if (Columns(utf8) <= columns) return std::string(utf8);
  if (columns == 0) return {};
  std::size_t end = 0;
  for (std::size_t seen = 0; end < utf8.size(); ++end) {
    if (!IsContinuation(utf8[end]) && seen++ == columns - 1) break;
  }
  return std::string(utf8.substr(0, end)) + (ascii ? "~" : "…");
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\t') out += c;
    }
  }
  return out;
}

const char* TriggerName(Trigger trigger) {
  switch (trigger) {
    case Trigger::kCall:
      return "call";
    case Trigger::kSegment:
      return "segment";
    case Trigger::kTimer:
      return "timer";
    case Trigger::kIcmp:
      return "ICMP";
  }
  return "?";
}

std::string FullSettingName(const std::string& name) {
  if (name.find('.') != std::string::npos) return name;
  struct Search {
    std::string ending;
    std::string found;
  } search{"." + name, {}};
  Stack::ForEachSetting(
      [](void* context, const char* full, const char*) {
        auto& s = *static_cast<Search*>(context);
        if (std::string_view(full).ends_with(s.ending)) s.found = full;
      },
      &search);
  return search.found.empty() ? name : search.found;
}

}  // namespace estab::observe
