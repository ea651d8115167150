/* One lwIP and the program on top of it. lwIP keeps its state in globals: this is linked into one
 * object whose only name is its table of functions, and that object is used twice. */
#ifndef BENCH_COMPARE_LWIP_END_H_
#define BENCH_COMPARE_LWIP_END_H_

#include <stddef.h>
#include <stdint.h>

/* What the program does with its connections. */
enum lwip_role { kEcho, kByte, kNothing, kSource, kSink };

/* The wire as this end sees it: room for one packet, or NULL if it is full. */
typedef unsigned char* (*lwip_room)(size_t size);

struct lwip_end {
  /* Begins, with an address (host order) and its peer's. */
  void (*start)(uint32_t address, enum lwip_role role, lwip_room room);
  void (*listen)(uint16_t port);
  /* A packet for it, in memory that stays until it returns. */
  void (*input)(const void* packet, size_t size);
  /* Lets so many milliseconds pass, and the timers run. */
  void (*pass)(uint32_t ms);
  /* A connection on its way; `port` 0: lwIP chooses one. */
  void* (*connect)(uint32_t to, uint16_t to_port, uint16_t port);
  void (*send_byte)(void* connection);
  /* Sends as much as there is room for. */
  void (*fill)(void* connection);
  /* Since the start. */
  uint64_t (*established)(void);
  uint64_t (*received)(void); /* bytes */
  uint64_t (*closed)(void);
  size_t (*connection_size)(void);
};

extern const struct lwip_end lwip_end;

#endif /* BENCH_COMPARE_LWIP_END_H_ */
