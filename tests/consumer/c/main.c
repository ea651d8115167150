/* Uses the installed C interface from outside, in plain C11: two hosts in virtual time, a wire made
 * of estab_wire_collect and estab_wire_inject, and a word sent from one to the other and back. */
#include <arpa/inet.h>
#include <errno.h>
#include <estab/estab.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int failures;

static void Expect(int ok, const char* what) {
  if (ok) return;
  fprintf(stderr, "consumer: failed: %s (errno %d: %s)\n", what, errno, strerror(errno));
  ++failures;
}

struct Side {
  estab_stack* stack;
  int link;
};

static struct Side Begin(const char* cidr) {
  struct Side side = {estab_stack_create(), -1};
  Expect(side.stack != NULL, "estab_stack_create");
  Expect(estab_clock_virtual(side.stack) == 0, "estab_clock_virtual");
  side.link = estab_link_memory(side.stack, 1500);
  Expect(side.link >= 0, "estab_link_memory");
  Expect(estab_address_add(side.stack, side.link, cidr) == 0, "estab_address_add");
  return side;
}

/* Carries packets both ways until none is left; returns how many. */
static int Carry(struct Side a, struct Side b) {
  unsigned char packet[1500];
  int carried = 0;
  for (;;) {
    ssize_t n = estab_wire_collect(a.stack, a.link, packet, sizeof packet);
    struct Side to = b;
    if (n == 0) {
      n = estab_wire_collect(b.stack, b.link, packet, sizeof packet);
      to = a;
    }
    if (n <= 0 || carried > 1000) return carried;
    Expect(estab_wire_inject(to.stack, to.link, packet, (size_t)n) == 0, "estab_wire_inject");
    ++carried;
  }
}

static struct sockaddr_in Address(const char* text, unsigned short port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

int main(void) {
  struct Side a = Begin("192.0.2.1/24");
  struct Side b = Begin("192.0.2.2/24");
  struct sockaddr_in server = Address("192.0.2.2", 7);

  int listener = estab_socket(b.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  Expect(listener >= 0, "estab_socket");
  Expect(estab_bind(b.stack, listener, (struct sockaddr*)&server, sizeof server) == 0,
         "estab_bind");
  Expect(estab_listen(b.stack, listener, 1) == 0, "estab_listen");

  int client = estab_socket(a.stack, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  errno = 0;
  Expect(estab_connect(a.stack, client, (struct sockaddr*)&server, sizeof server) == -1 &&
             errno == EINPROGRESS,
         "estab_connect gives EINPROGRESS");
  Expect(Carry(a, b) == 3, "three segments open it");
  struct pollfd ready = {client, POLLOUT, 0};
  Expect(estab_poll(a.stack, &ready, 1, 0) == 1 && ready.revents == POLLOUT, "POLLOUT");

  int accepted = estab_accept4(b.stack, listener, NULL, NULL, SOCK_NONBLOCK);
  Expect(accepted >= 0, "estab_accept4");
  char word[8] = "";
  Expect(estab_send(a.stack, client, "hello", 5, 0) == 5, "estab_send");
  Carry(a, b);
  Expect(estab_recv(b.stack, accepted, word, sizeof word, 0) == 5, "estab_recv");
  Expect(memcmp(word, "hello", 5) == 0, "the same word");
  Expect(estab_send(b.stack, accepted, word, 5, 0) == 5, "estab_send back");
  Carry(a, b);
  Expect(estab_recv(a.stack, client, word, sizeof word, 0) == 5, "estab_recv back");

  Expect(estab_close(a.stack, client) == 0 && estab_close(b.stack, accepted) == 0, "estab_close");
  Carry(a, b);
  estab_stack_destroy(a.stack);
  estab_stack_destroy(b.stack);
  if (failures == 0) puts("C consumer: hello, and back");
  return failures != 0;
}
