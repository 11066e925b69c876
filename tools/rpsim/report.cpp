#include "tools/rpsim/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace rpsim::tool {

using json = nlohmann::ordered_json;

const char* to_string(verdict v) {
  switch (v) {
    case verdict::passed:
      return "passed";
    case verdict::failed:
      return "failed";
    case verdict::refused:
      return "refused";
    case verdict::broken:
      return "broken";
  }
  return "?";
}

int exit_status(verdict v) { return static_cast<int>(v); }

std::string run_report::reason() const {
  if (!problems.empty()) return problems.front();
  for (const check_result& c : checks) {
    if (!c.passed) return fmt::format("{}: {}", c.text, c.detail);
  }
  for (const violation_summary& v : violations) {
    if (v.standing == "undeclared") return fmt::format("{}: {}", v.invariant, v.text);
  }
  return "";
}

namespace {

json as_json(const run_report& r) {
  json j{{"file", r.file},         {"scenario", r.scenario}, {"purpose", r.purpose},
         {"platform", r.platform}, {"seed", r.seed},         {"verdict", to_string(r.outcome)}};
  j["checks"] = json::array();
  for (const check_result& c : r.checks) {
    json one{{"text", c.text}, {"passed", c.passed}, {"line", c.where.line}, {"column", c.where.column}};
    if (!c.passed) one["detail"] = c.detail;
    j["checks"].push_back(std::move(one));
  }
  j["measures"] = json::array();
  for (const measure_summary& m : r.measures) {
    j["measures"].push_back({{"name", m.name}, {"from", m.from}, {"to", m.to}, {"ps", m.ps}});
  }
  j["violations"] = json::array();
  for (const violation_summary& v : r.violations) {
    j["violations"].push_back({{"invariant", v.invariant}, {"text", v.text}, {"ps", v.ps}, {"standing", v.standing}});
  }
  j["unconfirmed"] = r.unconfirmed;
  j["problems"] = r.problems;
  j["simulated_ps"] = r.simulated_ps;
  j["events"] = r.events;
  j["wall_seconds"] = r.wall_seconds;
  return j;
}

/// Bytes that a simulated system produced need not be UTF-8.
std::string dump(const json& j, int indent) { return j.dump(indent, ' ', false, json::error_handler_t::replace); }

std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "&#10;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
  }
  return out;
}

sc_core::sc_time ps(std::uint64_t value) { return sc_core::sc_time::from_value(value); }

}  // namespace

std::string to_json(const run_report& r) { return dump(as_json(r), -1); }

run_report report_from_json(const std::string& text) {
  const json j = json::parse(text);
  run_report r;
  j.at("file").get_to(r.file);
  j.at("scenario").get_to(r.scenario);
  j.at("purpose").get_to(r.purpose);
  j.at("platform").get_to(r.platform);
  j.at("seed").get_to(r.seed);
  for (const verdict v : {verdict::passed, verdict::failed, verdict::refused, verdict::broken}) {
    if (j.at("verdict") == to_string(v)) r.outcome = v;
  }
  for (const json& c : j.at("checks")) {
    r.checks.push_back({c.at("text"), c.at("passed"), c.value("detail", ""), {c.at("line"), c.at("column")}});
  }
  for (const json& m : j.at("measures")) r.measures.push_back({m.at("name"), m.at("from"), m.at("to"), m.at("ps")});
  for (const json& v : j.at("violations")) {
    r.violations.push_back({v.at("invariant"), v.at("text"), v.at("ps"), v.at("standing")});
  }
  j.at("unconfirmed").get_to(r.unconfirmed);
  j.at("problems").get_to(r.problems);
  j.at("simulated_ps").get_to(r.simulated_ps);
  j.at("events").get_to(r.events);
  j.at("wall_seconds").get_to(r.wall_seconds);
  return r;
}

std::string summary_json(const std::vector<run_report>& runs) {
  json j{{"schema", "rpsim-summary-1"}, {"runs", json::array()}};
  for (const run_report& r : runs) j["runs"].push_back(as_json(r));
  return dump(j, 2) + "\n";
}

std::string junit_xml(const std::vector<run_report>& runs) {
  const auto count = [&](auto... kinds) {
    return std::ranges::count_if(runs, [&](const run_report& r) { return ((r.outcome == kinds) || ...); });
  };
  double wall = 0;
  for (const run_report& r : runs) wall += r.wall_seconds;
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format("<testsuite name=\"rpsim\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3f}\">\n",
                     runs.size(), count(verdict::failed), count(verdict::refused, verdict::broken), wall);
  for (const run_report& r : runs) {
    out += fmt::format("  <testcase classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{:.3f}\">\n",
                       xml(r.platform.empty() ? "rpsim" : r.platform), xml(r.scenario), xml(r.file), r.wall_seconds);
    if (r.outcome == verdict::failed) {
      out += fmt::format("    <failure message=\"{}\">", xml(r.reason()));
      for (const check_result& c : r.checks) {
        if (!c.passed)
          out += xml(fmt::format("{}:{}:{}: {}: {}\n", r.file, c.where.line, c.where.column, c.text, c.detail));
      }
      for (const violation_summary& v : r.violations) {
        if (v.standing == "undeclared")
          out += xml(fmt::format("{} at {}: {}\n", v.invariant, human_time(ps(v.ps)), v.text));
      }
      out += "</failure>\n";
    } else if (r.outcome != verdict::passed) {
      out += fmt::format("    <error message=\"{}\">{}</error>\n", xml(r.reason()),
                         xml(fmt::format("{}", fmt::join(r.problems, "\n"))));
    }
    out += "  </testcase>\n";
  }
  return out + "</testsuite>\n";
}

std::string verdict_text(const run_report& r, bool colour, bool brief) {
  const char* green = colour ? "\x1b[32m" : "";
  const char* red = colour ? "\x1b[31m" : "";
  const char* bold = colour ? "\x1b[1m" : "";
  const char* plain = colour ? "\x1b[0m" : "";
  std::string out;
  if (!brief) out += "\n";
  for (const check_result& c : r.checks) {
    if (c.passed && !brief) out += fmt::format("  {}ok{}    {}\n", green, plain, c.text);
    if (!c.passed)
      out += fmt::format("  {}FAIL{}  {}: {}  ({}:{}:{})\n", red, plain, c.text, c.detail, r.file, c.where.line,
                         c.where.column);
  }
  for (const violation_summary& v : r.violations) {
    if (v.standing == "undeclared") {
      out +=
          fmt::format("  {}FAIL{}  invariant {}: {}, at {}\n", red, plain, v.invariant, v.text, human_time(ps(v.ps)));
    } else if (!brief) {
      out += fmt::format("  {}ok{}    {} violates {}: {}\n", green, plain, v.standing, v.invariant, v.text);
    }
  }
  if (!brief) {
    std::size_t widest = 0;
    for (const measure_summary& m : r.measures) widest = std::max(widest, m.name.size());
    for (const measure_summary& m : r.measures) {
      if (m.ps.empty()) continue;
      std::uint64_t sum = 0;
      for (const std::uint64_t v : m.ps) sum += v;
      const std::string least = human_time(ps(*std::ranges::min_element(m.ps)));
      const std::string most = human_time(ps(*std::ranges::max_element(m.ps)));
      const std::string mean = human_time(ps(sum / m.ps.size()));
      out += m.ps.size() == 1 ? fmt::format("  {}time{}  {:<{}}  {}\n", bold, plain, m.name, widest, mean)
                              : fmt::format("  {}time{}  {:<{}}  {} times: {} to {}, mean {}\n", bold, plain, m.name,
                                            widest, m.ps.size(), least, most, mean);
    }
  }
  for (const std::string& p : r.problems) out += fmt::format("  {}\n", p);
  const char* words[] = {"PASS", "FAIL", "REFUSED", "BROKEN"};
  out += fmt::format("{}{}{}  {}", r.outcome == verdict::passed ? green : red, words[exit_status(r.outcome)], plain,
                     r.scenario);
  if (r.outcome == verdict::passed || r.outcome == verdict::failed)
    out += fmt::format("  ({} simulated)", human_time(ps(r.simulated_ps)));
  return out + "\n";
}

}  // namespace rpsim::tool
