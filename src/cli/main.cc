// The estab command.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bench.h"
#include "cli/connect.h"
#include "cli/failure.h"
#include "cli/serve.h"
#include "cli/ss.h"
#if ESTAB_HAVE_LAB
#include "cli/lab.h"
#endif

namespace estab::cli {
namespace {

constexpr const char* kFooter = R"(
Examples:
  estab lab open/three-way          watch a connection open, in virtual time
  estab serve --help                serve a folder to the kernel's TCP
  estab connect 192.0.2.1 80 ...    like nc, over estab's TCP
  estab ss --control PATH           what a running estab serve is doing; why and set likewise

Exit status: 0 it worked, 1 it did not, 2 it was asked wrongly.)";

// One line, whatever it came with.
int Complain(std::string line, int status) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  while (line.ends_with(' ') || line.ends_with('.')) line.pop_back();
  fmt::print(stderr, "estab: {}\n", line);
  return status;
}

std::string NoFlag(std::string_view flag) {
  return fmt::format("there is no flag '{}'", flag.substr(0, flag.find('=')));
}

// The option that CLI11's message is about; nullptr if it names none.
const CLI::Option* OptionIn(const CLI::App& app, std::string_view message) {
  while (!message.empty()) {
    const std::size_t end = std::min(message.find_first_of(" :"), message.size());
    const auto* option = app.get_option_no_throw(std::string(message.substr(0, end)));
    if (end != 0 && option != nullptr) return option;
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  return nullptr;
}

// What is wrong, in our own words: CLI11 speaks of its types and of counts.
std::string Phrase(const CLI::App& app, const CLI::ParseError& error) {
  const std::string_view message = error.what();
  const std::vector<std::string> extras = app.remaining();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
    if (extras.front().starts_with('-')) return NoFlag(extras.front());
    return fmt::format("'{}' is one argument too many", extras.front());
  }
  const CLI::Option* option = OptionIn(app, message);
  if (option == nullptr) return std::string(message);
  const std::string name = option->get_name();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return name + " is missing";
  if (option->get_items_expected_max() == 0) return name + " takes no value";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    if (message.find("At Most") != message.npos) return name + " is given more than once";
    return fmt::format("{0} wants a value: {0} {1}", name, option->get_type_name());
  }
  return fmt::format("{}: not a value of it", name);
}

int ComplainOfUse(const CLI::App& app, const CLI::ParseError& error, const char* first) {
  if (first == nullptr) return Complain("what is to be done? see estab --help", 2);
  const auto verbs = app.get_subcommands();
  if (verbs.empty() || !app.remaining().empty()) {
    const std::string word = verbs.empty() ? first : app.remaining().front();
    const std::string line =
        word.starts_with('-') ? NoFlag(word) : fmt::format("there is no verb '{}'", word);
    return Complain(line + "; see estab --help", 2);
  }
  // The verb of a verb, if there is one: estab bench path.
  const CLI::App* verb = verbs.front();
  std::string name = verb->get_name();
  for (auto inner = verb->get_subcommands(); !inner.empty(); inner = verb->get_subcommands()) {
    verb = inner.front();
    name += " " + verb->get_name();
  }
  if (!verb->get_subcommands({}).empty()) {
    const std::vector<std::string> rest = verb->remaining();
    const std::string line = rest.empty() ? "which one?" : fmt::format("there is no '{}'", rest[0]);
    return Complain(fmt::format("{}: {}; see estab {} --help", name, line, name), 2);
  }
  return Complain(fmt::format("{}; see estab {} --help", Phrase(*verb, error), name), 2);
}

int Main(int argc, char** argv) {
  CLI::App app("A TCP/IP stack in the user's space: run it on real links, watch it in virtual time",
               "estab");
  app.footer(kFooter);
  app.set_version_flag("--version", "estab " ESTAB_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(28);
  std::function<int()> run;
#if ESTAB_HAVE_LAB
  AddLab(app, run);
#endif
  AddServe(app, run);
  AddConnect(app, run);
  AddSs(app, run);
  AddWhy(app, run);
  AddSet(app, run);
  AddBench(app, run);
  try {
    app.parse(argc, argv);
    return run ? run() : 2;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return ComplainOfUse(app, error, argc > 1 ? argv[1] : nullptr);
  } catch (const Failure& failure) {
    return Complain(failure.what(), failure.status());
  } catch (const std::bad_alloc&) {
    return Complain("out of memory", 1);
  }
}

}  // namespace
}  // namespace estab::cli

int main(int argc, char** argv) { return estab::cli::Main(argc, argv); }
