#include "cli/serve.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/control.h"
#include "cli/failure.h"
#include "cli/http_session.h"
#include "cli/janitor.h"
#include "cli/link_options.h"
#include "cli/machine_group.h"
#include "cli/privileges.h"
#include "cli/servers.h"
#include "observe/format.h"

namespace estab::cli {
namespace {

constexpr const char* kServeExamples = R"(
Examples:
  A folder over HTTP, to the kernel of the same machine (in a network namespace of your own, so that
  nothing else is touched):
    unshare -Urn
    ip tuntap add estab0 mode tun; ip address add 192.0.2.1/24 dev estab0; ip link set estab0 up
    estab serve --link tun:estab0 --address 192.0.2.2/24 --http 80=/srv/www &
    curl http://192.0.2.2/

  Both families, small services, a recording and the first connection as a drawing:
    estab serve --link tun:estab0 --address 192.0.2.2/24 --address 2001:db8::2/64 \
      --echo 7 --discard 9 --chargen 19 --pcap packets.pcap --ladder -

  One thread for each processor; the device must have queues for them:
    ip tuntap add estab0 mode tun multi_queue
    estab serve --link tun:estab0 --address 192.0.2.2/24 --http 80=/srv/www --threads auto &

  One that can be asked while it serves:
    estab serve --link tun:estab0 --address 192.0.2.2/24 --echo 7 --control /run/user/1000/estab &
    estab ss --control /run/user/1000/estab

"estab: ready" on standard output says that it serves. SIGTERM or Ctrl-C ends it in order:
listeners close, connections may finish for some seconds (--grace), what is left is reset.
Started by root, it serves as the user nobody, who must be allowed to read the folder.)";

struct ServeOptions {
  struct Service {
    std::string flag;
    std::uint16_t port;
    MakeSession make;
  };
  LinkOptions links;
  std::vector<Service> services;
  std::vector<std::shared_ptr<const Folder>> folders;
  std::string control;
  std::string grace = "5";
  std::string threads = "1";
};

void AddHttp(ServeOptions& options, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals + 1 == text.size()) {
    Misused("--http {}: write PORT=DIR, as in 80=/srv/www", text);
  }
  const std::uint16_t port = ParsePort("--http", text.substr(0, equals));
  auto folder = std::make_shared<const Folder>("--http " + text, text.substr(equals + 1));
  options.folders.push_back(folder);
  options.services.push_back({"--http " + text, port, [folder](Machine& machine, SocketId socket) {
                                return MakeHttp(machine, socket, folder);
                              }});
}

void AddSmallService(CLI::App& verb, ServeOptions& options, const std::string& flag,
                     std::unique_ptr<Session> (*make)(Machine&, SocketId),
                     const std::string& help) {
  verb.add_option_function<std::vector<std::string>>(
          flag,
          [&options, flag, make](const std::vector<std::string>& ports) {
            for (const std::string& text : ports) {
              options.services.push_back(
                  {fmt::format("{} {}", flag, text), ParsePort(flag, text), make});
            }
          },
          help)
      ->trigger_on_parse()
      ->allow_extra_args(false)
      ->type_name("PORT")
      ->group("Services");
}

void CheckServices(const ServeOptions& options) {
  if (options.services.empty()) {
    Misused("which service? give --http, --echo, --discard or --chargen; see estab serve --help");
  }
  std::map<std::uint16_t, std::string> flags;
  for (const auto& service : options.services) {
    const auto [at, added] = flags.emplace(service.port, service.flag);
    if (!added) {
      Misused("{}: port {} is that of {} already; give each service a port of its own",
              service.flag, service.port, at->second);
    }
  }
}

// The processors that this process may run on.
std::size_t Processors() {
  cpu_set_t set;
  const int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::clamp<std::size_t>(static_cast<std::size_t>(n), 1, api::Exchange::kMost);
}

std::size_t ParseThreads(const std::string& text) {
  if (text == "auto") return Processors();
  if (text.empty() || text.find_first_not_of("0123456789") != text.npos) {
    Misused("--threads {}: a number from 1 to {}, or auto", text, api::Exchange::kMost);
  }
  return ParseNumber("--threads", text, 1, api::Exchange::kMost);
}

void Report(MachineGroup& machines, std::size_t reset) {
  const StackCounters c = machines.Counters();
  fmt::print(stderr,
             "estab: {} connections accepted, {} reset at the end; left: {} sockets, {} half-open, "
             "{} payload chunks, {} in TIME_WAIT\n"
             "estab: {} packets in, {} out, {} malformed, {} retransmissions\n",
             c.connections_accepted, reset, c.sockets, c.half_open, c.payload_chunks, c.time_wait,
             c.packets_in, c.packets_out, c.bad_packets, c.retransmissions);
  for (std::size_t i = 0; machines.size() > 1 && i < machines.size(); ++i) {
    const StackCounters one = machines[i].stack().Counters();
    fmt::print(stderr,
               "estab: thread {}: {} connections accepted, {} packets in, {} handed over, {} lost "
               "on the way\n",
               i + 1, one.connections_accepted, one.packets_in, one.handed_over,
               one.hand_over_losses);
  }
}

int Serve(const ServeOptions& options) {
  CheckLinkOptions(options.links);
  CheckServices(options);
  const std::size_t threads = ParseThreads(options.threads);
  const auto grace = std::chrono::seconds(ParseNumber("--grace", options.grace, 0, 3600));
  MachineGroup machines(options.links, threads);
  Signals signals;
  std::optional<Control> control;
  if (!options.control.empty()) {
    for (std::size_t i = 0; i < threads; ++i) machines[i].KeepJournal();
    control.emplace(options.control, machines);
  }
  Servers servers(machines, signals, control ? &*control : nullptr);
  for (const auto& service : options.services) {
    servers.Listen(service.flag, service.port, service.make);
  }
  std::optional<Janitor> janitor;
  if (!options.links.keep_privileges) {
    // Whom root becomes could not remove the socket from root's folder.
    if (control && geteuid() == 0) janitor.emplace(options.control);
    DropPrivileges();
  }
  for (const auto& folder : options.folders) folder->CheckReadable();
  fmt::print("estab: ready\n");
  std::fflush(stdout);
  const std::size_t reset = servers.Run(grace);
  if (options.links.verbose) Report(machines, reset);
  machines[0].WriteLadder();
  return 0;
}

}  // namespace

void AddServe(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* verb =
      app.add_subcommand("serve", "Serves on real links: HTTP, echo, discard, chargen");
  verb->footer(kServeExamples);
  AddLinkOptions(*verb, options->links, true);
  verb->add_option_function<std::vector<std::string>>(
          "--http",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) AddHttp(*options, text);
          },
          "Serves the files below DIR over HTTP/1.1 (GET and HEAD); symbolic links are not "
          "followed")
      ->trigger_on_parse()
      ->allow_extra_args(false)
      ->type_name("PORT=DIR")
      ->group("Services");
  AddSmallService(*verb, *options, "--echo", MakeEcho, "Sends back what comes (RFC 862)");
  AddSmallService(*verb, *options, "--discard", MakeDiscard, "Takes what comes (RFC 863)");
  AddSmallService(*verb, *options, "--chargen", MakeChargen,
                  "Sends characters without end (RFC 864)");
  verb->add_option("--control", options->control,
                   "Opens a Unix socket, for this user alone: estab ss, why and set ask there")
      ->type_name("PATH");
  verb->add_option("--grace", options->grace,
                   "How long connections may take to finish after SIGTERM, 0 to 3600 (5)")
      ->type_name("SECONDS");
  verb->add_option("--threads", options->threads,
                   "Serves with so many threads, 1 to 64, each with a stack and a queue of every "
                   "link of its own; auto: one for each processor (1)")
      ->type_name("N");
  verb->callback([options, &run] { run = [options] { return Serve(*options); }; });
}

}  // namespace estab::cli
