#include "tools/rpsim/yaml_reader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "models/common/params.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

std::string did_you_mean(std::string_view word, const std::vector<std::string>& right) {
  const std::string near = nearest(word, right);
  return near.empty() ? fmt::format("; it is one of {}", fmt::join(right, ", "))
                      : fmt::format("; did you mean '{}'?", near);
}

const char* kind_of(const YAML::Node& n) {
  switch (n.Type()) {
    case YAML::NodeType::Scalar:
      return "text";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a map";
    default:
      return "empty";
  }
}

place place_of(const YAML::Node& n) {
  const YAML::Mark mark = n.Mark();
  if (mark.is_null()) return {};
  return {static_cast<unsigned>(mark.line) + 1, static_cast<unsigned>(mark.column) + 1};
}

tl::expected<std::string, problem> read_input(const std::string& path, std::string_view what) {
  std::string text;
  if (path == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    return text;
  }
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown))
    return tl::unexpected(problem{path, {}, fmt::format("this is a directory, not a {} file", what)});
  std::ifstream in(path);
  if (!in || !in.good()) return tl::unexpected(problem{path, {}, fmt::format("there is no such {} file", what)});
  text.assign(std::istreambuf_iterator<char>(in), {});
  if (in.bad() || (text.empty() && in.fail() && !in.eof()))
    return tl::unexpected(problem{path, {}, "the file cannot be read"});
  return text;
}

std::optional<YAML::Node> yaml_reader::document(const std::string& text, std::string_view what) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) {
      const std::string_view one = what.substr(2, what.find(' ', 2) - 2);
      fail(documents[1], fmt::format("one {} a file: a second document begins here", one));
    }
    if (!documents.empty() && !documents[0].IsNull()) return documents[0];
    fail_at({1, 1}, fmt::format("the file is empty; {}", what));
  } catch (const YAML::ParserException& e) {
    const bool somewhere = !e.mark.is_null();
    // What a colon, a question mark or a bracket in plain text leads to; the parser's own words do not help.
    const bool quote = e.msg == "illegal map value" || e.msg == "unknown token" || e.msg.starts_with("end of map");
    fail_at(
        somewhere ? place{static_cast<unsigned>(e.mark.line) + 1, static_cast<unsigned>(e.mark.column) + 1} : place{},
        fmt::format("this is not YAML: {}{}", e.msg,
                    quote ? "; text that holds a special character needs quotes" : ""));
  }
  return std::nullopt;
}

std::vector<problem> yaml_reader::problems() {
  std::ranges::stable_sort(problems_, {}, [](const problem& p) { return std::pair(p.where.line, p.where.column); });
  return std::move(problems_);
}

const yaml_reader::entry* yaml_reader::get(const map& m, std::string_view key) {
  const auto it = m.find(key);
  return it == m.end() ? nullptr : &it->second;
}

std::vector<yaml_reader::entry> yaml_reader::pairs(const YAML::Node& n, std::string_view what) {
  std::vector<entry> result;
  if (!n.IsMap()) {
    fail(n, fmt::format("{} must be a map of `name: value`, not {}", what, kind_of(n)));
    return result;
  }
  std::map<std::string, place> seen;
  for (const auto& pair : n) {
    if (!pair.first.IsScalar()) {
      fail(pair.first, fmt::format("a name in {} must be text, not {}", what, kind_of(pair.first)));
      continue;
    }
    const auto [it, fresh] = seen.emplace(pair.first.Scalar(), place_of(pair.first));
    if (!fresh) {
      fail(pair.first, fmt::format("'{}' is here twice; it was given in line {} already", it->first, it->second.line));
      continue;
    }
    result.push_back({pair.first, pair.second});
  }
  return result;
}

yaml_reader::map yaml_reader::keys(const YAML::Node& n, const std::vector<std::string>& known, std::string_view what) {
  map result;
  for (entry& e : pairs(n, what)) {
    const std::string name = e.key.Scalar();
    if (std::ranges::find(known, name) == known.end()) {
      fail(e.key, fmt::format("unknown key '{}' in {}{}", name, what, did_you_mean(name, known)));
    } else {
      result.emplace(name, std::move(e));
    }
  }
  return result;
}

const yaml_reader::entry* yaml_reader::need(const map& m, std::string_view key, const YAML::Node& n,
                                            std::string_view what) {
  const entry* e = get(m, key);
  if (e == nullptr && n.IsMap()) fail(n, fmt::format("{} needs `{}:`", what, key));
  return e;
}

std::optional<std::string> yaml_reader::text(const YAML::Node& n, std::string_view what) {
  if (n.IsScalar()) return n.Scalar();
  fail(n, fmt::format("{} must be text, not {}", what, kind_of(n)));
  return std::nullopt;
}
placed_text yaml_reader::placed(const YAML::Node& n, std::string_view what) {
  return {text(n, what).value_or(""), place_of(n)};
}

placed_text yaml_reader::word_of(const YAML::Node& n, std::string_view what, const std::vector<std::string>& right) {
  placed_text t = placed(n, what);
  if (n.IsScalar() && std::ranges::find(right, t.text) == right.end()) {
    fail(n, fmt::format("{} cannot be '{}'{}", what, t.text, did_you_mean(t.text, right)));
  }
  return t;
}

sc_core::sc_time yaml_reader::time(const YAML::Node& n, std::string_view what) {
  const auto t = text(n, what);
  if (!t) return {};
  const auto value = parse_quantity(*t, "s");
  if (!value) {
    fail(n, fmt::format("{}: {}", what, value.error()));
    return {};
  }
  if (*value < 0) {
    fail(n, fmt::format("{} cannot be negative", what));
    return {};
  }
  return sc_core::sc_time::from_value(static_cast<std::uint64_t>(*value + 0.5));
}

std::int64_t yaml_reader::number(const YAML::Node& n, std::string_view what, std::int64_t least, std::int64_t most) {
  const auto t = text(n, what);
  if (!t) return least;
  try {
    std::size_t used = 0;
    const std::int64_t value = std::stoll(*t, &used, 0);
    if (used == t->size()) {
      if (value >= least && value <= most) return value;
      fail(n, most == INT64_MAX ? fmt::format("{} must be at least {}", what, least)
                                : fmt::format("{} must lie between {} and {}", what, least, most));
      return least;
    }
  } catch (const std::exception&) {
  }
  fail(n, fmt::format("{} must be a whole number, not '{}'", what, *t));
  return least;
}

std::optional<pattern> yaml_reader::event(const YAML::Node& n, std::string_view what) {
  const auto t = text(n, what);
  if (!t) return std::nullopt;
  auto p = pattern::parse(*t, events_);
  if (!p) {
    fail(n, fmt::format("{}: {}", what, p.error()));
    return std::nullopt;
  }
  return std::move(*p);
}

std::vector<YAML::Node> yaml_reader::list(const YAML::Node& n, std::string_view what) {
  if (n.IsSequence()) return {n.begin(), n.end()};
  fail(n, fmt::format("{} must be a list (`- …`), not {}", what, kind_of(n)));
  return {};
}

}  // namespace rpsim::tool
