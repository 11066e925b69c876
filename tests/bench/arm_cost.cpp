// arm_cost [ROUNDS]: a program that never leaves the core (remote_fw/tests/load.h), executed by the Cortex-M4F and the
// Cortex-R5F at a quantum of 1000 cycles, and by qemu-system-arm without and with -icount: the same ELF, the contenders
// taking turns. User CPU seconds of whole processes, the median of each, and how many times as fast as QEMU that is.
//   arm_cost parts [ROUNDS]: each kind of work alone.
//   arm_cost m4|r5 [PROGRAM] executes a program once.

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "models/common/device_tree.h"
#include "models/core/arm/cortex_m4.h"
#include "models/core/arm/cortex_r5.h"

extern char** environ;

namespace rpsim {
namespace {

/// Memory at 0 and a console, whose last word ends the run.
class board final : public sc_core::sc_module, private target_port::handler {
 public:
  static constexpr std::uint32_t M4_UART = 0x40004000, R5_CONSOLE = 0xFF000000;
  explicit board(sc_core::sc_module_name name) : sc_module(name), port("port", *this), memory_(0x40000) {}
  void load(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.empty() || bytes.size() > memory_.size()) throw std::runtime_error(path + ": no program");
    std::copy(bytes.begin(), bytes.end(), memory_.begin());
  }
  target_port port;
  std::string text;

 private:
  void transport(tlm::tlm_generic_payload& p, sc_core::sc_time& delay) override {
    delay += sc_core::sc_time(20, sc_core::SC_NS);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    const std::uint64_t address = p.get_address();
    if (address < memory_.size()) {
      unsigned char* const m = memory_.data() + address;
      std::memcpy(p.is_read() ? p.get_data_ptr() : m, p.is_read() ? m : p.get_data_ptr(), p.get_data_length());
    } else if (p.is_read()) {
      std::memset(p.get_data_ptr(), 0, p.get_data_length());
    } else if (address == M4_UART || address == R5_CONSOLE) {
      text += static_cast<char>(*p.get_data_ptr());
      if (text.ends_with("done\n")) sc_core::sc_stop();
    }
  }
  bool direct_memory(tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) override {
    if (p.get_address() >= memory_.size()) return false;
    dmi.set_dmi_ptr(memory_.data());
    dmi.set_start_address(0);
    dmi.set_end_address(memory_.size() - 1);
    dmi.allow_read_write();
    return true;
  }
  std::vector<unsigned char> memory_;
};

template <typename core_type>
int execute(const std::string& program, const std::string& properties, const char* quantum) {
  sim_context context;
  context.arm_engine = RPSIM_ARM_ENGINE;
  if (!context.params.set("core.quantum", quantum)) return 1;
  const auto tree = dt::tree::compile_text(
      fmt::format("/dts-v1/;\n/ {{ #address-cells = <2>; #size-cells = <2>; core: core {{ {} }}; }};\n", properties),
      "bench.dts");
  board b("board");
  sc_core::sc_signal<bool> reset("reset", true);
  core_type core("core", context, tree->by_label("core"));
  core.initiator()->bind(b.port);
  core.input("local-reset", 0)->bind(reset);
  b.load(program);
  reset.write(false);
  sc_core::sc_start();
  std::fputs(b.text.c_str(), stdout);
  return b.text.ends_with("done\n") ? 0 : 1;
}

std::string program(const std::string& core, const std::string& name, const char* suffix) {
  return fmt::format("{}/{}/{}.{}", RPSIM_TEST_FIRMWARE, core, name, suffix);
}

/// User CPU seconds; nullopt: it could not be started, or did not print what it should.
std::optional<double> cost(std::vector<std::string> command) {
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  pid_t child = 0;
  const bool started = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char part[256];
  for (ssize_t n = 0; started && (n = read(ends[0], part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  rusage used{};
  if (!started || wait4(child, &status, 0, &used) != child || text.find("done") == std::string::npos)
    return std::nullopt;
  return static_cast<double>(used.ru_utime.tv_sec) + 1e-6 * static_cast<double>(used.ru_utime.tv_usec);
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

std::vector<std::string> qemu(const std::string& core, const std::string& elf) {
  std::vector<std::string> command = {"qemu-system-arm", "-nographic", "-monitor", "none"};
  const std::vector<std::string> more =
      core == "m4" ? std::vector<std::string>{"-M", "mps2-an386", "-semihosting", "-serial", "stdio", "-kernel", elf}
                   : std::vector<std::string>{"-M",
                                              "none",
                                              "-cpu",
                                              "cortex-r5f",
                                              "-m",
                                              "4M",
                                              "-semihosting-config",
                                              "enable=on,target=native",
                                              "-serial",
                                              "none",
                                              "-device",
                                              "loader,file=" + elf + ",cpu-num=0"};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

struct work {
  std::string core, program, title, budget;
};

int compare(const std::string& self, const std::vector<work>& works, int rounds) {
  for (const work& w : works) {
    const std::vector<std::string> plain_qemu = qemu(w.core, program(w.core, w.program, "elf"));
    std::vector<std::string> counted = plain_qemu;
    counted.insert(counted.end(), {"-icount", "shift=0"});
    const std::vector<std::vector<std::string>> contenders = {{self, w.core, w.program}, plain_qemu, counted};
    std::vector<std::vector<double>> seconds(contenders.size());
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t c = 0; c < contenders.size(); ++c) {
        if (const auto s = cost(contenders[c])) seconds[c].push_back(*s);
      }
    }
    if (seconds[0].empty()) {
      fmt::print(stderr, "arm_cost: {} does not run\n", program(w.core, w.program, "bin"));
      return 1;
    }
    fmt::print("{:44} {:6.2f} s", w.title, median(seconds[0]));
    if (seconds[1].empty() || seconds[2].empty()) {
      fmt::print("   qemu-system-arm is not there, or does not run it\n");
      continue;
    }
    const double plain = median(seconds[1]), icount = median(seconds[2]);
    fmt::print("   QEMU {:.2f} s, -icount {:.2f} s: {:.2f}x, {:.2f}x{}\n", plain, icount, plain / median(seconds[0]),
               icount / median(seconds[0]), w.budget);
    std::fflush(stdout);
  }
  return 0;
}

std::vector<work> whole() {
  return {{"m4", "load_long", "Cortex-M4F, work without a bus access", "   budget 1.0x, 1.1x"},
          {"r5", "load_long", "Cortex-R5F, likewise", "   budget 0.8x"}};
}

std::vector<work> parts() {
  const std::vector<std::string> names = {"checksums", "matrices", "list walks", "sorting", "copies", "divisions"};
  std::vector<work> all;
  for (const std::string core : {"m4", "r5"}) {
    for (std::size_t n = 0; n < names.size(); ++n)
      all.push_back({core, fmt::format("load_{}", n), fmt::format("{}, {}", core, names[n]), ""});
  }
  return all;
}

}  // namespace
}  // namespace rpsim

int sc_main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "5";
  const std::string argument = argc > 2 ? argv[2] : "";
  if (what == "m4" || what == "r5") {
    const std::string image = rpsim::program(what, argument.empty() ? "load_long" : argument, "bin");
    if (what == "m4") return rpsim::execute<rpsim::cortex_m4>(image, "clock-frequency = <400000000>;", "2500ns");
    return rpsim::execute<rpsim::cortex_r5>(image,
                                            "clock-frequency = <800000000>; rpsim,cluster-cpu = <0 0>; "
                                            "rpsim,tcm = <0x79000000 0x8000 0x78000000 0x8000>;",
                                            "1250ns");
  }
  const bool alone = what == "parts";
  const int rounds = alone ? (argument.empty() ? 5 : std::atoi(argument.c_str())) : std::atoi(what.c_str());
  if (rounds > 0) return rpsim::compare("/proc/self/exe", alone ? rpsim::parts() : rpsim::whole(), rounds);
  std::fputs("usage: arm_cost [ROUNDS] | parts [ROUNDS] | m4 [PROGRAM] | r5 [PROGRAM]\n", stderr);
  return 2;
}
