#include "models/stm32/stm32_pwr.h"

namespace rpsim {

namespace {
constexpr std::uint32_t WINDOW_BYTES = 0x400;
}  // namespace

stm32_pwr::stm32_pwr(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node), bank_(context, label(), WINDOW_BYTES), port_("target", bank_) {
  bank_.add(MPUCR, "MPUCR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    write(MPUCR, v, PDDS | CSTBYDIS);
  });
  bank_.add(MCUCR, "MCUCR", access::rw).on_write([this](unsigned, std::uint32_t v) { write(MCUCR, v, PDDS); });
  bank_.reads_as_zero(true);
}

void stm32_pwr::write(std::uint32_t offset, std::uint32_t value, std::uint32_t stored) {
  const std::uint32_t flags = (value & CSSF) != 0 ? 0 : bank_.get(offset) & (STOPF | SBF);
  bank_.set(offset, (value & stored) | flags);
}

void stm32_pwr::host_reset(host_reset_kind kind) {
  if (kind == host_reset_kind::power_loss) bank_.reset();
  if (kind != host_reset_kind::standby) return;
  for (const std::uint32_t offset : {MPUCR, MCUCR}) bank_.set(offset, bank_.get(offset) | SBF);
}

}  // namespace rpsim
