#include "models/common/random.h"

#include <bit>
#include <cmath>
#include <numbers>

namespace rpsim {

namespace {
std::uint64_t splitmix(std::uint64_t& x) {
  std::uint64_t z = (x += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
}  // namespace

void random_stream::reseed(std::uint64_t seed) {
  for (auto& word : state_) word = splitmix(seed);
}

std::uint64_t random_stream::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double random_stream::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double random_stream::normal() {
  const double u = 1.0 - uniform();  // (0, 1]
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint64_t random_stream::below(std::uint64_t n) {
  const std::uint64_t limit = n * (UINT64_MAX / n);
  std::uint64_t draw = next();
  while (draw >= limit) draw = next();
  return draw % n;
}

std::uint64_t random_registry::derive(std::string_view name) const {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a: std::hash differs between libraries
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  std::uint64_t x = seed_;
  std::uint64_t mixed = splitmix(x) ^ hash;
  mixed ^= splitmix(mixed) + point_;
  return splitmix(mixed);
}

random_stream& random_registry::stream(std::string_view name) {
  auto it = streams_.find(name);
  if (it == streams_.end()) {
    auto* made = std::pmr::polymorphic_allocator<>(&side_by_side_).new_object<random_stream>(derive(name));
    it = streams_.emplace(std::string(name), made).first;
  }
  return *it->second;
}

void random_registry::reseed(std::uint64_t seed, std::uint64_t point) {
  seed_ = seed;
  point_ = point;
  for (auto& [name, stream] : streams_) stream->reseed(derive(name));
}

}  // namespace rpsim
