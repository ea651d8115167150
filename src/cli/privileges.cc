#include "cli/privileges.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "cli/failure.h"

namespace estab::cli {
namespace {

constexpr unsigned kNobody = 65534;

// Whether this user namespace has a user of that number.
bool UserExists(unsigned id) {
  std::ifstream map("/proc/self/uid_map");
  unsigned long first = 0;
  unsigned long outside = 0;
  unsigned long count = 0;
  bool any = false;
  while (map >> first >> outside >> count) {
    any = true;
    if (id >= first && id - first < count) return true;
  }
  return !any;
}

}  // namespace

void DropPrivileges() {
  if (geteuid() != 0) return;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    Failed("cannot forgo new privileges: {}", std::strerror(errno));
  }
  if (!UserExists(kNobody)) return;
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0) {
    Failed("cannot become the user nobody: {}; --no-drop serves as root", std::strerror(errno));
  }
}

}  // namespace estab::cli
