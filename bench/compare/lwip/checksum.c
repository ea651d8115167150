#include <stdint.h>
#include <string.h>

uint16_t bench_checksum(const void* data, int size);

/* The checksum that lwIP's documentation asks the user to bring: the compiler makes vectors of it,
 * and the loader chooses. */
__attribute__((target_clones("avx2", "default"))) uint16_t bench_checksum(const void* data,
                                                                          int size) {
  const unsigned char* at = data;
  uint64_t sum = 0;
  for (; size >= 64; size -= 64, at += 64) {
    uint32_t words[16];
    memcpy(words, at, sizeof words);
    for (int i = 0; i < 16; ++i) sum += words[i];
  }
  for (; size >= 4; size -= 4, at += 4) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    sum += word;
  }
  if (size > 0) {
    uint32_t word = 0;
    memcpy(&word, at, (size_t)size);
    sum += word;
  }
  sum = (sum & 0xffffffffu) + (sum >> 32);
  sum = (sum & 0xffffu) + ((sum >> 16) & 0xffffu) + (sum >> 32);
  sum = (sum & 0xffffu) + (sum >> 16);
  return (uint16_t)((sum & 0xffffu) + (sum >> 16));
}
