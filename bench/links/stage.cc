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

EstabCalls OpenEstab() {
  estab_stack* stack = estab_stack_create();
  if (stack == nullptr) Die("estab_stack_create");
  const int link = estab_link_tun(stack, "bench0");
  if (link < 0) Die("estab_link_tun");
  if (estab_address_add(stack, link, "192.0.2.2/24") != 0) Die("estab_address_add");
  Shell("ip address add 192.0.2.1/24 dev bench0 && ip link set bench0 up");
  return {stack};
}

Figure MeasureTun(Workload workload, double seconds) {
  const bool bulk = workload == Workload::kBulkUp || workload == Workload::kBulkDown;
  Pipe ready;
  Pipe result;
  const Child estab([&] {
    const EstabCalls calls = OpenEstab();
    ready.Put(true);
    if (!bulk) Serve(calls, workload, kSecond, kPort);
    result.Put(Run(calls, workload, At(kFirst, kPort), seconds));
    pause();
  });
  ready.Take<bool>();
  const Child kernel([&] {
    const KernelCalls calls;
    if (bulk) Serve(calls, workload, kFirst, kPort);
    result.Put(Run(calls, workload, At(kSecond, kPort), seconds));
  });
  return result.Take<Figure>();
}

Figure MeasureVeth(Workload workload, double seconds) {
  Pipe moved;
  Pipe ready;
  Pipe result;
  const Child server([&] {
    if (unshare(CLONE_NEWNET) != 0) Die("unshare");
    ready.Put(true);
    moved.Take<bool>();
    PreparePorts();
    Shell("ip address add 192.0.2.2/24 dev far && ip link set far up");
    ready.Put(true);
    Serve(KernelCalls{}, workload, kSecond, kPort);
  });
  ready.Take<bool>();
  Shell("ip link add near type veth peer name far netns " + std::to_string(server.pid()));
  Shell("ip address add 192.0.2.1/24 dev near && ip link set near up");
  moved.Put(true);
  ready.Take<bool>();
  Figure figure;
  {
    const Child client(
        [&] { result.Put(Run(KernelCalls{}, workload, At(kSecond, kPort), seconds)); });
    figure = result.Take<Figure>();
  }
  Shell("ip link delete near");
  return figure;
}

}  // namespace

const char* NameOf(Kind kind) { return kind == Kind::kVeth ? "veth" : "tun"; }

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
  return kind == Kind::kVeth ? MeasureVeth(workload, seconds) : MeasureTun(workload, seconds);
}

}  // namespace links
