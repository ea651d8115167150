#include "links/stage.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <functional>
#include <initializer_list>

namespace links {
namespace {

constexpr int kPort = 7000;
constexpr const char* kTunDevice = "bench0";
constexpr const char* kFirst = "192.0.2.1";   // the kernel's, where only one end is
constexpr const char* kSecond = "192.0.2.2";  // the other end's

void Shell(const std::string& command) {
  if (std::system((command + " >/dev/null 2>&1").c_str()) != 0) {
    std::fprintf(stderr, "bench_links: failed: %s\n", command.c_str());
    std::_Exit(1);
  }
}

void Set(const char* setting, const char* value) {
  std::FILE* file = std::fopen(setting, "w");
  if (file == nullptr || std::fputs(value, file) < 0 || std::fclose(file) != 0) Die(setting);
}

// Ports enough, and few that stay taken for a minute in TIME_WAIT: those of all namespaces are in
// one table of the kernel, and a namespace outlives its run as long as a last socket repeats its
// FIN, so that each run would find the client slower than the one before.
void PreparePorts() {
  Set("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");
  Set("/proc/sys/net/ipv4/tcp_max_tw_buckets", "1000");
}

// Nothing is left there of an earlier run.
void EnterNewNetwork() {
  if (unshare(CLONE_NEWNET) != 0) Die("unshare");
  Shell("ip link set lo up");
  PreparePorts();
}

/// A process that goes when this one does.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(fork()) {
    if (pid_ < 0) Die("fork");
    if (pid_ != 0) {
      end_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
      if (end_ < 0) Die("pidfd_open");
      return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    std::_Exit(0);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(end_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }
  /// Readable once it has ended.
  int end() const { return end_; }
  void SayIfEnded() const {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return;
    // Otherwise it has said itself what was wrong.
    if (WIFSIGNALED(status)) {
      std::fprintf(stderr, "bench_links: one end was killed: %s\n", strsignal(WTERMSIG(status)));
    }
  }

 private:
  pid_t pid_;
  int end_;
};

class Pipe {
 public:
  Pipe() {
    if (pipe(ends_) != 0) Die("pipe");
  }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  /// Standard output of this process goes there from now on.
  void TakeOutput() {
    if (dup2(ends_[1], STDOUT_FILENO) < 0) Die("dup2");
  }
  template <class T>
  void Put(const T& value) {
    if (write(ends_[1], &value, sizeof(value)) != sizeof(value)) Die("pipe");
  }
  /// What somebody puts there, while none of `children` ends.
  template <class T>
  T Take(std::initializer_list<const Child*> children) {
    Await(children);
    T value{};
    if (read(ends_[0], &value, sizeof(value)) != sizeof(value)) Die("pipe");
    return value;
  }

 private:
  void Await(std::initializer_list<const Child*> children) {
    std::vector<pollfd> fds{{ends_[0], POLLIN, 0}};
    for (const Child* child : children) fds.push_back({child->end(), POLLIN, 0});
    if (poll(fds.data(), fds.size(), kPatienceMs) <= 0) {
      std::fprintf(stderr, "bench_links: not a word for a minute\n");
      std::_Exit(1);
    }
    if (fds.front().revents != 0) return;
    for (const Child* child : children) child->SayIfEnded();
    std::_Exit(1);
  }

  static constexpr int kPatienceMs = 60'000;
  int ends_[2];
};

bool IsXdp(Kind kind) { return kind == Kind::kXdp || kind == Kind::kXdpBusy; }
bool IsTun(Kind kind) { return kind == Kind::kTun || kind == Kind::kTunBusy; }
bool IsBusy(Kind kind) {
  return kind == Kind::kTunBusy || kind == Kind::kPacketBusy || kind == Kind::kXdpBusy;
}
bool IsBulk(Workload workload) {
  return workload == Workload::kBulkUp || workload == Workload::kBulkDown;
}

int OpenLink(estab_stack* stack, Kind kind, const char* device) {
  if (IsTun(kind)) return estab_link_tun(stack, device);
  return IsXdp(kind) ? estab_link_xdp(stack, device) : estab_link_packet(stack, device);
}

/// A stack on `device`, with that address.
EstabCalls OpenEstab(Kind kind, const char* device, const char* address) {
  estab_stack* stack = estab_stack_create();
  if (stack == nullptr) Die("estab_stack_create");
  const int link = OpenLink(stack, kind, device);
  if (link < 0) Die("estab_link");
  if (estab_address_add(stack, link, (std::string(address) + "/24").c_str()) != 0) {
    Die("estab_address_add");
  }
  if (IsBusy(kind) && estab_busy_poll(stack, 1) != 0) Die("estab_busy_poll");
  return {stack};
}

void GiveToKernel(const char* device, const char* address) {
  Shell("ip address add " + std::string(address) + "/24 dev " + device);
  Shell("ip link set " + std::string(device) + " up");
}

Figure MeasureTun(Kind kind, Workload workload, double seconds) {
  Pipe ready;
  Pipe result;
  const Child estab([&] {
    const EstabCalls calls = OpenEstab(kind, kTunDevice, kSecond);
    ready.Put(true);
    if (!IsBulk(workload)) Serve(calls, workload, kSecond, kPort);
    result.Put(Run(calls, workload, At(kFirst, kPort), seconds));
    pause();
  });
  ready.Take<bool>({&estab});
  GiveToKernel(kTunDevice, kFirst);
  const Child kernel([&] {
    const KernelCalls calls;
    if (IsBulk(workload)) Serve(calls, workload, kFirst, kPort);
    result.Put(Run(calls, workload, At(kSecond, kPort), seconds));
  });
  return result.Take<Figure>({&estab, &kernel});
}

// Over a veth pair: the client at the near end, the server at the far one.
Figure MeasurePair(Kind kind, Workload workload, double seconds) {
  const bool estab_calls = kind != Kind::kVeth && IsBulk(workload);
  const bool estab_serves = kind != Kind::kVeth && !IsBulk(workload);
  Pipe moved;
  Pipe ready;
  Pipe result;
  const Child server([&] {
    EnterNewNetwork();
    ready.Put(true);
    moved.Take<bool>({});
    if (!estab_serves) GiveToKernel("far", kSecond);
    Shell("ip link set far up");
    ready.Put(true);
    if (estab_serves) Serve(OpenEstab(kind, "far", kSecond), workload, kSecond, kPort);
    Serve(KernelCalls{}, workload, kSecond, kPort);
  });
  ready.Take<bool>({&server});
  Shell("ip link add near type veth peer name far netns " + std::to_string(server.pid()));
  if (!estab_calls) GiveToKernel("near", kFirst);
  Shell("ip link set near up");
  moved.Put(true);
  ready.Take<bool>({&server});
  Figure figure;
  {
    const Child client([&] {
      const sockaddr_in to = At(kSecond, kPort);
      result.Put(estab_calls ? Run(OpenEstab(kind, "near", kFirst), workload, to, seconds)
                             : Run(KernelCalls{}, workload, to, seconds));
    });
    figure = result.Take<Figure>({&server, &client});
  }
  Shell("ip link delete near");
  return figure;
}

}  // namespace

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kVeth:
      return "veth";
    case Kind::kTun:
      return "tun";
    case Kind::kPacket:
      return "packet";
    case Kind::kXdp:
      return "xdp";
    case Kind::kTunBusy:
      return "tun_busy";
    case Kind::kPacketBusy:
      return "packet_busy";
    case Kind::kXdpBusy:
      break;
  }
  return "xdp_busy";
}

bool CanHave(Kind kind) {
  if (!IsXdp(kind)) return true;
  Shell("ip link add near type veth peer name far");
  estab_stack* stack = estab_stack_create();
  if (stack == nullptr) Die("estab_stack_create");
  const bool can = OpenLink(stack, kind, "near") >= 0;
  if (!can) std::fprintf(stderr, "bench_links: without %s: %s\n", NameOf(kind), strerror(errno));
  estab_stack_destroy(stack);
  Shell("ip link delete near");
  return can;
}

const char* NameOf(Workload workload) {
  switch (workload) {
    case Workload::kBulkUp:
      return "bulk_up";
    case Workload::kBulkDown:
      return "bulk_down";
    case Workload::kConnect:
      return "connect";
    case Workload::kLatency:
      break;
  }
  return "latency";
}

void EnterOwnNetwork() {
  if (unshare(CLONE_NEWNET) != 0) {
    std::fprintf(stderr,
                 "bench_links: no network namespace to be had (%s); run as root, or with "
                 "unshare -Urn\n",
                 std::strerror(errno));
    std::_Exit(1);
  }
}

Figure Measure(Kind kind, Workload workload, double seconds) {
  EnterNewNetwork();
  return IsTun(kind) ? MeasureTun(kind, workload, seconds) : MeasurePair(kind, workload, seconds);
}

Figure Measure(const OtherServer& other, double seconds) {
  EnterNewNetwork();
  Pipe ready;
  Pipe result;
  const Child server([&] {
    ready.TakeOutput();
    const std::string port = std::to_string(kPort);
    const std::string ports = std::to_string(kPorts);
    execl(other.program.c_str(), other.program.c_str(), kTunDevice, kSecond, port.c_str(),
          ports.c_str(), nullptr);
    Die(other.program.c_str());
  });
  ready.Take<char>({&server});
  GiveToKernel(kTunDevice, kFirst);
  const Child client(
      [&] { result.Put(Run(KernelCalls{}, Workload::kConnect, At(kSecond, kPort), seconds)); });
  return result.Take<Figure>({&server, &client});
}

}  // namespace links
