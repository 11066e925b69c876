#pragma once
// Which points a study has, and what each of them sets. A point's values are a function of the seed and its number, so
// any process may run any point in any order.
//
// Numbers, in this order: the main part (variant, then grid value, then sample); for --sensitivity each variant's
// one-at-a-time points and its rows of evaluations; for each `find` and variant, each value that may be tried.

#include <cstdint>
#include <string>
#include <vector>

#include "models/common/params.h"
#include "tools/rpsim/study/study.h"

namespace rpsim::tool {

/// A parameter of the study on its platform.
struct study_parameter {
  std::string name, unit, text;  // the declared name; text: as the study writes it
  bool by_chance = false;
  std::vector<double> values;                      // a grid's, or those that are chosen from
  std::vector<std::string> texts;                  // the same, written out
  std::vector<double> weights;                     // of a choice
  distribution shape = distribution::constant(0);  // if there are no values

  /// The value below which a share u of the draws lies, as the simulation can have it: a whole number of picoseconds.
  double quantile(double u) const;
};

/// What a boundary search may try, on its platform.
struct find_parameter {
  std::string name, unit;
  double low = 0, step = 0;
  std::uint64_t values = 0;
};

struct point_place {
  enum class part : std::uint8_t { main, one_at_a_time, rows, find };
  part where = part::main;
  std::size_t variant = 0;
  std::uint64_t group = 0;   // main: index over the grids' values
  std::uint64_t sample = 0;  // main: of the group; find: the run
  std::uint64_t row = 0;     // rows
  std::uint64_t column = 0;  // rows: A, B, then one for each parameter; one_at_a_time: base, low, high, low, high …
  std::size_t find = 0;
  std::uint64_t trial = 0;
};

struct setting {
  std::string name, unit;
  double value = 0;
  std::string text() const { return format_quantity(value, unit); }
};

class plan {
 public:
  /// `trials[f]`: how many values find f may try; known once the platform is built.
  plan(const study& s, std::uint64_t seed, std::vector<std::uint64_t> trials);

  std::uint64_t groups() const { return groups_; }
  std::uint64_t samples() const { return samples_; }
  std::uint64_t main_points() const { return main_; }
  std::uint64_t points() const { return end_; }  // every number there is
  std::uint64_t main_of(std::size_t variant) const { return variant * groups_ * samples_; }

  std::uint64_t one_at_a_time(std::size_t variant) const { return main_ + variant * sensitivity_; }
  std::uint64_t one_at_a_time_points() const { return 2 * parameters_ + 1; }
  std::uint64_t rows(std::size_t variant) const { return one_at_a_time(variant) + one_at_a_time_points(); }
  std::uint64_t columns() const { return parameters_ + 2; }

  /// The number of a boundary search's run.
  std::uint64_t find_point(std::size_t find, std::size_t variant, std::uint64_t trial, std::uint64_t run) const;

  /// @throws std::out_of_range from points() on.
  point_place locate(std::uint64_t point) const;
  /// The index of every grid's value in a group.
  std::vector<std::uint64_t> grid_of(std::uint64_t group) const;
  std::vector<setting> values(std::uint64_t point, const std::vector<study_parameter>& parameters,
                              const std::vector<find_parameter>& finds) const;

 private:
  std::uint64_t seed_, samples_, groups_ = 1, main_ = 0, sensitivity_ = 0, end_ = 0;
  std::size_t variants_, parameters_;
  std::vector<std::uint64_t> sizes_;  // of each parameter's grid, 1 if it has none
  struct search {
    std::uint64_t begin, trials, runs;
  };
  std::vector<search> finds_;
};

}  // namespace rpsim::tool
