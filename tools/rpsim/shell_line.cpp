#include "tools/rpsim/shell_line.h"

#include <cerrno>
#include <cstdlib>

#include "models/common/params.h"

namespace rpsim::tool {

namespace {
struct command {
  const char* name;
  unsigned least, most;  // arguments without options
  const char* options;   // the letters it takes
  const char* usage;
};
constexpr command COMMANDS[] = {
    {"echo", 0, 99, "n", "echo [-n] WORD…"},
    {"cat", 1, 9, "", "cat FILE…"},
    {"rm", 1, 9, "f", "rm [-f] FILE…"},
    {"cp", 2, 2, "", "cp FROM TO"},
    {"mv", 2, 2, "", "mv FROM TO"},
    {"ls", 1, 1, "", "ls DIRECTORY"},
    {"sleep", 1, 1, "", "sleep SECONDS"},
    {"test", 1, 1, "edf", "test -e|-d|-f FILE"},
    {"modprobe", 1, 1, "", "modprobe MODULE"},
    {"devmem", 1, 3, "", "devmem ADDRESS [8|16|32|64 [VALUE]]"},
    {"exit", 0, 0, "", "exit"},
};

const command* find_command(std::string_view name) {
  for (const command& c : COMMANDS) {
    if (name == c.name) return &c;
  }
  return nullptr;
}
}  // namespace

std::optional<std::uint64_t> c_number(const std::string& word) {
  char* end = nullptr;
  errno = 0;
  const std::uint64_t value = std::strtoull(word.c_str(), &end, 0);
  return word.empty() || word[0] == '-' || *end != 0 || errno != 0 ? std::nullopt : std::optional(value);
}

tl::expected<shell_line, std::string> parse_shell_line(std::string_view text) {
  shell_line line;
  enum { WORD, REDIRECT } next = WORD;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (c == ' ' || c == '\t') {
      ++i;
      continue;
    }
    if (c == '#') break;
    if (c == '>') {
      if (next == REDIRECT) return tl::unexpected(std::string("a file name is missing between two '>'"));
      if (!line.redirect.empty()) return tl::unexpected(std::string("one redirection is enough"));
      line.append = text.substr(i).starts_with(">>");
      i += line.append ? 2 : 1;
      next = REDIRECT;
      continue;
    }
    std::string word;
    for (; i < text.size() && std::string_view(" \t>").find(text[i]) == std::string_view::npos; ++i) {
      const char d = text[i];
      if (d == '\'' || d == '"') {
        const std::size_t end = text.find(d, i + 1);
        if (end == std::string_view::npos)
          return tl::unexpected(fmt::format("the quote at column {} is not closed", i + 1));
        word += text.substr(i + 1, end - i - 1);
        i = end;
      } else if (d == '\\' && i + 1 < text.size()) {
        word += text[++i];
      } else if (d == '&' || d == ';' || d == '|') {
        return tl::unexpected(fmt::format(
            "'{}' is not understood: one command a step; a step with `in: NAME` runs beside the others", d));
      } else if (d == '$' || d == '`' || d == '*' || d == '?' || d == '<') {
        return tl::unexpected(fmt::format("'{}' is not understood; quote it to mean the character", d));
      } else {
        word += d;
      }
    }
    if (next == REDIRECT) {
      line.redirect = std::move(word);
      next = WORD;
    } else {
      line.words.push_back(std::move(word));
    }
  }
  if (next == REDIRECT) return tl::unexpected(std::string("a file name is missing after '>'"));
  if (line.words.empty()) return tl::unexpected(std::string("a command is missing, such as `echo start > FILE`"));

  const command* what = find_command(line.words.front());
  if (what == nullptr) {
    std::vector<std::string> names;
    for (const command& c : COMMANDS) names.emplace_back(c.name);
    const std::string near = nearest(line.words.front(), names);
    return tl::unexpected(
        near.empty()
            ? fmt::format("the shell has no command '{}'; it has {}", line.words.front(), fmt::join(names, ", "))
            : fmt::format("the shell has no command '{}'; did you mean '{}'?", line.words.front(), near));
  }
  unsigned arguments = 0;
  for (std::size_t w = 1; w < line.words.size(); ++w) {
    const std::string& word = line.words[w];
    const bool option = word.size() == 2 && word[0] == '-' && arguments == 0;
    if (!option) {
      ++arguments;
    } else if (std::string_view(what->options).find(word[1]) == std::string_view::npos && what->options[0] != 'n') {
      return tl::unexpected(fmt::format("{} has no option {}: {}", what->name, word, what->usage));
    }
  }
  if (arguments < what->least || arguments > what->most) return tl::unexpected(fmt::format("usage: {}", what->usage));
  if (line.words.front() == "sleep" && !parse_quantity(line.words[1] + "s", "s")) {
    return tl::unexpected(fmt::format("sleep takes seconds, such as 0.5; got '{}'", line.words[1]));
  }
  if (line.words.front() == "devmem") {
    for (std::size_t w = 1; w < line.words.size(); ++w) {
      const std::string& word = line.words[w];
      if (!c_number(word)) return tl::unexpected(fmt::format("'{}' is no number: {}", word, what->usage));
    }
    if (line.words.size() > 2) {
      const std::uint64_t width = *c_number(line.words[2]);
      if (width != 8 && width != 16 && width != 32 && width != 64) {
        return tl::unexpected(fmt::format("a width of {} bits: {}", width, what->usage));
      }
    }
  }
  return line;
}

}  // namespace rpsim::tool
