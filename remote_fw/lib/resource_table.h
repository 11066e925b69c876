/* The resource table as remoteproc lays it out (Linux include/linux/remoteproc.h describes the format). */
#ifndef RPSIM_FW_RESOURCE_TABLE_H
#define RPSIM_FW_RESOURCE_TABLE_H

#include <stdint.h>

enum rsc_type { RSC_CARVEOUT = 0, RSC_DEVMEM = 1, RSC_TRACE = 2, RSC_VDEV = 3, RSC_VENDOR_K3 = 128 };

#define RSC_ADDR_ANY 0xFFFFFFFFu
#define VIRTIO_ID_RPMSG 7u
#define VIRTIO_RPMSG_F_NS (1u << 0)

struct rsc_header {
  uint32_t version, entries, reserved[2];
};

struct rsc_vring {
  uint32_t da, align, num, notifyid, pa;
};

struct rsc_vdev {
  uint32_t type, id, notifyid, dfeatures, gfeatures, config_len;
  uint8_t status, vrings, reserved[2];
};

struct rsc_trace {
  uint32_t type, da, len, reserved;
  char name[32];
};

/* Ours: what the firmware can do, for a driver that asks first. Modelled on the vendor entry of NXP's i.MX DSP; TI has
 * published none (reference/k3.md §5). */
#define RSC_K3_MAGIC "rpsm"
#define RSC_K3_ANSWERS_SHUTDOWN (1u << 0)
struct rsc_vendor_k3 {
  uint32_t type;
  uint32_t length; /* of what follows the type: 16 */
  char magic[4];
  uint32_t version; /* 0 */
  uint32_t features;
};

/* Address of the first entry of that type in the loaded table, 0 if there is none. */
uint32_t resource_find(uint32_t type);

#endif
