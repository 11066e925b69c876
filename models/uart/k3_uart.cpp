#include "models/uart/k3_uart.h"

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x100;
constexpr unsigned BITS_PER_CHARACTER = 10;  // start, eight, stop: whatever LCR says
constexpr std::uint32_t MVR_VALUE = 0x47424C03;

}  // namespace

k3_uart::k3_uart(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      clock_(context.params.frequency_hz(
          {label() + ".clock", provenance::code, "the device tree's clock-frequency", "functional clock of the UART"},
          node.required_u32("clock-frequency"))),
      bank_(context, label(), WINDOW_BYTES),
      console_("console", context, label()),
      port_("target", *this) {
  bank_.add(RHR, "RHR/THR/DLL", access::rw)
      .on_read([this](unsigned) { return latch_access() ? divisor_ & 0xFF : 0; })
      .on_write([this](unsigned, std::uint32_t v) {
        if (latch_access()) {
          divisor_ = (divisor_ & ~0xFFU) | (v & 0xFF);
        } else {
          write_thr(v);
        }
      });
  bank_.add(IER, "IER/DLH", access::rw)
      .on_read([this](unsigned) { return latch_access() ? divisor_ >> 8 : ier_; })
      .on_write([this](unsigned, std::uint32_t v) {
        if (latch_access()) {
          divisor_ = (divisor_ & 0xFF) | (v & 0x3F) << 8;
          start_character();
          return;
        }
        // The interrupt comes when it is enabled over an empty FIFO, too.
        if ((v & ~ier_ & IER_THR) != 0 && fifo_.empty()) thr_empty_ = true;
        ier_ = v & 0xFF;
        changed();
      });
  bank_.add(IIR, "IIR/FCR/EFR", access::rw)
      .on_read([this](unsigned) { return lcr() == LCR_MODE_B ? efr_ : read_iir(); })
      .on_write([this](unsigned, std::uint32_t v) {
        if (lcr() == LCR_MODE_B) {
          efr_ = v & 0xFF;
        } else {
          write_fcr(v);
        }
      });
  bank_.add(LCR, "LCR", access::rw);
  bank_.add(MCR, "MCR", access::rw);
  bank_.add(LSR, "LSR", access::ro, LSR_THRE | LSR_TEMT).on_read([this](unsigned) {
    return (fifo_.empty() ? LSR_THRE : 0) | (fifo_.empty() && !busy_ ? LSR_TEMT : 0);
  });
  bank_.add(MSR, "MSR/TCR", access::rw).on_read([](unsigned) { return 0U; });
  bank_.add(SPR, "SPR/TLR", access::rw);
  bank_.add(MDR1, "MDR1", access::rw, MDR1_DISABLED).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(MDR1, v & 0xFF);
    start_character();
  });
  bank_.add(SCR, "SCR", access::rw);
  bank_.add(SSR, "SSR", access::rw).on_read([this](unsigned) { return fifo_.size() >= depth() ? 1U : 0U; });
  bank_.add(MVR, "MVR", access::ro, MVR_VALUE);
  bank_.add(SYSC, "SYSC", access::rw).on_write([this](unsigned, std::uint32_t v) {
    if ((v & SYSC_SOFTRESET) != 0) reset();
    bank_.set(SYSC, v & ~SYSC_SOFTRESET);
  });
  bank_.add(SYSS, "SYSS", access::ro, 1);  // a soft reset is over before it could be read
  bank_.add(TXFIFO_LVL, "TXFIFO_LVL", access::ro).on_read([this](unsigned) {
    return static_cast<std::uint32_t>(fifo_.size());
  });
  bank_.reads_as_zero(true);
  bank_.narrow_accesses(true);
  bank_.powered_by(&power_);

  SC_HAS_PROCESS(k3_uart);
  SC_METHOD(character_sent);
  sensitive << sent_;
  dont_initialize();
  SC_METHOD(update_line);
  sensitive << line_changed_;
  dont_initialize();
  SC_METHOD(power_changed);
  sensitive << power_;
}

std::uint32_t k3_uart::read_iir() {
  const std::uint32_t mode = (fcr_ & FCR_ENABLE) != 0 ? IIR_FIFO : 0;
  if (!thr_empty_ || (ier_ & IER_THR) == 0) return mode | IIR_NONE;
  thr_empty_ = false;
  changed();
  return mode | IIR_THR;
}

void k3_uart::write_fcr(std::uint32_t value) {
  fcr_ = value & 0xFF;
  if ((value & FCR_CLEAR_TX) != 0) fifo_.clear();
}

void k3_uart::write_thr(std::uint32_t value) {
  thr_empty_ = false;
  if (fifo_.size() < depth()) fifo_ += static_cast<char>(value);  // what does not fit is lost
  start_character();
  changed();
}

sc_core::sc_time k3_uart::character_time() {
  const std::uint32_t mode = bank_.get(MDR1) & 7;
  const double samples = mode == 3 ? 13 : 16;
  return sc_core::sc_time(BITS_PER_CHARACTER * samples * divisor_ / clock_.real(), sc_core::SC_SEC);
}

void k3_uart::start_character() {
  if (busy_ || fifo_.empty() || divisor_ == 0 || (bank_.get(MDR1) & 7) == MDR1_DISABLED) return;
  busy_ = true;
  shifting_ = fifo_.front();
  fifo_.erase(0, 1);
  if (fifo_.empty()) thr_empty_ = true;
  context().notifier.after(sent_, character_time());
  changed();
}

void k3_uart::character_sent() {
  busy_ = false;
  console_.put(shifting_);
  start_character();
}

void k3_uart::changed() { context().notifier.next_delta(line_changed_); }

void k3_uart::update_line() {
  const bool level = thr_empty_ && (ier_ & IER_THR) != 0;
  if (irq_.read() == level) return;
  irq_.write(level);
  events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", 0U}});
}

void k3_uart::reset() {
  divisor_ = ier_ = fcr_ = efr_ = 0;
  fifo_.clear();
  busy_ = thr_empty_ = false;
  sent_.cancel();
  bank_.reset();
  changed();
}

void k3_uart::power_changed() {
  if (in_module_reset(power_.read())) reset();
}

}  // namespace rpsim
