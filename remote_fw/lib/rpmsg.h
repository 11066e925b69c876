/* rpmsg over the virtio device of the resource table, device side: vring 0 carries what we send, vring 1 what we
 * receive; kicks go out through lib/kick.h. */
#ifndef RPSIM_FW_RPMSG_H
#define RPSIM_FW_RPMSG_H

#include <stdbool.h>
#include <stdint.h>

#define RPMSG_BUFFER_BYTES 512u
#define RPMSG_HEADER_BYTES 16u
#define RPMSG_PAYLOAD_BYTES (RPMSG_BUFFER_BYTES - RPMSG_HEADER_BYTES)
#define RPMSG_NAME_BYTES 32u

struct rpmsg_endpoint {
  const char* name; /* announced to the name service */
  uint32_t address;
  void (*received)(const struct rpmsg_endpoint* self, uint32_t source, const void* data, uint16_t length);
};

/* Linux has set DRIVER_OK in the vdev's status byte. */
bool rpmsg_host_ready(void);
/* Opens the rings and announces every endpoint. Call once the host is ready; again after it went and came back. False
 * if the table describes no rings. */
bool rpmsg_open(const struct rpmsg_endpoint* endpoints, unsigned count);
/* Closes the endpoints: nothing is received any more. */
void rpmsg_close(void);
/* Whether the host is still the one that rpmsg_open() met. */
bool rpmsg_lost(void);
/* Announces what is left to announce, and hands over received messages while there is room for an answer to each. */
void rpmsg_poll(void);
/* False if the host has left no buffer, or the message is too long. */
bool rpmsg_send(uint32_t source, uint32_t destination, const void* data, uint16_t length);

#endif
