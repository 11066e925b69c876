/* Access to the scenario-control block, and the log: lines go there and to the trace buffer that the resource table
 * names. */
#ifndef RPSIM_FW_CONTROL_H
#define RPSIM_FW_CONTROL_H

#include <stdint.h>

#include "remote_fw/lib/scenario_control.h"

#define SC_PARAM_INDEX(name, unit, otherwise, text) CONTROL_##name,
enum control_param { SC_PARAMS(SC_PARAM_INDEX) };
#undef SC_PARAM_INDEX

uint32_t control_param(enum control_param which);
void control_mark(enum sc_mark mark);
/* One line, without the newline. */
void control_log(const char* line);

#endif
