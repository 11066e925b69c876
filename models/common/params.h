#pragma once
// Named parameters. Every latency, frequency and count that a model or a host driver uses is declared here with a
// default, a unit and where the number comes from; `rpsim params PLATFORM` lists them, a scenario or a study sets
// them, as a constant or as a distribution.

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <systemc>
#include <tl/expected.hpp>
#include <vector>

#include "models/common/random.h"

namespace rpsim {

/// Where a default comes from. `code`: read in a named source file; `derived`: computed from confirmed facts.
enum class provenance : std::uint8_t { published, measured, code, derived, assumed };
std::string_view to_string(provenance p);

/// A value or a distribution, in the parameter's base unit (picoseconds, hertz, or a plain number).
/// Written `80us`, `uniform(50us, 150us)`, `normal(100us, 20us, 10us, 1ms)` (mean, standard deviation, then the
/// bounds at which a sample is drawn again), `lognormal(100us, 0.5)` (median, sigma), `empirical(file.csv)`.
class distribution {
 public:
  static distribution constant(double value);
  /// @return the parse error's text, naming what would be right.
  static tl::expected<distribution, std::string> parse(std::string_view text, std::string_view unit);

  double sample(random_stream& rng) const;
  /// The value below which a share u in [0, 1) of the samples lies: a draw is quantile(uniform()).
  double quantile(double u) const;
  bool is_constant() const { return shape_ == shape::constant; }
  double lower() const;  // smallest value that sample() returns (0 for lognormal)
  double upper() const;  // largest (+infinity for lognormal)
  std::string text(std::string_view unit) const;

 private:
  enum class shape : std::uint8_t { constant, uniform, normal, lognormal, empirical };
  shape shape_ = shape::constant;
  double a_ = 0, b_ = 0, min_ = 0, max_ = 0;
  std::vector<double> values_;
};

/// One declared parameter. Keep a reference; ask at each use.
class param {
 public:
  std::string_view name() const { return name_; }
  std::string_view unit() const { return unit_; }  // "s", "Hz", "" (a count) or "bool"
  provenance origin() const { return origin_; }
  std::string_view source() const { return source_; }  // "reference/k3.md §7", "assumed" …
  std::string_view description() const { return description_; }
  const distribution& value() const { return value_; }
  const distribution& default_value() const { return default_; }
  /// What its source says it lies between; nothing: the source gives one value.
  const std::optional<distribution>& range() const { return range_; }

  sc_core::sc_time time() {
    if (settled_) return constant_time_;
    const double drawn = draw();
    return value_.is_constant() ? constant_time_ : to_time(drawn);
  }
  double real() { return draw(); }
  std::uint64_t count() { return static_cast<std::uint64_t>(draw() + 0.5); }
  bool flag() { return draw() != 0; }

  /// Whether anything asked for the value since forget_use(): what was read once, when the platform was built, does not
  /// follow a later change.
  bool used() const { return used_; }
  void forget_use() { used_ = settled_ = false; }

 private:
  friend class param_registry;
  void note_use() {
    if (used_) return;  // in a forked child a store would cost a page
    used_ = true;
    settled_ = value_.is_constant();
  }
  static sc_core::sc_time to_time(double picoseconds) {
    return sc_core::sc_time::from_value(static_cast<std::uint64_t>(picoseconds + 0.5));
  }
  void become(distribution value);
  double draw() {
    note_use();
    return value_.is_constant() ? constant_ : value_.sample(*rng_);
  }

  std::string name_, unit_, source_, description_;
  provenance origin_ = provenance::assumed;
  distribution value_, default_;
  std::optional<distribution> range_;
  bool given_ = false;  // a value was set
  double constant_ = 0;
  sc_core::sc_time constant_time_;  // the same, ready for a bus access
  double minimum_ = 0, maximum_ = 0;
  random_stream* rng_ = nullptr;
  bool used_ = false;
  bool settled_ = false;  // a constant, and its use is noted: nothing is left to do but to return it
};

class param_registry {
 public:
  explicit param_registry(random_registry& rng) : rng_(rng) {}

  struct info {
    std::string name;  // "dm.pm_latency": <instance>.<what>
    provenance origin;
    std::string source;       // a document and section, a file, or "assumed" with the reason
    std::string description;  // one line, for people
    std::string range{};      // "1us .. 10us": where the source gives a range; its values are drawn by jitter()
    double least = 0, most = std::numeric_limits<double>::infinity();  // what it may be, besides what its unit allows
  };
  /// Declaring a name again returns the parameter that stands (models of one kind share theirs).
  param& time(info i, sc_core::sc_time default_value);
  param& frequency_hz(info i, double default_value);
  param& number(info i, double default_value);
  param& flag(info i, bool default_value);
  /// One of the names; count() gives its index, a distribution is over indices. unit() is "a|b|c".
  param& choice(info i, std::vector<std::string> names, unsigned default_index);

  /// Sets a parameter from its text. A name may be given by its end after a dot, `ack_delay` for `m4f.fw.ack_delay`,
  /// if only one ends so. Before it is declared the value is kept and takes effect on declaration.
  /// @return an error text for a bad value or, once sealed, for an unknown name (with the nearest right one).
  tl::expected<void, std::string> set(std::string_view name, std::string_view value);

  /// A race search: from now on each use of a parameter with a range draws a value inside it, evenly, from the
  /// parameter's generator. What was set stays as it was set.
  void jitter();

  /// Ends declaration. @return what was set but cannot be meant, one text each: a name that nobody declared, with the
  /// nearest right one; the end of several names.
  std::vector<std::string> seal();

  param* find(std::string_view name);
  /// The declared parameter that a name or its end means. @return why none is meant, with the nearest right one.
  tl::expected<param*, std::string> resolve(std::string_view name) const;
  /// What a text would make of a parameter. @return why it cannot be its value.
  static tl::expected<distribution, std::string> admit(const param& p, std::string_view name, std::string_view value);
  /// By name.
  std::vector<param*> all();

 private:
  param& declare(info i, std::string unit, distribution value);

  random_registry& rng_;
  std::map<std::string, std::unique_ptr<param>, std::less<>> params_;
  struct wanted {
    std::string value;
    std::vector<std::string> meant;  // declared names that end so
  };
  std::map<std::string, wanted, std::less<>> pending_;
  bool sealed_ = false;
};

/// Reads "80us", "1.5 ms", "400MHz", "12" in the unit ("s", "Hz", ""): picoseconds, hertz or the number.
tl::expected<double, std::string> parse_quantity(std::string_view text, std::string_view unit);
/// "80us", "1.5ms", "400MHz": the shortest exact form.
std::string format_quantity(double value, std::string_view unit);
/// The candidate with the smallest edit distance to the word, "" if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace rpsim
