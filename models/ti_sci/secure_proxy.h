#pragma once
// K3 Secure Proxy: message threads between hosts and the device manager. A thread has one direction. The owner of an
// outbound thread writes 15 words, the last one sends; the message then travels to the destination thread's queue,
// whose owner reads the words, the last one pops. A thread has as many messages under way as it has credits; a credit
// returns when the reader pops the message. (reference/k3.md §3.3; TI TRM SPRUJB3, Secure Proxy)
//
// The threads are the child nodes: platforms/bindings.md. Their settings are fixed: on the chip TIFS makes them and the
// firewall keeps everybody else out.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "models/common/model.h"
#include "models/ti_sci/ti_sci_protocol.h"

namespace rpsim {

class secure_proxy final : public model {
 public:
  static constexpr std::uint32_t THREAD_STRIDE = 0x1000;  // in all three windows
  // target_data, per thread
  static constexpr std::uint32_t PRIVATE = 0x00;    // inbound: the thread that sent the message at the head
  static constexpr std::uint32_t DATA = 0x04;       // words 0 … 14
  static constexpr std::uint32_t DATA_LAST = 0x3C;  // its access sends or pops
  // rt, per thread
  static constexpr std::uint32_t STATUS =
      0x0;  // [31] ERROR (a write of 0 clears it), [30] DIR, [23:16] MAX_CNT, [7:0] CUR_CNT
  static constexpr std::uint32_t THR = 0x4;  // [7:0] interrupt while CUR_CNT is at least this; 0: never
  static constexpr std::uint32_t STATUS_ERROR = 1u << 31;
  static constexpr std::uint32_t STATUS_INBOUND = 1u << 30;
  static constexpr std::uint32_t STATUS_CUR_CNT = 0xFF;
  // scfg, per thread after the first stride; read-only
  static constexpr std::uint32_t CTL = 0x0;  // [31] DIR, [23:16] MAX_CNT, [15:0] QUEUE
  static constexpr std::uint32_t EVT_MAP = 0x4;
  static constexpr std::uint32_t DST = 0x8;  // [15:0] destination thread
  static constexpr std::uint32_t CTL_INBOUND = 1u << 31;

  secure_proxy(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  ~secure_proxy() override;

  /// In the order of `reg`; `reg-names` says which is which.
  tlm::tlm_target_socket<32>* target(unsigned index) override;
  /// "irq", an inbound thread.
  line_out* output(std::string_view what, unsigned thread) override;

 private:
  struct thread;
  class window;
  enum class window_kind : std::uint8_t { target_data, rt, scfg };

  SC_HAS_PROCESS(secure_proxy);
  void add_threads();
  /// One access to a thread's register; a debug read has no side effect. @return false if no register is there
  bool read(window_kind which, thread& t, std::uint32_t offset, std::uint32_t& value, const sc_core::sc_time& delay,
            bool debug);
  bool write(window_kind which, thread& t, std::uint32_t offset, std::uint32_t value, const sc_core::sc_time& delay);
  void send(thread& t, const sc_core::sc_time& delay);
  void launch(thread& t, const ti_sci::message& m, const sc_core::sc_time& delay);
  void pop(thread& t, const sc_core::sc_time& delay);
  void deliver();
  void drive_lines();

  param& latency_;
  std::vector<std::unique_ptr<thread>> threads_;  // by number
  std::vector<thread*> by_number_;                // nullptr: not configured
  std::vector<std::unique_ptr<window>> windows_;
  sc_core::sc_event delivery_, lines_;
};

}  // namespace rpsim
