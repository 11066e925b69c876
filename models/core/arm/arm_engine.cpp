#include "models/core/arm/arm_engine.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <stdexcept>

namespace rpsim {

const arm_engine_module& load_arm_engine(const std::string& path) {
  // The dynamic loader counts; a module stays loaded for the process's life.
  void* const handle = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(fmt::format("the Arm engine cannot be loaded: {}", dlerror()));
  const auto* module = static_cast<const arm_engine_module*>(dlsym(handle, "rpsim_arm_engine_module"));
  if (module == nullptr || module->version != ARM_ENGINE_VERSION)
    throw std::runtime_error(fmt::format("{} is not an Arm engine of this version", path));
  return *module;
}

}  // namespace rpsim
