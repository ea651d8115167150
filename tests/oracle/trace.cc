#include "oracle/trace.h"

#include <cstdio>

namespace oracle {

std::string Entry::Text() const {
  char head[48];
  std::snprintf(head, sizeof head, "%8.3f %s ", static_cast<double>(time) / 1e6,
                packet ? ">" : " ");
  std::string line = head + text;
  if (window >= 0) line += " win=" + std::to_string(window);
  if (has_timestamp) line += " @=+" + std::to_string(timestamp);
  return line;
}

std::string Trace::Text(const Script& script) const {
  std::string text;
  auto call = calls.begin();
  auto packet = packets.begin();
  for (std::size_t step = 0; step <= times.size(); ++step) {
    for (; packet != packets.end() && packet->step < step; ++packet) text += packet->Text() + "\n";
    if (step == times.size()) break;
    if (call != calls.end() && call->step == step) {
      text += (call++)->Text() + "\n";
    } else {
      char head[48];
      std::snprintf(head, sizeof head, "%8.3f   ", static_cast<double>(times[step]) / 1e6);
      Step plain = script.steps[step];
      plain.wait = 0;
      text += head + plain.Text() + "\n";
    }
    for (; packet != packets.end() && packet->step == step; ++packet) {
      text += packet->Text() + "\n";
    }
  }
  return text;
}

}  // namespace oracle
