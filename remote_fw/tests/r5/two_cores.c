/* On two cores at once: both count in one word, with LDREX and STREX; the second begins when the first signals an
 * event. */
#include "print.h"

#define SHARED 0x00040000u /* behind the program: counter, finished */
#define ROUNDS 2000u

void on_exception(uint32_t kind, uint32_t frame[2]);
void on_exception(uint32_t kind, uint32_t frame[2]) {
  (void)kind;
  (void)frame;
  for (;;) {
  }
}
int on_supervisor_call(int a, int b, uint32_t spsr, uint32_t pc);
int on_supervisor_call(int a, int b, uint32_t spsr, uint32_t pc) {
  (void)spsr;
  (void)pc;
  return serve_semihosting(a, b);
}

static void add(volatile uint32_t* word, uint32_t n) {
  uint32_t v, failed;
  do {
    __asm__ volatile("ldrex %0, [%2]\n\tadd %0, %0, %3\n\tstrex %1, %0, [%2]"
                     : "=&r"(v), "=&r"(failed)
                     : "r"(word), "r"(n)
                     : "memory");
  } while (failed);
}

int main(void);
int main(void) {
  volatile uint32_t* const shared = (volatile uint32_t*)SHARED;
  const uint32_t me = READ_CP15(0, 0, 0, 5) & 3;
  if (me == 0) {
    __asm__ volatile("sev\n\twfe" : : : "memory"); /* its own event register is set, too */
  } else {
    __asm__ volatile("wfe" : : : "memory");
  }
  for (uint32_t i = 0; i < ROUNDS; ++i) add(&shared[0], 1);
  add(&shared[1], 1);
  while (shared[1] != 2) __asm__ volatile("nop");
  if (me == 0) LINE("counted by both", shared[0]);
  if (me == 0) done();
  return 0;
}
