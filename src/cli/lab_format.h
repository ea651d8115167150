// What `estab lab` prints of one run, in each format.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "observe/ladder_html.h"
#include "sim/scenario.h"

namespace estab::cli {

/// What the output can show.
struct LabTerminal {
  bool color = false;
  bool ascii = false;
  std::size_t width = 100;
};

/// Looks at standard output, or, `to_file`, at a file in the locale's characters.
LabTerminal LookAtTerminal(bool to_file);
/// `text` between the escape codes of a colour.
std::string Painted(const std::string& text, const char* code, const LabTerminal& terminal);

/// A behaviour and what came of it. The scenario outlives it.
struct LabRun {
  const sim::Scenario* scenario = nullptr;
  sim::ScenarioResult result;
};

std::string AsText(const LabRun& run, const LabTerminal& terminal, bool verdicts);
std::string AsSvg(const LabRun& run, bool verdicts);
std::string AsJson(const LabRun& run);
std::string AsPcapng(const LabRun& run);
std::string AsHtml(const std::string& title, std::span<const LabRun> runs);

}  // namespace estab::cli
