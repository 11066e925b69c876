// The host's life as a whole: it can end at any moment and begin again.

#include <gmock/gmock.h>

#include "tests/host_sw/stm32mp157_fixture.h"

namespace rpsim::test {
namespace {

using testing::Contains;
using testing::ElementsAre;

class host_life_test : public stm32mp157_test {
 protected:
  void build() {
    make();
    install("rpmsg_echo");
    host = std::make_unique<host::linux_host>(board->host(), context, board->tree(), options);
  }
  void run_ms(double ms) { sc_core::sc_start(sc_core::sc_time(ms, sc_core::SC_MS)); }
  void user(std::function<void()> body) {
    host->kernel().spawn("user", [this, body = std::move(body)] {
      while (!host->booted()) settle(1);
      body();
    });
  }
};

TEST_F(host_life_test, power_may_go_at_any_moment_of_a_life_cycle) {
  build();
  for (int round = 0; round < 250; ++round) {
    host->boot();
    user([this] {
      for (;;) {
        (void)start();
        (void)talk("hello");
        (void)stop();
      }
    });
    run_ms(0.05 + 0.173 * round);
    ASSERT_TRUE(host->booted()) << round;
    host->power_off();
    run_ms(1);
    ASSERT_TRUE(host->kernel().quiet()) << round;
    ASSERT_FALSE(host->booted());
  }
  EXPECT_THAT(oopses(), ElementsAre());
  host->boot();
  bool ended = false;
  user([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("hello"), "hello");
    ended = true;
  });
  run_ms(3000);
  EXPECT_TRUE(ended);
}

TEST_F(host_life_test, only_its_firmware_outlives_a_kernel) {
  build();
  for (int round = 0; round < 2; ++round) {
    host->boot();
    user([this, round] {
      EXPECT_EQ(host->fs().exists("/lib/firmware/rproc-m4-fw"), round == 0);
      EXPECT_EQ(host->fs().read("/lib/firmware/other").value_or("none"), round == 0 ? "none" : "content");
      EXPECT_FALSE(host->fs().exists("/tmp/note"));
      EXPECT_EQ(host->fs().read("/proc/sys/kernel/panic"), "0\n");
      host->fs().add_regular("/lib/firmware/other", "content");
      host->fs().add_regular("/tmp/note", "content");
      ASSERT_TRUE(host->fs().write("/proc/sys/kernel/panic", "-1\n"));
      (void)host->fs().unlink("/lib/firmware/rproc-m4-fw");
    });
    run_ms(20);
    host->power_off();
    run_ms(1);
  }
}

TEST_F(host_life_test, sysrq_c_panics_and_sysrq_b_asks_the_firmware_for_a_reset) {
  build();
  int resets = 0;
  host->on_restart([&] { ++resets; });
  for (const char* what : {"h", "c", "b"}) {
    host->boot();
    user([this, what] {
      (void)host->fs().write("/proc/sysrq-trigger", what);
      EXPECT_STREQ(what, "h") << "went on";
    });
    run_ms(20);
    EXPECT_EQ(host->kernel().powered_off(), std::string(what) != "h") << what;
    EXPECT_EQ(resets, std::string(what) == "b" ? 1 : 0) << what;
    host->power_off();
    run_ms(1);
  }
  EXPECT_THAT(events.values("host.panic", "text"), ElementsAre("sysrq triggered crash"));
  EXPECT_THAT(log(), Contains("Kernel panic - not syncing: sysrq triggered crash"));
}

TEST_F(host_life_test, a_panic_timeout_that_is_no_number_is_refused) {
  build();
  host->boot();
  user([this] {
    for (const char* text : {"", "x", "5x", "99999999999"})
      EXPECT_EQ(host->fs().write("/proc/sys/kernel/panic", text).error(), EINVAL) << text;
    EXPECT_EQ(host->fs().read("/proc/sys/kernel/panic"), "0\n");
  });
  run_ms(20);
}

}  // namespace
}  // namespace rpsim::test
