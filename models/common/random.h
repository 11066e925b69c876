#pragma once
// Seeded randomness: one generator per named component, so that adding a component does not change another's draws.

#include <cstdint>
#include <map>
#include <memory_resource>
#include <string>
#include <string_view>

namespace rpsim {

/// xoshiro256** (Blackman and Vigna, public domain); the same stream on every machine, unlike std:: distributions.
class random_stream {
 public:
  explicit random_stream(std::uint64_t seed) { reseed(seed); }
  void reseed(std::uint64_t seed);
  std::uint64_t next();
  double uniform();                      // [0, 1)
  double normal();                       // mean 0, standard deviation 1 (Box–Muller, no cached second value)
  std::uint64_t below(std::uint64_t n);  // 0 … n-1, unbiased; n > 0

 private:
  std::uint64_t state_[4] = {};
};

/// The generators of a run, by name, each seeded from (seed, point, name).
class random_registry {
 public:
  explicit random_registry(std::uint64_t seed) : seed_(seed), side_by_side_(STREAMS * sizeof(random_stream)) {}
  random_stream& stream(std::string_view name);
  /// After a fork: every generator, and those to come, restart from (seed, point, name).
  void reseed(std::uint64_t seed, std::uint64_t point);
  std::uint64_t seed() const { return seed_; }

 private:
  static constexpr std::size_t STREAMS = 256;  // in the first block
  std::uint64_t derive(std::string_view name) const;
  std::uint64_t seed_;
  std::uint64_t point_ = 0;
  std::pmr::monotonic_buffer_resource side_by_side_;  // reseeding in a forked child costs a page or two, not one each
  std::map<std::string, random_stream*, std::less<>> streams_;
};

}  // namespace rpsim
