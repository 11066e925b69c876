#include "tools/rpsim/study/summary.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tools/rpsim/checks.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/study/phases.h"
#include "tools/rpsim/study/statistics.h"

namespace rpsim::tool {

using json = nlohmann::ordered_json;

// ---- layout

namespace {
std::vector<std::uint64_t> trials_of(const json& about) {
  std::vector<std::uint64_t> trials;
  for (const json& f : about.at("finds")) trials.push_back(f.at("values"));
  return trials;
}
}  // namespace

study_layout::study_layout(const study& s, std::uint64_t seed, json a)
    : about(std::move(a)), points(s, seed, trials_of(about)) {
  for (const char* list : {"parameters", "finds"}) {
    for (const json& p : about.at(list)) {
      if (std::ranges::find(settings, p.at("name").get<std::string>()) != settings.end()) continue;
      settings.push_back(p.at("name"));
      units.push_back(p.at("unit"));
    }
  }
  for (const json& m : about.at("measures")) measures.push_back(m.at("name"));
  for (const phase_name& p : phase_names()) phases.emplace_back(p.name);
  for (const margin_name& m : margin_names()) margins.emplace_back(m.name);
}

std::vector<std::size_t> study_layout::settings_of(std::uint64_t point) const {
  std::vector<std::size_t> all(about.at("parameters").size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const point_place p = points.locate(point);
  if (p.where != point_place::part::find) return all;
  const auto searched = std::ranges::find(settings, about.at("finds")[p.find].at("name").get<std::string>());
  const auto index = static_cast<std::size_t>(searched - settings.begin());
  std::erase(all, index);
  all.push_back(index);
  return all;
}

std::vector<std::string> study_layout::columns() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < settings.size(); ++i)
    all.push_back(settings[i] + (units[i] == "s" ? "_ps" : units[i] == "Hz" ? "_hz" : ""));
  for (const std::string& m : measures) all.push_back(m + "_ps");
  for (const std::string& p : phases) all.push_back(p + "_ps");
  for (const std::string& m : margins) {
    all.push_back(m + "_ps");
    all.push_back(m + ".missed");
    all.push_back(m + ".deadline_ps");
  }
  return all;
}

std::size_t study_layout::column_of(std::string_view name) const {
  if (const auto m = std::ranges::find(measures, name); m != measures.end())
    return measure_column(static_cast<std::size_t>(m - measures.begin()));
  if (const auto p = std::ranges::find(phases, name); p != phases.end())
    return phase_column(static_cast<std::size_t>(p - phases.begin()));
  return margin_column(static_cast<std::size_t>(std::ranges::find(margins, name) - margins.begin()));
}

// ---- numbers

namespace {

constexpr std::size_t MOST_BINS = 60;
constexpr int QUANTILES = 100;

std::int64_t whole(double ps) { return static_cast<std::int64_t>(std::llround(ps)); }

json statistics_json(const statistics& s) {
  if (s.n() == 0) {
    json j{{"n", 0}};
    for (const char* key : {"min_ps", "p50_ps", "p90_ps", "p99_ps", "p999_ps", "max_ps", "mean_ps", "deviation_ps",
                            "quantiles_ps", "histogram"})
      j[key] = nullptr;
    return j;
  }
  json j{{"n", s.n()},
         {"min_ps", s.percentile(0)},
         {"p50_ps", s.percentile(0.5)},
         {"p90_ps", s.percentile(0.9)},
         {"p99_ps", s.percentile(0.99)},
         {"p999_ps", s.percentile(0.999)},
         {"max_ps", s.percentile(1)},
         {"mean_ps", whole(s.mean())},
         {"deviation_ps", whole(s.deviation())}};
  for (int i = 0; i <= QUANTILES; ++i) j["quantiles_ps"].push_back(s.percentile(i / double{QUANTILES}));
  const statistics::histogram h = s.bins(MOST_BINS);
  j["histogram"] = {{"edges_ps", h.edges}, {"counts", h.counts}};
  return j;
}

json outcomes_json(const std::vector<results_store::outcome_count>& outcomes) {
  json all = json::array();
  for (const auto& o : outcomes)
    all.push_back({{"what", o.what}, {"count", o.count}, {"first_point", o.first}, {"detail", o.detail}});
  return all;
}

json group_json(const study& s, const study_layout& layout, results_store& store, std::size_t variant,
                std::uint64_t group) {
  const std::uint64_t first = layout.points.main_of(variant) + group * layout.points.samples();
  const std::uint64_t count = layout.points.samples();
  json g{{"variant", s.variants[variant].name}, {"grid", json::array()}};
  const std::vector<std::uint64_t> index = layout.points.grid_of(group);
  for (std::size_t i = 0; i < index.size(); ++i) {
    const json& p = layout.about.at("parameters")[i];
    if (p.at("by_chance")) continue;
    g["grid"].push_back(
        {{"name", p.at("name")}, {"value", p.at("values")[index[i]]}, {"text", p.at("texts")[index[i]]}});
  }
  const auto outcomes = store.outcomes(first, count);
  std::uint64_t n = 0;
  for (const auto& o : outcomes) n += o.count;
  g["n"] = n;
  g["outcomes"] = outcomes_json(outcomes);
  const auto of = [&](std::size_t column) { return statistics_json(statistics(store.values(column, first, count))); };
  for (const char* list : {"measures", "phases", "margins"}) g[list] = json::object();
  for (std::size_t i = 0; i < layout.measures.size(); ++i)
    g["measures"][layout.measures[i]] = of(layout.measure_column(i));
  for (std::size_t i = 0; i < layout.phases.size(); ++i) {
    json one = of(layout.phase_column(i));
    if (one["n"] != 0) g["phases"][layout.phases[i]] = std::move(one);
  }
  for (std::size_t i = 0; i < layout.margins.size(); ++i) {
    const std::vector<std::int64_t> deadlines = store.values(layout.margin_column(i) + 2, first, count);
    const std::int64_t deadline = deadlines.empty() ? 0 : std::ranges::max(deadlines);
    if (deadline == 0) continue;  // nobody waits
    json one = of(layout.margin_column(i));
    std::int64_t missed = 0;
    for (const std::int64_t m : store.values(layout.margin_column(i) + 1, first, count)) missed += m;
    one["missed"] = missed;
    one["deadline_ps"] = deadline;
    g["margins"][layout.margins[i]] = std::move(one);
  }
  return g;
}

json sensitivity_json(const study& s, const study_layout& layout, results_store& store) {
  json all = json::array();
  const plan& p = layout.points;
  const json& parameters = layout.about.at("parameters");
  if (parameters.empty()) return all;
  for (std::size_t v = 0; v < s.variants.size(); ++v) {
    for (std::size_t m = 0; m < layout.measures.size(); ++m) {
      const std::size_t column = layout.measure_column(m);
      const auto ends = store.values_of_each(column, p.one_at_a_time(v), p.one_at_a_time_points());
      const auto cells = store.values_of_each(column, p.rows(v), p.samples() * p.columns());
      if (ends.size() != p.one_at_a_time_points() || cells.size() != p.samples() * p.columns()) continue;
      // A row counts if everything in it was measured.
      std::vector<std::vector<double>> matrix(p.columns());
      for (std::uint64_t row = 0; row < p.samples(); ++row) {
        const auto begin = cells.begin() + static_cast<std::ptrdiff_t>(row * p.columns());
        const auto end = begin + static_cast<std::ptrdiff_t>(p.columns());
        if (!std::all_of(begin, end, [](const auto& c) { return c.has_value(); })) continue;
        for (std::uint64_t c = 0; c < p.columns(); ++c) matrix[c].push_back(*begin[static_cast<std::ptrdiff_t>(c)]);
      }
      json one{{"variant", s.variants[v].name}, {"measure", layout.measures[m]}, {"n", matrix[0].size()}};
      std::vector<std::int64_t> both;
      for (std::size_t c = 0; c < 2; ++c) {
        for (const double x : matrix[c]) both.push_back(whole(x));
      }
      const statistics spread(std::move(both));
      one["variance_ps2"] = spread.deviation() * spread.deviation();
      one["parameters"] = json::array();
      const auto maybe = [](const std::optional<double>& x) { return x ? json(whole(*x)) : json(nullptr); };
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        const json& q = parameters[i];
        const sensitivity_index index = jansen(matrix[0], matrix[1], matrix[i + 2]);
        const auto text = [&](const char* key) { return format_quantity(q.at(key), q.at("unit").get<std::string>()); };
        one["parameters"].push_back({{"name", q.at("name")},
                                     {"unit", q.at("unit")},
                                     {"low", q.at("low")},
                                     {"low_text", text("low")},
                                     {"high", q.at("high")},
                                     {"high_text", text("high")},
                                     {"base_ps", maybe(ends[0])},
                                     {"at_low_ps", maybe(ends[1 + 2 * i])},
                                     {"at_high_ps", maybe(ends[2 + 2 * i])},
                                     {"first_order", index.first_order},
                                     {"total", index.total},
                                     {"error", index.error}});
      }
      all.push_back(std::move(one));
    }
  }
  return all;
}

}  // namespace

std::optional<double> answer(const question& q, results_store& store, const study_layout& layout, std::uint64_t first,
                             std::uint64_t count) {
  if (q.statistic != "share") return statistics(store.values(layout.column_of(q.of), first, count)).named(q.statistic);
  double these = 0, all = 0;
  for (const auto& o : store.outcomes(first, count)) {
    all += static_cast<double>(o.count);
    if (o.what == q.of) these += static_cast<double>(o.count);
  }
  return all == 0 ? std::nullopt : std::optional(these / all);
}

json summarize(const study& s, const study_layout& layout, results_store& store, std::uint64_t seed, bool sensitivity,
               const json& searches) {
  const plan& p = layout.points;
  json j{{"schema", "rpsim-study-1"},
         {"study", s.name},
         {"purpose", s.purpose},
         {"file", s.file},
         {"scenario", layout.about.at("scenario")},
         {"platform", layout.about.at("platform")},
         {"seed", seed},
         {"samples", s.samples},
         {"vary_from", s.vary_from.text}};
  std::uint64_t done = 0, failed = 0;
  for (const auto& o : store.outcomes(0, p.points())) {
    done += o.count;
    if (o.what != "ok") failed += o.count;
  }
  std::uint64_t planned = p.main_points();
  if (sensitivity && !s.parameters.empty())
    planned += s.variants.size() * (p.one_at_a_time_points() + p.samples() * p.columns());
  for (const json& one : searches) planned += one.at("trials").size() * one.at("runs").get<std::uint64_t>();
  j["points"] = {{"planned", planned}, {"done", done}, {"failed", failed}};
  for (const char* list : {"parameters", "variants", "measures", "lanes", "margins", "groups", "questions"})
    j[list] = json::array();
  for (const json& q : layout.about.at("parameters")) {
    json one{{"name", q.at("name")},
             {"unit", q.at("unit")},
             {"kind", q.at("by_chance") ? "distribution" : "grid"},
             {"text", q.at("text")}};
    if (!q.at("by_chance")) {
      one["values"] = json::array();
      for (std::size_t i = 0; i < q.at("values").size(); ++i)
        one["values"].push_back({{"value", q.at("values")[i]}, {"text", q.at("texts")[i]}});
    }
    j["parameters"].push_back(std::move(one));
  }
  for (const variant_spec& v : s.variants) j["variants"].push_back(v.name);
  j["measures"] = layout.about.at("measures");
  for (const phase_name& name : phase_names()) {
    if (j["lanes"].empty() || j["lanes"].back()["lane"] != name.lane)
      j["lanes"].push_back({{"lane", name.lane}, {"phases", json::array()}});
    j["lanes"].back()["phases"].push_back({{"name", name.name}, {"title", name.title}});
  }
  for (const margin_name& m : margin_names()) j["margins"].push_back({{"name", m.name}, {"title", m.title}});
  for (std::size_t v = 0; v < s.variants.size(); ++v) {
    for (std::uint64_t g = 0; g < p.groups(); ++g) j["groups"].push_back(group_json(s, layout, store, v, g));
  }
  for (const question& q : s.questions) {
    json one{{"text", q.text}, {"holds", true}, {"answers", json::array()}};
    for (std::uint64_t g = 0; g < s.variants.size() * p.groups(); ++g) {
      const auto value = answer(q, store, layout, g * p.samples(), p.samples());
      const bool holds = value && q.holds(*value);
      json a{{"group", g}};
      a[q.statistic == "share" ? "value" : "value_ps"] = !value                   ? json(nullptr)
                                                         : q.statistic == "share" ? json(*value)
                                                                                  : json(whole(*value));
      a["holds"] = holds;
      one["answers"].push_back(std::move(a));
      if (!holds) one["holds"] = false;
    }
    j["questions"].push_back(std::move(one));
  }
  j["find"] = searches;
  j["sensitivity"] = sensitivity ? sensitivity_json(s, layout, store) : json::array();
  return j;
}

// ---- for people

namespace {

std::string time_text(const json& ps) {
  if (ps.is_null()) return "-";
  const auto value = ps.get<std::int64_t>();
  const std::string text = human_time(sc_core::sc_time::from_value(static_cast<std::uint64_t>(std::abs(value))));
  return value < 0 ? "-" + text : text;
}

/// Columns as wide as their widest cell; the first to the left, the others to the right.
std::string aligned(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<std::size_t> width;
  for (const auto& r : rows) {
    width.resize(std::max(width.size(), r.size()));
    for (std::size_t i = 0; i < r.size(); ++i) width[i] = std::max(width[i], r[i].size());
  }
  std::string out;
  for (const auto& r : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < r.size(); ++i)
      line += i == 0 ? fmt::format("{:<{}}", r[i], width[i]) : fmt::format("  {:>{}}", r[i], width[i]);
    while (line.ends_with(' ')) line.pop_back();
    out += line + '\n';
  }
  return out;
}

/// To the microsecond: of 5 s, what is left is told by the last digits.
std::string left_text(const json& ps) {
  constexpr std::int64_t SECOND = 1'000'000'000'000;
  if (ps.is_null() || std::abs(ps.get<std::int64_t>()) < SECOND) return time_text(ps);
  return fmt::format("{:.6f} s", ps.get<double>() / SECOND);
}

/// `deinit_time` for m4f.fw.deinit_time, unless another one that varies ends so.
std::string group_title(const json& g) {
  const auto last = [](const std::string& name) { return name.substr(name.rfind('.') + 1); };
  std::string t = g.at("variant");
  for (const json& v : g.at("grid")) {
    const std::string name = v.at("name");
    const auto ends_so = [&](const json& other) { return last(other.at("name")) == last(name); };
    const bool alone = std::ranges::count_if(g.at("grid"), ends_so) == 1;
    t += fmt::format("{}{}={}", t.empty() ? "" : ", ", alone ? last(name) : name, v.at("text").get<std::string>());
  }
  return t;
}

std::string row_title(const json& g) {
  const std::string title = group_title(g);
  return title.empty() ? "all" : title;
}

/// What is left of a deadline, a row for each group; in one line where nobody came near it.
std::string margin_text(const json& groups, const json& name) {
  std::vector<std::vector<std::string>> rows{{name.at("title"), "n", "missed", "deadline", "least", "p50", "most"}};
  double least = 1;
  std::set<std::string> deadlines;
  for (const json& g : groups) {
    const auto m = g.at("margins").find(name.at("name").get<std::string>());
    if (m == g.at("margins").end()) continue;
    const json& s = *m;
    deadlines.insert(time_text(s.at("deadline_ps")));
    const bool any = s.at("n") != 0, missed = s.at("missed") != 0;
    least = missed ? 0
            : any  ? std::min(least, s.at("min_ps").get<double>() / s.at("deadline_ps").get<double>())
                   : least;
    rows.push_back({group_title(g),
                    fmt::format("{}", s.at("n").get<std::uint64_t>() + s.at("missed").get<std::uint64_t>()),
                    fmt::format("{}", s.at("missed").get<std::uint64_t>()), time_text(s.at("deadline_ps")),
                    left_text(s.at("min_ps")), left_text(s.at("p50_ps")), left_text(s.at("max_ps"))});
  }
  constexpr double NOBODY_CAME_NEAR = 0.99;
  if (rows.size() == 1) return {};
  if (rows.size() > 2 && least >= NOBODY_CAME_NEAR)
    return fmt::format("\n  {}: never less than {:.2f} % of {}\n", name.at("title").get<std::string>(),
                       std::floor(1e4 * least) / 100, fmt::join(deadlines, ", "));
  return fmt::format("\n{}", aligned(rows, "  "));
}

std::vector<std::string> statistics_row(const std::string& name, const json& s) {
  std::vector<std::string> row{name, fmt::format("{}", s.at("n").get<std::uint64_t>())};
  for (const char* key : {"min_ps", "p50_ps", "p90_ps", "p99_ps", "p999_ps", "max_ps", "mean_ps"})
    row.push_back(time_text(s.at(key)));
  return row;
}

}  // namespace

std::string table_text(const json& j, bool colour) {
  const char* bold = colour ? "\x1b[1m" : "";
  const char* red = colour ? "\x1b[31m" : "";
  const char* green = colour ? "\x1b[32m" : "";
  const char* plain = colour ? "\x1b[0m" : "";
  const auto text = [](const json& of) { return of.get<std::string>(); };
  std::string out = fmt::format("{}{}{}\n{}\n", bold, text(j["study"]), plain, text(j["purpose"]));
  out += fmt::format("scenario {}, platform {}, seed {}, varied from {}, {} of {} points\n", text(j["scenario"]),
                     text(j["platform"]), j["seed"].get<std::uint64_t>(), text(j["vary_from"]),
                     j["points"]["done"].get<std::uint64_t>(), j["points"]["planned"].get<std::uint64_t>());
  for (const json& p : j["parameters"]) out += fmt::format("  {}: {}\n", text(p["name"]), text(p["text"]));
  for (const json& m : j["measures"]) {
    std::vector<std::vector<std::string>> rows{{m["name"], "n", "min", "p50", "p90", "p99", "p99.9", "max", "mean"}};
    for (const json& g : j["groups"]) {
      const auto s = g["measures"].find(text(m["name"]));
      if (s != g["measures"].end()) rows.push_back(statistics_row(row_title(g), *s));
    }
    out += '\n';
    out += aligned(rows, "  ");
  }
  for (const json& m : j["margins"]) out += margin_text(j["groups"], m);
  out += "\n";
  std::vector<std::vector<std::string>> ends;
  for (const json& g : j["groups"]) {
    std::string counts;
    for (const json& o : g["outcomes"]) {
      const std::string what = o["what"];
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", what, o["count"].get<std::uint64_t>());
      if (what != "ok") counts += fmt::format(" (first: point {})", o["first_point"].get<std::uint64_t>());
    }
    ends.push_back({group_title(g), counts.empty() ? "none" : counts});
  }
  const auto same = [&](const auto& e) { return e[1] == ends.front()[1]; };
  if (!ends.empty() && std::ranges::all_of(ends, same)) {
    out += fmt::format("  outcomes: {}{}\n", ends.front()[1], ends.size() > 1 ? " each" : "");
  } else {
    std::size_t width = 0;
    for (const auto& e : ends) width = std::max(width, e[0].size());
    out += "  outcomes\n";
    for (const auto& e : ends) out += fmt::format("  {:<{}}  {}\n", e[0], width, e[1]);
  }
  // Where the time goes: the mean of each phase, a column for each group; of many groups the page has the picture.
  constexpr std::size_t MOST_COLUMNS = 6;
  if (j["groups"].size() <= MOST_COLUMNS) {
    std::vector<std::vector<std::string>> rows;
    for (const json& lane : j["lanes"]) {
      for (const json& p : lane["phases"]) {
        std::vector<std::string> row{fmt::format("{:<5} {}", text(lane["lane"]), text(p["title"]))};
        bool any = false;
        for (const json& g : j["groups"]) {
          const auto there = g["phases"].find(text(p["name"]));
          any = any || there != g["phases"].end();
          row.push_back(there != g["phases"].end() ? time_text((*there)["mean_ps"]) : "-");
        }
        if (any) rows.push_back(std::move(row));
      }
    }
    if (!rows.empty()) {
      std::vector<std::string> head{"phases, mean"};
      for (const json& g : j["groups"]) head.push_back(group_title(g));
      // An arrow is three bytes and one column wide.
      for (auto& r : rows) r[0] += std::string(2 * static_cast<std::size_t>(r[0].find("→") != std::string::npos), ' ');
      rows.insert(rows.begin(), head);
      out += "\n" + aligned(rows, "  ");
    }
  }
  for (const json& q : j["questions"]) {
    const bool holds = q["holds"];
    out += fmt::format("\n  {}{}{}  {}\n", holds ? green : red, holds ? "yes" : "NO ", plain, text(q["text"]));
    for (const json& a : q["answers"]) {
      if (a["holds"] != holds) continue;  // where it does not hold, those are the ones to look at
      const json& g = j["groups"][a["group"].get<std::size_t>()];
      const std::string value = a.contains("value_ps") ? time_text(a["value_ps"])
                                : a["value"].is_null() ? "-"
                                                       : fmt::format("{}", a["value"].get<double>());
      const std::string title = group_title(g);
      out += fmt::format("       {}{}\n", title.empty() ? "it is " : title + ": ", value);
    }
  }
  for (const json& f : j["find"]) {
    const std::string variant = f["variant"];
    out += fmt::format("\n  {}{}{}: ", text(f["text"]), variant.empty() ? "" : ", ", variant);
    if (f["found"]) {
      out += fmt::format("{}{}{}", bold, text(f["value_text"]), plain);
      if (!f["next"].is_null()) out += fmt::format("; at {}: {}", text(f["next_text"]), text(f["reason"]));
      if (f["next"].is_null()) out += ", the end of what was to be tried";
    } else {
      out += text(f["reason"]);
    }
    out += "\n";
  }
  for (const json& s : j["sensitivity"]) {
    const std::string variant = s["variant"];
    out += fmt::format("\n{}sensitivity of {}{}{}{}, {} rows\n", bold, text(s["measure"]), variant.empty() ? "" : ", ",
                       variant, plain, s["n"].get<std::uint64_t>());
    std::vector<std::vector<std::string>> rows{{"", "low", "high", "at low", "at high", "first order", "+-", "total"}};
    std::vector<json> sorted(s["parameters"].begin(), s["parameters"].end());
    std::ranges::stable_sort(sorted, std::greater<>{}, [](const json& p) { return p["first_order"].get<double>(); });
    for (const json& p : sorted)
      rows.push_back({p["name"], p["low_text"], p["high_text"], time_text(p["at_low_ps"]), time_text(p["at_high_ps"]),
                      fmt::format("{:.3f}", p["first_order"].get<double>()),
                      fmt::format("{:.3f}", p["error"].get<double>()),
                      fmt::format("{:.3f}", p["total"].get<double>())});
    out += aligned(rows, "  ");
  }
  return out;
}

std::string picoseconds_as_seconds(std::int64_t ps) {
  const std::uint64_t size = ps < 0 ? -static_cast<std::uint64_t>(ps) : static_cast<std::uint64_t>(ps);
  constexpr std::uint64_t SECOND = 1'000'000'000'000;
  return fmt::format("{}{}.{:012}", ps < 0 ? "-" : "", size / SECOND, size % SECOND);
}

void write_csv(output& to, const study_layout& layout, results_store& store) {
  const auto cell = [](const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string q = "\"";
    for (const char c : text) {
      q += c;
      if (c == '"') q += c;
    }
    return q + "\"";
  };
  const std::vector<std::string> columns = layout.columns();
  to.write("point,part,variant,outcome,detail,digest");
  for (const std::string& c : columns) {
    const bool time = c.ends_with("_ps");
    to.print(",{}{}", cell(time ? c.substr(0, c.size() - 3) : c), time ? "_s" : "");
  }
  to.write("\n");
  store.each(0, layout.points.points(), [&](const results_store::row& r) {
    to.print("{},{},{},{},{},{:016x}", r.point, r.part, cell(r.variant), cell(r.outcome), cell(r.detail), r.digest);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      to.write(",");
      if (!r.values[i]) continue;
      if (columns[i].ends_with("_ps")) {
        to.write(picoseconds_as_seconds(whole(*r.values[i])));
      } else if (i < layout.units.size()) {
        to.write(cell(format_quantity(*r.values[i], layout.units[i] == "Hz" ? "" : layout.units[i])));
      } else {
        to.print("{}", *r.values[i]);
      }
    }
    to.write("\n");
    to.settle();
  });
}

}  // namespace rpsim::tool
