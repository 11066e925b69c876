#include "remote_fw/lib/ti_sci.h"

#include "chip.h"
#include "remote_fw/hal/hal.h"

#define STATUS(thread) (CHIP_SECURE_PROXY_RT + 0x1000u * (thread))
#define WORD(thread, n) (CHIP_SECURE_PROXY_DATA + 0x1000u * (thread) + 4u + 4u * (n))
#define STATUS_COUNT 0xFFu
#define MESSAGE_WORDS 15u /* the access to the last one sends or pops */

#define MSG_SET_DEVICE 0x0200u
#define MSG_GET_DEVICE 0x0201u
#define FLAG_ACK (1u << 1) /* request: answer when processed; response: it succeeded */
#define STATE_AUTO_OFF 0u
#define STATE_ON 2u

#define POLL_US 5u
#define TIMEOUT_US 1000000u

/* Header: type (16 bits), host (8), sequence (8); flags. */
static bool request(uint32_t message[MESSAGE_WORDS], uint32_t type) {
  static uint8_t sequence;
  const uint32_t header = type | CHIP_SCI_HOST << 16 | (uint32_t)++sequence << 24;
  uint32_t waited = 0;
  message[0] = header;
  message[1] = FLAG_ACK;
  while ((hal_read32(STATUS(CHIP_SCI_TX_THREAD)) & STATUS_COUNT) == 0) { /* no credit */
    if (waited >= TIMEOUT_US) return false;
    hal_delay_us(POLL_US);
    waited += POLL_US;
  }
  for (unsigned n = 0; n < MESSAGE_WORDS; ++n) hal_write32(WORD(CHIP_SCI_TX_THREAD, n), message[n]);
  for (; waited < TIMEOUT_US; waited += POLL_US) {
    if ((hal_read32(STATUS(CHIP_SCI_RX_THREAD)) & STATUS_COUNT) == 0) {
      hal_delay_us(POLL_US);
      continue;
    }
    for (unsigned n = 0; n < MESSAGE_WORDS; ++n) message[n] = hal_read32(WORD(CHIP_SCI_RX_THREAD, n));
    if (message[0] == header) return (message[1] & FLAG_ACK) != 0;
    /* An answer that an earlier request, or an earlier life, no longer waits for. */
  }
  return false;
}

bool ti_sci_set_device(uint32_t device, bool on) {
  uint32_t message[MESSAGE_WORDS] = {0};
  message[2] = device;
  message[4] = on ? STATE_ON : STATE_AUTO_OFF;
  return request(message, MSG_SET_DEVICE);
}

bool ti_sci_get_device(uint32_t device, bool* is_on) {
  uint32_t message[MESSAGE_WORDS] = {0};
  message[2] = device;
  if (!request(message, MSG_GET_DEVICE)) return false;
  if (is_on != 0) *is_on = (message[4] & 0xFFu) == STATE_ON; /* programmed_state */
  return true;
}
