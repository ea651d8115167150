/* A plain C11 program against libestab.so alone: the header compiles, the symbols are there, and
 * two stacks in virtual time shake hands, exchange a line and close. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "estab/estab.h"

static int checks;

#define CHECK(condition)                                                                   \
  do {                                                                                     \
    ++checks;                                                                              \
    if (!(condition)) {                                                                    \
      fprintf(stderr, "%s:%d: %s (errno %d: %s)\n", __FILE__, __LINE__, #condition, errno, \
              strerror(errno));                                                            \
      exit(1);                                                                             \
    }                                                                                      \
  } while (0)

struct host {
  estab_stack* stack;
  int link;
};

static struct host MakeHost(const char* address) {
  struct host host;
  host.stack = estab_stack_create();
  CHECK(host.stack != NULL);
  CHECK(estab_clock_virtual(host.stack) == 0);
  host.link = estab_link_memory(host.stack, 1500);
  CHECK(host.link >= 0);
  CHECK(estab_address_add(host.stack, host.link, address) == 0);
  return host;
}

static int Carry(struct host from, struct host to) {
  unsigned char packet[1500];
  ssize_t n;
  int count = 0;
  while ((n = estab_wire_collect(from.stack, from.link, packet, sizeof packet)) > 0) {
    CHECK(estab_wire_inject(to.stack, to.link, packet, (size_t)n) == 0);
    ++count;
  }
  CHECK(n == 0);
  return count;
}

static void Exchange(struct host a, struct host b) {
  while (Carry(a, b) + Carry(b, a) > 0) {
  }
}

int main(void) {
  struct host a = MakeHost("192.0.2.1/24");
  struct host b = MakeHost("192.0.2.2/24");
  struct sockaddr_in address;
  struct pollfd fd;
  char text[64];
  int listener, client, server;

  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(7);
  listener = estab_socket(b.stack, AF_INET, SOCK_STREAM, 0);
  CHECK(listener == 0);
  CHECK(estab_bind(b.stack, listener, (struct sockaddr*)&address, sizeof address) == 0);
  CHECK(estab_listen(b.stack, listener, 4) == 0);

  client = estab_socket(a.stack, AF_INET, SOCK_STREAM, 0);
  CHECK(estab_fcntl(a.stack, client, 4 /* F_SETFL */, 04000 /* O_NONBLOCK */) == 0);
  CHECK(inet_pton(AF_INET, "192.0.2.2", &address.sin_addr) == 1);
  CHECK(estab_connect(a.stack, client, (struct sockaddr*)&address, sizeof address) == -1);
  CHECK(errno == EINPROGRESS);
  CHECK(estab_wire_collect(a.stack, a.link, text, 8) == -1);
  CHECK(errno == EMSGSIZE);
  Exchange(a, b);
  server = estab_accept4(b.stack, listener, NULL, NULL, 0);
  CHECK(server == 1);

  CHECK(estab_send(a.stack, client, "hello", 5, 0) == 5);
  Exchange(a, b);
  fd.fd = server;
  fd.events = POLLIN;
  fd.revents = 0;
  CHECK(estab_poll(b.stack, &fd, 1, -1) == 1);
  CHECK(fd.revents == POLLIN);
  CHECK(estab_recv(b.stack, server, text, sizeof text, 0) == 5);
  CHECK(memcmp(text, "hello", 5) == 0);

  CHECK(estab_close(a.stack, client) == 0);
  Exchange(a, b);
  CHECK(estab_recv(b.stack, server, text, sizeof text, 0) == 0);
  CHECK(estab_close(b.stack, server) == 0);
  Exchange(a, b);
  CHECK(estab_next_deadline(b.stack) == -1);
  CHECK(estab_next_deadline(a.stack) > 0); /* TIME_WAIT */
  CHECK(estab_clock_advance(a.stack, UINT64_C(60000000000)) == 0);
  CHECK(estab_next_deadline(a.stack) == -1);
  CHECK(estab_close(b.stack, listener) == 0);

  estab_stack_destroy(a.stack);
  estab_stack_destroy(b.stack);
  estab_stack_destroy(NULL);
  printf("%d checks passed\n", checks);
  return 0;
}
