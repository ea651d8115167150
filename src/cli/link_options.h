// The flags that `serve` and `connect` share: links, addresses, routes, settings, recordings.
#pragma once

#include <CLI/App.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "estab/address.h"
#include "io/link_spec.h"

namespace estab::cli {

/// What those flags said. Addresses and routes belong to the link that was named before them.
struct LinkOptions {
  struct Link {
    io::LinkSpec spec;
    std::string text;  // "tun:estab0"
  };
  struct Address {
    std::size_t link;
    Prefix prefix;
    std::string text;
  };
  struct Route {
    std::size_t link;
    Prefix destination;
    std::optional<IpAddress> via;
    std::string text;
  };
  struct Setting {
    std::string name;
    std::string value;
  };

  std::vector<Link> links;
  std::vector<Address> addresses;
  std::vector<Route> routes;
  std::vector<Setting> settings;
  std::string pcap;    // empty: none
  std::string ladder;  // empty: none; "-": standard output
  bool busy_poll = false;
  bool keep_privileges = false;
  bool verbose = false;
};

/// Adds the flags to `verb`; they fill `options`, which must outlive the parse. With `many_values`,
/// one --address may be followed by several (not where positional arguments could come behind it).
/// Bad values throw Failure of status 2.
void AddLinkOptions(CLI::App& verb, LinkOptions& options, bool many_values);

/// Throws Failure of status 2 unless there is a link with an address.
void CheckLinkOptions(const LinkOptions& options);

/// Reads a port, 1 to 65535; `flag` is named in the Failure (status 2) if it is not one.
std::uint16_t ParsePort(std::string_view flag, std::string_view text);

}  // namespace estab::cli
