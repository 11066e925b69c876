#include "models/stm32/stm32_exti.h"

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr unsigned TRIGGER_STRIDE = 0x20, MASK_STRIDE = 0x10;
// Lines 0 to 19, and of the third bank 65, 66 (SEV of either side), 68 (WWDG1 reset) and 73 (the M4's SYSRESETREQ).
constexpr std::array<std::uint32_t, stm32_exti::BANKS> CONFIGURABLE = {0x000FFFFF, 0, 0x216};

}  // namespace

stm32_exti::stm32_exti(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      bank_(context, label(), WINDOW_BYTES),
      inputs_(*this, "irq", 0, LINES, [this](unsigned line, bool level) { input_changed(line, level); }),
      port_("target", *this) {
  const auto triggers = [this](std::uint32_t offset, const char* name, access a) -> register_bank::reg& {
    return bank_.add(offset, name, a).count(BANKS, TRIGGER_STRIDE);
  };
  for (const auto& [offset, name] : {std::pair{RTSR, "RTSR"}, std::pair{FTSR, "FTSR"}}) {
    triggers(offset, name, access::rw).on_write([this, offset = offset](unsigned b, std::uint32_t v) {
      bank_.set(offset, v & CONFIGURABLE[b], b);
    });
  }
  triggers(SWIER, "SWIER", access::wo).on_write([this](unsigned b, std::uint32_t v) {
    bank_.set(RPR, bank_.get(RPR, b) | (v & CONFIGURABLE[b]), b);
    this->context().notifier.next_delta(lines_change_);
  });
  for (const auto& [offset, name] : {std::pair{RPR, "RPR"}, std::pair{FPR, "FPR"}}) {
    triggers(offset, name, access::rw).on_write([this, offset = offset](unsigned b, std::uint32_t v) {
      bank_.set(offset, bank_.get(offset, b) & ~v, b);
      this->context().notifier.next_delta(lines_change_);
    });
  }
  bank_.add(C1IMR, "C1IMR", access::rw).count(BANKS, MASK_STRIDE).on_write([this](unsigned b, std::uint32_t v) {
    bank_.set(C1IMR, v, b);
    this->context().notifier.next_delta(lines_change_);
  });
  bank_.add(C2IMR, "C2IMR", access::rw).count(BANKS, MASK_STRIDE);
  bank_.add(C2EMR, "C2EMR", access::rw).count(BANKS, MASK_STRIDE);
  for (unsigned b = 0; b < BANKS; ++b) bank_.add(TRG - 4 * b, "TRG", access::ro, CONFIGURABLE[b]);
  bank_.reads_as_zero(true);

  SC_HAS_PROCESS(stm32_exti);
  SC_METHOD(update_lines);
  sensitive << lines_change_;
  dont_initialize();
}

line_out* stm32_exti::output(std::string_view what, unsigned index) {
  if (what != "irq" || index >= LINES) return nullptr;
  auto& port = outputs_[index];
  if (port == nullptr) {
    const child_scope scope(*this);
    port = std::make_unique<line_out>(("out" + std::to_string(index)).c_str());
  }
  return port.get();
}

void stm32_exti::input_changed(unsigned line, bool level) {
  const unsigned b = line / 32;
  level_[b] = level ? level_[b] | bit(line) : level_[b] & ~bit(line);
  const std::uint32_t edge = bank_.get(level ? RTSR : FTSR, b) & bit(line);
  const std::uint32_t pending = level ? RPR : FPR;
  bank_.set(pending, bank_.get(pending, b) | edge, b);
  context().notifier.next_delta(lines_change_);
}

void stm32_exti::update_lines() {
  for (const auto& [line, port] : outputs_) {
    const unsigned b = line / 32;
    const bool configurable = (CONFIGURABLE[b] & bit(line)) != 0;
    const std::uint32_t now = configurable ? (bank_.get(RPR, b) | bank_.get(FPR, b)) & bank_.get(C1IMR, b) : level_[b];
    const bool level = (now & bit(line)) != 0;
    if (port->read() == level) continue;
    port->write(level);
    events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", line}});
  }
}

void stm32_exti::host_reset(host_reset_kind kind) {
  if (kind != host_reset_kind::power_loss) return;
  bank_.reset();
  context().notifier.next_delta(lines_change_);
}

}  // namespace rpsim
