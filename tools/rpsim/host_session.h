#pragma once
// What a scenario's user does on the host: shell lines, open descriptors, rpmsg. Each command is a process of the
// host's own, so that it takes the CPU, sleeps and dies as one.

#include <list>
#include <map>
#include <memory>
#include <string>

#include "host_sw/linux_host.h"
#include "host_sw/rpmsg/rpmsg.h"
#include "tools/rpsim/scenario.h"
#include "tools/rpsim/shell_line.h"

namespace rpsim::tool {

struct command_result {
  std::string result = "0";  // "0", an errno name, "killed": the process ended in an oops, or "lost": the host
                             // went down under it
  std::string output;        // without the last newline; of a failed command, what it said
};

class host_session {
 public:
  explicit host_session(host::linux_host& host) : host_(host) {}

  /// From an SC_THREAD that is not the host's; returns when the command has ended. Emits shell.run and shell.done.
  /// Waits and faults are no commands.
  command_result execute(const step& s, const std::string& shell);

  /// The host's software has gone: what was open is gone with it, and nothing is closed.
  void host_lost();

 private:
  // On a host thread, for the shell of that name. 0 or -errno, and what was printed.
  int run(const run_command& c, const std::string& shell, std::string& out);
  int run(const open_device& c, const std::string& shell, std::string& out);
  int run(const write_device& c, const std::string& shell, std::string& out);
  int run(const ioctl_device& c, const std::string& shell, std::string& out);
  int run(const close_device& c, const std::string& shell, std::string& out);
  int run(const rpmsg_exchange& c, const std::string& shell, std::string& out);

  int execute_line(const shell_line& line, const std::string& shell, std::string& out);
  /// The shell ends: what it has open is closed, in the order of opening.
  void exit(const std::string& shell);
  int write_out(const shell_line& line, std::string text, std::string& out);
  int exchange(const rpmsg_exchange& c, std::string& out);
  int connect(const std::string& channel);

  host::linux_host& host_;
  struct descriptor {
    std::string name, shell;  // whose it is
    std::unique_ptr<os::file> file;
  };
  std::list<descriptor>::iterator find(const std::string& name);
  int close(std::list<descriptor>::iterator which);

  std::list<descriptor> descriptors_;  // in the order of opening
  std::map<std::string, std::unique_ptr<rpmsg::user_endpoint>> endpoints_;
};

}  // namespace rpsim::tool
