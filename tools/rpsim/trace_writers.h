#pragma once
// The trace for other programs: JSON lines, a Perfetto (Chrome trace event) file, value-change dump.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/common/trace.h"
#include "tools/rpsim/output.h"
#include "tools/rpsim/states.h"

namespace rpsim::tool {

/// One JSON object a line. The first line is the header: {"schema":"rpsim-trace-1","scenario":…}; then
/// {"ps":…,"source":…,"event":…, "fields":{…}}: time in picoseconds, hexadecimal fields as "0x…" text.
class json_lines_writer final : public trace_sink {
 public:
  json_lines_writer(output& out, std::string_view scenario, std::uint64_t seed);
  void on_event(const event& e) override;

 private:
  output& out_;
};

/// One event as a JSON object. `text`, if there is one, becomes a member of that name.
void append_json_event(fmt::memory_buffer& to, const event& e, std::string_view text = {});

/// Chrome trace events, as ui.perfetto.dev reads them. A track for every source; slices for states, for the phases of
/// the shutdown handshake, for shell lines, for words in a mailbox FIFO and for TI-SCI requests; arrows from a TI-SCI
/// request to its service and back to who asked, and from SHUTDOWN, SUSPEND_SYSTEM and ECHO_REQUEST to their answers.
class perfetto_writer final : public trace_sink {
 public:
  perfetto_writer(output& out, std::string_view scenario);
  ~perfetto_writer() override;
  void on_event(const event& e) override;

 private:
  struct open_slice {
    std::string name;
    sc_core::sc_time begin;
  };
  struct word {
    std::string name, track;
    sc_core::sc_time begin;
  };
  struct request {
    std::string name;
    sc_core::sc_time sent, taken;
    bool served = false;
  };

  unsigned track(const std::string& name);
  void separate();
  void slice(const std::string& track_name, std::string_view name, const sc_core::sc_time& begin,
             const sc_core::sc_time& end);
  void arrow(const std::string& from_track, const sc_core::sc_time& from, const std::string& to_track,
             const sc_core::sc_time& to);
  /// Ends what runs on the track, and begins `name` there unless it is empty.
  void next(const std::string& track_name, std::string_view name, const sc_core::sc_time& now);
  void instant(const event& e);
  void mailbox(const event& e);
  void tisci(const event& e);

  output& out_;
  bool empty_ = true;
  std::uint64_t next_flow_ = 1;
  sc_core::sc_time last_;
  std::map<std::string, unsigned> tracks_;
  std::map<std::string, open_slice> open_;
  std::map<std::string, std::deque<word>> words_;  // by FIFO
  std::map<std::string, std::pair<std::string, sc_core::sc_time>>
      asked_;  // answer's name -> track and time of the question
  std::map<std::pair<std::uint64_t, std::uint64_t>, request> requests_;  // by host, sequence number
};

/// VCD for wave viewers: states as strings, mailbox levels as numbers, interrupt lines, resets and IPCC flags as wires.
/// Its header names every signal and what it was before its first change, so that it is written as a whole, at the end.
class vcd_writer final : public trace_sink {
 public:
  vcd_writer(output& out, std::string_view scenario) : out_(out), scenario_(scenario) {}
  ~vcd_writer() override;
  void on_event(const event& e) override;

 private:
  struct signal {
    std::string id, kind, initial;
  };
  /// `before`: the value until the first change that is heard of.
  void change(const std::string& scope, const std::string& name, const char* kind, std::string_view value,
              std::string_view before, const sc_core::sc_time& at);

  output& out_;
  std::string scenario_;
  state_tracker states_;
  std::map<std::pair<std::string, std::string>, signal> signals_;
  struct value_change {
    std::uint64_t ps;
    std::string text;
  };
  std::vector<value_change> changes_;
  sc_core::sc_time last_;
};

}  // namespace rpsim::tool
