#pragma once
// What a UART transmits, as lines of text in the trace.

#include <string>
#include <string_view>
#include <systemc>

#include "models/common/context.h"

namespace rpsim {

/// A line ends with a newline, after LONGEST characters, or when nothing has followed for 10 ms (a prompt). Carriage
/// returns are left out. Event: fw.log {text}, of the UART.
class console_line final : public sc_core::sc_module {
 public:
  static constexpr std::size_t LONGEST = 256;

  console_line(sc_core::sc_module_name name, sim_context& context, std::string_view source)
      : sc_module(name), context_(context), source_(source) {
    SC_HAS_PROCESS(console_line);
    SC_METHOD(flush);
    sensitive << pause_over_;
    dont_initialize();
  }

  void put(char c) {
    pause_over_.cancel();
    if (c == '\r') return;
    if (c == '\n') return emit();
    text_ += c;
    if (text_.size() == LONGEST) return emit();
    context_.notifier.after(pause_over_, sc_core::sc_time(10, sc_core::SC_MS));
  }

 private:
  void flush() {
    if (!text_.empty()) emit();
  }
  void emit() {
    context_.trace.emit(source_, "fw.log", {{"text", text_}});
    text_.clear();
  }

  sim_context& context_;
  std::string source_;
  std::string text_;
  sc_core::sc_event pause_over_;
};

}  // namespace rpsim
