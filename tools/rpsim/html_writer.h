#pragma once
// Pages for a browser: one self-contained file, made of a page that tools/rpsim/html built, and data as JSON in it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "models/common/trace.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/report.h"
#include "tools/rpsim/resources.h"

namespace rpsim::tool {

/// A page without its title and data.
struct page_template {
  std::string head, middle, tail;  // title, then data, go between them
};
/// "run" or "study". @throws cannot_write if this build has no pages: npm or its registry was out of reach.
page_template load_page(const resources& where, std::string_view name);

/// A whole page of data that is there: study.json as docs/studies-format.md has it.
void write_page(output& out, const page_template& page, std::string_view title, std::string_view json);

/// What the picture of a run needs beside the trace and the report.
struct run_facts {
  std::string host_core, shutdown, crash;     // the host's variants
  std::map<std::uint32_t, std::string> asks;  // by TI-SCI host number: whose it is, "host" or a core's label
};

/// The page of one run: its events as they happen, its report at the end. The data is
/// {"schema":"rpsim-page-1","host":{…},"sci_hosts":{…},"events":[…],"run":{…}}: events as in the trace's JSON lines,
/// and the words that the timeline has for each as "text"; the run as in the summary.
class html_writer final : public trace_sink {
 public:
  /// `report` is read when the writer ends.
  html_writer(output& out, page_template page, const run_facts& facts, const run_report& report);
  ~html_writer() override;
  void on_event(const event& e) override;

 private:
  output& out_;
  const page_template page_;
  const run_report& report_;
  bool first_ = true;
};

}  // namespace rpsim::tool
