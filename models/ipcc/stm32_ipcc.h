#pragma once
// ST's inter-processor communication controller: six channels between two processors, each with one flag per direction.
// Facts: reference/stm32mp1.md §2, from STM32CubeMP1's CMSIS header and HAL, and Linux 6.12 stm32-ipcc.c.
//
// A flag carries no data: the sender sets it (occupied), the receiver clears it (free). Each processor has a receive
// interrupt, high while an unmasked channel towards it is occupied, and a transmit interrupt, high while an unmasked
// channel from it is free. Both are levels: the transmit interrupt of an idle channel stays high until it is masked.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/common/register_bank.h"

namespace rpsim {

/// Parameter: <label>.channels.
/// output("irq", n): RX0, TX0 (processor 1, the Cortex-A7), RX1, TX1 (processor 2, the Cortex-M4), active high.
/// Events: ipcc.set, ipcc.cleared {channel, name, from, by}; irq.raised, irq.lowered {line}. Fault point: ipcc.flag.
class stm32_ipcc final : public model, public host_reset_listener, private target_port::handler {
 public:
  // Registers. Processor 2's are 0x10 further. Bit n of a field is channel n + 1.
  static constexpr std::uint32_t CR = 0x000;    // [0] RXOIE, [16] TXFIE
  static constexpr std::uint32_t MR = 0x004;    // [5:0] CHnOM: receive masked, [21:16] CHnFM: transmit masked
  static constexpr std::uint32_t SCR = 0x008;   // write 1: [5:0] clear a received flag, [21:16] set a sent one; reads 0
  static constexpr std::uint32_t TOSR = 0x00C;  // C1TOC2SR, C2TOC1SR: flags of the channels that this one sends
  static constexpr std::uint32_t HWCFGR = 0x3F0;  // [7:0] number of channels
  static constexpr std::uint32_t VER = 0x3F4, ID = 0x3F8, SID = 0x3FC;
  static constexpr std::uint32_t PROCESSOR_STRIDE = 0x10;
  static constexpr std::uint32_t RXOIE = 1U << 0, TXFIE = 1U << 16;
  /// Channels count from 1, as in the manual.
  static constexpr std::uint32_t receive(unsigned channel) { return 1U << (channel - 1); }
  static constexpr std::uint32_t transmit(unsigned channel) { return receive(channel) << 16; }

  stm32_ipcc(sc_core::sc_module_name name, sim_context& context, const dt::node& node);

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  line_out* output(std::string_view what, unsigned index) override;

  /// Processor 1 loses its enables and masks. The flags stay: they belong to both (assumed; that MCURST leaves them
  /// alone is assumed likewise, reference/stm32mp1.md §4.1).
  void host_reset(host_reset_kind kind) override;

 private:
  static constexpr unsigned MAX_CHANNELS = 6, PROCESSORS = 2;

  struct late_flag {
    sc_core::sc_time arrival;
    unsigned sender, channel;
    std::string by;
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  void write_scr(unsigned processor, std::uint32_t value);
  void send(unsigned sender, unsigned channel);
  void set(unsigned sender, unsigned channel, std::string_view by);
  void clear(unsigned sender, unsigned channel);
  void set_late_flags();
  void update_lines();
  void reset_processor(unsigned processor);

  const unsigned channels_;
  const std::uint32_t channel_bits_;
  register_bank bank_;
  std::array<std::uint32_t, PROCESSORS> flags_{};  // by sender
  std::vector<late_flag> late_flags_;              // by fault only
  std::string_view by_ = "?";                      // whose access is under way
  sc_core::sc_event lines_change_, flag_arrives_;
  target_port port_;
  sc_core::sc_vector<line_out> irq_;
};

}  // namespace rpsim
