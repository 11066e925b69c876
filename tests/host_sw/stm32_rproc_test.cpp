// The STM32MP1's M4 driver in a whole STM32MP157. What is numbered "§9" is the reference's list of checks.

#include "host_sw/drivers/stm32_rproc.h"

#include "host_sw/drivers/reset.h"
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

using stm32_rproc = stm32mp157_test;

// ------------------------------------------------------------------------------------------------------ start and stop

TEST_F(stm32_rproc, probe_finds_a_core_that_is_off_and_writes_nothing) {
  make();
  install("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(state(), "offline\n");
    EXPECT_EQ(host->fs().read("/sys/class/remoteproc/remoteproc0/name").value_or("?"), "m4\n");
    EXPECT_EQ(host->fs().read("/sys/class/remoteproc/remoteproc0/firmware").value_or("?"), "rproc-m4-fw\n");
  });
  EXPECT_THAT(log(), Contains("wdg irq registered"));
  EXPECT_THAT(log(), Contains("ipcc rev:1.0 enabled, 6 chans, proc 0"));
  EXPECT_THAT(states(), IsEmpty());
}

TEST_F(stm32_rproc, starts_talks_and_stops_twice) {
  make();
  install("rpmsg_echo");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(state(), "running\n");
      EXPECT_EQ(talk("hello"), "hello");
      writes.take();
      EXPECT_EQ(stop(), 0);
      EXPECT_LT(took_ms, 20);
      EXPECT_EQ(state(), "offline\n");
    }
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(2));
  EXPECT_THAT(log(), Not(Contains(HasSubstr("without ack"))));
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_rproc, start_is_a_pulse_that_parks_the_next_reset) {
  make();
  install("rpmsg_echo");
  in_thread([&] {
    poke(0x50001014, 1);
    writes.take();
    EXPECT_EQ(start(), 0);
    const auto all = writes.take();
    const std::vector<std::string> first(all.begin(), all.begin() + std::min<std::ptrdiff_t>(3, std::ssize(all)));
    EXPECT_THAT(first, ElementsAre("PWR_MCUCR=0", "MP_GCR=1", "MP_GCR=0"));
    settle();
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(1));
}

// §9.3; hold boot and M4 state are already as they shall be, and then Linux writes nothing.
TEST_F(stm32_rproc, firmware_that_never_acks_is_reset_after_500_ms) {
  make();
  install("rpmsg_echo");
  firmware("shutdown", "never-acks");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      writes.take();
      EXPECT_EQ(stop(), 0);
      EXPECT_THAT(took_ms, testing::AllOf(testing::Ge(500), testing::Le(510)));
      EXPECT_EQ(state(), "offline\n");
      // C1SCR 0x40000: shutdown, IPCC channel 3.
      EXPECT_THAT(writes.take(), ElementsAre("C1SCR=262144", "MP_GRSTCSETR=2", "PWR_MCUCR=1"));
    }
  });
  EXPECT_THAT(log(), Contains("warning: remote FW shutdown without ack").Times(2));
  EXPECT_THAT(events.all("core.reset"), SizeIs(2));
}

TEST_F(stm32_rproc, a_tree_without_optional_registers_starts_and_stops_without_them) {
  make(changed_tree("st,syscfg-pdds = <&pwr_mcu 0x0 0x1>;", ""));
  install("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
    EXPECT_THAT(writes.take(), Not(Contains(HasSubstr("PWR_MCUCR"))));
  });
  EXPECT_THAT(log(), Contains("failed to get pdds"));
}

TEST_F(stm32_rproc, without_a_resource_table_it_runs_without_virtio) {
  make();
  std::string elf = image("rpmsg_echo");
  const std::size_t name = elf.find(".resource_table");
  ASSERT_NE(name, std::string::npos);
  elf[name + 1] = 'R';
  options.firmware["rproc-m4-fw"] = std::make_shared<const std::string>(elf);
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(stop(), 0);
  });
  EXPECT_THAT(log(), Contains("no resource table found for this firmware"));
}

// ---------------------------------------------------------------------------------------------------- attach, detach

TEST_F(stm32_rproc, attaches_talks_detaches_and_attaches_again) {
  make();
  boot_loader_starts("rpmsg_echo");
  const std::string clean = memory(TABLE, 1024);
  in_thread([&] {
    EXPECT_EQ(state(), "detached\n");
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(state(), "attached\n");
      EXPECT_EQ(talk("hello"), "hello");
      EXPECT_NE(memory(TABLE, 1024), clean);
      writes.take();
      EXPECT_EQ(detach(), 0);
      EXPECT_LT(took_ms, 50);
      EXPECT_EQ(state(), "detached\n");
      EXPECT_EQ(memory(TABLE, 1024), clean);
      EXPECT_EQ(writes.take().back(), "MP_GCR=1");
      EXPECT_EQ(peek(BKP18R), CRUN);
      EXPECT_EQ(peek(BKP17R), TABLE);
      settle();
    }
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(peek(MP_GCR), 0u);
    EXPECT_EQ(talk("again"), "again");
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(1));
  EXPECT_THAT(events.all("core.reset"), IsEmpty());
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_rproc, firmware_that_knows_no_detach_is_let_go_after_200_ms) {
  make();
  firmware("detach", "never-acks");
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    writes.take();
    EXPECT_EQ(detach(), 0);
    EXPECT_THAT(took_ms, testing::AllOf(testing::Ge(200), testing::Le(210)));
    EXPECT_EQ(state(), "detached\n");
    // C1SCR 0x80000: detach, IPCC channel 4.
    EXPECT_THAT(writes.take(), ElementsAre("C1SCR=524288", "MP_GCR=1"));
  });
  EXPECT_THAT(log(), Contains("warning: remote FW detach without ack"));
}

TEST_F(stm32_rproc, a_stop_from_attached_powers_it_off_for_good) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    writes.take();
    EXPECT_EQ(stop(), 0);
    EXPECT_EQ(state(), "offline\n");
    EXPECT_THAT(writes.take(), ElementsAre("C1SCR=262144", "MP_GRSTCSETR=2", "PWR_MCUCR=1", "BKP18R=0"));
    EXPECT_EQ(start(), ENOENT);  // no firmware file
  });
}

TEST_F(stm32_rproc, a_processor_that_linux_booted_is_not_detached) {
  make();
  install("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(detach(), EINVAL);
    EXPECT_EQ(state(), "running\n");
  });
}

// §9.7
TEST_F(stm32_rproc, without_a_table_address_the_attach_fails_with_enoent_and_it_stays_detached) {
  make();
  boot_loader_starts("rpmsg_echo", 0);
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), ENOENT);
      EXPECT_EQ(state(), "detached\n");
    }
  });
}

// §9.8
struct table_place {
  std::uint32_t da;
  int error;
  std::uint32_t pa;
};
class stm32_rproc_table : public stm32mp157_test, public testing::WithParamInterface<table_place> {};

TEST_P(stm32_rproc_table, is_looked_for_where_dma_ranges_say) {
  make();
  boot_loader([&] {
    poke(BKP18R, CRUN);
    poke(BKP17R, GetParam().da);
  });
  if (GetParam().error == 0) {
    const std::uint32_t header[4] = {1, 0, 0, 0};  // version 1, no entries
    ASSERT_TRUE(board->debug_write(GetParam().pa, header, sizeof header));
  }
  in_thread([&] {
    EXPECT_EQ(start(), GetParam().error);
    EXPECT_EQ(state(), GetParam().error == 0 ? "attached\n" : "detached\n");
  });
  const auto tables = events.all("rproc.table");
  if (GetParam().error == 0) {
    ASSERT_THAT(tables, SizeIs(1));
    EXPECT_EQ(tables[0].fields.at("pa"), fmt::format("0x{:x}", GetParam().pa));
    EXPECT_EQ(tables[0].fields.at("size"), "1024");
  } else {
    EXPECT_THAT(tables, IsEmpty());
    EXPECT_THAT(log(), Contains(fmt::format("can't translate da {:x}", GetParam().da)));
  }
}

INSTANTIATE_TEST_SUITE_P(places, stm32_rproc_table,
                         testing::Values(table_place{0x10020010, 0, 0x10020010}, table_place{0x00000200, 0, 0x38000200},
                                         table_place{0x38000200, EINVAL, 0}, table_place{0x20000000, EINVAL, 0}),
                         [](const auto& p) { return fmt::format("at_{:08x}", p.param.da); });

TEST_F(stm32_rproc, a_table_in_linux_own_memory_is_not_mapped) {
  make(changed_tree("<0x30000000 0x30000000 0x60000>;",
                    "<0x30000000 0x30000000 0x60000>, <0xd0000000 0xd0000000 0x1000>;"));
  boot_loader([&] {
    poke(BKP18R, CRUN);
    poke(BKP17R, 0xD0000010);
  });
  in_thread([&] {
    EXPECT_EQ(start(), ENOMEM);
    EXPECT_EQ(state(), "detached\n");
  });
}

TEST_F(stm32_rproc, a_table_at_the_end_of_memory_is_an_external_abort) {
  make();
  boot_loader([&] {
    poke(BKP18R, CRUN);
    poke(BKP17R, 0x1005FF00);
  });
  in_thread([&] {
    os::thread& victim = host->kernel().spawn("victim", [&] { start(); });
    settle();
    EXPECT_TRUE(host->kernel().ended(victim));
  });
  EXPECT_THAT(oopses(), ElementsAre("external-abort"));
}

TEST_F(stm32_rproc, without_the_table_register_an_attach_is_an_oops) {
  make(changed_tree("st,syscfg-rsc-tbl = <&tamp 0x144 0xffffffff>;", ""));
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(state(), "detached\n");
    os::thread& victim = host->kernel().spawn("victim", [&] { start(); });
    settle();
    EXPECT_TRUE(host->kernel().ended(victim));
  });
  EXPECT_THAT(log(), Contains("rsc tbl syscon not supported"));
  EXPECT_THAT(oopses(), ElementsAre("null-regmap"));
}

// ---------------------------------------------------------------------------------------------------------- the tree

TEST_F(stm32_rproc, without_the_state_register_a_running_core_is_taken_for_off) {
  make(changed_tree("st,syscfg-m4-state = <&tamp 0x148 0xffffffff>;", ""));
  boot_loader_starts("rpmsg_echo");
  in_thread([&] { EXPECT_EQ(state(), "offline\n"); });
  EXPECT_THAT(log(), Contains("m4 state not supported"));
  EXPECT_THAT(log(), Not(Contains("rsc tbl syscon not supported")));
}

struct bad_tree {
  const char* name;
  const char* from;
  const char* to;
  const char* text;
};
class stm32_rproc_tree : public stm32mp157_test, public testing::WithParamInterface<bad_tree> {};

TEST_P(stm32_rproc_tree, fails_the_probe) {
  make(changed_tree(GetParam().from, GetParam().to));
  in_thread([&] { EXPECT_FALSE(host->fs().exists(STATE)); });
  EXPECT_THAT(log(), Contains(HasSubstr(GetParam().text)));
  EXPECT_THAT(oopses(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(defects, stm32_rproc_tree,
                         testing::Values(bad_tree{"no_hold_boot", "st,syscfg-holdboot = <&rcc 0x10c 0x1>;", "",
                                                  "failed to get hold boot"},
                                         bad_tree{"short_hold_boot", "st,syscfg-holdboot = <&rcc 0x10c 0x1>;",
                                                  "st,syscfg-holdboot = <&rcc 0x10c>;", "failed to get hold boot"},
                                         bad_tree{"hold_boot_not_in_a_syscon", "st,syscfg-holdboot = <&rcc 0x10c 0x1>;",
                                                  "st,syscfg-holdboot = <&ipcc 0x10c 0x1>;", "failed to get hold boot"},
                                         bad_tree{"no_reset", "resets = <&rcc 8225>;", "", "failed to get mcu_reset"},
                                         bad_tree{"no_such_reset", "resets = <&rcc 8225>;", "resets = <&rcc 0x8000>;",
                                                  "failed to get mcu_reset"},
                                         bad_tree{"half_a_dma_range", "<0x30000000 0x30000000 0x60000>;",
                                                  "<0x30000000 0x30000000>;", "dma-ranges property not defined"}),
                         [](const auto& p) { return std::string(p.param.name); });

TEST_F(stm32_rproc, a_memory_region_outside_dma_ranges_fails_the_start) {
  make(changed_tree("<0x30000000 0x30000000 0x60000>;", "<0x31000000 0x31000000 0x60000>;"));
  install("rpmsg_echo");
  in_thread([&] { EXPECT_EQ(start(), EINVAL); });
  EXPECT_THAT(log(), Contains("memory region not valid 0x30000000"));
}

TEST_F(stm32_rproc, auto_boot_attaches_by_itself) {
  make(changed_tree("resets = <&rcc 8225>;", "st,auto-boot; resets = <&rcc 8225>;"));
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    settle();
    EXPECT_EQ(state(), "attached\n");
    EXPECT_EQ(talk("hello"), "hello");
  });
}

TEST_F(stm32_rproc, hold_boot_by_secure_monitor_call_is_refused) {
  // In the place of TZEN, which the model has not, a bit of MP_BOOTCR.
  make(changed_tree("resets = <&rcc 8225>;", "st,syscfg-tz = <&rcc 0x100 0x1>; resets = <&rcc 8225>;"));
  install("rpmsg_echo");
  boot_loader([&] { poke(0x50000100, 1); });
  in_thread([&] {
    EXPECT_EQ(start(), EPERM);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(log(), Contains("failed to set hold boot"));
}

TEST_F(stm32_rproc, without_trust_zone_its_register_changes_nothing) {
  make(changed_tree("resets = <&rcc 8225>;", "st,syscfg-tz = <&rcc 0x100 0x1>; resets = <&rcc 8225>;"));
  install("rpmsg_echo");
  in_thread([&] { EXPECT_EQ(start(), 0); });
}

/// What an SCMI reset controller is to its consumers.
class recorded_resets final : public drivers::reset_controller {
 public:
  class line final : public drivers::reset_control {
   public:
    line(std::vector<std::string>& calls, int& result) : calls_(calls), result_(result) {}
    int assert_reset() override { return calls_.emplace_back("assert"), result_; }
    int deassert_reset() override { return calls_.emplace_back("deassert"), result_; }
    int status() override { return 0; }

   private:
    std::vector<std::string>& calls_;
    int& result_;
  };
  std::unique_ptr<drivers::reset_control> get(const dt::phandle_args& specifier) override {
    EXPECT_EQ(specifier.args.at(0), 11u);  // RST_SCMI_MCU_HOLD_BOOT
    return std::make_unique<line>(calls, result);
  }
  std::vector<std::string> calls;
  int result = 0;
};

TEST_F(stm32_rproc, a_reset_named_hold_boot_takes_the_place_of_the_register) {
  make(changed_tree({{"resets = <&rcc 8225>;", "resets = <&rcc 8225>, <&scmi 11>;"},
                     {"reset-names = \"mcu_rst\";", "reset-names = \"mcu_rst\", \"hold_boot\";"},
                     {"mlahb: ahb {", "scmi: scmi { #reset-cells = <1>; };\n\tmlahb: ahb {"}}));
  install("rpmsg_echo");
  recorded_resets resets;
  before_boot = [&] { host->machine().provide<drivers::reset_controller>(board->tree().by_label("scmi"), &resets); };
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_THAT(resets.calls, ElementsAre("deassert", "assert"));
    EXPECT_EQ(stop(), 0);
    EXPECT_THAT(resets.calls, ElementsAre("deassert", "assert", "assert"));
    EXPECT_THAT(writes.take(), Not(Contains(HasSubstr("MP_GCR"))));
    resets.result = -EIO;
    EXPECT_EQ(start(), EIO);
  });
  EXPECT_THAT(log(), Contains("failed to set hold boot"));
}

// §9.10
TEST_F(stm32_rproc, with_two_channels_nobody_is_asked_before_a_stop) {
  set("ipcc.channels", "2");
  make();
  install("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("hello"), "hello");
    writes.take();
    EXPECT_EQ(stop(), 0);
    EXPECT_LT(took_ms, 20);
    EXPECT_THAT(writes.take(), ElementsAre("MP_GRSTCSETR=2", "PWR_MCUCR=1"));
  });
  EXPECT_THAT(log(), Contains("cannot get shutdown mbox"));
  EXPECT_THAT(log(), Contains("cannot get detach mbox"));
  EXPECT_THAT(log(), Not(Contains("cannot get vq1 mbox")));
}

// ------------------------------------------------------------------------------------------------------------- life

TEST_F(stm32_rproc, detaches_and_attaches_while_the_core_keeps_sending) {
  make();
  firmware("send_every", "200us");
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_THAT(talk("hello"), HasSubstr("hello"));
      settle(50);
      EXPECT_EQ(detach(), 0);
      EXPECT_LT(took_ms, 50);
      settle(50);
    }
    EXPECT_EQ(start(), 0);
    EXPECT_THAT(talk("hello"), HasSubstr("hello"));
    EXPECT_EQ(stop(), 0);
  });
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_rproc, a_host_that_lost_its_power_while_attached_finds_the_core_and_attaches) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread(
      [&] {
        EXPECT_EQ(start(), 0);
        EXPECT_EQ(talk("hello"), "hello");
      },
      1);
  host->kernel().power_off();
  sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_US));
  in_thread([&] {
    EXPECT_EQ(state(), "detached\n");
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(state(), "attached\n");
    EXPECT_EQ(detach(), 0);
    EXPECT_EQ(state(), "detached\n");
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(1));
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_rproc, garbage_in_the_place_of_the_table_fails_the_attach) {
  make();
  boot_loader([&] {
    poke(BKP18R, CRUN);
    poke(BKP17R, TABLE);
  });
  std::array<std::uint32_t, 256> garbage{};
  for (std::uint32_t i = 0; i < garbage.size(); ++i) garbage[i] = 0x9E3779B9u * (i + 1);
  ASSERT_TRUE(board->debug_write(TABLE, garbage.data(), sizeof garbage));
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), EINVAL);
      EXPECT_EQ(state(), "detached\n");
    }
  });
  EXPECT_EQ(memory(TABLE, sizeof garbage), std::string(reinterpret_cast<char*>(garbage.data()), sizeof garbage));
}

TEST_F(stm32_rproc, unbinding_while_attached_powers_the_core_off) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "unbind"), 0);
    EXPECT_FALSE(host->fs().exists(STATE));
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(events.all("core.reset"), SizeIs(1));
}

TEST_F(stm32_rproc, unbinding_while_detached_leaves_it_running_and_finds_it_again_twice) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(talk("hello"), "hello");
      EXPECT_EQ(detach(), 0);
      EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "unbind"), 0);
      EXPECT_EQ(peek(IPCC + 4), ~0u);  // nothing is acknowledged any more
      EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
      EXPECT_EQ(state(), "detached\n");
    }
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(1));
  EXPECT_THAT(events.all("core.reset"), IsEmpty());
}

TEST_F(stm32_rproc, a_doorbell_of_a_detached_core_is_acknowledged_and_dropped) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(detach(), 0);
    poke(C2SCR, 1u << 16);
    settle(1);
    EXPECT_EQ(peek(IPCC + 0x1C), 0u);
  });
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_rproc, the_watchdog_of_a_running_core_is_a_crash_that_is_recovered_twice) {
  make();
  install("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(talk("hello"), "hello");
      poke(WWDG1_CR, 0xFF);  // 2.5 ms from now
      settle(200);
      EXPECT_EQ(state(), "running\n");
    }
    EXPECT_EQ(talk("hello"), "hello");
    EXPECT_EQ(stop(), 0);
  });
  EXPECT_THAT(events.values("rproc.crash", "type"), ElementsAre("watchdog", "watchdog"));
  EXPECT_THAT(events.values("rproc.recovery", "result"), ElementsAre("0", "0"));
  EXPECT_THAT(events.all("core.start"), SizeIs(3));
}

TEST_F(stm32_rproc, after_an_attach_the_watchdogs_recovery_has_no_firmware_file) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    poke(WWDG1_CR, 0xFF);
    settle();
    EXPECT_EQ(state(), "offline\n");
    EXPECT_EQ(start(), 0);  // H1: only counts
    EXPECT_EQ(state(), "offline\n");
  });
  EXPECT_THAT(events.values("rproc.recovery", "result"), ElementsAre("ENOENT"));
}

// §9.6
TEST_F(stm32_rproc, the_watchdog_restarts_a_detached_core_that_has_no_driver) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(detach(), 0);
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "unbind"), 0);
    poke(WWDG1_CR, 0xFF);
    settle();
    EXPECT_EQ(echo(DEVICE, std::string(DRIVER) + "bind"), 0);
    EXPECT_EQ(start(), 0);
    EXPECT_EQ(talk("hello"), "hello");
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(2));
  // EXTI kept the edge for the next driver, whose handler meets a probe that is under way.
  EXPECT_THAT(log(), Contains("NULL rproc pointer"));
  EXPECT_THAT(events.all("rproc.crash"), IsEmpty());
}

TEST_F(stm32_rproc, with_the_driver_bound_the_watchdog_of_a_detached_core_ends_it_h3) {
  make();
  boot_loader_starts("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(detach(), 0);
    writes.take();
    poke(WWDG1_CR, 0xFF);
    settle();
    EXPECT_EQ(state(), "offline\n");
    EXPECT_THAT(writes.take(), ElementsAre("MP_GCR=0", "MP_GRSTCSETR=2", "PWR_MCUCR=1", "BKP18R=0"));
  });
  EXPECT_THAT(states(), ElementsAre("detached", "attached", "detached", "crashed", "offline"));
}

TEST_F(stm32_rproc, a_core_dump_has_the_memories_once_and_the_trace_buffer_with_them) {
  make();
  install("rpmsg_echo");
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_TRUE(host->fs().exists(TRACE));
    EXPECT_EQ(echo("enabled", "/sys/class/remoteproc/remoteproc0/coredump"), 0);
    EXPECT_EQ(echo("1", "/sys/kernel/debug/remoteproc/remoteproc0/crash"), 0);
    settle(200);
    const auto dumps = host->fs().list("/sys/class/devcoredump");
    ASSERT_THAT(dumps, Contains("devcd1"));
    const auto dump = host->fs().read("/sys/class/devcoredump/devcd1/data");
    ASSERT_TRUE(dump);
    EXPECT_EQ((*dump)[4], 1);   // ELFCLASS32
    EXPECT_EQ((*dump)[18], 0);  // EM_NONE
    // retram, mcuram, mcuram2, vring0, vring1, cm4_log
    EXPECT_EQ((*dump)[44], 6);
  });
}

}  // namespace
}  // namespace rpsim::test
