#include "tools/rpsim/pattern.h"

#include <charconv>

#include "models/common/params.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

bool glob_match(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      mark = t;
    } else if (g < glob.size() && glob[g] == text[t]) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

namespace {
struct token {
  std::string key, value;
  bool negated = false;
};

/// Splits at blanks; quotes of either kind keep blanks. "" on an unclosed quote.
tl::expected<std::vector<token>, std::string> tokens(std::string_view text) {
  std::vector<token> result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    token t;
    bool have_key = false;
    for (; i < text.size() && text[i] != ' '; ++i) {
      if (text[i] == '"' || text[i] == '\'') {
        const std::size_t end = text.find(text[i], i + 1);
        if (end == std::string_view::npos) return tl::unexpected(std::string("a quote is not closed"));
        t.value += text.substr(i + 1, end - i - 1);
        i = end;
      } else if (text[i] == '=' && !have_key) {
        t.negated = t.value.ends_with('!');
        if (t.negated) t.value.pop_back();
        if (t.value.empty()) return tl::unexpected(std::string("a field's name is missing before '='"));
        t.key = std::move(t.value);
        t.value.clear();
        have_key = true;
      } else {
        t.value += text[i];
      }
    }
    result.push_back(std::move(t));
  }
  return result;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::string_view digits = negative ? text.substr(1) : text;
  const bool hex = digits.starts_with("0x");
  if (hex) digits.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return negative ? 0 - value : value;
}
}  // namespace

tl::expected<pattern, std::string> pattern::parse(std::string_view text, const vocabulary& known) {
  auto parts = tokens(text);
  if (!parts) return tl::unexpected(parts.error());
  if (parts->empty()) return tl::unexpected(std::string("an event is missing, such as `mailbox.sent SHUTDOWN`"));
  pattern p;
  p.text_ = text;
  const token& first = parts->front();
  if (!first.key.empty()) {
    return tl::unexpected(fmt::format("begins with '{}=': the event's name comes first", first.key));
  }
  p.name_ = first.value;
  p.name_is_glob_ = p.name_.find('*') != std::string::npos;
  if (!known.knows(p.name_)) {
    const std::string near = nearest(p.name_, known.names());
    return tl::unexpected(
        fmt::format("no event is called '{}'{}", p.name_,
                    near.empty() ? "; docs/events.md lists them" : fmt::format("; did you mean '{}'?", near)));
  }
  const vocabulary::entry* entry = known.find(p.name_);
  for (std::size_t i = 1; i < parts->size(); ++i) {
    token& t = (*parts)[i];
    if (!t.key.empty() && entry != nullptr && !entry->open && t.key != "source" && !entry->fields.contains(t.key)) {
      const std::vector<std::string> fields(entry->fields.begin(), entry->fields.end());
      return tl::unexpected(
          fields.empty() ? fmt::format("{} has no fields, so none called '{}'", p.name_, t.key)
                         : fmt::format("{} has no field '{}'; it has {}", p.name_, t.key, fmt::join(fields, ", ")));
    }
    condition& c = p.conditions_.emplace_back();
    c.number = number_of(t.value);
    c.key = std::move(t.key);
    c.value = std::move(t.value);
    c.negated = t.negated;
  }
  return p;
}

bool pattern::holds(const condition& c, const field& f) {
  switch (f.type) {
    case field::kind::text:
      return glob_match(c.value, f.text);
    case field::kind::time: {
      const auto time = parse_quantity(c.value, "s");
      return time && static_cast<std::uint64_t>(*time + 0.5) == f.number;
    }
    default:
      if (c.value == "*") return true;
      if (c.value == "true" || c.value == "false") return (f.number != 0) == (c.value == "true");
      return c.number && *c.number == f.number;
  }
}

bool pattern::matches_further(const event& e) const {
  if (name_is_glob_ && !glob_match(name_, e.name)) return false;
  for (const condition& c : conditions_) {
    if (c.key.empty()) {
      bool found = glob_match(c.value, e.source);
      for (const field& f : e.fields) found = found || (f.type == field::kind::text && glob_match(c.value, f.text));
      if (!found) return false;
    } else if (c.key == "source") {
      if (glob_match(c.value, e.source) == c.negated) return false;
    } else {
      const field* f = e.find(c.key);
      if (f == nullptr || holds(c, *f) == c.negated) return false;
    }
  }
  return true;
}

}  // namespace rpsim::tool
