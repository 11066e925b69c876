#pragma once
// What a list of values says. Times are whole picoseconds; percentiles are values that occurred (rank ⌈p·n⌉).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rpsim::tool {

struct statistics {
  /// Takes the values in any order.
  explicit statistics(std::vector<std::int64_t> values);

  std::size_t n() const { return sorted.size(); }
  /// The value of rank ⌈share·n⌉, the first for 0. n() > 0.
  std::int64_t percentile(double share) const;
  double mean() const;
  double deviation() const;  // of the sample (n - 1); 0 for one value
  /// By its name in a question; nothing if there are no values.
  std::optional<double> named(std::string_view name) const;

  struct histogram {
    std::vector<std::int64_t> edges;  // one more than counts; the last bin has both of its own
    std::vector<std::uint64_t> counts;
  };
  /// Equal bins from the smallest to the largest value; of values that lie far apart, bins in equal ratios.
  histogram bins(std::size_t most) const;

  std::vector<std::int64_t> sorted;
};

/// min, p50, p90, p99, p99.9, max, mean.
const std::vector<std::string>& statistic_names();

/// Variance-based indices of one parameter from the three evaluations of each row: with every parameter as in A, every
/// one as in B, and as in A but this one as in B (Jansen's estimators: M. J. W. Jansen, Computer Physics Communications
/// 117 (1999) 35; notation of A. Saltelli et al., the same journal, 181 (2010) 259).
struct sensitivity_index {
  double first_order = 0, total = 0;
  double error = 0;  // one standard error of first_order
};
sensitivity_index jansen(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& ab);

}  // namespace rpsim::tool
