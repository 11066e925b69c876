#pragma once
// A block of 32-bit registers. The model's constructor is the register table: one line a register.
//
//   bank_.add(0x010, "SYSCONFIG",  access::rw, 0x8);
//   bank_.add(0x080, "FIFOSTATUS", access::ro, 0).count(16).on_read([this](unsigned i) { return fifo_full(i); });

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/common/model.h"

namespace rpsim {

enum class access : std::uint8_t { ro, wo, rw };

/// Rules of a bank: accesses are 32 bits wide and aligned (TLM_BURST_ERROR_RESPONSE / TLM_BYTE_ENABLE_ERROR_RESPONSE
/// otherwise); a read of `wo` gives 0, a write to `ro` is ignored; an offset without a register is a bus error unless
/// the bank says otherwise (reads_as_zero; each such access is an unmodelled.access). When the block's module state is
/// not `enable` every access is a bus error.
class register_bank final : public target_port::handler {
 public:
  class reg {
   public:
    reg& count(unsigned n, unsigned stride = 4);  // an array of n registers
    reg& on_read(std::function<std::uint32_t(unsigned index)> f);
    /// Instead of storing the value. (A register with only on_read that is `rw` stores what is written.)
    reg& on_write(std::function<void(unsigned index, std::uint32_t value)> f);

   private:
    friend class register_bank;
    std::uint32_t offset_ = 0, reset_ = 0;
    std::string name_;
    access access_ = access::rw;
    unsigned count_ = 1, stride_ = 4;
    std::vector<std::uint32_t> values_;
    std::function<std::uint32_t(unsigned)> read_;
    std::function<void(unsigned, std::uint32_t)> write_;
    register_bank* bank_ = nullptr;
  };

  register_bank(sim_context& context, std::string label, std::uint32_t size_bytes);
  reg& add(std::uint32_t offset, std::string name, access a, std::uint32_t reset = 0);
  void reads_as_zero(bool yes) { reads_as_zero_ = yes; }
  /// Bytes and halfwords are taken, too: a read gives that part of the register, a write leaves zeros in the rest of
  /// the word (for registers that hold no more than what is accessed so).
  void narrow_accesses(bool yes) { narrow_ = yes; }
  /// The port that says whether the block answers; nullptr: always on.
  void powered_by(sc_core::sc_in<module_state>* port) { power_ = port; }
  /// Every stored value back to its reset value; callbacks are not called.
  void reset();

  std::uint32_t get(std::uint32_t offset, unsigned index = 0) const;
  void set(std::uint32_t offset, std::uint32_t value, unsigned index = 0);

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;

 private:
  struct slot {
    reg* owner = nullptr;
    unsigned index = 0;
  };
  void place(reg& r, unsigned index);
  const slot& at(std::uint32_t offset, unsigned index) const;

  sim_context& context_;
  std::string label_;
  std::uint32_t size_;
  bool reads_as_zero_ = false, narrow_ = false;
  sc_core::sc_in<module_state>* power_ = nullptr;
  std::vector<std::unique_ptr<reg>> regs_;
  std::vector<slot> slots_;  // by offset / 4
};

}  // namespace rpsim
