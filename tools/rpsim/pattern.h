#pragma once
// Which events a scenario means: an event name, then words and key=value pairs (docs/events.md).
//
//   mailbox.sent SHUTDOWN            the name, and a word that is the source or any text field
//   reset.assert m4f kind=local      a field by name; numbers compare as numbers, 0x too
//   host.log "*timeout waiting*"     `*` stands for anything; quotes keep spaces together
//   tisci.response result!=ACK       has the field, and it is something else

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "models/common/trace.h"

namespace rpsim::tool {

class vocabulary;

/// `*` matches any run of characters; everything else itself.
bool glob_match(std::string_view glob, std::string_view text);

class pattern {
 public:
  /// @return the reason, with the nearest right word where an event or a field does not exist.
  static tl::expected<pattern, std::string> parse(std::string_view text, const vocabulary& known);

  bool matches(const event& e) const { return (name_is_glob_ || name_ == e.name) && matches_further(e); }
  const std::string& text() const { return text_; }

 private:
  struct condition {
    std::string key;  // empty: a word
    std::string value;
    bool negated = false;
    std::optional<std::uint64_t> number;
  };
  static bool holds(const condition& c, const field& f);
  bool matches_further(const event& e) const;

  std::string text_, name_;
  bool name_is_glob_ = false;
  std::vector<condition> conditions_;
};

}  // namespace rpsim::tool
