#include "tools/rpsim/html_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/rpsim/text_writer.h"
#include "tools/rpsim/trace_writers.h"

namespace rpsim::tool {

namespace {

/// JSON inside a page: `<` could begin what ends the script element, and stands only in strings.
void append_in_script(output& to, std::string_view json) {
  for (std::size_t at = 0; at < json.size();) {
    const std::size_t less = std::min(json.find('<', at), json.size());
    to.write(json.substr(at, less - at));
    if (less < json.size()) to.write("\\u003c");
    at = less + 1;
  }
}

void append_title(output& to, std::string_view title) {
  for (const char c : title) {
    if (c == '&') {
      to.write("&amp;");
    } else if (c == '<') {
      to.write("&lt;");
    } else {
      to.write({&c, 1});
    }
  }
}

}  // namespace

page_template load_page(const resources& where, std::string_view name) {
  const auto text = read_file(fmt::format("{}/{}.html", where.pages(), name));
  if (!text) {
    const auto why = read_file(where.pages() + "/unavailable");
    throw cannot_write(
        fmt::format("--html is not available in this build: {}",
                    why ? why->substr(0, why->find('\n')) : "node and npm were not there when rpsim was built"));
  }
  constexpr std::string_view TITLE = "@RPSIM_TITLE@", DATA = "@RPSIM_DATA@";
  const std::size_t title = text->find(TITLE), data = text->find(DATA);
  if (title == std::string::npos || data == std::string::npos || data < title) {
    throw cannot_write(fmt::format("{}/{}.html is no page of rpsim's", where.pages(), name));
  }
  const std::size_t middle = title + TITLE.size();
  return {text->substr(0, title), text->substr(middle, data - middle), text->substr(data + DATA.size())};
}

void write_page(output& out, const page_template& page, std::string_view title, std::string_view json) {
  out.write(page.head);
  append_title(out, title);
  out.write(page.middle);
  append_in_script(out, json);
  out.write(page.tail);
}

html_writer::html_writer(output& out, page_template page, const run_facts& facts, const run_report& report)
    : out_(out), page_(std::move(page)), report_(report) {
  out_.write(page_.head);
  append_title(out_, report.scenario);
  out_.write(page_.middle);
  nlohmann::ordered_json hosts = nlohmann::ordered_json::object();
  for (const auto& [number, lane] : facts.asks) hosts[std::to_string(number)] = lane;
  const nlohmann::ordered_json host{{"core", facts.host_core}, {"shutdown", facts.shutdown}, {"crash", facts.crash}};
  out_.write("{\"schema\":\"rpsim-page-1\",\"host\":");
  append_in_script(out_, host.dump());
  out_.write(",\"sci_hosts\":");
  append_in_script(out_, hosts.dump());
  out_.write(",\"events\":[");
}

html_writer::~html_writer() {
  out_.write("\n],\"run\":");
  append_in_script(out_, to_json(report_));
  out_.write("}");
  out_.write(page_.tail);
}

void html_writer::on_event(const event& e) {
  fmt::memory_buffer json;
  append_json_event(json, e, describe(e, false));
  out_.write(first_ ? "\n" : ",\n");
  first_ = false;
  append_in_script(out_, {json.data(), json.size()});
  out_.settle();
}

}  // namespace rpsim::tool
