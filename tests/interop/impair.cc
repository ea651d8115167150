// Joins two TUN devices by the project's own path model, in real time: a kernel that has no netem
// gets delay and loss all the same.
#include <poll.h>
#include <sys/prctl.h>
#include <time.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "io/clock.h"
#include "io/tun.h"
#include "sim/delay_line.h"

namespace {

using estab::Time;

// What one device brings waits for its moment to be written to the other.
struct Direction {
  estab::io::Tun* from;
  estab::io::Tun* to;
  estab::sim::DelayLine line;

  void Read(Time now) {
    for (const estab::RxPacket& packet : from->ReadBatch(0)) line.Send(now, packet.data);
  }
  void Write(Time now) {
    line.Deliver(now, [this](std::span<const std::byte> bytes) {
      estab::TxPacket packet;
      packet.header = bytes;
      static_cast<void>(to->Write(packet));
    });
  }
};

void Wait(const estab::io::Tun& a, const estab::io::Tun& b, Time until) {
  std::array<pollfd, 2> fds{{{a.fd(), POLLIN, 0}, {b.fd(), POLLIN, 0}}};
  timespec limit{};
  if (until != estab::kNever) {
    const auto ns = std::max<std::int64_t>(0, (until - estab::io::MonotonicNow()).count());
    limit = {ns / 1'000'000'000, ns % 1'000'000'000};
  }
  ppoll(fds.data(), fds.size(), until == estab::kNever ? nullptr : &limit, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Joins two TUN devices by a path with delay and loss");
  std::string names[2];
  std::int64_t delay_us = 0;
  estab::sim::PathConfig config;
  std::uint64_t seed = 1;
  app.add_option("A", names[0])->required();
  app.add_option("B", names[1])->required();
  app.add_option("--delay-us", delay_us, "of each direction");
  app.add_option("--loss-ppm", config.loss_ppm, "in each direction");
  app.add_option("--seed", seed);
  CLI11_PARSE(app, argc, argv);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  config.delay = std::chrono::microseconds(delay_us);
  std::vector<estab::io::Tun> tuns;
  for (const std::string& name : names) {
    auto tun = estab::io::Tun::Open(name);
    if (!tun) {
      std::fprintf(stderr, "impair: %s\n", tun.error().message.c_str());
      return 1;
    }
    tuns.push_back(std::move(*tun));
  }
  std::array<Direction, 2> directions{
      {{&tuns[0], &tuns[1], {config, seed}}, {&tuns[1], &tuns[0], {config, seed + 1}}}};
  std::puts("ready");
  std::fflush(stdout);
  while (true) {
    Wait(tuns[0], tuns[1], std::min(directions[0].line.next(), directions[1].line.next()));
    for (Direction& direction : directions) {
      direction.Read(estab::io::MonotonicNow());
      direction.Write(estab::io::MonotonicNow());
    }
  }
}
