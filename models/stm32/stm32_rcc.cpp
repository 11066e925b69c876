#include "models/stm32/stm32_rcc.h"

#include <algorithm>

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x1000;
constexpr double HSI_HZ = 64e6, HSE_HZ = 24e6, CSI_HZ = 4e6;  // HSE: the crystal of ST's boards
// What ST's first-stage boot loader programs: HSE / 2 * (34 + 0x1A04 / 8192) / 2 (reference/stm32mp1.md §6).
constexpr double PLL3_P_HZ = HSE_HZ / 2 * (34 + 0x1A04 / 8192.0) / 2;
constexpr std::uint32_t LARGEST_MCU_DIVIDER = 9;  // 2^9
constexpr std::uint32_t DIVIDE_BY_2 = 1;

}  // namespace

stm32_rcc::stm32_rcc(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      mcu_reset_time_(context.params.time(
          {label() + ".mcu_reset_time", provenance::assumed, "assumed: not in any document that was read",
           "how long MCURST or the window watchdog holds the M4 in reset"},
          {1, sc_core::SC_US})),
      mcu_boot_latency_(context.params.time(
          {label() + ".mcu_boot_latency", provenance::assumed, "assumed: not in any document that was read",
           "from BOOT_MCU or the end of a reset to the M4's release"},
          {1, sc_core::SC_US})),
      clock_switch_time_(context.params.time(
          {label() + ".clock_switch_time", provenance::assumed, "assumed: a few periods of the slowest source",
           "how long a clock selector or divider is not ready after a write"},
          {1, sc_core::SC_US})),
      pll3_p_(context.params.frequency_hz(
          {label() + ".pll3_p", provenance::code, "reference/stm32mp1.md §6 (what the first-stage loader sets)",
           "clock that MSSCKSELR = 3 selects for the M4"},
          PLL3_P_HZ)),
      boot_mcu_survives_(context.params.flag({label() + ".boot_mcu_survives_host_reset", provenance::assumed,
                                              "UNCONFIRMED: which resets reach MP_GCR is in no source that was read",
                                              "BOOT_MCU keeps its value when the host is reset while the M4 runs"},
                                             true)),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this) {
  const auto cores = node.phandles("rpsim,core");
  if (cores.size() != 1) node.fail("rpsim,core", "must name the core that MP_GCR and MCURST start and reset");
  core_ = cores[0].label();

  // Clocks: as the first-stage boot loader leaves them, which runs before anything modelled here.
  add_clock(0, "MSSCKSELR", PLL3_P);
  add_clock(1, "MCUDIVR", 0);
  add_clock(2, "APB1DIVR", DIVIDE_BY_2);
  add_clock(3, "APB2DIVR", DIVIDE_BY_2);
  add_clock(4, "APB3DIVR", DIVIDE_BY_2);
  // From these firmware computes the M4's clock (reference/stm32mp1.md §6). Nothing hangs on them here.
  bank_.add(RCK3SELR, "RCK3SELR", access::ro, READY | HSE);
  bank_.add(PLL3CR, "PLL3CR", access::ro, 0x73);
  bank_.add(PLL3CFGR1, "PLL3CFGR1", access::ro, (34 - 1) | (2 - 1) << 16);
  bank_.add(PLL3CFGR2, "PLL3CFGR2", access::ro, (2 - 1) | (17 - 1) << 8 | (37 - 1) << 16);
  bank_.add(PLL3FRACR, "PLL3FRACR", access::ro, 1U << 16 | 0x1A04 << 3);
  bank_.add(MP_BOOTCR, "MP_BOOTCR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(MP_BOOTCR, v & 3);
  });
  bank_.add(MP_GCR, "MP_GCR", access::rw).on_write([this](unsigned, std::uint32_t v) { write_gcr(v); });
  bank_.add(MP_GRSTCSETR, "MP_GRSTCSETR", access::rw).on_write([this](unsigned, std::uint32_t v) {
    write_grstcsetr(v);
  });
  bank_.add(MC_RSTSCLRR, "MC_RSTSCLRR", access::rw, PORRSTF).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(MC_RSTSCLRR, bank_.get(MC_RSTSCLRR) & ~v);
  });
  add_pairs(APB4RSTSETR, "APB4RST", 5);
  add_pairs(MP_APB4ENSETR, "MP_APB4EN", 4);
  add_pairs(MC_APB4ENSETR, "MC_APB4EN", 4);
  add_pairs(APB1RSTSETR, "APB1RST", 6);
  add_pairs(MP_APB1ENSETR, "MP_APB1EN", 6);
  add_pairs(MP_MLAHBENSETR, "MP_MLAHBEN", 1);
  add_pairs(MC_APB1ENSETR, "MC_APB1EN", 8);
  bank_.reads_as_zero(true);
  local_reset_.initialize(true);

  SC_HAS_PROCESS(stm32_rcc);
  SC_METHOD(step);
  sensitive << step_;
  dont_initialize();
  SC_METHOD(watchdog_reset);
  sensitive << wwdg_reset_.pos();
  dont_initialize();
  SC_METHOD(drive_line);
  sensitive << line_changes_;
  dont_initialize();
}

line_out* stm32_rcc::output(std::string_view what, unsigned index) {
  return what == "local-reset" && index == 0 ? &local_reset_ : nullptr;
}

line_in* stm32_rcc::input(std::string_view what, unsigned index) {
  return what == "wwdg-reset" && index == 0 ? &wwdg_reset_ : nullptr;
}

void stm32_rcc::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  by_ = initiator_name(payload);
  bank_.transport(payload, delay);
}

unsigned stm32_rcc::transport_debug(tlm::tlm_generic_payload& payload) {
  for (unsigned i = 0; i < CLOCK_REGISTERS.size(); ++i) bank_.set(CLOCK_REGISTERS[i].offset, read_clock(i));
  return bank_.transport_debug(payload);
}

void stm32_rcc::add_pairs(std::uint32_t offset, const std::string& name, unsigned count) {
  constexpr unsigned STRIDE = 8;
  const auto store = [this, offset](unsigned i, std::uint32_t v) {
    bank_.set(offset, v, i);
    bank_.set(offset + 4, v, i);
  };
  bank_.add(offset, name + "SETR", access::rw).count(count, STRIDE).on_write([=, this](unsigned i, std::uint32_t v) {
    store(i, bank_.get(offset, i) | v);
  });
  bank_.add(offset + 4, name + "CLRR", access::rw)
      .count(count, STRIDE)
      .on_write([=, this](unsigned i, std::uint32_t v) { store(i, bank_.get(offset, i) & ~v); });
}

void stm32_rcc::add_clock(unsigned index, const std::string& name, std::uint32_t initial) {
  const auto [offset, bits] = CLOCK_REGISTERS[index];
  bank_.add(offset, name, access::rw, initial)
      .on_read([this, index](unsigned) { return read_clock(index); })
      .on_write([this, index, offset = offset, bits = bits](unsigned, std::uint32_t v) {
        bank_.set(offset, v & bits);
        clock_ready_at_[index] = sc_core::sc_time_stamp() + clock_switch_time_.time();
      });
}

std::uint32_t stm32_rcc::read_clock(unsigned index) const {
  const auto [offset, bits] = CLOCK_REGISTERS[index];
  const bool ready = sc_core::sc_time_stamp() >= clock_ready_at_[index];
  return (bank_.get(offset) & bits) | (ready ? READY : 0);
}

double stm32_rcc::mcu_frequency_hz() const {
  const double sources[] = {HSI_HZ, HSE_HZ, CSI_HZ, pll3_p_.real()};
  const std::uint32_t divider = std::min(bank_.get(MCUDIVR) & 0xF, LARGEST_MCU_DIVIDER);
  return sources[bank_.get(MSSCKSELR) & 3] / (1U << divider);
}

void stm32_rcc::write_gcr(std::uint32_t value) {
  bank_.set(MP_GCR, value & BOOT_MCU);
  if ((value & BOOT_MCU) == 0) return;  // counts at the M4's next reset
  if (mcu_ == mcu::held) {
    release();
  } else if (mcu_ == mcu::resetting) {
    start_ = true;
  }
}

void stm32_rcc::write_grstcsetr(std::uint32_t value) {
  if ((value & MCURST) != 0) {
    bank_.set(MP_GRSTCSETR, MCURST);
    reset_mcu(MCURSTF);
  }
  if ((value & MPSYSRST) != 0) emit("soc.reset_request", {{"by", by_}});
}

void stm32_rcc::watchdog_reset() { reset_mcu(WWDG1RSTF); }

void stm32_rcc::reset_mcu(std::uint32_t cause) {
  bank_.set(MC_RSTSCLRR, bank_.get(MC_RSTSCLRR) | cause);
  start_ = (bank_.get(MP_GCR) & BOOT_MCU) != 0;
  mcu_ = mcu::resetting;
  set_line(true);
  step_.cancel();
  context().notifier.after(step_, mcu_reset_time_.time());
}

void stm32_rcc::release() {
  mcu_ = mcu::releasing;
  context().notifier.after(step_, mcu_boot_latency_.time());
}

void stm32_rcc::step() {
  if (mcu_ == mcu::releasing) {
    mcu_ = mcu::running;
    set_line(false);
  } else if (mcu_ == mcu::resetting) {
    bank_.set(MP_GRSTCSETR, 0);
    mcu_ = mcu::held;
    if (start_) release();
  }
}

void stm32_rcc::set_line(bool held) {
  if (line_ == held) return;
  line_ = held;
  emit(held ? "reset.assert" : "reset.deassert", {{"core", core_}, {"kind", "local"}});
  context().notifier.next_delta(line_changes_);
}

void stm32_rcc::drive_line() { local_reset_.write(line_); }

void stm32_rcc::host_reset(host_reset_kind kind) {
  if (kind == host_reset_kind::power_loss) {
    bank_.reset();
    clock_ready_at_.fill(sc_core::SC_ZERO_TIME);
    mcu_ = mcu::held;
    step_.cancel();
    set_line(true);
  } else if (!boot_mcu_survives_.flag()) {
    bank_.set(MP_GCR, 0);
  }
}

}  // namespace rpsim
