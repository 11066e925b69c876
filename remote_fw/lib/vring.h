/* Device side of a split virtqueue in shared memory (virtio 1.1 §2.6, legacy layout). The other side is not trusted to
 * be alive: everything is read from memory when it is needed. */
#ifndef RPSIM_FW_VRING_H
#define RPSIM_FW_VRING_H

#include <stdbool.h>
#include <stdint.h>

struct vring {
  uint32_t num, desc, avail, used; /* addresses */
  uint32_t notifyid;
  uint16_t last_avail, used_index;
};

struct vring_buffer {
  uint32_t address, length;
  uint16_t head;
};

/* From the resource table's vring entry at this address. Takes over at the indices that are in memory. False for an
 * entry that describes no ring. */
bool vring_open(struct vring* v, uint32_t entry);
/* Whether the driver has begun again with this ring, behind our back. */
bool vring_restarted(const struct vring* v);
bool vring_available(const struct vring* v);
/* The next buffer that the driver has made available; false if there is none. */
bool vring_take(struct vring* v, struct vring_buffer* buffer);
/* Gives it back. @return whether the driver wants to be notified. */
bool vring_put(struct vring* v, const struct vring_buffer* buffer, uint32_t length);

#endif
