#include "models/common/params.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/special_functions/erf.hpp>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>
#include <numeric>
#include <span>
#include <stdexcept>

namespace rpsim {

namespace {

struct scale {
  std::string_view suffix;
  double factor;
};
// In picoseconds: sc_time's default resolution, and the unit of field::kind::time.
constexpr std::array<scale, 5> TIME_SCALES{{{"ps", 1}, {"ns", 1e3}, {"us", 1e6}, {"ms", 1e9}, {"s", 1e12}}};
constexpr std::array<scale, 4> FREQUENCY_SCALES{{{"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}}};

// Half of what 64 bits of picoseconds hold: two such times can be added.
constexpr double LONGEST_PS = 9.2e18;

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

std::span<const scale> scales(std::string_view unit) {
  if (unit == "s") return TIME_SCALES;
  if (unit == "Hz") return FREQUENCY_SCALES;
  return {};
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.emplace_back(trim(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool is_choice(std::string_view unit) { return unit.find('|') != std::string_view::npos; }

}  // namespace

std::string_view to_string(provenance p) {
  switch (p) {
    case provenance::published:
      return "published";
    case provenance::measured:
      return "measured";
    case provenance::code:
      return "code";
    case provenance::derived:
      return "derived";
    case provenance::assumed:
      return "assumed";
  }
  return "?";
}

tl::expected<double, std::string> parse_quantity(std::string_view text, std::string_view unit) {
  text = trim(text);
  if (unit == "bool") {
    if (text == "true" || text == "yes" || text == "on" || text == "1") return 1;
    if (text == "false" || text == "no" || text == "off" || text == "0") return 0;
    return tl::unexpected(fmt::format("'{}' is neither true nor false", text));
  }
  if (is_choice(unit)) {
    std::vector<std::string> names = split(unit, '|');
    std::string word(text);
    std::replace(word.begin(), word.end(), '_', '-');
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == word) return static_cast<double>(i);
    }
    const std::string near = nearest(word, names);
    return tl::unexpected(fmt::format("'{}' is not one of {}{}", text, fmt::join(names, ", "),
                                      near.empty() ? "" : fmt::format(" (did you mean {}?)", near)));
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) return tl::unexpected(fmt::format("'{}' is not a number", text));
  const std::string_view suffix = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  const auto known = scales(unit);
  if (known.empty()) {
    if (!suffix.empty()) return tl::unexpected(fmt::format("'{}': a count takes no unit", text));
    return value;
  }
  for (const scale& s : known) {
    if (s.suffix != suffix) continue;
    const double scaled = value * s.factor;
    if (unit == "s" && std::abs(scaled) > LONGEST_PS) {
      return tl::unexpected(fmt::format("'{}' is longer than simulated time can be (106 days)", text));
    }
    if (unit == "s" && scaled != 0 && std::abs(scaled) < 0.5) {
      return tl::unexpected(fmt::format("'{}' is shorter than a picosecond, the unit of simulated time", text));
    }
    return scaled;
  }
  std::string right;
  for (const scale& s : known) right += fmt::format("{}{}", right.empty() ? "" : ", ", s.suffix);
  if (suffix.empty()) {
    if (value == 0) return 0;
    return tl::unexpected(fmt::format("'{}' has no unit: write one of {}", text, right));
  }
  return tl::unexpected(fmt::format("'{}' has unit '{}': expected one of {}", text, suffix, right));
}

std::string format_quantity(double value, std::string_view unit) {
  if (unit == "bool") return value != 0 ? "true" : "false";
  if (is_choice(unit)) {
    const auto names = split(unit, '|');
    const auto index = static_cast<std::size_t>(value);
    return index < names.size() ? names[index] : "?";
  }
  const auto known = scales(unit);
  if (known.empty() || !std::isfinite(value)) return fmt::format("{}", value);
  if (value == 0) return fmt::format("0{}", unit);
  const scale* best = &known[0];
  for (const scale& s : known) {
    if (std::abs(value) >= s.factor) best = &s;
  }
  return fmt::format("{}{}", value / best->factor, best->suffix);
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  std::vector<std::size_t> previous, current;
  for (const std::string& c : candidates) {
    previous.resize(c.size() + 1);
    std::iota(previous.begin(), previous.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      current.assign(c.size() + 1, i + 1);
      for (std::size_t j = 0; j < c.size(); ++j) {
        current[j + 1] = std::min({previous[j + 1] + 1, current[j] + 1, previous[j] + (word[i] == c[j] ? 0 : 1)});
      }
      previous.swap(current);
    }
    if (previous.back() < best_distance) {
      best_distance = previous.back();
      best = c;
    }
  }
  return best;
}

distribution distribution::constant(double value) {
  distribution d;
  d.a_ = value;
  return d;
}

tl::expected<distribution, std::string> distribution::parse(std::string_view text, std::string_view unit) {
  text = trim(text);
  const auto open = text.find('(');
  if (open == std::string_view::npos || is_choice(unit) || unit == "bool") {
    const auto value = parse_quantity(text, unit);
    if (!value) return tl::unexpected(value.error());
    return constant(*value);
  }
  if (text.back() != ')') return tl::unexpected(fmt::format("'{}' lacks its closing parenthesis", text));
  const std::string_view name = trim(text.substr(0, open));
  const auto arguments = split(text.substr(open + 1, text.size() - open - 2), ',');

  distribution d;
  if (name == "empirical") {
    d.shape_ = shape::empirical;
    std::ifstream file(arguments[0]);
    if (!file) return tl::unexpected(fmt::format("empirical: cannot read '{}'", arguments[0]));
    std::string line;
    for (unsigned n = 1; std::getline(file, line); ++n) {
      if (trim(line).empty() || line[0] == '#') continue;
      const auto value = parse_quantity(line, unit);
      if (!value) return tl::unexpected(fmt::format("{}:{}: {}", arguments[0], n, value.error()));
      d.values_.push_back(*value);
    }
    if (d.values_.empty()) return tl::unexpected(fmt::format("empirical: '{}' holds no value", arguments[0]));
    return d;
  }
  struct form {
    std::string_view name, usage;
    shape s;
    std::size_t arguments;
  };
  constexpr std::array<form, 3> FORMS{{{"uniform", "uniform(low, high)", shape::uniform, 2},
                                       {"normal", "normal(mean, deviation, low, high)", shape::normal, 4},
                                       {"lognormal", "lognormal(median, sigma)", shape::lognormal, 2}}};
  for (const form& f : FORMS) {
    if (f.name != name) continue;
    if (arguments.size() != f.arguments) return tl::unexpected(fmt::format("'{}': expected {}", text, f.usage));
    std::array<double, 4> v{};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const bool plain = f.s == shape::lognormal && i == 1;  // sigma has no unit
      const auto value = parse_quantity(arguments[i], plain ? "" : unit);
      if (!value) return tl::unexpected(value.error());
      v[i] = *value;
    }
    d.shape_ = f.s;
    d.a_ = v[0];
    d.b_ = v[1];
    switch (f.s) {
      case shape::uniform:
        d.min_ = v[0];
        d.max_ = v[1];
        break;
      case shape::normal:
        d.min_ = v[2];
        d.max_ = v[3];
        // A truncation that hardly ever accepts would never come back with a sample.
        if (v[1] < 0 || d.min_ > v[0] + 4 * v[1] || d.max_ < v[0] - 4 * v[1]) {
          return tl::unexpected(fmt::format("'{}': the bounds lie more than four deviations from the mean", text));
        }
        break;
      default:
        if (v[0] <= 0 || v[1] < 0) return tl::unexpected(fmt::format("'{}': median and sigma must be positive", text));
        d.max_ = std::numeric_limits<double>::infinity();
    }
    if (d.min_ > d.max_) return tl::unexpected(fmt::format("'{}': low is above high", text));
    return d;
  }
  const std::string near = nearest(name, {"uniform", "normal", "lognormal", "empirical"});
  return tl::unexpected(
      fmt::format("'{}' is not a distribution{}", name,
                  near.empty() ? " (uniform, normal, lognormal, empirical)" : fmt::format(": did you mean {}?", near)));
}

double distribution::sample(random_stream& rng) const {
  switch (shape_) {
    case shape::constant:
      return a_;
    case shape::uniform:
      return a_ + (b_ - a_) * rng.uniform();
    case shape::normal:
      for (int i = 0; i < 1000; ++i) {
        const double x = a_ + b_ * rng.normal();
        if (x >= min_ && x <= max_) return x;
      }
      return std::clamp(a_, min_, max_);
    case shape::lognormal:
      return a_ * std::exp(b_ * rng.normal());
    case shape::empirical:
      return values_[rng.below(values_.size())];
  }
  return a_;
}

double distribution::quantile(double u) const {
  // Of the standard normal; u = 0 and 1 are infinitely far out.
  const auto deviation = [](double share) {
    return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * std::clamp(share, 1e-300, 1 - 0x1p-53));
  };
  const auto share_below = [](double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); };
  switch (shape_) {
    case shape::constant:
      return a_;
    case shape::uniform:
      return a_ + (b_ - a_) * u;
    case shape::normal: {
      if (b_ == 0) return std::clamp(a_, min_, max_);
      const double low = share_below((min_ - a_) / b_), high = share_below((max_ - a_) / b_);
      return std::clamp(a_ + b_ * deviation(low + (high - low) * u), min_, max_);
    }
    case shape::lognormal:
      return a_ * std::exp(b_ * deviation(u));
    case shape::empirical: {
      std::vector<double> sorted = values_;
      const std::size_t rank =
          std::min(static_cast<std::size_t>(u * static_cast<double>(sorted.size())), sorted.size() - 1);
      const auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
      std::nth_element(sorted.begin(), nth, sorted.end());
      return *nth;
    }
  }
  return a_;
}

double distribution::lower() const {
  if (shape_ == shape::constant) return a_;
  if (shape_ == shape::empirical) return *std::min_element(values_.begin(), values_.end());
  return min_;
}

double distribution::upper() const {
  if (shape_ == shape::constant) return a_;
  if (shape_ == shape::empirical) return *std::max_element(values_.begin(), values_.end());
  return max_;
}

std::string distribution::text(std::string_view unit) const {
  const auto q = [&](double v) { return format_quantity(v, unit); };
  switch (shape_) {
    case shape::constant:
      return q(a_);
    case shape::uniform:
      return fmt::format("uniform({}, {})", q(a_), q(b_));
    case shape::normal:
      return fmt::format("normal({}, {}, {}, {})", q(a_), q(b_), q(min_), q(max_));
    case shape::lognormal:
      return fmt::format("lognormal({}, {})", q(a_), b_);
    case shape::empirical:
      return fmt::format("empirical of {} values", values_.size());
  }
  return "?";
}

namespace {
double most_of(std::string_view unit) {
  return unit == "Hz"  ? 1e12  // a cycle is a picosecond at least
         : unit == "s" ? LONGEST_PS
                       : 0x1p53;  // whole numbers of a double
}

std::string ambiguous(std::string_view name, const std::vector<std::string>& meant) {
  return fmt::format("'{}' may be {}: write one of them", name, fmt::join(meant, " or "));
}
}  // namespace

param& param_registry::declare(info i, std::string unit, distribution value) {
  if (const auto it = params_.find(i.name); it != params_.end()) return *it->second;
  auto p = std::make_unique<param>();
  p->name_ = i.name;
  p->unit_ = std::move(unit);
  p->origin_ = i.origin;
  p->source_ = std::move(i.source);
  p->description_ = std::move(i.description);
  p->default_ = p->value_ = std::move(value);
  if (!i.range.empty()) {
    const std::size_t dots = i.range.find("..");
    auto range = distribution::parse(
        fmt::format("uniform({}, {})", i.range.substr(0, dots), dots == i.range.npos ? "" : i.range.substr(dots + 2)),
        p->unit_);
    if (!range) throw std::logic_error(fmt::format("{}: range: {}", i.name, range.error()));
    p->range_ = std::move(*range);
  }
  p->constant_ = p->value_.lower();
  p->constant_time_ = param::to_time(p->constant_);
  p->minimum_ = std::max(i.least, p->unit_ == "Hz" ? 1.0 : 0.0);
  p->maximum_ = std::min(i.most, most_of(p->unit_));
  p->rng_ = &rng_.stream(i.name);
  param& declared = *params_.emplace(i.name, std::move(p)).first->second;
  for (auto it = pending_.begin(); it != pending_.end();) {
    auto& [name, wanted] = *it;
    if (name != i.name && !i.name.ends_with("." + name)) {
      ++it;
      continue;
    }
    if (const auto ok = set(i.name, wanted.value); !ok) throw std::invalid_argument(ok.error());
    wanted.meant.push_back(i.name);
    it = name == i.name ? pending_.erase(it) : std::next(it);
  }
  return declared;
}

param& param_registry::time(info i, sc_core::sc_time default_value) {
  return declare(std::move(i), "s", distribution::constant(static_cast<double>(default_value.value())));
}
param& param_registry::frequency_hz(info i, double default_value) {
  return declare(std::move(i), "Hz", distribution::constant(default_value));
}
param& param_registry::number(info i, double default_value) {
  return declare(std::move(i), "", distribution::constant(default_value));
}
param& param_registry::flag(info i, bool default_value) {
  return declare(std::move(i), "bool", distribution::constant(default_value ? 1 : 0));
}
param& param_registry::choice(info i, std::vector<std::string> names, unsigned default_index) {
  return declare(std::move(i), fmt::format("{}", fmt::join(names, "|")), distribution::constant(default_index));
}

tl::expected<param*, std::string> param_registry::resolve(std::string_view name) const {
  if (const auto it = params_.find(name); it != params_.end()) return it->second.get();
  std::vector<std::string> names, meant;
  for (const auto& [known, p] : params_) {
    names.push_back(known);
    names.push_back(known.substr(known.rfind('.') + 1));
    if (known.ends_with(fmt::format(".{}", name))) meant.push_back(known);
  }
  if (meant.size() == 1) return params_.find(meant.front())->second.get();
  if (!meant.empty()) return tl::unexpected(ambiguous(name, meant));
  const std::string near = nearest(name, names);
  return tl::unexpected(
      fmt::format("there is no parameter '{}'{}", name, near.empty() ? "" : fmt::format(": did you mean {}?", near)));
}

tl::expected<distribution, std::string> param_registry::admit(const param& p, std::string_view name,
                                                              std::string_view value) {
  auto parsed = distribution::parse(value, p.unit_);
  if (!parsed) {
    const std::string quoted = fmt::format("'{}'", value);
    return tl::unexpected(parsed.error().starts_with(quoted) ? fmt::format("{}: {}", name, parsed.error())
                                                             : fmt::format("{}: {}: {}", name, quoted, parsed.error()));
  }
  if (parsed->lower() < p.minimum_) {
    return tl::unexpected(fmt::format("{}: '{}' goes below {}", name, value, format_quantity(p.minimum_, p.unit_)));
  }
  // A lognormal has no end, but its draws have: the last that a double's fraction can ask for.
  if (std::min(parsed->upper(), parsed->quantile(1)) > p.maximum_) {
    return tl::unexpected(fmt::format("{}: '{}' goes above {}", name, value, format_quantity(p.maximum_, p.unit_)));
  }
  return parsed;
}

tl::expected<void, std::string> param_registry::set(std::string_view name, std::string_view value) {
  if (!sealed_ && !params_.contains(name)) {
    pending_[std::string(name)] = {std::string(value), {}};
    return {};
  }
  const auto meant = resolve(name);
  if (!meant) return tl::unexpected(meant.error());
  param& p = **meant;
  auto parsed = admit(p, p.name(), value);
  if (!parsed) return tl::unexpected(parsed.error());
  p.become(std::move(*parsed));
  p.given_ = true;
  return {};
}

void param::become(distribution value) {
  value_ = std::move(value);
  constant_ = value_.lower();
  constant_time_ = to_time(constant_);
  settled_ = used_ && value_.is_constant();
}

void param_registry::jitter() {
  for (auto& [name, p] : params_) {
    if (p->range_ && !p->given_) p->become(*p->range_);
  }
}

std::vector<std::string> param_registry::seal() {
  sealed_ = true;
  std::vector<std::string> unknown;
  for (const auto& [name, wanted] : pending_) {
    if (wanted.meant.size() > 1) unknown.push_back(ambiguous(name, wanted.meant));
    if (wanted.meant.empty()) unknown.push_back(set(name, wanted.value).error());
  }
  pending_.clear();
  return unknown;
}

param* param_registry::find(std::string_view name) {
  const auto it = params_.find(name);
  return it == params_.end() ? nullptr : it->second.get();
}

std::vector<param*> param_registry::all() {
  std::vector<param*> list;
  for (auto& [name, p] : params_) list.push_back(p.get());
  return list;
}

}  // namespace rpsim
