#include "tools/rpsim/study/statistics.h"

#include <algorithm>
#include <cmath>

namespace rpsim::tool {

namespace {
constexpr double WIDE =
    50;  // the largest by the smallest value: beyond that, equal bins show one peak and nothing else
}  // namespace

statistics::statistics(std::vector<std::int64_t> values) : sorted(std::move(values)) { std::ranges::sort(sorted); }

std::int64_t statistics::percentile(double share) const {
  // 0.07 * 100 is 7.000000000000001: what is a whole rank but for rounding stays that rank.
  const double rank = std::ceil(share * static_cast<double>(n()) * (1 - 1e-12));
  return sorted[std::clamp<std::size_t>(static_cast<std::size_t>(rank), 1, n()) - 1];
}

double statistics::mean() const {
  // From the smallest value on: 10⁵ times of hours in picoseconds would leave a double's exact range.
  double sum = 0;
  for (const std::int64_t v : sorted) sum += static_cast<double>(v - sorted.front());
  return static_cast<double>(sorted.front()) + sum / static_cast<double>(n());
}

double statistics::deviation() const {
  if (n() < 2) return 0;
  const double m = mean();
  double sum = 0;
  for (const std::int64_t v : sorted) sum += (static_cast<double>(v) - m) * (static_cast<double>(v) - m);
  return std::sqrt(sum / static_cast<double>(n() - 1));
}

const std::vector<std::string>& statistic_names() {
  static const std::vector<std::string> names{"min", "p50", "p90", "p99", "p99.9", "max", "mean"};
  return names;
}

std::optional<double> statistics::named(std::string_view name) const {
  if (sorted.empty()) return std::nullopt;
  const auto at = [&](double share) { return static_cast<double>(percentile(share)); };
  if (name == "min") return at(0);
  if (name == "p50") return at(0.5);
  if (name == "p90") return at(0.9);
  if (name == "p99") return at(0.99);
  if (name == "p99.9") return at(0.999);
  if (name == "max") return at(1);
  return mean();
}

statistics::histogram statistics::bins(std::size_t most) const {
  histogram h;
  if (sorted.empty()) return h;
  const auto low = static_cast<double>(sorted.front()), high = static_cast<double>(sorted.back());
  const bool ratios = low > 0 && high / low > WIDE;
  h.edges = {sorted.front()};
  for (std::size_t i = 1; i <= most; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(most);
    const double edge = ratios ? low * std::pow(high / low, share) : low + (high - low) * share;
    const std::int64_t next = i == most ? sorted.back() : std::llround(edge);
    if (next > h.edges.back()) h.edges.push_back(next);
  }
  if (h.edges.size() == 1) h.edges.push_back(sorted.back());
  h.counts.resize(h.edges.size() - 1);
  for (const std::int64_t v : sorted) {
    const auto above = std::ranges::upper_bound(h.edges, v) - h.edges.begin();
    ++h.counts[std::min(static_cast<std::size_t>(above), h.counts.size()) - 1];
  }
  return h;
}

sensitivity_index jansen(const std::vector<double>& a, const std::vector<double>& b, const std::vector<double>& ab) {
  sensitivity_index index;
  const std::size_t n = a.size();
  if (n < 2) return index;
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < n; ++i) mean += a[i] + b[i];
  mean /= static_cast<double>(2 * n);
  for (std::size_t i = 0; i < n; ++i) variance += (a[i] - mean) * (a[i] - mean) + (b[i] - mean) * (b[i] - mean);
  variance /= static_cast<double>(2 * n - 1);
  if (variance == 0) return index;
  double rest = 0, rest2 = 0, total = 0;  // rest: what varies when this parameter is held
  for (std::size_t i = 0; i < n; ++i) {
    const double held = (b[i] - ab[i]) * (b[i] - ab[i]) / 2;
    rest += held;
    rest2 += held * held;
    total += (a[i] - ab[i]) * (a[i] - ab[i]) / 2;
  }
  const double count = static_cast<double>(n);
  rest /= count;
  index.first_order = 1 - rest / variance;
  index.total = total / count / variance;
  index.error = std::sqrt(std::max(0.0, rest2 / count - rest * rest) / count) / variance;
  return index;
}

}  // namespace rpsim::tool
