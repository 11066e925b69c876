#pragma once
// What the platform sees of a model: one bus target per `reg` entry, boolean lines by name, and the state of the
// power-sleep controller module it sits in. The platform reads the device tree and binds these; a model never looks
// another one up.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <systemc>
#include <tlm>

#include "models/common/context.h"
#include "models/common/device_tree.h"

namespace rpsim {

/// State of the module (K3: LPSC) that feeds a block's clock and module reset. A block answers the bus only in
/// `enable`; memories keep their content in every state but `off`. (reference/k3.md §3.5)
enum class module_state : std::uint8_t { off, sw_rst_disable, sync_reset, disable, enable, trans };
const char* to_string(module_state s);
inline std::ostream& operator<<(std::ostream& os, module_state s) { return os << to_string(s); }
/// sc_signal and sc_in want one. A waveform shows the state's number.
inline void sc_trace(sc_core::sc_trace_file* file, const module_state& s, const std::string& name) {
  sc_core::sc_trace(file, reinterpret_cast<const unsigned char&>(s), name);
}
/// The module's reset is asserted (or its power is off): registers return to their reset values.
constexpr bool in_module_reset(module_state s) {
  return s == module_state::off || s == module_state::sw_rst_disable || s == module_state::sync_reset;
}

using line_in = sc_core::sc_in<bool>;
using line_out = sc_core::sc_out<bool>;

/// Base of every model that the platform builds from a device-tree node. The instance's name is the node's label.
class model : public sc_core::sc_module {
 public:
  model(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
      : sc_module(name), context_(context), node_(node), label_(basename()) {}

  const std::string& label() const { return label_; }
  const dt::node& node() const { return node_; }

  /// The socket behind `reg` entry `index`, or nullptr if that entry is not a bus window of this model.
  virtual tlm::tlm_target_socket<32>* target([[maybe_unused]] unsigned index) { return nullptr; }
  /// Bus masters only.
  virtual tlm::tlm_initiator_socket<32>* initiator() { return nullptr; }

  /// Level output / input `index` of the kind `what`: "irq" (an interrupt output or a controller's input),
  /// "wfi", "reset-request", "local-reset" … nullptr if the model has none. Ports may be created on demand, during
  /// elaboration only. The platform ties off inputs that nothing drives.
  virtual line_out* output([[maybe_unused]] std::string_view what, [[maybe_unused]] unsigned index) { return nullptr; }
  virtual line_in* input([[maybe_unused]] std::string_view what, [[maybe_unused]] unsigned index) { return nullptr; }
  /// The module that feeds this block; nullptr for a block that is always on.
  virtual sc_core::sc_in<module_state>* power() { return nullptr; }

 protected:
  sim_context& context() { return context_; }
  rpsim::trace& events() { return context_.trace; }
  void emit(std::string_view name, std::initializer_list<field> fields = {}) {
    context_.trace.emit(label_, name, fields);
  }

 private:
  sim_context& context_;
  dt::node node_;
  std::string label_;
};

/// Makes models from `compatible` strings. Filled explicitly by platforms/models.cpp (no static registration).
class model_factory {
 public:
  using creator = std::function<std::unique_ptr<model>(const char* name, sim_context&, const dt::node&)>;
  void add(std::string compatible, creator c) { creators_[std::move(compatible)] = std::move(c); }
  template <typename M>
  void add(std::string compatible) {
    add(std::move(compatible), [](const char* name, sim_context& context, const dt::node& node) {
      return std::make_unique<M>(name, context, node);
    });
  }
  const creator* find(std::string_view compatible) const {
    const auto it = creators_.find(compatible);
    return it == creators_.end() ? nullptr : &it->second;
  }
  std::vector<std::string> compatibles() const {
    std::vector<std::string> names;
    for (const auto& [name, c] : creators_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, creator, std::less<>> creators_;
};

/// Who started a transaction, for routing-independent diagnostics. Every core attaches one to its payloads for good.
struct initiator_extension final : tlm::tlm_extension<initiator_extension> {
  const char* name = "?";
  tlm_extension_base* clone() const override { return new initiator_extension(*this); }
  void copy_from(const tlm_extension_base& other) override {
    name = static_cast<const initiator_extension&>(other).name;
  }
};
inline const char* initiator_name(const tlm::tlm_generic_payload& payload) {
  const auto* e = payload.get_extension<initiator_extension>();
  return e != nullptr ? e->name : "?";
}

/// A target socket with its transport interface in one object: the owner gives three functions. Leaner than the
/// tlm_utils sockets (no processes, no payload-event queue) and several fit in one module.
class target_port final : public tlm::tlm_target_socket<32>, private tlm::tlm_fw_transport_if<> {
 public:
  /// A block of registers or memory behind a target_port.
  class handler {
   public:
    virtual ~handler() = default;
    /// Annotates `delay`, never waits. Sets the response status.
    virtual void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) = 0;
    virtual unsigned transport_debug(tlm::tlm_generic_payload&) { return 0; }
    virtual bool direct_memory(tlm::tlm_generic_payload&, tlm::tlm_dmi&) { return false; }
  };
  target_port(const char* name, handler& h) : tlm_target_socket<32>(name), handler_(h) {
    this->bind(*static_cast<tlm::tlm_fw_transport_if<>*>(this));
  }

 private:
  void b_transport(tlm::tlm_generic_payload& p, sc_core::sc_time& t) override { handler_.transport(p, t); }
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& p, tlm::tlm_phase&, sc_core::sc_time& t) override {
    handler_.transport(p, t);
    return tlm::TLM_COMPLETED;
  }
  unsigned transport_dbg(tlm::tlm_generic_payload& p) override { return handler_.transport_debug(p); }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& p, tlm::tlm_dmi& d) override {
    return handler_.direct_memory(p, d);
  }
  handler& handler_;
};

/// The answer to an access that nobody or nothing answers: sets the response and emits `bus.error`.
void bus_error(sim_context& context, std::string_view source, tlm::tlm_generic_payload& payload,
               tlm::tlm_response_status status, std::string_view reason);

/// An answered access to a register that the block has in name only: `unmodelled.access`, at detail level. `locked`: a
/// write that a lock kept out.
void unmodelled_access(sim_context& context, std::string_view source, const tlm::tlm_generic_payload& payload,
                       std::string_view register_name = {}, bool locked = false);

}  // namespace rpsim
