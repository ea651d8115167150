#include "cli/bench_output.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "cli/failure.h"

namespace estab::cli {

void WriteOutput(const std::string& path, const std::string& text) {
  const bool standard = path == "-";
  std::FILE* file = standard ? stdout : std::fopen(path.c_str(), "we");
  if (file == nullptr) Failed("cannot write {}: {}", path, std::strerror(errno));
  bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written = (standard ? std::fflush(file) : std::fclose(file)) == 0 && written;
  if (!written) Failed("cannot write {}: {}", path, std::strerror(errno));
}

std::string ReadInput(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  if (!file) Misused("cannot read {}: {}", path, std::strerror(errno));
  std::string text;
  char block[4096];
  std::size_t n = 0;
  do {
    n = std::fread(block, 1, sizeof(block), file.get());
    text.append(block, n);
  } while (n == sizeof(block));
  if (std::ferror(file.get()) != 0) Misused("cannot read {}: {}", path, std::strerror(errno));
  return text;
}

double ParseDecimal(const std::string& flag, const std::string& text, double least, double most) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || !(value >= least && value <= most)) {
    Misused("{} {}: a number from {:g} to {:g}", flag, text, least, most);
  }
  return value;
}

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::Show(const std::string& text) {
  if (!terminal_) return;
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
  shown_ = true;
}

void Progress::Clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

}  // namespace estab::cli
