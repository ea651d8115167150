#include "cli/link_options.h"

#include <charconv>
#include <map>

#include "cli/failure.h"

namespace estab::cli {
namespace {

void AddLink(LinkOptions& options, const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  if (colon == std::string::npos || colon + 1 == text.size()) {
    Misused("--link {}: a link is written KIND:NAME, as in tun:estab0", text);
  }
  static const std::map<std::string, io::LinkKind> kKinds{{"tun", io::LinkKind::kTun},
                                                          {"tap", io::LinkKind::kTap},
                                                          {"packet", io::LinkKind::kPacket},
                                                          {"xdp", io::LinkKind::kXdp}};
  const auto known = kKinds.find(kind);
  if (known == kKinds.end()) {
    Misused(
        "--link {}: there is no kind of link '{}'; use tun:NAME, tap:NAME, packet:DEVICE or "
        "xdp:DEVICE",
        text, kind);
  }
  const auto spec = io::ReadLink(known->second, text.substr(colon + 1));
  if (!spec) Misused("--link {}: {}", text, spec.error().message);
  options.links.push_back({*spec, text});
}

// The link that an address or route belongs to: the last one named; before any, the first.
std::size_t CurrentLink(const LinkOptions& options) {
  return options.links.empty() ? 0 : options.links.size() - 1;
}

void AddAddress(LinkOptions& options, const std::string& text) {
  const auto prefix = Prefix::Parse(text);
  if (!prefix || text.find('/') == std::string::npos) {
    Misused(
        "--address {}: not an address with its prefix length; write 192.0.2.2/24 or "
        "2001:db8::2/64",
        text);
  }
  options.addresses.push_back({CurrentLink(options), *prefix, text});
}

void AddRoute(LinkOptions& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  const auto destination = Prefix::Parse(text.substr(0, equals));
  std::optional<IpAddress> via;
  if (equals != std::string::npos) via = IpAddress::Parse(text.substr(equals + 1));
  if (!destination || (equals != std::string::npos && !via)) {
    Misused("--route {}: not a route; write CIDR=VIA, as in 0.0.0.0/0=192.0.2.1", text);
  }
  options.routes.push_back({CurrentLink(options), *destination, via, text});
}

void AddSetting(LinkOptions& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    Misused("--set {}: write NAME=VALUE, as in net.ipv4.tcp_syn_retries=3", text);
  }
  options.settings.push_back({text.substr(0, equals), text.substr(equals + 1)});
}

// An option that may be given many times and passes each of its values on.
CLI::Option* AddEach(CLI::App& verb, const std::string& flag, LinkOptions& options,
                     void (*add)(LinkOptions&, const std::string&), const std::string& help) {
  return verb
      .add_option_function<std::vector<std::string>>(
          flag,
          [&options, add](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) add(options, text);
          },
          help)
      ->trigger_on_parse()
      ->allow_extra_args(false)
      ->group("Links");
}

}  // namespace

void AddLinkOptions(CLI::App& verb, LinkOptions& options, bool many_values) {
  AddEach(
      verb, "--link", options, AddLink,
      "A link: tun:NAME, or tap:NAME for Ethernet (made if it does not exist), or packet:DEVICE "
      "or xdp:DEVICE, an Ethernet device of the kernel's")
      ->type_name("KIND:NAME");
  AddEach(verb, "--address", options, AddAddress,
          "An address of estab on the link named before it, with its prefix length; repeatable")
      ->type_name("CIDR")
      ->allow_extra_args(many_values);
  AddEach(verb, "--route", options, AddRoute, "A route over the link named before it; repeatable")
      ->type_name("CIDR=VIA");
  AddEach(verb, "--set", options, AddSetting, "Changes a setting; repeatable")
      ->type_name("NAME=VALUE")
      ->group("Options");
  verb.add_option("--pcap", options.pcap, "Records every packet (pcap, raw IP)")->type_name("FILE");
  verb.add_option("--ladder", options.ladder,
                  "Draws the first connection into FILE when the command ends (-: standard output)")
      ->type_name("FILE");
  verb.add_flag("--busy-poll", options.busy_poll,
                "Looks at the links over and over instead of sleeping: less latency, a core always "
                "busy");
  verb.add_flag("--no-drop", options.keep_privileges,
                "Stay root. Otherwise, once the links are open, root becomes nobody");
  verb.add_flag("-v,--verbose", options.verbose, "Says on standard error what happened");
}

void CheckLinkOptions(const LinkOptions& options) {
  if (options.links.empty())
    Misused("which link? give --link tun:NAME, tap:NAME, packet:DEVICE or xdp:DEVICE");
  if (options.addresses.empty()) Misused("which address? give --address CIDR");
}

std::uint16_t ParsePort(std::string_view flag, std::string_view text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port < 1 || port > 65535) {
    Misused("{}{}{}: not a port; ports are numbers from 1 to 65535", flag, flag.empty() ? "" : " ",
            text);
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace estab::cli
