#include "cli/http_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "cli/failure.h"
#include "cli/http_request.h"
#include "observe/text.h"

namespace estab::cli {
namespace {

constexpr std::size_t kMostListed = 1000;

int StatusOf(int os_errno) {
  switch (os_errno) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return 404;
    case EACCES:
    case EPERM:
    case ELOOP:  // a symbolic link
    case ENXIO:  // a socket, or a FIFO's end
      return 403;
    case EMFILE:
    case ENFILE:
      return 503;
    default:
      return 500;
  }
}

}  // namespace

Folder::Folder(const std::string& flag, const std::string& path)
    : flag_(flag), path_(path), fd_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (fd_.valid()) return;
  if (errno == ENOENT) Failed("{}: there is no folder {}", flag, path);
  if (errno == ENOTDIR) Failed("{}: {} is not a folder", flag, path);
  Failed("{}: cannot open the folder {}: {}", flag, path, std::strerror(errno));
}

void Folder::CheckReadable() const {
  const io::Fd again(openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (again.valid() && faccessat(fd_.get(), ".", R_OK | X_OK, AT_EACCESS) == 0) return;
  Failed("{}: the user nobody, who serves, may not read {}; chmod o+rx it, or give --no-drop",
         flag_, path_);
}

std::expected<Folder::Found, int> Folder::Open(const std::vector<std::string>& path) const {
  // Component by component, so that O_NOFOLLOW holds for each of them.
  io::Fd at(openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; i < path.size() && at.valid(); ++i) {
    const int must_be = i + 1 < path.size() ? O_DIRECTORY : 0;
    io::Fd next(openat(at.get(), path[i].c_str(),
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | must_be));
    at = std::move(next);
  }
  if (!at.valid()) return std::unexpected(StatusOf(errno));
  struct stat status{};
  if (fstat(at.get(), &status) != 0) return std::unexpected(500);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return std::unexpected(403);
  Found found;
  found.is_directory = S_ISDIR(status.st_mode);
  found.size = static_cast<std::uint64_t>(status.st_size);
  found.fd = std::move(at);
  return found;
}

std::string Folder::List(const Found& directory, std::string_view title) {
  std::vector<std::string> names;
  bool more = false;
  const int copy = openat(directory.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (DIR* stream = copy < 0 ? nullptr : fdopendir(copy)) {
    while (const dirent* entry = readdir(stream)) {
      if (entry->d_name[0] == '.') continue;
      more = names.size() == kMostListed;
      if (more) break;
      names.emplace_back(std::string(entry->d_name) + (entry->d_type == DT_DIR ? "/" : ""));
    }
    closedir(stream);
  } else if (copy >= 0) {
    close(copy);
  }
  std::sort(names.begin(), names.end());
  const std::string shown = observe::Escaped(title);
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n<h1>{0}</h1>\n<ul>\n", shown);
  for (const std::string& name : names) {
    const bool folder = name.ends_with('/');
    const std::string plain = folder ? name.substr(0, name.size() - 1) : name;
    page += fmt::format("<li><a href=\"./{}{}\">{}</a>\n", PercentEncode(plain), folder ? "/" : "",
                        observe::Escaped(name));
  }
  page += more ? "</ul>\n<p>and more\n" : "</ul>\n";
  return page;
}

std::string_view MediaType(std::string_view file_name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kTypes = {{
      {".css", "text/css; charset=utf-8"},
      {".gif", "image/gif"},
      {".htm", "text/html; charset=utf-8"},
      {".html", "text/html; charset=utf-8"},
      {".jpg", "image/jpeg"},
      {".jpeg", "image/jpeg"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".md", "text/markdown; charset=utf-8"},
      {".pdf", "application/pdf"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".txt", "text/plain; charset=utf-8"},
  }};
  for (const auto& [ending, type] : kTypes) {
    if (file_name.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

}  // namespace estab::cli
