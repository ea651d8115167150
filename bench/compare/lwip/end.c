#include "end.h"

#include <string.h>

#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/memp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"

enum { kPiece = 64 * 1024 };

static struct netif wire;
static lwip_room wire_room;
static enum lwip_role role;
static uint32_t now_ms = 1000;
static uint64_t established;
static uint64_t received;
static uint64_t closed;
static unsigned char piece[kPiece];

u32_t sys_now(void) { return now_ms; }

static err_t output(struct netif* netif, struct pbuf* p, const ip4_addr_t* to) {
  unsigned char* at = wire_room(p->tot_len);
  (void)netif;
  (void)to;
  if (at == NULL) return ERR_MEM;
  for (; p != NULL; p = p->next) {
    memcpy(at, p->payload, p->len);
    at += p->len;
  }
  return ERR_OK;
}

static err_t init(struct netif* netif) {
  netif->mtu = 1500;
  netif->output = output;
  netif->name[0] = 'w';
  netif->name[1] = '0';
  return ERR_OK;
}

static void give_up(struct tcp_pcb* pcb) {
  tcp_recv(pcb, NULL);
  tcp_close(pcb);
  ++closed;
}

static err_t on_data(void* arg, struct tcp_pcb* pcb, struct pbuf* p, err_t error) {
  u16_t size = 0;
  (void)arg;
  (void)error;
  if (p == NULL) {
    give_up(pcb);
    return ERR_OK;
  }
  size = p->tot_len;
  pbuf_copy_partial(p, piece, size, 0);
  pbuf_free(p);
  tcp_recved(pcb, size);
  received += size;
  if (role == kEcho) {
    tcp_write(pcb, piece, 1, TCP_WRITE_FLAG_COPY);
    tcp_output(pcb);
  } else if (role == kByte) {
    give_up(pcb);
  }
  return ERR_OK;
}

static err_t on_accept(void* arg, struct tcp_pcb* pcb, err_t error) {
  (void)arg;
  if (error != ERR_OK || pcb == NULL) return ERR_VAL;
  ++established;
  tcp_recv(pcb, on_data);
  return ERR_OK;
}

static err_t on_connected(void* arg, struct tcp_pcb* pcb, err_t error) {
  (void)arg;
  (void)error;
  ++established;
  tcp_recv(pcb, on_data);
  if (role == kByte) {
    tcp_write(pcb, piece, 1, TCP_WRITE_FLAG_COPY);
    tcp_output(pcb);
  } else if (role == kNothing) {
    give_up(pcb);
  }
  return ERR_OK;
}

static void start(uint32_t address, enum lwip_role as, lwip_room room) {
  ip4_addr_t own = {lwip_htonl(address)};
  ip4_addr_t mask = {0};
  wire_room = room;
  role = as;
  for (size_t i = 0; i < sizeof piece; ++i) piece[i] = (unsigned char)(i * 7);
  lwip_init();
  netif_add(&wire, &own, &mask, &mask, NULL, init, ip_input);
  netif_set_default(&wire);
  netif_set_up(&wire);
  netif_set_link_up(&wire);
}

static void listen_at(uint16_t port) {
  struct tcp_pcb* pcb = tcp_new();
  tcp_bind(pcb, IP_ADDR_ANY, port);
  pcb = tcp_listen_with_backlog(pcb, 255);
  tcp_accept(pcb, on_accept);
}

static void nothing(struct pbuf* p) { (void)p; }

/* The packet stays where it is: nothing is copied on the way in. */
static void input(const void* packet, size_t size) {
  static struct pbuf_custom custom;
  custom.custom_free_function = nothing;
  struct pbuf* p =
      pbuf_alloced_custom(PBUF_RAW, (u16_t)size, PBUF_REF, &custom, (void*)packet, (u16_t)size);
  wire.input(p, &wire);
}

static void pass(uint32_t ms) {
  now_ms += ms;
  sys_check_timeouts();
}

static void* connect_to(uint32_t to, uint16_t to_port, uint16_t port) {
  ip_addr_t address = {lwip_htonl(to)};
  struct tcp_pcb* pcb = tcp_new();
  /* Not by tcp_bind, which looks through all connections. */
  if (port != 0) pcb->local_port = port;
  if (tcp_connect(pcb, &address, to_port, on_connected) != ERR_OK) return NULL;
  return pcb;
}

static void send_byte(void* connection) {
  tcp_write(connection, piece, 1, TCP_WRITE_FLAG_COPY);
  tcp_output(connection);
}

static void fill(void* connection) {
  struct tcp_pcb* pcb = connection;
  for (;;) {
    tcpwnd_size_t n = tcp_sndbuf(pcb);
    /* As the documentation of tcp_write has it: at most what fits, in whole segments. */
    if (n < TCP_MSS) break;
    if (n > 44 * TCP_MSS) n = 44 * TCP_MSS;
    if (tcp_write(pcb, piece, (u16_t)(n - n % TCP_MSS), TCP_WRITE_FLAG_COPY) != ERR_OK) break;
  }
  tcp_output(pcb);
}

static uint64_t get_established(void) { return established; }
static uint64_t get_received(void) { return received; }
static uint64_t get_closed(void) { return closed; }
static size_t connection_size(void) { return memp_pools[MEMP_TCP_PCB]->size; }

const struct lwip_end lwip_end = {start,        listen_at,  input,          pass,
                                  connect_to,   send_byte,  fill,           get_established,
                                  get_received, get_closed, connection_size};
