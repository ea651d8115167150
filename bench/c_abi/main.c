/* What a program pays that uses estab through its C interface: the workloads of bench_engine, with
 * two stacks whose wire is estab_wire_collect and estab_wire_inject. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/harness.h"
#include "estab/estab.h"

enum {
  kFirstPort = 1024,
  kPerListener = 40000,
  kPiece = 64 * 1024,
  kMtu = 1500,
  kLargestMtu = 65535
};

static const uint32_t kServerAddress = 0xC0000202; /* 192.0.2.2 */

struct estab_end {
  estab_stack* stack;
  int link;
};

static struct estab_end client;
static struct estab_end server;
static int* listeners;
static uint64_t packets;

static struct sockaddr_in address_of(uint64_t listener) {
  const struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)(kFirstPort + listener)),
                                .sin_addr.s_addr = htonl(kServerAddress)};
  return a;
}

static void make(struct estab_end* end, const char* cidr, const char* peer, int mtu) {
  static const char* const settings[][2] = {{"estab.mem_limit", "0"},
                                            {"net.ipv4.tcp_max_tw_buckets", "100000000"},
                                            {"net.ipv4.ip_local_port_range", "1024 65535"},
                                            {"net.core.wmem_max", "1073741824"},
                                            {"net.core.rmem_max", "1073741824"}};
  end->stack = estab_stack_create();
  must(end->stack != NULL, "estab_stack_create");
  must(estab_pull_output(end->stack, 1) == 0, "estab_pull_output"); /* as bench_engine's Transmit */
  must(estab_clock_virtual(end->stack) == 0, "estab_clock_virtual");
  end->link = estab_link_memory(end->stack, mtu);
  must(end->link >= 0, "estab_link_memory");
  must(estab_address_add(end->stack, end->link, cidr) == 0, "estab_address_add");
  must(estab_route_add(end->stack, end->link, peer, NULL) == 0, "estab_route_add");
  for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
    must(estab_sysctl_set(end->stack, settings[i][0], settings[i][1]) == 0, settings[i][0]);
  }
}

static void make_pair_of(uint64_t count, int mtu) {
  make(&client, "198.51.100.1/24", "192.0.2.0/24", mtu);
  make(&server, "192.0.2.2/24", "198.51.100.0/24", mtu);
  listeners = malloc(count * sizeof *listeners);
  must(listeners != NULL, "no memory");
  for (uint64_t i = 0; i < count; ++i) {
    const struct sockaddr_in at = address_of(i);
    listeners[i] = estab_socket(server.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    must(listeners[i] >= 0, "estab_socket");
    must(estab_bind(server.stack, listeners[i], (const struct sockaddr*)&at, sizeof at) == 0,
         "estab_bind");
    must(estab_listen(server.stack, listeners[i], 4096) == 0, "estab_listen");
  }
}

static void make_pair(uint64_t count) { make_pair_of(count, kMtu); }

static size_t move(const struct estab_end* from, const struct estab_end* to) {
  static unsigned char packet[kLargestMtu];
  size_t moved = 0;
  for (;;) {
    const ssize_t n = estab_wire_collect(from->stack, from->link, packet, sizeof packet);
    must(n >= 0, "estab_wire_collect");
    if (n == 0) return moved;
    must(estab_wire_inject(to->stack, to->link, packet, (size_t)n) == 0, "estab_wire_inject");
    ++moved;
    ++packets;
  }
}

static void settle(void) {
  while (move(&client, &server) + move(&server, &client) != 0) {
  }
}

static void pass(uint64_t ns) {
  must(estab_clock_advance(client.stack, ns) == 0, "estab_clock_advance");
  must(estab_clock_advance(server.stack, ns) == 0, "estab_clock_advance");
}

static int connect_to(uint64_t listener) {
  const struct sockaddr_in at = address_of(listener);
  const int s = estab_socket(client.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  must(s >= 0, "estab_socket");
  must(estab_connect(client.stack, s, (const struct sockaddr*)&at, sizeof at) == 0 ||
           errno == EINPROGRESS,
       "estab_connect");
  return s;
}

static int accept_from(uint64_t listener) {
  const int s = estab_accept4(server.stack, listeners[listener], NULL, NULL, SOCK_NONBLOCK);
  must(s >= 0, "estab_accept4");
  return s;
}

static void send_byte(const struct estab_end* from, int a, const struct estab_end* to, int b) {
  char byte = 1;
  must(estab_send(from->stack, a, &byte, 1, 0) == 1, "estab_send");
  move(from, to);
  must(estab_recv(to->stack, b, &byte, 1, 0) == 1, "estab_recv");
}

static void converse(int data) {
  const int c = connect_to(0);
  char byte = 0;
  settle();
  const int s = accept_from(0);
  if (data) {
    send_byte(&client, c, &server, s);
    send_byte(&server, s, &client, c);
  }
  must(estab_close(client.stack, c) == 0, "estab_close");
  move(&client, &server);
  must(estab_recv(server.stack, s, &byte, 1, 0) == 0, "estab_recv");
  must(estab_close(server.stack, s) == 0, "estab_close");
  settle();
}

/* Every 64 connections a jump over 2MSL, as bench_engine does. */
static void converse_many(uint64_t count, int data) {
  for (uint64_t i = 1; i <= count; ++i) {
    converse(data);
    if (i % 64 == 0) pass(61000000000u);
  }
}

static void measure_connections(const struct options* o, int data) {
  const uint64_t count = or_else(o->count, 100000);
  make_pair(1);
  converse_many(or_else(o->warm, 20000), data);
  packets = 0;
  const uint64_t began = region_start();
  converse_many(count, data);
  const double ns = region_stop(began);
  report_begin(data ? "short" : "open_close");
  report_costs(count, ns, packets);
  report_end();
}
static void measure_short(const struct options* o) { measure_connections(o, 1); }
static void measure_open_close(const struct options* o) { measure_connections(o, 0); }

/* Moves at least so many bytes from c to s; returns how many. */
static uint64_t transfer(int c, int s, uint64_t bytes) {
  static char data[kPiece];
  static char sink[kPiece];
  uint64_t read = 0;
  while (read < bytes) {
    ssize_t n = 0;
    while (estab_send(client.stack, c, data, sizeof data, 0) > 0) {
    }
    move(&client, &server);
    while ((n = estab_recv(server.stack, s, sink, sizeof sink, 0)) > 0) read += (uint64_t)n;
    must(n < 0 && errno == EAGAIN, "estab_recv");
    move(&server, &client);
    pass(10000);
  }
  return read;
}

/* What has come back: every call in turn, and not copied. */
static void take_notices(int c, uint32_t* next) {
  union {
    struct cmsghdr align;
    char bytes[256];
  } control;
  for (;;) {
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    struct sock_extended_err error;
    if (estab_recvmsg(client.stack, c, &message, MSG_ERRQUEUE) < 0) break;
    memcpy(&error, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof error);
    must(error.ee_origin == SO_EE_ORIGIN_ZEROCOPY && error.ee_code == 0, "a notice");
    must(error.ee_info == *next, "a notice out of turn");
    *next = error.ee_data + 1;
  }
  must(errno == EAGAIN, "estab_recvmsg");
}

/* The same with MSG_ZEROCOPY and borrowed chunks. */
static uint64_t transfer_zero_copy(int c, int s, uint64_t bytes) {
  static char data[kPiece];
  static uint32_t next;
  struct estab_loan loans[16];
  uint64_t read = 0;
  while (read < bytes) {
    ssize_t n = 0;
    while (estab_send(client.stack, c, data, sizeof data, MSG_ZEROCOPY) > 0) {
    }
    must(errno == EAGAIN, "estab_send");
    move(&client, &server);
    while ((n = estab_recv_borrow(server.stack, s, loans, 16, 0)) > 0) {
      for (ssize_t i = 0; i < n; ++i) read += loans[i].size;
      must(estab_recv_return(server.stack, loans, (size_t)n) == 0, "estab_recv_return");
    }
    must(n < 0 && errno == EAGAIN, "estab_recv_borrow");
    move(&server, &client);
    take_notices(c, &next);
    pass(10000);
  }
  return read;
}

/* A connection with buffers of `buffer` bytes at both ends. */
static void open_bulk(int buffer, int* c, int* s) {
  must(estab_setsockopt(server.stack, listeners[0], SOL_SOCKET, SO_RCVBUF, &buffer,
                        sizeof buffer) == 0,
       "SO_RCVBUF");
  *c = estab_socket(client.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  must(estab_setsockopt(client.stack, *c, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0,
       "SO_SNDBUF");
  const struct sockaddr_in at = address_of(0);
  estab_connect(client.stack, *c, (const struct sockaddr*)&at, sizeof at);
  settle();
  *s = accept_from(0);
}

static void report_bulk(const char* workload, const struct options* o, uint64_t read, double ns) {
  report_begin(workload);
  report("buffer", o->buffer);
  report("bytes", (double)read);
  report("gbit_per_s", (double)read * 8 / ns);
  report_costs(read / 1448, ns, packets);
  report_end();
}

static void measure_bulk(const struct options* o) {
  int c = 0;
  int s = 0;
  make_pair(1);
  open_bulk((int)o->buffer, &c, &s);
  transfer(c, s, or_else(o->warm, (uint64_t)64 << 20));
  packets = 0;
  const uint64_t began = region_start();
  const uint64_t read = transfer(c, s, or_else(o->count, (uint64_t)1 << 30));
  report_bulk("bulk", o, read, region_stop(began));
}

/* Over links of the largest MTU, for a memory link cuts no super-segments; checksums as always. */
static void measure_zero_copy(const struct options* o) {
  const int on = 1;
  int c = 0;
  int s = 0;
  make_pair_of(1, kLargestMtu);
  open_bulk((int)o->buffer, &c, &s);
  must(estab_setsockopt(client.stack, c, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0,
       "SO_ZEROCOPY");
  transfer_zero_copy(c, s, or_else(o->warm, (uint64_t)64 << 20));
  packets = 0;
  const uint64_t began = region_start();
  const uint64_t read = transfer_zero_copy(c, s, or_else(o->count, (uint64_t)2 << 30));
  report_bulk("zero_copy", o, read, region_stop(began));
}

static void measure_round(const struct options* o) {
  const size_t n = (size_t)or_else(o->connections, 10);
  uint32_t* order = shuffled(n);
  int(*open)[2] = malloc(n * sizeof *open);
  must(open != NULL, "no memory");
  make_pair(n / kPerListener + 1);
  for (size_t i = 0; i < n; ++i) {
    open[order[i]][0] = connect_to(i / kPerListener);
    settle();
    open[order[i]][1] = accept_from(i / kPerListener);
  }
  const uint64_t count = or_else(o->count, 200000);
  const uint64_t warm = or_else(o->warm, 2 * n > 20000 ? 2 * n : 20000);
  uint64_t began = 0;
  for (uint64_t i = 0; i < warm + count; ++i) {
    if (i == warm) {
      packets = 0;
      began = region_start();
    }
    const int* pair = open[i % n];
    send_byte(&client, pair[0], &server, pair[1]);
    send_byte(&server, pair[1], &client, pair[0]);
    if (i % n == n - 1) pass(1000000);
  }
  const double ns = region_stop(began);
  report_begin("round");
  report("connections", (double)n);
  report_costs(2 * count, ns, packets);
  report_end();
  free(open);
  free(order);
}

int main(int argc, char** argv) {
  static const struct workload kWorkloads[] = {
      {"short", measure_short},         {"open_close", measure_open_close}, {"bulk", measure_bulk},
      {"zero_copy", measure_zero_copy}, {"round", measure_round},           {NULL, NULL}};
  return run_workload(argc, argv, "bench_c_abi", kWorkloads);
}
