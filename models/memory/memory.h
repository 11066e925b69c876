#pragma once
// DDR and on-chip RAM. The bytes live in a private anonymous mapping: pages that were never touched cost nothing, and a
// forked run has its own copy. One `reg` entry, one bus target.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/common/model.h"

namespace rpsim {

/// Bursts of any length, byte enables, direct memory access. An access past the end is an address error.
/// Property: read-only, a ROM: a write is a bus error, also a debugger's; only debug_write() changes what it holds, and
/// loss of power does not. Parameters: <label>.latency, per access. Events: bus.error, memory.write.
class memory : public model, private target_port::handler {
 public:
  static constexpr std::uint64_t PAGE_BYTES = 4096;

  ~memory() override;
  memory(const memory&) = delete;
  memory& operator=(const memory&) = delete;

  tlm::tlm_target_socket<32>* target(unsigned index) override { return index == 0 ? &port_ : nullptr; }
  std::uint64_t size() const { return size_; }

  /// From now on each write that overlaps [offset, offset + size) emits memory.write {region, offset, size, by}, one
  /// event per watch, clipped to the watch and counted from its start. Direct access is withheld from the 4 KiB pages
  /// that the watch touches, and taken back where it was given.
  /// @throws std::out_of_range if the range is empty or not inside the memory.
  void add_watch(std::uint64_t offset, std::uint64_t size, std::string name);
  /// Every watch of that name.
  void remove_watch(std::string_view name);

  /// For checks, dumps and debuggers: no time, no event, no watch. @return false outside the memory or without power.
  bool debug_read(std::uint64_t offset, void* to, std::size_t length) const;
  bool debug_write(std::uint64_t offset, const void* from, std::size_t length);

 protected:
  memory(sc_core::sc_module_name name, sim_context& context, const dt::node& node, sc_core::sc_time latency,
         const char* latency_source);

  /// The port that says what its module does; nullptr, as at first: always on.
  void powered_by(const sc_core::sc_in<module_state>* port) { fed_by_ = port; }
  module_state state() const { return fed_by_ == nullptr ? module_state::enable : fed_by_->read(); }
  void take_back_direct_access();
  bool read_only() const { return read_only_; }
  /// Fills everything with the word; 0 gives the pages back.
  void lose_content(std::uint32_t pattern);

 private:
  struct watch {
    std::uint64_t first, last;
    std::string name;
  };

  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_debug(tlm::tlm_generic_payload& payload) override;
  bool direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
  bool holds(std::uint64_t offset, std::uint64_t length) const { return offset <= size_ && length <= size_ - offset; }
  void refuse(tlm::tlm_generic_payload& payload);
  void report(std::uint64_t offset, std::uint64_t length, const char* by);

  std::uint64_t size_;
  const bool read_only_;
  std::byte* bytes_;
  param& latency_;
  const sc_core::sc_in<module_state>* fed_by_ = nullptr;
  std::vector<watch> watches_;
  bool dmi_granted_ = false;
  target_port port_;
};

/// "rpsim,ddr": always on.
class ddr final : public memory {
 public:
  ddr(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
};

/// "rpsim,sram": on-chip RAM or a core's tightly coupled memory. It answers while its module is in `enable` and keeps
/// its content in every state but `off` (reference/k3.md §3.5); a core's local reset does not concern it. Parameter:
/// <label>.lost_content, the word that it holds after `off` (default 0: what was there reads as zeros).
class sram final : public memory {
 public:
  sram(sc_core::sc_module_name name, sim_context& context, const dt::node& node);
  sc_core::sc_in<module_state>* power() override { return &power_; }

 private:
  void power_changed();

  param& lost_content_;
  sc_core::sc_in<module_state> power_{"power"};
};

}  // namespace rpsim
