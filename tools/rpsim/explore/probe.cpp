#include "tools/rpsim/explore/probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/common/watchdog.h"
#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

using nlohmann::json;

namespace {

constexpr unsigned TALK_MS = 1000;     // how long a restarted firmware may take to announce itself
constexpr unsigned SETTLE_MS = 20000;  // longer than anything in Linux waits: a recovery may still be at work

std::string ordinal(unsigned n) {
  const char* ending = n % 100 / 10 == 1 ? "th" : n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
  return fmt::format("{}{}", n, ending);
}

/// `echo stop > /sys/class/remoteproc/remoteproc0/state` is `echo stop` to everybody.
std::string short_line(std::string_view line) {
  if (line.starts_with("$ ")) line.remove_prefix(2);
  const std::size_t to = line.find(" > /sys/class/remoteproc/");
  return std::string(line.ends_with("/state") ? line.substr(0, to) : line);
}

/// "carveout a of remoteproc0", "carveout b of remoteproc0" are two carveouts of remoteproc0; what stands alone keeps
/// its name.
std::string counted(const std::vector<std::string>& held) {
  std::map<std::string, std::vector<std::string>> by_kind;  // what it is and whose: "carveouts of remoteproc0"
  for (const std::string& h : held) {
    const bool channel = h.starts_with("rpmsg channel ");
    const std::size_t name = channel ? std::string_view("rpmsg channel").size() : h.find(' ');
    const std::size_t owner = channel ? h.size() : h.find(' ', name + 1);
    by_kind[h.substr(0, name) + "s" + h.substr(owner)].push_back(h);
  }
  std::vector<std::string> all;
  for (const auto& [kind, these] : by_kind)
    all.push_back(these.size() == 1 ? these.front() : fmt::format("{} {}", these.size(), kind));
  return fmt::format("{}", fmt::join(all, ", "));
}

json place_to_json(const fault_place& p) {
  return {p.ps, p.point, p.source, p.message, p.ordinal, p.running, p.asleep, p.watchdogs, p.host};
}
fault_place place_from_json(const json& j) { return {j[0], j[1], j[2], j[3], j[4], j[5], j[6], j[7], j[8]}; }
/// A line of a journal. The heap is to be what it is without it: digests are compared with those of a run that took
/// fewer notes.
class note {
 public:
  explicit note(journal& j) : journal_(j) {}
  ~note() { journal_.line({text_.data(), text_.size()}); }
  note(const note&) = delete;
  note& operator=(const note&) = delete;
  template <typename... T>
  void add(fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(fmt::appender(text_), format, std::forward<T>(values)...);
  }

 private:
  journal& journal_;
  fmt::memory_buffer text_;  // on the stack
};

std::vector<json> lines_of(const journal& j) {
  std::vector<json> lines;
  for (std::string_view rest = j.text(); !rest.empty();) {
    const std::size_t end = rest.find('\n');
    lines.push_back(json::parse(rest.substr(0, end)));
    rest.remove_prefix(end + 1);
  }
  return lines;
}

json line_to_json(const typed_line& l) { return {l.shell, l.line, l.result, l.output, l.begin_ps}; }
typed_line line_from_json(const json& j) { return {j[0], j[1], j[2], j[3], j[4]}; }

}  // namespace

std::string planned_fault::where() const {
  if (spec.point == "core" || spec.point == "watchdog" || spec.point == "host")
    return fmt::format("before {:.6f} ms", static_cast<double>(ps) / 1e9);
  return fmt::format("{}, the {}", spec.message, ordinal(spec.nth));
}

const std::vector<std::string>& finding_class_names() {
  static const std::vector<std::string> names{"passed", "recovered", "unnoticed", "clean error", "leaked",
                                              "stuck",  "invariant", "oops",      "broken"};
  return names;
}
const std::string& to_string(finding_class c) { return finding_class_names().at(static_cast<std::size_t>(c)); }

json to_json(const finding& f) {
  json lines = json::array(), places = json::array();
  for (const typed_line& l : f.lines) lines.push_back(line_to_json(l));
  for (const fault_place& p : f.places) places.push_back(place_to_json(p));
  return {{"class", to_string(f.what)},
          {"detail", f.detail},
          {"step", f.step},
          {"line", f.step_line},
          {"retried", f.retried},
          {"hazards", f.hazards},
          {"leaks", f.leaks},
          {"invariants", f.invariants},
          {"states", f.states},
          {"lines", std::move(lines)},
          {"held", f.held},
          {"end_ps", f.end_ps},
          {"aftermath", f.aftermath},
          {"places", std::move(places)},
          {"states_at", f.states_at}};
}

finding finding_from_json(const json& j) {
  finding f;
  const std::string what = j.at("class");
  f.what = static_cast<finding_class>(std::ranges::find(finding_class_names(), what) - finding_class_names().begin());
  f.detail = j.at("detail");
  f.step = j.at("step");
  f.step_line = j.at("line");
  f.retried = j.at("retried");
  f.hazards = j.at("hazards").get<std::vector<std::string>>();
  f.leaks = j.at("leaks").get<std::vector<std::string>>();
  f.invariants = j.at("invariants").get<std::vector<std::string>>();
  f.states = j.at("states").get<std::map<std::string, std::string>>();
  for (const json& l : j.at("lines")) f.lines.push_back(line_from_json(l));
  f.held = j.at("held").get<std::set<std::string>>();
  f.end_ps = j.at("end_ps");
  f.aftermath = j.at("aftermath");
  for (const json& p : j.at("places")) f.places.push_back(place_from_json(p));
  f.states_at = j.at("states_at").get<std::vector<std::pair<std::uint64_t, std::string>>>();
  return f;
}

// ---- before the fork

probe::probe(const std::string& file, const probe_options& o, const resources& where, const finding* normal)
    : options_(o), normal_(normal) {
  auto loaded = load_scenario(file, vocabulary::built_in());
  if (!loaded) throw refused(loaded.error());
  scenario_ = std::make_unique<scenario>(std::move(*loaded));
  if (auto wrong = override_host(*scenario_, o.run); !wrong.empty()) throw refused(std::move(wrong));
  for (step& s : scenario_->steps) {
    // What never comes is not waited for longer than anything in Linux waits.
    if (std::holds_alternative<wait_for_event>(s.action) || std::holds_alternative<wait_for_state>(s.action))
      s.within = s.within.value_or(sc_core::sc_time(20, sc_core::SC_SEC));
  }
  sim_ = std::make_unique<simulation>(*scenario_, o.run, where);
  if (normal_ != nullptr) sim_->trouble(*this);
  sim_->events().add(*this, trace_level::protocol);
  sim_->faults().watch([this](std::string_view point, std::string_view source, std::string_view message, unsigned nth) {
    if (!options_.keep_places) return;
    note place(places_);
    place.add(R"([{},"{}","{}","{}",{},[],[],[],false])", sc_core::sc_time_stamp().value(), point, source, message,
              nth);
  });
  sim_->begin();
}

probe::~probe() = default;

bool probe::advance(std::uint64_t ps) { return ps <= 1 || sim_->run_until(sc_core::sc_time::from_value(ps - 1)); }

// ---- after it

void probe::arm(planned_fault f) {
  if (f.spec.point == "host") {
    sim_->cut_power(f.spec.message == "standby" ? host_reset_kind::standby : host_reset_kind::reset);
    return;
  }
  if (f.spec.nth > 1) {
    std::string source;
    for (const auto& [key, value] : f.spec.fields) {
      if (key == "at") source = value;
    }
    f.spec.nth -= std::min(f.spec.nth - 1, sim_->faults().seen(f.spec.point, source, f.spec.message));
  }
  f.ps = 0;  // over
  faults_.push_back(std::move(f));
  sim_->inject(faults_.back().spec);
}

finding probe::run(const std::vector<planned_fault>& faults, const std::vector<std::uint64_t>& looks) {
  for (const planned_fault& f : faults) {
    advance(f.ps);
    places_.clear();  // those after the last one
    arm(f);
  }
  for (const std::uint64_t ps : looks) {
    if (!faults.empty() && ps <= faults.back().ps) continue;
    if (!advance(ps)) break;
    const auto state = state_digest({&places_, &digests_}, {&sim_->events().sequence(), &sim_->event_count()});
    if (!state) break;
    note(digests_).add(R"([{},"{:02x}"])", ps, fmt::join(*state, ""));
  }
  sim_->finish();
  judge(found_);
  for (const json& p : lines_of(places_)) found_.places.push_back(place_from_json(p));
  for (const json& s : lines_of(digests_)) found_.states_at.emplace_back(s[0], s[1]);
  return std::move(found_);
}

void probe::on_event(const event& e) {
  const auto hold = [&](bool held, std::string what) {
    if (held) {
      held_.insert(std::move(what));
    } else {
      held_.erase(what);
    }
  };
  const std::uint64_t now = e.time.value();
  const bool new_instant = now != std::exchange(last_instant_, now);
  if (options_.keep_places && booted_ && new_instant) {
    note place(places_);
    const auto labels = [&](const auto& models, const auto& wanted) {
      const char* between = "";
      for (const auto* m : models) {
        if (wanted(*m)) place.add(R"({}"{}")", std::exchange(between, ","), m->label());
      }
    };
    const auto state = [&](const core& c) { return sim_->states().state(c.label()); };
    const auto runs = [&](const core& c) { return state(c) == "wfi" || state(c) == "running"; };
    const bool any = std::ranges::any_of(sim_->soc().cores(), [&](const core* c) { return runs(*c); });
    place.add(R"([{},"instant","","",0,[)", now);
    labels(sim_->soc().cores(), runs);
    place.add("],[");
    labels(sim_->soc().cores(), [&](const core& c) { return state(c) == "wfi"; });
    place.add("],[");
    labels(sim_->soc().models(), [&](const model& m) { return any && dynamic_cast<const watchdog*>(&m) != nullptr; });
    place.add("],{}]", host_up_);
  }
  if (e.name == "host.booted") host_up_ = booted_ = true;
  if (e.name == "host.power_cycle" || e.name == "host.panic") {
    host_up_ = false;
    for (typed_line& l : found_.lines) {
      if (l.result.empty()) l.result = "lost";
    }
    channels_ = 0;
    std::erase_if(held_,
                  [](const std::string& what) { return what.starts_with("carveout") || what.starts_with("rpmsg"); });
  }
  if (e.name == "shell.run") {
    found_.lines.push_back({std::string(e.source), std::string(e.text("line")), {}, {}, now});
  } else if (e.name == "shell.done") {
    for (auto l = found_.lines.rbegin(); l != found_.lines.rend(); ++l) {
      if (l->shell != e.source) continue;
      l->result = e.text("result");
      l->output = e.text("output");
      break;
    }
  } else if (e.name == "device.get" || e.name == "device.put") {
    hold(e.name == "device.get", fmt::format("device {} by host {}", e.text("name"), e.number("host")));
  } else if (e.name == "proc.request" || e.name == "proc.release") {
    hold(e.name == "proc.request", fmt::format("processor {} by host {}", e.text("processor"), e.number("host")));
  } else if (e.name == "rproc.carveout") {
    hold(e.text("what") == "add", fmt::format("carveout {} of {}", e.text("carveout"), e.source));
  } else if (e.name == "rpmsg.channel.created") {
    ++channels_;
    talks_ = true;
    hold(true, fmt::format("rpmsg channel {}", e.text("channel")));
  } else if (e.name == "rpmsg.channel.destroyed") {
    if (channels_ != 0) --channels_;
    hold(false, fmt::format("rpmsg channel {}", e.text("channel")));
  } else if (e.name == "host.oops") {
    found_.hazards.emplace_back(e.text("hazard"));
  }
}

bool probe::again(const step& s, const command_result&) {
  if (!options_.retry || !std::holds_alternative<run_command>(s.action)) return false;
  found_.retried = true;
  return true;
}

void probe::aftermath(const step&) {
  sim_->wait_until_up();
  afterwards_ = true;
  found_.aftermath = found_.lines.size();
  for (const auto& [name, wanted] : normal_->states) {
    if (name.starts_with("remoteproc") && !reach(name, wanted)) return;
  }
  const auto leaks = [&] {
    leaks_.clear();
    std::ranges::set_difference(held_, normal_->held, std::inserter(leaks_, leaks_.end()));
    return !leaks_.empty();
  };
  for (unsigned ms = 0; leaks() && ms < SETTLE_MS; ms += 100) sc_core::wait(sc_core::sc_time(100, sc_core::SC_MS));
  for (const auto& [name, wanted] : normal_->states) {
    if (name.starts_with("remoteproc") && !go_round(name)) return;
  }
  afterwards_ = false;
}

std::string probe::state(const std::string& remoteproc) const { return std::string(sim_->states().state(remoteproc)); }

/// True if it went well; else the trouble is said.
bool probe::give(const std::string& word, const std::string& remoteproc, const std::string& wanted) {
  const command_result r = sim_->type(fmt::format("echo {} > /sys/class/remoteproc/{}/state", word, remoteproc));
  if (state(remoteproc).empty()) {
    trouble_ = fmt::format("there is no {}", remoteproc);
  } else if (r.result != "0") {
    trouble_ = fmt::format("echo {}: {}, in state {}", word, r.result, state(remoteproc));
  } else if (state(remoteproc) != wanted) {
    trouble_ = fmt::format("echo {}: 0, and still {}", word, state(remoteproc));
  }
  return trouble_.empty();
}

/// Attached is as good as running: that is how a host which was reset finds what it had started.
bool probe::reach(const std::string& remoteproc, const std::string& wanted) {
  const auto there = [&](const std::string& now) {
    return now == wanted || (now == "attached" && wanted == "running");
  };
  const std::string now = state(remoteproc);
  if (there(now)) return true;
  if (now == "crashed" && !give("stop", remoteproc, "offline")) return false;
  if (now == "detached" && !give("start", remoteproc, "attached")) return false;
  if (there(state(remoteproc))) return true;
  if (wanted == "offline") return give("stop", remoteproc, "offline");
  if (wanted == "detached" && state(remoteproc) == "attached") return give("detach", remoteproc, "detached");
  if (wanted == "running" && state(remoteproc) == "offline") return give("start", remoteproc, "running");
  // An autonomous processor that was stopped is not to be attached to again; whether it starts is seen next.
  return true;
}

/// Leaves its state and comes back to it; what is started has to talk, if it ever did.
bool probe::go_round(const std::string& remoteproc) {
  const std::string now = state(remoteproc);
  const auto start = [&](const std::string& wanted) {
    const unsigned before = channels_;
    if (!give("start", remoteproc, wanted)) return false;
    for (unsigned ms = 0; talks_ && channels_ <= before && ms < TALK_MS; ms += 10)
      sc_core::wait(sc_core::sc_time(10, sc_core::SC_MS));
    if (talks_ && channels_ <= before) trouble_ = "started again, it announces no rpmsg channel";
    return trouble_.empty();
  };
  if (now == "offline") return start("running") && give("stop", remoteproc, "offline");
  if (now == "running") return give("stop", remoteproc, "offline") && start("running");
  if (now == "detached") return start("attached") && give("detach", remoteproc, "detached");
  if (now == "attached") return give("detach", remoteproc, "detached") && start("attached");
  trouble_ =
      now.empty() ? fmt::format("there is no {}", remoteproc) : fmt::format("{} is {} for good", remoteproc, now);
  return false;
}

void probe::judge(finding& f) {
  const auto results = sim_->results();
  const auto wrong = std::ranges::find(results, false, &check_result::passed);
  f.end_ps = sc_core::sc_time_stamp().value();
  f.held = held_;
  if (f.aftermath == 0) f.aftermath = f.lines.size();
  for (const auto& [name, now] : sim_->states().all()) f.states[name] = now;
  for (const violation& v : sim_->violations()) {
    const bool declared =
        std::ranges::find(scenario_->violates, v.invariant, &placed_text::text) != scenario_->violates.end();
    const auto& design = broken_by_design(scenario_->host.shutdown.text);
    const bool known = declared || std::ranges::find(design, v.invariant) != design.end();
    const bool new_one = std::ranges::find(f.invariants, v.invariant) == f.invariants.end();
    if (!known && new_one) f.invariants.push_back(v.invariant);
  }
  std::erase(f.invariants, "host-oops");  // a class of its own
  if (normal_ == nullptr) {
    f.what = wrong == results.end() && f.invariants.empty() ? finding_class::passed : finding_class::clean_error;
    if (wrong != results.end()) f.detail = fmt::format("{}: {}", wrong->text, wrong->detail);
    return;
  }
  for (const std::string& h : normal_->hazards) {
    if (const auto it = std::ranges::find(f.hazards, h); it != f.hazards.end()) f.hazards.erase(it);
  }
  f.leaks.assign(leaks_.begin(), leaks_.end());

  // A fault that had no effect, an expectation that did not hold: neither is a step.
  const check_result* failed = nullptr;
  for (const check_result& r : results) {
    if (!r.passed && r.where.line != 0 &&
        std::ranges::any_of(scenario_->steps, [&](const step& s) { return s.where.line == r.where.line; })) {
      failed = &r;
      break;
    }
  }
  const auto open = std::ranges::find(f.lines, "", &typed_line::result);
  std::string first;
  if (failed != nullptr) {
    f.step = failed->text;
    f.step_line = failed->where.line;
    const bool command = failed->text.starts_with("$ ");
    if (open != f.lines.end() && !afterwards_) {
      first = fmt::format("{} never returns", short_line(open->line));
    } else if (command) {
      const typed_line& last = f.lines[f.aftermath - 1];
      first = fmt::format("{}: {}{}", short_line(failed->text), last.result,
                          last.result == "0" ? fmt::format(", {}", failed->detail) : "");
    } else {
      first = fmt::format("{}: {}", failed->text, failed->detail);
    }
    f.what = command ? finding_class::clean_error : finding_class::unnoticed;
  } else {
    const bool felt = f.retried || wrong != results.end();
    f.what = felt ? finding_class::recovered : finding_class::passed;
    if (f.retried) {
      first = "the second try succeeds";
    } else if (felt) {
      first = fmt::format("every command does what it should, but: {}", wrong->text);
    }
  }
  std::vector<std::string> story;
  if (!first.empty()) story.push_back(first);
  if (!f.leaks.empty()) {
    f.what = finding_class::leaked;
    story.push_back("not given back: " + counted(f.leaks));
  }
  if (open != f.lines.end()) {
    f.what = finding_class::stuck;
    if (afterwards_) story.push_back(fmt::format("then {} never returns", short_line(open->line)));
  } else if (!trouble_.empty() || afterwards_) {
    f.what = finding_class::stuck;
    story.push_back("then " + (trouble_.empty() ? "the end of the run is never reached" : trouble_));
  }
  if (!f.invariants.empty()) {
    f.what = finding_class::invariant;
    story.insert(story.begin(), fmt::format("{}", fmt::join(f.invariants, ", ")));
  }
  if (!f.hazards.empty()) {
    f.what = finding_class::oops;
    const std::set<std::string> hazards(f.hazards.begin(), f.hazards.end());
    story.insert(story.begin(), fmt::format("{}", fmt::join(hazards, ", ")));
  }
  f.detail = fmt::format("{}", fmt::join(story, "; "));
}

}  // namespace rpsim::tool
