#include "models/ti_sci/processors.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/ti_sci/ti_sci_protocol.h"

namespace rpsim {

namespace {

constexpr struct {
  const char* name;
  std::uint32_t flag;
} STATUS_FLAGS[] = {{"wfe", ti_sci::STATUS_WFE},
                    {"wfi", ti_sci::STATUS_WFI},
                    {"lockstep-permitted", ti_sci::STATUS_R5F_LOCKSTEP_PERMITTED},
                    {"single-core-only", ti_sci::STATUS_R5F_SINGLE_CORE_ONLY}};

// Fuses: what the status says of them never changes.
constexpr std::uint32_t FUSED = ti_sci::STATUS_R5F_LOCKSTEP_PERMITTED | ti_sci::STATUS_R5F_SINGLE_CORE_ONLY;

}  // namespace

const processor::kind& processor::kind_of(const dt::node& core) {
  using namespace ti_sci;
  // CONFIG, CONTROL, STATUS of reference/k3.md §3.7. The R5F's control bits 1 and 2 are TIFS's own.
  static constexpr kind KINDS[] = {
      {"arm,cortex-m4f", 0x3, 0, STATUS_WFI, false},
      {"arm,cortex-r5f", 0xFF03, CONTROL_R5F_CORE_HALT, STATUS_WFE | STATUS_WFI | FUSED, true},
      {"arm,cortex-a53", 0x10F, 0x103, STATUS_WFE | STATUS_WFI, false},
      {"arm,cortex-a72", 0x10F, 0x103, STATUS_WFE | STATUS_WFI, false},
      {"ti,c71x", 0xFF, 0, STATUS_WFE | STATUS_WFI, false},
      {"ti,c66x", 0x7, 0, 0, false},
  };
  const auto it =
      std::find_if(std::begin(KINDS), std::end(KINDS), [&](const kind& k) { return core.is_compatible(k.compatible); });
  if (it == std::end(KINDS)) core.fail("compatible", "no processor that TI-SCI's PROC_BOOT knows");
  return *it;
}

processor::processor(sim_context& context, std::string source, const dt::node& node)
    : context_(context),
      source_(std::move(source)),
      id_(node.required_u32("rpsim,processor-id")),
      name_(node.base_name()),
      core_([&] {
        const auto cores = node.phandles("rpsim,core");
        if (cores.size() != 1) node.fail("rpsim,core", "one phandle of a core is wanted");
        return cores.front();
      }()),
      kind_(kind_of(core_)),
      second_core_(node.has("rpsim,second-core")),
      hosts_(node.cells("rpsim,hosts")),
      // Out of power-on reset: ATCM off, BTCM on, ATCM's place at 0 (reference/k3.md §4.2).
      config_(kind_.r5f ? ti_sci::CONFIG_R5F_BTCM_EN | ti_sci::CONFIG_R5F_TCM_RSTBASE : 0),
      config_line_((name_ + "_config").c_str(), config_),
      straps_{{{"halt", {(name_ + "_halt").c_str(), false}},
               {"loczrama", {(name_ + "_loczrama").c_str(), true}},
               {"atcm-enable", {(name_ + "_atcm_enable").c_str(), false}},
               {"btcm-enable", {(name_ + "_btcm_enable").c_str(), true}},
               {"teinit", {(name_ + "_teinit").c_str(), false}}}},
      wfi_((name_ + "_wfi").c_str()) {
  if (id_ > 0xFF) node.fail("rpsim,processor-id", "a processor id has 8 bits");
  for (const std::string& flag : node.strings("rpsim,status")) {
    const auto it =
        std::find_if(std::begin(STATUS_FLAGS), std::end(STATUS_FLAGS), [&](const auto& f) { return flag == f.name; });
    if (it == std::end(STATUS_FLAGS) || (it->flag & kind_.status) == 0) {
      node.fail("rpsim,status", fmt::format("a {} has no status flag \"{}\"", kind_.compatible, flag));
    }
    status_flags_ |= it->flag;
  }
}

std::uint32_t processor::status() const {
  std::uint32_t s = status_flags_ & FUSED;
  const bool wfi = first_ != nullptr && in_lockstep() ? first_->wfi_.read() : wfi_.read();
  if (wfi) s |= status_flags_ & ti_sci::STATUS_WFI;
  return s;
}

void processor::pair_with(processor& second) {
  second_ = &second;
  second.first_ = this;
}

bool processor::in_lockstep() const {
  const processor& first = first_ != nullptr ? *first_ : *this;
  return (first.config_ & ti_sci::CONFIG_R5F_LOCKSTEP) != 0;
}

void processor::drive_lines() {
  using namespace ti_sci;
  const auto halted = [](const processor& p) { return (p.control_ & CONTROL_R5F_CORE_HALT) != 0; };
  config_line_.write(config_);
  bool halt = halted(*this);
  if (first_ != nullptr) {
    halt = halt || (first_->config_ & (CONFIG_R5F_LOCKSTEP | CONFIG_R5F_SINGLE_CORE)) != 0;
  } else {
    halt = halt || (second_ != nullptr && in_lockstep() && halted(*second_));
  }
  const bool values[] = {halt, (config_ & CONFIG_R5F_TCM_RSTBASE) != 0, (config_ & CONFIG_R5F_ATCM_EN) != 0,
                         (config_ & CONFIG_R5F_BTCM_EN) != 0, (config_ & CONFIG_R5F_TEINIT) != 0};
  for (std::size_t i = 0; i < straps_.size(); ++i) straps_[i].line.write(values[i]);
}

void processor::drive_cluster() {
  drive_lines();
  if (first_ != nullptr) first_->drive_lines();
  if (second_ != nullptr) second_->drive_lines();
}

void processor::boot(std::uint64_t boot_vector, std::uint32_t config, bool halted) {
  boot_vector_ = boot_vector;
  config_ = config & kind_.config;
  control_ = halted ? ti_sci::CONTROL_R5F_CORE_HALT & kind_.control : 0;
  drive_cluster();
}

bool processor::permits(unsigned host) const { return std::find(hosts_.begin(), hosts_.end(), host) != hosts_.end(); }

verdict processor::owned_by(unsigned host) const {
  if (!owner_) return nack("nobody owns the processor");
  if (*owner_ != host) return nack(fmt::format("host {} owns the processor", *owner_));
  return {};
}

verdict processor::readable_by(unsigned host) const {
  if (!permits(host) && owner_ != host) return nack(fmt::format("host {} is not permitted", host));
  return {};
}

void processor::own(std::optional<unsigned> host) {
  const unsigned who = host ? *host : *owner_;
  owner_ = host;
  context_.trace.emit(source_, host ? "proc.request" : "proc.release",
                      {{"processor", id_}, {"name", name_}, {"host", who}});
}

verdict processor::request(unsigned host) {
  if (owner_) return nack(fmt::format("host {} owns the processor", *owner_));
  if (!permits(host)) return nack(fmt::format("host {} is not permitted", host));
  own(host);
  return {};
}

verdict processor::release(unsigned host) {
  if (verdict v = owned_by(host); !v) return v;
  own(std::nullopt);
  return {};
}

void processor::forget(unsigned host) {
  if (owner_ == host) own(std::nullopt);
}

verdict processor::hand_over(unsigned host, unsigned to) {
  if (verdict v = owned_by(host); !v) return v;
  if (!permits(to)) return nack(fmt::format("host {} is not permitted", to));
  own(std::nullopt);
  own(to);
  return {};
}

verdict processor::set_config(unsigned host, std::uint64_t boot_vector, std::uint32_t set, std::uint32_t clear) {
  using namespace ti_sci;
  if (verdict v = owned_by(host); !v) return v;
  if (const std::uint32_t unknown = (set | clear) & ~kind_.config; unknown != 0) {
    return nack(fmt::format("a {} has no config bits {:#x}", kind_.compatible, unknown));
  }
  if (kind_.r5f) {
    if (((set | clear) & CONFIG_R5F_LOCKSTEP) != 0 && (status_flags_ & STATUS_R5F_LOCKSTEP_PERMITTED) == 0) {
      return nack("fuses permit no lockstep");
    }
    if (second_core_ && ((set | clear) & (CONFIG_R5F_LOCKSTEP | CONFIG_R5F_SINGLE_CORE | CONFIG_R5F_TEINIT)) != 0) {
      return nack("lockstep, single core and Thumb exceptions are set on core 0");
    }
  }
  boot_vector_ = boot_vector;
  config_ = (config_ | set) & ~clear;
  drive_cluster();
  return {};
}

verdict processor::set_control(unsigned host, std::uint32_t set, std::uint32_t clear) {
  if (verdict v = owned_by(host); !v) return v;
  if (const std::uint32_t unknown = (set | clear) & ~kind_.control; unknown != 0) {
    return nack(fmt::format("a {} has no control bits {:#x}", kind_.compatible, unknown));
  }
  control_ = (control_ | set) & ~clear;
  drive_cluster();
  return {};
}

processor_table::processor_table(sim_context& context, const std::string& source, const dt::node& device_manager) {
  const dt::node section = device_manager.child("processors");
  if (!section) return;
  for (const dt::node& n : section.children()) {
    auto p = std::make_unique<processor>(context, source, n);
    const unsigned id = p->id();
    if (!processors_.emplace(id, std::move(p)).second) {
      n.fail("rpsim,processor-id", fmt::format("processor {:#x} is there twice", id));
    }
  }
  for (const dt::node& n : section.children()) {
    if (!n.has("rpsim,second-core")) continue;
    const auto firsts = n.phandles("rpsim,second-core");
    processor* const first = firsts.size() == 1 ? find(firsts.front()) : nullptr;
    processor* const second = find(n.required_u32("rpsim,processor-id"));
    if (first == nullptr || first == second) n.fail("rpsim,second-core", "must name the core of the first processor");
    first->pair_with(*second);
  }
}

processor* processor_table::find(const dt::node& core) {
  const auto it = std::ranges::find_if(processors_, [&](const auto& p) { return p.second->core() == core; });
  return it == processors_.end() ? nullptr : it->second.get();
}

processor* processor_table::find(unsigned id) {
  const auto it = processors_.find(id);
  return it == processors_.end() ? nullptr : it->second.get();
}

}  // namespace rpsim
