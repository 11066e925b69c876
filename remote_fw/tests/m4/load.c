#include "remote_fw/tests/load.h"

#include "board.h"

int main(void);
int main(void) {
  CPACR = 0xF << 20;
  BARRIER();
  uint32_t sums[6] = {0};
  load(sums);
  line("sums", sums, 6);
  return 0;
}
