// The style sheet of drawn ladders, for a picture of its own and for pages that hold many.
#pragma once

#include <string>

#include "estab/rule.h"

namespace estab::observe {

/// The class of a state's bar, and of its name: "bar-time-wait", "name-time-wait".
std::string BarClass(State state);
std::string NameClass(State state);

/// Rules of CSS for everything that is drawn, in light colours; with `dark`, also for readers who
/// prefer dark ones.
std::string SvgStyle(bool dark);

/// The arrow head that every segment's line ends in; once in a document.
const char* SvgArrowHead();

}  // namespace estab::observe
