#pragma once
// The program's commands, one function each. They return the exit status: 0 all expectations met, 1 not, 2 bad usage or
// bad input, 3 an internal error.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/rpsim/engine.h"

namespace rpsim::tool {

struct run_command_options {
  std::vector<std::string> files;  // scenarios, or directories of them
  run_options run;
  std::string json, junit;
  std::optional<std::uint64_t> point, samples;  // the files are studies: that point of each
};
/// run_scenario() in a process of its own.
run_report run_in_child(const std::string& file, const run_options& o, const resources& where);
int run(const run_command_options& o, const resources& where);
int check(const std::vector<std::string>& files, const run_options& o, const resources& where);
int list(const std::string& directory, const resources& where);
int platforms(bool variants, const resources& where);
int params(const std::string& platform, const run_options& o, const resources& where);
struct matrix_options {
  std::string directory, to;
  std::vector<std::string> variants;
  unsigned jobs = 1;
  bool check = false;  // compares with the file instead of writing it
};
int matrix(const matrix_options& o, const resources& where);

}  // namespace rpsim::tool
