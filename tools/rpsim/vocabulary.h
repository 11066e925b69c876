#pragma once
// The event names and fields that exist: docs/events.md itself, compiled in. A pattern that names an event which no
// model emits is refused when the scenario is read, not discovered when it never matches.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace rpsim::tool {

class vocabulary {
 public:
  struct entry {
    std::set<std::string, std::less<>> fields;
    bool open = false;  // the table says "…": more fields may come
  };
  /// Reads the tables of docs/events.md.
  explicit vocabulary(std::string_view markdown);
  /// The document this program was built with.
  static vocabulary built_in();

  const entry* find(std::string_view event) const;
  /// Whether the name, which may hold `*`, fits any event.
  bool knows(std::string_view name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace rpsim::tool
