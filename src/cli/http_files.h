// The files below one folder, and nothing else.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/fd.h"

namespace estab::cli {

/// A folder that is held open, so that it can be served without the right to reach it by name.
/// Symbolic links are not followed, so that no path leads out of it.
class Folder {
 public:
  /// Opens `path`; throws Failure of status 1 (`flag` is named in it).
  Folder(const std::string& flag, const std::string& path);

  /// Throws Failure of status 1 if this process cannot list the folder: to be asked after
  /// privileges were dropped.
  void CheckReadable() const;

  /// Something found in the folder.
  struct Found {
    io::Fd fd;
    bool is_directory = false;
    std::uint64_t size = 0;  // of a file
  };
  /// Opens the file or directory at `path` (components without "..", "/" and NUL). The error is an
  /// HTTP status: 403 (no permission, a symbolic link, neither file nor directory), 404, 503 (no
  /// descriptor is left) or 500.
  std::expected<Found, int> Open(const std::vector<std::string>& path) const;

  /// An HTML page that lists `directory`, which is shown as `title`; up to 1,000 names. Hidden
  /// files are left out.
  static std::string List(const Found& directory, std::string_view title);

 private:
  std::string flag_;
  std::string path_;
  io::Fd fd_;
};

/// The media type for a file name's ending; "application/octet-stream" if it is not known.
std::string_view MediaType(std::string_view file_name);

}  // namespace estab::cli
