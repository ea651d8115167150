#include "sim/fault.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "observe/format.h"

namespace estab::sim {
namespace {

constexpr std::uint16_t kControl = kSyn | kFin | kRst;

struct NamedFlag {
  std::string_view name;
  std::uint16_t flag;
};
constexpr NamedFlag kFlagNames[] = {
    {"syn", kSyn}, {"ack", kAck}, {"fin", kFin}, {"rst", kRst},
    {"psh", kPsh}, {"urg", kUrg}, {"ece", kEce}, {"cwr", kCwr},
};
constexpr std::string_view kOrdinalWords[] = {"first", "second",  "third",  "fourth", "fifth",
                                              "sixth", "seventh", "eighth", "ninth",  "tenth"};

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    if (end != begin) words.push_back(Lower(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return words;
}

std::optional<std::uint32_t> Number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> Ordinal(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kOrdinalWords); ++i) {
    if (text == kOrdinalWords[i]) return static_cast<std::uint32_t>(i + 1);
  }
  if (text.size() < 3) return std::nullopt;
  const std::string_view ending = text.substr(text.size() - 2);
  if (ending != "st" && ending != "nd" && ending != "rd" && ending != "th") return std::nullopt;
  const auto value = Number(text.substr(0, text.size() - 2));
  return value && *value != 0 ? value : std::nullopt;
}

std::optional<std::uint16_t> FlagsOf(std::string_view text) {
  std::uint16_t flags = 0;
  while (true) {
    const std::size_t end = std::min(text.find('|'), text.size());
    const std::string_view name = text.substr(0, end);
    const auto* found = std::find_if(std::begin(kFlagNames), std::end(kFlagNames),
                                     [&](const NamedFlag& f) { return f.name == name; });
    if (found == std::end(kFlagNames)) return std::nullopt;
    flags = static_cast<std::uint16_t>(flags | found->flag);
    if (end == text.size()) return flags;
    text.remove_prefix(end + 1);
  }
}

// Reads the words of one fault from left to right. The first error stays.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), words_(Words(text)) {}

  std::expected<Fault, std::string> Parse() {
    fault_.text = text_;
    Action();
    Which();
    What();
    while (error_.empty() && next_ < words_.size()) Condition();
    if (error_.empty() && fault_.action == Fault::Action::kDelay && fault_.delay.count() == 0) {
      error_ = "a delay needs \"by\" and a time, such as \"by 500ms\"";
    }
    if (error_.empty()) return std::move(fault_);
    return std::unexpected(fmt::format("fault \"{}\": {}", text_, error_));
  }

 private:
  std::string_view Peek() const {
    return next_ < words_.size() ? words_[next_] : std::string_view();
  }
  bool Take(std::string_view word) {
    if (Peek() != word) return false;
    ++next_;
    return true;
  }
  void Fail(std::string_view expected) {
    if (!error_.empty()) return;
    error_ = next_ < words_.size() ? fmt::format("\"{}\" is not {}", words_[next_], expected)
                                   : fmt::format("it ends where {} was expected", expected);
  }

  void Action() {
    if (Take("drop")) {
      fault_.action = Fault::Action::kDrop;
    } else if (Take("delay")) {
      fault_.action = Fault::Action::kDelay;
    } else if (Take("duplicate")) {
      fault_.action = Fault::Action::kDuplicate;
    } else if (Take("corrupt")) {
      fault_.action = Fault::Action::kCorrupt;
    } else if (Take("mark")) {
      fault_.action = Fault::Action::kMark;
    } else {
      Fail("an action (drop, delay, duplicate, corrupt, mark)");
    }
  }

  void Which() {
    if (!error_.empty() || Take("every") || Take("all")) return;
    if (!Take("the") && !Ordinal(Peek())) return;
    chosen_ = true;
    // "the first 3 SYN" means three of them, "the first SYN" one.
    if (Peek() == "first" && next_ + 1 < words_.size() && Number(words_[next_ + 1])) {
      const auto count = Number(words_[next_ + 1]);
      if (*count == 0) return Fail("followed by a number of at least 1");
      fault_.last = *count;
      next_ += 2;
      return;
    }
    const auto ordinal = Ordinal(Peek());
    if (!ordinal) return Fail("an ordinal (1st, 2nd, 3rd, ...)");
    fault_.first = fault_.last = *ordinal;
    ++next_;
  }

  void What() {
    if (!error_.empty()) return;
    if (Take("data")) {
      fault_.match = SegmentMatch::Data();
    } else if (Take("segment") || Take("segments")) {
      fault_.match = SegmentMatch::Any();
    } else if (const auto flags = FlagsOf(Peek())) {
      fault_.match = SegmentMatch::Flags(*flags);
      ++next_;
    } else {
      Fail("a kind of segment (SYN, SYN|ACK, ACK, FIN, RST, data, segment)");
    }
  }

  void Condition() {
    if (Take("from")) {
      if (Peek() == "a" || Peek() == "b") {
        fault_.from = words_[next_++] == "a" ? Side::kA : Side::kB;
      } else {
        Fail("a side (A or B)");
      }
    } else if (Take("after")) {
      After();
    } else if (Take("seq")) {
      fault_.match.seq = Amount();
    } else if (Take("ack")) {
      fault_.match.ack = Amount();
    } else if (Take("len")) {
      fault_.match.length = Amount();
    } else if (Peek() == "by" && fault_.action == Fault::Action::kDelay) {
      ++next_;
      const auto delay = ParseDuration(Peek());
      if (!delay) return Fail("a time (500ms, 2s, ...)");
      fault_.delay = *delay;
      ++next_;
    } else {
      Fail("a condition (from, after, seq, ack, len; by only with delay)");
    }
  }

  void After() {
    if (chosen_) {
      error_ = "\"after\" goes with \"every\", not with \"the\"";
      return;
    }
    Take("the");
    const auto ordinal = Ordinal(Peek());
    if (!ordinal || *ordinal == UINT32_MAX) return Fail("an ordinal (1st, 2nd, 3rd, ...)");
    fault_.first = *ordinal + 1;
    ++next_;
  }

  std::optional<std::uint32_t> Amount() {
    const auto value = Number(Peek());
    if (value) {
      ++next_;
    } else {
      Fail("a number");
    }
    return value;
  }

  std::string_view text_;
  std::vector<std::string> words_;
  std::size_t next_ = 0;
  bool chosen_ = false;
  Fault fault_;
  std::string error_;
};

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

std::optional<Duration> ParseDuration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::int64_t ns;
  };
  constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}};
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&](const Unit& u) { return text.ends_with(u.name); });
  if (unit == std::end(kUnits)) return std::nullopt;
  text.remove_suffix(unit->name.size());
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto whole = Number(text.substr(0, point));
  if (!whole) return std::nullopt;
  std::int64_t ns = std::int64_t{*whole} * unit->ns;
  if (point == text.size()) return Duration(ns);
  const std::string_view digits = text.substr(point + 1);
  const auto part = Number(digits);
  if (!part || digits.size() > 9) return std::nullopt;
  std::int64_t scale = 1;
  for (std::size_t i = 0; i < digits.size(); ++i) scale *= 10;
  if (std::int64_t{*part} * unit->ns % scale != 0) return std::nullopt;
  return Duration(ns + std::int64_t{*part} * unit->ns / scale);
}

SegmentMatch SegmentMatch::Flags(std::uint16_t flags) {
  SegmentMatch match;
  match.required = flags;
  match.forbidden = static_cast<std::uint16_t>(kControl & ~flags);
  if (flags == kSyn) match.forbidden = static_cast<std::uint16_t>(match.forbidden | kAck);
  if (flags == kAck) match.payload = Payload::kNone;
  return match;
}

SegmentMatch SegmentMatch::Data() {
  SegmentMatch match;
  match.payload = Payload::kSome;
  return match;
}

std::expected<Fault, std::string> Fault::Parse(std::string_view text) {
  return Parser(Trimmed(text)).Parse();
}

std::expected<void, std::string> FaultSet::Add(std::string_view text) {
  std::vector<Armed> read;
  while (true) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view one = Trimmed(text.substr(0, end));
    if (!one.empty()) {
      auto fault = Fault::Parse(one);
      if (!fault) return std::unexpected(fault.error());
      read.push_back({std::move(*fault), 0});
    }
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
  }
  if (read.empty()) return std::unexpected("no fault given");
  for (Armed& armed : read) armed_.push_back(std::move(armed));
  return {};
}

bool FaultSet::Matches(const Fault& fault, Side from, const PacketView& packet) const {
  const SegmentMatch& match = fault.match;
  const SegmentSummary& s = packet.segment;
  if (fault.from && *fault.from != from) return false;
  if ((s.flags & match.required) != match.required || (s.flags & match.forbidden) != 0)
    return false;
  if (match.payload == SegmentMatch::Payload::kNone && s.length != 0) return false;
  if (match.payload == SegmentMatch::Payload::kSome && s.length == 0) return false;
  if (match.length && *match.length != s.length) return false;
  if (match.seq && s.seq - isn_[Index(from)].value_or(0) != *match.seq) return false;
  if (match.ack) {
    if ((s.flags & kAck) == 0) return false;
    if (s.ack - isn_[Index(Other(from))].value_or(0) != *match.ack) return false;
  }
  return true;
}

FaultEffect FaultSet::Apply(Side from, const PacketView& packet) {
  if ((packet.segment.flags & kSyn) != 0) isn_[Index(from)] = packet.segment.seq;
  FaultEffect effect;
  for (Armed& armed : armed_) {
    if (!Matches(armed.fault, from, packet)) continue;
    if (armed.matched != UINT32_MAX) ++armed.matched;
    if (armed.matched < armed.fault.first || armed.matched > armed.fault.last) continue;
    if (effect.cause == nullptr) effect.cause = &armed.fault;
    switch (armed.fault.action) {
      case Fault::Action::kDrop:
        effect.drop = true;
        break;
      case Fault::Action::kDelay:
        effect.delay += armed.fault.delay;
        break;
      case Fault::Action::kDuplicate:
        ++effect.copies;
        break;
      case Fault::Action::kCorrupt:
        effect.corrupt = true;
        break;
      case Fault::Action::kMark:
        effect.mark = true;
        break;
    }
  }
  return effect;
}

std::vector<std::string> FaultSet::Unused() const {
  std::vector<std::string> out;
  for (const Armed& armed : armed_) {
    if (armed.matched < armed.fault.first) out.push_back(armed.fault.text);
  }
  return out;
}

}  // namespace estab::sim
