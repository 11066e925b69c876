#pragma once
// A model in twenty lines: a register that raises an interrupt while its value is not zero.

#include "models/common/register_bank.h"

namespace rpsim {

class doorbell final : public model {
 public:
  doorbell(sc_core::sc_module_name name, sim_context& context, const dt::node& node) : model(name, context, node) {
    bank_.add(0x0, "RING", access::rw).on_write([this](unsigned, std::uint32_t value) {
      bank_.set(0x0, value);
      irq_.write(value != 0);
      emit("doorbell.rung", {{"value", value}});
    });
  }
  tlm::tlm_target_socket<32>* target(unsigned i) override { return i == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned i) override { return what == "irq" && i == 0 ? &irq_ : nullptr; }

 private:
  register_bank bank_{context(), label(), 0x10};
  target_port port_{"port", bank_};
  line_out irq_{"irq"};
};

}  // namespace rpsim
