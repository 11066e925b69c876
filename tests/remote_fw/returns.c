/* Ends. */
#include "remote_fw/hal/hal.h"

void app_main(void) {}
