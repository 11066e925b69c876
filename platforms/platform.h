#pragma once
// A device tree turned into a wired SoC: models made by the factory, sockets mapped, lines bound.

#include <memory>
#include <string>
#include <vector>

#include "models/common/model.h"
#include "models/core/core.h"

namespace rpsim {

class router;
class memory;
class device_manager;

/// Whether `as: arm` is possible for a core: there is a model that executes its instructions.
bool has_arm_engine(const dt::node& core);
/// Every compatible string that rpsim models (platforms/models.cpp). Of a core in sim_context::arm_cores, which must
/// have an engine, the model that executes instructions.
void register_models(model_factory& factory);

class platform {
 public:
  /// Builds and wires; before elaboration ends. @throws dt::error with the place of what cannot be built.
  platform(sim_context& context, std::unique_ptr<dt::tree> tree);
  /// With models of one's own.
  platform(sim_context& context, std::unique_ptr<dt::tree> tree, const model_factory& factory);
  ~platform();
  platform(const platform&) = delete;
  platform& operator=(const platform&) = delete;

  const dt::tree& tree() const;
  host_core& host();
  /// By label; nullptr if there is none. cores(): remote cores in tree order.
  core* find_core(std::string_view label);
  model* find(std::string_view label);
  std::vector<core*> cores();
  std::vector<model*> models();
  /// The memory model (DDR, SRAM) that holds the system address, for watches and debug; nullptr if none.
  memory* memory_at(std::uint64_t system_address);
  /// Debug access to the system view: for checks, dumps and debuggers, never for software.
  bool debug_read(std::uint64_t system_address, void* to, std::size_t length);
  bool debug_write(std::uint64_t system_address, const void* from, std::size_t length);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// platforms/*.dts by file name without extension.
struct platform_entry {
  std::string name, path, model;
};
std::vector<platform_entry> list_platforms(const std::string& directory);

}  // namespace rpsim
