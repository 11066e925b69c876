/* The M4F's address translation (RAT, 0x44200000). */
#ifndef RPSIM_FW_RAT_H
#define RPSIM_FW_RAT_H
/* Programs the windows that TI's software programs (reference/stock-firmware.md): from here on the mailbox, the secure
 * proxy and DDR are where chip.h says. */
void rat_init(void);
#endif
