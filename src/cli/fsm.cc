#include "cli/fsm.h"

#include "cli/failure.h"
#include "observe/state_machine.h"

namespace estab::cli {

bool IsFsm(std::string_view id) { return id == "fsm"; }

std::string Fsm(std::string_view format, bool ascii) {
  if (format == "text") return observe::MachineToText(ascii);
  if (format == "svg") return observe::MachineToSvg();
  if (format == "html") return observe::MachineToHtml();
  if (format == "json") return observe::MachineToJson();
  Misused("no format \"{}\" of the state machine: text, svg, html or json", format);
}

}  // namespace estab::cli
