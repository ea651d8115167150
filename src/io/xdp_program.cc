#include "io/xdp_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace estab::io {
namespace {

constexpr std::uint32_t kMostQueues = 256;

std::unexpected<OsError> Refused(int os_errno, const std::string& what) {
  std::string message = what + ": ";
  if (os_errno == EPERM || os_errno == EACCES) {
    message +=
        "no permission; run as root of the machine itself (CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW)";
  } else if (os_errno == EBUSY || os_errno == EEXIST) {
    message += "it has one already, of another program; ip -details link shows it";
  } else {
    message += std::strerror(os_errno);
  }
  return std::unexpected(OsError{FromErrno(os_errno), os_errno, std::move(message)});
}

// return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
std::array<bpf_insn, 6> Code(int sockets) {
  constexpr auto kQueueAt = static_cast<__s16>(offsetof(xdp_md, rx_queue_index));
  constexpr auto kConstant = static_cast<__u8>(BPF_DW);  // BPF_LD and BPF_IMM are 0
  static_assert(BPF_LD == 0 && BPF_IMM == 0);
  return {{
      {BPF_LDX | BPF_W | BPF_MEM, BPF_REG_2, BPF_REG_1, kQueueAt, 0},
      {kConstant, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, sockets},
      {0, 0, 0, 0, 0},  // the upper half of that constant
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  }};
}

}  // namespace

OsResult<XdpProgram> XdpProgram::Attach(const XdpLibrary& library, const Interface& device,
                                        bool native) {
  XdpProgram made(library);
  made.sockets_ = Fd(library.map_create(BPF_MAP_TYPE_XSKMAP, "estab_sockets", sizeof(std::uint32_t),
                                        sizeof(int), kMostQueues, nullptr));
  if (!made.sockets_.valid()) return Refused(errno, "cannot make a map of AF_XDP sockets");
  const auto code = Code(made.sockets_.get());
  made.program_ = Fd(library.program_load(BPF_PROG_TYPE_XDP, "estab", "Apache-2.0", code.data(),
                                          code.size(), nullptr));
  if (!made.program_.valid()) return Refused(errno, "cannot load an XDP program");
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  made.link_ = Fd(library.link_create(made.program_.get(), device.index, BPF_XDP, &options));
  if (!made.link_.valid()) {
    return Refused(errno, std::string("cannot attach a ") + (native ? "native" : "generic") +
                              " XDP program to " + device.name);
  }
  return made;
}

OsResult<void> XdpProgram::Redirect(std::uint32_t queue, int socket) {
  if (library_->map_update(sockets_.get(), &queue, &socket, BPF_ANY) == 0) return {};
  return Refused(errno, "cannot have the frames of queue " + std::to_string(queue));
}

}  // namespace estab::io
