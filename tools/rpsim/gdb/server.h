#pragma once
// `rpsim gdb`: a scenario whose Arm cores a debugger on this machine looks into. One thread: the socket is looked at
// between slices of simulated time, and waited for while it stands still.

#include <cstdint>
#include <memory>

#include "tools/rpsim/engine.h"

namespace rpsim::tool::gdb {

constexpr std::uint16_t DEFAULT_PORT = 3333;  // as OpenOCD's

class server {
 public:
  /// Listens on 127.0.0.1; port 0 is any that is free. @throws std::runtime_error if it cannot.
  explicit server(std::uint16_t port);
  ~server();

  std::uint16_t port() const;
  /// Waits for gdb, then plays the scenario to its end. @throws refused if no core of it executes instructions.
  void play(simulation& sim, const scenario& s);

 private:
  class connection;
  struct state;
  std::unique_ptr<state> state_;
};

/// The command. @return the exit status.
int debug(const std::string& file, std::uint16_t port, const run_options& o, const resources& where);

}  // namespace rpsim::tool::gdb
