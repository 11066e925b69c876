#pragma once
// A world in which rpmsg_echo can run by itself: memory wherever it looks, the scenario-control block, and Linux's side
// of the two vrings. What the chip has besides is the benches' part: firmware_bench.h, stm32_bench.h.

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "models/core/native_core.h"
#include "remote_fw/hal/native/native_image.h"
#include "remote_fw/lib/resource_table.h"
#include "remote_fw/lib/scenario_control.h"
#include "tests/models/bus_bench.h"

namespace rpsim::test {

#define RPSIM_INDEX(name, unit, otherwise, text) FW_##name,
enum fw_param : std::uint32_t { SC_PARAMS(RPSIM_INDEX) };
#undef RPSIM_INDEX

class firmware_world : public sc_core::sc_module, private target_port::handler {
 public:
  struct places {
    std::uint32_t note, table, control, buffers;
    std::uint32_t vrings[2];
    unsigned num, align;
  };

  firmware_world(sc_core::sc_module_name name, sim_context& context, const dt::node& node,
                 const std::string& application, const places& where)
      : sc_module(name), at(where), core(node.label().c_str(), context, node), port_("port", *this) {
    context.native_image_directory = RPSIM_IMAGES;
    core.initiator()->bind(port_);
    core.input("local-reset", 0)->bind(reset);
    core.output("wfi", 0)->bind(wfi);
    const std::uint32_t note[] = {6, static_cast<std::uint32_t>(application.size() + 1), RPSIM_NOTE_APPLICATION};
    put(at.note, note, sizeof(note));
    put(at.note + 12, RPSIM_NOTE_NAME, sizeof(RPSIM_NOTE_NAME));
    put(at.note + 20, application.c_str(), application.size() + 1);
#define RPSIM_DEFAULT(name, unit, otherwise, text) params.push_back(otherwise);
    SC_PARAMS(RPSIM_DEFAULT)
#undef RPSIM_DEFAULT
  }

  // ---- Linux
  void release() { reset.write(false); }
  void hold() { reset.write(true); }
  /// What find_vqs() and probe() come to: empty rings, every receive buffer available, DRIVER_OK, a kick.
  void driver_ok() {
    for (unsigned v = 0; v < 2; ++v) {
      for (std::uint32_t a = at.vrings[v]; a < used(v) + 6 + 8 * at.num; a += 4) memory_.erase(a);
      for (unsigned i = 0; i < at.num; ++i) {
        put32(at.vrings[v] + 16 * i, at.buffers + (v * at.num + i) * 512);
        put32(at.vrings[v] + 16 * i + 8, 512);
        put16(avail(v) + 4 + 2 * i, static_cast<std::uint16_t>(i));
      }
    }
    put16(avail(0) + 2, static_cast<std::uint16_t>(at.num));
    received_ = 0;
    set_status(7);
    kick(0);
  }
  void set_status(std::uint8_t status) { put(at.table + VDEV + 24, &status, 1); }
  void send_message(std::uint32_t source, std::uint32_t destination, const std::string& data) {
    const std::uint16_t slot = static_cast<std::uint16_t>(get16(avail(1) + 2) % at.num);
    const std::uint32_t buffer = at.buffers + (at.num + slot) * 512;
    put32(buffer, source);
    put32(buffer + 4, destination);
    put16(buffer + 12, static_cast<std::uint16_t>(data.size()));
    put(buffer + 16, data.data(), data.size());
    put16(avail(1) + 2, static_cast<std::uint16_t>(get16(avail(1) + 2) + 1));
    kick(1);
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
      const std::uint32_t head = get32(used(0) + 4 + 8 * (received_ % at.num));
      const std::uint32_t buffer = at.buffers + head * 512;
      std::string data(get16(buffer + 12), 0);
      get(buffer + 16, data.data(), data.size());
      list.push_back({get32(buffer), get32(buffer + 4), data});
      put16(avail(0) + 4 + 2 * (get16(avail(0) + 2) % at.num), static_cast<std::uint16_t>(head));
      put16(avail(0) + 2, static_cast<std::uint16_t>(get16(avail(0) + 2) + 1));
    }
    return list;
  }
  std::uint16_t consumed() const { return get16(used(1) + 2); }
  std::uint32_t avail(unsigned v) const { return at.vrings[v] + 16 * at.num; }
  std::uint32_t used(unsigned v) const { return (avail(v) + 6 + 2 * at.num + at.align - 1) & ~(at.align - 1); }

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

  sc_core::sc_signal<bool> reset{"reset", true}, wfi{"wfi"};
  places at;
  native_core core;
  std::vector<std::uint32_t> params;  // of the scenario-control block, in register units
  /// What the firmware has done to the world, in order: "mark 1", and what the bench adds.
  std::vector<std::string> deeds;
  std::vector<std::string> logs;

 protected:
  static constexpr std::uint32_t VDEV = 28;  // offset in the table
  void load_table(std::uint32_t vring0, std::uint32_t vring1, std::uint32_t gfeatures) {
    const std::uint32_t vdev[] = {RSC_VDEV,  VIRTIO_ID_RPMSG,
                                  0,         VIRTIO_RPMSG_F_NS,
                                  gfeatures, 0,
                                  0x200,     vring0,
                                  at.align,  at.num,
                                  0,         0,
                                  vring1,    at.align,
                                  at.num,    1,
                                  0};
    put32(at.table, 1);
    put32(at.table + 4, 1);
    put32(at.table + 16, VDEV);
    put(at.table + VDEV, vdev, sizeof(vdev));
  }

 private:
  /// Linux has something for the firmware on that ring.
  virtual void kick(unsigned ring) = 0;
  /// Word accesses to what is not memory; false leaves the read to memory.
  virtual bool read_register(std::uint32_t a, std::uint32_t& v) = 0;
  virtual void written(std::uint32_t a, std::uint32_t v) = 0;

  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    delay += ns(50);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const auto a = static_cast<std::uint32_t>(p.get_address());
    const std::uint32_t param = (a - at.control - SC_PARAM) / 4;
    const bool word = p.get_data_length() == 4;
    std::uint32_t v = 0;
    if (p.is_write()) {
      put(a, p.get_data_ptr(), p.get_data_length());
      v = get32(a);
      if (word && a == at.control + SC_MARK) deeds.push_back(fmt::format("mark {}", v));
      if (word && a == at.control + SC_LOG) log(v);
      if (word) written(a, v);
    } else if (word && a >= at.control + SC_PARAM && param < params.size()) {
      std::memcpy(p.get_data_ptr(), &params[param], 4);
    } else if (word && read_register(a, v)) {
      std::memcpy(p.get_data_ptr(), &v, 4);
    } else {
      get(a, p.get_data_ptr(), p.get_data_length());
    }
  }
  void log(std::uint32_t characters) {
    for (; characters != 0; characters >>= 8) {
      const char c = static_cast<char>(characters);
      if (c == '\n') {
        logs.push_back(std::exchange(line_, {}));
      } else {
        line_ += c;
      }
    }
  }

  target_port port_;
  std::map<std::uint32_t, std::uint32_t> memory_;
  std::string line_;
  std::uint16_t received_ = 0;
};

}  // namespace rpsim::test
