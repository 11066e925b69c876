/* What the host loads where the application itself runs natively only: the note that names it, the resource table, and
 * code that waits, at the entry, for a core that would execute it. The machine is an Arm whatever the core is: Linux
 * does not look. */
#include <stdint.h>

#include "remote_fw/hal/native/native_image.h"

__attribute__((section(".entry"), used)) static const uint32_t wait_for_ever[] = {
    0xE320F003u, /* wfi */
    0xEAFFFFFDu, /* b .-4 */
};

/* See native_image.h. */
__attribute__((section(".note.rpsim"), used)) static const struct {
  uint32_t name_bytes, id_bytes, type;
  char name[8];
  char id[(sizeof RPSIM_APPLICATION_ID + 3) / 4 * 4];
} note = {sizeof RPSIM_NOTE_NAME, sizeof RPSIM_APPLICATION_ID, RPSIM_NOTE_APPLICATION, RPSIM_NOTE_NAME,
          RPSIM_APPLICATION_ID};

#ifdef STAND_IN_DATA
/* Something in the core's other memory, too. */
__attribute__((section(".data.rpsim"), used)) static const char id_again[] = RPSIM_APPLICATION_ID;
#endif
