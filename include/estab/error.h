// What a caller can be told: one enumeration, convertible to errno and to std::error_code.
#pragma once

#include <cstdint>
#include <expected>
#include <system_error>

namespace estab {

/// Why a call did not do what was asked. Each value stands for the Linux errno named beside it,
/// and means what that errno means there for a TCP socket. What a *peer* does wrong never shows up
/// here as such: it is a rule (see rule.h), and its consequence for the caller is one of these.
enum class Error : std::uint8_t {
  kWouldBlock = 1,         // EAGAIN         nothing to read, no room to write, nothing to accept
  kInProgress,             // EINPROGRESS    the connection attempt has begun
  kAlready,                // EALREADY       a connection attempt is already under way
  kIsConnected,            // EISCONN        the socket is connected already
  kNotConnected,           // ENOTCONN       the socket is not connected
  kInvalid,                // EINVAL         an argument, or the socket's state, does not allow it
  kBadHandle,              // EBADF          no such socket, or one that was closed
  kAddressInUse,           // EADDRINUSE     the local address and port are taken
  kAddressNotAvailable,    // EADDRNOTAVAIL  not an address of this stack, or no port is left
  kFamilyNotSupported,     // EAFNOSUPPORT   the address is of another family
  kConnectionRefused,      // ECONNREFUSED   the peer answered the SYN with a reset
  kConnectionReset,        // ECONNRESET     the peer reset the connection
  kConnectionAborted,      // ECONNABORTED   it was gone before it could be accepted
  kTimedOut,               // ETIMEDOUT      retransmissions or keepalive gave up
  kBrokenPipe,             // EPIPE          the sending side is closed
  kNetworkUnreachable,     // ENETUNREACH    no route, or ICMP said so
  kHostUnreachable,        // EHOSTUNREACH   ICMP said so
  kProtocolNotAvailable,   // ENOPROTOOPT    an option that is not supported
  kProtocolError,          // EPROTO         ICMP parameter problem
  kOperationNotSupported,  // EOPNOTSUPP     not for this kind of socket
  kNoMemory,               // ENOMEM         the memory budget is spent
  kNoBuffers,              // ENOBUFS        a fixed table is full
  kMessageTooLong,         // EMSGSIZE       it does not fit
  kNotFound,               // ENOENT         no such name
  kBusy,                   // EBUSY          too late to change this
  kPermission,             // EPERM          the operating system does not allow it
  kHostDown,               // EHOSTDOWN      ICMP host unknown
  kNotOnNetwork,           // ENONET         ICMP source host isolated
  kAccessDenied,           // EACCES         ICMPv6: prohibited on the way
  kIo,                     // EIO            the operating system failed
  kNotSocket,              // ENOTSOCK       the handle is an epoll's, not a socket's
};

/// The Linux errno for `error` (a number of this platform's <cerrno>).
int ToErrno(Error error);

/// A short English sentence part, e.g. "connection refused by the peer". Static storage.
const char* Describe(Error error);

/// The category behind std::error_code values made of Error.
const std::error_category& ErrorCategory();
std::error_code make_error_code(Error error);

/// What nearly every call of the library returns.
template <class T>
using Result = std::expected<T, Error>;

}  // namespace estab

template <>
struct std::is_error_code_enum<estab::Error> : std::true_type {};
