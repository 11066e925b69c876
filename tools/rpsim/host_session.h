#pragma once
// What a scenario's user does on the host: shell lines, open descriptors, rpmsg. Each command is a process of the
// host's own, so that it takes the CPU, sleeps and dies as one.

#include <map>
#include <memory>
#include <string>

#include "host_sw/linux_host.h"
#include "host_sw/rpmsg/rpmsg.h"
#include "tools/rpsim/scenario.h"
#include "tools/rpsim/shell_line.h"

namespace rpsim::tool {

struct command_result {
  std::string result = "0";  // "0", an errno name, or "killed": the process ended in an oops
  std::string output;        // without the last newline; of a failed command, what it said
};

class host_session {
 public:
  explicit host_session(host::linux_host& host) : host_(host) {}

  /// From an SC_THREAD that is not the host's; returns when the command has ended. Emits shell.run and shell.done.
  /// Waits and faults are no commands.
  command_result execute(const step& s, const std::string& shell);

 private:
  // On a host thread. 0 or -errno, and what was printed.
  int run(const run_command& c, std::string& out);
  int run(const open_device& c, std::string& out);
  int run(const write_device& c, std::string& out);
  int run(const ioctl_device& c, std::string& out);
  int run(const close_device& c, std::string& out);
  int run(const rpmsg_exchange& c, std::string& out);

  int shell(const shell_line& line, std::string& out);
  int write_out(const shell_line& line, std::string text, std::string& out);
  int exchange(const rpmsg_exchange& c, std::string& out);
  int connect(const std::string& channel);

  host::linux_host& host_;
  std::map<std::string, std::unique_ptr<os::file>> descriptors_;
  std::map<std::string, std::unique_ptr<rpmsg::user_endpoint>> endpoints_;
};

}  // namespace rpsim::tool
