#pragma once
// The host's shell, as far as scenarios use it: one simple command, quotes, and > or >>.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace rpsim::tool {

struct shell_line {
  std::vector<std::string> words;  // the command and its arguments, quotes removed
  std::string redirect;            // the file after > or >>; empty: none
  bool append = false;
};

/// @return the reason a line cannot be run: a command or a construct that this shell does not have, a wrong number of
/// arguments. Whether files exist is found when it runs.
tl::expected<shell_line, std::string> parse_shell_line(std::string_view text);

/// Decimal, 0x hexadecimal or 0 octal, all of it.
std::optional<std::uint64_t> c_number(const std::string& word);

}  // namespace rpsim::tool
