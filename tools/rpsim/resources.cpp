#include "tools/rpsim/resources.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "models/common/params.h"

namespace rpsim::tool {

namespace fs = std::filesystem;

namespace {
std::vector<std::string> stems(const std::string& directory, const char* extension) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& f : fs::directory_iterator(directory, error)) {
    if (f.path().extension() == extension) names.push_back(f.path().stem().string());
  }
  std::ranges::sort(names);
  return names;
}

std::string beside(const std::string& scenario_file, const std::string& path) {
  return fs::path(path).is_absolute() ? path
                                      : (fs::path(scenario_file).parent_path() / path).lexically_normal().string();
}
}  // namespace

resources resources::find() {
  std::error_code error;
  const char* set = std::getenv("RPSIM_HOME");
  const std::string home = set != nullptr ? set : fs::read_symlink("/proc/self/exe", error).parent_path().string();
  for (const std::string& source : {home, home + "/../share/rpsim", std::string(RPSIM_SOURCE_DIR)}) {
    if (fs::is_directory(source + "/platforms", error) && !stems(source + "/platforms", ".dts").empty())
      return {home, source};
  }
  return {home, RPSIM_SOURCE_DIR};
}

std::vector<std::string> resources::platform_names() const { return stems(platforms(), ".dts"); }

tl::expected<std::string, std::string> resources::platform_file(const std::string& name,
                                                                const std::string& scenario_file) const {
  std::error_code error;
  const bool is_path = name.ends_with(".dts");
  const std::string path = is_path ? beside(scenario_file, name) : fmt::format("{}/{}.dts", platforms(), name);
  if (fs::is_regular_file(path, error)) return path;
  if (is_path) return tl::unexpected(fmt::format("there is no device tree {}", path));
  const auto names = platform_names();
  const std::string near = nearest(name, names);
  return tl::unexpected(near.empty()
                            ? fmt::format("there is no platform '{}'; there is {}", name, fmt::join(names, ", "))
                            : fmt::format("there is no platform '{}'; did you mean '{}'?", name, near));
}

tl::expected<std::string, std::string> resources::firmware_file(const std::string& value,
                                                                const std::string& scenario_file,
                                                                const std::vector<std::string>& directories) const {
  std::error_code error;
  if (value.find('/') != std::string::npos || value.find('.') != std::string::npos) {
    const std::string path = beside(scenario_file, value);
    if (fs::is_regular_file(path, error)) return path;
    return tl::unexpected(fmt::format("there is no file {}", path));
  }
  std::string file = value;
  std::ranges::replace(file, '-', '_');
  std::vector<std::string> known;
  for (const std::string& directory : directories) {
    const std::string path = fmt::format("{}/firmware/{}/{}.elf", home_, directory, file);
    if (fs::is_regular_file(path, error)) return path;
    for (std::string& name : stems(fmt::format("{}/firmware/{}", home_, directory), ".elf")) {
      std::ranges::replace(name, '_', '-');
      known.push_back(std::move(name));
    }
  }
  if (known.empty()) {
    return tl::unexpected(fmt::format("no firmware of ours is built for this platform (looked in {}/firmware/{})",
                                      home_, fmt::join(directories, ", ")));
  }
  const std::string near = nearest(value, known);
  return tl::unexpected(
      near.empty() ? fmt::format("no firmware of ours is called '{}'; there is {}", value, fmt::join(known, ", "))
                   : fmt::format("no firmware of ours is called '{}'; did you mean '{}'?", value, near));
}

dt::node resources::core_of_firmware(const dt::tree& tree, std::string_view name) {
  for (const dt::node& n : tree.all_enabled()) {
    if (!n.has("ti,sci-proc-ids") || n.string("firmware-name") != name) continue;
    for (const dt::node& p : tree.all_enabled()) {
      if (!p.has("rpsim,processor-id") || p.u32("rpsim,processor-id") != n.cells("ti,sci-proc-ids").front()) continue;
      const auto cores = p.phandles("rpsim,core");
      return cores.empty() ? dt::node() : cores.front();
    }
  }
  return {};
}

std::vector<std::string> resources::firmware_directories(const dt::tree& tree, const std::string& platform,
                                                         const dt::node& core) const {
  std::vector<std::string> directories;
  for (const dt::node& n : tree.all_enabled()) {
    if (!n.has("rpsim,application-note") || (core && n != core)) continue;
    const std::string name =
        n.string("rpsim,firmware").value_or(fmt::format("{}-{}", fs::path(platform).stem().string(), n.label()));
    if (std::ranges::find(directories, name) == directories.end()) directories.push_back(name);
  }
  return directories;
}

tl::expected<std::string, std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  try {
    if (in) return std::string(std::istreambuf_iterator<char>(in), {});
  } catch (const std::ios_base::failure&) {  // a directory; a file that another machine took away
  }
  return tl::unexpected(fmt::format("{} cannot be read", path));
}

}  // namespace rpsim::tool
