/* The HAL of a real Armv7 core, as far as profiles M and R do alike; and the note. */
#include "chip.h"
#include "remote_fw/hal/hal.h"
#include "remote_fw/hal/native/native_image.h"

#define CYCLES_PER_US ((CHIP_CPU_HZ + 999999u) / 1000000u)
#define CYCLES_PER_TURN_AT_MOST 8u /* of a loop that counts down */

extern const uint32_t link_resource_table[];

/* Which application this is: see native_image.h. */
__attribute__((section(".note.rpsim"), used)) static const struct {
  uint32_t name_bytes, id_bytes, type;
  char name[8];
  char id[(sizeof RPSIM_APPLICATION_ID + 3) / 4 * 4];
} note = {sizeof RPSIM_NOTE_NAME, sizeof RPSIM_APPLICATION_ID, RPSIM_NOTE_APPLICATION, RPSIM_NOTE_NAME,
          RPSIM_APPLICATION_ID};

uint8_t hal_read8(uint32_t address) { return *(volatile uint8_t*)address; }
uint16_t hal_read16(uint32_t address) { return *(volatile uint16_t*)address; }
uint32_t hal_read32(uint32_t address) { return *(volatile uint32_t*)address; }
void hal_write8(uint32_t address, uint8_t value) { *(volatile uint8_t*)address = value; }
void hal_write16(uint32_t address, uint16_t value) { *(volatile uint16_t*)address = value; }
void hal_write32(uint32_t address, uint32_t value) { *(volatile uint32_t*)address = value; }
/* Word by word where everything is aligned: device memory takes nothing else, and it is four times faster. */
void hal_copy_from(void* to, uint32_t address, uint32_t length) {
  uint8_t* bytes = to;
  if (((uint32_t)to | address) % 4 == 0) {
    uint32_t* words = to;
    for (; length >= 4; length -= 4, address += 4) *words++ = hal_read32(address);
    bytes = (uint8_t*)words;
  }
  for (; length != 0; --length) *bytes++ = hal_read8(address++);
}
void hal_copy_to(uint32_t address, const void* from, uint32_t length) {
  const uint8_t* bytes = from;
  if (((uint32_t)from | address) % 4 == 0) {
    const uint32_t* words = from;
    for (; length >= 4; length -= 4, address += 4) hal_write32(address, *words++);
    bytes = (const uint8_t*)words;
  }
  for (; length != 0; --length) hal_write8(address++, *bytes++);
}
void hal_dmb(void) { __asm__ volatile("dmb" ::: "memory"); }

void hal_irq_mask_all(void) { __asm__ volatile("cpsid i" ::: "memory"); }
void hal_irq_unmask_all(void) { __asm__ volatile("cpsie i\n\tisb" ::: "memory"); }

void hal_wfi(void) { __asm__ volatile("dsb\n\twfi" ::: "memory"); }
/* Counts down for less than what is left, and looks again: a look costs more than a turn. */
void hal_delay_us(uint32_t us) {
  uint32_t start = hal_cycles();
  while (us != 0) {
    const uint32_t part = us < 1000u ? us : 1000u, cycles = part * CYCLES_PER_US;
    for (uint32_t gone; (gone = hal_cycles() - start) < cycles;) {
      for (uint32_t turns = (cycles - gone) / CYCLES_PER_TURN_AT_MOST; turns != 0; --turns) __asm__ volatile("");
    }
    us -= part;
    start += cycles;
  }
}
void hal_spin(void) {
  for (;;) __asm__ volatile("");
}

uint32_t hal_resource_table(void) { return (uint32_t)link_resource_table; }
