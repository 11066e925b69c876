#include "remote_fw/lib/rpmsg.h"

#include <stddef.h>

#include "remote_fw/hal/hal.h"
#include "remote_fw/lib/kick.h"
#include "remote_fw/lib/resource_table.h"
#include "remote_fw/lib/vring.h"

#define TX 0u /* vring numbers */
#define RX 1u
#define NAME_SERVICE 53u
#define STATUS_DRIVER_OK 4u

struct header {
  uint32_t source, destination, reserved;
  uint16_t length, flags;
};

struct announcement {
  char name[RPMSG_NAME_BYTES];
  uint32_t address, flags; /* 0: created */
};

static struct vring rings[2];
static const struct rpmsg_endpoint* endpoints;
static unsigned endpoint_count, announced;

static uint32_t vdev(void) { return resource_find(RSC_VDEV); }

bool rpmsg_host_ready(void) {
  const uint32_t entry = vdev();
  return entry != 0 && (hal_read8(entry + offsetof(struct rsc_vdev, status)) & STATUS_DRIVER_OK) != 0;
}

bool rpmsg_open(const struct rpmsg_endpoint* list, unsigned count) {
  const uint32_t entry = vdev();
  const uint32_t features = hal_read32(entry + offsetof(struct rsc_vdev, dfeatures)) &
                            hal_read32(entry + offsetof(struct rsc_vdev, gfeatures));
  for (unsigned i = 0; i < 2; ++i) {
    const uint32_t ring = entry + (uint32_t)sizeof(struct rsc_vdev) + i * (uint32_t)sizeof(struct rsc_vring);
    if (!vring_open(&rings[i], ring)) return false;
  }
  endpoints = list;
  endpoint_count = count;
  announced = (features & VIRTIO_RPMSG_F_NS) != 0 ? 0 : count;
  rpmsg_poll();
  return true;
}

void rpmsg_close(void) {
  endpoints = 0;
  endpoint_count = announced = 0;
}

bool rpmsg_lost(void) { return !rpmsg_host_ready() || vring_restarted(&rings[TX]) || vring_restarted(&rings[RX]); }

bool rpmsg_send(uint32_t source, uint32_t destination, const void* data, uint16_t length) {
  struct vring_buffer buffer;
  if (length > RPMSG_PAYLOAD_BYTES || !vring_take(&rings[TX], &buffer)) return false;
  const struct header h = {source, destination, 0, length, 0};
  hal_copy_to(buffer.address, &h, sizeof h);
  hal_copy_to(buffer.address + sizeof h, data, length);
  if (vring_put(&rings[TX], &buffer, sizeof h + length)) kick_host(rings[TX].notifyid);
  return true;
}

static bool announce(const struct rpmsg_endpoint* e) {
  struct announcement a = {.address = e->address, .flags = 0};
  for (unsigned i = 0; i < RPMSG_NAME_BYTES - 1 && e->name[i] != 0; ++i) a.name[i] = e->name[i];
  return rpmsg_send(e->address, NAME_SERVICE, &a, sizeof a);
}

static void receive(void) {
  static uint8_t payload[RPMSG_PAYLOAD_BYTES];
  struct vring_buffer buffer;
  if (!vring_take(&rings[RX], &buffer)) return;
  struct header h = {0};
  if (buffer.length >= sizeof h) hal_copy_from(&h, buffer.address, sizeof h);
  const bool sound = buffer.length >= sizeof h && h.length <= buffer.length - sizeof h && h.length <= sizeof payload;
  if (sound) hal_copy_from(payload, buffer.address + sizeof h, h.length);
  if (vring_put(&rings[RX], &buffer, 0)) kick_host(rings[RX].notifyid);
  if (!sound) return;
  for (unsigned i = 0; i < endpoint_count; ++i) {
    if (endpoints[i].address == h.destination) endpoints[i].received(&endpoints[i], h.source, payload, h.length);
  }
}

void rpmsg_poll(void) {
  while (announced < endpoint_count && announce(&endpoints[announced])) ++announced;
  /* A message stays with the host until there is a buffer for its answer. */
  while (vring_available(&rings[RX]) && vring_available(&rings[TX])) receive();
}
