// The programs of remote_fw/tests/m4 on the Cortex-M4F.

#include <sys/wait.h>
#include <unistd.h>

#include "tests/models/m4_board.h"

namespace rpsim {
namespace {

using test::m4_board;
using test::us;

struct m4 : testing::Test {
  m4() { context.arm_engine = RPSIM_ARM_ENGINE; }
  m4_board& board(const std::string& label, const std::string& program) {
    boards.push_back(std::make_unique<m4_board>((label + "_board").c_str(), context, node, label));
    boards.back()->load(RPSIM_TEST_FIRMWARE "/m4/" + program + ".bin");
    return *boards.back();
  }
  static std::string expected(const std::string& program) {
    std::ifstream in(RPSIM_M4_EXPECTED "/" + program + ".expected");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  sim_context context;
  test::node_source node;
  std::vector<std::unique_ptr<m4_board>> boards;
};

TEST_F(m4, isa_prints_what_qemu_prints) {
  m4_board& b = board("m4", "isa");
  b.run(us(1000000));
  EXPECT_EQ(b.text, expected("isa"));
}

TEST_F(m4, load_computes_what_qemu_computes) {
  m4_board& b = board("m4", "load");
  b.run(us(1000000));
  EXPECT_EQ(b.text, expected("load"));
}

TEST_F(m4, an_operating_system_keeps_every_threads_registers) {
  m4_board& b = board("m4", "rtos");
  b.run(us(1000000));
  EXPECT_EQ(b.text, expected("rtos"));
}

TEST_F(m4, the_quantum_changes_nothing_that_devices_see) {
  ASSERT_TRUE(context.params.set("short.quantum", "200ns"));
  ASSERT_TRUE(context.params.set("long.quantum", "1ms"));
  m4_board &a = board("short", "rtos"), &b = board("long", "rtos");
  a.reset.write(false);
  sc_core::sc_spawn([&] {
    sc_core::wait(us(8000));  // not yet done
    a.reset.write(true);
    const sc_core::sc_time began = sc_core::sc_time_stamp();
    b.reset.write(false);  // alone, so that nothing else shortens its runs
    sc_core::wait(us(8000));
    for (m4_board::access& x : b.accesses) x.time -= began;
    sc_core::sc_stop();
  });
  sc_core::sc_start();
  ASSERT_GT(a.accesses.size(), 100u);
  EXPECT_TRUE(a.accesses == b.accesses);
}

std::string log_of(const m4_board& b) {
  std::string log;
  for (const m4_board::access& x : b.accesses)
    log += fmt::format("{} {:#x} {:#x}\n", x.time.value(), x.address, x.value);
  return log;
}

TEST_F(m4, a_forked_simulation_goes_on_like_its_original) {
  m4_board& b = board("m4", "rtos");
  b.run(us(5000));  // threads, ticks and floating point are under way
  ASSERT_FALSE(b.finished);
  const std::size_t before = b.accesses.size();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  sc_core::sc_start(us(1000000));
  if (child == 0) {
    const std::string log = log_of(b);
    std::size_t written = 0;
    while (written < log.size()) {
      const ssize_t n = write(ends[1], log.data() + written, log.size() - written);
      if (n <= 0) _exit(1);
      written += static_cast<std::size_t>(n);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string log;
  std::array<char, 4096> part;
  for (ssize_t n = 0; (n = read(ends[0], part.data(), part.size())) > 0;)
    log.append(part.data(), static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(b.finished);
  EXPECT_GT(b.accesses.size(), before + 100);
  EXPECT_EQ(log_of(b), log);
}

}  // namespace
}  // namespace rpsim
