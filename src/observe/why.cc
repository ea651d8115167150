#include "observe/why.h"

#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"
#include "observe/why_words.h"

namespace estab::observe {
namespace {

// A longer history is told without its middle.
constexpr std::size_t kHead = 16;
constexpr std::size_t kTail = 48;
constexpr std::size_t kMostRefusals = 8;

// A sentence's beginning; names of calls and flags stay as they are.
std::string Capital(std::string sentence) {
  if (sentence.starts_with("the ")) sentence[0] = 'T';
  return sentence;
}

bool IsListener(const Tuple& tuple) {
  return tuple.remote.port == 0 && tuple.remote.address.is_any();
}

// A connection that is over ends in CLOSED; a half-open one of a listener goes back to LISTEN.
bool Over(const Story& story) {
  if (story.entries.empty()) return false;
  const Entry& last = story.entries.back();
  return last.to == State::kClosed || (last.to == State::kListen && last.from != State::kClosed);
}

std::string Opener(const Story& story, const ConnectionInfo* present) {
  if (IsListener(story.tuple)) return "a listener";
  if (present != nullptr) return present->passive ? "opened by the peer" : "opened by us";
  if (!story.whole || story.entries.empty()) return "who opened it is forgotten";
  return story.entries.front().from == State::kListen ? "opened by the peer" : "opened by us";
}

// The newest entry that changed the state: verdicts after it did not.
const Entry* Reason(const Story& story) {
  const auto moved = std::find_if(story.entries.rbegin(), story.entries.rend(),
                                  [](const Entry& e) { return e.from != e.to; });
  return moved == story.entries.rend() ? nullptr : &*moved;
}

std::string StateLine(const Story& story, const ConnectionInfo* present, Time now) {
  const Entry* reason = Reason(story);
  State state = State::kClosed;
  if (present != nullptr) {
    state = present->state;
  } else if (reason != nullptr && !Over(story)) {
    state = reason->to;
  }
  std::string out = fmt::format("  state:  {}", StateName(state));
  // The journal explains the state only if it is about the same one.
  const bool same = reason != nullptr && (reason->to == state || Over(story));
  if (same) {
    out += fmt::format(" for {}", MillisText(now - reason->at));
  }
  if (present != nullptr && present->orphan && present->holder == Holder::kSocket) {
    out += "; its handle was closed, nobody owns it any more";
  }
  if (present != nullptr && present->holder == Holder::kHalfOpen) out += "; a half-open record";
  if (present != nullptr && present->unaccepted) out += "; not accepted yet";
  if (present == nullptr) out += "; nothing of it is left in the stack";
  out += "\n";
  if (same) {
    out +=
        fmt::format("  why:    {}: {}\n", CauseSentence(reason->cause), RuleSentence(reason->rule));
  } else if (present != nullptr) {
    out += "  why:    what led here was overwritten\n";
  }
  return out;
}

std::string PresentLines(const ConnectionInfo& info) {
  std::string out = fmt::format("  waits:  for {}\n", WaitsFor(info));
  out += fmt::format("  next:   {}\n", NextSentence(info));
  if (info.idle && info.holder == Holder::kSocket) {
    out += fmt::format("  peer:   last heard {} ago", MillisText(*info.idle));
    if (info.send_window == 0) out += "; its window is closed";
    out += "\n";
  }
  if (info.send_queue != 0 || info.receive_queue != 0) {
    out += fmt::format("  queues: {} bytes not acknowledged ({} not yet sent), {} not read\n",
                       info.send_queue, info.unsent, info.receive_queue);
  }
  return out;
}

std::string EntryLine(const Entry& entry, Time first) {
  const std::string change =
      entry.from == entry.to ? fmt::format("Stays {}.", StateName(entry.from))
                             : fmt::format("{} → {}.", StateName(entry.from), StateName(entry.to));
  return fmt::format("  {:>12}  {}: {}. {}\n", "+" + MillisText(entry.at - first),
                     Capital(CauseSentence(entry.cause)), RuleSentence(entry.rule), change);
}

// Counted from now: what a stack's clock counts from means nothing to a person.
std::string History(const Story& story, Time now) {
  if (story.entries.empty()) return "history: all of it was overwritten\n";
  const Time first = story.entries.front().at;
  std::string out =
      fmt::format("history, in seconds since its first event, {} ago:\n", MillisText(now - first));
  if (!story.whole) out += "  earlier history was overwritten\n";
  const std::size_t n = story.entries.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (n > kHead + kTail && i == kHead) {
      out += fmt::format("  ... {} events are left out ...\n", n - kHead - kTail);
      i = n - kTail;
    }
    out += EntryLine(story.entries[i], first);
  }
  return out;
}

std::string RefusalText(const Refusal& refusal, Time now) {
  std::string out = fmt::format("{} ago: {}: {}", MillisText(now - refusal.last.at),
                                CauseSentence(refusal.last.cause), RuleSentence(refusal.last.rule));
  if (refusal.count > 1) {
    out += fmt::format("; {} times in a row, the first {} ago", refusal.count,
                       MillisText(now - refusal.first));
  }
  return out;
}

std::string RefusedSince(const Journal& journal, const Story& story, Time now) {
  const auto refusal = journal.Refused(story.tuple);
  if (!refusal || (!story.entries.empty() && refusal->last.at < story.entries.back().at)) return {};
  return fmt::format("since then:\n  {}\n", RefusalText(*refusal, now));
}

// Whom the listener at `local` refused lately; empty if nobody.
std::string RefusedAt(const Journal& journal, const Endpoint& local, Time now) {
  std::string out;
  for (const Refusal& r : journal.RefusedAt(local, kMostRefusals)) {
    out += fmt::format("  {}: {}\n", EndpointText(r.tuple.remote), RefusalText(r, now));
  }
  return out.empty() ? out : "refused at this port, latest first:\n" + out;
}

std::string Nobody(const Journal& journal, const Stack& stack, Time now, const Tuple& tuple) {
  const auto listener = stack.GetInfo(now, Tuple{tuple.local, {IpAddress::AnyV4(), 0}});
  const std::string there =
      listener
          ? fmt::format("A listener at {} would take a SYN.\n", EndpointText(listener->tuple.local))
          : fmt::format("Nobody listens on port {}: a SYN would be answered with a reset.\n",
                        tuple.local.port);
  if (IsListener(tuple)) return there + RefusedAt(journal, tuple.local, now);
  std::string out = fmt::format(
      "{}: no connection, and none is remembered: there was none, or its history was overwritten\n",
      TupleText(tuple));
  if (const auto refusal = journal.Refused(tuple)) {
    out += fmt::format("  last:   {}\n", RefusalText(*refusal, now));
  }
  return out + "  now:    " + there;
}

}  // namespace

std::string WhyText(const Story& story, const ConnectionInfo* present, Time now) {
  std::string out =
      IsListener(story.tuple)
          ? fmt::format("listener {}, {}\n", story.number, EndpointText(story.tuple.local))
          : fmt::format("connection {}, {}, {}\n", story.number, TupleText(story.tuple),
                        Opener(story, present));
  out += StateLine(story, present, now);
  if (present != nullptr) out += PresentLines(*present);
  return out + History(story, now);
}

std::string Why(const Journal& journal, const Stack& stack, Time now, ConnectionNumber number) {
  if (number == 0) return "a socket without a connection: nothing was opened yet\n";
  const auto story = journal.Tell(number);
  if (!story) {
    return fmt::format(
        "connection {}: nothing is remembered; it never was, or earlier history was overwritten\n",
        number);
  }
  const auto present = stack.GetInfo(now, story->tuple);
  const bool alive = present && present->number == number;
  std::string out = WhyText(*story, alive ? &*present : nullptr, now);
  if (IsListener(story->tuple)) return out + RefusedAt(journal, story->tuple.local, now);
  return out + (alive ? std::string() : RefusedSince(journal, *story, now));
}

std::string Why(const Journal& journal, const Stack& stack, Time now, const Tuple& tuple) {
  const auto present = stack.GetInfo(now, tuple);
  const ConnectionNumber number = present ? present->number : journal.Find(tuple);
  if (number == 0) return Nobody(journal, stack, now, tuple);
  const auto story = journal.Tell(number);
  // Alive, but so old that the journal has forgotten even its name.
  if (!story) return WhyText({number, present->tuple, {}, false}, &*present, now);
  std::string out = Why(journal, stack, now, number);
  const std::size_t others = journal.Count(story->tuple) - 1;
  if (others != 0) {
    out += fmt::format("{} earlier connection{} between these ends {} remembered\n", others,
                       others == 1 ? "" : "s", others == 1 ? "is" : "are");
  }
  return out;
}

}  // namespace estab::observe
