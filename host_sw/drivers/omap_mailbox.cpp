#include "host_sw/drivers/omap_mailbox.h"

#include <fmt/format.h>

#include <list>

#include "host_sw/drivers/mailbox.h"

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr std::uint32_t REVISION = 0x000;
constexpr std::uint32_t MESSAGE = 0x040, FIFOSTATUS = 0x080, MSGSTATUS = 0x0C0;               // + 4 x queue
constexpr std::uint32_t IRQSTATUS_CLR = 0x104, IRQENABLE_SET = 0x108, IRQENABLE_CLR = 0x10C;  // + 0x10 x user
constexpr std::uint32_t USER_STRIDE = 0x10;

class omap_mailbox final : public mbox_controller {
 public:
  omap_mailbox(os::machine& machine, os::device& dev)
      : mbox_controller(machine, dev.name, txdone::by_irq), node_(dev.node), config_lock_(machine.os(), "cfg_lock") {}

  int probe() {
    const auto users = node_.u32("ti,mbox-num-users"), fifos = node_.u32("ti,mbox-num-fifos");
    const auto windows = node_.reg();
    if (!users || !fifos || windows.empty()) return -ENODEV;
    users_ = *users;
    fifos_ = *fifos;
    base_ = windows[0].base;
    for (const dt::node& child : node_.children()) {
      if (!child.enabled()) continue;
      if (const int error = add_channel(child); error != 0) return error;
    }
    if (links_.empty()) {
      os().printk(log_level::err, device(), "no available mbox devices found");
      return -ENODEV;
    }
    // No runtime power management here: the cluster is always on.
    os().printk(log_level::info, device(), fmt::format("omap mailbox rev 0x{:x}", read(REVISION)));
    suspend_token_ = machine().add_suspend_op(
        device(), [this] { return suspend(); }, [this] { resume(); });
    return 0;
  }
  void remove() {
    machine().remove_suspend_op(suspend_token_);
    for (link& l : links_) mbox_free_channel(l.chan);
  }

  int startup(mbox_chan& chan) override {
    link& l = link_of(chan);
    const os::mutex_guard guard(config_lock_);
    const int error = os().request_threaded_irq(
        l.irq, {}, [this, &l] { return interrupt(l); }, os::IRQF_SHARED | os::IRQF_ONESHOT, l.name);
    if (error != 0) {
      os().printk(log_level::err, "", fmt::format("failed to register mailbox interrupt:{}", error));
      return error;
    }
    enable(l.rx);
    return 0;
  }
  void shutdown(mbox_chan& chan) override {
    link& l = link_of(chan);
    const os::mutex_guard guard(config_lock_);
    disable(l.rx);
    os().free_irq(l.irq, l.name);
  }
  int send_data(mbox_chan& chan, const mbox_message& message) override {
    const link& l = link_of(chan);
    const bool full = read(FIFOSTATUS + 4 * l.tx.fifo) != 0;
    if (!full) write(message.word_at(0), MESSAGE + 4 * l.tx.fifo);
    enable(l.tx);
    return full ? -EBUSY : 0;
  }
  mbox_chan* xlate(const dt::phandle_args& specifier, int& error) override {
    const dt::node wanted = machine().tree().by_phandle(specifier.args.at(0));
    if (!wanted) {
      os().printk(log_level::err, "", "omap_mbox_of_xlate: could not find node phandle");
      error = -ENODEV;
      return nullptr;
    }
    for (link& l : links_) {
      if (l.name == wanted.base_name()) return &l.chan;
    }
    error = -ENOENT;
    return nullptr;
  }

 private:
  /// One end of a link: the queue, the user whose interrupt is used, and its bit.
  struct end {
    unsigned fifo = 0, user = 0;
    std::uint32_t bit = 0;
  };
  struct link {
    link(mbox_controller& c, std::string n) : name(std::move(n)), chan(c) {}
    std::string name;
    mbox_chan chan;
    end rx, tx;
    unsigned irq = 0;
  };

  int add_channel(const dt::node& child) {
    const auto rx = child.cells("ti,mbox-rx"), tx = child.cells("ti,mbox-tx");
    if (rx.size() < 3 || tx.size() < 3) return -EINVAL;
    if (rx[0] >= fifos_ || tx[0] >= fifos_ || rx[2] >= users_ || tx[2] >= users_) return -EINVAL;
    const auto irq = os::interrupt_of(node_, tx[1]);
    if (!irq) return -ENXIO;
    links_.emplace_back(*this, child.base_name());
    link& l = links_.back();
    l.rx = {rx[0], rx[2], 1u << (2 * rx[0])};      // NEWMSG
    l.tx = {tx[0], tx[2], 1u << (2 * tx[0] + 1)};  // NOTFULL
    l.irq = *irq;
    return 0;
  }
  link& link_of(mbox_chan& chan) {
    for (link& l : links_) {
      if (&l.chan == &chan) return l;
    }
    throw std::logic_error(device() + ": not a channel of this controller");
  }

  std::uint32_t read(std::uint32_t offset) { return os().readl(base_ + offset); }
  void write(std::uint32_t value, std::uint32_t offset) { os().writel(value, base_ + offset); }
  void enable(const end& e) {
    const std::uint32_t reg = IRQENABLE_SET + USER_STRIDE * e.user;
    write(read(reg) | e.bit, reg);
  }
  void disable(const end& e) { write(e.bit, IRQENABLE_CLR + USER_STRIDE * e.user); }
  void acknowledge(const end& e) {
    const std::uint32_t reg = IRQSTATUS_CLR + USER_STRIDE * e.user;
    write(e.bit, reg);
    read(reg);  // so that the posted write has arrived before the interrupt is unmasked
  }
  bool asserted(const end& e) {
    const std::uint32_t enabled = read(IRQENABLE_SET + USER_STRIDE * e.user);
    return (enabled & read(IRQSTATUS_CLR + USER_STRIDE * e.user) & e.bit) != 0;
  }

  os::irqreturn interrupt(link& l) {
    if (asserted(l.tx)) {
      disable(l.tx);
      acknowledge(l.tx);
      l.chan.txdone(0);
    }
    if (asserted(l.rx)) {
      while (read(MSGSTATUS + 4 * l.rx.fifo) != 0) {
        l.chan.received_data(mbox_message::word(read(MESSAGE + 4 * l.rx.fifo)));
      }
      acknowledge(l.rx);
    }
    return os::irqreturn::handled;
  }

  int suspend() {
    for (unsigned fifo = 0; fifo < fifos_; ++fifo) {
      if (read(MSGSTATUS + 4 * fifo) == 0) continue;
      os().printk(log_level::err, device(), fmt::format("fifo {} has unexpected unread messages", fifo));
      return -EBUSY;
    }
    saved_.clear();
    for (unsigned user = 0; user < users_; ++user) saved_.push_back(read(IRQENABLE_SET + USER_STRIDE * user));
    return 0;
  }
  void resume() {
    for (unsigned user = 0; user < users_; ++user) write(saved_[user], IRQENABLE_SET + USER_STRIDE * user);
  }

  dt::node node_;
  os::mutex config_lock_;
  std::uint64_t base_ = 0;
  unsigned users_ = 0, fifos_ = 0, suspend_token_ = 0;
  std::list<link> links_;
  std::vector<std::uint32_t> saved_;
};

}  // namespace

os::platform_driver omap_mailbox_driver(os::machine& machine) {
  return {
      .name = "omap-mailbox",
      .compatible = {"ti,omap4-mailbox", "ti,am654-mailbox", "ti,am64-mailbox"},
      .probe =
          [&machine](os::device& dev) {
            auto mailbox = std::make_shared<omap_mailbox>(machine, dev);
            if (const int error = mailbox->probe(); error != 0) return error;
            machine.provide<mbox_controller>(dev.node, mailbox.get());
            dev.driver_data = std::move(mailbox);
            return 0;
          },
      .remove =
          [&machine](os::device& dev) {
            auto* mailbox = static_cast<omap_mailbox*>(dev.driver_data.get());
            machine.withdraw<mbox_controller>(mailbox);
            mailbox->remove();
          },
  };
}

}  // namespace rpsim::drivers
