#include "bench/golden.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "bench/golden_text.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  line = line.substr(0, line.find('#'));
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == line.npos) return words;
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

std::optional<double> Number(std::string_view word) {
  double value = 0;
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value);
  if (error != std::errc{} || stop != end || value < 0) return std::nullopt;
  return value;
}

std::optional<Bounds> ReadBounds(std::string_view least, std::string_view most) {
  const auto from = Number(least);
  const auto to = Number(most);
  if (!from || !to || *from > *to) return std::nullopt;
  return Bounds{*from, *to};
}

}  // namespace

Golden::Key Golden::KeyOf(const Cell& cell) {
  return {cell.cc, LossText(cell), RttText(cell), RateText(cell), BufferText(cell)};
}

bool Golden::Fits(const Key& pattern, const Key& key) {
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (pattern[i] != "*" && pattern[i] != key[i]) return false;
  }
  return true;
}

// What is wrong with a line that is not empty; empty if it was taken.
std::string Golden::ReadLine(const std::vector<std::string_view>& words) {
  if (words[0] == "tolerance" && words.size() == 3) {
    const auto bounds = ReadBounds(words[1], words[2]);
    if (!bounds) return "a tolerance is two numbers, the smaller one first";
    tolerance_ = *bounds;
    return {};
  }
  const bool share = words[0] == "share" && words.size() == 8;
  const bool figure = words[0] == "figure" && words.size() == 7;
  if (!share && !figure) {
    return "neither \"share\" with 7 words, nor \"figure\" with 6, nor \"tolerance\" with 2";
  }
  Key key;
  std::copy_n(words.begin() + 1, key.size(), key.begin());
  if (share) {
    const auto bounds = ReadBounds(words[6], words[7]);
    if (!bounds) return "bounds are two numbers, the smaller one first";
    shares_.push_back({key, *bounds});
    return {};
  }
  const auto value = Number(words[6]);
  if (!value || std::ranges::count(key, "*") != 0) return "a figure is one cell's, in Mbit/s";
  figures_.push_back({key, *value});
  return {};
}

std::expected<Golden, std::string> Golden::Parse(std::string_view text) {
  Golden golden;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto words = Words(line);
    if (words.empty() || words[0] != "figure") golden.head_ += std::string(line) + "\n";
    if (words.empty()) continue;
    const std::string wrong = golden.ReadLine(words);
    if (!wrong.empty()) return std::unexpected(fmt::format("line {}: {}", number, wrong));
  }
  return golden;
}

const Golden& Golden::BuiltIn() {
  static const Golden golden = [] {
    auto read = Parse(kGoldenText);
    ESTAB_CHECK(read.has_value());
    return *std::move(read);
  }();
  return golden;
}

std::optional<Bounds> Golden::ShareBounds(const Cell& cell) const {
  const Key key = KeyOf(cell);
  for (auto it = shares_.rbegin(); it != shares_.rend(); ++it) {
    if (Fits(it->key, key)) return it->bounds;
  }
  return std::nullopt;
}

std::optional<double> Golden::Figure(const Cell& cell) const {
  const Key key = KeyOf(cell);
  for (const Line& line : figures_) {
    if (line.key == key) return line.value;
  }
  return std::nullopt;
}

std::vector<std::string> Golden::Judge(const CellResult& result) const {
  if (!result.failure.empty()) return {result.failure};
  std::vector<std::string> wrong;
  const auto bounds = ShareBounds(result.cell);
  if (bounds && result.of_theory() < bounds->least) {
    wrong.push_back(fmt::format("{:.3f} of theory's goodput, not {:g} at least", result.of_theory(),
                                bounds->least));
  }
  if (bounds && result.of_ceiling() > bounds->most) {
    wrong.push_back(fmt::format("{:.3f} of the most that can be had, not {:g} at most",
                                result.of_ceiling(), bounds->most));
  }
  const auto figure = Figure(result.cell);
  const double mbits = result.goodput / 1e6;
  if (figure && !Bounds{*figure * tolerance_.least, *figure * tolerance_.most}.Hold(mbits)) {
    wrong.push_back(fmt::format("{:.4g} Mbit/s; {:.4g} is on record, {:g} to {:g} of it allowed",
                                mbits, *figure, tolerance_.least, tolerance_.most));
  }
  return wrong;
}

std::string Golden::WithFigures(const std::vector<CellResult>& results) const {
  std::vector<Line> lines = figures_;
  for (const CellResult& result : results) {
    if (!result.failure.empty()) continue;
    const Key key = KeyOf(result.cell);
    const auto old = std::ranges::find(lines, key, &Line::key);
    if (old == lines.end()) {
      lines.push_back({key, result.goodput / 1e6});
    } else {
      old->value = result.goodput / 1e6;
    }
  }
  std::string text = head_;
  for (const Line& line : lines) {
    const Key& k = line.key;
    text += fmt::format("figure {:<5} {:<4} {:<3} {:<4} {:<3} {:.4g}\n", k[0], k[1], k[2], k[3],
                        k[4], line.value);
  }
  return text;
}

}  // namespace estab::bench
