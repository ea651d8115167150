#include "links/stage.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <functional>

namespace links {
namespace {

constexpr int kPort = 7000;
constexpr const char* kFirst = "192.0.2.1";   // the kernel's, where only one end is
constexpr const char* kSecond = "192.0.2.2";  // the other end's

void Shell(const std::string& command) {
  if (std::system((command + " >/dev/null 2>&1").c_str()) != 0) {
    std::fprintf(stderr, "bench_links: failed: %s\n", command.c_str());
    std::_Exit(1);
  }
}

// Ports come back fast enough for a client that closes first.
void PreparePorts() {
  Shell("echo 1024 65535 > /proc/sys/net/ipv4/ip_local_port_range");
  Shell("echo 4096 > /proc/sys/net/ipv4/tcp_max_tw_buckets");
}

/// A process that goes when this one does.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(fork()) {
    if (pid_ < 0) Die("fork");
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    body();
    std::_Exit(0);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
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
  template <class T>
  void Put(const T& value) {
    if (write(ends_[1], &value, sizeof(value)) != sizeof(value)) Die("pipe");
  }
  template <class T>
  T Take() {
    pollfd wait{ends_[0], POLLIN, 0};
    T value{};
    if (poll(&wait, 1, 60'000) != 1 || read(ends_[0], &value, sizeof(value)) != sizeof(value)) {
      std::fprintf(stderr, "bench_links: the other end has failed\n");
      std::_Exit(1);
    }
    return value;
  }

 private:
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

Figure MeasureTun(Kind kind, Workload workload, double seconds) {
  Pipe ready;
  Pipe result;
  const Child estab([&] {
    const EstabCalls calls = OpenEstab(kind, "bench0", kSecond);
    Shell("ip address add 192.0.2.1/24 dev bench0 && ip link set bench0 up");
    ready.Put(true);
    if (!IsBulk(workload)) Serve(calls, workload, kSecond, kPort);
    result.Put(Run(calls, workload, At(kFirst, kPort), seconds));
    pause();
  });
  ready.Take<bool>();
  const Child kernel([&] {
    const KernelCalls calls;
    if (IsBulk(workload)) Serve(calls, workload, kFirst, kPort);
    result.Put(Run(calls, workload, At(kSecond, kPort), seconds));
  });
  return result.Take<Figure>();
}

void GiveToKernel(const char* device, const char* address) {
  Shell("ip address add " + std::string(address) + "/24 dev " + device);
}

// Over a veth pair: the client at the near end, the server at the far one.
Figure MeasurePair(Kind kind, Workload workload, double seconds) {
  const bool estab_calls = kind != Kind::kVeth && IsBulk(workload);
  const bool estab_serves = kind != Kind::kVeth && !IsBulk(workload);
  Pipe moved;
  Pipe ready;
  Pipe result;
  const Child server([&] {
    if (unshare(CLONE_NEWNET) != 0) Die("unshare");
    ready.Put(true);
    moved.Take<bool>();
    PreparePorts();
    Shell("ip link set far up");
    if (!estab_serves) GiveToKernel("far", kSecond);
    ready.Put(true);
    if (estab_serves) Serve(OpenEstab(kind, "far", kSecond), workload, kSecond, kPort);
    Serve(KernelCalls{}, workload, kSecond, kPort);
  });
  ready.Take<bool>();
  Shell("ip link add near type veth peer name far netns " + std::to_string(server.pid()));
  Shell("ip link set near up");
  if (!estab_calls) GiveToKernel("near", kFirst);
  moved.Put(true);
  ready.Take<bool>();
  Figure figure;
  {
    const Child client([&] {
      const sockaddr_in to = At(kSecond, kPort);
      result.Put(estab_calls ? Run(OpenEstab(kind, "near", kFirst), workload, to, seconds)
                             : Run(KernelCalls{}, workload, to, seconds));
    });
    figure = result.Take<Figure>();
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
  Shell("ip link set lo up");
  PreparePorts();
}

Figure Measure(Kind kind, Workload workload, double seconds) {
  return IsTun(kind) ? MeasureTun(kind, workload, seconds) : MeasurePair(kind, workload, seconds);
}

}  // namespace links
