#include "remote_fw/lib/rat.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"

#define RAT_CTRL(i) (CHIP_RAT + 0x20u + 0x10u * (i))
#define RAT_BASE(i) (CHIP_RAT + 0x24u + 0x10u * (i))
#define RAT_TRANS_L(i) (CHIP_RAT + 0x28u + 0x10u * (i))
#define RAT_TRANS_H(i) (CHIP_RAT + 0x2Cu + 0x10u * (i))
#define RAT_ENABLE (1u << 31)
#define LOG2_256_MIB 28u

void rat_init(void) {
  static const struct {
    uint32_t local, system;
  } windows[] = {
      {0x80000000u, 0x80000000u}, {0x90000000u, 0x90000000u}, {0xA0000000u, 0xA0000000u}, {0xB0000000u, 0x20000000u},
      {0xC0000000u, 0x30000000u}, {0xD0000000u, 0x40000000u}, {0x60000000u, 0x60000000u}, {0x70000000u, 0x70000000u},
  };
  for (unsigned i = 0; i < sizeof windows / sizeof windows[0]; ++i) {
    hal_write32(RAT_CTRL(i), 0);
    hal_write32(RAT_BASE(i), windows[i].local);
    hal_write32(RAT_TRANS_L(i), windows[i].system);
    hal_write32(RAT_TRANS_H(i), 0);
    hal_write32(RAT_CTRL(i), RAT_ENABLE | LOG2_256_MIB);
  }
  hal_dmb();
}
