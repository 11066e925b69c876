#pragma once
// Where things are: our firmware images beside the program, platforms and scenarios in the source tree it was built
// from or, installed, beside the program. RPSIM_HOME names another directory for all of it.

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "models/common/device_tree.h"
#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

class resources {
 public:
  /// From RPSIM_HOME, else from where the program is.
  static resources find();
  resources(std::string home, std::string source) : home_(std::move(home)), source_(std::move(source)) {}

  std::string platforms() const { return source_ + "/platforms"; }
  std::string scenarios() const { return source_ + "/scenarios"; }
  std::string pages() const { return home_ + "/pages"; }
  std::string native_images() const { return home_ + "/native"; }
  std::string arm_engine() const { return home_ + "/engines/arm-dynarmic.so"; }

  std::vector<std::string> platform_names() const;
  /// The .dts of a platform by name, or of a path that ends in .dts, seen from the scenario's directory.
  tl::expected<std::string, std::string> platform_file(const std::string& name, const std::string& scenario_file) const;

  /// The ELF that a `files:` entry means: one of ours by name, or a path, seen from the scenario's directory. Ours is
  /// in firmware/<platform>-<core>, or where the core's `rpsim,firmware` says.
  tl::expected<std::string, std::string> firmware_file(const std::string& value, const std::string& scenario_file,
                                                       const std::vector<std::string>& directories) const;
  /// Where that is for the platform's cores, or for one of them.
  std::vector<std::string> firmware_directories(const dt::tree& tree, const std::string& platform,
                                                const dt::node& core = {}) const;
  /// The core whose driver asks for a firmware file of this name (K3: each has images of its own); empty if that is not
  /// known.
  static dt::node core_of_firmware(const dt::tree& tree, std::string_view name);

 private:
  std::string home_, source_;
};

/// A whole file's bytes.
tl::expected<std::string, std::string> read_file(const std::string& path);

}  // namespace rpsim::tool
