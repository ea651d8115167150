#include "observe/journal.h"

#include <algorithm>
#include <bit>
#include <new>
#include <vector>

#include "observe/format.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

std::size_t RoundUp(std::size_t wanted) {
  return std::bit_ceil(std::clamp(wanted, std::size_t{1}, std::size_t{1} << 30));
}

// calloc leaves the pages untouched until they are written.
void* Reserve(std::size_t count, std::size_t size) {
  void* memory = std::calloc(count, size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

constexpr std::uint32_t kMaxLength = (1u << 23) - 1;

std::string At(std::int64_t ns) { return SecondsText(Duration(ns), 6) + " s"; }

}  // namespace

Journal::Journal(const Options& options)
    : record_mask_(RoundUp(options.records) - 1),
      identity_mask_(RoundUp(options.connections) - 1),
      verdicts_(options.verdicts),
      records_(static_cast<Record*>(Reserve(record_mask_ + 1, sizeof(Record)))),
      identities_(static_cast<Identity*>(Reserve(identity_mask_ + 1, sizeof(Identity)))) {}

unsigned Journal::Interests() const {
  return kTransitions | (verdicts_ ? static_cast<unsigned>(kVerdicts) : 0u);
}

void Journal::OnRule(const RuleEvent& event) {
  if (!verdicts_ && event.from == event.to) return;
  const auto position = static_cast<std::uint32_t>(++total_);
  Record& r = records_[position & record_mask_];
  r.time = event.at.time_since_epoch().count();
  r.number = event.number;
  r.previous = 0;
  const Cause& cause = event.cause;
  r.seq = cause.segment.seq;
  r.ack = cause.trigger == Trigger::kIcmp ? cause.icmp : cause.segment.ack;
  r.flags = cause.segment.flags & 0x1ffu;
  r.length = std::min(cause.segment.length, kMaxLength) & kMaxLength;
  r.rule = static_cast<std::uint16_t>(event.rule);
  r.from = static_cast<std::uint8_t>(event.from) & 0xfu;
  r.to = static_cast<std::uint8_t>(event.to) & 0xfu;
  r.trigger = static_cast<std::uint8_t>(cause.trigger) & 0x3u;
  const unsigned detail = cause.trigger == Trigger::kCall ? static_cast<unsigned>(cause.call)
                                                          : static_cast<unsigned>(cause.timer);
  r.detail = detail & 0x3fu;
  if (event.number == 0) return;
  Identity& identity = identities_[event.number & identity_mask_];
  if (identity.number == event.number) r.previous = identity.head;
  identity.number = event.number;
  identity.head = position;
  identity.tuple = event.tuple;
}

const Journal::Identity* Journal::Remembered(ConnectionNumber number) const {
  const Identity& identity = identities_[number & identity_mask_];
  return number != 0 && identity.number == number ? &identity : nullptr;
}

// The record at `position`, unless it has been overwritten since.
const Journal::Record* Journal::At(std::uint32_t position, ConnectionNumber number) const {
  const std::uint32_t age = static_cast<std::uint32_t>(total_) - position;
  const Record& record = records_[position & record_mask_];
  return age <= record_mask_ && record.number == number ? &record : nullptr;
}

ConnectionNumber Journal::Find(const Tuple& tuple) const {
  ConnectionNumber best = 0;
  for (std::size_t i = 0; i <= identity_mask_; ++i) {
    const Identity& identity = identities_[i];
    if (identity.number > best && identity.tuple == tuple) best = identity.number;
  }
  return best;
}

std::string Journal::CauseText(const Record& record) {
  switch (static_cast<Trigger>(record.trigger)) {
    case Trigger::kCall:
      return fmt::format("call {}", CallName(static_cast<CallKind>(record.detail)));
    case Trigger::kTimer:
      return fmt::format("timer {}", TimerName(static_cast<TimerKind>(record.detail)));
    case Trigger::kIcmp:
      return fmt::format("ICMP type {} code {}", record.ack >> 8, record.ack & 0xffu);
    case Trigger::kSegment:
      break;
  }
  std::string out = fmt::format("segment {} seq={}", FlagsText(record.flags), record.seq);
  if ((record.flags & kAck) != 0) out += fmt::format(" ack={}", record.ack);
  if (record.length != 0) out += fmt::format(" len={}", record.length);
  return out;
}

std::string Journal::Line(const Record& record) {
  const Rule& rule = GetRule(static_cast<RuleId>(record.rule));
  const char* from = StateName(static_cast<State>(record.from));
  const char* to = StateName(static_cast<State>(record.to));
  const std::string change =
      record.from == record.to ? fmt::format("stays {}", from) : fmt::format("{} -> {}", from, to);
  return fmt::format("  at {}: {}, because of {}: rule {} ({}, {}): {}\n", observe::At(record.time),
                     change, CauseText(record), rule.name, BasisName(rule.basis), rule.section,
                     rule.gist);
}

std::string Journal::Ending(const Record& newest, std::int64_t since) {
  const Rule& rule = GetRule(static_cast<RuleId>(newest.rule));
  return fmt::format("  now {}, since {}, by rule {}: {}\n",
                     StateName(static_cast<State>(newest.to)), observe::At(since), rule.name,
                     rule.gist);
}

std::string Journal::Why(ConnectionNumber number) const {
  const Identity* identity = Remembered(number);
  if (identity == nullptr) {
    return fmt::format(
        "connection {}: nothing is remembered; it never was, or earlier history was overwritten\n",
        number);
  }
  std::string out = fmt::format("connection {}, {}\n", number, TupleText(identity->tuple));
  std::vector<const Record*> story;
  bool whole = false;
  for (std::uint32_t position = identity->head;;) {
    const Record* record = At(position, number);
    if (record == nullptr) break;
    story.push_back(record);
    if (record->previous == 0) {
      // A chain begins with a birth. Any other first state means that the identity was lost
      // between.
      const auto first = static_cast<State>(record->from);
      whole = first == State::kClosed || first == State::kListen;
      break;
    }
    position = record->previous;
  }
  if (!whole) out += "  earlier history was overwritten\n";
  for (auto it = story.rbegin(); it != story.rend(); ++it) out += Line(**it);
  if (story.empty()) return out;
  // The newest record that moved explains the state; verdicts after it did not.
  const auto moved =
      std::find_if(story.begin(), story.end(), [](const Record* r) { return r->from != r->to; });
  const Record& reason = moved == story.end() ? *story.back() : **moved;
  out += Ending(reason, reason.time);
  return out;
}

std::string Journal::Why(const Tuple& tuple) const {
  const ConnectionNumber number = Find(tuple);
  if (number != 0) return Why(number);
  return fmt::format(
      "{}: nothing is remembered; there was no such connection, or earlier history was "
      "overwritten\n",
      TupleText(tuple));
}

}  // namespace estab::observe
