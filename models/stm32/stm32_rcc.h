#pragma once
// STM32MP1 reset and clock controller: what starts, holds and resets the Cortex-M4, and its clock. Facts:
// reference/stm32mp1.md §4.1, §5, §6, §9; register names and offsets from STM32CubeMP1's CMSIS header.
//
// After power-on the M4 is in HOLD_BOOT. Writing BOOT_MCU = 1 releases it, also if the very next write takes the bit
// back (Linux starts it so). Each later reset of the M4, by MCURST or by its watchdog, looks at BOOT_MCU: 0 parks it in
// HOLD_BOOT again, 1 restarts it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Property: rpsim,core. Parameters: <label>.mcu_reset_time, <label>.mcu_boot_latency, <label>.clock_switch_time,
/// <label>.pll3_p, <label>.boot_mcu_survives_host_reset.
/// output("local-reset", 0): high while the M4 is held. input("wwdg-reset", 0): a rising edge resets the M4.
/// Events: reset.assert, reset.deassert {core, kind}; soc.reset_request {by}.
class stm32_rcc final : public model, public host_reset_listener, private target_port::handler {
 public:
  // Registers. Every other offset reads as zero and ignores writes.
  static constexpr std::uint32_t MSSCKSELR = 0x048;     // [1:0] source of the M4's clock, [31] ready
  static constexpr std::uint32_t MP_BOOTCR = 0x100;     // [0] MCU_BEN, [1] MPU_BEN: who boots after Standby; stored
  static constexpr std::uint32_t MP_GCR = 0x10C;        // [0] BOOT_MCU
  static constexpr std::uint32_t MP_GRSTCSETR = 0x404;  // [1] MCURST, reads 1 until it is done; [0] MPSYSRST
  static constexpr std::uint32_t MCUDIVR = 0x830;       // [3:0] divide by 2^n, 512 at most; [31] ready
  static constexpr std::uint32_t APB1DIVR = 0x834;      // [2:0] divide by 2^n, 16 at most; [31] ready; then APB2, APB3
  static constexpr std::uint32_t RCK3SELR = 0x820;      // [1:0] PLL3's reference: 1 HSE; [31] ready
  static constexpr std::uint32_t PLL3CR = 0x880;        // [0] on, [1] ready, [6:4] outputs P, Q, R
  static constexpr std::uint32_t PLL3CFGR1 = 0x884;     // [8:0] N - 1, [21:16] M - 1
  static constexpr std::uint32_t PLL3CFGR2 = 0x888;     // [6:0] P - 1, [14:8] Q - 1, [22:16] R - 1
  static constexpr std::uint32_t PLL3FRACR = 0x88C;     // [15:3] fraction of N, in 1/8192; [16] taken over
  static constexpr std::uint32_t MC_RSTSCLRR = 0xC00;   // why the M4 was reset; write 1: clear
  // Pairs: write 1 sets at the offset, write 1 clears 4 further, both read what is set. Nothing hangs on them here.
  static constexpr std::uint32_t APB4RSTSETR = 0x180;     // APB4, APB5, AHB5, AHB6, TZAHB6
  static constexpr std::uint32_t MP_APB4ENSETR = 0x200;   // APB4, APB5, AHB5, AHB6
  static constexpr std::uint32_t MC_APB4ENSETR = 0x280;   // likewise
  static constexpr std::uint32_t APB1RSTSETR = 0x980;     // APB1, APB2, APB3, AHB2, AHB3, AHB4
  static constexpr std::uint32_t MP_APB1ENSETR = 0xA00;   // likewise
  static constexpr std::uint32_t MP_MLAHBENSETR = 0xA38;  // MLAHB
  static constexpr std::uint32_t MC_APB1ENSETR = 0xA80;   // APB1, APB2, APB3, AHB2, AHB3, AHB4, AXIM, MLAHB

  static constexpr std::uint32_t BOOT_MCU = 1U << 0;
  static constexpr std::uint32_t MPSYSRST = 1U << 0, MCURST = 1U << 1;
  static constexpr std::uint32_t READY = 1U << 31;
  static constexpr std::uint32_t PORRSTF = 1U << 0, MCURSTF = 1U << 5, WWDG1RSTF = 1U << 10;
  enum clock_source : std::uint32_t { HSI = 0, HSE = 1, CSI = 2, PLL3_P = 3 };

  stm32_rcc(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override;
  line_in* input(std::string_view what, unsigned index) override;

  /// Of the M4's clock, from MSSCKSELR and MCUDIVR.
  double mcu_frequency_hz() const;

  /// The M4 goes on as it is. Whether BOOT_MCU survives is UNCONFIRMED: a parameter says.
  void host_reset(host_reset_kind kind) override;

 private:
  struct clock_register {
    std::uint32_t offset, bits;
  };
  static constexpr std::array CLOCK_REGISTERS = {clock_register{MSSCKSELR, 3}, clock_register{MCUDIVR, 0xF},
                                                 clock_register{APB1DIVR, 7}, clock_register{APB1DIVR + 4, 7},
                                                 clock_register{APB1DIVR + 8, 7}};

  enum class mcu : std::uint8_t {
    held,       // HOLD_BOOT
    releasing,  // HOLD_BOOT, and about to leave it
    resetting,  // a reset is being carried out
    running,
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  void add_pairs(std::uint32_t offset, const std::string& name, unsigned count);
  void add_clock(unsigned index, const std::string& name, std::uint32_t initial);
  std::uint32_t read_clock(unsigned index) const;
  void write_gcr(std::uint32_t value);
  void write_grstcsetr(std::uint32_t value);
  void reset_mcu(std::uint32_t cause);
  void release();
  void step();
  void watchdog_reset();
  void set_line(bool held);
  void drive_line();

  std::string core_;
  param& mcu_reset_time_;
  param& mcu_boot_latency_;
  param& clock_switch_time_;
  param& pll3_p_;
  param& boot_mcu_survives_;
  register_bank bank_;
  mcu mcu_ = mcu::held;
  bool start_ = false;  // while not running: BOOT_MCU was 1 at the reset, or has been written 1 since
  bool line_ = true;    // the M4's reset
  std::array<sc_core::sc_time, CLOCK_REGISTERS.size()> clock_ready_at_;
  std::string_view by_ = "?";  // whose access is under way
  sc_core::sc_event step_, line_changes_;
  target_port port_;
  line_out local_reset_{"local_reset"};
  line_in wwdg_reset_{"wwdg_reset"};
};

}  // namespace rpsim
