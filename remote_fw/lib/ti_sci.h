/* Client of the device manager (TI-SCI) over this core's secure-proxy threads; polls, as there is no interrupt worth it
 * (reference/k3.md §3). */
#ifndef RPSIM_FW_TI_SCI_H
#define RPSIM_FW_TI_SCI_H

#include <stdbool.h>
#include <stdint.h>

/* Takes (on) or gives back this host's reference on a device. False on a NACK or if no answer came within a second. */
bool ti_sci_set_device(uint32_t device, bool on);
/* `is_on` (may be null): this host's own view of the device's programmed state. False as above. */
bool ti_sci_get_device(uint32_t device, bool* is_on);

#endif
