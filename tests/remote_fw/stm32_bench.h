#pragma once
// The world of the STM32MP157's firmware: an IPCC, and a host that attaches and detaches as Linux does
// (reference/stm32mp1.md §2, §3.4, §5).

#include <array>
#include <string>

#include "remote_fw/hal/stm32mp157-m4/chip.h"
#include "remote_fw/lib/ipcc.h"
#include "tests/remote_fw/firmware_world.h"

namespace rpsim::test {

class stm32_bench final : public firmware_world {
 public:
  static constexpr std::uint32_t TABLE_BYTES = 1024;  // that Linux takes for the table's size

  stm32_bench(sc_core::sc_module_name name, sim_context& context, node_source& node, const std::string& application)
      : firmware_world(name, context, node("m4", "clock-frequency = <208877930>; rpsim,application-note = <0x400>;"),
                       application,
                       {.note = 0x400,
                        .table = CHIP_RESOURCE_TABLE,
                        .control = CHIP_CONTROL,
                        .buffers = 0x10042000,
                        .vrings = {CHIP_VRING0, CHIP_VRING1},
                        .num = 16,
                        .align = 16}) {
    core.input("irq", CHIP_IRQ_IPCC_RX)->bind(receive_line_);
    load_table(RSC_ADDR_ANY, RSC_ADDR_ANY, 0);
  }

  using table_copy = std::array<char, TABLE_BYTES>;
  table_copy table() const {
    table_copy copy;
    get(at.table, copy.data(), copy.size());
    return copy;
  }
  /// Keeps a copy of the table, writes places, sizes and notifyids to it, and brings virtio up.
  void attach() {
    clean_ = table();
    put32(at.table + VDEV + 16, VIRTIO_RPMSG_F_NS);
    for (unsigned v = 0; v < 2; ++v) {
      const std::uint32_t vring = at.table + VDEV + 28 + 20 * v;
      put32(vring, at.vrings[v]);
      put32(vring + 8, at.num);
      put32(vring + 12, notifyids[v]);
    }
    driver_ok();
  }
  /// Resets the device, puts the copy back, and asks.
  void detach() {
    set_status(0);
    put(at.table, clean_.data(), clean_.size());
    send(IPCC_DETACH);
  }
  void send(unsigned channel) {
    to_core_ |= 1U << (channel - 1);
    update_line();
  }
  bool occupied(unsigned channel) const { return (to_core_ >> (channel - 1) & 1) != 0; }
  bool takes_kicks = true;
  /// Kicks that the host has not taken: bit n is channel n + 1.
  std::uint32_t untaken = 0;
  std::array<std::uint32_t, 2> notifyids{0, 1};
  /// Deeds: "kick 1" (the flag of a channel is set), "free 4" (cleared), "watchdog".

 private:
  static constexpr std::uint32_t ALL = 0x3F;

  void kick(unsigned ring) override { send(IPCC_VQ0 + notifyids[ring]); }
  void update_line() { receive_line_.write((control_ & 1) != 0 && (to_core_ & ~mask_) != 0); }
  bool read_register(std::uint32_t a, std::uint32_t& v) override {
    switch (a) {
      case CHIP_IPCC + 0x00C:
        v = to_core_;
        return true;
      case CHIP_IPCC + 0x01C:
        v = untaken;
        return true;
      case CHIP_IPCC + 0x014:
        v = mask_;
        return true;
      default:
        return false;
    }
  }
  void written(std::uint32_t a, std::uint32_t v) override {
    if (a == CHIP_WWDG1) deeds.push_back("watchdog");
    if (a == CHIP_IPCC + 0x010) control_ = v;
    if (a == CHIP_IPCC + 0x014) mask_ = v;
    if (a == CHIP_IPCC + 0x018) {
      for (unsigned channel = 1; channel <= 6; ++channel) {
        if ((v & to_core_) >> (channel - 1) & 1) deeds.push_back(fmt::format("free {}", channel));
        if (v >> (channel + 15) & 1) deeds.push_back(fmt::format("kick {}", channel));
      }
      to_core_ &= ~v;
      if (!takes_kicks) untaken |= v >> 16 & ALL;
    }
    update_line();
  }

  sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> receive_line_{"receive"};
  std::uint32_t to_core_ = 0, control_ = 0, mask_ = 0xFFFFFFFF;
  table_copy clean_{};
};

}  // namespace rpsim::test
