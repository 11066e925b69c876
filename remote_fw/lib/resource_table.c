#include "remote_fw/lib/resource_table.h"

#include <stddef.h>

#include "remote_fw/hal/hal.h"

uint32_t resource_find(uint32_t type) {
  const uint32_t table = hal_resource_table();
  const uint32_t entries = hal_read32(table + offsetof(struct rsc_header, entries));
  for (uint32_t i = 0; i < entries; ++i) {
    const uint32_t entry = table + hal_read32(table + sizeof(struct rsc_header) + 4 * i);
    if (hal_read32(entry) == type) return entry;
  }
  return 0;
}
