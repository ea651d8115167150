#include "io/xdp_library.h"

#include <dlfcn.h>
#include <errno.h>

namespace estab::io {
namespace {

template <class Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

// libxdp needs libbpf, and so its symbols are found by the same handle.
OsResult<XdpLibrary> Load() {
  void* const library = dlopen("libxdp.so.1", RTLD_NOW | RTLD_LOCAL);
  XdpLibrary found{};
  const bool whole = library != nullptr && Find(library, "xsk_umem__create", found.umem_create) &&
                     Find(library, "xsk_umem__delete", found.umem_delete) &&
                     Find(library, "xsk_socket__create", found.socket_create) &&
                     Find(library, "xsk_socket__delete", found.socket_delete) &&
                     Find(library, "xsk_socket__fd", found.socket_fd) &&
                     Find(library, "bpf_map_create", found.map_create) &&
                     Find(library, "bpf_map_update_elem", found.map_update) &&
                     Find(library, "bpf_prog_load", found.program_load) &&
                     Find(library, "bpf_link_create", found.link_create);
  if (whole) return found;
  const char* why = dlerror();
  return std::unexpected(OsError{
      Error::kNotFound, ENOENT,
      std::string("AF_XDP needs libxdp 1.2 or newer; install it (apt-get install libxdp1): ") +
          (why == nullptr ? "a function is missing" : why)});
}

}  // namespace

OsResult<const XdpLibrary*> XdpLibrary::Get() {
  static const OsResult<XdpLibrary> library = Load();
  if (!library) return std::unexpected(library.error());
  return &*library;
}

}  // namespace estab::io
