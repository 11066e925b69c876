// The STM32MP1's driver as it was at the time of a history, in a whole STM32MP157.

#include "host_sw/drivers/stm32_history.h"

#include "host_sw/remoteproc/histories.h"
#include "tests/host_sw/stm32mp157_fixture.h"

namespace rpsim::test {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using stm32_history_test = stm32mp157_test;

constexpr const char* DETACH_DOORBELL = "C1SCR=524288";  // IPCC channel 4

TEST_F(stm32_history_test, v4_has_no_detach_op) {
  options.core = "v4";
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("hello"), "hello");
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(detach(), EINVAL);
      EXPECT_EQ(state(), "attached\n");
    }
    EXPECT_EQ(talk("still"), "still");
  });
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_history_test, v4_boots_and_stops_with_the_regions_that_parse_fw_registers_twice) {
  options.core = "v4";
  make();
  install("rpmsg_echo");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(talk("hello"), "hello");
      EXPECT_EQ(start(), EBUSY);
      EXPECT_EQ(stop(), 0);
      EXPECT_EQ(state(), "offline\n");
    }
  });
  EXPECT_THAT(events.values("rproc.op", "op"), Not(Contains("prepare")));
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_history_test, v4_stops_what_it_attached_to_and_boots_it) {
  options.core = "v4";
  make();
  install("rpmsg_echo");
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("hello"), "hello");
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(state(), "running\n");
    EXPECT_EQ(talk("again"), "again");
  });
}

struct without_table {
  const char* core;
  int error;
};
class stm32_history_table : public stm32mp157_test, public testing::WithParamInterface<without_table> {};
TEST_P(stm32_history_table, register_of_0) {
  options.core = GetParam().core;
  make();
  boot_loader_starts("rpmsg_echo", 0);
  in_thread([&] {
    EXPECT_EQ(start(), GetParam().error);
    EXPECT_EQ(state(), GetParam().error == 0 ? "attached\n" : "detached\n");
  });
  EXPECT_THAT(events.all("rproc.table"), IsEmpty());
}
INSTANTIATE_TEST_SUITE_P(in, stm32_history_table,
                         testing::Values(without_table{"v4", 0}, without_table{"v5", ENOENT},
                                         without_table{"v8", ENOENT}),
                         [](const auto& p) { return std::string(p.param.core); });

// The firmware is told nothing, hold boot is left alone; Linux's side comes up again.
class stm32_history_dummy : public stm32mp157_test, public testing::WithParamInterface<const char*> {};
TEST_P(stm32_history_dummy, detach_op_writes_no_register) {
  options.core = GetParam();
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_TRUE(host->fs().exists(TRACE));
      writes.take();
      EXPECT_EQ(detach(), 0);
      EXPECT_EQ(state(), "detached\n");
      EXPECT_THAT(writes.take(), Not(Contains(testing::AnyOf(DETACH_DOORBELL, "MP_GCR=1"))));
    }
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(state(), "attached\n");
  });
  EXPECT_THAT(events.all("vring.setup"), SizeIs(6));
  EXPECT_THAT(oopses(), IsEmpty());
  // Whose dummy it is, is known of v4+arnaud alone.
  EXPECT_THAT(events.values("rproc.unconfirmed", "topic"), GetParam() == std::string("v4+arnaud")
                                                               ? testing::Matcher<std::vector<std::string>>(IsEmpty())
                                                               : ElementsAre("detach-op", "detach-op"));
  EXPECT_THAT(events.values("rproc.unconfirmed", "history"), Each(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(of, stm32_history_dummy, testing::Values("v4+arnaud", "v5", "v6", "v7"), [](const auto& p) {
  std::string name = p.param;
  std::ranges::replace(name, '+', '_');
  return name;
});

TEST_F(stm32_history_test, v8_tells_the_firmware_and_releases_hold_boot) {
  options.core = "v8";
  make();
  boot_loader_starts("rpmsg_echo");
  const std::string clean = memory(TABLE, 1024);
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(talk("hello"), "hello");
      writes.take();
      EXPECT_EQ(detach(), 0);
      const auto all = writes.take();
      EXPECT_THAT(all, Contains(DETACH_DOORBELL));
      EXPECT_EQ(all.back(), "MP_GCR=1");
      EXPECT_EQ(memory(TABLE, 1024), clean);
      settle();
    }
  });
  EXPECT_THAT(events.all("rproc.unconfirmed"), IsEmpty());
}

// The driver's remove shuts down what has power before del looks at the property.
TEST_F(stm32_history_test, v4_powers_an_attached_core_off_at_unbind_whatever_the_tree_says) {
  options.core = "v4";
  make(changed_tree("resets = <&rcc 8225>;", "autonomous-on-core-shutdown; resets = <&rcc 8225>;"));
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "unbind"), 0);
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(events.all("core.reset"), SizeIs(1));
  EXPECT_THAT(states(), ElementsAre("detached", "attached", "offline", "deleted"));
}

TEST_F(stm32_history_test, v8_fails_the_probe_when_the_automatic_attach_fails) {
  options.core = "v8";
  make(changed_tree("resets = <&rcc 8225>;", "st,auto-boot; resets = <&rcc 8225>;"));
  boot_loader_starts("rpmsg_echo", 0x20000000);
  in_thread([&] {
    EXPECT_TRUE(host->fs().exists(STATE));
    os::thread& victim = host->kernel().spawn("victim", [&] { start(); });
    settle();
    EXPECT_TRUE(host->kernel().ended(victim));
  });
  EXPECT_THAT(oopses(), ElementsAre("driver-gone"));
}

TEST_F(stm32_history_test, main_leaves_a_failed_automatic_attach_detached) {
  make(changed_tree("resets = <&rcc 8225>;", "st,auto-boot; resets = <&rcc 8225>;"));
  boot_loader_starts("rpmsg_echo", 0x20000000);
  in_thread([&] {
    settle();
    EXPECT_EQ(state(), "detached\n");
    EXPECT_EQ(start(), EINVAL);
  });
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_history_test, v4_registers_the_regions_of_a_core_that_runs_in_its_probe) {
  options.core = "v4";
  make(changed_tree("<0x30000000 0x30000000 0x60000>;", "<0x31000000 0x31000000 0x60000>;"));
  boot_loader_starts("rpmsg_echo");
  in_thread([&] { EXPECT_FALSE(host->fs().exists(STATE)); });
  EXPECT_THAT(log(), Contains("memory region not valid 0x30000000"));
}

TEST_F(stm32_history_test, v8_registers_the_regions_at_the_attach) {
  options.core = "v8";
  make(changed_tree("<0x30000000 0x30000000 0x60000>;", "<0x31000000 0x31000000 0x60000>;"));
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(state(), "detached\n");
    EXPECT_EQ(start(), EINVAL);
  });
}

// Before SCMI the driver knew no reset by name.
TEST_F(stm32_history_test, v8_needs_the_hold_boot_register) {
  options.core = "v8";
  make(changed_tree("st,syscfg-holdboot = <&rcc 0x10c 0x1>;", ""));
  in_thread([&] { EXPECT_FALSE(host->fs().exists(STATE)); });
  EXPECT_THAT(log(), Contains(HasSubstr("failed to get hold boot")));
}

TEST_F(stm32_history_test, fixed_lets_the_watchdog_restart_a_detached_core) {
  options.core = "fixed";
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(talk("hello"), "hello");
      EXPECT_EQ(detach(), 0);
      poke(WWDG1_CR, 0xFF);
      settle();
      EXPECT_EQ(state(), "detached\n");
    }
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("again"), "again");
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(3));
  EXPECT_THAT(events.all("rproc.recovery"), IsEmpty());
}

TEST_F(stm32_history_test, fixed_starts_after_a_recovery_without_firmware_file_failed) {
  options.core = "fixed";
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    poke(WWDG1_CR, 0xFF);
    settle();
    EXPECT_EQ(state(), "offline\n");
    EXPECT_EQ(start(), ENOENT);  // and not 0 without effect
    host->fs().add_regular("/lib/firmware/rproc-m4-fw", std::make_shared<const std::string>(image("rpmsg_echo")));
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("hello"), "hello");
  });
  EXPECT_THAT(events.values("rproc.recovery", "result"), ElementsAre("ENOENT"));
}

}  // namespace
}  // namespace rpsim::test
