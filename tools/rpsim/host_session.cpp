#include "tools/rpsim/host_session.h"

#include <algorithm>
#include <cstring>

#include "host_sw/os/os.h"
#include "models/common/params.h"

namespace rpsim::tool {

namespace {

std::string says(int error) {
  switch (error) {
    case os::ENOTSUPP:
      return "Unknown error 524";
    case os::ERESTARTSYS:
      return "Unknown error 512";
    default:
      return std::strerror(error);
  }
}

/// How a host process ended, for the one that waits for it. Outlives the process's stack however that unwinds.
struct job {
  command_result result{"killed", "Killed"};
  bool begun = false, ended = false;
  sc_core::sc_event end;
};

/// Tells when the process is gone, by return or by unwinding.
class at_exit {
 public:
  explicit at_exit(job& j) : job_(j) {}
  at_exit(const at_exit&) = delete;
  at_exit& operator=(const at_exit&) = delete;
  ~at_exit() {
    job_.ended = true;
    job_.end.notify(sc_core::SC_ZERO_TIME);
  }

 private:
  job& job_;
};

}  // namespace

command_result host_session::execute(const step& s, const std::string& shell) {
  os::kernel& kernel = host_.kernel();
  const std::string source = shell.empty() ? "shell" : "shell-" + shell;
  const std::string line = s.text.starts_with("$ ") ? s.text.substr(2) : s.text;
  kernel.events().emit(source, "shell.run", {{"line", line}});

  const auto state = std::make_shared<job>();
  kernel.spawn("sh", [this, state, &s, &shell] {
    state->begun = true;
    const at_exit guard(*state);
    std::string out;
    const int error = std::visit(
        [&](const auto& command) -> int {
          if constexpr (requires { run(command, shell, out); }) return run(command, shell, out);
          throw std::logic_error("a step that is no command");
        },
        s.action);
    while (out.ends_with('\n')) out.pop_back();
    state->result = {os::errno_name(error), std::move(out)};
  });
  // A host that goes down before the process has its first instruction never gives it one.
  while (!state->ended && (state->begun || !kernel.powered_off())) sc_core::wait(state->end | kernel.end_event());
  if (kernel.powered_off() && state->result.result == "killed") state->result = {"lost", "the host went down"};

  kernel.events().emit(source, "shell.done", {{"result", state->result.result}, {"output", state->result.output}});
  return state->result;
}

void host_session::host_lost() {
  descriptors_.clear();
  endpoints_.clear();
}

// ---- the shell

int host_session::run(const run_command& c, const std::string& shell, std::string& out) {
  const auto line = parse_shell_line(c.line);
  if (!line) throw std::logic_error(line.error());  // refused when the scenario was read
  if (line->redirect.empty()) return execute_line(*line, shell, out);
  std::string text;
  if (const int error = execute_line(*line, shell, text); error != 0) {
    out = std::move(text);
    return error;
  }
  return write_out(*line, std::move(text), out);
}

int host_session::write_out(const shell_line& line, std::string text, std::string& out) {
  auto file = host_.fs().open(line.redirect, true, true, !line.append, line.append);
  if (!file) {
    out = fmt::format("sh: {}: {}", line.redirect, says(file.error()));
    return -file.error();
  }
  int error = 0;
  if (!text.empty()) {
    if (const auto done = (*file)->write(text); !done) {
      out = fmt::format("{}: write error: {}", line.words.front(), says(done.error()));
      error = -done.error();
    }
  }
  // A shell does not look at what close says.
  (void)(*file)->release();
  return error;
}

int host_session::execute_line(const shell_line& line, const std::string& shell, std::string& out) {
  os::vfs& fs = host_.fs();
  const std::string& command = line.words.front();
  std::vector<std::string> arguments(line.words.begin() + 1, line.words.end());
  std::string option;
  if (!arguments.empty() && arguments.front().size() == 2 && arguments.front()[0] == '-' && command != "cat") {
    if (command != "echo" || arguments.front() == "-n") {
      option = arguments.front().substr(1);
      arguments.erase(arguments.begin());
    }
  }
  const auto failed = [&](const std::string& what, int error) {
    out += fmt::format("{}: {}: {}", command, what, says(error));
    return -error;
  };

  if (command == "echo") {
    out = fmt::format("{}{}", fmt::join(arguments, " "), option == "n" ? "" : "\n");
    return 0;
  }
  if (command == "exit") {
    exit(shell);
    return 0;
  }
  if (command == "sleep") {
    const double ps = parse_quantity(arguments[0] + "s", "s").value_or(0);
    host_.kernel().msleep(static_cast<unsigned>(ps / 1e9));
    return 0;
  }
  if (command == "modprobe") {
    auto* const bus = host_.machine().provider_of<rpmsg::bus>(host_.machine().tree().root());
    const int error = bus != nullptr ? bus->modprobe(arguments[0]) : -ENODEV;
    if (error != 0) out = fmt::format("modprobe: FATAL: Module {} not found", arguments[0]);
    return error;
  }
  if (command == "devmem") {
    const std::uint64_t pa = *c_number(arguments[0]);
    const std::size_t bytes = arguments.size() > 1 ? *c_number(arguments[1]) / 8 : 4;
    std::uint64_t value = arguments.size() > 2 ? *c_number(arguments[2]) : 0;
    const bool ok =
        arguments.size() > 2 ? host_.kernel().try_write(pa, &value, bytes) : host_.kernel().try_read(pa, &value, bytes);
    if (!ok) {
      out = "Bus error";
      return -EFAULT;
    }
    if (arguments.size() < 3) out = fmt::format("0x{:0{}X}", value, 2 * bytes);
    return 0;
  }
  if (command == "ls") {
    if (fs.is_directory(arguments[0])) {
      for (const std::string& name : fs.list(arguments[0])) out += name + "\n";
      return 0;
    }
    if (!fs.exists(arguments[0])) return failed(arguments[0], ENOENT);
    out = arguments[0];
    return 0;
  }
  if (command == "test") {
    const bool there = fs.exists(arguments[0]);
    const bool directory = fs.is_directory(arguments[0]);
    const bool holds = option == "d" ? directory : option == "f" ? there && !directory : there;
    return holds ? 0 : -ENOENT;
  }
  if (command == "rm") {
    for (const std::string& path : arguments) {
      const auto done = fs.unlink(path);
      if (!done && !(option == "f" && done.error() == ENOENT))
        return failed(fmt::format("cannot remove '{}'", path), done.error());
    }
    return 0;
  }
  if (command == "cp" || command == "mv") {
    const auto text = fs.read(arguments[0]);
    if (!text) return failed(arguments[0], text.error());
    auto to = fs.open(arguments[1], true, true, true);
    if (!to) return failed(arguments[1], to.error());
    if (const auto done = (*to)->write(*text); !done) return failed(arguments[1], done.error());
    (void)(*to)->release();
    if (command == "mv") {
      if (const auto done = fs.unlink(arguments[0]); !done) return failed(arguments[0], done.error());
    }
    return 0;
  }
  // cat
  for (const std::string& path : arguments) {
    auto file = fs.open(path);
    if (!file) return failed(path, file.error());
    for (;;) {
      auto part = (*file)->read();
      if (!part) return failed(path, part.error());
      if (part->empty()) break;
      out += *part;
    }
    (void)(*file)->release();
  }
  return 0;
}

// ---- descriptors

std::list<host_session::descriptor>::iterator host_session::find(const std::string& name) {
  return std::ranges::find(descriptors_, name, &descriptor::name);
}

int host_session::close(std::list<descriptor>::iterator which) {
  const std::unique_ptr<os::file> file = std::move(which->file);
  descriptors_.erase(which);
  const auto done = file->release();
  return done ? 0 : -done.error();
}

int host_session::run(const open_device& c, const std::string& shell, std::string&) {
  auto file = host_.fs().open(c.path, true);
  if (!file) return -file.error();
  descriptors_.push_back({c.as, shell, std::move(*file)});
  return 0;
}

int host_session::run(const write_device& c, const std::string&, std::string&) {
  const auto it = find(c.to);
  if (it == descriptors_.end()) return -EBADF;
  const auto done = it->file->write(c.data);
  return done ? 0 : -done.error();
}

int host_session::run(const ioctl_device& c, const std::string&, std::string& out) {
  const auto it = find(c.to);
  if (it == descriptors_.end()) return -EBADF;
  const auto value = it->file->ioctl(c.request, c.value);
  if (!value) return -value.error();
  out = fmt::format("{}", *value);
  return 0;
}

int host_session::run(const close_device& c, const std::string&, std::string&) {
  const auto it = find(c.what);
  return it == descriptors_.end() ? -EBADF : close(it);
}

void host_session::exit(const std::string& shell) {
  for (;;) {
    const auto it = std::ranges::find(descriptors_, shell, &descriptor::shell);
    if (it == descriptors_.end()) return;
    close(it);
  }
}

// ---- rpmsg

int host_session::connect(const std::string& channel) {
  os::machine& machine = host_.machine();
  auto* bus = machine.provider_of<rpmsg::bus>(machine.tree().root());
  if (bus == nullptr) return -ENODEV;
  int error = 0;
  auto endpoint = bus->open(channel, error);
  if (endpoint == nullptr) return error;
  endpoints_[channel] = std::move(endpoint);
  return 0;
}

int host_session::run(const rpmsg_exchange& c, const std::string&, std::string& out) {
  const bool fresh = !endpoints_.contains(c.channel);
  if (fresh) {
    if (const int error = connect(c.channel); error != 0) return error;
  }
  int error = exchange(c, out);
  if (error == -EPIPE) {
    endpoints_.erase(c.channel);
    // It was open since before the remote went away; there may be a new channel of that name.
    if (!fresh && connect(c.channel) == 0) error = exchange(c, out);
  }
  return error;
}

int host_session::exchange(const rpmsg_exchange& c, std::string& out) {
  rpmsg::user_endpoint& endpoint = *endpoints_.at(c.channel);
  const unsigned timeout_ms = static_cast<unsigned>(c.within.to_seconds() * 1e3 + 0.999);
  for (unsigned i = 0; i < c.times; ++i) {
    if (c.send) {
      if (const int error = endpoint.send(*c.send); error < 0) return error;
    }
    if (!c.reply) continue;
    std::string message;
    if (const int error = endpoint.receive(message, timeout_ms); error != 0) return error;
    if (!glob_match(*c.reply, message)) {
      out = fmt::format("the reply is \"{}\"", message);
      return -EPROTO;
    }
  }
  return 0;
}

}  // namespace rpsim::tool
