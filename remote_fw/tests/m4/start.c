/* Start-up of the Cortex-M4 test programs: vectors (in memory, so that a test may replace one), .bss, the UART, main().
 */
#include "board.h"

extern uint32_t link_bss_start[], link_bss_end[], link_stack_top[];
int main(void);

void on_reset(void);
void on_reset(void) {
  for (volatile uint32_t* p = link_bss_start; p < link_bss_end; ++p) *p = 0;
  UART_BAUDDIV = 16;
  UART_CTRL = 1;
  main();
  done();
}

static void unexpected(void) {
  LINE("unexpected exception", READ_SPECIAL(ipsr), CFSR, HFSR);
  done();
}

__attribute__((section(".vectors"), used)) void (*volatile vectors[16 + 16])(void) = {
    (void (*)(void))link_stack_top,
    on_reset,
    [2 ... 31] = unexpected,
};
