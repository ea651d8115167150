// Each script runs on the kernel's TCP and on estab's (profile `linux`); the answers must be equal.
// What differs on purpose is in kAccepted, with the reason. Without a namespace of its own, or on a
// kernel other than the 6.x that estab follows, the tests say so and are skipped.
#include <sys/utsname.h>

#include <functional>

#include "parity.h"
#include "parity_scripts.h"

namespace estab_test {
namespace {

struct Accepted {
  const char* script;
  const char* line;  // how the line begins
  const char* reason;
};

constexpr Accepted kAccepted[] = {
#include "parity_accepted.inc"
};

const Accepted* FindAccepted(const std::string& script, const std::string& line) {
  for (const Accepted& entry : kAccepted) {
    if ((script == entry.script || std::string("*") == entry.script) &&
        line.starts_with(entry.line)) {
      return &entry;
    }
  }
  return nullptr;
}

// Why the kernel cannot be asked here; empty if it can.
std::string Enter() {
  static const std::string reason = [] {
    utsname name{};
    uname(&name);
    if (std::atoi(name.release) < 6) return std::string("the kernel is ") + name.release;
    const int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;
    if (unshare(flags) != 0) return std::string("no network namespace: ") + std::strerror(errno);
    const int s = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    const int up = ::ioctl(s, SIOCSIFFLAGS, &request);
    ::close(s);
    return up == 0 ? std::string() : std::string("lo does not come up");
  }();
  return reason;
}

class Parity : public ::testing::TestWithParam<Script> {};

TEST_P(Parity, SameAnswers) {
  if (const std::string reason = Enter(); !reason.empty()) GTEST_SKIP() << reason;
  const Script& script = GetParam();
  Kernel kernel;
  Ours ours;
  // Ports of its own for each script: what others leave behind in the kernel is not to matter.
  static std::uint16_t port = 20000;
  port = static_cast<std::uint16_t>(port + 20);
  Play theirs(kernel, port);
  script.play(theirs);
  Play mine(ours, port);
  script.play(mine);
  const std::size_t count = std::max(theirs.lines.size(), mine.lines.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::string want = i < theirs.lines.size() ? theirs.lines[i] : "(nothing)";
    const std::string got = i < mine.lines.size() ? mine.lines[i] : "(nothing)";
    if (want == got || FindAccepted(script.name, want) != nullptr) continue;
    ADD_FAILURE() << "the kernel: " << want << "\n  estab:      " << got;
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, Parity, ::testing::ValuesIn(AllScripts()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace estab_test
