#pragma once
// Processor ownership and boot settings (PROC_BOOT). On AM62x these requests end at TIFS, to which the device manager
// forwards them. (reference/k3.md §3.6, §3.7)

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/common/model.h"
#include "models/ti_sci/verdict.h"

namespace rpsim {

/// One entry of the `processors` node.
class processor {
 public:
  processor(sim_context& context, std::string source, const dt::node& node);

  unsigned id() const { return id_; }
  const std::string& name() const { return name_; }
  const dt::node& core() const { return core_; }
  sc_core::sc_in<bool>& wfi() { return wfi_; }
  std::uint64_t boot_vector() const { return boot_vector_; }
  std::uint32_t config() const { return config_; }
  std::uint32_t control() const { return control_; }
  /// The WFI flag is the core's line and nothing else; a flag that `rpsim,status` does not list reads 0. The second
  /// core of a cluster in lockstep shows what the first one does.
  std::uint32_t status() const;

  /// What follows from CONFIG and CONTROL for the pins of an R5F; each changes a delta after the request. `halt`: the
  /// CPU does not begin to execute when its reset is released. In lockstep the first core begins when neither is
  /// halted; the second one executes nothing of its own then, and nothing at all in single-core mode.
  struct strap {
    const char* input;  // of the core
    sc_core::sc_signal<bool, sc_core::SC_MANY_WRITERS> line;
  };
  std::array<strap, 5>& straps() { return straps_; }
  using config_signal = sc_core::sc_signal<std::uint32_t, sc_core::SC_MANY_WRITERS>;
  config_signal& config_line() { return config_line_; }
  /// What a boot loader did before the host's software came: settings without an owner. From a process.
  void boot(std::uint64_t boot_vector, std::uint32_t config, bool halted);

  verdict request(unsigned host);
  verdict release(unsigned host);
  /// Nobody's again, if it was that host's.
  void forget(unsigned host);
  verdict hand_over(unsigned host, unsigned to);
  /// Bits of `set` first, then those of `clear`.
  verdict set_config(unsigned host, std::uint64_t boot_vector, std::uint32_t set, std::uint32_t clear);
  verdict set_control(unsigned host, std::uint32_t set, std::uint32_t clear);
  /// Whether a host that does not own the processor may read its status is unconfirmed: permitted hosts may.
  verdict readable_by(unsigned host) const;

 private:
  /// The flags that a kind of core has.
  struct kind {
    const char* compatible;
    std::uint32_t config, control, status;
    bool r5f;
  };
  static const kind& kind_of(const dt::node& core);
  friend class processor_table;
  void pair_with(processor& second);
  bool in_lockstep() const;
  void drive_lines();
  void drive_cluster();
  bool permits(unsigned host) const;
  verdict owned_by(unsigned host) const;
  void own(std::optional<unsigned> host);

  sim_context& context_;
  std::string source_;
  unsigned id_;
  std::string name_;
  dt::node core_;
  const kind& kind_;
  bool second_core_;
  processor *first_ = nullptr, *second_ = nullptr;  // the other core of an R5F's cluster
  std::vector<std::uint32_t> hosts_;
  std::uint32_t status_flags_ = 0;  // that exist
  std::optional<unsigned> owner_;
  std::uint64_t boot_vector_ = 0;
  std::uint32_t config_, control_ = 0;
  config_signal config_line_;
  std::array<strap, 5> straps_;
  sc_core::sc_in<bool> wfi_;
};

class processor_table {
 public:
  processor_table(sim_context& context, const std::string& source, const dt::node& device_manager);
  processor* find(unsigned id);
  /// By the core that it is.
  processor* find(const dt::node& core);
  const std::map<unsigned, std::unique_ptr<processor>>& all() const { return processors_; }

 private:
  std::map<unsigned, std::unique_ptr<processor>> processors_;
};

}  // namespace rpsim
