/* Time for cores that have no timer of their own: a DM timer that counts freely, and whose match interrupt ends a WFI.
 */
#ifndef RPSIM_DM_CLOCK_H
#define RPSIM_DM_CLOCK_H

void dm_clock_start(void);
/* None of its interrupts comes any more. */
void dm_clock_quiesce(void);

#endif
