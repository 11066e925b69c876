#pragma once
// The world of K3's firmware: a mailbox, and a device manager that agrees.

#include <deque>
#include <string>

#include "remote_fw/hal/k3-am62x-m4f/chip.h"
#include "remote_fw/lib/ti_mailbox.h"
#include "tests/remote_fw/firmware_world.h"

namespace rpsim::test {

class firmware_bench final : public firmware_world {
 public:
  firmware_bench(sc_core::sc_module_name name, sim_context& context, node_source& node, const std::string& application)
      : firmware_world(name, context, node("m4f", "clock-frequency = <400000000>; rpsim,application-note = <0x200>;"),
                       application,
                       {.note = 0x200,
                        .table = CHIP_RESOURCE_TABLE,
                        .control = CHIP_CONTROL,
                        .buffers = 0x9CB10000,
                        .vrings = {0x9CB00000, 0x9CB04000},
                        .num = 256,
                        .align = 4096}) {
    core.input("irq", CHIP_IRQ_MAILBOX)->bind(mailbox_line_);
    core.input("irq", CHIP_IRQ_TIMER0)->bind(timer_line);
    load_table(at.vrings[0], at.vrings[1], VIRTIO_RPMSG_F_NS);
  }

  void send(std::uint32_t word) {
    to_core_.push_back(word);
    update_line();
  }
  /// A power cycle of the mailbox and the secure proxy.
  void drain() {
    to_core_.clear();
    enabled_ = 0;
    answer_ = 0;
    update_line();
  }

  sc_core::sc_signal<bool> timer_line{"timer"};
  /// Deeds: "word 0xffffff15", "device 131 on", "watchdog".
  bool mailbox_full = false, refuses = false;

 private:
  void kick(unsigned ring) override { send(ring); }
  void update_line() { mailbox_line_.write((enabled_ & 4) != 0 && !to_core_.empty()); }

  bool read_register(std::uint32_t a, std::uint32_t& v) override {
    if (a == CHIP_MAILBOX + 0x44) {
      v = to_core_.empty() ? 0 : to_core_.front();
      if (!to_core_.empty()) to_core_.pop_front();
      update_line();
    } else if (a == CHIP_MAILBOX + 0xC4) {
      v = static_cast<std::uint32_t>(to_core_.size());
    } else if (a == CHIP_MAILBOX + 0x80) {
      v = mailbox_full;
    } else if (a == CHIP_SECURE_PROXY_RT + 0x1000 * CHIP_SCI_TX_THREAD) {
      v = 5;
    } else if (a == CHIP_SECURE_PROXY_RT + 0x1000 * CHIP_SCI_RX_THREAD) {
      v = answer_;
    } else if (a == CHIP_SECURE_PROXY_DATA + 0x1000 * CHIP_SCI_RX_THREAD + 0x3C) {
      answer_ = 0;
    } else {
      return false;
    }
    return true;
  }
  void written(std::uint32_t a, std::uint32_t v) override {
    constexpr std::uint32_t TX = CHIP_SECURE_PROXY_DATA + 0x1000 * CHIP_SCI_TX_THREAD + 4,
                            RX = CHIP_SECURE_PROXY_DATA + 0x1000 * CHIP_SCI_RX_THREAD + 4;
    if (a == CHIP_MAILBOX + 0x40) deeds.push_back(fmt::format("word {:#x}", v));
    if (a == CHIP_MAILBOX + 0x128) enabled_ |= v;
    if (a == CHIP_MAILBOX + 0x12C) enabled_ &= ~v;
    if (a == CHIP_MAILBOX + 0x128 || a == CHIP_MAILBOX + 0x12C) update_line();
    if (a == CHIP_RTI0 + 0x9C && v == 0xA35C) deeds.push_back("watchdog");
    if (a == TX + 4 * 14) {
      deeds.push_back(fmt::format("device {} {}", get32(TX + 8), get32(TX + 16) == 2 ? "on" : "off"));
      put32(RX, get32(TX));
      put32(RX + 4, refuses ? 0 : 2);
      answer_ = 1;
    }
  }

  sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> mailbox_line_{"mailbox"};
  std::deque<std::uint32_t> to_core_;
  std::uint32_t enabled_ = 0, answer_ = 0;
};

}  // namespace rpsim::test
