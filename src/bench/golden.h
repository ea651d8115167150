// What is asked of each cell: bounds from both sides, as shares of theory, and figures on record.
//
// A file of lines, "#" begins a comment:
//   share CC LOSS RTT RATE BUFFER LEAST MOST   goodput, at least LEAST of theory's and at most MOST
//                                              of the ceiling; "*" stands for every value, and of
//                                              the lines that fit a cell the last one counts
//   tolerance LEAST MOST                       how far a figure may be off, as a share of it
//   figure CC LOSS RTT RATE BUFFER MBITS       the goodput on record, Mbit/s
// LOSS, RTT, RATE and BUFFER are written as the flags of `estab bench path` are.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/path_run.h"

namespace estab::bench {

/// Both ends are allowed.
struct Bounds {
  double least = 0;
  double most = 0;
  bool Hold(double value) const { return value >= least && value <= most; }
};

class Golden {
 public:
  /// Reads a file's text. The error is a sentence that begins with the line's number.
  static std::expected<Golden, std::string> Parse(std::string_view text);
  /// The one that belongs to this version.
  static const Golden& BuiltIn();

  /// Bounds of a cell: the least of theory, the most of the ceiling; nullopt if no line fits it.
  std::optional<Bounds> ShareBounds(const Cell& cell) const;
  /// The goodput on record, Mbit/s.
  std::optional<double> Figure(const Cell& cell) const;
  /// What is wrong with `result`, a sentence each; empty if nothing is.
  std::vector<std::string> Judge(const CellResult& result) const;

  /// The same text with the figures of `results` in place of their old ones.
  std::string WithFigures(const std::vector<CellResult>& results) const;

 private:
  using Key = std::array<std::string, 5>;
  struct Share {
    Key key;
    Bounds bounds;
  };
  struct Line {
    Key key;
    double value;
  };
  static Key KeyOf(const Cell& cell);
  static bool Fits(const Key& pattern, const Key& key);
  std::string ReadLine(const std::vector<std::string_view>& words);

  std::string head_;  // every line that is not a figure
  std::vector<Share> shares_;
  std::vector<Line> figures_;
  Bounds tolerance_{0.9, 1.1};
};

}  // namespace estab::bench
