#pragma once
// What reading a YAML file of ours takes: every refusal has file, line and column, the reason and the nearest right
// word, and all refusals of a file are found in one go.

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "tools/rpsim/pattern.h"
#include "tools/rpsim/scenario.h"

namespace rpsim::tool {

class vocabulary;

/// "; did you mean 'steps'?", else "; it is one of …".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& right);
/// "text", "a list", "a map", "empty".
const char* kind_of(const YAML::Node& n);
place place_of(const YAML::Node& n);

/// A whole file, or standard input for "-". @return why it cannot be read.
tl::expected<std::string, problem> read_input(const std::string& path, std::string_view what);

class yaml_reader {
 protected:
  yaml_reader(std::string file, const vocabulary& events) : file_(std::move(file)), events_(events) {}
  ~yaml_reader() = default;

  /// The one document of a text; nothing after a refusal. `what`: "a scenario begins with `scenario: NAME`".
  std::optional<YAML::Node> document(const std::string& text, std::string_view what);
  /// In the file's order.
  std::vector<problem> problems();

  void fail_at(place where, std::string text) { problems_.push_back({file_, where, std::move(text)}); }
  void fail(const YAML::Node& n, std::string text) { fail_at(place_of(n), std::move(text)); }

  // ---- maps with known keys

  struct entry {
    YAML::Node key, value;
  };
  using map = std::map<std::string, entry, std::less<>>;

  static const entry* get(const map& m, std::string_view key);
  /// The pairs of a map in the file's order, duplicates refused.
  std::vector<entry> pairs(const YAML::Node& n, std::string_view what);
  map keys(const YAML::Node& n, const std::vector<std::string>& known, std::string_view what);
  const entry* need(const map& m, std::string_view key, const YAML::Node& n, std::string_view what);

  // ---- lists and scalars

  std::vector<YAML::Node> list(const YAML::Node& n, std::string_view what);
  std::optional<std::string> text(const YAML::Node& n, std::string_view what);
  placed_text placed(const YAML::Node& n, std::string_view what);
  placed_text word_of(const YAML::Node& n, std::string_view what, const std::vector<std::string>& right);
  sc_core::sc_time time(const YAML::Node& n, std::string_view what);
  std::int64_t number(const YAML::Node& n, std::string_view what, std::int64_t least, std::int64_t most);
  std::optional<pattern> event(const YAML::Node& n, std::string_view what);

  std::string file_;
  const vocabulary& events_;
  std::vector<problem> problems_;
};

}  // namespace rpsim::tool
