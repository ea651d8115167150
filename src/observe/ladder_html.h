// Behaviours as one page of HTML: drawings, and the rules behind them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "observe/ladder.h"
#include "observe/ladder_svg.h"

namespace estab::observe {

/// A parameter, as it was.
struct HtmlParameter {
  std::string name;
  std::string value;
  std::string gist;
};

/// A rule, and how often each side applied it.
struct HtmlRule {
  const Rule* rule = nullptr;
  std::array<std::uint64_t, 2> fired{};
};

/// One behaviour.
struct HtmlSection {
  std::string id;  // "open/three-way"; sections of one group stand together
  std::string title;
  std::string text;
  std::vector<HtmlParameter> parameters;
  std::vector<HtmlRule> rules;
  std::vector<SvgPanel> panels;  // the first is the play itself
  std::vector<std::string> summary;
  std::vector<std::string> failures;  // none: as expected
};

/// The whole page: nothing is loaded from elsewhere, nothing runs in it, and it follows the
/// reader's preference for light or dark. With more than one section there is a table of contents.
std::string ToHtml(const std::string& title, std::span<const HtmlSection> sections);

}  // namespace estab::observe
