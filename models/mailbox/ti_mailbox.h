#pragma once
// TI's mailbox cluster (OMAP4 to K3): queues of 32-bit words between processors, and per user one level interrupt.
// Facts: reference/k3.md §1, from TI TRMs SPRUIV7B (AM62x), SPRUIM2H (AM64x), SPRUJC6A (AM275x) and Linux 6.12.
//
// Any user may write or read any queue; only interrupt enables tie a queue to a user. A word written to a full queue is
// lost, a read of an empty one gives 0. The two conditions of each queue, NEWMSG (not empty) and NOTFULL, are levels:
// clearing a status bit whose condition still holds makes it drop out for two functional clocks, so software may clear
// before or after it drains.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Properties: ti,mbox-num-fifos, ti,mbox-num-users. Parameters: <label>.fifo_depth, <label>.clock.
/// output("irq", u) is user u's interrupt, active high.
/// Events: mailbox.sent, mailbox.dropped, mailbox.received; irq.raised, irq.lowered {line}. Fault point: mailbox.word.
class ti_mailbox final : public model, private target_port::handler {
 public:
  // Registers. Interrupt registers have bit 2m = NEWMSG of queue m, bit 2m+1 = NOTFULL of queue m.
  static constexpr std::uint32_t REVISION = 0x000;
  static constexpr std::uint32_t SYSCONFIG = 0x010;      // [0] SOFTRESET, reads 1 while it lasts; [3:2] SIDLEMODE
  static constexpr std::uint32_t MESSAGE = 0x040;        // + 4m: write pushes, read pops
  static constexpr std::uint32_t FIFOSTATUS = 0x080;     // + 4m: [0] full
  static constexpr std::uint32_t MSGSTATUS = 0x0C0;      // + 4m: [2:0] unread words
  static constexpr std::uint32_t IRQSTATUS_RAW = 0x100;  // + 10h u: status; write 1: set for two clocks, for tests
  static constexpr std::uint32_t IRQSTATUS_CLR = 0x104;  // + 10h u: status and enabled; write 1: clear
  static constexpr std::uint32_t IRQENABLE_SET = 0x108;  // + 10h u: enabled; write 1: enable
  static constexpr std::uint32_t IRQENABLE_CLR = 0x10C;  // + 10h u: enabled; write 1: disable
  static constexpr std::uint32_t IRQ_EOI = 0x140;        // taken and ignored: the interrupts are levels
  static constexpr std::uint32_t newmsg(unsigned fifo) { return 1U << (2 * fifo); }
  static constexpr std::uint32_t notfull(unsigned fifo) { return 2U << (2 * fifo); }

  ti_mailbox(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override;
  sc_core::sc_in<module_state>* power() override { return &power_; }

 private:
  static constexpr unsigned MAX_FIFOS = 16, MAX_USERS = 4;
  static constexpr unsigned MAX_DEPTH = 7;  // MSGSTATUS has three bits

  struct queue {
    std::array<std::uint32_t, MAX_DEPTH> words{};
    unsigned head = 0, level = 0;
  };
  /// Status bits that differ from their condition for two clocks.
  struct glitch {
    sc_core::sc_time end;
    unsigned user;
    std::uint32_t bits;
    bool set;
  };
  struct late_word {
    sc_core::sc_time arrival;
    unsigned fifo;
    std::uint32_t word;
    std::string by;
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  void write_message(unsigned fifo, std::uint32_t word);
  std::uint32_t read_message(unsigned fifo);
  void push(unsigned fifo, std::uint32_t word, std::string_view by);
  void add_glitch(unsigned user, std::uint32_t bits, bool set);
  bool full(unsigned fifo) const { return queues_[fifo].level == depth_; }
  void queue_changed(unsigned fifo);
  /// Works out the status bits, now and when the next glitch ends.
  void status_changed();
  void update_lines();
  void deliver_late_words();
  void soft_reset();
  void reset();
  void power_changed();
  sc_core::sc_time two_clocks() { return sc_core::sc_time(2.0 / clock_.real(), sc_core::SC_SEC); }

  const unsigned fifos_, users_;
  const std::uint32_t bits_;  // of an interrupt register that exist
  param& clock_;
  const unsigned depth_;
  register_bank bank_;
  std::array<queue, MAX_FIFOS> queues_;
  std::array<std::uint32_t, MAX_USERS> enable_{}, status_{};
  std::uint32_t condition_ = 0;
  std::vector<glitch> glitches_;       // mostly empty
  std::vector<late_word> late_words_;  // by fault only
  std::string_view by_ = "?";          // whose access is under way
  sc_core::sc_event lines_change_, glitch_ends_, word_arrives_, reset_ends_;
  target_port port_;
  sc_core::sc_vector<line_out> irq_;
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
