#include "tools/rpsim/vocabulary.h"

#include "tools/rpsim/built_in_events.h"
#include "tools/rpsim/pattern.h"

namespace rpsim::tool {

namespace {
std::vector<std::string_view> cells(std::string_view row) {
  std::vector<std::string_view> result;
  row.remove_prefix(1);
  while (!row.empty()) {
    const std::size_t bar = row.find('|');
    result.push_back(row.substr(0, bar));
    if (bar == std::string_view::npos) break;
    row.remove_prefix(bar + 1);
  }
  return result;
}

/// What stands in backticks outside parentheses.
std::vector<std::string> code_words(std::string_view text) {
  std::vector<std::string> words;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] != '`') continue;
    const std::size_t end = text.find('`', i + 1);
    if (end == std::string_view::npos) break;
    if (depth == 0) words.emplace_back(text.substr(i + 1, end - i - 1));
    i = end;
  }
  return words;
}
}  // namespace

vocabulary::vocabulary(std::string_view markdown) {
  while (!markdown.empty()) {
    const std::size_t end = markdown.find('\n');
    const std::string_view line = markdown.substr(0, end);
    markdown.remove_prefix(end == std::string_view::npos ? markdown.size() : end + 1);
    if (!line.starts_with("| `")) continue;
    const auto columns = cells(line);
    if (columns.size() < 3) continue;
    const std::string_view fields = columns[2];
    for (const std::string& name : code_words(columns[0])) {
      entry& e = entries_[name];
      for (std::string& f : code_words(fields)) e.fields.insert(std::move(f));
      if (fields.find("…") != std::string_view::npos) e.open = true;
    }
  }
}

vocabulary vocabulary::built_in() { return vocabulary(BUILT_IN_EVENTS); }

const vocabulary::entry* vocabulary::find(std::string_view event) const {
  const auto it = entries_.find(event);
  return it == entries_.end() ? nullptr : &it->second;
}

bool vocabulary::knows(std::string_view name) const {
  if (name.find('*') == std::string_view::npos) return find(name) != nullptr;
  for (const auto& [event, e] : entries_) {
    if (glob_match(name, event)) return true;
  }
  return false;
}

std::vector<std::string> vocabulary::names() const {
  std::vector<std::string> result;
  for (const auto& [name, e] : entries_) result.push_back(name);
  return result;
}

}  // namespace rpsim::tool
