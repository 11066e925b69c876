#include "models/stm32/stm32_tamp.h"

namespace rpsim {

namespace {
constexpr std::uint32_t WINDOW_BYTES = 0x400;
}  // namespace

stm32_tamp::stm32_tamp(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node), bank_(context, label(), WINDOW_BYTES), port_("target", bank_) {
  bank_.add(BKP0R, "BKPR", access::rw).count(BACKUP_REGISTERS);
  bank_.reads_as_zero(true);
}

void stm32_tamp::host_reset(host_reset_kind kind) {
  if (kind == host_reset_kind::power_loss) bank_.reset();
}

}  // namespace rpsim
