// What the verbs of `estab bench` have in common: files, numbers, and a line about how far they
// are.
#pragma once

#include <cstdio>
#include <string>

namespace estab::cli {

/// Writes `text` to `path`, "-" being standard output. Failure of status 1 if it cannot.
void WriteOutput(const std::string& path, const std::string& text);
/// Reads a whole file. Failure of status 2 if it cannot.
std::string ReadInput(const std::string& path);

/// A number as people write it, 0.5 or 100, `least` to `most`; Failure of status 2 otherwise.
double ParseDecimal(const std::string& flag, const std::string& text, double least, double most);

/// One line on standard error that says how far a long work is; on a terminal only.
class Progress {
 public:
  Progress();
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Show(const std::string& text);
  /// Takes the line away, so that something else can be printed.
  void Clear();

 private:
  bool terminal_;
  bool shown_ = false;
};

}  // namespace estab::cli
