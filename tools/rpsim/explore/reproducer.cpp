#include "tools/rpsim/explore/reproducer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "tools/rpsim/parse_scenario.h"
#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace fs = std::filesystem;

namespace {

constexpr const char* FAULT_SHELL = "fault";

std::string picoseconds(std::uint64_t ps) { return fmt::format("{} ps", ps); }

/// Seen from the scenario's directory; the new file stands elsewhere.
std::string absolute(const std::string& value, const std::string& scenario_file) {
  if (value.find('/') == std::string::npos && !value.ends_with(".dts")) return value;
  return fs::weakly_canonical(fs::path(scenario_file).parent_path() / value).string();
}

const char* key_of(const fault_spec& f) {
  return f.point == "mailbox.word" ? "mailbox" : f.point == "tisci.request" ? "tisci" : "ipcc";
}

bool of_a_message(const planned_fault& f) {
  return f.spec.point != "core" && f.spec.point != "watchdog" && f.spec.point != "host";
}

YAML::Node fault_node(const planned_fault& f) {
  YAML::Node n;
  const std::string verb = f.kind.substr(0, f.kind.find(' '));
  if (!of_a_message(f)) {
    n[verb] = f.spec.message;
  } else {
    YAML::Node what;
    what[key_of(f.spec)] = f.spec.message;
    for (const auto& [key, value] : f.spec.fields) what[key] = value;
    if (f.spec.nth != 1) what["nth"] = f.spec.nth;
    if (f.spec.what == fault_spec::kind::delay) what["by"] = picoseconds(f.spec.by.value());
    if (f.spec.xor_mask != 0) what["xor"] = f.spec.xor_mask;
    n[verb] = what;
  }
  n.SetStyle(YAML::EmitterStyle::Flow);
  return n;
}

YAML::Node command_node(const YAML::Node& step, const typed_line& said) {
  YAML::Node n;
  if (step.IsScalar()) {
    n["run"] = step;
  } else {
    n = YAML::Clone(step);
    n.remove("expect");
    n.remove("when");
  }
  if (said.result == "0" && n.IsMap() && n.size() == 1 && n["run"]) return YAML::Clone(n["run"]);
  if (said.result != "0") {
    n["expect"]["result"] = said.result.empty() ? "any" : said.result;
    n["expect"].SetStyle(YAML::EmitterStyle::Flow);
  }
  return n;
}

YAML::Node wait_node(const sc_core::sc_time& t) {
  YAML::Node n;
  n["wait"] = picoseconds(t.value());
  return n;
}

}  // namespace

std::string reproducer(const std::string& original, const probe_options& o, const std::string& name,
                       const std::vector<planned_fault>& faults, const finding& f) {
  YAML::Node root = YAML::LoadFile(original);
  auto loaded = load_scenario(original, vocabulary::built_in());
  scenario& s = *loaded;
  (void)override_host(s, o.run);

  const YAML::Node old_steps = root["steps"];
  for (const char* gone : {"expect", "measure", "outcomes", "violates"}) root.remove(gone);
  root["scenario"] = name;
  std::vector<std::string> what;
  for (const planned_fault& fault : faults) what.push_back(fmt::format("{} {}", fault.kind, fault.where()));
  root["purpose"] =
      fmt::format("Found by rpsim explore in {}, {}: {}: {}.", s.name,
                  what.empty() ? fmt::format("schedule {}", o.schedule) : fmt::format("{}", fmt::join(what, " and ")),
                  to_string(f.what), f.detail);
  root["platform"] = absolute(s.platform.text, original);
  for (auto entry : root["files"]) {
    YAML::Node image = entry.second.IsMap() ? entry.second["container"] : entry.second;
    image = absolute(image.as<std::string>(), original);
  }
  root["host"]["core"] = s.host.core.text;
  root["host"]["shutdown"] = s.host.shutdown.text;
  root["host"]["crash"] = s.host.crash.text;
  for (const auto& [key, value] : o.run.overrides) {
    if (!key.starts_with("host.") && key != "core") root["params"][key] = value;
  }
  for (const planned_fault& fault : faults) {
    if (of_a_message(fault)) root["faults"].push_back(fault_node(fault));
  }

  YAML::Node steps(YAML::NodeType::Sequence);
  for (const planned_fault& fault : faults) {
    if (of_a_message(fault)) continue;
    YAML::Node n;
    n["at"] = picoseconds(fault.ps - 1);
    n["in"] = FAULT_SHELL;
    if (fault.spec.point == "host") {
      n["power-cycle"] = fault.spec.message;
    } else {
      n["inject"] = fault_node(fault);
    }
    steps.push_back(n);
  }
  // The lines in the order they were typed, a shell at a time, tell each command what it got.
  std::map<std::string, std::size_t> next;
  const auto said = [&](const std::string& shell) -> const typed_line* {
    const std::string source = shell.empty() ? "shell" : "shell-" + shell;
    std::size_t& i = next[source];
    while (i < f.aftermath && f.lines[i].shell != source) ++i;
    return i < f.aftermath ? &f.lines[i++] : nullptr;
  };
  bool over = false;
  for (const step& one : s.steps) {
    if (over) break;
    over = f.step_line != 0 && one.where.line == f.step_line;
    YAML::Node node;
    for (const YAML::Node& n : old_steps) {
      if (static_cast<unsigned>(n.Mark().line) + 1 == one.where.line) node.reset(n);
    }
    const bool waits = node.IsMap() && node["wait"];
    const bool command = !waits && !(node.IsMap() && (node["inject"] || node["set"] || node["table"]));
    if (!command) {
      if (waits && over) {
        steps.push_back(wait_node(one.within.value_or(sc_core::sc_time(20, sc_core::SC_SEC))));
      } else if (!over) {
        steps.push_back(YAML::Clone(node));
      }
      continue;
    }
    const typed_line* line = said(one.shell);
    if (line == nullptr) break;
    const bool twice = f.retried && one.expect.result != "any" && line->result != one.expect.result;
    YAML::Node n = command_node(node, *line);
    if (one.at && line->begin_ps > one.at->value()) n["at"] = picoseconds(line->begin_ps);  // it came too late
    steps.push_back(n);
    if (!twice) continue;
    if (const typed_line* second = said(one.shell); second != nullptr) {
      YAML::Node again = command_node(node, *second);
      if (again.IsMap()) again.remove("at");
      steps.push_back(again);
    }
  }
  for (std::size_t i = f.aftermath; i < f.lines.size(); ++i) {
    YAML::Node n;  // between two lines it may have been waited for the firmware to announce itself
    n["at"] = picoseconds(f.lines[i].begin_ps);
    n["run"] = f.lines[i].line;
    steps.push_back(command_node(n, f.lines[i]));
  }
  root["steps"] = steps;

  YAML::Node expect(YAML::NodeType::Sequence), states;
  for (const auto& [of, state] : f.states) {
    if (of.starts_with("remoteproc")) states[of] = state;
  }
  states.SetStyle(YAML::EmitterStyle::Flow);
  YAML::Node at_end;
  if (states.size() != 0) at_end["state"] = states;
  if (states.size() != 0) expect.push_back(at_end);
  for (const std::string& hazard : std::set(f.hazards.begin(), f.hazards.end())) {
    YAML::Node n, count;
    count["host.oops " + hazard] = std::ranges::count(f.hazards, hazard);
    count.SetStyle(YAML::EmitterStyle::Flow);
    n["count"] = count;
    expect.push_back(n);
  }
  if (expect.size() != 0) root["expect"] = expect;
  for (const std::string& i : f.invariants) root["violates"].push_back(i);
  if (!f.hazards.empty()) root["violates"].push_back("host-oops");

  YAML::Emitter out;
  out << root;
  const auto open = std::ranges::find(f.lines, "", &typed_line::result);
  std::string head = fmt::format("{}{}{}{}\n", REPRODUCER, o.run.seed,
                                 o.schedule != 0 ? fmt::format(" --schedule {}", o.schedule) : "", REPRODUCER_END);
  if (open != f.lines.end()) head += fmt::format("# fails: `{}` never returns, and that is the finding\n", open->line);
  return head + out.c_str() + "\n";
}

}  // namespace rpsim::tool
