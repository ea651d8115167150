// A client of the C interface that uses TCP Fast Open: says "ping N" to HOST on PORT, once a round,
// and prints what came back and whether the SYN's data was accepted.
#include <arpa/inet.h>
#include <estab/estab.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void check(int ok, const char* what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static int round_trip(estab_stack* stack, const char* host, int port, int number) {
  struct sockaddr_in to;
  struct tcp_info info;
  socklen_t size = sizeof(info);
  char text[64];
  ssize_t n;
  const int s = estab_socket(stack, AF_INET, SOCK_STREAM, 0);
  check(s >= 0, "socket");
  memset(&to, 0, sizeof(to));
  to.sin_family = AF_INET;
  to.sin_port = htons((unsigned short)port);
  check(inet_pton(AF_INET, host, &to.sin_addr) == 1, "address");
  snprintf(text, sizeof(text), "ping %d", number);
  n = estab_sendto(stack, s, text, strlen(text), MSG_FASTOPEN, (struct sockaddr*)&to, sizeof(to));
  check(n == (ssize_t)strlen(text), "sendto");
  check(estab_shutdown(stack, s, SHUT_WR) == 0, "shutdown");
  n = estab_recv(stack, s, text, sizeof(text) - 1, MSG_WAITALL);
  check(n >= 0, "recv");
  text[n] = 0;
  memset(&info, 0, sizeof(info));
  check(estab_getsockopt(stack, s, IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
  printf("%s%s\n", text, (info.tcpi_options & TCPI_OPT_SYN_DATA) ? " syn-data" : "");
  return estab_close(stack, s);
}

int main(int argc, char** argv) {
  estab_stack* stack = estab_stack_create();
  int link, i;
  check(argc == 5 && stack != NULL, "usage: TUN HOST PORT ROUNDS");
  link = estab_link_tun(stack, argv[1]);
  check(link >= 0, "link");
  check(estab_address_add(stack, link, "192.0.2.2/24") == 0, "address");
  for (i = 1; i <= atoi(argv[4]); ++i) {
    check(round_trip(stack, argv[2], atoi(argv[3]), i) == 0, "close");
  }
  estab_stack_destroy(stack);
  return 0;
}
