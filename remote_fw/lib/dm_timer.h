/* MCU_TIMER0, a K3 DM timer, as a one-shot interrupt source. */
#ifndef RPSIM_FW_DM_TIMER_H
#define RPSIM_FW_DM_TIMER_H

#include <stdint.h>

#include "remote_fw/hal/hal.h"

/* One interrupt after `us` (at most 171 s); the handler calls dm_timer_stop(). Enables the interrupt at the core. */
void dm_timer_start(uint32_t us, hal_handler handler);
void dm_timer_stop(void);

#endif
