/* Test images tell the test what they do by writing words that the tiny bus of tests/models/core_bench.h notes. */
#ifndef RPSIM_TEST_OUT_H
#define RPSIM_TEST_OUT_H

#include "remote_fw/hal/hal.h"

#define OUT(n) (0x40000000u + 4u * (n))

static inline void out(unsigned n, uint32_t value) { hal_write32(OUT(n), value); }

#endif
