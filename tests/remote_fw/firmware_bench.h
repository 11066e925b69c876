#pragma once
// A world in which rpmsg_echo can run by itself: memory wherever it looks, a mailbox, a device manager that agrees, the
// scenario-control block, and Linux's side of the two vrings. Only what the firmware sees is there.

#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "models/core/native_core.h"
#include "remote_fw/hal/k3-am62x-m4f/chip.h"
#include "remote_fw/hal/native/native_image.h"
#include "remote_fw/lib/resource_table.h"
#include "remote_fw/lib/scenario_control.h"
#include "remote_fw/lib/ti_mailbox.h"
#include "tests/models/bus_bench.h"

namespace rpsim::test {

#define RPSIM_INDEX(name, unit, otherwise, text) FW_##name,
enum fw_param : std::uint32_t { SC_PARAMS(RPSIM_INDEX) };
#undef RPSIM_INDEX

class firmware_bench final : public sc_core::sc_module, private target_port::handler {
 public:
  static constexpr std::uint32_t NOTE = 0x200, VRINGS[2] = {0x9CB00000, 0x9CB04000}, BUFFERS = 0x9CB10000;
  static constexpr unsigned NUM = 256;

  firmware_bench(sc_core::sc_module_name name, sim_context& context, node_source& node, const std::string& application)
      : sc_module(name),
        core("m4f", context, node("m4f", "clock-frequency = <400000000>; rpsim,application-note = <0x200>;")),
        port_("port", *this) {
    context.native_image_directory = RPSIM_IMAGES;
    core.initiator()->bind(port_);
    core.input("local-reset", 0)->bind(reset);
    core.output("wfi", 0)->bind(wfi);
    core.input("irq", CHIP_IRQ_MAILBOX)->bind(mailbox_line_);
    core.input("irq", CHIP_IRQ_TIMER0)->bind(timer_line);
    const std::uint32_t note[] = {6, static_cast<std::uint32_t>(application.size() + 1), RPSIM_NOTE_APPLICATION};
    put(NOTE, note, sizeof(note));
    put(NOTE + 12, RPSIM_NOTE_NAME, sizeof(RPSIM_NOTE_NAME));
    put(NOTE + 20, application.c_str(), application.size() + 1);
    load_table();
#define RPSIM_DEFAULT(name, unit, otherwise, text) params.push_back(otherwise);
    SC_PARAMS(RPSIM_DEFAULT)
#undef RPSIM_DEFAULT
  }

  // ---- Linux
  void release() { reset.write(false); }
  void hold() { reset.write(true); }
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
  /// find_vqs() and probe(): empty rings, every receive buffer available, DRIVER_OK, a kick.
  void driver_ok() {
    for (unsigned v = 0; v < 2; ++v) {
      for (std::uint32_t a = VRINGS[v]; a < VRINGS[v] + 0x3000; a += 4) memory_.erase(a);
      for (unsigned i = 0; i < NUM; ++i) {
        put32(VRINGS[v] + 16 * i, BUFFERS + (v * NUM + i) * 512);
        put32(VRINGS[v] + 16 * i + 8, 512);
        put16(avail(v) + 4 + 2 * i, static_cast<std::uint16_t>(i));
      }
    }
    put16(avail(0) + 2, NUM);
    received_ = 0;
    set_status(7);
    send(0);
  }
  void set_status(std::uint8_t status) { put(CHIP_RESOURCE_TABLE + 28 + 24, &status, 1); }
  void send_message(std::uint32_t source, std::uint32_t destination, const std::string& data) {
    const std::uint16_t slot = static_cast<std::uint16_t>(get16(avail(1) + 2) % NUM);
    const std::uint32_t buffer = BUFFERS + (NUM + slot) * 512;
    put32(buffer, source);
    put32(buffer + 4, destination);
    put16(buffer + 12, static_cast<std::uint16_t>(data.size()));
    put(buffer + 16, data.data(), data.size());
    put16(avail(1) + 2, static_cast<std::uint16_t>(get16(avail(1) + 2) + 1));
    send(1);
  }
  struct message {
    std::uint32_t source, destination;
    std::string data;
    bool operator==(const message&) const = default;
  };
  /// What the firmware has put on the used ring since the last call. The buffers are made available again.
  std::vector<message> received() {
    std::vector<message> list;
    for (; received_ != get16(used(0) + 2); ++received_) {
      const std::uint32_t head = get32(used(0) + 4 + 8 * (received_ % NUM));
      const std::uint32_t buffer = BUFFERS + head * 512;
      std::string data(get16(buffer + 12), 0);
      get(buffer + 16, data.data(), data.size());
      list.push_back({get32(buffer), get32(buffer + 4), data});
      put16(avail(0) + 4 + 2 * (get16(avail(0) + 2) % NUM), static_cast<std::uint16_t>(head));
      put16(avail(0) + 2, static_cast<std::uint16_t>(get16(avail(0) + 2) + 1));
    }
    return list;
  }
  std::uint16_t consumed() { return get16(used(1) + 2); }
  static std::uint32_t avail(unsigned v) { return VRINGS[v] + 16 * NUM; }
  static std::uint32_t used(unsigned v) { return VRINGS[v] + 0x2000; }

  void put(std::uint32_t a, const void* from, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i, ++a) {
      const unsigned shift = 8 * (a % 4);
      std::uint32_t& word = memory_[a & ~3U];
      word = (word & ~(0xFFU << shift)) | std::uint32_t{static_cast<const unsigned char*>(from)[i]} << shift;
    }
  }
  void get(std::uint32_t a, void* to, std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i, ++a) {
      const auto word = memory_.find(a & ~3U);
      static_cast<unsigned char*>(to)[i] =
          word == memory_.end() ? 0 : static_cast<unsigned char>(word->second >> (8 * (a % 4)));
    }
  }
  void put32(std::uint32_t a, std::uint32_t v) { put(a, &v, 4); }
  void put16(std::uint32_t a, std::uint16_t v) { put(a, &v, 2); }
  std::uint32_t get32(std::uint32_t a) const {
    std::uint32_t v = 0;
    get(a, &v, 4);
    return v;
  }
  std::uint16_t get16(std::uint32_t a) const {
    std::uint16_t v = 0;
    get(a, &v, 2);
    return v;
  }

  sc_core::sc_signal<bool> reset{"reset", true}, wfi{"wfi"}, timer_line{"timer"};
  native_core core;
  std::vector<std::uint32_t> params;  // of the scenario-control block, in register units
  /// What the firmware has done to the world, in order: "mark 1", "word 0xffffff15", "device 131 on", "watchdog".
  std::vector<std::string> deeds;
  bool mailbox_full = false, refuses = false;

 private:
  void load_table() {
    const std::uint32_t vdev[] = {RSC_VDEV,
                                  VIRTIO_ID_RPMSG,
                                  0,
                                  VIRTIO_RPMSG_F_NS,
                                  VIRTIO_RPMSG_F_NS,
                                  0,
                                  0x200,
                                  VRINGS[0],
                                  4096,
                                  NUM,
                                  0,
                                  0,
                                  VRINGS[1],
                                  4096,
                                  NUM,
                                  1,
                                  0};
    put32(CHIP_RESOURCE_TABLE, 1);
    put32(CHIP_RESOURCE_TABLE + 4, 1);
    put32(CHIP_RESOURCE_TABLE + 16, 28);
    put(CHIP_RESOURCE_TABLE + 28, vdev, sizeof(vdev));
  }
  void update_line() { mailbox_line_.write((enabled_ & 4) != 0 && !to_core_.empty()); }

  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    delay += ns(50);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const auto a = static_cast<std::uint32_t>(p.get_address());
    std::uint32_t word = 0;
    if (p.is_read() && p.get_data_length() == 4 && read_register(a, word)) {
      std::memcpy(p.get_data_ptr(), &word, 4);
    } else if (p.is_read()) {
      get(a, p.get_data_ptr(), p.get_data_length());
    } else {
      put(a, p.get_data_ptr(), p.get_data_length());
      if (p.get_data_length() == 4) written(a, get32(a));
    }
  }
  bool read_register(std::uint32_t a, std::uint32_t& v) {
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
    } else if (a >= CHIP_CONTROL + SC_PARAM && a < CHIP_CONTROL + SC_PARAM + 4 * params.size()) {
      v = params[(a - CHIP_CONTROL - SC_PARAM) / 4];
    } else {
      return false;
    }
    return true;
  }
  void written(std::uint32_t a, std::uint32_t v) {
    constexpr std::uint32_t TX = CHIP_SECURE_PROXY_DATA + 0x1000 * CHIP_SCI_TX_THREAD + 4,
                            RX = CHIP_SECURE_PROXY_DATA + 0x1000 * CHIP_SCI_RX_THREAD + 4;
    if (a == CHIP_MAILBOX + 0x40) deeds.push_back(fmt::format("word {:#x}", v));
    if (a == CHIP_MAILBOX + 0x128) enabled_ |= v;
    if (a == CHIP_MAILBOX + 0x12C) enabled_ &= ~v;
    if (a == CHIP_MAILBOX + 0x128 || a == CHIP_MAILBOX + 0x12C) update_line();
    if (a == CHIP_CONTROL + SC_MARK) deeds.push_back(fmt::format("mark {}", v));
    if (a == CHIP_RTI0 + 0x9C && v == 0xA35C) deeds.push_back("watchdog");
    if (a == TX + 4 * 14) {
      deeds.push_back(fmt::format("device {} {}", get32(TX + 8), get32(TX + 16) == 2 ? "on" : "off"));
      put32(RX, get32(TX));
      put32(RX + 4, refuses ? 0 : 2);
      answer_ = 1;
    }
  }

  target_port port_;
  sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> mailbox_line_{"mailbox"};
  std::map<std::uint32_t, std::uint32_t> memory_;
  std::deque<std::uint32_t> to_core_;
  std::uint32_t enabled_ = 0, answer_ = 0;
  std::uint16_t received_ = 0;
};

}  // namespace rpsim::test
