#include "io/os_error.h"

#include <errno.h>

namespace estab::io {

Error FromErrno(int os_errno) {
  switch (os_errno) {
    case EPERM:
    case EACCES:
      return Error::kPermission;
    case EBUSY:
      return Error::kBusy;
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return Error::kNotFound;
    case EINVAL:
    case ENAMETOOLONG:
      return Error::kInvalid;
    case ENOMEM:
      return Error::kNoMemory;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
      return Error::kNoBuffers;
    case EEXIST:
    case EADDRINUSE:
      return Error::kAddressInUse;
    case EAGAIN:
      return Error::kWouldBlock;
    default:
      return Error::kIo;
  }
}

}  // namespace estab::io
