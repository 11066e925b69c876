#pragma once
// STM32MP1 hardware semaphores: 32 locks that the Cortex-A7s and the M4 take from each other. Facts: STM32CubeMP1's
// CMSIS header and HAL (stm32mp1xx_hal_hsem.c); reference/stock-firmware.md. With zeros read here ST's examples end in
// their Error_Handler.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Property: rpsim,cores: the core with COREID 1, the one with 2. A bus master that is neither sees the locks and
/// changes nothing. output("irq", n): processor n + 1, high while a semaphore that it enabled has been freed. Events:
/// irq.raised, irq.lowered {line}.
class stm32_hsem final : public model, private target_port::handler {
 public:
  // Registers. Every other offset reads as zero and ignores writes.
  static constexpr std::uint32_t R = 0x000;    // + 4 n: write to take and to free, read back: [31] LOCK, COREID, PROCID
  static constexpr std::uint32_t RLR = 0x080;  // + 4 n: a read takes a free one with PROCID 0
  static constexpr std::uint32_t C1IER = 0x100;   // + 10h for processor 2: by semaphore: a free interrupts
  static constexpr std::uint32_t C1ICR = 0x104;   // + 10h: write 1: clear
  static constexpr std::uint32_t C1ISR = 0x108;   // + 10h: has been freed
  static constexpr std::uint32_t C1MISR = 0x10C;  // + 10h: has been freed, and is enabled
  static constexpr std::uint32_t CR = 0x140;      // write: with KEYR's key in [31:16], free all that COREID has
  static constexpr std::uint32_t KEYR = 0x144;    // [31:16] key
  static constexpr unsigned SEMAPHORES = 32, PROCESSORS = 2;
  static constexpr std::uint32_t LOCK = 1U << 31, COREID = 0xFF00, PROCID = 0xFF, KEY = 0xFFFF0000;
  static constexpr std::uint32_t core_id(unsigned id) { return id << 8; }

  stm32_hsem(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override {
    return what == "irq" && index < PROCESSORS ? lines_[index].get() : nullptr;
  }

 private:
  static constexpr std::uint32_t PROCESSOR_STRIDE = 0x10;

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override { return bank_.transport_debug(payload); }
  void write_lock(unsigned n, std::uint32_t value);
  std::uint32_t read_lock(unsigned n);
  void hold(unsigned n, std::uint32_t value);
  void free_all(std::uint32_t value);
  void changed() { context().notifier.next_delta(lines_change_); }
  void update_lines();

  std::vector<std::string> cores_;
  std::uint32_t master_ = 0;  // COREID field of whose access is under way; 0: no core of ours
  register_bank bank_;
  std::array<std::uint32_t, PROCESSORS> freed_{};
  sc_core::sc_event lines_change_;
  target_port port_;
  std::array<std::unique_ptr<line_out>, PROCESSORS> lines_;
};

}  // namespace rpsim
