#include "tools/rpsim/study/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace rpsim::tool {

double study_parameter::quantile(double u) const {
  if (values.empty()) {
    const double value = shape.quantile(u);
    return unit == "s" ? std::round(value) : value;
  }
  if (weights.empty()) {
    const auto index = static_cast<std::size_t>(u * static_cast<double>(values.size()));
    return values[std::min(index, values.size() - 1)];
  }
  double left = u * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (left < weights[i]) return values[i];
    left -= weights[i];
  }
  // Rounding: the last one that can be.
  const auto last = std::find_if(weights.rbegin(), weights.rend(), [](double w) { return w > 0; });
  return values[static_cast<std::size_t>(weights.rend() - last) - 1];
}

plan::plan(const study& s, std::uint64_t seed, std::vector<std::uint64_t> trials)
    : seed_(seed), samples_(s.samples), variants_(s.variants.size()), parameters_(s.parameters.size()) {
  for (const parameter_spec& p : s.parameters) {
    sizes_.push_back(p.grid_size());
    groups_ *= p.grid_size();
  }
  main_ = variants_ * groups_ * samples_;
  sensitivity_ = parameters_ == 0 ? 0 : one_at_a_time_points() + samples_ * columns();
  end_ = main_ + variants_ * sensitivity_;
  for (std::size_t f = 0; f < s.find.size(); ++f) {
    const std::uint64_t values = f < trials.size() ? trials[f] : 0;
    finds_.push_back({end_, values, s.find[f].runs});
    end_ += variants_ * values * s.find[f].runs;
  }
}

std::uint64_t plan::find_point(std::size_t find, std::size_t variant, std::uint64_t trial, std::uint64_t run) const {
  const search& f = finds_[find];
  return f.begin + (variant * f.trials + trial) * f.runs + run;
}

point_place plan::locate(std::uint64_t point) const {
  if (point >= end_) throw std::out_of_range(fmt::format("point {} of a study that has {}", point, end_));
  point_place p;
  if (point < main_) {
    p.variant = point / (groups_ * samples_);
    p.group = point / samples_ % groups_;
    p.sample = point % samples_;
    return p;
  }
  if (point < main_ + variants_ * sensitivity_) {
    const std::uint64_t at = point - main_;
    p.variant = at / sensitivity_;
    const std::uint64_t within = at % sensitivity_;
    if (within < one_at_a_time_points()) {
      p.where = point_place::part::one_at_a_time;
      p.column = within;
    } else {
      p.where = point_place::part::rows;
      p.row = (within - one_at_a_time_points()) / columns();
      p.column = (within - one_at_a_time_points()) % columns();
    }
    return p;
  }
  p.where = point_place::part::find;
  for (std::size_t f = 0; f < finds_.size(); ++f) {
    if (point < finds_[f].begin) break;
    p.find = f;
  }
  const search& f = finds_[p.find];
  const std::uint64_t at = point - f.begin;
  p.sample = at % f.runs;
  p.trial = at / f.runs % f.trials;
  p.variant = at / f.runs / f.trials;
  return p;
}

std::vector<std::uint64_t> plan::grid_of(std::uint64_t group) const {
  std::vector<std::uint64_t> index(sizes_.size());
  for (std::size_t i = sizes_.size(); i-- > 0;) {  // the last one changes fastest
    index[i] = group % sizes_[i];
    group /= sizes_[i];
  }
  return index;
}

std::vector<setting> plan::values(std::uint64_t point, const std::vector<study_parameter>& parameters,
                                  const std::vector<find_parameter>& finds) const {
  const point_place p = locate(point);
  const bool in_rows = p.where == point_place::part::rows;
  random_registry generators(seed_);
  generators.reseed(seed_, in_rows ? p.row : point);
  const auto draw = [&](const study_parameter& one, std::string_view matrix) {
    return one.quantile(generators.stream(fmt::format("study.{}{}", matrix, one.name)).uniform());
  };
  const std::vector<std::uint64_t> grid = grid_of(p.group);
  std::vector<setting> all;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const study_parameter& one = parameters[i];
    double value = 0;
    switch (p.where) {
      case point_place::part::main:
        value = one.by_chance ? draw(one, "") : one.values[grid[i]];
        break;
      case point_place::part::one_at_a_time: {
        const bool mine = p.column != 0 && (p.column - 1) / 2 == i;
        const bool low = (p.column - 1) % 2 == 0;
        value = one.quantile(!mine ? 0.5 : low ? 0.05 : 0.95);
        break;
      }
      case point_place::part::rows:
        // Of the column for parameter i, only that one is as in B.
        value = draw(one, p.column == 1 || p.column == i + 2 ? "b." : "a.");
        break;
      case point_place::part::find:
        value = draw(one, "");
        break;
    }
    all.push_back({one.name, one.unit, value});
  }
  if (p.where == point_place::part::find) {
    const find_parameter& f = finds[p.find];
    std::erase_if(all, [&](const setting& one) { return one.name == f.name; });
    all.push_back({f.name, f.unit, f.low + f.step * static_cast<double>(p.trial)});
  }
  return all;
}

}  // namespace rpsim::tool
