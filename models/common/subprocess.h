#pragma once
// Runs a program to its end, with given standard input, and collects what it says.

#include <string>
#include <vector>

namespace rpsim {

struct subprocess_result {
  int status = -1;  // exit status; 128 + n if a signal ended it, 127 if it could not be started
  std::string out, err;
};

/// `argv[0]` is looked up in PATH.
subprocess_result run_subprocess(const std::vector<std::string>& argv, const std::string& input = {});

}  // namespace rpsim
