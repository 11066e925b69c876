#include "remote_fw/lib/control.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"

static uint32_t trace_used;

uint32_t control_param(enum control_param which) { return hal_read32(CHIP_CONTROL + SC_PARAM + 4u * which); }

void control_mark(enum sc_mark mark) { hal_write32(CHIP_CONTROL + SC_MARK, mark); }

/* What is in the buffer always ends with a NUL; when it is full it starts again. */
static void trace_append(const char* text, uint32_t length) {
  if (trace_used + length + 1 > CHIP_TRACE_BYTES) trace_used = 0;
  if (length + 1 > CHIP_TRACE_BYTES) return;
  hal_write8(CHIP_TRACE_BUFFER + trace_used + length, 0);
  hal_copy_to(CHIP_TRACE_BUFFER + trace_used, text, length);
  trace_used += length;
}

void control_log(const char* line) {
  char text[128];
  uint32_t length = 0;
  while (line[length] != 0 && length < sizeof text - 1) {
    text[length] = line[length];
    ++length;
  }
  text[length++] = '\n';
  trace_append(text, length);
  for (uint32_t i = 0; i < length; i += 4) {
    uint32_t word = 0;
    for (uint32_t b = 0; b < 4 && i + b < length; ++b) word |= (uint32_t)(uint8_t)text[i + b] << (8 * b);
    hal_write32(CHIP_CONTROL + SC_LOG, word);
  }
}
