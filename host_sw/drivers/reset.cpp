#include "host_sw/drivers/reset.h"

namespace rpsim::drivers {

std::unique_ptr<reset_control> reset_control_get(os::machine& machine, const dt::node& consumer, int& error,
                                                 unsigned index) {
  const auto specifiers = consumer.references("resets", "#reset-cells");
  if (index >= specifiers.size()) {
    error = -ENOENT;
    return nullptr;
  }
  auto* controller = machine.provider_of<reset_controller>(specifiers[index].target);
  if (controller == nullptr) {
    error = -os::EPROBE_DEFER;
    return nullptr;
  }
  auto control = controller->get(specifiers[index]);
  error = control == nullptr ? -EINVAL : 0;
  return control;
}

std::unique_ptr<reset_control> reset_control_get_optional(os::machine& machine, const dt::node& consumer,
                                                          std::string_view name, int& error) {
  const auto index = consumer.index_of("reset-names", name);
  if (index) return reset_control_get(machine, consumer, error, *index);
  error = 0;
  return nullptr;
}

}  // namespace rpsim::drivers
