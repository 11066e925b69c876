#include "host_sw/drivers/stm32_ipcc.h"

#include <fmt/format.h>

#include <list>

#include "host_sw/drivers/mailbox.h"
#include "host_sw/drivers/stm32_exti.h"

namespace rpsim::drivers {

using os::log_level;

namespace {

// Of processor p: + 10h p.
constexpr std::uint32_t XCR = 0x000, XMR = 0x004, XSCR = 0x008, XTOYSR = 0x00C;
constexpr std::uint32_t PROCESSOR_STRIDE = 0x10;
constexpr std::uint32_t HWCFGR = 0x3F0, VER = 0x3F4;
constexpr std::uint32_t RXOIE = 1u << 0, TXOIE = 1u << 16, RX_MASK = 0x0000FFFF, TX_MASK = 0xFFFF0000;
constexpr unsigned TX_SHIFT = 16, MAX_PROCESSORS = 2;

std::uint32_t rx(unsigned chan) { return 1u << chan; }
std::uint32_t tx(unsigned chan) { return 1u << (TX_SHIFT + chan); }

class stm32_ipcc final : public mbox_controller {
 public:
  stm32_ipcc(os::machine& machine, os::device& dev)
      : mbox_controller(machine, dev.name, txdone::by_irq), node_(dev.node), lock_(machine.os()) {}

  int probe() {
    const auto processor = node_.u32("st,proc-id");
    if (!processor) {
      os().printk(log_level::err, device(), "Missing st,proc-id");
      return -ENODEV;
    }
    if (*processor >= MAX_PROCESSORS) {
      os().printk(log_level::err, device(), fmt::format("Invalid proc_id ({})", *processor));
      return -EINVAL;
    }
    const auto windows = node_.reg();
    if (windows.empty()) return -EINVAL;
    base_ = windows[0].base;
    mine_ = base_ + *processor * PROCESSOR_STRIDE;
    peer_ = base_ + (MAX_PROCESSORS - 1 - *processor) * PROCESSOR_STRIDE;

    if (const int error = request_irq("rx", [this] { return receive(); }); error != 0) return error;
    if (const int error = request_irq("tx", [this] { return transmitted(); }); error != 0) {
      free_irqs();
      return error;
    }
    set(mine_ + XMR, RX_MASK | TX_MASK);
    set(mine_ + XCR, RXOIE | TXOIE);

    const std::uint32_t channels = os().readl(base_ + HWCFGR) & 0xFF;
    for (std::uint32_t i = 0; i < channels; ++i) channels_.emplace_back(*this);
    const std::uint32_t version = os().readl(base_ + VER);
    os().printk(log_level::info, device(),
                fmt::format("ipcc rev:{}.{} enabled, {} chans, proc {}", version >> 4 & 0xF, version & 0xF, channels,
                            *processor));
    suspend_token_ = machine().add_suspend_op(
        device(), [this] { return suspend(); }, [this] { resume(); });
    return 0;
  }
  void remove() {
    machine().remove_suspend_op(suspend_token_);
    for (mbox_chan& c : channels_) mbox_free_channel(c);
    free_irqs();
  }

  int startup(mbox_chan& chan) override {
    clear(mine_ + XMR, rx(index_of(chan)));
    return 0;
  }
  void shutdown(mbox_chan& chan) override { set(mine_ + XMR, rx(index_of(chan)) | tx(index_of(chan))); }
  int send_data(mbox_chan& chan, const mbox_message&) override {
    // On a channel that is still occupied, after a send that timed out, this changes nothing.
    set(mine_ + XSCR, tx(index_of(chan)));
    clear(mine_ + XMR, tx(index_of(chan)));
    return 0;
  }
  mbox_chan* xlate(const dt::phandle_args& specifier, int& error) override {
    const std::uint32_t index = specifier.args.at(0);
    error = index < channels_.size() ? 0 : -EINVAL;
    return error == 0 ? &*std::next(channels_.begin(), index) : nullptr;
  }

 private:
  int request_irq(const char* name, os::kernel::irq_handler thread_fn) {
    int error = 0;
    auto irq = device_irq::get(machine(), node_, name, error);
    if (!irq) return error;
    error = irq->request_threaded({}, std::move(thread_fn), os::IRQF_ONESHOT, device());
    if (error == 0) {
      irqs_.push_back(*irq);
    } else {
      os().printk(log_level::err, device(), fmt::format("failed to request irq {} ({})", irqs_.size(), error));
    }
    return error;
  }
  void free_irqs() {
    for (; !irqs_.empty(); irqs_.pop_back()) irqs_.back().free(device());
  }
  unsigned index_of(const mbox_chan& chan) const {
    unsigned index = 0;
    for (const mbox_chan& c : channels_) {
      if (&c == &chan) return index;
      ++index;
    }
    throw std::logic_error(device() + ": not a channel of this controller");
  }

  void set(std::uint64_t reg, std::uint32_t bits) {
    const os::spinlock_guard guard(lock_);
    os().writel(os().readl(reg) | bits, reg);
  }
  void clear(std::uint64_t reg, std::uint32_t bits) {
    const os::spinlock_guard guard(lock_);
    os().writel(os().readl(reg) & ~bits, reg);
  }

  os::irqreturn receive() {
    const std::uint32_t occupied = os().readl(peer_ + XTOYSR), masked = os().readl(mine_ + XMR);
    return for_each(occupied & ~masked & RX_MASK, [this](mbox_chan& chan, unsigned i) {
      chan.received_data({});
      set(mine_ + XSCR, rx(i));
    });
  }
  os::irqreturn transmitted() {
    const std::uint32_t occupied = os().readl(mine_ + XTOYSR), masked = os().readl(mine_ + XMR);
    return for_each(~occupied & ~masked >> TX_SHIFT & RX_MASK, [this](mbox_chan& chan, unsigned i) {
      set(mine_ + XMR, tx(i));
      chan.txdone(0);
    });
  }
  template <typename F>
  os::irqreturn for_each(std::uint32_t status, const F& f) {
    os::irqreturn result = os::irqreturn::none;
    unsigned i = 0;
    for (mbox_chan& chan : channels_) {
      if ((status >> i & 1) != 0) {
        f(chan, i);
        result = os::irqreturn::handled;
      }
      ++i;
    }
    return result;
  }

  int suspend() {
    saved_mr_ = os().readl(mine_ + XMR);
    saved_cr_ = os().readl(mine_ + XCR);
    return 0;
  }
  void resume() {
    os().writel(saved_mr_, mine_ + XMR);
    os().writel(saved_cr_, mine_ + XCR);
  }

  dt::node node_;
  os::spinlock lock_;  // registers
  std::uint64_t base_ = 0, mine_ = 0, peer_ = 0;
  std::vector<device_irq> irqs_;
  std::list<mbox_chan> channels_;
  std::uint32_t saved_mr_ = 0, saved_cr_ = 0;
  unsigned suspend_token_ = 0;
};

}  // namespace

os::platform_driver stm32_ipcc_driver(os::machine& machine) {
  return {
      .name = "stm32-ipcc",
      .compatible = {"st,stm32mp1-ipcc"},
      .probe =
          [&machine](os::device& dev) {
            auto ipcc = std::make_shared<stm32_ipcc>(machine, dev);
            const int error = ipcc->probe();
            if (error != 0) return error;
            machine.provide<mbox_controller>(dev.node, ipcc.get());
            dev.driver_data = std::move(ipcc);
            return 0;
          },
      .remove =
          [&machine](os::device& dev) {
            auto* ipcc = static_cast<stm32_ipcc*>(dev.driver_data.get());
            machine.withdraw<mbox_controller>(ipcc);
            ipcc->remove();
          },
  };
}

}  // namespace rpsim::drivers
