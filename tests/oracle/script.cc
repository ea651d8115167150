#include "oracle/script.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace oracle {
namespace {

struct Verb {
  const char* name;
  std::size_t least, most;  // arguments
};

constexpr std::array kVerbs = {
    Verb{"set", 2, 8},         Verb{"flow", 2, 2},        Verb{"wait", 0, 0},
    Verb{"socket", 0, 1},      Verb{"bind", 2, 3},        Verb{"listen", 2, 2},
    Verb{"accept", 1, 1},      Verb{"connect", 2, 3},     Verb{"send", 2, 3},
    Verb{"recv", 2, 3},        Verb{"shutdown", 2, 2},    Verb{"close", 1, 1},
    Verb{"setsockopt", 3, 4},  Verb{"getsockopt", 2, 2},  Verb{"state", 1, 1},
    Verb{"info", 1, 1},        Verb{"poll", 1, 1},        Verb{"ioctl", 2, 2},
    Verb{"getsockname", 1, 1}, Verb{"getpeername", 1, 1}, Verb{"<", 1, 16},
    Verb{"icmp", 1, 8},        Verb{"loss", 1, 1},
};

[[noreturn]] void Fail(const std::string& where, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", where.c_str(), what.c_str());
  std::exit(2);
}

Step ParseStep(std::vector<std::string> words, const std::string& where) {
  Step step;
  if (words[0][0] == '+') {
    step.wait = ParseSeconds(std::string_view(words[0]).substr(1));
    if (step.wait < 0) Fail(where, "not a time: " + words[0]);
    words.erase(words.begin());
  }
  if (words.empty()) words.push_back("wait");
  if (words.size() > 2 && words[1] == "=") {
    step.target = words[0];
    words.erase(words.begin(), words.begin() + 2);
  }
  step.verb = words[0];
  step.arguments.assign(words.begin() + 1, words.end());
  const auto* verb = std::find_if(kVerbs.begin(), kVerbs.end(),
                                  [&](const Verb& v) { return step.verb == v.name; });
  if (verb == kVerbs.end()) Fail(where, "no such step: " + step.verb);
  if (step.arguments.size() < verb->least || step.arguments.size() > verb->most) {
    Fail(where, "wrong number of words: " + step.Text());
  }
  return step;
}

std::string Trimmed(std::string_view line) {
  const auto comment = line.find('#');
  if (comment != std::string_view::npos) line = line.substr(0, comment);
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return std::string(line);
}

/// `use NAME` stands for the steps of a script of common.oracle.
void Use(const std::vector<Script>& scripts, const std::string& name, const std::string& where,
         Script* script) {
  const auto found = std::find_if(scripts.begin(), scripts.end(),
                                  [&](const Script& s) { return s.name == "common/" + name; });
  if (found == scripts.end()) Fail(where, "common.oracle has no " + name);
  // A copy: the steps may be those of the very vector that grows.
  const std::vector<Step> steps = found->steps;
  script->steps.insert(script->steps.end(), steps.begin(), steps.end());
}

void Read(std::istream& text, const std::string& stem, std::vector<Script>* scripts) {
  const std::size_t first = scripts->size();
  std::string raw;
  bool any_push = false;
  std::string control;
  for (int number = 1; std::getline(text, raw); ++number) {
    const std::string where = stem + ":" + std::to_string(number);
    const std::string line = Trimmed(raw);
    if (line.empty()) continue;
    if (line.starts_with("=== ")) {
      scripts->emplace_back().name = stem + "/" + line.substr(4);
      scripts->back().any_push = any_push;
      scripts->back().control = control;
      continue;
    }
    if (scripts->size() == first && line == "push: any") {
      any_push = true;
      continue;
    }
    if (scripts->size() == first && line.starts_with("control: ")) {
      control = line.substr(9);
      continue;
    }
    if (scripts->size() == first) Fail(where, "a script begins with '=== NAME'");
    Script& script = scripts->back();
    if (line.starts_with("title: ")) {
      script.title = line.substr(7);
    } else if (line.starts_with("rows: ")) {
      script.rows = SplitWords(line.substr(6));
    } else if (line == "family: 6") {
      script.ipv6 = true;
    } else if (line.starts_with("use ")) {
      Use(*scripts, line.substr(4), where, &script);
    } else {
      script.steps.push_back(ParseStep(SplitWords(line), where));
    }
  }
}

}  // namespace

std::vector<std::string> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = line.find_first_not_of(' '); at < line.size();
       at = line.find_first_not_of(' ', at)) {
    const bool options = line[at] == '<' && at + 1 < line.size() && line[at + 1] != ' ';
    std::size_t end = options ? line.find('>', at) : line.find(' ', at);
    end = end == std::string_view::npos ? line.size() : end + options;
    words.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

Micros ParseSeconds(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double seconds = std::strtod(copy.c_str(), &end);
  if (copy.empty() || *end != '\0' || seconds < 0) return -1;
  return static_cast<Micros>(seconds * 1e6 + 0.5);
}

bool ParseNumber(std::string_view text, std::int64_t* value) {
  const std::string copy(text);
  char* end = nullptr;
  *value = std::strtoll(copy.c_str(), &end, 0);
  return !copy.empty() && *end == '\0';
}

std::string Step::Text() const {
  std::string text;
  if (wait != 0) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "+%.3f ", static_cast<double>(wait) / 1e6);
    text = buffer;
  }
  if (!target.empty()) text += target + " = ";
  text += verb;
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

Micros Script::Duration() const {
  Micros sum = 0;
  for (const Step& step : steps) sum += step.wait;
  return sum;
}

bool Script::MayWait() const {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
    return step.verb == "setsockopt" && step.arguments[1] == "SO_LINGER" &&
           step.arguments.back() != "0";
  });
}

std::string Script::Text() const {
  std::string text = "=== " + name + "\n";
  if (ipv6) text += "family: 6\n";
  for (const Step& step : steps) text += step.Text() + "\n";
  return text;
}

std::vector<Script> ParseScripts(const std::string& text, const std::string& stem) {
  std::istringstream stream(text);
  std::vector<Script> scripts;
  Read(stream, stem, &scripts);
  return scripts;
}

std::vector<Script> ReadScripts(const std::string& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".oracle") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::stable_partition(paths.begin(), paths.end(),
                        [](const auto& path) { return path.stem() == "common"; });
  std::vector<Script> scripts;
  for (const auto& path : paths) {
    std::ifstream file(path);
    if (!file) Fail(path.string(), "cannot be read");
    Read(file, path.stem().string(), &scripts);
  }
  std::erase_if(scripts, [](const Script& s) { return s.name.starts_with("common/"); });
  return scripts;
}

}  // namespace oracle
