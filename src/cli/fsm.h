// `estab lab fsm`: the state machine itself.
#pragma once

#include <string>
#include <string_view>

namespace estab::cli {

/// Whether `id` asks for the state machine instead of a behaviour.
bool IsFsm(std::string_view id);

/// The state machine in `format`: text, svg, html or json. Throws Failure of status 2 for others.
/// `ascii`: the terminal has nothing else.
std::string Fsm(std::string_view format, bool ascii);

}  // namespace estab::cli
