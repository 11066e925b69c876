#include "models/stm32/stm32_gpio.h"

#include <utility>

namespace rpsim {

namespace {
constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr unsigned PINS = 16;
constexpr std::uint32_t PIN_BITS = 0xFFFF;
}  // namespace

stm32_gpio::stm32_gpio(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node), bank_(context, label(), WINDOW_BYTES), port_("target", bank_) {
  bank_.add(MODER, "MODER", access::rw, 0xFFFFFFFF);
  for (const auto& [offset, stored] : {std::pair{OTYPER, "OTYPER"},
                                       {OSPEEDR, "OSPEEDR"},
                                       {PUPDR, "PUPDR"},
                                       {LCKR, "LCKR"},
                                       {AFRL, "AFRL"},
                                       {AFRH, "AFRH"}}) {
    bank_.add(offset, stored, access::rw);
  }
  bank_.add(IDR, "IDR", access::ro).on_read([this](unsigned) { return levels(); });
  bank_.add(ODR, "ODR", access::rw).on_write([this](unsigned, std::uint32_t v) { bank_.set(ODR, v & PIN_BITS); });
  bank_.add(BSRR, "BSRR", access::wo).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(ODR, (bank_.get(ODR) & ~(v >> PINS)) | (v & PIN_BITS));
  });
  bank_.add(BRR, "BRR", access::wo).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(ODR, bank_.get(ODR) & ~(v & PIN_BITS));
  });
  bank_.reads_as_zero(true);
  bank_.narrow_accesses(true);
}

std::uint32_t stm32_gpio::levels() const {
  std::uint32_t outputs = 0;
  for (unsigned pin = 0; pin < PINS; ++pin) {
    if (((bank_.get(MODER) >> (2 * pin)) & 3) == 1) outputs |= 1U << pin;
  }
  return bank_.get(ODR) & outputs;
}

}  // namespace rpsim
