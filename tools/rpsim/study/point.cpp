#include "tools/rpsim/study/point.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

using json = nlohmann::ordered_json;

// ---- what goes through the pipe

namespace {

constexpr std::int64_t NOTHING = std::numeric_limits<std::int64_t>::min();

void put(std::string& to, std::int64_t value) { to.append(reinterpret_cast<const char*>(&value), sizeof value); }

class taker {
 public:
  explicit taker(const std::string& from) : from_(from) {}
  std::int64_t number() {
    std::int64_t value = 0;
    std::memcpy(&value, bytes(sizeof value), sizeof value);
    return value;
  }
  std::optional<std::int64_t> maybe() {
    const std::int64_t value = number();
    return value == NOTHING ? std::nullopt : std::optional(value);
  }
  std::string text() {
    const auto size = static_cast<std::size_t>(number());
    return {bytes(size), size};
  }

 private:
  const char* bytes(std::size_t n) {
    if (from_.size() - at_ < n) throw std::runtime_error("a point's result is cut short");
    at_ += n;
    return from_.data() + at_ - n;
  }
  const std::string& from_;
  std::size_t at_ = 0;
};

}  // namespace

std::string point_result::encode() const {
  std::string to;
  to.reserve(512);
  put(to, static_cast<std::int64_t>(outcome.size()));
  to += outcome;
  put(to, static_cast<std::int64_t>(detail.size()));
  to += detail;
  put(to, static_cast<std::int64_t>(digest));
  put(to, static_cast<std::int64_t>(unused));
  for (const setting& s : settings) put(to, std::bit_cast<std::int64_t>(s.value));
  for (const auto& m : measures) put(to, m.value_or(NOTHING));
  for (const auto& p : phases) put(to, p.value_or(NOTHING));
  for (const phase_reader::margin& m : margins) {
    put(to, m.left.value_or(NOTHING));
    put(to, m.missed);
    put(to, m.deadline);
  }
  return to;
}

point_result point_result::decode(const std::string& text, std::size_t settings, std::size_t measures) {
  taker t(text);
  point_result r;
  r.outcome = t.text();
  r.detail = t.text();
  r.digest = static_cast<std::uint64_t>(t.number());
  r.unused = static_cast<std::uint64_t>(t.number());
  for (std::size_t i = 0; i < settings; ++i) r.settings.push_back({"", "", std::bit_cast<double>(t.number())});
  for (std::size_t i = 0; i < measures; ++i) r.measures.push_back(t.maybe());
  for (std::size_t i = 0; i < phase_names().size(); ++i) r.phases.push_back(t.maybe());
  for (std::size_t i = 0; i < margin_names().size(); ++i) {
    phase_reader::margin m;
    m.left = t.maybe();
    m.missed = t.number() != 0;
    m.deadline = t.number();
    r.margins.push_back(m);
  }
  return r;
}

// ---- reading the trace

/// Measures, phases, the first shell line that failed, and a digest of it all.
class study_system::reader final : public trace_sink {
 public:
  reader(rpsim::trace& t, const std::vector<study_measure>& measures, const vocabulary& events)
      : trace_(t), specs_(measures), open_(measures.size()), values_(measures.size()), phases_(events) {
    trace_.add(*this, trace_level::detail);
  }
  ~reader() override { trace_.remove(*this); }

  /// What is common to all points ends here.
  void begin() {
    forked_ = true;
    prefix_ = std::exchange(digest_, START);
  }
  std::uint64_t prefix() const { return prefix_; }

  void on_event(const event& e) override {
    hash(e);
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      if (open_[i] && specs_[i].to.matches(e)) {
        if (forked_) take(i, static_cast<std::int64_t>((e.time - *open_[i]).value()));
        open_[i].reset();
      }
      if (specs_[i].from.matches(e)) open_[i] = e.time;
    }
    phases_.on_event(e);
    if (!forked_) {
      // The points may part in the middle of a handshake, and that one is theirs.
      if (e.name == "shell.done") phases_.forget();
      return;
    }
    if (failed_.empty() && e.name == "shell.done" && e.text("result") != "0") {
      failed_ = e.text("result");
      output_ = e.text("output");
    }
  }

  void fill(point_result& r) const {
    r.measures = values_;
    r.phases = phases_.phases();
    r.margins = phases_.margins();
    r.digest = digest_;
    r.outcome = failed_;
    r.detail = output_;
  }

 private:
  static constexpr std::uint64_t START = 0xcbf29ce484222325u;

  void take(std::size_t i, std::int64_t value) {
    std::optional<std::int64_t>& now = values_[i];
    switch (specs_[i].take) {
      case take_value::first:
        if (!now) now = value;
        break;
      case take_value::last:
        now = value;
        break;
      case take_value::least:
        now = std::min(now.value_or(value), value);
        break;
      case take_value::most:
        now = std::max(now.value_or(value), value);
        break;
      case take_value::sum:
        now = now.value_or(0) + value;
        break;
    }
  }

  // FNV-1a over eight bytes at a time: every event passes here.
  void hash(std::uint64_t word) { digest_ = (digest_ ^ word) * 0x100000001b3u; }
  void hash(std::string_view text) {
    const auto from = [&text]<typename Word>(Word word, std::size_t at) {
      std::memcpy(&word, text.data() + at, sizeof word);
      return std::uint64_t{word};
    };
    const std::size_t size = text.size();
    for (std::size_t at = 0; at + 8 < size; at += 8) hash(from(std::uint64_t{}, at));
    // What is left, overlapping what was before it; the size makes it unambiguous.
    hash(size);
    if (size >= 8) {
      hash(from(std::uint64_t{}, size - 8));
    } else if (size >= 4) {
      hash(from(std::uint32_t{}, 0) << 32 | from(std::uint32_t{}, size - 4));
    } else if (size != 0) {
      hash(from(std::uint8_t{}, 0) << 16 | from(std::uint8_t{}, size / 2) << 8 | from(std::uint8_t{}, size - 1));
    }
    digest_ ^= digest_ >> 29;
  }
  void hash(const event& e) {
    hash(e.time.value());
    hash(e.source);
    hash(e.name);
    for (const field& f : e.fields) {
      hash(f.key);
      f.type == field::kind::text ? hash(f.text) : hash(f.number);
    }
  }

  rpsim::trace& trace_;
  const std::vector<study_measure>& specs_;
  std::vector<std::optional<sc_core::sc_time>> open_;
  std::vector<std::optional<std::int64_t>> values_;
  phase_reader phases_;
  std::string failed_, output_;
  std::uint64_t digest_ = START, prefix_ = 0;
  bool forked_ = false;
};

// ---- building

study_system::study_system(const study& s, std::size_t variant, const run_options& options, const resources& where)
    : study_(s), variant_(variant), options_(options) {
  const vocabulary events = vocabulary::built_in();
  auto loaded = load_scenario(study_.scenario_path(), events);
  if (!loaded) {
    std::vector<problem> why = loaded.error();
    if (why.size() == 1 && why[0].where.line == 0)
      why[0] = {study_.file, study_.scenario.where, fmt::format("scenario {}: {}", study_.scenario.text, why[0].text)};
    throw refused(std::move(why));
  }
  scenario_ = std::move(*loaded);
  read_measures();

  // The command line wins over the variant, the variant over the study.
  std::vector<std::pair<placed_text, std::string>> set;
  const auto add = [&](const settings& more) {
    for (const auto& one : more) {
      std::erase_if(set, [&](const auto& before) { return before.first.text == one.first.text; });
      set.push_back(one);
    }
  };
  add(study_.params);
  add(study_.variants[variant_].params);
  for (const auto& [name, value] : set) {
    if (std::ranges::find(options.overrides, name.text, &std::pair<std::string, std::string>::first) ==
        options.overrides.end())
      options_.overrides.emplace_back(name.text, value);
  }
  if (auto wrong = override_host(scenario_, options_); !wrong.empty()) throw refused(std::move(wrong));
  try {
    sim_ = std::make_unique<simulation>(scenario_, options_, where);
  } catch (refused& r) {
    // What the study sets is the study's to mend.
    for (problem& p : r.problems) {
      for (const auto& [name, value] : set) {
        if (p.where.line == 0 && p.text.find(name.text) != std::string::npos && p.text.starts_with("-p "))
          p = {study_.file, name.where, p.text.substr(3)};
      }
    }
    for (problem& p : r.problems) {
      for (const auto& [name, value] : set) {
        if (p.where.line == 0 && p.text.find(fmt::format("'{}'", name.text)) != std::string::npos)
          p = {study_.file, name.where, p.text};
      }
    }
    throw;
  }
  resolve();
  if (!problems_.empty()) throw refused(std::move(problems_));
  reader_ = std::make_unique<reader>(sim_->events(), measures_, events);
}

study_system::~study_system() = default;

/// A scenario fails where one of its measures finds nothing; a point just has no value then.
void study_system::read_measures() {
  std::vector<std::string> names;
  for (const measure_spec& m : scenario_.measures) names.push_back(m.name);
  for (measure_spec& m : scenario_.measures) {
    const bool wanted =
        !study_.measures_given ||
        std::ranges::find(study_.scenario_measures, m.name, &placed_text::text) != study_.scenario_measures.end();
    if (wanted) measures_.push_back({m.name, m.from, m.to, take_value::first, m.where});
  }
  for (const placed_text& one : study_.scenario_measures) {
    if (std::ranges::find(names, one.text) != names.end()) continue;
    const std::string near = nearest(one.text, names);
    refuse(one.where, fmt::format("scenario {} measures no '{}'{}", scenario_.name, one.text,
                                  near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
  }
  for (const study_measure& m : study_.measures) measures_.push_back(m);
  scenario_.measures.clear();

  std::vector<std::string> known;
  for (const study_measure& m : measures_) known.push_back(m.name);
  for (const phase_name& p : phase_names()) known.emplace_back(p.name);
  for (const margin_name& m : margin_names()) known.emplace_back(m.name);
  const auto check = [&](const question& q) {
    if (q.statistic == "share" || std::ranges::find(known, q.of) != known.end()) return;
    const std::string near = nearest(q.of, known);
    refuse(q.where, fmt::format("nothing measures '{}'{}", q.of,
                                near.empty() ? fmt::format("; there are {}", fmt::join(known, ", "))
                                             : fmt::format("; did you mean '{}'?", near)));
  };
  for (const question& q : study_.questions) check(q);
  for (const boundary& b : study_.find) {
    if (b.condition) check(*b.condition);
  }
}

void study_system::resolve() {
  for (const parameter_spec& p : study_.parameters) parameters_.push_back(resolve(p));
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (!parameters_[i].name.empty() && parameters_[i].name == parameters_[k].name)
        refuse(study_.parameters[i].name.where,
               fmt::format("{} varies already, in line {}", parameters_[i].name, study_.parameters[k].name.where.line));
    }
  }
  std::vector<std::uint64_t> trials;
  for (const boundary& b : study_.find) {
    finds_.push_back(resolve(b));
    trials.push_back(finds_.back().values);
  }
  plan_.emplace(study_, options_.seed, std::move(trials));
}

study_parameter study_system::resolve(const parameter_spec& p) {
  study_parameter one;
  one.by_chance = p.by_chance();
  const auto found = sim_->context().params.resolve(p.name.text);
  if (!found) {
    refuse(p.name.where, found.error());
    return one;
  }
  const param& target = **found;
  one.name = target.name();
  one.unit = target.unit();
  const auto admit = [&](const placed_text& text) -> std::optional<distribution> {
    std::string words = text.text;
    if (words.starts_with("empirical(") && words.ends_with(")")) {
      const std::filesystem::path file(words.substr(10, words.size() - 11));
      if (!file.is_absolute())
        words = fmt::format("empirical({})", (std::filesystem::path(study_.file).parent_path() / file).string());
    }
    auto d = param_registry::admit(target, p.name.text, words);
    if (!d) refuse(text.where, d.error());
    return d ? std::optional(*d) : std::nullopt;
  };
  const auto value = [&](const placed_text& text) -> std::optional<double> {
    const auto d = admit(text);
    if (d && !d->is_constant()) refuse(text.where, fmt::format("'{}' is no single value", text.text));
    return d && d->is_constant() ? std::optional(d->lower()) : std::nullopt;
  };
  const auto keep = [&](double v) {
    one.values.push_back(one.unit == "s" ? std::round(v) : v);
    one.texts.push_back(format_quantity(one.values.back(), one.unit));
  };
  if (!p.distribution.text.empty()) {
    one.text = p.distribution.text;
    if (const auto d = admit(p.distribution)) one.shape = *d;
    return one;
  }
  if (p.steps != 0) {
    one.text = fmt::format("{} to {}, {} values", p.from.text, p.to.text, p.steps);
    const auto from = value(p.from), to = value(p.to);
    if (!from || !to) return one;
    if (*to <= *from)
      refuse(p.to.where, fmt::format("{}: the range is empty: it ends at {} and begins at {}", p.name.text, p.to.text,
                                     p.from.text));
    for (std::uint64_t i = 0; i < p.steps; ++i)
      keep(*from + (*to - *from) * static_cast<double>(i) / static_cast<double>(p.steps - 1));
    return one;
  }
  const std::vector<placed_text>& texts = p.choices.empty() ? p.grid : p.choices;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (const auto v = value(texts[i])) keep(*v);
    one.text += fmt::format("{}{}", i == 0 ? "" : ", ", texts[i].text);
    if (!p.weights.empty()) one.text += fmt::format(" ({})", p.weights[i]);
  }
  one.weights = p.weights;
  return one;
}

find_parameter study_system::resolve(const boundary& b) {
  find_parameter f;
  const auto found = sim_->context().params.resolve(b.parameter.text);
  if (!found) {
    refuse(b.parameter.where, found.error());
    return f;
  }
  f.name = (*found)->name();
  f.unit = (*found)->unit();
  if (f.unit != "s" && f.unit != "Hz" && f.unit != "") {
    refuse(b.parameter.where, fmt::format("{} is no quantity: there is nothing between its values", f.name));
    return f;
  }
  const auto value = [&](const placed_text& text) -> std::optional<double> {
    const auto d = param_registry::admit(**found, b.parameter.text, text.text);
    if (!d) refuse(text.where, d.error());
    return d ? std::optional(d->lower()) : std::nullopt;
  };
  const auto low = value(b.low), high = value(b.high), step = value(b.step);
  if (!low || !high || !step) return f;
  if (*high <= *low || *step <= 0 || *step > *high - *low) {
    refuse(b.low.where,
           fmt::format("{}: there is no step of {} between {} and {}", f.name, b.step.text, b.low.text, b.high.text));
    return f;
  }
  f.low = *low;
  f.step = *step;
  f.values = static_cast<std::uint64_t>(std::floor((*high - *low) / *step * (1 + 1e-12))) + 1;
  return f;
}

std::string study_system::about() const {
  json j{{"scenario", scenario_.name},
         {"platform", scenario_.platform.text},
         {"prefix", fmt::format("{:016x}", reader_->prefix())}};
  for (const char* list : {"parameters", "finds", "measures"}) j[list] = json::array();
  for (const study_parameter& p : parameters_)
    j["parameters"].push_back({{"name", p.name},
                               {"unit", p.unit},
                               {"text", p.text},
                               {"by_chance", p.by_chance},
                               {"values", p.values},
                               {"texts", p.texts},
                               {"low", p.quantile(0.05)},
                               {"high", p.quantile(0.95)}});
  for (const find_parameter& f : finds_)
    j["finds"].push_back({{"name", f.name}, {"unit", f.unit}, {"low", f.low}, {"step", f.step}, {"values", f.values}});
  for (const study_measure& m : measures_)
    j["measures"].push_back({{"name", m.name}, {"from", m.from.text()}, {"to", m.to.text()}});
  return j.dump();
}

// ---- running

void study_system::run_prefix() {
  const fork_point& f = study_.vary_from;
  sim_->begin();
  bool there = true;
  if (f.event) {
    std::uint64_t count = 0;
    there = sim_->run_until([&](const event& e) { return f.event->matches(e) && ++count == f.nth; });
  } else {
    there = sim_->run_until(f.at);
  }
  if (!there) {
    refuse(f.where, fmt::format("vary_from: the scenario ended at {} without coming to {}",
                                human_time(sc_core::sc_time_stamp()), f.text));
    throw refused(std::move(problems_));
  }
  reader_->begin();
}

point_result study_system::run_point(std::uint64_t point) {
  sim_context& context = sim_->context();
  context.rng.reseed(options_.seed, point);
  point_result r;
  r.settings = plan_->values(point, parameters_, finds_);
  std::vector<param*> targets;
  for (const setting& s : r.settings) {
    const std::string text = s.text();
    if (const auto ok = context.params.set(s.name, text); !ok) throw std::runtime_error(ok.error());
    sim_->events().emit("study", "param.set", {{"param", s.name}, {"value", text}});
    targets.push_back(context.params.find(s.name));
    targets.back()->forget_use();
  }
  sim_->finish();

  reader_->fill(r);
  for (std::size_t i = 0; i < targets.size() && i < 64; ++i) {
    if (!targets[i]->used()) r.unused |= std::uint64_t{1} << i;
  }
  if (!r.outcome.empty()) return r;
  run_report report;
  judge(report, *sim_, scenario_);
  r.outcome = "ok";
  if (report.outcome == verdict::passed) return r;
  r.outcome = "expectation";
  r.detail = report.reason();
  if (std::ranges::all_of(report.checks, &check_result::passed)) {
    for (const violation_summary& v : report.violations) {
      if (v.standing != "undeclared") continue;
      r.outcome = fmt::format("invariant {}", v.invariant);
      break;
    }
  }
  return r;
}

}  // namespace rpsim::tool
