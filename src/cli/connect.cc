#include "cli/connect.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/failure.h"
#include "cli/link_options.h"
#include "cli/machine.h"
#include "cli/privileges.h"
#include "cli/signals.h"

namespace estab::cli {
namespace {

constexpr const char* kConnectExamples = R"(
Examples:
  Fetch a page from a server of the kernel at 192.0.2.1:
    printf 'GET / HTTP/1.0\r\n\r\n' |
      estab connect 192.0.2.1 80 --link tun:estab0 --address 192.0.2.2/24
  Send a file and keep what comes back:
    estab connect 2001:db8::1 7 --link tun:estab0 --address 2001:db8::2/64 <file >answer

At the end of standard input the sending side closes; what the peer still sends goes to standard
output until it closes, too. Exit status: 0 an orderly end, 1 an error, 2 wrong use.)";

struct ConnectOptions {
  LinkOptions links;
  std::string host;
  std::string port;
};

// Standard input and output on one side, the connection on the other.
class Pipe {
 public:
  Pipe(Machine& machine, Signals& signals, const Endpoint& remote)
      : machine_(machine), signals_(signals) {
    std::array<char, kEndpointTextSize> text;
    peer_ = FormatEndpoint(remote, text);
    struct stat status{};
    output_is_file_ = fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    const auto socket = machine.stack().Open(!remote.address.is_v4());
    if (!socket) Fail(socket.error());
    socket_ = *socket;
    const auto begun = machine.stack().Connect(machine.now(), socket_, remote);
    if (!begun && begun.error() != Error::kInProgress) Fail(begun.error());
  }

  // Returns when both directions have ended in order; throws Failure otherwise.
  void Run() {
    while (!Over()) {
      std::array<pollfd, 3> others{{{signals_.fd(), POLLIN, 0}, {-1, POLLIN, 0}, {-1, 0, 0}}};
      if (connected_ && !input_ended_ && to_peer_.empty()) others[1].fd = STDIN_FILENO;
      if (!to_output_.empty()) others[2] = {STDOUT_FILENO, POLLOUT, 0};
      machine_.Turn(others, kNever);
      if (others[0].revents != 0) Interrupted();
      if (others[1].revents != 0) ReadInput();
      if (others[2].revents != 0) WriteOutput();
      Exchange();
    }
    static_cast<void>(machine_.stack().Close(machine_.now(), socket_));
    machine_.Flush();
  }

 private:
  [[noreturn]] void Fail(Error error) { Failed("connect {}: {}", peer_, Describe(error)); }

  [[noreturn]] void GiveUp(const std::string& why) {
    static_cast<void>(machine_.stack().Abort(machine_.now(), socket_));
    machine_.Flush();
    Failed("connect {}: {}", peer_, why);
  }
  [[noreturn]] void Interrupted() { GiveUp("interrupted"); }

  bool Over() const {
    return input_ended_ && peer_ended_ && to_peer_.empty() && to_output_.empty() &&
           machine_.stack().Drained(socket_).value_or(true);
  }

  void ReadInput() {
    to_peer_.resize(65536);
    const ssize_t n = read(STDIN_FILENO, to_peer_.data(), to_peer_.size());
    to_peer_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
    if (n < 0 && errno != EBADF) {
      GiveUp(fmt::format("cannot read standard input: {}", std::strerror(errno)));
    }
    input_ended_ = true;
    static_cast<void>(machine_.stack().Shutdown(machine_.now(), socket_, How::kWrite));
  }

  void WriteOutput() {
    // A pipe that is ready takes this much without blocking.
    const std::size_t most = output_is_file_ ? to_output_.size() : 4096;
    const ssize_t n = write(STDOUT_FILENO, to_output_.data(), std::min(most, to_output_.size()));
    if (n > 0) {
      to_output_.erase(to_output_.begin(), to_output_.begin() + n);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      GiveUp(fmt::format("cannot write standard output: {}", std::strerror(errno)));
    }
  }

  void Exchange() {
    std::array<ReadyEvent, 8> events;
    while (machine_.stack().DrainReady(events) == events.size()) {
    }
    const auto readiness = machine_.stack().GetReadiness(socket_);
    if (!readiness) Fail(readiness.error());
    if ((*readiness & kErrorPending) != 0) {
      const auto error = machine_.stack().TakeError(socket_);
      if (error && *error) Fail(**error);
    }
    if ((*readiness & (kWritable | kReadable)) != 0) connected_ = true;
    SendToPeer();
    ReadFromPeer();
  }

  void SendToPeer() {
    if (to_peer_.empty()) return;
    const auto sent = machine_.stack().Send(machine_.now(), socket_, to_peer_);
    if (sent) {
      to_peer_.erase(to_peer_.begin(), to_peer_.begin() + static_cast<std::ptrdiff_t>(*sent));
    } else if (sent.error() != Error::kWouldBlock) {
      Fail(sent.error());
    }
  }

  void ReadFromPeer() {
    if (!to_output_.empty() || peer_ended_ || !connected_) return;
    to_output_.resize(65536);
    const auto got = machine_.stack().Read(machine_.now(), socket_, to_output_);
    to_output_.resize(got.value_or(0));
    if (got && *got == 0) peer_ended_ = true;
    if (!got && got.error() != Error::kWouldBlock) Fail(got.error());
  }

  Machine& machine_;
  Signals& signals_;
  std::string peer_;
  SocketId socket_;
  bool output_is_file_ = false;
  bool connected_ = false;
  bool input_ended_ = false;
  bool peer_ended_ = false;
  std::vector<std::byte> to_peer_;
  std::vector<std::byte> to_output_;
};

int Connect(const ConnectOptions& options) {
  CheckLinkOptions(options.links);
  const auto address = IpAddress::Parse(options.host);
  if (!address) {
    Misused(
        "connect {}: not an IP address (names are not looked up); write 192.0.2.1 or "
        "2001:db8::1",
        options.host);
  }
  const std::uint16_t port = ParsePort("connect: port", options.port);
  Machine machine(options.links, std::move(MakeShares(options.links, 1)[0]));
  Signals signals;
  if (!options.links.keep_privileges) DropPrivileges();
  Pipe pipe(machine, signals, {*address, port});
  struct AtEnd {
    Machine& machine;
    ~AtEnd() { machine.WriteLadder(); }
  } at_end{machine};
  pipe.Run();
  return 0;
}

}  // namespace

void AddConnect(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<ConnectOptions>();
  CLI::App* verb = app.add_subcommand(
      "connect", "Connects standard input and output to a server over a real link");
  verb->footer(kConnectExamples);
  verb->add_option("HOST", options->host, "The server's address, IPv4 or IPv6")
      ->required()
      ->option_text(" ");
  verb->add_option("PORT", options->port, "Its port")->required()->option_text(" ");
  AddLinkOptions(*verb, options->links, false);
  verb->callback([options, &run] { run = [options] { return Connect(*options); }; });
}

}  // namespace estab::cli
