// Scripts of the oracle: what is done to a host, step by step, without saying what it should
// answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oracle {

/// Microseconds since a script began.
using Micros = std::int64_t;

/// One step: `[+SECONDS] [TARGET =] VERB ARGUMENT...`.
struct Step {
  Micros wait = 0;     // time to let pass before it
  std::string target;  // "c" of `c = accept l`; empty: none
  std::string verb;    // "<" injects a segment
  std::vector<std::string> arguments;

  std::string Text() const;
};

/// One script of a file in tests/oracle/scripts. README.md there describes the language.
struct Script {
  std::string name;               // "open/syn-lost": the file's name and the script's
  std::vector<std::string> rows;  // of behaviours.md
  std::string title;              // one line
  bool ipv6 = false;
  bool any_push = false;  // PSH on data is not compared
  std::string control;    // a congestion control that the kernel must let us have
  std::vector<Step> steps;

  Micros Duration() const;
  /// Whether close() lingers: changed, it might wait, and nobody would end that.
  bool MayWait() const;
  std::string Text() const;
};

/// Reads every `*.oracle` file of a directory, in the order of their names. Writes to standard
/// error and exits with 2 if one cannot be read or a step makes no sense.
std::vector<Script> ReadScripts(const std::string& directory);

/// Reads scripts from `text`; `stem` begins their names. Exits likewise.
std::vector<Script> ParseScripts(const std::string& text, const std::string& stem);

/// Splits at blanks; `<...>` (TCP options) is one word.
std::vector<std::string> SplitWords(std::string_view line);

/// "0.25" as microseconds; -1 if it is not a number.
Micros ParseSeconds(std::string_view text);

/// A whole number, decimal or 0x; false if it is not one.
bool ParseNumber(std::string_view text, std::int64_t* value);

}  // namespace oracle
