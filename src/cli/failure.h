// How the command says no: one line and an exit status.
#pragma once

#include <stdexcept>
#include <string>

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

}  // namespace estab::cli
