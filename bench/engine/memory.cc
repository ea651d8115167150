// What connections cost while nothing happens: memory, and time that passes.
#include <algorithm>
#include <chrono>

#include "engine/pair.h"
#include "engine/region.h"
#include "engine/usage.h"
#include "engine/workloads.h"
#include "stack/socket.h"

namespace bench_engine {
namespace {

// Connections that have carried a byte each way and then been silent for a second.
void MakeIdle(Pair& pair, const std::vector<Open>& open) {
  std::array<std::byte, 1> byte{};
  for (const Open& c : open) {
    Must(pair.client().Send(pair.now(), c.client, byte), "send");
    pair.ToServer();
    Must(pair.server().Read(pair.now(), c.server, byte), "read");
    Must(pair.server().Send(pair.now(), c.server, byte), "send");
    pair.ToClient();
    Must(pair.client().Read(pair.now(), c.client, byte), "read");
  }
  pair.Settle();
  pair.Pass(std::chrono::seconds(1));
  pair.Settle();
}

void AddIdle(Report& report, const Usage& before, const Usage& after, double n) {
  report.Add("idle_client_bytes", (after.client - before.client) / n);
  report.Add("idle_server_bytes", (after.server - before.server) / n);
  report.Add("idle_resident_bytes", (after.resident - before.resident) / (2 * n));
}

// SYNs whose answers are lost.
void AddHalfOpen(Report& report, const Options& options, std::uint64_t n) {
  Pair pair(options, ListenersFor(n));
  Must(pair.server().SetSetting("net.ipv4.tcp_syncookies", "0"), "tcp_syncookies");
  const Usage before(pair);
  for (std::uint64_t i = 0; i < n; ++i) {
    pair.Connect(i / Pair::kPerListener);
    pair.ToServer();
    pair.LoseToClient();
  }
  const std::uint32_t records = pair.server().Counters().half_open;
  report.Add("half_open_records", records);
  report.Add("half_open_bytes", (Usage(pair).server - before.server) / records);
}

// The same, answered by cookies.
void AddSynCookies(Report& report, const Options& options, std::uint64_t n) {
  Pair pair(options, ListenersFor(n));
  Must(pair.server().SetSetting("net.ipv4.tcp_syncookies", "2"), "tcp_syncookies");
  const auto syn = [&](std::uint64_t i) {
    pair.Connect(i / Pair::kPerListener);
    pair.ToServer();
    pair.LoseToClient();
  };
  for (std::uint64_t i = 0; i < 100; ++i) syn(i);
  const Usage before(pair);
  for (std::uint64_t i = 100; i < n; ++i) syn(i);
  report.Add("syn_cookies", static_cast<double>(pair.server().Counters().syn_cookies_sent));
  report.Add("syn_cookie_bytes",
             (Usage(pair).server - before.server) / static_cast<double>(n - 100));
}

void AddTimeWait(Report& report, const Options& options, std::uint64_t n) {
  Pair pair(options, ListenersFor(n));
  const Usage before(pair);
  for (std::uint64_t i = 0; i < n; ++i) {
    const std::uint64_t listener = i / Pair::kPerListener;
    const estab::SocketId client = pair.Connect(listener);
    pair.Settle();
    const estab::SocketId server =
        Must(pair.server().Accept(pair.now(), pair.listener(listener)), "accept");
    Must(pair.client().Close(pair.now(), client), "close");
    pair.Settle();
    Must(pair.server().Close(pair.now(), server), "close");
    pair.Settle();
  }
  const std::uint32_t records = pair.client().Counters().time_wait;
  report.Add("time_wait_records", records);
  report.Add("time_wait_bytes", (Usage(pair).client - before.client) / records);
}

}  // namespace

Report MeasureIdle(const Options& options) {
  const std::uint64_t connections = options.connections != 0 ? options.connections : 10;
  Pair pair(options, ListenersFor(connections));
  const Usage before(pair);
  const std::vector<Open> open = OpenMany(pair, connections);
  MakeIdle(pair, open);
  const Usage after(pair);
  const std::uint64_t count = options.count != 0 ? options.count : 100'000;
  Region region;
  for (std::uint64_t i = 0; i < count; ++i) {
    pair.Pass(std::chrono::milliseconds(1));
    static_cast<void>(pair.client().NextDeadline());
    static_cast<void>(pair.server().NextDeadline());
  }
  region.Stop();
  Report report("idle");
  const auto n = static_cast<double>(connections);
  report.Add("connections", n);
  AddIdle(report, before, after, n);
  report.Add("resident_bytes", after.resident);
  report.Add("operations", static_cast<double>(count));
  report.Add("ns_per_op", region.ns() / static_cast<double>(count));
  return report;
}

Report MeasureMemory(const Options& options) {
  const std::uint64_t n = options.connections != 0 ? options.connections : 100'000;
  Report report("memory");
  report.Add("connections", static_cast<double>(n));
  report.Add("sizeof_socket", sizeof(estab::stack::Socket));
  report.Add("sizeof_half_open", sizeof(estab::stack::HalfOpenRecord));
  report.Add("sizeof_time_wait_4", sizeof(estab::stack::TimeWait4));
  report.Add("sizeof_time_wait_6", sizeof(estab::stack::TimeWait6));
  {
    Pair pair(options, ListenersFor(n));
    const Usage before(pair);
    MakeIdle(pair, OpenMany(pair, n));
    AddIdle(report, before, Usage(pair), static_cast<double>(n));
  }
  AddHalfOpen(report, options, n);
  AddSynCookies(report, options, std::max<std::uint64_t>(n, 200));
  AddTimeWait(report, options, n);
  return report;
}

}  // namespace bench_engine
