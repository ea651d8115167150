// The estab command.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>
#include <new>
#include <string>

#include "cli/connect.h"
#include "cli/failure.h"
#include "cli/serve.h"
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

Exit status: 0 it worked, 1 it did not, 2 it was asked wrongly.)";

// One line, whatever it came with.
int Complain(std::string line, int status) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  while (line.ends_with(' ') || line.ends_with('.')) line.pop_back();
  fmt::print(stderr, "estab: {}\n", line);
  return status;
}

int ComplainOfUse(const CLI::App& app, const CLI::ParseError& error, const char* first) {
  std::string help = "estab";
  for (const CLI::App* verb : app.get_subcommands()) help += " " + verb->get_name();
  std::string line = error.what();
  if (app.get_subcommands().empty()) {
    line = first == nullptr ? "what is to be done?" : fmt::format("there is no verb '{}'", first);
    if (first != nullptr && first[0] == '-') line = fmt::format("there is no flag '{}'", first);
  }
  return Complain(fmt::format("{}; see {} --help", line, help), 2);
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
