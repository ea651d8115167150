// What every function of the C interface goes through: errno, handles, no exceptions.
#pragma once

#include <errno.h>
#include <sys/socket.h>

#include <new>
#include <utility>

#include "api/sockets.h"
#include "estab/error.h"
#include "estab/estab.h"

/// The C interface's stack is the sockets of one stack, and nothing else.
struct estab_stack {
  std::unique_ptr<estab::api::Sockets> sockets;
};

namespace estab::api {

/// Sets errno and returns -1.
inline int Fail(int error_number) {
  errno = error_number;
  return -1;
}
inline int Fail(Error error) { return Fail(ToErrno(error)); }

/// 0, or -1 with errno.
inline int ToInt(const Result<void>& result) { return result ? 0 : Fail(result.error()); }
/// The count, or -1 with errno.
inline ssize_t ToCount(const Result<std::size_t>& result) {
  return result ? static_cast<ssize_t>(*result) : Fail(result.error());
}

/// Runs `body(Sockets&)`, the whole of a C function; nothing thrown gets out.
template <class Body>
auto Run(estab_stack* stack, Body&& body) noexcept -> decltype(body(std::declval<Sockets&>())) {
  if (stack == nullptr) return Fail(EFAULT);
  try {
    return body(*stack->sockets);
  } catch (const std::bad_alloc&) {
    return Fail(ENOMEM);
  } catch (...) {
    return Fail(EIO);
  }
}

/// Copies `text` into buf[0..cap) like snprintf and returns its whole length.
ssize_t CopyText(std::string_view text, char* buf, std::size_t cap);

// --- Addresses (c_address.cc) --------------------------------------------------------------------

/// Reads a socket address for a socket of the family: 0, or the errno that Linux gives.
int ReadAddress(const sockaddr* address, socklen_t length, bool ipv6, Endpoint* out);
/// Writes `endpoint` as an address of the family: up to *length bytes, *length becomes the whole
/// size. 0 or an errno.
int WriteAddress(const Endpoint& endpoint, bool ipv6, sockaddr* address, socklen_t* length);

}  // namespace estab::api
