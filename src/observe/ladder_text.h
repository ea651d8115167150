// A ladder as text, like the figure in a good textbook.
#pragma once

#include <cstddef>
#include <string>

#include "observe/ladder.h"

namespace estab::observe {

struct LadderTextOptions {
  std::size_t width = 100;   // columns; at least 72
  bool ascii = false;        // no character beyond ASCII
  bool color = false;        // ANSI colours
  bool brief_flags = false;  // "S." instead of "SYN|ACK"
  bool options = true;       // TCP options under their segment
  bool window = false;       // the window field of every segment
  bool verdicts = false;     // rules that changed no state
};

/// Draws `ladder`: time at the left, A's states and calls beside the left line, B's beside the
/// right one, segments between. A segment that meets others on its way has a line for its departure
/// and one for its arrival; a lost one is broken off with an X. Lines end with a newline and have
/// no trailing blanks.
std::string LadderToText(const Ladder& ladder, const LadderTextOptions& options = {});

}  // namespace estab::observe
