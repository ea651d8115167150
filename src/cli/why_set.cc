// `estab why` and `estab set`.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>
#include <string>

#include "cli/ask.h"
#include "cli/endpoint_text.h"
#include "cli/failure.h"
#include "cli/ss.h"

namespace estab::cli {
namespace {

using Json = nlohmann::ordered_json;

struct WhyOptions {
  std::string control;
  std::string local;
  std::string remote;
};

struct SetOptions {
  std::string control;
  std::string setting;
};

int Why(const WhyOptions& options) {
  Json request{{"verb", "why"}};
  const std::string& first = options.local;
  const bool number = !first.empty() && first.find_first_not_of("0123456789") == std::string::npos;
  if (number) {
    if (!options.remote.empty()) Misused("why: an id stands alone");
    request["id"] = ParseNumber("ID", first, 1, UINT32_MAX);
  } else {
    for (const std::string& end : {options.local, options.remote}) {
      if (!end.empty() && !ParseEndpoint(end)) {
        Misused("why {}: write ADDRESS:PORT, as in 192.0.2.2:80 or [2001:db8::2]:80, or an id",
                end);
      }
    }
    request["local"] = first;
    if (!options.remote.empty()) request["remote"] = options.remote;
  }
  Ask(options.control, request, [](const Json& json) { fmt::print("{}", json.value("text", "")); });
  return 0;
}

int Set(const SetOptions& options) {
  Json request{{"verb", "set"}};
  const std::size_t equals = options.setting.find('=');
  if (!options.setting.empty()) request["name"] = options.setting.substr(0, equals);
  if (equals == 0) Misused("set {}: write NAME or NAME=VALUE", options.setting);
  if (equals != std::string::npos) request["value"] = options.setting.substr(equals + 1);
  Ask(options.control, request, [](const Json& json) {
    std::string value = json.value("value", "");
    std::replace(value.begin(), value.end(), '\t', ' ');
    fmt::print("{} = {}\n", json.value("name", ""), value);
  });
  return 0;
}

void AddControl(CLI::App& verb, std::string& control) {
  verb.add_option("--control", control, "The socket that serve --control opened")
      ->type_name("PATH")
      ->required();
}

}  // namespace

void AddWhy(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<WhyOptions>();
  CLI::App* verb = app.add_subcommand(
      "why", "Tells why a connection of a running estab serve is in its state, dead ones too");
  AddControl(*verb, options->control);
  verb->add_option("LOCAL", options->local,
                   "Our end, ADDRESS:PORT; alone: the listener there; or the id that ss shows")
      ->required()
      ->option_text(" ");
  verb->add_option("REMOTE", options->remote, "The peer's end, ADDRESS:PORT")->option_text(" ");
  verb->footer(R"(
Tells the state and for how long, what led to it, what is waited for, which timer runs out next and
what that will do; then the history, each event with its rule and the section that it rests on.

Examples:
  estab why --control PATH 192.0.2.2:80 192.0.2.1:40000   alive, half-open, TIME_WAIT, dead, refused
  estab why --control PATH '*:80'                         the listener, and whom it refused lately
  estab why --control PATH 17                             the connection with that id

Exit status: 0 it was told, 1 nobody serves at PATH, 2 it was asked wrongly.)");
  verb->callback([options, &run] { run = [options] { return Why(*options); }; });
}

void AddSet(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<SetOptions>();
  CLI::App* verb =
      app.add_subcommand("set", "Reads and changes settings of a running estab serve, live");
  AddControl(*verb, options->control);
  verb->add_option("SETTING", options->setting, "NAME to read, NAME=VALUE to change; none: all")
      ->option_text(" ");
  verb->footer(R"(
Names are Linux's or begin with estab. (docs/settings.md). A change is felt at the setting's next
use, by connections that are open, too. What is printed is the value afterwards.

Examples:
  estab set --control PATH
  estab set --control PATH net.ipv4.tcp_fin_timeout
  estab set --control PATH net.ipv4.tcp_fin_timeout=30

Exit status: 0 it worked, 1 nobody serves at PATH, 2 no such setting, or no value of it.)");
  verb->callback([options, &run] { run = [options] { return Set(*options); }; });
}

}  // namespace estab::cli
