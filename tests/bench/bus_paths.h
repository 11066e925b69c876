#pragma once
// The bus paths that have a budget: from an initiator through the router to memory or to a register.

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace rpsim::bench {

class bus_paths {
 public:
  bus_paths();
  ~bus_paths();
  static std::vector<std::string_view> names();  // "routed_read", "register", "register_traced", "dmi_read"
  /// n times; returns a checksum, so that nothing can be left out.
  std::uint64_t run(std::string_view path, std::uint64_t n);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace rpsim::bench
