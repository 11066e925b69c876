/* The resource table of rpmsg_echo on the STM32MP157's M4, as ST's and Zephyr's firmware have it (reference/stm32mp1.md
 * §7.1, §7.3). Only the Arm image carries it; the native one works with what was loaded. */
#include <stddef.h>

#include "chip.h"
#include "remote_fw/lib/resource_table.h"

struct table {
  struct rsc_header header;
  uint32_t offsets[2];
  struct {
    struct rsc_vdev vdev;
    struct rsc_vring vrings[2];
  } rpmsg;
  struct rsc_trace trace;
};

__attribute__((section(".resource_table"), used)) const struct table resource_table = {
    .header = {.version = 1, .entries = 2},
    .offsets = {offsetof(struct table, rpmsg), offsetof(struct table, trace)},
    .rpmsg =
        {
            .vdev = {.type = RSC_VDEV, .id = VIRTIO_ID_RPMSG, .dfeatures = VIRTIO_RPMSG_F_NS, .vrings = 2},
            .vrings =
                {
                    {.da = VRING0, .align = 16, .num = 16, .notifyid = 0},
                    {.da = VRING1, .align = 16, .num = 16, .notifyid = 1},
                },
        },
    .trace = {.type = RSC_TRACE, .da = CHIP_TRACE_BUFFER, .len = CHIP_TRACE_BYTES, .name = "cm4_log"},
};
