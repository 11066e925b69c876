#pragma once
// The firmware that owns power, clocks, resets, processor ownership and resource assignment: TI's device manager and,
// for what that forwards, TIFS, in one. A bus master: it reads requests from the secure-proxy threads of its hosts and
// writes responses, one request at a time, round robin over the hosts. (reference/k3.md §3; TI sciserver.c,
// mcupsdk-rm-pm-hal)
//
// Its tables are its node: platforms/bindings.md.

#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/common/host_reset.h"
#include "models/common/model.h"
#include "models/ti_sci/clocks.h"
#include "models/ti_sci/devices.h"
#include "models/ti_sci/processors.h"
#include "models/ti_sci/resources.h"
#include "models/ti_sci/ti_sci_protocol.h"

namespace rpsim {

class device_manager final : public model, public host_reset_listener {
 public:
  device_manager(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  ~device_manager() override;

  tlm::tlm_initiator_socket<32>* initiator() override { return &bus_; }
  /// "irq", a host's `rpsim,input`: the interrupt of the thread on which its requests arrive.
  line_in* input(std::string_view what, unsigned index) override;

  // For wiring. The device's module and, where that has one, its local reset (true = asserted).
  bool has_device(unsigned device_id) { return devices_.find(device_id) != nullptr; }
  sc_core::sc_signal<module_state>& module_line(unsigned device_id);
  sc_core::sc_signal<bool>& local_reset_line(unsigned device_id);
  /// Null if no processor is this core.
  processor* find_processor(const dt::node& core) { return processors_.find(core); }
  /// The WFI line of the processor's core.
  sc_core::sc_in<bool>& wfi_input(unsigned processor_id);

  /// What a boot loader did before the host's software came, a delta from now: the hosts (bit n is host n, bit 63 the
  /// power-up reference) hold the device, its LPSC is on, its local reset released.
  /// @throws std::invalid_argument for an unknown device
  void boot_device(unsigned device_id, std::uint64_t hosts);

  /// It lives on, and so do the references that the host held. Whether anybody releases the host's processors is not
  /// documented: a parameter says.
  void host_reset(host_reset_kind kind) override;

  /// Ownership and boot settings, for checks and for lines that follow from them; nullptr if there is none.
  const processor* find_processor(unsigned processor_id) { return processors_.find(processor_id); }

 private:
  struct host;
  struct bus_failed {};

  SC_HAS_PROCESS(device_manager);
  void add_hosts(const dt::node& section, const dt::node& proxy);
  void attach_cores();
  void boot();

  // The service loop.
  void serve();
  host* next_ready();
  void attend(host& h);
  void handle(host& h, ti_sci::message request, const fault_action& fault);
  fault_action ask_for_fault(const ti_sci::message& m);
  void respond(host& h, const ti_sci::message& request, const verdict& result, ti_sci::message response);
  void discard(const ti_sci::message& m, std::string_view reason);
  sc_core::sc_time latency(ti_sci::message_type type);

  // Requests. Each fills the response's payload or says why it is refused.
  verdict execute(unsigned from, const ti_sci::message& request, ti_sci::message& response);
  verdict device_request_of(unsigned from, managed_device& d, const ti_sci::message& request,
                            ti_sci::message& response);
  verdict set_device(unsigned from, managed_device& d, const ti_sci::message& request);
  void get_device(unsigned from, managed_device& d, ti_sci::message& response);
  verdict set_device_resets(unsigned from, managed_device& d, const ti_sci::message& request);
  verdict clock_request(unsigned from, managed_device& d, const ti_sci::message& request, ti_sci::message& response);
  verdict processor_request(unsigned from, processor& p, const ti_sci::message& request, ti_sci::message& response);
  verdict wait_status(const processor& p, const ti_sci::message& request);
  void version(ti_sci::message& response);
  verdict resource_range(unsigned from, const ti_sci::message& request, ti_sci::message& response);
  verdict irq_request(unsigned from, const ti_sci::message& request);

  /// The device or processor that a request is about.
  struct subject {
    std::string_view kind;  // "device", "processor", or none
    unsigned id = 0;
    std::string_view name;
  };
  subject subject_of(const ti_sci::message& m);

  void pause(const sc_core::sc_time& time);
  /// Polls MDSTAT as often as the real one does.
  void await(const lpsc& module);
  std::uint32_t read_word(std::uint64_t address, sc_core::sc_time& delay);
  void write_word(std::uint64_t address, std::uint32_t value, sc_core::sc_time& delay);
  std::uint32_t access(tlm::tlm_command command, std::uint64_t address, std::uint32_t value, sc_core::sc_time& delay);

  struct booted {
    managed_device* device;
    std::uint64_t hosts;
  };

  tlm_utils::simple_initiator_socket<device_manager, 32> bus_;
  tlm::tlm_generic_payload payload_;

  param &interrupt_latency_, &pm_latency_, &rm_latency_, &proc_latency_, &psc_poll_limit_, &psc_read_time_,
      &host_reset_releases_;

  device_table devices_;
  processor_table processors_;
  resource_table resources_;
  clock_table clocks_;

  std::vector<std::unique_ptr<host>> hosts_;
  std::size_t last_served_ = 0;
  std::vector<booted> booted_;
  sc_core::sc_event wake_, timer_, boot_;
};

}  // namespace rpsim
