#include "models/uart/stm32_usart.h"

#include <algorithm>
#include <array>

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr unsigned BITS_PER_CHARACTER = 10;  // start, eight, stop: whatever CR1 and CR2 say
constexpr std::array<unsigned, 12> PRESCALERS = {1, 2, 4, 6, 8, 10, 12, 16, 32, 64, 128, 256};

}  // namespace

stm32_usart::stm32_usart(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      clock_(context.params.frequency_hz(
          {label() + ".clock", provenance::assumed, "the device tree's clock-frequency", "kernel clock of the USART"},
          node.required_u32("clock-frequency"))),
      bank_(context, label(), WINDOW_BYTES),
      console_("console", context, label()),
      port_("target", *this) {
  bank_.add(CR1, "CR1", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(CR1, v);
    start_character();
    changed();
  });
  for (const auto& [offset, name] : {std::pair{CR2, "CR2"}, {CR3, "CR3"}, {GTPR, "GTPR"}, {RTOR, "RTOR"}}) {
    bank_.add(offset, name, access::rw);
  }
  bank_.add(BRR, "BRR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(BRR, v & 0xFFFF);
    start_character();
  });
  bank_.add(RQR, "RQR", access::wo);
  bank_.add(ISR, "ISR", access::ro, TXE | TC).on_read([this](unsigned) { return status(); });
  bank_.add(ICR, "ICR", access::wo).on_write([this](unsigned, std::uint32_t v) {
    if ((v & TC) != 0) complete_ = false;
    changed();
  });
  bank_.add(RDR, "RDR", access::ro);
  bank_.add(TDR, "TDR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    next_ = static_cast<char>(v);  // over one that has not begun
    waiting_ = true;
    complete_ = false;
    start_character();
    changed();
  });
  bank_.add(PRESC, "PRESC", access::rw);
  bank_.reads_as_zero(true);
  bank_.narrow_accesses(true);

  SC_HAS_PROCESS(stm32_usart);
  SC_METHOD(character_sent);
  sensitive << sent_;
  dont_initialize();
  SC_METHOD(update_line);
  sensitive << line_changed_;
  dont_initialize();
}

unsigned stm32_usart::transport_debug(tlm::tlm_generic_payload& payload) {
  bank_.set(ISR, status());
  return bank_.transport_debug(payload);
}

std::uint32_t stm32_usart::status() const {
  const std::uint32_t cr1 = bank_.get(CR1);
  std::uint32_t flags = waiting_ ? 0 : TXE;
  if (complete_) flags |= TC;
  if ((cr1 & UE) != 0) flags |= ((cr1 & TE) != 0 ? TEACK : 0) | ((cr1 & RE) != 0 ? REACK : 0);
  return flags;
}

/// Kernel clocks of one bit. With OVER8 the register's low nibble is shifted right by one and a bit is half as long.
std::uint32_t stm32_usart::baud_clocks() const {
  const std::uint32_t brr = bank_.get(BRR);
  const std::uint32_t prescaler = PRESCALERS[std::min<std::size_t>(bank_.get(PRESC) & 0xF, PRESCALERS.size() - 1)];
  if ((bank_.get(CR1) & OVER8) == 0) return brr * prescaler;
  return ((brr & 0xFFF0) | (brr & 7) << 1) * prescaler / 2;
}

void stm32_usart::start_character() {
  const bool enabled = (bank_.get(CR1) & (UE | TE)) == (UE | TE);
  if (!enabled || busy_ || !waiting_ || baud_clocks() == 0) return;
  busy_ = true;
  waiting_ = false;
  shifting_ = next_;
  context().notifier.after(sent_,
                           sc_core::sc_time(BITS_PER_CHARACTER * baud_clocks() / clock_.real(), sc_core::SC_SEC));
}

void stm32_usart::character_sent() {
  busy_ = false;
  console_.put(shifting_);
  if (!waiting_) complete_ = true;
  start_character();
  changed();
}

void stm32_usart::changed() { context().notifier.next_delta(line_changed_); }

void stm32_usart::update_line() {
  const std::uint32_t cr1 = bank_.get(CR1);
  const bool level = (cr1 & UE) != 0 && (status() & cr1 & (TXE | TC)) != 0;
  if (irq_.read() == level) return;
  irq_.write(level);
  events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", 0U}});
}

}  // namespace rpsim
