#pragma once
// The trace for people: one line an event, in columns: time, what passed since the line before, who, what, how.

#include <cstdint>
#include <map>
#include <string>

#include "models/common/trace.h"
#include "tools/rpsim/output.h"

namespace rpsim::tool {

class text_writer final : public trace_sink {
 public:
  /// `verbosity` 0: the story; 1: every field and the detail level; 2: the bus too. `console`: what firmware prints,
  /// too.
  text_writer(output& out, bool colour, int verbosity, bool console)
      : out_(out), colour_(colour), console_(console), verbosity_(verbosity) {}
  ~text_writer() override;
  void on_event(const event& e) override;

 private:
  /// The story tells what comes again and again (a hundred echoes) only a few times between two turns.
  static constexpr unsigned REPEATS = 3;
  bool told_often(const event& e, const std::string& words);
  void tell_left_out();

  output& out_;
  bool colour_, console_;
  int verbosity_;
  bool first_ = true;
  sc_core::sc_time last_;
  std::map<std::string, unsigned> seen_;  // by what is said, numbers aside
  std::uint64_t left_out_ = 0;
};

/// A field's value as people read it.
std::string human_field(const field& f);
/// The event's fields in words, by the event's own sentence where it has one.
std::string describe(const event& e, bool every_field);

}  // namespace rpsim::tool
