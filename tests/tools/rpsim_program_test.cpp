// The program as people use it: what it prints, what it writes, how it exits.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/common/subprocess.h"

namespace rpsim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const std::string K3 = RPSIM_SOURCE_DIR "/scenarios/k3/";

class rpsim_program : public testing::Test {
 protected:
  rpsim_program() : directory_(fs::path(testing::TempDir()) / fmt::format("rpsim_{}", ::getpid())) {
    fs::create_directories(directory_);
  }
  ~rpsim_program() override { fs::remove_all(directory_); }

  subprocess_result rpsim(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), RPSIM_PROGRAM);
    return run_subprocess(arguments, input);
  }
  std::string file(const std::string& name) { return (directory_ / name).string(); }
  std::string content(const std::string& name) {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string scenario(const std::string& rest) {
    std::ofstream(file("s.yaml")) << "scenario: s\npurpose: p.\nplatform: k3-am62x\n" << rest;
    return file("s.yaml");
  }
  fs::path directory_;
};

TEST_F(rpsim_program, passes_and_says_so) {
  const auto r = rpsim({"run", K3 + "graceful-shutdown.yaml"});
  EXPECT_EQ(r.status, 0) << r.out << r.err;
  EXPECT_THAT(r.out, HasSubstr("$ echo stop > /sys/class/remoteproc/remoteproc0/state"));
  EXPECT_THAT(r.out, HasSubstr("PASS  graceful-shutdown"));
  EXPECT_THAT(r.out, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(r.err, Not(HasSubstr("rpsim:")));
}

TEST_F(rpsim_program, tells_the_same_story_twice) {
  const std::vector<std::string> command{"run", "--seed", "3", K3 + "graceful-shutdown.yaml"};
  EXPECT_EQ(rpsim(command).out, rpsim(command).out);
}

TEST_F(rpsim_program, unmodelled_lists_registers_of_stubs_and_addresses_that_nobody_answers) {
  const std::string reaches = scenario(
      "steps:\n"
      "  - devmem 0xf0010 32 0x50001\n"
      "  - devmem 0xf4000 32 0x50001\n"
      "  - devmem 0xf4000\n"
      "  - devmem 0xf4000\n"
      "  - devmem 0x48250004\n"
      "  - { run: devmem 0x12340000, expect: EFAULT }\n");
  const auto r = rpsim({"run", "-q", "--unmodelled", reaches});
  EXPECT_EQ(r.status, 0) << r.out << r.err;
  EXPECT_THAT(r.out,
              HasSubstr("unmodelled  main_padcfg +0x010 by host: 1 write, first 0x50001, all ignored: locked\n"
                        "  unmodelled  main_padcfg +0x4000 by host: 2 reads, first 0x50001; 1 write, first 0x50001\n"
                        "  unmodelled  secure_proxy_cfg +0x004 CONFIG by host: 1 read, first 0x400080\n"
                        "  unanswered  bus 0x12340000 by host: read (nothing is mapped here), 1 time\n"));
  EXPECT_THAT(rpsim({"run", "-q", reaches}).out, Not(HasSubstr("unmodelled")));
  EXPECT_THAT(rpsim({"run", "-q", "--unmodelled", scenario("steps: [wait: 1us]\n")}).out,
              HasSubstr("nothing unmodelled was reached"));
}

TEST_F(rpsim_program, unmet_expectation_is_1_with_its_place) {
  const auto r = rpsim({"run", "-q", scenario("steps:\n  - cat /nowhere\n")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out,
              HasSubstr("FAIL  $ cat /nowhere: expected 0, got ENOENT (cat: /nowhere: No such file or directory)"));
  EXPECT_THAT(r.out, HasSubstr("s.yaml:5:5"));
}

TEST_F(rpsim_program, fault_that_meets_nothing_fails_the_run) {
  const auto r = rpsim({"run", "-q", scenario("steps: [{ wait: 1ms }]\nfaults: [{ drop: { mailbox: SHUTDOWN } }]\n")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out, HasSubstr("fault: drop mailbox word SHUTDOWN: it did not take effect: no such message came"));
}

TEST_F(rpsim_program, violation_that_was_declared_and_did_not_happen_fails_the_run) {
  const auto r = rpsim({"run", "-q", scenario("steps: [{ wait: 1ms }]\nviolates: [host-oops]\n")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out, HasSubstr("violates host-oops: it was declared to be broken, and held"));
}

TEST_F(rpsim_program, undeclared_violation_fails_the_run) {
  std::ifstream in(K3 + "stop-while-messages-arrive.yaml");
  std::string text(std::istreambuf_iterator<char>(in), {});
  const std::size_t at = text.find("violates:");
  text.erase(at, text.find('\n', at) - at);
  const auto r = rpsim({"run", "-q", "-"}, text);
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out, HasSubstr("FAIL  invariant host-oops"));
}

TEST_F(rpsim_program, shells_run_beside_each_other) {
  const auto r = rpsim({"run", "--trace", "-", scenario(R"(steps:
  - { in: other, run: sleep 0.05 }
  - { at: 20ms, run: ls /lib }
  - wait: { shell: other, within: 60ms }
  - cat /proc/nothing
)")});
  const auto at = [&](const std::string& text) { return r.out.find(text); };
  EXPECT_LT(at("sleep 0.05"), at("ls /lib"));
  EXPECT_THAT(r.out, HasSubstr("{\"ps\":20000000000,\"source\":\"shell\",\"event\":\"shell.run\""));
  EXPECT_LT(at("\"source\":\"shell-other\",\"event\":\"shell.done\""), at("cat /proc/nothing"));
  EXPECT_GT(at("\"source\":\"shell-other\",\"event\":\"shell.done\""), at("ls /lib"));
}

TEST_F(rpsim_program, a_time_that_has_passed_fails_the_step) {
  const auto r = rpsim({"run", "-q", scenario("steps: [{ wait: 10ms }, { at: 5ms, run: ls /lib }]\n")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out, HasSubstr("it was to begin at 5.000 ms, but it is 10."));
}

TEST_F(rpsim_program, limit_names_the_step_that_did_not_end) {
  const auto r = rpsim({"run", "-q", scenario("limit: 5ms\nsteps: [{ wait: { event: core.wfi m4f } }]\n")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.out, HasSubstr("wait for core.wfi m4f: it had not ended when the limit of 5.000 ms was reached"));
}

TEST_F(rpsim_program, bad_scenario_is_2_before_time_starts) {
  const auto r = rpsim({"run", scenario("steps: [{ wiat: 1ms }]\n")});
  EXPECT_EQ(r.status, 2);
  EXPECT_EQ(r.out, "");
  EXPECT_THAT(r.err, HasSubstr("s.yaml:4:11: unknown key 'wiat' in a step; did you mean 'wait'?"));
}

TEST_F(rpsim_program, names_that_only_the_platform_knows_are_refused_with_their_place) {
  const auto bad = [&](const std::string& rest) { return rpsim({"run", scenario("steps: [{ wait: 1ms }]\n" + rest)}); };
  EXPECT_THAT(bad("params: { ack_dely: 80us }\n").err,
              HasSubstr("s.yaml:5:11: there is no parameter 'ack_dely': did you mean ack_delay?"));
  EXPECT_THAT(bad("params: { ack_delay: 80 }\n").err, HasSubstr("s.yaml:5:11: m4f.fw.ack_delay: '80' has no unit"));
  EXPECT_THAT(bad("files: { a: rpmsg-ecko }\n").err,
              HasSubstr("s.yaml:5:13: no firmware of ours is called 'rpmsg-ecko'; did you mean 'rpmsg-echo'?"));
  EXPECT_THAT(bad("files: { a: ./no.elf }\n").err, HasSubstr("s.yaml:5:13: there is no file"));
  EXPECT_THAT(bad("cores: { m4: { as: native } }\n").err, HasSubstr("has no remote core 'm4'; did you mean 'm4f'?"));
  std::ofstream(file("dsp.yaml")) << "scenario: dsp\npurpose: p\nplatform: k3-j721e\ncores: { c66x_0: { as: arm } }\n"
                                     "steps: [{ wait: 1ms }]\n";
  EXPECT_THAT(rpsim({"run", file("dsp.yaml")}).err, HasSubstr("dsp.yaml:4:24: there is no Arm engine for c66x_0"));
  EXPECT_EQ(bad("files: { a: rpmsg-ecko }\n").status, 2);
  const auto set = rpsim({"run", scenario("steps: [{ set: { ack_delay: fast } }]\n")});
  EXPECT_THAT(set.err, HasSubstr("s.yaml:4:18: ack_delay: 'fast' is not"));
  EXPECT_EQ(set.status, 2);
}

TEST_F(rpsim_program, bad_device_tree_is_2_with_its_place) {
  std::ofstream(file("bad.dts")) << "/dts-v1/;\n/ {\n  a = <1;\n};\n";
  std::ofstream(file("t.yaml")) << "scenario: t\npurpose: p.\nplatform: ./bad.dts\nsteps: [{ wait: 1ms }]\n";
  const auto r = rpsim({"run", file("t.yaml")});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("bad.dts:3:"));
}

TEST_F(rpsim_program, bad_usage_is_2) {
  EXPECT_EQ(rpsim({}).status, 2);
  EXPECT_EQ(rpsim({"run"}).status, 2);
  EXPECT_EQ(rpsim({"run", "--no-such-option", K3 + "auto-boot.yaml"}).status, 2);
  EXPECT_EQ(rpsim({"run", "-q", "-p", "core=riscv", K3 + "auto-boot.yaml"}).status, 2);
  EXPECT_EQ(rpsim({"run", "-q", "-p", "host.shutdown=v9", K3 + "auto-boot.yaml"}).status, 2);
  EXPECT_EQ(rpsim({"run", "-q", "-p", "no.such=1", K3 + "auto-boot.yaml"}).status, 2);
  EXPECT_EQ(rpsim({"run", "/nowhere.yaml"}).status, 2);
  EXPECT_EQ(rpsim({"params", "k3-am62"}).status, 2);
}

TEST_F(rpsim_program, help_has_an_example_for_every_command) {
  for (const char* command : {"run", "check", "list", "platforms", "params", "matrix"}) {
    const auto r = rpsim({command, "--help"});
    EXPECT_EQ(r.status, 0);
    EXPECT_THAT(r.out, HasSubstr(fmt::format("Example: rpsim {}", command)));
  }
}

TEST_F(rpsim_program, writes_every_file_even_of_a_run_that_fails) {
  const std::string bad = scenario(
      "files: { am62-mcu-m4f0_0-fw: rpmsg-echo }\nhost: { auto_boot: yes }\nsteps:\n"
      "  - wait: { event: rpmsg.channel.created, within: 100ms }\n  - cat /nowhere\n");
  const auto r = rpsim({"run", "-q", "--trace", file("t.jsonl"), "--perfetto", file("p.json"), "--vcd", file("w.vcd"),
                        "--json", file("s.json"), "--junit", file("j.xml"), "--artifacts", file("a"), bad});
  EXPECT_EQ(r.status, 1) << r.err;
  std::istringstream lines(content("t.jsonl"));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(json::accept(line)) << line;
  EXPECT_GT(count, 50u);
  EXPECT_THAT(content("t.jsonl"), HasSubstr("cat /nowhere"));
  EXPECT_GT(json::parse(content("p.json"))["traceEvents"].size(), count);
  EXPECT_THAT(content("w.vcd"), HasSubstr("$enddefinitions"));
  EXPECT_EQ(json::parse(content("s.json"))["runs"][0]["verdict"], "failed");
  EXPECT_THAT(content("j.xml"), HasSubstr("<failure"));
  EXPECT_TRUE(fs::exists(file("a/dmesg.txt")));
  EXPECT_TRUE(fs::exists(file("a/trace.jsonl")));
  EXPECT_TRUE(fs::exists(file("a/remoteproc0.resource-table-1.bin")));
}

TEST_F(rpsim_program, build_without_pages_says_why_before_it_runs) {
  for (const char* part : {"firmware", "native"})
    fs::create_symlink(fs::path(RPSIM_PROGRAM).parent_path() / part, directory_ / part);
  fs::create_symlink(RPSIM_SOURCE_DIR "/platforms", directory_ / "platforms");
  ASSERT_EQ(::setenv("RPSIM_HOME", directory_.c_str(), 1), 0);
  const std::vector<std::string> command{"run", K3 + "graceful-shutdown.yaml", "--html", file("run.html")};
  const auto no_node = rpsim(command);
  EXPECT_EQ(no_node.status, 2);
  EXPECT_THAT(no_node.err, HasSubstr("--html is not available in this build: node and npm were not there"));
  EXPECT_FALSE(fs::exists(file("run.html")));
  EXPECT_THAT(no_node.out, Not(HasSubstr("shell.run")));

  fs::create_directory(directory_ / "pages");
  std::ofstream(file("pages/unavailable")) << "npm ci: npm error network\n";
  EXPECT_THAT(rpsim(command).err, HasSubstr("--html is not available in this build: npm ci: npm error network\n"));
}

TEST_F(rpsim_program, standard_output_belongs_to_what_was_asked_for) {
  const auto r = rpsim({"run", "--trace", "-", K3 + "auto-boot.yaml"});
  EXPECT_EQ(r.status, 0);
  std::istringstream lines(r.out);
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(json::accept(line)) << line;
  EXPECT_THAT(r.err, HasSubstr("PASS"));
  EXPECT_EQ(json::parse(rpsim({"run", "--json", "-", K3 + "auto-boot.yaml"}).out)["schema"], "rpsim-summary-1");
}

TEST_F(rpsim_program, console_shows_what_firmware_prints) {
  const std::string line = "m4f| rpmsg_echo: up\n";
  EXPECT_THAT(rpsim({"run", "-q", "--console", K3 + "stop-once.yaml"}).out, HasSubstr(line));
  EXPECT_THAT(rpsim({"run", "-q", K3 + "stop-once.yaml"}).out, Not(HasSubstr(line)));
}

TEST_F(rpsim_program, a_core_that_runs_away_is_stopped_by_the_limit) {
  const auto r = rpsim({"run", "-q", "-p", "core=arm",
                        scenario("files: { am62-mcu-m4f0_0-fw: rpmsg-echo }\n"
                                 "params: { m4f.fw.hang_after: 20ms }\n"
                                 "limit: 200ms\n"
                                 "steps:\n"
                                 "  - echo start > /sys/class/remoteproc/remoteproc0/state\n"
                                 "  - wait: 300ms\n")});
  EXPECT_EQ(r.status, 1) << r.err;
  EXPECT_THAT(r.out, HasSubstr("wait 300ms: it had not ended when the limit of 200.000 ms was reached"));
  EXPECT_THAT(r.out, HasSubstr("FAIL  s  (200.000 ms simulated)"));
}

TEST_F(rpsim_program, studies_among_scenarios_are_left_out) {
  const std::string study = RPSIM_SOURCE_DIR "/scenarios/studies/ack-order.yaml";
  const auto r = rpsim({"run", "-q", study, K3 + "stop-once.yaml"});
  EXPECT_EQ(r.status, 0) << r.out;
  EXPECT_THAT(r.err, HasSubstr("ack-order.yaml: left out, a study: `rpsim study` runs it\n"));
  EXPECT_THAT(r.out, HasSubstr("PASS  stop-once"));
  EXPECT_EQ(rpsim({"run", "-q", study}).status, 2);
}

TEST_F(rpsim_program, several_scenarios_have_a_verdict_each_and_files_each) {
  const auto r = rpsim(
      {"run", "-q", "--trace", file("t.jsonl"), K3 + "auto-boot.yaml", K3 + "boot-and-echo.yaml", "/nowhere.yaml"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.out, HasSubstr("2 passed, 1 refused"));
  EXPECT_TRUE(fs::exists(file("t-auto-boot.jsonl")));
  EXPECT_TRUE(fs::exists(file("t-boot-and-echo.jsonl")));
}

TEST_F(rpsim_program, scenarios_of_one_name_do_not_share_a_file) {
  fs::create_directories(file("other"));
  fs::copy(K3 + "boot-and-echo.yaml", file("other/boot-and-echo.yaml"));
  const auto r =
      rpsim({"run", "-q", "--trace", file("t.jsonl"), K3 + "boot-and-echo.yaml", file("other/boot-and-echo.yaml")});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_TRUE(fs::exists(file("t-k3-boot-and-echo.jsonl")));
  EXPECT_TRUE(fs::exists(file("t-other-boot-and-echo.jsonl")));
}

TEST_F(rpsim_program, a_file_that_cannot_be_written_is_2_and_named) {
  for (const char* path : {"/dev/full", "/nowhere/t"}) {
    const auto r = rpsim({"run", "-q", "--trace", path, K3 + "boot-and-echo.yaml"});
    EXPECT_EQ(r.status, 2);
    EXPECT_THAT(r.err, HasSubstr(path));
  }
}

TEST_F(rpsim_program, a_reader_that_has_gone_does_not_end_the_run) {
  const auto r = run_subprocess(
      {"bash", "-c", RPSIM_PROGRAM " run " + K3 + "boot-and-echo.yaml | head -1; exit ${PIPESTATUS[0]}"});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_EQ(r.out, "boot-and-echo\n");
}

TEST_F(rpsim_program, a_command_that_does_not_exist_gets_the_nearest_one) {
  const auto r = rpsim({"rnu"});
  EXPECT_EQ(r.status, 2);
  EXPECT_THAT(r.err, HasSubstr("did you mean 'run'?"));
}

TEST_F(rpsim_program, setting_on_the_command_line_wins) {
  const auto r = rpsim({"run", "-q", "-p", "ack_delay=30ms", "--json", "-", K3 + "graceful-shutdown.yaml"});
  EXPECT_EQ(r.status, 1);  // it expects 10 ms
  EXPECT_THAT(r.out, HasSubstr("it took 30."));
}

TEST_F(rpsim_program, checks_files_without_running_them) {
  const auto good = rpsim({"check", K3 + "graceful-shutdown.yaml", RPSIM_SOURCE_DIR "/platforms/k3-am62x.dts"});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_EQ(good.err, "");
  std::ofstream(file("x.elf")) << "no elf";
  const auto warned = rpsim({"check", scenario("files: { a: ./x.elf }\nsteps: [{ wait: 1ms }]\n")});
  EXPECT_EQ(warned.status, 0);
  EXPECT_THAT(warned.err, HasSubstr("warning: ./x.elf: it is too small for an ELF file: EINVAL"));
}

TEST_F(rpsim_program, lists_what_there_is) {
  EXPECT_THAT(rpsim({"list"}).out, HasSubstr("k3/graceful-shutdown.yaml"));
  const std::string variants = rpsim({"platforms", "--variants"}).out;
  EXPECT_THAT(variants, HasSubstr("v3-acks-unflagged"));
  EXPECT_THAT(variants, HasSubstr("\nv4+arnaud\n  v4 with the three test patches"));
  EXPECT_THAT(variants, HasSubstr("\n  ? detach-op: "));
  const auto params = rpsim({"params", "k3-am62x"});
  EXPECT_THAT(params.out, HasSubstr("m4f.fw.ack_delay"));
  EXPECT_THAT(params.out, HasSubstr("assumed"));
}

TEST_F(rpsim_program, matrix_is_a_table_of_outcomes) {
  fs::create_directories(file("in"));
  fs::copy(K3 + "graceful-shutdown.yaml", file("in/graceful-shutdown.yaml"));
  const auto r = rpsim({"matrix", file("in"), "--variants", "none,v2,v3", "-o", file("m.md")});
  EXPECT_EQ(r.status, 0) << r.err;
  EXPECT_THAT(content("m.md"), HasSubstr("| scenario | none | v2 | v3 |"));
  EXPECT_THAT(content("m.md"),
              testing::ContainsRegex("graceful-shutdown.* \\| \\*\\*FAIL\\*\\*: .* \\| pass \\| ″ \\|"));
}

TEST_F(rpsim_program, a_matrix_says_what_each_history_comes_to) {
  fs::create_directories(file("in"));
  std::ofstream(file("in/s.yaml")) << R"(scenario: s
purpose: A crash of a core whose file has gone.
platform: k3-am62x
steps:
  - run: echo stop > /sys/class/remoteproc/remoteproc0/state
    expect: { main: EINVAL, cleanup: EINVAL }
outcomes: { cleanup: EINVAL at stop }
)";
  const std::vector<std::string> command{"matrix", file("in"),   "--variants", "main,cleanup,v2",
                                         "-o",     file("m.md"), "-j",         "2"};
  EXPECT_EQ(rpsim(command).status, 0);
  EXPECT_THAT(content("m.md"), HasSubstr("| – | EINVAL at stop | – |"));

  auto check = command;
  check.emplace_back("--check");
  EXPECT_EQ(rpsim(check).status, 0);
  std::ofstream(file("m.md"), std::ios::app) << "x";
  const auto stale = rpsim(check);
  EXPECT_EQ(stale.status, 1);
  EXPECT_THAT(stale.err, HasSubstr("m.md is not what the scenarios give now"));
  EXPECT_THAT(content("m.md"), testing::EndsWith("x"));
}

TEST_F(rpsim_program, an_outcome_that_does_not_come_true_fails_the_matrix) {
  fs::create_directories(file("in"));
  std::ofstream(file("in/s.yaml")) << "scenario: s\npurpose: p.\nplatform: k3-am62x\nsteps: [{ wait: 1ms }]\n"
                                   << "outcomes: { default: EBUSY at once }\n";
  const auto r = rpsim({"matrix", file("in"), "--variants", "main", "-o", file("m.md")});
  EXPECT_EQ(r.status, 1);
  EXPECT_THAT(r.err, HasSubstr("main: outcome: EBUSY at once: nothing gave EBUSY"));
  EXPECT_THAT(content("m.md"), HasSubstr("**FAIL**: outcome: EBUSY at once"));
}

TEST_F(rpsim_program, a_matrix_of_a_variant_that_does_not_exist_runs_nothing) {
  for (const char* variants : {"main,claenup", "core=claenup", "colour=main"}) {
    const auto r = rpsim({"matrix", K3, "--variants", variants, "-o", file("m.md")});
    EXPECT_EQ(r.status, 2);
    EXPECT_THAT(r.err, testing::AnyOf(HasSubstr("did you mean 'cleanup'?"), HasSubstr("core, shutdown or crash")));
    EXPECT_FALSE(fs::exists(file("m.md")));
  }
}

}  // namespace
}  // namespace rpsim
