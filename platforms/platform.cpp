#include "platforms/platform.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "models/core/gic.h"
#include "models/core/native_host_core.h"
#include "models/interconnect/r5f_tcm.h"
#include "models/interconnect/rat.h"
#include "models/interconnect/router.h"
#include "models/memory/memory.h"
#include "models/ti_sci/device_manager.h"

namespace rpsim {

namespace {

using bool_signal = sc_core::sc_signal<bool>;
using state_signal = sc_core::sc_signal<module_state>;

/// Nodes that describe something to the host's drivers and have no hardware of their own here.
constexpr std::array DRIVER_ONLY = {
    "ti,am625-sk",      "ti,am625",
    "ti,am642-evm",     "ti,am642",
    "ti,j721e-evm",     "ti,j721e",
    "shared-dma-pool",  "ti,k2g-sci",
    "ti,sci-pm-domain", "ti,k2g-sci-clk",
    "ti,sci-reset",     "ti,am64-m4fss",
    "ti,am64-r5fss",    "ti,am64-r5f",
    "ti,j721e-r5fss",   "ti,j721e-r5f",
    "simple-bus",       "ti,j721e-c66-dsp",
    "st,stm32mp157",    "st,stm32mp1-m4-tee",
    "st,stm32mp1-m4",   "st,stm32mp151-pwr-mcu",
    "ti,j721e-c71-dsp",
};

bool describes_only(const dt::node& n) {
  if (n.parent() && n.parent().path() == "/firmware") return true;  // what runs in the secure world
  for (const std::string& c : n.compatible()) {
    if (std::find(DRIVER_ONLY.begin(), DRIVER_ONLY.end(), c) != DRIVER_ONLY.end()) return true;
  }
  return false;
}

}  // namespace

struct platform::impl {
  impl(sim_context& c, std::unique_ptr<dt::tree> t, const model_factory& f)
      : context(c), tree(std::move(t)), factory(f), bus("bus", c) {
    make_models();
    map_targets();
    bind_initiators();
    bind_interrupts();
    bind_lines();
    bind_power_and_resets();
    tie_off();
  }

  void make_models();
  void map_targets();
  void bind_initiators();
  void bind_view(model& m, unsigned view);
  template <class Translator>
  tlm::tlm_initiator_socket<32>* pass_through(model& m, tlm::tlm_initiator_socket<32>& from, const char* property);
  void bind_interrupts();
  void bind_lines();
  void bind_power_and_resets();
  void tie_off();
  /// One signal for each output, however many inputs it drives.
  void connect(line_out& from, line_in& to, const std::string& name);

  model* of(const dt::node& n) const {
    const auto it = std::find_if(models.begin(), models.end(), [&](const auto& m) { return m->node() == n; });
    return it == models.end() ? nullptr : it->get();
  }
  template <typename M>
  M* only(std::string_view what) const {
    M* found = nullptr;
    for (const auto& m : models) {
      if (auto* candidate = dynamic_cast<M*>(m.get())) {
        if (found != nullptr) candidate->node().fail(fmt::format("is a second {}: one is supported", what));
        found = candidate;
      }
    }
    return found;
  }
  /// The model whose window holds the system address.
  struct window {
    model* owner = nullptr;
    tlm::tlm_target_socket<32>* socket = nullptr;
    std::uint64_t offset = 0, left = 0;
  };
  window find_window(std::uint64_t address) const {
    for (const auto& m : models) {
      const auto regs = m->node().reg();
      for (unsigned i = 0; i < regs.size(); ++i) {
        auto* socket = m->target(i);
        if (socket != nullptr && address >= regs[i].base && address - regs[i].base < regs[i].size) {
          return {m.get(), socket, address - regs[i].base, regs[i].size - (address - regs[i].base)};
        }
      }
    }
    return {};
  }

  sim_context& context;
  std::unique_ptr<dt::tree> tree;
  const model_factory factory;
  router bus;
  std::vector<std::unique_ptr<model>> models;
  std::deque<bool_signal> lines;
  std::map<line_out*, bool_signal*> driven_by;
  bool_signal low{"tied_low"};
  state_signal on{"always_on", module_state::enable};
  native_host_core* host = nullptr;
  unsigned host_view = 0;
};

void platform::impl::make_models() {
  std::map<std::string, dt::node> by_label;
  for (const dt::node& n : tree->all_enabled()) {
    if (!n.has("compatible")) continue;
    const model_factory::creator* create = nullptr;
    for (const std::string& c : n.compatible()) {
      if (create == nullptr) create = factory.find(c);
    }
    if (create == nullptr) {
      if (describes_only(n)) continue;
      const std::string wanted = n.compatible().front();
      const std::string near = nearest(wanted, factory.compatibles());
      n.fail("compatible", fmt::format("\"{}\" names no model{}", wanted,
                                       near.empty() ? "" : fmt::format(": did you mean \"{}\"?", near)));
    }
    const std::string label = n.label();
    if (!by_label.emplace(label, n).second) {
      n.fail(fmt::format("is a second instance called {}: give it a label of its own", label));
    }
    try {
      models.push_back((*create)(label.c_str(), context, n));
    } catch (const dt::error&) {
      throw;
    } catch (const std::exception& e) {
      n.fail(e.what());
    }
  }
  host = only<native_host_core>("host core");
  if (host == nullptr) tree->root().fail("has no host core (compatible \"rpsim,host-core\")");
  const auto controllers = host->node().phandles("rpsim,interrupt-controller");
  auto* controller = controllers.size() == 1 ? dynamic_cast<gic*>(of(controllers[0])) : nullptr;
  if (controller == nullptr) host->node().fail("rpsim,interrupt-controller", "must name one arm,gic-v3");
  host->attach(*controller);
}

void platform::impl::map_targets() {
  for (const auto& m : models) {
    const auto regs = m->node().reg();
    for (unsigned i = 0; i < regs.size(); ++i) {
      auto* socket = m->target(i);
      if (socket == nullptr) continue;
      if (regs[i].size == 0) m->node().fail("reg", "has an empty window");
      try {
        bus.map(regs[i].base, regs[i].size, *socket, 0, m->label());
      } catch (const std::invalid_argument& e) {
        m->node().fail("reg", e.what());
      }
    }
  }
}

void platform::impl::bind_view(model& m, unsigned view) {
  const auto cells = m.node().cells("rpsim,view");
  if (cells.size() % 4 != 0)
    m.node().fail("rpsim,view", "takes four cells a window: own address, system address (2), size");
  for (std::size_t i = 0; i < cells.size(); i += 4) {
    const std::uint64_t system = (std::uint64_t{cells[i + 1]} << 32) | cells[i + 2];
    const std::uint64_t size = cells[i + 3];
    const window w = find_window(system);
    if (w.socket == nullptr || w.left < size) {
      m.node().fail("rpsim,view", fmt::format("window {:#x} (+{:#x}) is not inside one model", system, size));
    }
    try {
      bus.map(view, cells[i], size, *w.socket, w.offset, w.owner->label());
    } catch (const std::invalid_argument& e) {
      m.node().fail("rpsim,view", e.what());
    }
  }
}

/// What stands between the core and the bus; the side of it that leads on.
template <class Translator>
tlm::tlm_initiator_socket<32>* platform::impl::pass_through(model& m, tlm::tlm_initiator_socket<32>& from,
                                                            const char* property) {
  const auto named = m.node().phandles(property);
  if (named.empty()) return &from;
  auto* translator = dynamic_cast<Translator*>(of(named[0]));
  if (translator == nullptr) m.node().fail(property, "does not name one");
  from.bind(translator->upstream());
  return translator->initiator();
}

void platform::impl::bind_initiators() {
  for (const auto& m : models) {
    auto* initiator = m->initiator();
    if (initiator == nullptr || dynamic_cast<rat*>(m.get()) != nullptr || dynamic_cast<r5f_tcm*>(m.get()) != nullptr)
      continue;
    const unsigned view = bus.add_view(m->label());
    if (m.get() == host) host_view = view;
    initiator = pass_through<r5f_tcm>(*m, *initiator, "rpsim,tcm-view");
    initiator = pass_through<rat>(*m, *initiator, "rpsim,rat");
    initiator->bind(bus.view(view));
    bind_view(*m, view);
  }
}

void platform::impl::bind_interrupts() {
  std::set<line_in*> driven;
  for (const auto& m : models) {
    const auto indices = m->node().cells("rpsim,outputs");
    const auto sinks = m->node().references("rpsim,outputs-extended", "#interrupt-cells");
    if (indices.size() != sinks.size()) {
      m->node().fail("rpsim,outputs",
                     fmt::format("names {} outputs, rpsim,outputs-extended {} inputs", indices.size(), sinks.size()));
    }
    for (std::size_t i = 0; i < indices.size(); ++i) {
      line_out* from = m->output("irq", indices[i]);
      if (from == nullptr)
        m->node().fail("rpsim,outputs", fmt::format("{} is not an output of {}", indices[i], m->label()));
      model* controller = of(sinks[i].target);
      // GIC specifiers are <0 SPI flags>; interrupt id = 32 + SPI. Everything else counts its inputs from 0.
      const auto& args = sinks[i].args;
      const unsigned input = args.size() == 3 ? 32 + args[1] : args.empty() ? 0 : args[0];
      line_in* to = controller == nullptr ? nullptr : controller->input("irq", input);
      if (to == nullptr) {
        m->node().fail("rpsim,outputs-extended",
                       fmt::format("{} has no interrupt input {}", sinks[i].target.path(), input));
      }
      if (!driven.insert(to).second) {
        m->node().fail("rpsim,outputs-extended",
                       fmt::format("input {} of {} is driven twice", input, sinks[i].target.path()));
      }
      connect(*from, *to, fmt::format("{}_irq{}", m->label(), indices[i]));
    }
  }
}

void platform::impl::connect(line_out& from, line_in& to, const std::string& name) {
  bool_signal*& signal = driven_by[&from];
  if (signal == nullptr) {
    signal = &lines.emplace_back(name.c_str());
    from.bind(*signal);
  }
  to.bind(*signal);
}

void platform::impl::bind_lines() {
  for (const auto& m : models) {
    const dt::node n = m->node();
    const auto names = n.strings("rpsim,line-names");
    const auto sinks = n.references("rpsim,lines", "#rpsim,line-cells");
    if (names.size() != sinks.size()) {
      n.fail("rpsim,lines", fmt::format("has {} entries, rpsim,line-names {}", sinks.size(), names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      line_out* from = m->output(names[i], 0);
      model* target = of(sinks[i].target);
      line_in* to = target == nullptr ? nullptr : target->input(names[i], sinks[i].args.empty() ? 0 : sinks[i].args[0]);
      if (from == nullptr) n.fail("rpsim,line-names", fmt::format("{} is not an output of {}", names[i], m->label()));
      if (to == nullptr) n.fail("rpsim,lines", fmt::format("{} has no input {}", sinks[i].target.path(), names[i]));
      connect(*from, *to, fmt::format("{}_{}", m->label(), names[i]));
    }
    // Only cores that execute instructions have SEV and WFE.
    for (const dt::node& other : n.phandles("rpsim,event")) {
      model* target = of(other);
      if (target == nullptr) n.fail("rpsim,event", fmt::format("{} is no core", other.path()));
      line_out* from = m->output("event", 0);
      line_in* to = from == nullptr ? nullptr : target->input("event", 0);
      if (to != nullptr) connect(*from, *to, fmt::format("{}_event", m->label()));
    }
    if (const auto held = n.references("rpsim,local-reset", "#rpsim,line-cells"); !held.empty()) {
      const unsigned index = held[0].args.empty() ? 0 : held[0].args[0];
      model* source = of(held[0].target);
      line_out* from = source == nullptr ? nullptr : source->output("local-reset", index);
      line_in* to = m->input("local-reset", 0);
      if (from == nullptr)
        n.fail("rpsim,local-reset", fmt::format("{} has no local reset {}", held[0].target.path(), index));
      if (to == nullptr) n.fail("rpsim,local-reset", fmt::format("{} has no reset input", m->label()));
      connect(*from, *to, fmt::format("{}_local_reset", m->label()));
    }
  }
}

void platform::impl::bind_power_and_resets() {
  auto* dm = only<device_manager>("device manager");
  for (const auto& m : models) {
    const dt::node n = m->node();
    const auto domain = n.references("power-domains", "#power-domain-cells");
    if (auto* port = m->power(); port != nullptr && !domain.empty()) {
      const unsigned device = domain[0].args.empty() ? 0 : domain[0].args[0];
      if (dm == nullptr || !dm->has_device(device)) {
        n.fail("power-domains", fmt::format("device {} is not one of the device manager's", device));
      }
      port->bind(dm->module_line(device));
    } else if (port != nullptr) {
      port->bind(on);
    }
    const auto reset = n.references("resets", "#reset-cells");
    if (line_in* port = m->input("local-reset", 0); port != nullptr && !reset.empty()) {
      const unsigned device = reset[0].args.empty() ? 0 : reset[0].args[0];
      if (dm == nullptr || !dm->has_device(device)) {
        n.fail("resets", fmt::format("device {} is not one of the device manager's", device));
      }
      port->bind(dm->local_reset_line(device));
    }
  }
  if (dm == nullptr) return;
  for (const dt::node& p : dm->node().child("processors").children()) {
    const auto cores = p.phandles("rpsim,core");
    model* c = cores.size() == 1 ? of(cores[0]) : nullptr;
    line_out* wfi = c == nullptr ? nullptr : c->output("wfi", 0);
    if (wfi == nullptr) p.fail("rpsim,core", "must name a core with a WFI line");
    bool_signal& signal = lines.emplace_back(fmt::format("{}_wfi", c->label()).c_str());
    wfi->bind(signal);
    dm->wfi_input(p.required_u32("rpsim,processor-id")).bind(signal);
    processor& settings = *dm->find_processor(c->node());
    if (c->node().is_compatible("arm,cortex-r5f")) {
      for (processor::strap& strap : settings.straps()) {
        if (line_in* pin = c->input(strap.input, 0); pin != nullptr) pin->bind(strap.line);
      }
    }
    for (const dt::node& tcm : c->node().phandles("rpsim,tcm-view")) {
      dynamic_cast<r5f_tcm&>(*of(tcm)).config().bind(settings.config_line());
    }
  }
}

void platform::impl::tie_off() {
  for (const auto& m : models) {
    // A window that no initiator can reach, a bus master without a bus: something is missing in the node.
    for (unsigned i = 0; m->target(i) != nullptr; ++i) {
      if (m->target(i)->get_base_port().bind_count() == 0) {
        m->node().fail(fmt::format("is on no bus: `reg` lacks entry {}", i));
      }
    }
    if (auto* initiator = m->initiator(); initiator != nullptr && initiator->get_base_port().bind_count() == 0) {
      m->node().fail("leads nowhere: no core names it");
    }
    if (auto* tcm = dynamic_cast<r5f_tcm*>(m.get()); tcm != nullptr && tcm->config().bind_count() == 0) {
      m->node().fail("has no boot configuration: its core is no processor of the device manager");
    }
    for (sc_core::sc_object* child : m->get_child_objects()) {
      if (auto* in = dynamic_cast<line_in*>(child); in != nullptr && in->bind_count() == 0) in->bind(low);
      if (auto* out = dynamic_cast<line_out*>(child); out != nullptr && out->bind_count() == 0) {
        out->bind(lines.emplace_back(sc_core::sc_gen_unique_name("open")));
      }
    }
  }
}

platform::platform(sim_context& context, std::unique_ptr<dt::tree> tree)
    : platform(context, std::move(tree), [] {
        model_factory f;
        register_models(f);
        return f;
      }()) {}
platform::platform(sim_context& context, std::unique_ptr<dt::tree> tree, const model_factory& factory)
    : impl_(std::make_unique<impl>(context, std::move(tree), factory)) {}
platform::~platform() = default;

const dt::tree& platform::tree() const { return *impl_->tree; }
host_core& platform::host() { return *impl_->host; }

model* platform::find(std::string_view label) {
  for (const auto& m : impl_->models) {
    if (m->label() == label) return m.get();
  }
  return nullptr;
}

core* platform::find_core(std::string_view label) {
  auto* c = dynamic_cast<core*>(find(label));
  return c == impl_->host ? nullptr : c;
}

std::vector<core*> platform::cores() {
  std::vector<core*> list;
  for (const auto& m : impl_->models) {
    if (auto* c = dynamic_cast<core*>(m.get()); c != nullptr && c != impl_->host) list.push_back(c);
  }
  return list;
}

std::vector<model*> platform::models() {
  std::vector<model*> list;
  for (const auto& m : impl_->models) list.push_back(m.get());
  return list;
}

memory* platform::memory_at(std::uint64_t system_address) {
  return dynamic_cast<memory*>(impl_->find_window(system_address).owner);
}

bool platform::debug_read(std::uint64_t system_address, void* to, std::size_t length) {
  tlm::tlm_generic_payload p;
  p.set_command(tlm::TLM_READ_COMMAND);
  p.set_address(system_address);
  p.set_data_ptr(static_cast<unsigned char*>(to));
  p.set_data_length(static_cast<unsigned>(length));
  p.set_streaming_width(static_cast<unsigned>(length));
  return impl_->bus.transport_debug(impl_->host_view, p) == length;
}

bool platform::debug_write(std::uint64_t system_address, const void* from, std::size_t length) {
  tlm::tlm_generic_payload p;
  p.set_command(tlm::TLM_WRITE_COMMAND);
  p.set_address(system_address);
  p.set_data_ptr(static_cast<unsigned char*>(const_cast<void*>(from)));
  p.set_data_length(static_cast<unsigned>(length));
  p.set_streaming_width(static_cast<unsigned>(length));
  return impl_->bus.transport_debug(impl_->host_view, p) == length;
}

std::vector<platform_entry> list_platforms(const std::string& directory) {
  std::vector<platform_entry> list;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory, error)) {
    if (file.path().extension() != ".dts") continue;
    const auto tree = dt::tree::compile(file.path().string());
    list.push_back({file.path().stem().string(), file.path().string(), tree->root().string("model").value_or("")});
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

}  // namespace rpsim
