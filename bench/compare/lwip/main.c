/* lwIP's raw API at both ends, two instances in one thread, on a wire in memory: the workloads of
 * bench_engine. */
#include <string.h>

#include "common/harness.h"
#include "end.h"

extern const struct lwip_end client_end;
extern const struct lwip_end server_end;

enum { kPackets = 32, kPacketSize = 2048, kPort = 7 };
static const uint32_t kClient = 0xC6336401; /* 198.51.100.1 */
static const uint32_t kServer = 0xC0000202; /* 192.0.2.2 */

struct wire {
  unsigned char packets[kPackets][kPacketSize];
  size_t sizes[kPackets];
  size_t head; /* taken so many */
  size_t tail; /* put so many */
};
static struct wire to_server;
static struct wire to_client;
static uint64_t packets;

static unsigned char* room(struct wire* wire, size_t size) {
  if (wire->tail - wire->head == kPackets) return NULL;
  const size_t i = wire->tail++ % kPackets;
  wire->sizes[i] = size;
  ++packets;
  return wire->packets[i];
}
static unsigned char* room_to_server(size_t size) { return room(&to_server, size); }
static unsigned char* room_to_client(size_t size) { return room(&to_client, size); }

/* A packet leaves its place only when it has been taken: what it causes may go the other way. */
static size_t deliver(struct wire* wire, const struct lwip_end* to) {
  const size_t until = wire->tail;
  const size_t n = until - wire->head;
  for (; wire->head != until; ++wire->head) {
    const size_t i = wire->head % kPackets;
    to->input(wire->packets[i], wire->sizes[i]);
  }
  return n;
}

static void settle(void) {
  while (deliver(&to_server, &server_end) + deliver(&to_client, &client_end) != 0) {
  }
}

static void start(enum lwip_role client, enum lwip_role server) {
  client_end.start(kClient, client, room_to_server);
  server_end.start(kServer, server, room_to_client);
  server_end.listen(kPort);
}

static void pass(uint32_t ms) {
  client_end.pass(ms);
  server_end.pass(ms);
}

/* Every 64 connections more than 2MSL, in steps as long as lwIP's slowest timer. */
static void converse_many(uint64_t count, int with_time) {
  for (uint64_t i = 1; i <= count; ++i) {
    must(client_end.connect(kServer, kPort, 0) != NULL, "tcp_connect");
    settle();
    for (int step = 0; with_time && i % 64 == 0 && step < 6; ++step) pass(500);
  }
}

static void measure_connections(const struct options* o, int data) {
  const uint64_t count = or_else(o->count, 100000);
  start(data ? kByte : kNothing, kEcho);
  converse_many(or_else(o->warm, 20000), 1);
  packets = 0;
  const uint64_t before = server_end.closed();
  const uint64_t began = region_start();
  converse_many(count, 1);
  const double ns = region_stop(began);
  must(server_end.closed() - before == count, "connections that did not end");
  report_begin(data ? "short" : "open_close");
  report_costs(count, ns, packets);
  report_end();
}
static void measure_short(const struct options* o) { measure_connections(o, 1); }
static void measure_open_close(const struct options* o) { measure_connections(o, 0); }

/* No time passes; lwIP has 16 384 ports. */
static void measure_time_wait(const struct options* o) {
  const uint64_t count = or_else(o->count, 2000);
  const uint64_t warm = or_else(o->warm, 500);
  must(o->connections + warm + count < 16384, "lwIP has 16384 ports");
  start(kNothing, kEcho);
  converse_many(o->connections + warm, 0);
  packets = 0;
  const uint64_t before = server_end.closed();
  const uint64_t began = region_start();
  converse_many(count, 0);
  const double ns = region_stop(began);
  must(server_end.closed() - before == count, "connections that did not end");
  report_begin("time_wait");
  report("time_waits", (double)o->connections);
  report_costs(count, ns, packets);
  report_end();
}

static uint64_t transfer(void* connection, uint64_t bytes) {
  const uint64_t before = server_end.received();
  uint64_t microseconds = 0;
  while (server_end.received() - before < bytes) {
    client_end.fill(connection);
    deliver(&to_server, &server_end);
    deliver(&to_client, &client_end);
    if ((microseconds += 10) % 1000 == 0) pass(1);
  }
  return server_end.received() - before;
}

static void measure_bulk(const struct options* o) {
  start(kSource, kSink);
  void* connection = client_end.connect(kServer, kPort, 0);
  settle();
  transfer(connection, or_else(o->warm, (uint64_t)64 << 20));
  packets = 0;
  const uint64_t began = region_start();
  const uint64_t read = transfer(connection, or_else(o->count, (uint64_t)2 << 30));
  const double ns = region_stop(began);
  report_begin("bulk");
  report("buffer", BENCH_BUFFER);
  report("bytes", (double)read);
  report("gbit_per_s", (double)read * 8 / ns);
  report_costs(read / 1460, ns, packets);
  report_end();
}

static void measure_round(const struct options* o) {
  const size_t n = (size_t)or_else(o->connections, 10);
  static void* open[60000];
  uint32_t* order = shuffled(n);
  must(n <= 60000, "lwIP's harness has one address: 60000 connections");
  start(kSource, kEcho);
  for (size_t i = 0; i < n; ++i) {
    open[order[i]] = client_end.connect(kServer, kPort, (uint16_t)(1024 + i));
    settle();
  }
  must(client_end.established() == n, "connections that did not open");
  const uint64_t count = or_else(o->count, 200000);
  const uint64_t warm = or_else(o->warm, n);
  uint64_t began = 0;
  uint64_t before = 0;
  for (uint64_t i = 0; i < warm + count; ++i) {
    if (i == warm) {
      packets = 0;
      before = client_end.received();
      began = region_start();
    }
    client_end.send_byte(open[i % n]);
    settle();
    if (i % n == n - 1) pass(1);
  }
  const double ns = region_stop(began);
  must(client_end.received() - before == count, "a byte did not come");
  report_begin("round");
  report("connections", (double)n);
  report_costs(2 * count, ns, packets);
  report_end();
}

static void measure_memory(const struct options* o) {
  (void)o;
  start(kSource, kSink);
  report_begin("memory");
  report("idle_bytes", (double)client_end.connection_size());
  report("half_open_bytes", (double)client_end.connection_size());
  report("time_wait_bytes", (double)client_end.connection_size());
  report_end();
}

int main(int argc, char** argv) {
  static const struct workload kWorkloads[] = {{"short", measure_short},
                                               {"open_close", measure_open_close},
                                               {"time_wait", measure_time_wait},
                                               {"bulk", measure_bulk},
                                               {"round", measure_round},
                                               {"memory", measure_memory},
                                               {NULL, NULL}};
  return run_workload(argc, argv, "bench_lwip", kWorkloads);
}
