#include "observe/journal.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

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

// FNV-1a. Whoever aims at one place of the table hides what was refused to others, and nothing
// else.
std::size_t PlainHash(const Tuple& tuple) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](unsigned byte) { hash = (hash ^ byte) * 0x100000001b3u; };
  for (const Endpoint* end : {&tuple.local, &tuple.remote}) {
    for (const std::uint8_t byte : end->address.bytes) add(byte);
    add(end->port & 0xffu);
    add(end->port >> 8u);
  }
  return static_cast<std::size_t>(hash ^ (hash >> 32));
}

}  // namespace

Journal::Journal(const Options& options)
    : record_mask_(RoundUp(options.records) - 1),
      identity_mask_(RoundUp(options.connections) - 1),
      refusal_mask_(RoundUp(options.refusals) - 1),
      verdicts_(options.verdicts),
      records_(static_cast<Record*>(Reserve(record_mask_ + 1, sizeof(Record)))),
      identities_(static_cast<Identity*>(Reserve(identity_mask_ + 1, sizeof(Identity)))),
      refusals_(static_cast<Refusal*>(Reserve(refusal_mask_ + 1, sizeof(Refusal)))) {}

unsigned Journal::Interests() const {
  return kTransitions | kRefusals | (verdicts_ ? static_cast<unsigned>(kVerdicts) : 0u);
}

void Journal::OnRule(const RuleEvent& event) {
  if ((InterestOf(event.number, event.from, event.to) & kRefusals) != 0) return Refuse(event);
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

std::size_t Journal::Count(const Tuple& tuple) const {
  std::size_t n = 0;
  for (std::size_t i = 0; i <= identity_mask_; ++i) {
    n += identities_[i].number != 0 && identities_[i].tuple == tuple ? 1 : 0;
  }
  return n;
}

Entry Journal::EntryOf(const Record& record) {
  Entry entry;
  entry.at = Time(Duration(record.time));
  entry.rule = static_cast<RuleId>(record.rule);
  entry.from = static_cast<State>(record.from);
  entry.to = static_cast<State>(record.to);
  Cause& cause = entry.cause;
  cause.trigger = static_cast<Trigger>(record.trigger);
  if (cause.trigger == Trigger::kCall) {
    cause.call = static_cast<CallKind>(record.detail);
  } else {
    cause.timer = static_cast<TimerKind>(record.detail);
  }
  if (cause.trigger == Trigger::kIcmp) {
    cause.icmp = static_cast<std::uint16_t>(record.ack);
  } else {
    cause.segment.ack = record.ack;
  }
  cause.segment.seq = record.seq;
  cause.segment.flags = static_cast<std::uint16_t>(record.flags);
  cause.segment.length = record.length;
  return entry;
}

std::optional<Story> Journal::Tell(ConnectionNumber number) const {
  const Identity* identity = Remembered(number);
  if (identity == nullptr) return std::nullopt;
  Story story{number, identity->tuple, {}, false};
  for (std::uint32_t position = identity->head;;) {
    const Record* record = At(position, number);
    if (record == nullptr) break;
    story.entries.push_back(EntryOf(*record));
    if (record->previous == 0) {
      // A chain begins with a birth. Any other first state means that the identity was lost
      // between.
      const auto first = static_cast<State>(record->from);
      story.whole = first == State::kClosed || first == State::kListen;
      break;
    }
    position = record->previous;
  }
  std::reverse(story.entries.begin(), story.entries.end());
  return story;
}

Refusal& Journal::PlaceOf(const Tuple& tuple) const {
  return refusals_[PlainHash(tuple) & refusal_mask_];
}

void Journal::Refuse(const RuleEvent& event) {
  Refusal& refusal = PlaceOf(event.tuple);
  const bool same = refusal.count != 0 && refusal.tuple == event.tuple;
  if (!same || refusal.last.rule != event.rule) {
    refusal = {event.tuple, event.at, 0, {}};
  }
  if (refusal.count != UINT32_MAX) ++refusal.count;
  refusal.last = {event.at, event.rule, event.from, event.to, event.cause};
}

std::optional<Refusal> Journal::Refused(const Tuple& tuple) const {
  const Refusal& refusal = PlaceOf(tuple);
  if (refusal.count == 0 || refusal.tuple != tuple) return std::nullopt;
  return refusal;
}

std::vector<Refusal> Journal::RefusedAt(const Endpoint& local, std::size_t most) const {
  std::vector<Refusal> found;
  const bool any = local.address.is_any();
  for (std::size_t i = 0; i <= refusal_mask_; ++i) {
    const Refusal& r = refusals_[i];
    if (r.count == 0 || r.tuple.local.port != local.port) continue;
    if (any || r.tuple.local.address == local.address) found.push_back(r);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Refusal& a, const Refusal& b) { return a.last.at > b.last.at; });
  if (found.size() > most) found.resize(most);
  return found;
}

}  // namespace estab::observe
