#include "tools/rpsim/checks.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "host_sw/os/os.h"

namespace rpsim::tool {

std::string human_time(const sc_core::sc_time& t) {
  const double ps = static_cast<double>(t.value());
  if (t.value() == 0) return "0 s";
  if (ps < 1e3) return fmt::format("{} ps", t.value());
  if (ps < 1e6) return fmt::format("{:.3f} ns", ps / 1e3);
  if (ps < 1e9) return fmt::format("{:.3f} us", ps / 1e6);
  if (ps < 1e12) return fmt::format("{:.3f} ms", ps / 1e9);
  return fmt::format("{:.3f} s", ps / 1e12);
}

std::string human_times(std::uint64_t n) { return n == 1 ? "once" : fmt::format("{} times", n); }

sc_core::sc_time measure_result::least() const { return *std::ranges::min_element(values); }
sc_core::sc_time measure_result::most() const { return *std::ranges::max_element(values); }
sc_core::sc_time measure_result::mean() const {
  std::uint64_t sum = 0;
  for (const sc_core::sc_time& v : values) sum += v.value();
  return sc_core::sc_time::from_value(sum / values.size());
}

class checks::check {
 public:
  explicit check(const expectation& e) : text_(e.text), where_(e.where) {}
  virtual ~check() = default;
  virtual void on_event(const event& e) = 0;
  /// "" if it holds, else why it does not.
  virtual std::string verdict() const = 0;
  check_result result() const {
    std::string why = verdict();
    const bool passed = why.empty();
    return {text_, passed, std::move(why), where_};
  }

 private:
  std::string text_;
  place where_;
};

namespace {

class state_check final : public checks::check {
 public:
  state_check(const expectation& e, const expect_state& s, const state_tracker& states)
      : check(e), spec_(s), states_(states) {}
  void on_event(const event&) override {}
  std::string verdict() const override {
    const std::string_view now = states_.state(spec_.state.what);
    if (now == spec_.state.state) return "";
    return now.empty() ? fmt::format("no state of {} was seen", spec_.state.what) : fmt::format("it is {}", now);
  }

 private:
  const expect_state& spec_;
  const state_tracker& states_;
};

class order_check final : public checks::check {
 public:
  order_check(const expectation& e, const expect_order& s) : check(e), spec_(s) {}
  void on_event(const event& e) override {
    if (rounds_ == spec_.times || !spec_.events[next_].matches(e)) return;
    last_ = e.time;
    if (++next_ == spec_.events.size()) {
      next_ = 0;
      ++rounds_;
    }
  }
  std::string verdict() const override {
    if (rounds_ == spec_.times) return "";
    const std::string round = spec_.times > 1 ? fmt::format("round {}: ", rounds_ + 1) : "";
    const std::string& missing = spec_.events[next_].text();
    return next_ == 0 && rounds_ == 0 ? fmt::format("{}{} did not happen", round, missing)
                                      : fmt::format("{}{} did not happen after {}", round, missing, human_time(last_));
  }

 private:
  const expect_order& spec_;
  std::size_t next_ = 0;
  unsigned rounds_ = 0;
  sc_core::sc_time last_;
};

class never_check final : public checks::check {
 public:
  never_check(const expectation& e, const expect_never& s) : check(e), spec_(s), active_(!s.after) {}
  void on_event(const event& e) override {
    if (spec_.before && spec_.before->matches(e)) over_ = true;
    if (active_ && !over_ && spec_.what.matches(e)) {
      if (count_++ == 0) first_ = e.time;
    }
    if (spec_.after && spec_.after->matches(e)) active_ = true;
  }
  std::string verdict() const override {
    if (!active_) return fmt::format("{} did not happen, so there is no time after it", spec_.after->text());
    if (spec_.before && !over_)
      return fmt::format("{} did not happen, so there is no time before it", spec_.before->text());
    if (count_ == 0) return "";
    return count_ == 1 ? fmt::format("it happened at {}", human_time(first_))
                       : fmt::format("it happened {} times, first at {}", count_, human_time(first_));
  }

 private:
  const expect_never& spec_;
  bool active_, over_ = false;
  std::uint64_t count_ = 0;
  sc_core::sc_time first_;
};

class count_check final : public checks::check {
 public:
  count_check(const expectation& e, const expect_count& s) : check(e), spec_(s) {}
  void on_event(const event& e) override { count_ += spec_.what.matches(e); }
  std::string verdict() const override {
    return count_ >= spec_.least && count_ <= spec_.most ? "" : fmt::format("it happened {}", human_times(count_));
  }

 private:
  const expect_count& spec_;
  std::uint64_t count_ = 0;
};

class takes_check final : public checks::check {
 public:
  takes_check(const expectation& e, const expect_takes& s) : check(e), spec_(s) {}
  void on_event(const event& e) override {
    if (open_ && spec_.to.matches(e)) {
      const sc_core::sc_time took = e.time - *open_;
      open_.reset();
      ++count_;
      const bool good = (!spec_.least || took >= *spec_.least) && (!spec_.most || took <= *spec_.most);
      if (!good && wrong_.empty()) wrong_ = fmt::format("it took {} at {}", human_time(took), human_time(e.time));
    }
    if (spec_.from.matches(e)) open_ = e.time;
  }
  std::string verdict() const override { return count_ == 0 ? "it did not happen" : wrong_; }

 private:
  const expect_takes& spec_;
  std::optional<sc_core::sc_time> open_;
  std::uint64_t count_ = 0;
  std::string wrong_;
};

class log_check final : public checks::check {
 public:
  log_check(const expectation& e, const expect_log& s) : check(e), spec_(s) {}
  void on_event(const event& e) override {
    found_ = found_ || (e.name == "host.log" && glob_match("*" + spec_.text + "*", e.text("text")));
  }
  std::string verdict() const override { return found_ ? "" : "the kernel log has no such line"; }

 private:
  const expect_log& spec_;
  bool found_ = false;
};

/// An errno or a hazard (`oops H4`) that an outcome names was seen: its words stay true to what runs.
class outcome_check final : public checks::check {
 public:
  explicit outcome_check(const placed_text& text) : check({text.where, fmt::format("outcome: {}", text.text), {}, {}}) {
    std::string word, before;
    for (const char c : text.text + " ") {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-') {
        word += c;
        continue;
      }
      if (os::errno_value(word) != 0) named_.emplace(word);
      if (before == "oops") named_.emplace("oops " + word);
      if (!word.empty()) before = std::exchange(word, "");
    }
  }
  void on_event(const event& e) override {
    if (named_.empty()) return;
    if (e.name == "shell.done" || e.name == "rproc.op" || e.name == "rproc.recovery") {
      named_.erase(std::string(e.text("result")));
    } else if (e.name == "host.oops") {
      named_.erase(fmt::format("oops {}", e.text("hazard")));
    } else if (e.name == "host.log") {
      std::erase_if(named_, [&](const std::string& error) {
        return !error.starts_with("oops") && glob_match(fmt::format("*-{}*", os::errno_value(error)), e.text("text"));
      });
    }
  }
  std::string verdict() const override { return named_.empty() ? "" : fmt::format("nothing gave {}", *named_.begin()); }

 private:
  std::set<std::string, std::less<>> named_;  // and not seen yet
};

std::unique_ptr<checks::check> make_check(const expectation& e, const state_tracker& states) {
  return std::visit(
      [&](const auto& what) -> std::unique_ptr<checks::check> {
        using T = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<T, expect_state>) return std::make_unique<state_check>(e, what, states);
        if constexpr (std::is_same_v<T, expect_order>) return std::make_unique<order_check>(e, what);
        if constexpr (std::is_same_v<T, expect_never>) return std::make_unique<never_check>(e, what);
        if constexpr (std::is_same_v<T, expect_count>) return std::make_unique<count_check>(e, what);
        if constexpr (std::is_same_v<T, expect_takes>) return std::make_unique<takes_check>(e, what);
        if constexpr (std::is_same_v<T, expect_log>) return std::make_unique<log_check>(e, what);
      },
      e.what);
}

}  // namespace

checks::checks(const scenario& s, const state_tracker& states) {
  for (const expectation& e : s.expect) checks_.push_back(make_check(e, states));
  if (!s.outcome.text.empty()) checks_.push_back(std::make_unique<outcome_check>(s.outcome));
  for (const measure_spec& m : s.measures) {
    measures_.push_back({m.name, m.from.text(), m.to.text(), {}});
    specs_.push_back(&m);
  }
  open_.resize(specs_.size());
}

checks::~checks() = default;

void checks::on_event(const event& e) {
  for (const auto& c : checks_) c->on_event(e);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (open_[i] && specs_[i]->to.matches(e)) {
      measures_[i].values.push_back(e.time - *open_[i]);
      open_[i].reset();
    }
    if (specs_[i]->from.matches(e)) open_[i] = e.time;
  }
}

std::vector<check_result> checks::results() const {
  std::vector<check_result> results;
  for (const auto& c : checks_) results.push_back(c->result());
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (measures_[i].values.empty()) {
      results.push_back({fmt::format("measure {}", specs_[i]->name), false,
                         fmt::format("nothing to measure: no {} after a {}", measures_[i].to, measures_[i].from),
                         specs_[i]->where});
    }
  }
  return results;
}

std::vector<measure_result> checks::measures() const { return measures_; }

}  // namespace rpsim::tool
