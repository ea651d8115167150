// libxdp and, with it, libbpf: looked for when the first AF_XDP link is opened, so that programs
// without one need neither.
#pragma once

#include <bpf/bpf.h>
#include <xdp/xsk.h>

#include "io/os_error.h"

namespace estab::io {

/// The functions that are used of both.
struct XdpLibrary {
  decltype(&xsk_umem__create) umem_create;
  decltype(&xsk_umem__delete) umem_delete;
  decltype(&xsk_socket__create) socket_create;
  decltype(&xsk_socket__delete) socket_delete;
  decltype(&xsk_socket__fd) socket_fd;
  decltype(&bpf_map_create) map_create;
  decltype(&bpf_map_update_elem) map_update;
  decltype(&bpf_prog_load) program_load;
  decltype(&bpf_link_create) link_create;

  /// Loads them, once; they stay. kNotFound: not installed.
  static OsResult<const XdpLibrary*> Get();
};

}  // namespace estab::io
