#pragma once
// The host processor as a bus, an interrupt controller and a number of CPUs. Its software is native code in host_sw/os,
// which brings its own threads; each call into the bus runs, and takes its time, on the calling SC_THREAD.

#include <cstdint>
#include <memory>
#include <vector>

#include "models/core/core.h"
#include "models/core/dmi_window.h"
#include "models/core/gic.h"

namespace rpsim {

class native_host_core final : public host_core, private bus_port, private tlm::tlm_bw_transport_if<> {
 public:
  native_host_core(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  ~native_host_core() override;

  /// The controller named by rpsim,interrupt-controller; during elaboration.
  void attach(gic& controller) { gic_ = &controller; }
  tlm::tlm_initiator_socket<32>* initiator() override { return &socket_; }

  bus_port& bus() override { return *this; }
  unsigned cpus() const override { return cpus_; }
  sc_core::sc_event& interrupt_event() override { return gic_->pending_event(); }
  bool interrupt_pending() const override { return !stopped_ && gic_->pending(); }
  unsigned acknowledge() override { return stopped_ ? gic::SPURIOUS : gic_->acknowledge(); }
  void end_of_interrupt(unsigned intid) override { gic_->end_of_interrupt(intid); }

  /// hang, lockup: bus accesses no longer return and no interrupt is taken. spurious_wake: nothing, as on a chip whose
  /// kernel finds no interrupt pending.
  void inject(core_fault what) override;
  bool in_wfi() const override { return false; }

  /// The memory around an address, if it can be had directly and has been reached before: what a benchmark or a bulk
  /// copy reads through. Empty otherwise, and after invalidation.
  dmi_window window(std::uint64_t address) const;

 private:
  class lease;
  struct transaction;

  bus_status read(std::uint64_t address, std::span<std::byte> data) override;
  bus_status write(std::uint64_t address, std::span<const std::byte> data) override;
  bus_status fill(std::uint64_t address, std::byte value, std::uint64_t length) override;
  std::size_t read_quietly(std::uint64_t address, std::span<std::uint32_t> registers) override;
  std::size_t write_quietly(std::uint64_t address, std::span<const std::uint32_t> registers) override;
  bus_status access(tlm::tlm_command command, std::uint64_t address, std::byte* data, std::uint64_t length);
  std::size_t access_quietly(tlm::tlm_command command, std::uint64_t address, std::uint32_t* data, std::size_t count);
  /// Over the bus; what it takes is added to `delay`.
  bus_status transact(tlm::tlm_command command, std::uint64_t address, std::byte* data, std::uint64_t length,
                      sc_core::sc_time& delay);
  /// Direct access: where the memory is and what the access costs; nullptr if it has to go over the bus.
  unsigned char* direct(tlm::tlm_command command, std::uint64_t address, std::uint64_t length, sc_core::sc_time& cost);
  void request_window(transaction& t, std::uint64_t address);
  void spend(const sc_core::sc_time& t);
  sc_core::sc_time memory_time(std::uint64_t length);

  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) override;
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override;

  tlm::tlm_initiator_socket<32> socket_;
  gic* gic_ = nullptr;
  unsigned cpus_;
  param& mmio_read_;
  param& mmio_write_;
  param& ddr_access_;
  std::vector<dmi_window> windows_;
  std::vector<std::unique_ptr<transaction>> all_;  // one for every access that is in flight at once
  std::vector<transaction*> idle_;
  bool stopped_ = false;
  sc_core::sc_event never_;
};

}  // namespace rpsim
