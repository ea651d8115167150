#include "sim/ladder_tap.h"

#include <string>
#include <utility>

#include "observe/format.h"
#include "observe/text.h"
#include "wire/icmp.h"
#include "wire/ip.h"

namespace estab::sim {
namespace {

void Say(std::string& note, std::string_view what) {
  if (what.empty()) return;
  if (!note.empty()) note += ", ";
  note += what;
}

std::string NoteOf(const PacketReport& report) {
  std::string note;
  if (report.injected()) Say(note, "forged");
  Say(note, LossText(report.fate.loss));
  if (report.fate.corrupt) Say(note, "corrupted");
  if (report.fate.marked) Say(note, "marked CE");
  if (report.fate.fragmented) Say(note, "in fragments");
  if (report.fate.reordered) Say(note, "held back");
  if (report.fault != nullptr && report.fault->action == Fault::Action::kDelay) {
    Say(note, "delayed by " + observe::SpanText(report.fault->delay));
  }
  return note;
}

}  // namespace

// What a router says is no row of the ladder, but a remark at its end.
void LadderTap::OnRouter(const PacketReport& report) {
  const auto ip = wire::DecodeIp(report.bytes);
  const auto error = ip ? wire::DecodeIcmpError(*ip) : std::nullopt;
  if (!error || error->mtu == 0) {
    return builder_.AddNote(report.fate.at[0], Other(report.from), "ICMP: too big");
  }
  builder_.AddNote(report.fate.at[0], Other(report.from),
                   fmt::format("ICMP: too big, MTU {}", error->mtu));
}

void LadderTap::OnPacket(const PacketReport& report) {
  if (report.author == Author::kRouter) return OnRouter(report);
  if (report.view == nullptr) return;
  observe::LadderSegment segment;
  segment.from = report.from;
  segment.sent = report.sent;
  segment.segment = report.view->segment;
  segment.note = NoteOf(report);
  if ((segment.segment.flags & kSyn) != 0)
    segment.options = OptionsText(report.view->options, true);
  const auto add = [&](const observe::LadderSegment& s) {
    builder_.AddSegment(s, report.view->source, report.view->destination, !report.injected());
  };
  if (report.fate.copies == 0) return add(segment);
  for (std::uint8_t i = 0; i < report.fate.copies; ++i) {
    segment.arrived = report.fate.at[i];
    if (i != 0) segment.note = "duplicate";
    add(segment);
  }
}

}  // namespace estab::sim
