// The state machine as the table of rules has it: for people, as text, page, figure and data.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "estab/rule.h"

namespace estab::observe {

/// What a rule looks like from outside (rule_effects.def).
struct RuleEffect {
  const char* event = "";  // what happened, in few words: "ACK of FIN"
  const char* sends = "";  // the segment that answers it; "" none
  const char* tells = "";  // what the application is told; "" nothing
};
/// All empty for a rule that rule_effects.def does not know.
const RuleEffect& EffectOf(RuleId rule);

/// The eleven states in the order of a connection's life.
std::span<const State> StatesInOrder();

/// Which way through the machine a transition belongs to.
enum class Path { kClient, kServer, kUnusual };

/// All transitions from one state to another that belong to the same way.
struct Edge {
  State from;
  State to;
  Path path;
  std::vector<RuleId> rules;  // in the table's order
};
/// Every transition that the rules have, and no other.
std::vector<Edge> AllEdges();

/// The rules that apply in a state, in the table's order.
std::vector<RuleId> RulesIn(State state);

/// For a terminal: every state with its rules. `ascii`: no arrows or dashes outside of ASCII.
std::string MachineToText(bool ascii = false);
/// docs/state-machine.md; `figure` is the path of the drawing as the page names it.
std::string MachineToMarkdown(const std::string& figure);
/// Rules and edges as JSON.
std::string MachineToJson();
/// The drawing.
std::string MachineToSvg();
/// One page that needs no other file: the drawing and the table.
std::string MachineToHtml();

}  // namespace estab::observe
