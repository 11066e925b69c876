/* Work that never leaves the core: checksums, matrices, list walks, sorting, copies, divisions. For speed and its
 * comparison with QEMU; ROUNDS says for how long, ONLY (an index of `sums`) that it is one kind of work. */
#include <stdint.h>

#ifndef ROUNDS
#define ROUNDS 5
#endif
#ifdef ONLY
#define WANTED(part) ((part) == ONLY)
#else
#define WANTED(part) 1
#endif

static uint8_t bytes[4096], copy[4096];
static uint32_t numbers[512];
static float left[16][16], right[16][16], product[16][16];
static struct node {
  struct node* next;
  uint32_t value;
} nodes[512];

static uint32_t random_state = 12345;
static uint32_t random(void) { return random_state = random_state * 1664525u + 1013904223u; }

static uint32_t checksum(void) {
  uint32_t crc = 0xFFFFFFFFu;
  for (unsigned i = 0; i < sizeof bytes; ++i) {
    crc ^= bytes[i];
    for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}
static uint32_t matrices(void) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) {
      float sum = 0;
      for (int k = 0; k < 16; ++k) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
  }
  return (uint32_t)(int32_t)product[7][9];
}
static uint32_t walk(void) {
  uint32_t sum = 0;
  for (int times = 0; times < 20; ++times) {
    for (const struct node* n = &nodes[0]; n; n = n->next) sum += n->value;
  }
  return sum;
}
static uint32_t sort(void) {
  for (unsigned i = 0; i < 512; ++i) numbers[i] = random();
  for (unsigned gap = 256; gap > 0; gap /= 2) {
    for (unsigned i = gap; i < 512; ++i) {
      const uint32_t v = numbers[i];
      unsigned j = i;
      for (; j >= gap && numbers[j - gap] > v; j -= gap) numbers[j] = numbers[j - gap];
      numbers[j] = v;
    }
  }
  return numbers[100];
}
static uint32_t copies(void) {
  uint32_t sum = 0;
  for (int times = 0; times < 8; ++times) {
    for (unsigned i = 0; i < sizeof bytes; i += 4) *(uint32_t*)&copy[i] = *(uint32_t*)&bytes[i] + sum;
    sum += copy[times * 17];
  }
  return sum;
}
static uint32_t divisions(void) {
  uint32_t sum = 0;
  for (uint32_t i = 1; i < 3000; ++i) sum += 1000000007u / i + 1000003u % i;
  return sum;
}

static void load(uint32_t sums[6]) {
  for (unsigned i = 0; i < sizeof bytes; ++i) bytes[i] = (uint8_t)random();
  for (int i = 0; i < 256; ++i) {
    left[i / 16][i % 16] = (float)(random() >> 24);
    right[i / 16][i % 16] = (float)(random() >> 24);
  }
  for (unsigned i = 0; i < 512; ++i) {
    nodes[i * 77 % 512].next = i == 511 ? 0 : &nodes[(i + 1) * 77 % 512];
    nodes[i].value = i;
  }
  for (unsigned round = 0; round < ROUNDS; ++round) {
    if (WANTED(0)) sums[0] += checksum();
    if (WANTED(1)) sums[1] += matrices();
    if (WANTED(2)) sums[2] += walk();
    if (WANTED(3)) sums[3] += sort();
    if (WANTED(4)) sums[4] += copies();
    if (WANTED(5)) sums[5] += divisions();
  }
}
