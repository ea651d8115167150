/* The same echo server in C: one thread, poll, and the POSIX-shaped functions of estab/estab.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "estab/estab.h"

#define MAX_PEERS 64

static int Fail(const char* what) {
  perror(what);
  return 1;
}

int main(int argc, char** argv) {
  struct pollfd fds[1 + MAX_PEERS];
  struct sockaddr_in any;
  nfds_t count = 1;
  estab_stack* stack = estab_stack_create();
  const int link = estab_link_tun(stack, argc > 1 ? argv[1] : "estab0");
  if (link < 0) return Fail("TUN device");
  if (estab_address_add(stack, link, "192.0.2.2/24") < 0) return Fail("address");

  memset(&any, 0, sizeof any);
  any.sin_family = AF_INET;
  any.sin_port = htons(7);
  fds[0].fd = estab_socket(stack, AF_INET, SOCK_STREAM, 0);
  fds[0].events = POLLIN;
  if (estab_bind(stack, fds[0].fd, (struct sockaddr*)&any, sizeof any) < 0) return Fail("bind");
  if (estab_listen(stack, fds[0].fd, MAX_PEERS) < 0) return Fail("listen");

  while (estab_poll(stack, fds, count, -1) > 0) {
    for (nfds_t i = count - 1; i > 0; --i) {
      char bytes[4096];
      ssize_t n;
      if (fds[i].revents == 0) continue;
      n = estab_recv(stack, fds[i].fd, bytes, sizeof bytes, 0);
      if (n > 0 && estab_send(stack, fds[i].fd, bytes, (size_t)n, 0) == n) continue;
      estab_close(stack, fds[i].fd);
      fds[i] = fds[--count];
    }
    if (fds[0].revents != 0) {
      fds[count].fd = estab_accept4(stack, fds[0].fd, NULL, NULL, 0);
      fds[count].events = POLLIN;
      fds[count].revents = 0;
      if (fds[count].fd >= 0) ++count;
    }
    fds[0].events = count <= MAX_PEERS ? POLLIN : 0; /* later ones wait in the backlog */
  }
  estab_stack_destroy(stack);
  return 0;
}
