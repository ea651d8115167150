#include "oracle/mutate.h"

#include <algorithm>
#include <array>
#include <utility>

namespace oracle {
namespace {

/// SplitMix64: the same everywhere, which the standard's distributions are not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
  }
  std::size_t Below(std::size_t n) { return static_cast<std::size_t>(Next() % n); }
  template <typename Array>
  const auto& Of(const Array& array) {
    return array[Below(std::size(array))];
  }

 private:
  std::uint64_t state_;
};

constexpr std::array kOffsets = {
    "1",     "-1",    "2",      "-2",      "10",       "-10",        "500",
    "-500",  "1460",  "-1460",  "40000",   "-40000",   "64239",      "64240",
    "65535", "65536", "-65536", "1000000", "-1000000", "2147483647", "-2147483647"};
constexpr std::array kWindows = {"0", "1", "100", "1460", "65535"};
constexpr std::array kLengths = {"0", "1", "10", "100", "1000", "1460"};
constexpr std::array kFlags = {"S",   "S.", ".",   "F", "F.", "R",     "R.", "P.", "FP.", "SF",
                               "SF.", "SR", "SR.", "-", "P",  "FSRP.", ".U", ".E", "FR."};
constexpr std::array kMutantOptions = {"<mss 1460>",
                                       "<mss 500>",
                                       "<mss 0>",
                                       "<mss 1460,sackOK>",
                                       "<mss 1460,nop,wscale 7>",
                                       "<mss 1460,nop,wscale 15>",
                                       "<mss 1460,sackOK,ts 1000 last,nop,wscale 7>",
                                       "<nop,nop,ts 1000 last>",
                                       "<nop,nop,ts 900 last>",
                                       "<nop,nop,ts 0 0>",
                                       "<nop,nop,sack 1-10>",
                                       "<sackOK>",
                                       "<kind 254 1 2>",
                                       "<raw 8,raw 40>",
                                       "<raw 2,raw 0>",
                                       "<eol>"};

/// Replaces the word that begins with `key`, or adds it.
void SetWord(Step* step, const std::string& key, const std::string& value) {
  for (std::string& word : step->arguments) {
    if (word.starts_with(key)) {
      word = key + value;
      return;
    }
  }
  step->arguments.push_back(key + value);
}

void SetOptions(Step* step, Dice* dice) {
  std::erase_if(step->arguments, [](const std::string& word) { return word[0] == '<'; });
  if (dice->Below(4) != 0) step->arguments.emplace_back(dice->Of(kMutantOptions));
}

void ChangeFlags(Step* step, Dice* dice) {
  std::string& flags = step->arguments[0];
  if (dice->Below(2) == 0) {
    flags = dice->Of(kFlags);
    return;
  }
  const char letter = dice->Of(std::array{'S', 'F', 'R', 'P', '.', 'U'});
  const auto at = flags.find(letter);
  if (at == std::string::npos) {
    flags.push_back(letter);
  } else {
    flags.erase(at, 1);
  }
  std::erase(flags, '-');
  if (flags.empty()) flags = "-";
}

void ChangeSegment(Step* step, Dice* dice) {
  switch (dice->Below(8)) {
    case 0:
    case 1:
      return ChangeFlags(step, dice);
    case 2:
    case 3:
      return SetWord(step, "seq+=", dice->Of(kOffsets));
    case 4:
    case 5:
      return SetWord(step, "ack+=", dice->Of(kOffsets));
    case 6:
      return dice->Below(2) == 0 ? SetWord(step, "win=", dice->Of(kWindows))
                                 : SetWord(step, "len=", dice->Of(kLengths));
    default:
      return SetOptions(step, dice);
  }
}

bool MayMove(const Step& step) {
  return step.verb == "<" || step.verb == "icmp" || step.verb == "close" ||
         step.verb == "shutdown" || step.verb == "send" || step.verb == "recv" ||
         step.verb == "accept";
}

void ChangeOrder(std::vector<Step>* steps, std::size_t at, Dice* dice) {
  switch (dice->Below(3)) {
    case 0:
      steps->insert(steps->begin() + static_cast<long>(at), (*steps)[at]);
      (*steps)[at + 1].wait = 0;
      return;
    case 1: {  // its time passes all the same
      const Micros wait = (*steps)[at].wait;
      steps->erase(steps->begin() + static_cast<long>(at));
      if (at < steps->size()) (*steps)[at].wait += wait;
      return;
    }
    default:
      if (at + 1 < steps->size() && MayMove((*steps)[at + 1])) {
        std::swap((*steps)[at], (*steps)[at + 1]);
        std::swap((*steps)[at].wait, (*steps)[at + 1].wait);
      }
  }
}

/// The script that draws the highest lot: a script more or less leaves almost every mutant as it
/// is.
const Script& Draw(const std::vector<Script>& bases, std::uint64_t lot) {
  const auto drawn = [lot](const Script& script) {
    std::uint64_t hash = lot;
    for (const char letter : script.name) {
      hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ull;
    }
    return Dice(hash).Next();
  };
  return *std::max_element(bases.begin(), bases.end(),
                           [&](const Script& a, const Script& b) { return drawn(a) < drawn(b); });
}

}  // namespace

Script Mutate(const std::vector<Script>& bases, std::uint64_t seed, std::uint64_t number) {
  Dice dice(seed * 0x100000001b3ull + number);
  Script script = Draw(bases, dice.Next());
  script.name += "~" + std::to_string(seed) + "." + std::to_string(number);
  const std::size_t changes = 1 + dice.Below(3);
  for (std::size_t i = 0; i < changes; ++i) {
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < script.steps.size(); ++at) {
      if (MayMove(script.steps[at])) places.push_back(at);
    }
    if (places.empty()) break;
    const std::size_t at = dice.Of(places);
    if (script.steps[at].verb == "<" && dice.Below(4) != 0) {
      ChangeSegment(&script.steps[at], &dice);
    } else {
      ChangeOrder(&script.steps, at, &dice);
    }
  }
  return script;
}

}  // namespace oracle
