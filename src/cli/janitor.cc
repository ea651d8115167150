#include "cli/janitor.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace estab::cli {

Janitor::Janitor(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder_path = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const io::Fd folder(open(folder_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat file{};
  int ends[2];
  if (!folder.valid() || fstatat(folder.get(), name.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0 ||
      pipe2(ends, O_CLOEXEC) != 0) {
    return;
  }
  const io::Fd news(ends[0]);
  io::Fd life(ends[1]);
  child_ = fork();
  if (child_ == 0) Wait(news.get(), folder.get(), name.c_str(), file);
  if (child_ > 0) life_ = std::move(life);
}

// The child. It hears no signal of the terminal, and holds none of its parent's descriptors open.
void Janitor::Wait(int news, int folder, const char* name, const struct stat& file) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(signal, SIG_IGN);
  const auto low = static_cast<unsigned>(std::min(news, folder));
  const auto high = static_cast<unsigned>(std::max(news, folder));
  if (low > 0) close_range(0, low - 1, 0);
  if (high > low + 1) close_range(low + 1, high - 1, 0);
  close_range(high + 1, ~0u, 0);
  char byte = 0;
  while (read(news, &byte, 1) < 0 && errno == EINTR) {
  }
  struct stat now{};
  const bool same = fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
                    now.st_dev == file.st_dev && now.st_ino == file.st_ino;
  if (same) unlinkat(folder, name, 0);
  _exit(0);
}

Janitor::~Janitor() {
  if (child_ < 0) return;
  life_ = io::Fd();
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace estab::cli
