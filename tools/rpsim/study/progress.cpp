#include "tools/rpsim/study/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace rpsim::tool {

using namespace std::chrono_literals;

namespace {
constexpr std::uint64_t BAR = 30;

std::string human_seconds(double s) {
  if (s < 100) return fmt::format("{:.0f} s", std::ceil(s));
  if (s < 6000) return fmt::format("{:.0f} min", std::ceil(s / 60));
  return fmt::format("{:.1f} h", s / 3600);
}
}  // namespace

progress::progress(std::uint64_t total, std::uint64_t before, bool terminal, bool quiet)
    : total_(total),
      before_(before),
      done_(before),
      terminal_(terminal),
      quiet_(quiet),
      shown_tenth_(total == 0 ? 0 : before * 10 / total) {}

progress::~progress() {
  if (!quiet_ && terminal_ && done_ != before_) {
    show(true);
    std::fputc('\n', stderr);
  }
}

double progress::rate() const {
  const double seconds = std::chrono::duration<double>(clock::now() - start_).count();
  return seconds > 0 ? static_cast<double>(done_ - before_) / seconds : 0;
}

std::string progress::text() const {
  const std::uint64_t percent = total_ == 0 ? 100 : done_ * 100 / total_;
  std::string t = fmt::format("{}/{}  {} %  {:.0f} points/s", done_, total_, percent, rate());
  if (done_ < total_ && rate() > 0)
    t += fmt::format("  {} left", human_seconds(static_cast<double>(total_ - done_) / rate()));
  if (failed_ != 0) t += fmt::format("  {} failed", failed_);
  return t;
}

void progress::done(std::uint64_t points, std::uint64_t failed) {
  done_ += points;
  failed_ += failed;
  show(false);
}

void progress::make_room() {
  if (!quiet_ && terminal_) fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

void progress::note(const std::string& text) {
  if (quiet_) return;
  make_room();
  fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

void progress::show(bool last) {
  if (quiet_) return;
  const auto now = clock::now();
  if (terminal_) {
    if (!last && now - shown_ < 100ms) return;
    const std::uint64_t full = total_ == 0 ? BAR : std::min(BAR, done_ * BAR / total_);
    fmt::print(stderr, "\r[{:#<{}}{:.<{}}] {}\x1b[K", "", full, "", BAR - full, text());
  } else {
    const std::uint64_t tenth = total_ == 0 ? 10 : done_ * 10 / total_;
    if (tenth == shown_tenth_ && now - shown_ < 10s) return;
    shown_tenth_ = tenth;
    fmt::print(stderr, "{}\n", text());
  }
  std::fflush(stderr);
  shown_ = now;
}

}  // namespace rpsim::tool
