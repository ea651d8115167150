// How the command says no: one line and an exit status.
#pragma once

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "observe/format.h"

namespace estab::cli {

/// Ends the command. what() is one line for people, without "estab: " before it or a newline
/// behind.
class Failure : public std::runtime_error {
 public:
  Failure(int status, const std::string& line) : std::runtime_error(line), status_(status) {}
  /// 1: it did not work; 2: it was asked wrongly.
  int status() const { return status_; }

 private:
  int status_;
};

/// Throws a Failure of status 2: the command line asks for what cannot be.
template <class... Args>
[[noreturn]] void Misused(fmt::format_string<Args...> line, Args&&... args) {
  throw Failure(2, fmt::format(line, std::forward<Args>(args)...));
}

/// Throws a Failure of status 1: the machine or the network did not do it.
template <class... Args>
[[noreturn]] void Failed(fmt::format_string<Args...> line, Args&&... args) {
  throw Failure(1, fmt::format(line, std::forward<Args>(args)...));
}

/// Reads a whole number, `least` to `most`; `flag` is named in the Failure (status 2) if it is
/// none.
inline std::uint64_t ParseNumber(std::string_view flag, std::string_view text, std::uint64_t least,
                                 std::uint64_t most) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || value < least || value > most) {
    Misused("{} {}: a number from {} to {}", flag, text, least, most);
  }
  return value;
}

}  // namespace estab::cli
