#pragma once
// Reset lines of the STM32MP1's RCC (compatible "st,stm32mp1-rcc"): id = 32 x register word + bit, set by writing the
// bit to that register, released by writing it to the next one. MCU_R, 8225, is MP_GRSTCSETR bit 1: the hardware clears
// it by itself, there is nothing to release. The block's clocks have no driver here: the first-stage boot loader has
// set them up. Facts: drivers/clk/stm32/reset-stm32.c of linux-source-6.12, reference/stm32mp1.md §4.1.

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

os::platform_driver stm32_rcc_driver(os::machine& machine);

}  // namespace rpsim::drivers
