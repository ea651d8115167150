#include "observe/ladder_json.h"

#include <nlohmann/json.hpp>

#include "observe/text.h"

namespace estab::observe {
namespace {

using Json = nlohmann::ordered_json;

void Fill(const Ladder& ladder, const LadderSegment& s, Json& out) {
  out["kind"] = "segment";
  out["from"] = SideName(s.from);
  if (s.arrived) {
    out["arrived"] = (*s.arrived - ladder.origin).count();
  } else {
    out["arrived"] = nullptr;
  }
  out["flags"] = FlagsText(s.segment.flags);
  out["seq"] = s.segment.seq;
  if ((s.segment.flags & kAck) != 0) out["ack"] = s.segment.ack;
  out["length"] = s.segment.length;
  out["window"] = s.segment.window;
  if (s.seq_base) out["isn"] = *s.seq_base;
  if (s.ack_base) out["ack_isn"] = *s.ack_base;
  if (!s.options.empty()) out["options"] = s.options;
  if (!s.note.empty()) out["note"] = s.note;
}

void Fill(const Ladder&, const LadderState& s, Json& out) {
  out["kind"] = "state";
  out["side"] = SideName(s.side);
  out["from"] = StateName(s.from);
  out["to"] = StateName(s.to);
  out["rule"] = s.rule;
  if (!s.section.empty()) out["section"] = s.section;
  if (!s.gist.empty()) out["gist"] = s.gist;
  out["connection"] = s.number;
}

void Fill(const Ladder&, const LadderCall& c, Json& out) {
  out["kind"] = "call";
  out["side"] = SideName(c.side);
  out["call"] = c.text;
  if (!c.result.empty()) out["result"] = c.result;
}

void Fill(const Ladder& ladder, const LadderTimer& t, Json& out) {
  out["kind"] = "timer";
  out["side"] = SideName(t.side);
  out["timer"] = TimerName(t.kind);
  out["armed"] = (t.armed - ladder.origin).count();
  out["ended"] = (t.ended - ladder.origin).count();
  out["fired"] = t.fired;
}

void Fill(const Ladder&, const LadderNote& n, Json& out) {
  out["kind"] = "note";
  if (n.side) out["side"] = SideName(*n.side);
  out["text"] = n.text;
}

}  // namespace

std::string LadderToJson(const Ladder& ladder) {
  Json out;
  out["title"] = ladder.title;
  out["hosts"] = Json::array();
  for (const LadderHost& host : ladder.hosts) {
    out["hosts"].push_back(
        {{"name", host.name}, {"endpoint", host.endpoint}, {"inferred", host.inferred}});
  }
  out["rows"] = Json::array();
  for (const LadderRow& row : ladder.rows) {
    Json item;
    item["at"] = (row.at - ladder.origin).count();
    std::visit([&](const auto& what) { Fill(ladder, what, item); }, row.what);
    out["rows"].push_back(std::move(item));
  }
  out["left_out"] = ladder.left_out;
  // Bytes that are not UTF-8 are replaced, not thrown about.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace estab::observe
