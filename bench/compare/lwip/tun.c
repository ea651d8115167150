/* lwIP's raw API as a server on a TUN device: accepts what comes and closes it when the peer has.
 *
 *   lwip_tun DEVICE ADDRESS PORT COUNT
 *
 * It listens at COUNT ports from PORT on, says "ready" once the device is there, and serves until
 * it is killed. One thread: packets are read until there are no more, and the answers leave when so
 * many are there that sending them at once is worth it: a sixth faster than each by itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "end.h"

/* As long as lwIP's fast timer: nothing here is due earlier. */
enum { kPackets = 64, kTogether = 32, kPacketSize = 2048, kTickMs = 250 };

static int device;
static unsigned char answers[kPackets][kPacketSize];
static size_t sizes[kPackets];
static size_t count;

static void die(const char* what) {
  fprintf(stderr, "lwip_tun: %s: %s\n", what, strerror(errno));
  exit(1);
}

static unsigned char* room(size_t size) {
  if (count == kPackets || size > kPacketSize) return NULL;
  sizes[count] = size;
  return answers[count++];
}

/* What the device does not take is lost, and comes again. */
static void flush(void) {
  for (size_t i = 0; i < count; ++i) {
    const ssize_t written = write(device, answers[i], sizes[i]);
    (void)written;
  }
  count = 0;
}

static int open_device(const char* name) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (fd < 0) die("/dev/net/tun");
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, &request) != 0) die(name);
  return fd;
}

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void let_time_pass(void) {
  static uint64_t before;
  const uint64_t now = now_ms();
  if (before != 0 && now != before) lwip_end.pass((uint32_t)(now - before));
  before = now;
}

static void read_all(void) {
  static unsigned char packet[kPacketSize];
  ssize_t size = 0;
  while ((size = read(device, packet, sizeof packet)) > 0) {
    lwip_end.input(packet, (size_t)size);
    if (count >= kTogether) flush();
  }
}

int main(int argc, char** argv) {
  struct in_addr address;
  if (argc != 5 || inet_pton(AF_INET, argv[2], &address) != 1) {
    fputs("usage: lwip_tun DEVICE ADDRESS PORT COUNT\n", stderr);
    return 2;
  }
  device = open_device(argv[1]);
  lwip_end.start(ntohl(address.s_addr), kSink, room);
  for (int i = 0; i < atoi(argv[4]); ++i) lwip_end.listen((uint16_t)(atoi(argv[3]) + i));
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd arrival = {.fd = device, .events = POLLIN};
    if (poll(&arrival, 1, kTickMs) < 0 && errno != EINTR) die("poll");
    let_time_pass();
    read_all();
    flush();
  }
}
