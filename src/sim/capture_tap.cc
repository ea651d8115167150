#include "sim/capture_tap.h"

#include <algorithm>

#include "observe/format.h"

namespace estab::sim {
namespace {

std::string RuleText(const Rule& rule) {
  return fmt::format("{} ({}, {}): {}", rule.name, BasisName(rule.basis), rule.section, rule.gist);
}

bool Same(const SegmentSummary& a, const SegmentSummary& b) {
  return a.flags == b.flags && a.seq == b.seq && a.ack == b.ack && a.length == b.length;
}

const char* AuthorText(Author author) {
  switch (author) {
    case Author::kForged:
      return "forged under the name of ";
    case Author::kRouter:
      return "from a router on the way from ";
    case Author::kScript:
      return "played by a script, from ";
    default:
      return "from ";
  }
}

}  // namespace

CaptureTap::CaptureTap(bool packets) : keep_(packets) {
  for (const Side side : {Side::kA, Side::kB}) {
    sides_[Index(side)].tap = this;
    sides_[Index(side)].side = side;
  }
}

void CaptureTap::OnPacket(const PacketReport& report) {
  if (!keep_ || packets_.size() >= kMostPackets) return;
  observe::CapturedPacket packet{report.sent, {report.bytes.begin(), report.bytes.end()}, {}};
  packet.comment = std::string(AuthorText(report.author)) + observe::SideName(report.from);
  const Latest& latest = latest_[Index(report.from)];
  if (report.author == Author::kStack && latest.rule != nullptr && latest.at == report.sent) {
    packet.comment += "; sent by " + RuleText(*latest.rule);
  }
  const char* loss = LossText(report.fate.loss);
  if (*loss != '\0') packet.comment += fmt::format("\n{}", loss);
  if (report.fault != nullptr) packet.comment += fmt::format("\nfault: {}", report.fault->text);
  if (report.view != nullptr) {
    for (std::uint8_t i = 0; i < report.fate.copies; ++i) {
      travelling_[Index(Other(report.from))].push_back(
          {report.fate.at[i], report.view->segment, packets_.size()});
    }
  }
  packets_.push_back(std::move(packet));
}

void CaptureTap::OnRule(Side side, const RuleEvent& event) {
  ++fired_[Index(side)][event.rule];
  if (!keep_) return;
  const Rule& rule = GetRule(event.rule);
  latest_[Index(side)] = {event.at, &rule};
  if (event.cause.trigger != Trigger::kSegment) return;
  auto& travelling = travelling_[Index(side)];
  std::erase_if(travelling, [&](const Travelling& t) { return t.at < event.at; });
  const auto it = std::find_if(travelling.begin(), travelling.end(), [&](const Travelling& t) {
    return t.at == event.at && Same(t.segment, event.cause.segment);
  });
  if (it == travelling.end()) return;
  packets_[it->index].comment +=
      fmt::format("\nat {}: {}", observe::SideName(side), RuleText(rule));
  travelling.erase(it);
}

std::vector<FiredRule> CaptureTap::Fired() const {
  std::vector<FiredRule> out;
  for (const Side side : {Side::kA, Side::kB}) {
    for (const auto& [rule, count] : fired_[Index(side)]) out.push_back({side, rule, count});
  }
  return out;
}

}  // namespace estab::sim
