#pragma once
// What the program says about itself, on standard error: SystemC's complaints, internal errors. Results are not this.

#include <string>

namespace rpsim::tool {

/// Once, at the start of main(). SystemC's reports then come out here too, and its errors are exceptions.
void set_up_diagnostics();
void warn(const std::string& text);
void error(const std::string& text);

}  // namespace rpsim::tool
