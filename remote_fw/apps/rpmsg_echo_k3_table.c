/* The resource table of rpmsg_echo on K3. Only the Arm image carries it; the native one works with what was loaded. */
#include <stddef.h>

#include "chip.h"
#include "remote_fw/lib/resource_table.h"

#define ENTRIES (2 + ANSWERS_SHUTDOWN) /* the unflagged variant keeps silent about what it can do */

struct table {
  struct rsc_header header;
  uint32_t offsets[ENTRIES];
  struct {
    struct rsc_vdev vdev;
    struct rsc_vring vrings[2];
  } rpmsg;
  struct rsc_trace trace;
#if ANSWERS_SHUTDOWN
  struct rsc_vendor_k3 capabilities;
#endif
};

__attribute__((section(".resource_table"), used)) const struct table resource_table = {
    .header = {.version = 1, .entries = ENTRIES},
    .offsets =
        {
            offsetof(struct table, rpmsg),
            offsetof(struct table, trace),
#if ANSWERS_SHUTDOWN
            offsetof(struct table, capabilities),
#endif
        },
    .rpmsg =
        {
            .vdev = {.type = RSC_VDEV, .id = VIRTIO_ID_RPMSG, .dfeatures = VIRTIO_RPMSG_F_NS, .vrings = 2},
            .vrings =
                {
                    {.da = RSC_ADDR_ANY, .align = 4096, .num = 256, .notifyid = 0},
                    {.da = RSC_ADDR_ANY, .align = 4096, .num = 256, .notifyid = 1},
                },
        },
    .trace = {.type = RSC_TRACE, .da = CHIP_TRACE_BUFFER, .len = CHIP_TRACE_BYTES, .name = CHIP_TRACE_NAME},
#if ANSWERS_SHUTDOWN
    .capabilities =
        {
            .type = RSC_VENDOR_K3,
            .length = sizeof(struct rsc_vendor_k3) - sizeof(uint32_t),
            .magic = RSC_K3_MAGIC,
            .version = 0,
            .features = RSC_K3_ANSWERS_SHUTDOWN,
        },
#endif
};
