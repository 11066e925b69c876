#pragma once
// The vectored interrupt manager in front of each Cortex-R5F core on K3 (reference/k3.md §6.1; AM64x technical
// reference manual SPRUIM2, "Vectored Interrupt Manager"): 512 inputs, level or pulse, each mapped to nIRQ or nFIQ with
// one of 16 priorities and a vector. Reading a vector register, or the core's vector (VIC) handshake, makes the most
// urgent interrupt active: it masks those of equal and lower priority and is stacked on the one it interrupts; a write
// ends it. It decides; the core asks what its two interrupt lines show, so native and instruction-executing cores share
// it.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/common/register_bank.h"
#include "models/core/lines.h"

namespace rpsim {

class vim final : public sc_core::sc_module {
 public:
  static constexpr unsigned INPUTS = 512, NONE = INPUTS;
  static constexpr std::uint32_t BLOCK_SIZE = 0x3000;
  enum class kind : std::uint8_t { irq, fiq };

  /// `base`: of its registers, in the core's own view. `changed` is called when an answer of asserted() may have become
  /// another: from inside a register access or a line's change.
  vim(sc_core::sc_module_name name, sim_context& context, const std::string& label, std::uint32_t base,
      std::function<void()> changed);

  line_in* input(unsigned irq) { return lines_.at(irq); }
  bool owns(std::uint64_t address) const { return address - base_ < BLOCK_SIZE; }
  /// Addresses are the core's own; word accesses.
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  /// The cluster's reset: everything but the level of the inputs is forgotten.
  void reset();

  /// The level of nIRQ or nFIQ (true: asserted).
  bool asserted(kind k) const { return side(k).highest != NONE; }
  /// The interrupt that asserts the line; NONE if none does.
  unsigned pending(kind k) const { return side(k).highest; }
  /// The innermost active interrupt; NONE if none is.
  unsigned active(kind k) const { return side(k).stack.empty() ? NONE : side(k).stack.back().irq; }
  /// What reading IRQVEC or FIQVEC does, and the IRQACK handshake of the vector interface: the pending interrupt
  /// becomes active; its vector. 0, and nothing happens, if none is pending.
  std::uint32_t acknowledge(kind k);
  /// What writing IRQVEC or FIQVEC does: the innermost active interrupt ends.
  void end(kind k);

 private:
  static constexpr unsigned GROUPS = INPUTS / 32;
  using words = std::array<std::uint32_t, GROUPS>;
  struct entry {
    unsigned irq, priority;  // as it was when the interrupt became active
  };
  struct line_side {
    unsigned highest = NONE;
    std::vector<entry> stack;            // active interrupts, innermost last, each more urgent than the one before
    std::uint32_t enabled_priorities{};  // IRQPRIMSK, FIQPRIMSK
  };

  void end_of_elaboration() override { lines_.start(); }
  void define_side(kind k, const char* name);
  line_side& side(kind k) { return sides_[static_cast<unsigned>(k)]; }
  const line_side& side(kind k) const { return sides_[static_cast<unsigned>(k)]; }
  std::uint32_t pending_word(kind k, unsigned group) const;
  std::uint32_t group_status(kind k) const;
  unsigned priority(unsigned irq) const;
  std::uint32_t describe(unsigned irq) const;
  void clear(unsigned group, std::uint32_t bits);
  void level_changed(unsigned irq, bool level);
  unsigned find_highest(kind k) const;
  void update();

  std::uint32_t base_;
  std::function<void()> changed_;
  register_bank bank_;
  line_inputs lines_;
  words level_{}, raw_{}, enabled_{}, fiq_map_{}, pulse_{};
  std::array<line_side, 2> sides_;
};

}  // namespace rpsim
