// Linux's driver of an M4 that OP-TEE loads, starts and stops, in a whole STM32MP157.

#include "tests/host_sw/stm32mp157_tee_fixture.h"

namespace rpsim::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;

class stm32_rproc_tee : public stm32mp157_tee_test {
 protected:
  void no_processor(const std::string& text) {
    in_thread([&] { EXPECT_FALSE(host->fs().exists(STATE)); });
    EXPECT_THAT(log(), Contains(HasSubstr(text)));
  }
};

TEST_F(stm32_rproc_tee, starts_talks_and_stops_twice) {
  make_tee();
  install_container(packed(image("rpmsg_echo")));
  in_thread([&] {
    EXPECT_EQ(state(), "offline\n");
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      EXPECT_EQ(state(), "running\n");
      EXPECT_EQ(talk("hello"), "hello");
      EXPECT_EQ(detach(), EINVAL);
      writes.take();
      EXPECT_EQ(stop(), 0);
      // The shutdown request, then OP-TEE's registers; none of Linux's own.
      EXPECT_THAT(writes.take(), ElementsAre("C1SCR=262144", "MP_GCR=0", "MP_GRSTCSETR=2"));
      EXPECT_EQ(state(), "offline\n");
      EXPECT_EQ(memory(SRAM1, 0x40000), std::string(0x40000, '\0'));
    }
  });
  EXPECT_THAT(events.values("tee.call", "result"), Each("SUCCESS"));
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(stm32_rproc_tee, firmware_that_never_acks_is_stopped_after_500_ms) {
  make_tee();
  install_container(packed(image("rpmsg_echo")));
  firmware("shutdown", "never-acks");
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_EQ(stop(), 0);
      EXPECT_THAT(took_ms, AllOf(Ge(500), Le(520)));
    }
  });
  EXPECT_THAT(log(), Contains("warning: remote FW shutdown without ack").Times(2));
}

TEST_F(stm32_rproc_tee, whatever_the_application_refuses_is_eio_and_is_released) {
  make_tee();
  install_container(image("rpmsg_echo"));  // an ELF, not a container
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), EIO);
      EXPECT_EQ(state(), "offline\n");
    }
  });
  EXPECT_THAT(log(), Contains("TA_RPROC_CMD_LOAD_FW invoke failed TEE err: 0xffff0006, ret:0").Times(2));
  EXPECT_THAT(events.values("tee.call", "command"),
              ElementsAre("OPEN_SESSION", "LOAD_FW", "RELEASE_FW", "LOAD_FW", "RELEASE_FW"));
  EXPECT_THAT(events.all("core.start"), IsEmpty());
}

TEST_F(stm32_rproc_tee, without_a_resource_table_it_runs_without_virtio) {
  make_tee();
  std::string elf = image("rpmsg_echo");
  elf[elf.find(".resource_table") + 1] = 'R';
  install_container(packed(elf));
  in_thread([&] {
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(start(), 0);
      settle();
      EXPECT_EQ(stop(), 0);
    }
  });
  EXPECT_THAT(events.all("core.start"), SizeIs(2));
  EXPECT_THAT(events.all("rproc.table"), IsEmpty());
}

TEST_F(stm32_rproc_tee, an_attached_boot_is_not_even_looked_for) {
  make_tee();
  install_container(packed(image("rpmsg_echo")));
  boot_loader([this] { poke(BKP18R, CRUN); });
  in_thread([&] { EXPECT_EQ(state(), "offline\n"); });
  EXPECT_THAT(states(), IsEmpty());
}

TEST_F(stm32_rproc_tee, boots_by_itself_where_the_tree_says_so) {
  make_tee({{"rproc-tee-phandle", "st,auto-boot; rproc-tee-phandle"}});
  install_container(packed(image("rpmsg_echo")));
  in_thread([&] {
    EXPECT_EQ(talk("hello"), "hello");
    EXPECT_EQ(state(), "running\n");
    EXPECT_EQ(stop(), 0);
  });
}

TEST_F(stm32_rproc_tee, waits_for_a_service_that_never_comes) {
  make_tee({{"linaro,optee-tz", "linaro,optee-none"}});
  no_processor("ipcc rev");
  EXPECT_THAT(log(), Not(Contains(HasSubstr("stm32-rproc-tee failed"))));  // deferred: no error
  EXPECT_THAT(events.all("tee.call"), IsEmpty());
}

TEST_F(stm32_rproc_tee, another_node_than_the_service_is_einval) {
  make_tee({{"80a4c275-0a47-4905-8285-1486a9771a08", "80a4c275-0a47-4905-8285-1486a9771a09"}});
  no_processor("probe with driver stm32-rproc-tee failed with error -22");
  EXPECT_THAT(log(), Contains("Device node not found for UUID: 80a4c275-0a47-4905-8285-1486a9771a08"));
}

TEST_F(stm32_rproc_tee, a_processor_that_optee_does_not_know_is_einval) {
  make_tee({{"<&tee_rproc 0>", "<&tee_rproc 1>"}});
  no_processor("probe with driver stm32-rproc-tee failed with error -22");
  EXPECT_THAT(log(), Contains("tee_client_open_session failed, err: 0xffff000a"));
}

TEST_F(stm32_rproc_tee, optee_without_the_hold_boot_line_has_no_processor) {
  make_tee({{"\"hold_boot\"", "\"hold_boat\""}});
  no_processor("tee_client_open_session failed, err: 0xffff000a");
  EXPECT_THAT(events.values("optee.log", "text"), Contains(HasSubstr("failed: ITEM_NOT_FOUND")));
}

TEST_F(stm32_rproc_tee, without_a_backend_in_the_tree_it_is_enoent) {
  make_tee({{"rproc-tee-phandle = <&tee_rproc 0>;", ""}});
  no_processor("probe with driver stm32-rproc-tee failed with error -2");
}

TEST_F(stm32_rproc_tee, without_a_shutdown_mailbox_it_stops_without_asking) {
  make_tee({{"\"vq0\", \"vq1\", \"shutdown\";", "\"vq0\", \"vq1\", \"nobody\";"}});
  install_container(packed(image("rpmsg_echo")));
  in_thread([&] {
    EXPECT_EQ(start(), 0);
    settle();
    EXPECT_EQ(stop(), 0);
    EXPECT_LT(took_ms, 100);
  });
  EXPECT_THAT(log(), Contains("mailbox shutdown mbox not used"));
  EXPECT_THAT(events.all("host.waits"), IsEmpty());
}

}  // namespace
}  // namespace rpsim::test
