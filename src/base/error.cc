// Errors as numbers and words. Their std::error_category is in api/: it brings strings along.
#include "estab/error.h"

#include <cerrno>

namespace estab {
namespace {

struct Entry {
  Error error;
  int number;
  const char* text;
};

// In the order of the enumeration, from 1 on.
constexpr Entry kEntries[] = {
    {Error::kWouldBlock, EAGAIN, "nothing can be done now without waiting"},
    {Error::kInProgress, EINPROGRESS, "the connection attempt has begun"},
    {Error::kAlready, EALREADY, "a connection attempt is already under way"},
    {Error::kIsConnected, EISCONN, "the socket is already connected"},
    {Error::kNotConnected, ENOTCONN, "the socket is not connected"},
    {Error::kInvalid, EINVAL, "invalid argument, or not allowed in this state"},
    {Error::kBadHandle, EBADF, "no such socket"},
    {Error::kAddressInUse, EADDRINUSE, "the address and port are already in use"},
    {Error::kAddressNotAvailable, EADDRNOTAVAIL, "not an address of this stack, or no port left"},
    {Error::kFamilyNotSupported, EAFNOSUPPORT, "the address is of another family"},
    {Error::kConnectionRefused, ECONNREFUSED, "connection refused by the peer"},
    {Error::kConnectionReset, ECONNRESET, "connection reset by the peer"},
    {Error::kConnectionAborted, ECONNABORTED, "the connection ended before it was accepted"},
    {Error::kTimedOut, ETIMEDOUT, "the peer did not answer in time"},
    {Error::kBrokenPipe, EPIPE, "the sending side is closed"},
    {Error::kNetworkUnreachable, ENETUNREACH, "no route to the network"},
    {Error::kHostUnreachable, EHOSTUNREACH, "no route to the host"},
    {Error::kProtocolNotAvailable, ENOPROTOOPT, "the option is not supported"},
    {Error::kProtocolError, EPROTO, "a router or the peer could not read our packets"},
    {Error::kOperationNotSupported, EOPNOTSUPP, "not supported on this kind of socket"},
    {Error::kNoMemory, ENOMEM, "the memory budget is spent"},
    {Error::kNoBuffers, ENOBUFS, "a table of fixed size is full"},
    {Error::kMessageTooLong, EMSGSIZE, "it does not fit"},
    {Error::kNotFound, ENOENT, "no such name"},
    {Error::kBusy, EBUSY, "too late to change this"},
    {Error::kPermission, EPERM, "the operating system does not permit it"},
    {Error::kHostDown, EHOSTDOWN, "the network does not know the host"},
    {Error::kNotOnNetwork, ENONET, "the network does not know this host"},
    {Error::kAccessDenied, EACCES, "prohibited on the way to the host"},
    {Error::kIo, EIO, "input or output failed"},
    {Error::kNotSocket, ENOTSOCK, "the handle is not a socket's"},
};
constexpr std::size_t kCount = sizeof(kEntries) / sizeof(kEntries[0]);

constexpr bool InOrder() {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (static_cast<std::size_t>(kEntries[i].error) != i + 1) return false;
  }
  return static_cast<std::size_t>(Error::kNotSocket) == kCount;
}
static_assert(InOrder());

// The entry of `error`, or nullptr for a number that is no Error.
const Entry* Find(Error error) {
  const std::size_t i = static_cast<std::size_t>(error) - 1;
  return i < kCount ? &kEntries[i] : nullptr;
}

}  // namespace

int ToErrno(Error error) {
  const Entry* entry = Find(error);
  return entry == nullptr ? EINVAL : entry->number;
}

const char* Describe(Error error) {
  const Entry* entry = Find(error);
  return entry == nullptr ? "unknown error" : entry->text;
}

}  // namespace estab
