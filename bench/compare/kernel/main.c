/* The kernel's TCP at both ends: a veth pair between two network namespaces made here, both driven
 * by one thread on one processor, with the checksums and segments made in software. The workloads
 * of bench_engine. What the kernel does for a packet it does in the sender's system call, and
 * charges to the process (but not with CONFIG_IRQ_TIME_ACCOUNTING); when there is too much of it,
 * ksoftirqd goes on, whose time is added. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/harness.h"

enum { kFirstPort = 1024, kPerListener = 20000, kPiece = 64 * 1024, kListeners = 32 };

static int client_place; /* namespaces */
static int server_place;
static int listeners[kListeners];

static void go(int place) { must(setns(place, CLONE_NEWNET) == 0, "cannot change namespaces"); }

static int new_place(void) {
  must(unshare(CLONE_NEWNET) == 0, "no network namespace (root is needed, or unshare -Urn)");
  const int place = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  must(place >= 0, "no /proc/self/ns/net");
  return place;
}

static void run(const char* command) { must(system(command) == 0, command); }

static void set(const char* name, const char* value) {
  char path[128];
  snprintf(path, sizeof path, "/proc/sys/net/%s", name);
  FILE* file = fopen(path, "we");
  must(file != NULL && fputs(value, file) >= 0 && fclose(file) == 0, path);
}

/* No offloads: packets of 1500 bytes, their checksums made and verified by the processor. */
static void in_software(const char* device) {
  static const uint32_t off[] = {ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO,
                                 ETHTOOL_SGRO};
  const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  for (size_t i = 0; i < sizeof off / sizeof *off; ++i) {
    struct ethtool_value value = {.cmd = off[i], .data = 0};
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, device, IFNAMSIZ - 1);
    request.ifr_data = (void*)&value;
    ioctl(s, SIOCETHTOOL, &request); /* what cannot be switched off is not there */
  }
  close(s);
}

static void settle_in(int place, const char* device, const char* own, const char* peer,
                      uint32_t buffer) {
  char command[256];
  char sizes[64];
  go(place);
  snprintf(command, sizeof command,
           "ip link set lo up && ip address add %s/24 dev %s && ip link set %s up && "
           "ip route add %s/24 dev %s",
           own, device, device, peer, device);
  run(command);
  in_software(device);
  snprintf(sizes, sizeof sizes, "4096 %u %u", buffer, buffer);
  set("ipv4/tcp_rmem", sizes);
  set("ipv4/tcp_wmem", sizes);
  set("ipv4/ip_local_port_range", "1024 65535");
  set("ipv4/tcp_max_tw_buckets", "1000000");
}

static struct sockaddr_in address(const char* text, uint64_t port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, text, &a.sin_addr);
  return a;
}

static char ksoftirqd[64]; /* where this processor's tells its time; empty: not to be seen */

static void find_ksoftirqd(int processor) {
  char wanted[32];
  char path[sizeof "/proc//comm" + 256];
  char name[32];
  const struct dirent* entry = NULL;
  DIR* proc = opendir("/proc");
  snprintf(wanted, sizeof wanted, "ksoftirqd/%d\n", processor);
  while (proc != NULL && (entry = readdir(proc)) != NULL) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
    FILE* file = fopen(path, "re");
    if (file == NULL) continue;
    if (fgets(name, sizeof name, file) != NULL && strcmp(name, wanted) == 0) {
      snprintf(ksoftirqd, sizeof ksoftirqd, "/proc/%.16s/schedstat", entry->d_name);
    }
    fclose(file);
  }
  if (proc != NULL) closedir(proc);
}

static double spent_ns(void) {
  double more = 0;
  FILE* file = ksoftirqd[0] != '\0' ? fopen(ksoftirqd, "re") : NULL;
  if (file != NULL) {
    if (fscanf(file, "%lf", &more) != 1) more = 0;
    fclose(file);
  }
  return (double)process_ns() + more;
}

/* On one processor: what one end sends the other receives in the same breath. */
static void pin(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET((size_t)sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  find_ksoftirqd(sched_getcpu());
}

static void make_pair(uint32_t buffer, uint64_t count) {
  char command[128];
  const int yes = 1;
  pin();
  client_place = new_place();
  server_place = new_place();
  go(client_place);
  run("ip link add wire0 mtu 1500 type veth peer name wire1 mtu 1500");
  snprintf(command, sizeof command, "ip link set wire1 netns /proc/%d/fd/%d", (int)getpid(),
           server_place);
  run(command);
  settle_in(client_place, "wire0", "198.51.100.1", "192.0.2.0", buffer);
  settle_in(server_place, "wire1", "192.0.2.2", "198.51.100.0", buffer);
  must(count <= kListeners, "too many connections");
  for (uint64_t i = 0; i < count; ++i) {
    const struct sockaddr_in at = address("192.0.2.2", kFirstPort + i);
    listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(setsockopt(listeners[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0, "TCP_NODELAY");
    must(bind(listeners[i], (const struct sockaddr*)&at, sizeof at) == 0, "bind");
    must(listen(listeners[i], 4096) == 0, "listen");
  }
  go(client_place); /* where sockets are made from now on */
}

static void wait_for(int s, short events) {
  struct pollfd one = {.fd = s, .events = events};
  must(poll(&one, 1, 5000) == 1, "a connection does not move");
}

static int connect_to(uint64_t listener) {
  const struct sockaddr_in at = address("192.0.2.2", kFirstPort + listener);
  const int yes = 1;
  const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  must(s >= 0, "socket");
  must(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0, "TCP_NODELAY");
  must(connect(s, (const struct sockaddr*)&at, sizeof at) == 0 || errno == EINPROGRESS, "connect");
  return s;
}

static int accept_from(uint64_t listener) {
  for (;;) {
    const int s = accept4(listeners[listener], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (s >= 0) return s;
    must(errno == EAGAIN, "accept4");
    wait_for(listeners[listener], POLLIN);
  }
}

static ssize_t take(int s, void* into, size_t size) {
  for (;;) {
    const ssize_t n = recv(s, into, size, 0);
    if (n >= 0) return n;
    must(errno == EAGAIN, "recv");
    wait_for(s, POLLIN);
  }
}

static void send_byte(int from, int to) {
  char byte = 1;
  must(send(from, &byte, 1, MSG_NOSIGNAL) == 1, "send");
  must(take(to, &byte, 1) == 1, "recv");
}

static uint64_t made;

static void converse(int data) {
  const uint64_t listener = made++ / kPerListener;
  char byte = 0;
  const int c = connect_to(listener);
  const int s = accept_from(listener);
  wait_for(c, POLLOUT);
  if (data) {
    send_byte(c, s);
    send_byte(s, c);
  }
  close(c);
  must(take(s, &byte, 1) == 0, "recv");
  close(s);
}

static void measure_connections(const struct options* o, const char* name, int data,
                                uint64_t before) {
  const uint64_t count = or_else(o->count, 20000);
  const uint64_t warm = or_else(o->warm, 5000) + before;
  make_pair(1 << 17, (warm + count) / kPerListener + 1);
  for (uint64_t i = 0; i < warm; ++i) converse(data);
  const double began = spent_ns();
  for (uint64_t i = 0; i < count; ++i) converse(data);
  const double ns = spent_ns() - began;
  report_begin(name);
  if (before != 0) report("time_waits", (double)before);
  report_costs(count, ns, 0);
  report_end();
}
static void measure_short(const struct options* o) { measure_connections(o, "short", 1, 0); }
static void measure_open_close(const struct options* o) {
  measure_connections(o, "open_close", 0, 0);
}
static void measure_time_wait(const struct options* o) {
  measure_connections(o, "time_wait", 0, o->connections);
}

static uint64_t transfer(int c, int s, uint64_t bytes) {
  static char data[kPiece];
  static char sink[kPiece];
  uint64_t read = 0;
  while (read < bytes) {
    ssize_t n = 0;
    while (send(c, data, sizeof data, MSG_NOSIGNAL) > 0) {
    }
    while ((n = recv(s, sink, sizeof sink, 0)) > 0) read += (uint64_t)n;
    must(n < 0 && errno == EAGAIN, "recv");
  }
  return read;
}

static void measure_bulk(const struct options* o) {
  make_pair(o->buffer, 1);
  const int c = connect_to(0);
  const int s = accept_from(0);
  transfer(c, s, or_else(o->warm, (uint64_t)64 << 20));
  const double began = spent_ns();
  const uint64_t read = transfer(c, s, or_else(o->count, (uint64_t)1 << 30));
  const double ns = spent_ns() - began;
  report_begin("bulk");
  report("buffer", o->buffer);
  report("bytes", (double)read);
  report("gbit_per_s", (double)read * 8 / ns);
  report_costs(read / 1448, ns, 0);
  report_end();
}

/* How many of `n` connections may be open: each has two files. */
static size_t allowed(size_t n) {
  struct rlimit limit = {2 * n + 64, 2 * n + 64};
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return n;
  must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
  limit.rlim_cur = limit.rlim_max;
  must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
  const size_t most = (limit.rlim_max - 64) / 2;
  return n < most ? n : most;
}

static int (*open_many(size_t n))[2] {
  uint32_t* order = shuffled(n);
  int(*open)[2] = malloc(n * sizeof *open);
  must(open != NULL, "no memory");
  for (size_t i = 0; i < n; ++i) {
    open[order[i]][0] = connect_to(i / kPerListener);
    open[order[i]][1] = accept_from(i / kPerListener);
  }
  free(order);
  return open;
}

static void measure_round(const struct options* o) {
  const size_t n = allowed((size_t)or_else(o->connections, 10));
  const uint64_t count = or_else(o->count, 50000);
  const uint64_t warm = or_else(o->warm, n);
  make_pair(1 << 17, n / kPerListener + 1);
  int(*open)[2] = open_many(n);
  double began = 0;
  for (uint64_t i = 0; i < warm + count; ++i) {
    if (i == warm) began = spent_ns();
    send_byte(open[i % n][0], open[i % n][1]);
    send_byte(open[i % n][1], open[i % n][0]);
  }
  const double ns = spent_ns() - began;
  report_begin("round");
  report("connections", (double)n);
  report_costs(2 * count, ns, 0);
  report_end();
}

/* Bytes of the kernel's slabs. */
static double slabs(void) {
  char line[128];
  double kilobytes = 0;
  FILE* file = fopen("/proc/meminfo", "re");
  must(file != NULL, "/proc/meminfo");
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "Slab: %lf", &kilobytes) == 1) break;
  }
  fclose(file);
  return kilobytes * 1024;
}

/* The size of one of the kernel's records, if it tells. */
static void report_record(const char* name, const char* cache) {
  char line[256];
  char word[64];
  double size = 0;
  FILE* file = fopen("/proc/slabinfo", "re");
  if (file == NULL) return;
  while (fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "%63s %*f %*f %lf", word, &size) == 2 && strcmp(word, cache) == 0) {
      report(name, size);
    }
  }
  fclose(file);
}

static void measure_memory(const struct options* o) {
  const size_t n = allowed((size_t)or_else(o->connections, 10000));
  make_pair(1 << 17, n / kPerListener + 1);
  const double before = slabs();
  open_many(n);
  report_begin("memory");
  report("connections", (double)n);
  report("idle_bytes", (slabs() - before) / (2 * (double)n));
  report_record("half_open_bytes", "request_sock_TCP");
  report_record("time_wait_bytes", "tw_sock_TCP");
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
  return run_workload(argc, argv, "bench_kernel", kWorkloads);
}
