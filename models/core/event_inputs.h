#pragma once
// The interrupt inputs of a DSP (C66x, C71x) that runs natively. Not TI's controllers (the C66x's INTC and the C71x's
// CLEC), which nothing but the HAL of our own firmware would see: 64 level inputs, an enable for each, one interrupt
// line to the core. The lowest-numbered one that is high and enabled comes first.

#include <array>
#include <bit>
#include <functional>
#include <string>

#include "models/common/register_bank.h"
#include "models/core/lines.h"

namespace rpsim {

class event_inputs final : public sc_core::sc_module {
 public:
  static constexpr unsigned INPUTS = 64, NONE = INPUTS;
  static constexpr std::uint32_t BLOCK_SIZE = 0x100;
  // Registers.
  static constexpr std::uint32_t ENABLE_SET = 0x00;    // two words: inputs 0..31, 32..63; write 1: enable
  static constexpr std::uint32_t ENABLE_CLEAR = 0x08;  // write 1: disable
  static constexpr std::uint32_t LEVEL = 0x10;         // of the inputs
  static constexpr std::uint32_t PENDING = 0x20;       // number of the first one that is high and enabled, or NONE

  /// `base`: of its registers, in the core's own view. `changed` as in vim.
  event_inputs(sc_core::sc_module_name name, sim_context& context, const std::string& label, std::uint32_t base,
               std::function<void()> changed)
      : sc_module(name),
        base_(base),
        changed_(std::move(changed)),
        bank_(context, label, BLOCK_SIZE),
        lines_(*this, "irq", 0, INPUTS, [this](unsigned i, bool level) {
          (level ? level_[i / 32] |= 1U << (i % 32) : level_[i / 32] &= ~(1U << (i % 32)));
          changed_();
        }) {
    const auto enable = [this](unsigned i, std::uint32_t word) {
      enabled_[i] = word;
      changed_();
    };
    const auto enabled = [this](unsigned i) { return enabled_[i]; };
    bank_.add(ENABLE_SET, "ENABLE_SET", access::rw)
        .count(2)
        .on_read(enabled)
        .on_write([=, this](unsigned i, std::uint32_t v) { enable(i, enabled_[i] | v); });
    bank_.add(ENABLE_CLEAR, "ENABLE_CLEAR", access::rw)
        .count(2)
        .on_read(enabled)
        .on_write([=, this](unsigned i, std::uint32_t v) { enable(i, enabled_[i] & ~v); });
    bank_.add(LEVEL, "LEVEL", access::ro).count(2).on_read([this](unsigned i) { return level_[i]; });
    bank_.add(PENDING, "PENDING", access::ro).on_read([this](unsigned) { return pending(); });
  }

  line_in* input(unsigned i) { return lines_.at(i); }
  bool owns(std::uint64_t address) const { return address - base_ < BLOCK_SIZE; }
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const std::uint64_t address = payload.get_address();
    payload.set_address(address - base_);
    bank_.transport(payload, delay);
    payload.set_address(address);
  }
  void reset() { enabled_ = {}; }
  unsigned pending() const {
    for (unsigned i = 0; i < level_.size(); ++i) {
      const std::uint32_t word = level_[i] & enabled_[i];
      if (word != 0) return 32 * i + static_cast<unsigned>(std::countr_zero(word));
    }
    return NONE;
  }

 private:
  void end_of_elaboration() override { lines_.start(); }

  std::uint32_t base_;
  std::function<void()> changed_;
  register_bank bank_;
  line_inputs lines_;
  std::array<std::uint32_t, 2> level_{}, enabled_{};
};

}  // namespace rpsim
