#include "models/ti_sci/devices.h"

#include <fmt/format.h>

#include <bit>

namespace rpsim {

managed_device::managed_device(sim_context& context, std::string source, const dt::node& node, rpsim::lpsc& module)
    : context_(context),
      source_(std::move(source)),
      id_(node.required_u32("rpsim,device-id")),
      name_(node.base_name()),
      module_(module),
      holders_(node.has("rpsim,boot-on") ? host_bit(POWER_UP_HOST) : 0) {}

verdict managed_device::modifiable_by(unsigned host) const {
  if (exclusive_ && *exclusive_ != host) return nack(fmt::format("host {} has the device exclusively", *exclusive_));
  return {};
}

verdict managed_device::set(unsigned host, device_request what, bool exclusive) {
  if (verdict v = modifiable_by(host); !v) return v;
  const std::uint64_t others = holders_ & ~host_bit(host) & ~host_bit(POWER_UP_HOST);
  if (exclusive && others != 0) {
    return nack(fmt::format("not exclusive: host {} has the device enabled", std::countr_zero(others)));
  }
  // A request without the flag ends exclusivity.
  exclusive_ = exclusive ? std::optional<unsigned>(host) : std::nullopt;
  // The first request of any host ends the power-up reference; ON keeps retention, which every AUTO_OFF ends.
  const bool on = what == device_request::on;
  hold(on ? others | host_bit(host) : others, what != device_request::auto_off);
  return {};
}

void managed_device::boot(std::uint64_t hosts) { hold(holders_ | hosts, retention_); }

void managed_device::drop_power_up_reference() { hold(holders_ & ~host_bit(POWER_UP_HOST), retention_); }

void managed_device::hold(std::uint64_t holders, bool retention) {
  const std::uint64_t changed = holders ^ holders_;
  const int enabled = int{holders != 0} - int{holders_ != 0};
  const int retained = int{retention} - int{retention_};
  holders_ = holders;
  retention_ = retention;
  for (unsigned host = 0; host <= POWER_UP_HOST; ++host) {
    if ((changed & host_bit(host)) == 0) continue;
    context_.trace.emit(source_, (holders & host_bit(host)) != 0 ? "device.get" : "device.put",
                        {{"device", id_}, {"name", name_}, {"host", host}, field::hex("mask", holders)});
  }
  if (enabled != 0 || retained != 0) module_.reference(enabled, retained);
}

device_table::device_table(sim_context& context, const std::string& source, const dt::node& device_manager)
    : timing_(context.params, source) {
  const auto section = [&](const char* name) {
    const dt::node n = device_manager.child(name);
    return n ? n.children() : std::vector<dt::node>{};
  };
  const auto module_of = [](const dt::node& device) {
    const auto target = device.phandles("rpsim,lpsc");
    if (target.size() != 1) device.fail("rpsim,lpsc", "one phandle of an LPSC is wanted");
    return target.front();
  };
  const std::vector<dt::node> devices = section("devices");
  std::map<std::uint32_t, lpsc*> by_phandle;
  for (const dt::node& n : section("lpscs")) {
    unsigned boot_references = 0;
    for (const dt::node& d : devices) boot_references += d.has("rpsim,boot-on") && module_of(d) == n;
    modules_.push_back(std::make_unique<lpsc>(n.label().c_str(), context, source, n, timing_, boot_references));
    by_phandle[n.phandle()] = modules_.back().get();
    if (boot_references > 0 && n.has("rpsim,depends")) {
      n.fail("rpsim,depends", "a module with a device that is on from the start cannot depend on another");
    }
  }
  std::size_t index = 0;
  for (const dt::node& n : section("lpscs")) {
    lpsc& dependent = *modules_[index++];
    if (!n.has("rpsim,depends")) continue;
    const auto other = n.phandles("rpsim,depends");
    const auto module = other.size() == 1 ? by_phandle.find(other.front().phandle()) : by_phandle.end();
    if (module == by_phandle.end()) n.fail("rpsim,depends", "not an LPSC of this device manager");
    dependent.depend_on(*module->second);
  }
  for (const dt::node& n : devices) {
    const auto module = by_phandle.find(module_of(n).phandle());
    if (module == by_phandle.end()) n.fail("rpsim,lpsc", "not an LPSC of this device manager");
    auto device = std::make_unique<managed_device>(context, source, n, *module->second);
    const unsigned id = device->id();
    if (!devices_.emplace(id, std::move(device)).second) {
      n.fail("rpsim,device-id", fmt::format("device {} is there twice", id));
    }
  }
}

managed_device* device_table::find(std::uint32_t id) {
  const auto it = devices_.find(id);
  return it == devices_.end() ? nullptr : it->second.get();
}

void device_table::drop_power_up_references() {
  for (auto& [id, device] : devices_) device->drop_power_up_reference();
}

}  // namespace rpsim
