#include "remote_fw/lib/vring.h"

#include <stddef.h>

#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/resource_table.h"

#define AVAIL_FLAGS 0u
#define AVAIL_INDEX 2u
#define AVAIL_RING 4u
#define AVAIL_F_NO_INTERRUPT 1u
#define USED_INDEX 2u
#define USED_RING 4u

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};

bool vring_open(struct vring* v, uint32_t entry) {
  struct rsc_vring r;
  hal_copy_from(&r, entry, sizeof r);
  if (r.num == 0 || r.align == 0 || r.da == RSC_ADDR_ANY) return false;
  v->num = r.num;
  v->notifyid = r.notifyid;
  v->desc = r.da;
  v->avail = v->desc + r.num * (uint32_t)sizeof(struct descriptor);
  v->used = (v->avail + AVAIL_RING + 2 * r.num + 2 + r.align - 1) & ~(r.align - 1);
  v->used_index = hal_read16(v->used + USED_INDEX);
  v->last_avail = v->used_index;
  return true;
}

bool vring_restarted(const struct vring* v) { return hal_read16(v->used + USED_INDEX) != v->used_index; }

bool vring_available(const struct vring* v) { return hal_read16(v->avail + AVAIL_INDEX) != v->last_avail; }

bool vring_take(struct vring* v, struct vring_buffer* buffer) {
  if (!vring_available(v)) return false;
  hal_dmb(); /* the ring entry and its descriptor were written before the index */
  buffer->head = hal_read16(v->avail + AVAIL_RING + 2 * (v->last_avail % v->num));
  struct descriptor d;
  hal_copy_from(&d, v->desc + buffer->head % v->num * (uint32_t)sizeof d, sizeof d);
  buffer->address = (uint32_t)d.address;
  buffer->length = d.length;
  ++v->last_avail;
  return true;
}

bool vring_put(struct vring* v, const struct vring_buffer* buffer, uint32_t length) {
  const uint32_t element[2] = {buffer->head, length};
  hal_copy_to(v->used + USED_RING + 8 * (v->used_index % v->num), element, sizeof element);
  hal_dmb();
  ++v->used_index;
  hal_write16(v->used + USED_INDEX, v->used_index);
  hal_dmb();
  return (hal_read16(v->avail + AVAIL_FLAGS) & AVAIL_F_NO_INTERRUPT) == 0;
}
