#include "models/ipcc/stm32_ipcc.h"

#include <fmt/format.h>

#include <bit>
#include <stdexcept>

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x400;
constexpr unsigned TX_SHIFT = 16;
constexpr std::array PROCESSOR_NAMES = {"c1", "c2"};
// What Linux's stm32_rproc and the firmware use a channel for (reference/stm32mp1.md §3).
constexpr std::array CHANNEL_NAMES = {"vq0", "vq1", "shutdown", "detach", "channel5", "channel6"};

}  // namespace

stm32_ipcc::stm32_ipcc(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      channels_(static_cast<unsigned>(
          context.params
              .number({label() + ".channels", provenance::code,
                       "reference/stm32mp1.md §2.1 (ST's HAL and wiki; an SVD file says 2)",
                       "channels per direction; fixed when the platform is built", "", 1, MAX_CHANNELS},
                      MAX_CHANNELS)
              .count())),
      channel_bits_((1U << channels_) - 1),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this),
      irq_("irq", 2 * PROCESSORS) {
  bank_.add(CR, "CR", access::rw).count(PROCESSORS, PROCESSOR_STRIDE).on_write([this](unsigned p, std::uint32_t v) {
    bank_.set(CR, v & (RXOIE | TXFIE), p);
    this->context().notifier.next_delta(lines_change_);
  });
  bank_.add(MR, "MR", access::rw, ~0U)
      .count(PROCESSORS, PROCESSOR_STRIDE)
      .on_write([this](unsigned p, std::uint32_t v) {
        bank_.set(MR, v, p);
        this->context().notifier.next_delta(lines_change_);
      });
  bank_.add(SCR, "SCR", access::wo).count(PROCESSORS, PROCESSOR_STRIDE).on_write([this](unsigned p, std::uint32_t v) {
    write_scr(p, v);
  });
  bank_.add(TOSR, "TOSR", access::ro).count(PROCESSORS, PROCESSOR_STRIDE).on_read([this](unsigned p) {
    return flags_[p];
  });
  bank_.add(HWCFGR, "HWCFGR", access::ro, channels_);
  bank_.add(VER, "VER", access::ro, 0x10);
  bank_.add(ID, "ID", access::ro, 0x00100071);
  bank_.add(SID, "SID", access::ro, 0xA3C5DD01);

  SC_HAS_PROCESS(stm32_ipcc);
  SC_METHOD(update_lines);
  sensitive << lines_change_;
  SC_METHOD(set_late_flags);
  sensitive << flag_arrives_;
  dont_initialize();
}

line_out* stm32_ipcc::output(std::string_view what, unsigned index) {
  return what == "irq" && index < irq_.size() ? &irq_[index] : nullptr;
}

void stm32_ipcc::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  by_ = initiator_name(payload);
  bank_.transport(payload, delay);
}

unsigned stm32_ipcc::transport_debug(tlm::tlm_generic_payload& payload) {
  for (unsigned p = 0; p < PROCESSORS; ++p) bank_.set(TOSR, flags_[p], p);
  return bank_.transport_debug(payload);
}

void stm32_ipcc::write_scr(unsigned processor, std::uint32_t value) {
  const unsigned peer = 1 - processor;
  for (std::uint32_t bits = value & channel_bits_; bits != 0; bits &= bits - 1) {
    clear(peer, static_cast<unsigned>(std::countr_zero(bits)));
  }
  for (std::uint32_t bits = value >> TX_SHIFT & channel_bits_; bits != 0; bits &= bits - 1) {
    send(processor, static_cast<unsigned>(std::countr_zero(bits)));
  }
}

void stm32_ipcc::send(unsigned sender, unsigned channel) {
  fault_action fault;
  if (context().faults->armed()) [[unlikely]] {
    fault = context().faults->decide(
        "ipcc.flag", label(),
        {{"channel", channel + 1}, {"msg", CHANNEL_NAMES[channel]}, {"from", PROCESSOR_NAMES[sender]}});
  }
  if (fault.what == fault_action::kind::drop) return;
  if (fault.what == fault_action::kind::delay) {
    late_flags_.push_back({sc_core::sc_time_stamp() + fault.by, sender, channel, std::string(by_)});
    context().notifier.after(flag_arrives_, fault.by);
    return;
  }
  set(sender, channel, by_);
}

void stm32_ipcc::set(unsigned sender, unsigned channel, std::string_view by) {
  const std::uint32_t flag = 1U << channel;
  if ((flags_[sender] & flag) != 0) return;  // still occupied: the two doorbells are one
  flags_[sender] |= flag;
  emit("ipcc.set",
       {{"channel", channel + 1}, {"name", CHANNEL_NAMES[channel]}, {"from", PROCESSOR_NAMES[sender]}, {"by", by}});
  context().notifier.next_delta(lines_change_);
}

void stm32_ipcc::clear(unsigned sender, unsigned channel) {
  const std::uint32_t flag = 1U << channel;
  if ((flags_[sender] & flag) == 0) return;
  flags_[sender] &= ~flag;
  emit("ipcc.cleared",
       {{"channel", channel + 1}, {"name", CHANNEL_NAMES[channel]}, {"from", PROCESSOR_NAMES[sender]}, {"by", by_}});
  context().notifier.next_delta(lines_change_);
}

void stm32_ipcc::set_late_flags() {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  for (const late_flag& f : late_flags_) {
    if (f.arrival <= now) set(f.sender, f.channel, f.by);
  }
  std::erase_if(late_flags_, [&](const late_flag& f) { return f.arrival <= now; });
  for (const late_flag& f : late_flags_) context().notifier.after(flag_arrives_, f.arrival - now);
}

void stm32_ipcc::update_lines() {
  for (unsigned p = 0; p < PROCESSORS; ++p) {
    const std::uint32_t enable = bank_.get(CR, p), unmasked = ~bank_.get(MR, p);
    const bool level[] = {(enable & RXOIE) != 0 && (unmasked & flags_[1 - p]) != 0,
                          (enable & TXFIE) != 0 && (unmasked >> TX_SHIFT & ~flags_[p] & channel_bits_) != 0};
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned line = 2 * p + i;
      if (irq_[line].read() == level[i]) continue;
      irq_[line].write(level[i]);
      events().emit(trace_level::detail, label(), level[i] ? "irq.raised" : "irq.lowered", {{"line", line}});
    }
  }
}

void stm32_ipcc::reset_processor(unsigned processor) {
  bank_.set(CR, 0, processor);
  bank_.set(MR, ~0U, processor);
  context().notifier.next_delta(lines_change_);
}

void stm32_ipcc::host_reset(host_reset_kind kind) {
  reset_processor(0);
  if (kind != host_reset_kind::power_loss) return;
  reset_processor(1);
  flags_.fill(0);
  late_flags_.clear();
}

}  // namespace rpsim
