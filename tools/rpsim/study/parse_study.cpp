#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include "models/common/params.h"
#include "tools/rpsim/study/statistics.h"
#include "tools/rpsim/study/study.h"
#include "tools/rpsim/yaml_reader.h"

namespace rpsim::tool {

namespace fs = std::filesystem;

bool question::holds(double value) const {
  if (relation == "<") return value < bound;
  if (relation == "<=") return value <= bound;
  if (relation == ">") return value > bound;
  if (relation == ">=") return value >= bound;
  return value == bound;
}

std::string study::scenario_path() const {
  const fs::path p(scenario.text);
  return p.is_absolute() ? p.string() : (fs::path(file).parent_path() / p).lexically_normal().string();
}

const std::vector<key_table>& study_grammar() {
  static const std::vector<key_table> tables{
      {"study",
       {"study", "purpose", "scenario", "params", "vary_from", "variants", "parameters", "samples", "measure",
        "questions", "find", "limit"}},
      {"vary_from", {"event", "nth"}},
      {"parameter", {"grid", "from", "to", "steps", "choose"}},
      {"measure", {"from", "to", "take"}},
      {"find", {"largest", "smallest", "between", "step", "for_which", "variant", "runs"}},
  };
  return tables;
}

namespace {

constexpr std::uint64_t MOST_POINTS = 100'000'000;

const std::vector<std::string>& keys_of(std::string_view name) {
  return std::ranges::find(study_grammar(), name, &key_table::name)->keys;
}

class study_parser : yaml_reader {
 public:
  study_parser(std::string file, const vocabulary& events) : yaml_reader(std::move(file), events) {
    result_.file = file_;
  }

  tl::expected<study, std::vector<problem>> run(const std::string& text) {
    result_.source = text;
    if (const auto root = document(text, "a study begins with `study: NAME`")) read(*root);
    if (problems_.empty()) return std::move(result_);
    return tl::unexpected(problems());
  }

 private:
  void read(const YAML::Node& root) {
    const map m = keys(root, keys_of("study"), "a study");
    if (const entry* e = need(m, "study", root, "a study")) {
      result_.name = text(e->value, "study").value_or("");
      const auto bad = result_.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-");
      if (e->value.IsScalar() && (result_.name.empty() || bad != std::string::npos))
        fail(e->value,
             fmt::format("a study's name is made of small letters, digits, '-' and '.', not '{}'", result_.name));
    }
    if (const entry* e = need(m, "purpose", root, "a study")) result_.purpose = text(e->value, "purpose").value_or("");
    if (const entry* e = need(m, "scenario", root, "a study")) result_.scenario = placed(e->value, "scenario");
    if (const entry* e = get(m, "params")) result_.params = read_settings(e->value, "params");
    read_vary_from(get(m, "vary_from"));
    read_variants(get(m, "variants"));
    if (const entry* e = get(m, "parameters")) {
      const std::vector<entry> all = pairs(e->value, "parameters");
      // `{ a: uniform(1us, 2us) }` is two entries to YAML, the second one `2us)`.
      const auto torn = std::ranges::find_if(all, [](const entry& p) { return p.key.Scalar().ends_with(")"); });
      if (torn != all.end()) {
        fail(torn->key, "inside { } a distribution needs quotes: its comma ends the entry");
      } else {
        for (const entry& p : all) read_parameter(p);
      }
    }
    if (const entry* e = get(m, "samples")) {
      result_.samples = static_cast<std::uint64_t>(number(e->value, "samples", 1, MOST_POINTS));
      result_.samples_given = true;
    }
    if (const entry* e = get(m, "measure")) read_measures(e->value);
    if (const entry* e = get(m, "questions")) {
      for (const YAML::Node& n : list(e->value, "questions")) {
        if (auto q = read_question(n)) result_.questions.push_back(std::move(*q));
      }
    }
    if (const entry* e = get(m, "find")) {
      for (const YAML::Node& n : list(e->value, "find")) read_find(n);
    }
    const entry* limit = get(m, "limit");
    result_.limit = limit != nullptr ? time(limit->value, "limit") : sc_core::sc_time(10, sc_core::SC_SEC);
    if (limit != nullptr && result_.limit < sc_core::sc_time(1, sc_core::SC_MS))
      fail(limit->value, "limit: a point gets at least 1ms of wall-clock time");

    std::uint64_t points = result_.samples * result_.variants.size();
    for (const parameter_spec& p : result_.parameters) {
      points = p.grid_size() != 0 && points > MOST_POINTS / p.grid_size() ? MOST_POINTS + 1 : points * p.grid_size();
    }
    if (points > MOST_POINTS) fail(root, fmt::format("these are more than {} points", MOST_POINTS));
    const bool by_chance = std::ranges::any_of(result_.parameters, &parameter_spec::by_chance);
    if (by_chance && !result_.samples_given && root.IsMap()) fail(root, "a study with a distribution needs `samples:`");
  }

  settings read_settings(const YAML::Node& n, std::string_view what) {
    settings all;
    for (const entry& p : pairs(n, what)) {
      all.emplace_back(placed(p.key, "a parameter"), text(p.value, "a parameter's value").value_or("0"));
      const std::string& name = all.back().first.text;
      const std::vector<std::string>* words = name == "host.core"       ? &host_core_words()
                                              : name == "host.shutdown" ? &host_shutdown_words()
                                              : name == "host.crash"    ? &host_crash_words()
                                                                        : nullptr;
      if (words != nullptr) word_of(p.value, name, *words);
    }
    return all;
  }

  void read_vary_from(const entry* e) {
    fork_point& f = result_.vary_from;
    f.text = "0s";
    if (e == nullptr) return;
    f.where = place_of(e->value);
    if (e->value.IsScalar()) {
      f.at = time(e->value, "vary_from");
      f.text = e->value.Scalar();
      return;
    }
    const map m = keys(e->value, keys_of("vary_from"), "vary_from");
    const entry* what = need(m, "event", e->value, "vary_from");
    if (const entry* n = get(m, "nth")) f.nth = static_cast<std::uint64_t>(number(n->value, "nth", 1, INT64_MAX));
    if (what == nullptr) return;
    f.event = event(what->value, "event");
    f.text = what->value.IsScalar() ? what->value.Scalar() : "";
    if (f.nth > 1) f.text += fmt::format(" ({} times)", f.nth);
  }

  void read_variants(const entry* e) {
    if (e == nullptr) {
      result_.variants.push_back({"", {}});
      return;
    }
    for (const entry& v : pairs(e->value, "variants")) {
      // A variant may be as the scenario is.
      result_.variants.push_back(
          {v.key.Scalar(),
           v.value.IsNull() ? settings{} : read_settings(v.value, fmt::format("variant {}", v.key.Scalar()))});
    }
    if (result_.variants.empty()) {
      if (e->value.IsMap()) fail(e->value, "variants: at least one");
      result_.variants.push_back({"", {}});
    }
  }

  std::vector<placed_text> texts(const YAML::Node& n, std::string_view what) {
    std::vector<placed_text> all;
    for (const YAML::Node& one : list(n, what)) all.push_back(placed(one, "a value"));
    return all;
  }

  void read_parameter(const entry& e) {
    parameter_spec p;
    p.name = placed(e.key, "a parameter");
    if (p.name.text.starts_with("host.") &&
        (p.name.text == "host.core" || p.name.text == "host.shutdown" || p.name.text == "host.crash"))
      fail(e.key, fmt::format("{} is there before time begins and cannot vary from a snapshot; name `variants:`",
                              p.name.text));
    if (e.value.IsScalar()) {
      p.distribution = placed(e.value, "a distribution");
      if (p.distribution.text.empty()) fail(e.value, fmt::format("{} needs a value", p.name.text));
    } else if (e.value.IsSequence()) {
      read_grid(e.value, p);
    } else {
      const map m = keys(e.value, keys_of("parameter"), fmt::format("parameter {}", p.name.text));
      if (const entry* g = get(m, "grid")) {
        read_grid(g->value, p);
      } else if (const entry* c = get(m, "choose")) {
        read_choices(c->value, p);
      } else if (get(m, "from") != nullptr || get(m, "to") != nullptr || get(m, "steps") != nullptr) {
        const entry* from = need(m, "from", e.value, "a range");
        const entry* to = need(m, "to", e.value, "a range");
        const entry* steps = need(m, "steps", e.value, "a range");
        if (from == nullptr || to == nullptr || steps == nullptr) return;
        p.from = placed(from->value, "from");
        p.to = placed(to->value, "to");
        p.steps = static_cast<std::uint64_t>(number(steps->value, "steps", 2, 1'000'000));
      } else {
        if (e.value.IsMap() || e.value.IsNull())
          fail(e.value.IsMap() ? e.value : e.key,
               fmt::format("{} needs a distribution, a list of values, `from:`, `to:` and `steps:`, or `choose:`",
                           p.name.text));
        return;
      }
    }
    result_.parameters.push_back(std::move(p));
  }

  void read_grid(const YAML::Node& n, parameter_spec& p) {
    p.grid = texts(n, "grid");
    if (n.IsSequence() && p.grid.empty())
      fail(n, fmt::format("the grid of {} is empty: no point would run", p.name.text));
    std::set<std::string> seen;
    for (const placed_text& t : p.grid) {
      if (!seen.insert(t.text).second) fail_at(t.where, fmt::format("'{}' is here twice", t.text));
    }
  }

  void read_choices(const YAML::Node& n, parameter_spec& p) {
    double sum = 0;
    for (const entry& c : pairs(n, "choose")) {
      const auto weight = text(c.value, "a weight");
      const auto value = parse_quantity(weight.value_or("1"), "");
      if (!value || *value < 0) {
        fail(c.value, fmt::format("a weight is a number that is not negative, not '{}'", weight.value_or("")));
        continue;
      }
      p.choices.push_back(placed(c.key, "a value"));
      p.weights.push_back(*value);
      sum += *value;
    }
    if (n.IsMap() && !(sum > 0)) fail(n, fmt::format("{}: nothing can be chosen: every weight is 0", p.name.text));
  }

  void read_measures(const YAML::Node& n) {
    result_.measures_given = true;
    if (n.IsSequence()) {
      result_.scenario_measures = texts(n, "measure");
      return;
    }
    for (const entry& one : pairs(n, "measure")) {
      const map f = keys(one.value, keys_of("measure"), "a measure");
      const entry* from = need(f, "from", one.value, "a measure");
      const entry* to = need(f, "to", one.value, "a measure");
      if (from == nullptr || to == nullptr) continue;
      auto a = event(from->value, "from"), b = event(to->value, "to");
      if (!a || !b) continue;
      study_measure s{one.key.Scalar(), std::move(*a), std::move(*b), take_value::first, place_of(one.key)};
      if (const entry* t = get(f, "take")) {
        const std::vector<std::string> words{"first", "last", "min", "max", "sum"};
        const auto w = std::ranges::find(words, word_of(t->value, "take", words).text);
        if (w != words.end()) s.take = static_cast<take_value>(w - words.begin());
      }
      result_.measures.push_back(std::move(s));
    }
  }

  std::optional<question> read_question(const YAML::Node& n) {
    question q;
    q.where = place_of(n);
    const auto line = text(n, "a question");
    if (!line) return std::nullopt;
    q.text = *line;
    const std::size_t open = line->find('('), close = line->find(')');
    const std::size_t relation = close == std::string::npos ? close : line->find_first_of("<>=", close);
    const auto trim = [](std::string_view s) {
      while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
      while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
      return std::string(s);
    };
    if (open == std::string::npos || relation == std::string::npos || close < open) {
      fail(n, fmt::format("'{}' is not understood: a question is like `p99(shutdown) < 2ms` or `share(ok) > 0.99`",
                          *line));
      return std::nullopt;
    }
    const std::string_view all = *line;
    q.statistic = trim(all.substr(0, open));
    q.of = trim(all.substr(open + 1, close - open - 1));
    const std::size_t width = relation + 1 < all.size() && all[relation + 1] == '=' ? 2 : 1;
    q.relation = all.substr(relation, width);
    std::vector<std::string> words = statistic_names();
    words.push_back("share");
    if (std::ranges::find(words, q.statistic) == words.end()) {
      fail(n, fmt::format("there is no statistic '{}'{}", q.statistic, did_you_mean(q.statistic, words)));
      return std::nullopt;
    }
    if (trim(all.substr(close + 1, relation - close - 1)) != "" || q.relation == "==") {
      fail(n, fmt::format("'{}': after the parenthesis comes <, <=, >, >= or =", *line));
      return std::nullopt;
    }
    const auto bound = parse_quantity(all.substr(relation + width), q.statistic == "share" ? "" : "s");
    if (!bound) {
      fail(n, fmt::format("'{}': {}", *line, bound.error()));
      return std::nullopt;
    }
    q.bound = *bound;
    return q;
  }

  void read_find(const YAML::Node& n) {
    const map m = keys(n, keys_of("find"), "find");
    const entry* largest = get(m, "largest");
    const entry* smallest = get(m, "smallest");
    if ((largest != nullptr) == (smallest != nullptr)) {
      if (n.IsMap()) fail(n, "find needs one of `largest:` and `smallest:`");
      return;
    }
    const entry* between = need(m, "between", n, "find");
    const entry* step = need(m, "step", n, "find");
    const entry* condition = need(m, "for_which", n, "find");
    if (between == nullptr || step == nullptr || condition == nullptr) return;
    boundary b;
    b.largest = largest != nullptr;
    b.parameter = placed((b.largest ? largest : smallest)->value, "a parameter");
    const std::vector<placed_text> ends = texts(between->value, "between");
    if (ends.size() != 2) {
      if (between->value.IsSequence()) fail(between->value, "between takes two values: `[low, high]`");
      return;
    }
    b.low = ends[0];
    b.high = ends[1];
    b.step = placed(step->value, "step");
    if (const entry* v = get(m, "variant")) {
      std::vector<std::string> names;
      for (const variant_spec& one : result_.variants) names.push_back(one.name);
      b.variant = word_of(v->value, "the variant", names);
    }
    if (const entry* r = get(m, "runs")) b.runs = static_cast<std::uint64_t>(number(r->value, "runs", 1, 1'000'000));
    const std::string words = condition->value.IsScalar() ? condition->value.Scalar() : "";
    if (words != "succeeds") {
      b.condition = read_question(condition->value);
      if (!b.condition) return;
    }
    b.text = fmt::format("{} {} for which {}", b.largest ? "largest" : "smallest", b.parameter.text,
                         b.condition ? b.condition->text : "it succeeds");
    result_.find.push_back(std::move(b));
  }

  study result_;
};

}  // namespace

tl::expected<study, std::vector<problem>> parse_study(const std::string& text, const std::string& file_name,
                                                      const vocabulary& events) {
  return study_parser(file_name, events).run(text);
}

tl::expected<study, std::vector<problem>> load_study(const std::string& path, const vocabulary& events) {
  const auto text = read_input(path, "study");
  if (!text) return tl::unexpected(std::vector<problem>{text.error()});
  return parse_study(*text, path == "-" ? "standard input" : path, events);
}

bool is_study(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("study:")) return true;
    if (!line.empty() && line[0] != '#' && line[0] != ' ' && line != "---") return false;
  }
  return false;
}

}  // namespace rpsim::tool
