#include "tools/rpsim/explore/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rpsim::tool {

namespace {

using kind = fault_spec::kind;

struct verb {
  const char* name;
  kind what;
};
constexpr std::array<verb, 10> VERBS{{{"drop", kind::drop},
                                      {"delay", kind::delay},
                                      {"duplicate", kind::duplicate},
                                      {"corrupt", kind::corrupt},
                                      {"nack", kind::nack},
                                      {"silence", kind::silence},
                                      {"hang", kind::hang},
                                      {"lockup", kind::lockup},
                                      {"wake", kind::wake},
                                      {"watchdog", kind::watchdog}}};
constexpr const char* POWER_CYCLE = "power-cycle";

/// What can go wrong with a message at a point of models/common/fault.h, and what the scenario calls the point.
struct medium {
  const char* point;
  const char* key;
  std::vector<kind> what;
};
const std::vector<medium>& media() {
  static const std::vector<medium> all{
      {"mailbox.word", "mailbox", {kind::drop, kind::delay, kind::duplicate, kind::corrupt}},
      {"tisci.request", "tisci", {kind::delay, kind::nack, kind::silence}},
      {"ipcc.flag", "ipcc", {kind::drop, kind::delay}}};
  return all;
}

const char* name_of(kind k) { return std::ranges::find(VERBS, k, &verb::what)->name; }

}  // namespace

const std::vector<std::string>& explore_verbs() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const verb& v : VERBS) all.emplace_back(v.name);
    all.emplace_back(POWER_CYCLE);
    return all;
  }();
  return names;
}

std::vector<planned_fault> plan_faults(const std::vector<fault_place>& places, const plan_options& o) {
  std::vector<planned_fault> plan;
  const auto wanted = [&](kind k) {
    return o.kinds.empty() || std::ranges::find(o.kinds, name_of(k)) != o.kinds.end();
  };
  const auto message = [&](const fault_place& p, const medium& m, kind k, const sc_core::sc_time& by) {
    planned_fault f;
    f.ps = p.ps;
    f.kind = fmt::format("{} {}", name_of(k), m.key);
    f.spec.what = k;
    f.spec.point = p.point;
    f.spec.message = p.message.empty() ? "*" : p.message;
    f.spec.fields = {{"at", p.source}};
    f.spec.nth = p.ordinal;
    f.spec.by = by;
    f.spec.xor_mask = k == kind::corrupt ? 1 : 0;
    f.spec.text = f.kind;
    plan.push_back(std::move(f));
  };
  const auto block = [&](const fault_place& p, const char* point, const std::string& label, kind k) {
    planned_fault f;
    f.ps = p.ps;
    f.kind = fmt::format("{} {}", name_of(k), label);
    f.spec.what = k;
    f.spec.point = point;
    f.spec.message = label;
    f.spec.text = f.kind;
    plan.push_back(std::move(f));
  };
  for (const fault_place& p : places) {
    for (const medium& m : media()) {
      if (p.point != m.point) continue;
      for (const kind k : m.what) {
        if (!wanted(k)) continue;
        if (k != kind::delay) {
          message(p, m, k, {});
        } else {
          for (const sc_core::sc_time& by : o.delays) message(p, m, k, by);
        }
      }
    }
    if (p.point != "instant") continue;
    for (const kind k : {kind::hang, kind::lockup}) {
      for (const std::string& label : p.running) {
        if (wanted(k)) block(p, "core", label, k);
      }
    }
    for (const std::string& label : p.asleep) {
      if (wanted(kind::wake)) block(p, "core", label, kind::wake);
    }
    for (const std::string& label : p.watchdogs) {
      if (wanted(kind::watchdog)) block(p, "watchdog", label, kind::watchdog);
    }
    if (!p.host || !(o.kinds.empty() || std::ranges::find(o.kinds, POWER_CYCLE) != o.kinds.end())) continue;
    for (const char* how : {"reset", "standby"}) {
      planned_fault f;
      f.ps = p.ps;
      f.kind = fmt::format("{} {}", POWER_CYCLE, how);
      f.spec.point = "host";
      f.spec.message = how;
      plan.push_back(std::move(f));
    }
  }
  std::ranges::stable_sort(plan, {}, &planned_fault::ps);
  return plan;
}

}  // namespace rpsim::tool
