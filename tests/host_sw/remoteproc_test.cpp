// The life cycle of reference/remoteproc-core.md §1, its hazards, and the files of §5.

#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

using remoteproc::crash_type;
using remoteproc::rproc_state;

class remoteproc_test : public rproc_test {
 protected:
  void SetUp() override { firmware(elf_builder().build()); }
  void running(remoteproc::core_options options = {}) {
    make(std::move(options));
    add();
    ASSERT_EQ(0, boot());
    ASSERT_EQ("running", state());
    new_ops();
  }
  void attached() {
    install_live(table_builder().vdev().build());
    make();
    run([&] { r->set_detached(); });
    add();
    ASSERT_EQ(0, boot());
    ASSERT_EQ("attached", state());
    new_ops();
  }
  std::string notes() { return std::exchange(notes_, {}); }
  remoteproc::subdev noting(std::string name) {
    const auto note = [this, name](const char* what) {
      notes_ += (notes_.empty() ? "" : " ") + name + "." + what;
      const std::string key = name + "." + what;
      return result.contains(key) ? result[key] : 0;
    };
    return {.prepare = [note] { return note("prepare"); },
            .start = [note] { return note("start"); },
            .stop = [note](bool crashed) { note(crashed ? "stop-crashed" : "stop"); },
            .unprepare = [note] { note("unprepare"); }};
  }
  std::string notes_;
};

// ---- boot and shutdown

TEST_F(remoteproc_test, boot_and_shutdown_twice_in_the_documented_order) {
  make();
  add();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, boot());
    EXPECT_EQ("running", state());
    EXPECT_EQ(1, r->power());
    EXPECT_EQ(1, r->max_notifyid());
    EXPECT_EQ(0x401u, r->boot_address());
    EXPECT_EQ("sanity_check prepare parse_fw load start", new_ops());
    EXPECT_EQ(0, shutdown());
    EXPECT_EQ("offline", state());
    EXPECT_EQ(0, r->power());
    EXPECT_EQ("stop unprepare", new_ops());
  }
  EXPECT_EQ((std::vector<std::string>{"powering up 5000000.m4fss", "powering up 5000000.m4fss"}), lines("powering up"));
  EXPECT_TRUE(logged("Booting fw image fw, size "));
  EXPECT_TRUE(logged("remote processor 5000000.m4fss is now up"));
  EXPECT_TRUE(logged("stopped remote processor 5000000.m4fss"));
  EXPECT_EQ("vectors and code", core.text(flat_core::IRAM, 16));
}

TEST_F(remoteproc_test, a_second_start_only_raises_power_and_the_next_stop_only_lowers_it) {  // §9 vector 1, H9
  running();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(2, r->power());
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("running", state());
  EXPECT_EQ(1, r->power());
  EXPECT_EQ("", new_ops());
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("offline", state());
}

TEST_F(remoteproc_test, shutdown_and_detach_refuse_the_wrong_states) {
  make();
  add();
  EXPECT_EQ(-EINVAL, shutdown());
  EXPECT_EQ(-EINVAL, detach());
  EXPECT_EQ(0, boot());
  EXPECT_EQ(-EINVAL, detach());  // §9 vector 4
  EXPECT_EQ("running", state());
}

TEST_F(remoteproc_test, shutdown_of_a_detached_processor_is_refused) {
  install_live(table_builder().vdev().build());
  make();
  run([&] { r->set_detached(); });
  add();
  EXPECT_EQ(-EINVAL, shutdown());
  EXPECT_EQ(-EINVAL, detach());
}

TEST_F(remoteproc_test, a_missing_firmware_file_is_enoent_and_an_empty_one_einval) {
  make();
  add();
  run([&] { machine.fs().unlink("/lib/firmware/fw"); });
  EXPECT_EQ(-ENOENT, boot());
  EXPECT_TRUE(logged("request_firmware failed: -2"));
  EXPECT_EQ(0, r->power());
  firmware(std::string());
  EXPECT_EQ(-EINVAL, boot());
  EXPECT_EQ("", new_ops());
}

TEST_F(remoteproc_test, a_firmware_name_with_a_parent_directory_is_refused) {
  make();
  add();
  EXPECT_EQ(0, write("/sys/class/remoteproc/remoteproc0/firmware", "../lib/firmware/fw\n"));
  EXPECT_EQ(-EINVAL, boot());
}

TEST_F(remoteproc_test, a_failing_op_is_rolled_back_in_order) {
  make();
  add();
  struct {
    const char* op;
    const char* order;
  } const cases[] = {
      {"prepare", "sanity_check prepare:EIO"},
      {"start", "sanity_check prepare parse_fw load start:EIO unprepare"},
  };
  for (const auto& c : cases) {
    result = {{c.op, -EIO}};
    EXPECT_EQ(-EIO, boot()) << c.op;
    EXPECT_EQ(c.order, new_ops());
    EXPECT_EQ("offline", state());
    EXPECT_EQ(0, r->power());
  }
  result.clear();
  EXPECT_EQ(0, boot());
}

TEST_F(remoteproc_test, a_failing_parse_is_rolled_back_by_unprepare) {
  elf_builder e;
  e.table_section = ".other";
  firmware(e.build());
  make();
  add();
  EXPECT_EQ(-EINVAL, boot());
  EXPECT_EQ("sanity_check prepare parse_fw:EINVAL unprepare", new_ops());
}

TEST_F(remoteproc_test, a_failing_load_cleans_up_and_unprepares) {
  elf_builder e;
  e.segments[0].paddr = 0x40000000;
  firmware(e.build());
  make();
  add();
  EXPECT_EQ(-EINVAL, boot());
  EXPECT_TRUE(logged("Failed to load program segments: -22"));
  EXPECT_EQ("sanity_check prepare parse_fw load:EINVAL unprepare", new_ops());
  EXPECT_EQ((std::vector<std::string>{"add", "add", "remove", "remove"}), seen.values("rproc.carveout", "what"));
}

TEST_F(remoteproc_test, subdevices_roll_back_in_reverse) {
  make();
  remoteproc::subdev a = noting("a"), b = noting("b"), c = noting("c");
  for (remoteproc::subdev* s : {&a, &b, &c}) r->add_subdev(*s);
  add();
  result = {{"c.prepare", -ENXIO}};
  EXPECT_EQ(-ENXIO, boot());
  EXPECT_EQ("a.prepare b.prepare c.prepare b.unprepare a.unprepare", notes());
  EXPECT_EQ("sanity_check prepare parse_fw load unprepare", new_ops());

  result = {{"start", -EIO}};
  EXPECT_EQ(-EIO, boot());
  EXPECT_EQ("a.prepare b.prepare c.prepare c.unprepare b.unprepare a.unprepare", notes());

  new_ops();
  result = {{"c.start", -ENOMEM}};
  EXPECT_EQ(-ENOMEM, boot());
  EXPECT_EQ(
      "a.prepare b.prepare c.prepare a.start b.start c.start b.stop-crashed a.stop-crashed c.unprepare b.unprepare "
      "a.unprepare",
      notes());
  EXPECT_EQ("sanity_check prepare parse_fw load start stop unprepare", new_ops());

  result.clear();
  EXPECT_EQ(0, boot());
  notes();
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("c.stop b.stop a.stop c.unprepare b.unprepare a.unprepare", notes());
}

TEST_F(remoteproc_test, a_failing_stop_restores_power_and_does_not_restart_subdevices) {
  make();
  remoteproc::subdev a = noting("a");
  r->add_subdev(a);
  add();
  EXPECT_EQ(0, boot());
  notes();
  result = {{"stop", -EBUSY}};
  EXPECT_EQ(-EBUSY, shutdown());
  EXPECT_EQ("running", state());
  EXPECT_EQ(1, r->power());
  EXPECT_EQ("a.stop", notes());
  EXPECT_EQ(-EBUSY, shutdown());
  EXPECT_EQ("", notes());  // stopped already
  result.clear();
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("a.unprepare", notes());
  EXPECT_EQ("offline", state());
}

TEST_F(remoteproc_test, the_stop_op_fails_with_virtio_gone) {
  with_rpmsg();
  make();
  add();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(7, core.u8(STATUS));
  result = {{"stop", -EBUSY}};
  EXPECT_EQ(-EBUSY, shutdown());
  EXPECT_EQ(1, core.u8(STATUS));
  EXPECT_EQ("running", state());
}

TEST_F(remoteproc_test, unprepare_failures_are_ignored_by_shutdown) {
  running();
  result = {{"unprepare", -EPERM}};
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("stop unprepare:EPERM", new_ops());
}

TEST_F(remoteproc_test, without_a_stop_op_shutdown_is_einval_before_anything_else) {
  remoteproc::rproc_ops o = ops();
  o.stop = {};
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  r->set_dma_pool({POOL, POOL_SIZE});
  remoteproc::subdev a = noting("a");
  r->add_subdev(a);
  add();
  EXPECT_EQ(0, boot());
  notes();
  EXPECT_EQ(-EINVAL, shutdown());
  EXPECT_EQ("", notes());
  EXPECT_EQ(1, r->power());
}

TEST_F(remoteproc_test, carveouts_of_a_failed_prepare_are_found_twice_by_the_next_boot) {  // H6
  make();
  hook["prepare"] = [&] { r->add_carveout("ddr", TABLE, 0xC0000000, 0x1000); };
  result = {{"prepare", -EIO}};
  add();
  EXPECT_EQ(-EIO, boot());
  result.clear();
  EXPECT_EQ(0, boot());
  const std::string shown = read("/sys/kernel/debug/remoteproc/remoteproc0/carveout_memories");
  EXPECT_NE(shown.find("Name: ddr"), shown.rfind("Name: ddr"));
}

// ---- attach and detach

TEST_F(remoteproc_test, attach_detach_attach_restores_the_table_before_the_driver_is_told) {  // §9 vectors 2 and 8
  with_rpmsg();
  const bytes image = table_builder().vdev().build();
  attached();
  EXPECT_EQ(POOL, core.u32(vring_field(0, 0)));
  EXPECT_EQ(0u, core.u32(vring_field(0, 12)));
  EXPECT_EQ(1u, core.u32(vring_field(1, 12)));
  EXPECT_EQ(7, core.u8(STATUS));

  core.watch_from = STATUS;
  core.watch_to = STATUS + 1;
  std::string at_detach;
  hook["detach"] = [&] { at_detach = core.text(TABLE, image.size()); };
  for (int round = 0; round < 2; ++round) {
    core.writes.clear();
    EXPECT_EQ(0, detach());
    EXPECT_EQ("detached", state());
    EXPECT_EQ(0, std::memcmp(at_detach.data(), image.data(), image.size()));
    ASSERT_EQ(2u, core.writes.size());  // 7 -> 0 -> 1; the restore is one write of the whole table
    EXPECT_EQ(std::byte{0}, core.writes[0].data[0]);
    EXPECT_EQ(std::byte{1}, core.writes[1].data[0]);
    EXPECT_EQ(0, core.u8(STATUS));
    EXPECT_EQ(table_builder::ANY, core.u32(vring_field(0, 0)));
    EXPECT_EQ(77u, core.u32(vring_field(0, 12)));
    EXPECT_EQ("detach unprepare", new_ops());

    EXPECT_EQ(0, boot());
    EXPECT_EQ("prepare attach", new_ops());
    EXPECT_EQ("attached", state());
    EXPECT_EQ(POOL, core.u32(vring_field(0, 0)));
    EXPECT_EQ(7, core.u8(STATUS));
  }
  EXPECT_THAT(oopses(), testing::IsEmpty());
}

TEST_F(remoteproc_test, a_fixed_ring_address_survives_detach_and_attach) {  // §9 vector 3
  table_builder t;
  t.vdev({{.da = 0x10040000}, {.da = 0x10044000}});
  install_live(t.build());
  make();
  hook["prepare"] = [&] {
    r->add_carveout("vdev0vring0", POOL, 0x10040000, 0x4000);
    r->add_carveout("vdev0vring1", POOL + 0x4000, 0x10044000, 0x4000);
  };
  run([&] { r->set_detached(); });
  add();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, boot());
    EXPECT_EQ(0x10040000u, core.u32(vring_field(0, 0)));
    EXPECT_EQ(0, detach());
    EXPECT_EQ(0x10040000u, core.u32(vring_field(0, 0)));
  }
}

TEST_F(remoteproc_test, an_attached_processor_is_shut_down_without_restoring_its_table) {
  attached();
  core.watch_from = TABLE;
  core.watch_to = TABLE + LIVE_SIZE;
  core.writes.clear();
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("offline", state());
  EXPECT_EQ("stop unprepare", new_ops());
  // Without a virtio driver: nothing but what the bus does to a device nobody drives. The rings' release goes to the
  // copy.
  EXPECT_THAT(core.writes, testing::IsEmpty());
  EXPECT_EQ(0u, core.u32(vring_field(0, 12)));
  EXPECT_EQ(0, boot());
  EXPECT_EQ("running", state());
}

TEST_F(remoteproc_test, attach_without_a_table_is_allowed_and_a_table_error_is_not) {
  loaded = {};
  make();
  run([&] { r->set_detached(); });
  add();
  EXPECT_EQ(0, boot());
  EXPECT_EQ("prepare attach", new_ops());
  EXPECT_EQ("No resource table found\n", read("/sys/kernel/debug/remoteproc/remoteproc0/resource_table"));
  EXPECT_EQ(0, detach());
  EXPECT_EQ("detach unprepare", new_ops());
  loaded.error = -ENOENT;
  EXPECT_EQ(-ENOENT, boot());
  EXPECT_EQ("detached", state());
  EXPECT_EQ("prepare unprepare", new_ops());
}

TEST_F(remoteproc_test, a_failing_attach_op_is_rolled_back) {
  install_live(table_builder().vdev().build());
  make();
  remoteproc::subdev a = noting("a");
  r->add_subdev(a);
  run([&] { r->set_detached(); });
  add();
  result = {{"attach", -EIO}};
  EXPECT_EQ(-EIO, boot());
  EXPECT_EQ("prepare attach:EIO unprepare", new_ops());
  EXPECT_EQ("a.prepare a.unprepare", notes());
  EXPECT_EQ("detached", state());
  EXPECT_EQ(0, r->power());
  EXPECT_EQ((std::vector<std::string>{"add", "add", "remove", "remove"}), seen.values("rproc.carveout", "what"));
}

TEST_F(remoteproc_test, a_failing_subdevice_during_attach_resets_the_remote_and_spoils_its_table) {  // H5
  install_live(table_builder().vdev({{.da = 0x10040000}, {.da = 0x10044000}}).build());
  make();
  remoteproc::subdev a = noting("a");
  r->add_subdev(a);
  run([&] { r->set_detached(); });
  add();
  result = {{"a.start", -ENOMEM}};
  EXPECT_EQ(-ENOMEM, boot());
  EXPECT_EQ("prepare attach stop unprepare", new_ops());
  EXPECT_EQ("detached", state());
  EXPECT_EQ(0u, core.u32(vring_field(0, 0)));
  EXPECT_EQ(0xFFFFFFFFu, core.u32(vring_field(0, 12)));
}

TEST_F(remoteproc_test, detach_with_other_users_only_lowers_power) {
  attached();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(0, detach());
  EXPECT_EQ("attached", state());
  EXPECT_EQ(0, detach());
  EXPECT_EQ("detached", state());
}

TEST_F(remoteproc_test, without_a_detach_op_detach_is_einval_and_power_is_restored) {
  install_live(table_builder().vdev().build());
  remoteproc::rproc_ops o = ops();
  o.detach = {};
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  r->set_dma_pool({POOL, POOL_SIZE});
  run([&] { r->set_detached(); });
  add();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(-EINVAL, detach());
  EXPECT_EQ("attached", state());
  EXPECT_EQ(1, r->power());
}

// ---- H4: clean_table

TEST_F(remoteproc_test, a_detach_that_is_retried_uses_the_freed_clean_table) {
  attached();
  result = {{"detach", -EIO}};
  EXPECT_EQ(-EIO, detach());
  EXPECT_EQ("attached", state());
  result.clear();
  EXPECT_EQ(-9999, detach());
  EXPECT_EQ(std::vector<std::string>{"H4"}, oopses());
  EXPECT_EQ(-9999, boot());  // the lock stays held
}

TEST_F(remoteproc_test, an_attach_that_fails_before_it_has_a_table_frees_the_clean_table_again) {
  attached();
  EXPECT_EQ(0, detach());
  loaded = {.error = -EIO};
  EXPECT_EQ(-9999, boot());
  EXPECT_EQ(std::vector<std::string>{"H4"}, oopses());
}

TEST_F(remoteproc_test, an_attach_that_fails_in_prepare_touches_no_table) {
  attached();
  EXPECT_EQ(0, detach());
  result = {{"prepare", -EIO}};
  EXPECT_EQ(-EIO, boot());
  result.clear();
  EXPECT_EQ(0, boot());
  EXPECT_THAT(oopses(), testing::IsEmpty());
}

TEST_F(remoteproc_test, detach_after_a_stop_that_failed_uses_the_freed_clean_table) {
  attached();
  result = {{"stop", -EBUSY}};
  EXPECT_EQ(-EBUSY, shutdown());
  EXPECT_EQ(-9999, detach());
  EXPECT_EQ(std::vector<std::string>{"H4"}, oopses());
}

// ---- crash and recovery

TEST_F(remoteproc_test, a_crash_without_recovery_stays_crashed_and_can_be_stopped) {  // §9 vector 6
  make();
  remoteproc::subdev a = noting("a");
  r->add_subdev(a);
  add();
  EXPECT_EQ(0, boot());
  new_ops();
  notes();
  crash();
  EXPECT_EQ("crashed", state());
  EXPECT_TRUE(logged("crash detected in 5000000.m4fss: type watchdog"));
  EXPECT_TRUE(logged("handling crash #1 in 5000000.m4fss"));
  EXPECT_EQ(0, boot());  // power 2
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("crashed", state());
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("offline", state());
  EXPECT_EQ("stop unprepare", new_ops());
  EXPECT_EQ("a.stop-crashed a.unprepare", notes());
}

TEST_F(remoteproc_test, boot_recovery_reloads_without_preparing_again) {
  with_rpmsg();
  running();
  r->set_recovery_disabled(false);
  std::string seen_by_stop;
  hook["stop"] = [&] { seen_by_stop = state(); };
  for (int round = 0; round < 2; ++round) {
    crash(crash_type::fatal_error);
    EXPECT_EQ("running", state());
    EXPECT_EQ("crashed", seen_by_stop);
    EXPECT_EQ("stop load start", new_ops());
    EXPECT_EQ(1, r->power());
    EXPECT_EQ(7, core.u8(STATUS));
    EXPECT_EQ(POOL, core.u32(vring_field(0, 0)));
  }
  EXPECT_EQ((std::vector<std::string>{"0", "0"}), seen.values("rproc.recovery", "result"));
  EXPECT_TRUE(logged("recovering 5000000.m4fss"));
  EXPECT_TRUE(logged("handling crash #2 in"));
  EXPECT_EQ(0, shutdown());
}

TEST_F(remoteproc_test, a_failed_boot_recovery_leaves_offline_with_power) {  // §9 vector 7, H1
  running();
  r->set_recovery_disabled(false);
  run([&] { machine.fs().unlink("/lib/firmware/fw"); });
  crash();
  EXPECT_EQ("offline", state());
  EXPECT_EQ(1, r->power());
  EXPECT_EQ("stop", new_ops());
  EXPECT_EQ(std::vector<std::string>{"ENOENT"}, seen.values("rproc.recovery", "result"));
  EXPECT_EQ((std::vector<std::string>{"add", "add"}), seen.values("rproc.carveout", "what"));  // leaked
  firmware(elf_builder().build());
  EXPECT_EQ(0, boot());  // and does nothing
  EXPECT_EQ("offline", state());
  EXPECT_EQ(-EINVAL, shutdown());
}

TEST_F(remoteproc_test, a_stop_that_fails_during_recovery_stays_crashed) {
  running();
  r->set_recovery_disabled(false);
  result = {{"stop", -EBUSY}};
  crash();
  EXPECT_EQ("crashed", state());
  result.clear();
  EXPECT_EQ(0, call(&remoteproc::rproc::trigger_recovery));
  EXPECT_EQ("running", state());
}

TEST_F(remoteproc_test, cleanup_history_releases_everything_when_recovery_fails) {
  running({.history = "cleanup"});
  r->set_recovery_disabled(false);
  for (int round = 0; round < 2; ++round) {
    result = {{"start", -EIO}};
    crash();
    EXPECT_EQ("offline", state());
    EXPECT_EQ(0, r->power());
    EXPECT_EQ("stop load start:EIO unprepare", new_ops());
    EXPECT_EQ(seen.values("rproc.carveout", "what").size(), static_cast<std::size_t>(4 * (round + 1)));
    result.clear();
    EXPECT_EQ(0, boot());
    EXPECT_EQ("running", state());
    new_ops();
  }
}

TEST_F(remoteproc_test, cleanup_history_releases_on_a_repeated_crash_and_recovers_by_a_whole_boot) {
  with_rpmsg();
  running({.history = "cleanup"});
  crash();
  EXPECT_EQ((std::vector<std::string>{"add", "add"}), seen.values("rproc.carveout", "what"));
  crash();
  EXPECT_EQ((std::vector<std::string>{"add", "add", "remove", "remove"}), seen.values("rproc.carveout", "what"));
  EXPECT_EQ("crashed", state());
  EXPECT_EQ(1, core.u8(STATUS));
  EXPECT_EQ("", new_ops());
  EXPECT_EQ(0, call(&remoteproc::rproc::trigger_recovery));
  EXPECT_EQ("running", state());
  EXPECT_EQ("stop unprepare sanity_check prepare parse_fw load start", new_ops());
  EXPECT_EQ(7, core.u8(STATUS));
  crash();
  crash();
  EXPECT_EQ(0, shutdown());  // released already; the stop still ends the life
  EXPECT_EQ("stop unprepare", new_ops());
  EXPECT_EQ(0, boot());
  EXPECT_EQ(0, shutdown());
}

TEST_F(remoteproc_test, cleanup_history_survives_a_failing_whole_boot_after_a_repeated_crash) {
  running({.history = "cleanup"});
  crash();
  crash();
  result = {{"start", -EIO}};
  EXPECT_EQ(-EIO, call(&remoteproc::rproc::trigger_recovery));
  EXPECT_EQ("stop unprepare sanity_check prepare parse_fw load start:EIO unprepare", new_ops());
  EXPECT_EQ(0, r->power());
  result.clear();
  EXPECT_EQ(0, boot());
  crash();
  crash();
  new_ops();
  run([&] { machine.fs().unlink("/lib/firmware/fw"); });
  EXPECT_EQ(-ENOENT, call(&remoteproc::rproc::trigger_recovery));
  EXPECT_EQ("stop unprepare", new_ops());
  EXPECT_EQ(0, r->power());
}

TEST_F(remoteproc_test, main_history_ignores_a_repeated_crash) {
  running();
  crash();
  crash();
  EXPECT_EQ(1u, lines("handling crash").size());
  EXPECT_EQ((std::vector<std::string>{"add", "add"}), seen.values("rproc.carveout", "what"));
}

TEST(remoteproc_history, an_unknown_name_is_refused_with_those_that_exist) {
  EXPECT_THROW(
      {
        try {
          remoteproc::make_history("v9");
        } catch (const std::invalid_argument& e) {
          EXPECT_THAT(e.what(), testing::HasSubstr("v8, main, cleanup, fixed"));
          throw;
        }
      },
      std::invalid_argument);
}

TEST_F(remoteproc_test, a_crash_report_while_offline_or_detached) {
  make();
  add();
  crash();
  EXPECT_EQ("offline", state());
}

TEST_F(remoteproc_test, a_crash_in_detached_resets_an_autonomous_processor) {  // H3
  install_live(table_builder().vdev().build());
  make();
  run([&] { r->set_detached(); });
  r->set_recovery_disabled(false);
  add();
  run([&] { machine.fs().unlink("/lib/firmware/fw"); });
  crash();
  EXPECT_EQ("stop", new_ops());
  EXPECT_EQ("offline", state());
  EXPECT_EQ(0, r->power());
}

TEST_F(remoteproc_test, a_crash_in_detached_after_an_attach_copies_from_a_table_that_is_not_there) {  // H3
  attached();
  EXPECT_EQ(0, detach());
  r->set_recovery_disabled(false);
  crash();
  EXPECT_EQ(std::vector<std::string>{"H3"}, oopses());
}

TEST_F(remoteproc_test, recovery_of_an_attached_processor_overwrites_the_fresh_image) {  // H2
  with_rpmsg();
  attached();
  elf_builder e;
  e.segments.push_back({TABLE + 128, "data behind the table"});
  firmware(e.build());
  r->set_recovery_disabled(false);
  crash();
  EXPECT_EQ("running", state());
  // 256 bytes of the old live area, though the new table is shorter
  EXPECT_EQ(std::string(21, '\0'), core.text(TABLE + 128, 21));
}

TEST_F(remoteproc_test, attach_recovery_detaches_and_attaches) {
  attached();
  r->set_attach_on_recovery(true);
  r->set_recovery_disabled(false);
  result = {{"detach", 0}};
  crash();
  EXPECT_EQ("attached", state());
  EXPECT_EQ("detach unprepare prepare attach", new_ops());
  EXPECT_EQ(1, r->power());
}

TEST_F(remoteproc_test, attach_recovery_of_a_booted_processor_fails_for_want_of_a_clean_table) {
  running();
  r->set_attach_on_recovery(true);
  r->set_recovery_disabled(false);
  crash();
  EXPECT_EQ("crashed", state());
  EXPECT_EQ(std::vector<std::string>{"EINVAL"}, seen.values("rproc.recovery", "result"));
}

TEST_F(remoteproc_test, reports_before_the_work_runs_are_one_crash) {
  running();
  run([&] {
    r->report_crash(crash_type::mmufault);
    r->report_crash(static_cast<crash_type>(9));
  });
  run_for(1);
  EXPECT_EQ(1u, lines("handling crash").size());
  EXPECT_TRUE(logged("type mmufault"));
  EXPECT_TRUE(logged("type unknown"));
}

// ---- locks and deletion

TEST_F(remoteproc_test, a_boot_waits_for_a_stop_in_progress) {
  running();
  hook["stop"] = [&] { kernel.msleep(50); };
  int first = -1, second = -1;
  kernel.spawn("a", [&] { first = r->shutdown(); });
  kernel.spawn("b", [&] { second = r->boot(); });
  run_for(200);
  EXPECT_EQ(0, first);
  EXPECT_EQ(0, second);
  EXPECT_EQ("running", state());
  EXPECT_EQ("stop unprepare sanity_check prepare parse_fw load start", new_ops());
}

TEST_F(remoteproc_test, a_signal_ends_the_wait_for_the_lock) {
  running();
  hook["stop"] = [&] { kernel.msleep(50); };
  int results[3] = {1, 1, 1};
  kernel.spawn("holder", [&] { r->shutdown(); });
  std::vector<os::thread*> waiting;
  waiting.push_back(&kernel.spawn("b", [&] { results[0] = r->boot(); }));
  waiting.push_back(&kernel.spawn("c", [&] { results[1] = r->shutdown(); }));
  waiting.push_back(&kernel.spawn("d", [&] { results[2] = r->set_firmware("other"); }));
  run_for(10);
  run([&] {
    for (os::thread* t : waiting) kernel.send_signal(*t);
  });
  run_for(1);
  EXPECT_EQ(-EINTR, results[0]);
  EXPECT_EQ(-EINTR, results[1]);
  EXPECT_EQ(-EINVAL, results[2]);
}

TEST_F(remoteproc_test, deletion_stops_the_processor_and_takes_its_files_away) {
  running();
  auto open_file = std::unique_ptr<os::file>();
  run([&] { open_file = std::move(*machine.fs().open(CDEV)); });
  EXPECT_EQ(0, call(&remoteproc::rproc::del));
  EXPECT_EQ("stop unprepare", new_ops());
  EXPECT_FALSE(machine.fs().exists(STATE));
  EXPECT_FALSE(machine.fs().exists(CDEV));
  EXPECT_FALSE(machine.fs().exists("/sys/kernel/debug/remoteproc/remoteproc0"));
  EXPECT_EQ(-ENODEV, boot());
  EXPECT_EQ(-ENODEV, call(&remoteproc::rproc::trigger_recovery));
  crash();
  EXPECT_THAT(seen.all("rproc.crash"), testing::IsEmpty());
  run([&] {
    EXPECT_EQ(ENODEV, open_file->write("start").error());
    r.reset();
    EXPECT_EQ(ENODEV, open_file->write("start").error());
    EXPECT_TRUE(open_file->release().has_value());
  });
}

TEST_F(remoteproc_test, deletion_with_two_users_leaves_the_processor_running) {
  running();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(0, call(&remoteproc::rproc::del));
  EXPECT_EQ("running", state());
  EXPECT_EQ("", new_ops());
}

TEST_F(remoteproc_test, an_index_is_free_again_when_the_last_file_is_closed) {
  make();
  add();
  std::unique_ptr<os::file> open_file;
  run([&] {
    open_file = std::move(*machine.fs().open(CDEV));
    r->del();
    r.reset();
    make();
    EXPECT_EQ(1u, r->index());
    r.reset();
    open_file.reset();
    make();
    EXPECT_EQ(0u, r->index());
  });
}

TEST_F(remoteproc_test, only_offline_with_start_and_detached_with_attach_can_be_added) {
  remoteproc::rproc_ops o = ops();
  o.start = {};
  r = remoteproc::rproc::alloc(machine, parent, "x", o);
  EXPECT_EQ(-EINVAL, call(&remoteproc::rproc::add));
  o = ops();
  o.attach = {};
  r = remoteproc::rproc::alloc(machine, parent, "x", o);
  run([&] { r->set_detached(); });
  EXPECT_EQ(-EINVAL, call(&remoteproc::rproc::add));
  EXPECT_FALSE(machine.fs().exists(STATE));
}

TEST_F(remoteproc_test, auto_boot_starts_an_offline_processor_and_attaches_a_detached_one) {
  make();
  r->set_auto_boot(true);
  add();
  run_for(5);
  EXPECT_EQ("running", state());
}

TEST_F(remoteproc_test, auto_boot_attaches_a_detached_processor) {
  install_live(table_builder().vdev().build());
  make();
  r->set_auto_boot(true);
  run([&] { r->set_detached(); });
  add();
  run_for(5);
  EXPECT_EQ("attached", state());
}

TEST_F(remoteproc_test, the_default_firmware_name_is_made_from_the_processors) {
  r = remoteproc::rproc::alloc(machine, parent, "m4", ops());
  r->set_auto_boot(false);
  add();
  EXPECT_EQ("rproc-m4-fw\n", read("/sys/class/remoteproc/remoteproc0/firmware"));
}

TEST_F(remoteproc_test, a_driver_with_its_own_load_gets_none_of_the_elf_ops) {
  remoteproc::rproc_ops o = ops();
  o.load = [](remoteproc::rproc&, const remoteproc::firmware&) { return 0; };
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  add();
  firmware(std::string("not an ELF"));
  EXPECT_EQ(0, boot());
  EXPECT_EQ("prepare load start", new_ops());
}

TEST_F(remoteproc_test, panic_asks_running_processors_for_their_delay) {
  remoteproc::rproc_ops o = ops();
  o.panic = [](remoteproc::rproc&) { return 30ul; };
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  r->set_dma_pool({POOL, POOL_SIZE});
  add();
  run([&] { EXPECT_EQ(0u, remoteproc::rproc::panic(machine)); });
  EXPECT_EQ(0, boot());
  run([&] { EXPECT_EQ(30u, remoteproc::rproc::panic(machine)); });
}

// ---- sysfs

TEST_F(remoteproc_test, sysfs_state_accepts_three_words_with_or_without_a_newline) {  // §9 vector 5
  make();
  add();
  EXPECT_EQ("offline\n", read(STATE));
  EXPECT_EQ(0, write(STATE, "start"));
  EXPECT_EQ("running\n", read(STATE));
  EXPECT_EQ(0, write(STATE, "stop\n"));
  EXPECT_EQ(-EINVAL, write(STATE, "stop\n"));
  EXPECT_EQ(-EINVAL, write(STATE, "detach\n"));
  for (const char* bad : {"star", "start ", "start\n\n", "START"}) EXPECT_EQ(-EINVAL, write(STATE, bad)) << bad;
  run([&] { machine.fs().unlink("/lib/firmware/fw"); });
  EXPECT_EQ(-ENOENT, write(STATE, "start"));
  EXPECT_TRUE(logged("Boot failed: -2"));
}

TEST_F(remoteproc_test, sysfs_firmware_can_be_changed_offline_only) {
  const std::string path = "/sys/class/remoteproc/remoteproc0/firmware";
  make();
  add();
  EXPECT_EQ("fw\n", read(path));
  EXPECT_EQ(-EINVAL, write(path, "\n"));
  EXPECT_EQ(0, write(path, "other.elf\nrest"));
  EXPECT_EQ("other.elf\n", read(path));
  EXPECT_EQ(0, write(path, "fw"));
  EXPECT_EQ(0, boot());
  EXPECT_EQ(-EBUSY, write(path, "x"));
}

TEST_F(remoteproc_test, sysfs_firmware_is_unknown_while_attached) {
  const std::string path = "/sys/class/remoteproc/remoteproc0/firmware";
  attached();
  EXPECT_EQ("unknown\n", read(path));
  EXPECT_EQ(0, detach());
  EXPECT_EQ("fw\n", read(path));
  EXPECT_EQ(-EBUSY, write(path, "x"));  // DETACHED is not OFFLINE
}

TEST_F(remoteproc_test, sysfs_recovery_triggers_what_is_due) {
  const std::string path = "/sys/class/remoteproc/remoteproc0/recovery";
  running();
  EXPECT_EQ("disabled\n", read(path));
  crash();
  EXPECT_EQ(0, write(path, "recover\n"));
  EXPECT_EQ("running", state());
  EXPECT_EQ("disabled\n", read(path));
  crash();
  EXPECT_EQ(0, write(path, "enabled"));
  EXPECT_EQ("running", state());
  EXPECT_EQ("enabled\n", read(path));
  EXPECT_EQ(0, write(path, "disabled"));
  EXPECT_EQ(-EINVAL, write(path, "en"));
  crash();
  result = {{"stop", -EBUSY}};
  EXPECT_EQ(0, write(path, "recover"));  // the result is not the writer's
  EXPECT_EQ("crashed", state());
}

TEST_F(remoteproc_test, sysfs_coredump_is_frozen_while_crashed) {
  const std::string path = "/sys/class/remoteproc/remoteproc0/coredump";
  running();
  EXPECT_EQ("disabled\n", read(path));
  EXPECT_EQ(0, write(path, "inline\n"));
  EXPECT_EQ("inline\n", read(path));
  EXPECT_EQ(-EINVAL, write(path, "yes"));
  crash();
  EXPECT_EQ(-EBUSY, write(path, "enabled"));
}

TEST_F(remoteproc_test, read_only_drivers_have_files_without_a_store) {
  make();
  r->set_sysfs_read_only(true);
  add();
  EXPECT_EQ(-EACCES, write(STATE, "start"));
  EXPECT_EQ("offline\n", read(STATE));
}

TEST_F(remoteproc_test, sysfs_name_is_the_processors) {
  make();
  add();
  EXPECT_EQ("5000000.m4fss\n", read("/sys/class/remoteproc/remoteproc0/name"));
  EXPECT_EQ((std::vector<std::string>{"coredump", "firmware", "name", "recovery", "state"}),
            machine.fs().list("/sys/class/remoteproc/remoteproc0"));
}

// ---- cdev

TEST_F(remoteproc_test, cdev_matches_prefixes_but_no_newline) {
  make();
  add();
  EXPECT_EQ(0, write(CDEV, "s"));
  EXPECT_EQ("running", state());
  EXPECT_EQ(-EINVAL, write(CDEV, "stop\n"));
  EXPECT_EQ(0, write(CDEV, "sto"));
  EXPECT_EQ("offline", state());
  EXPECT_EQ(0, write(CDEV, "start"));
  EXPECT_EQ(0, write(CDEV, std::string("stop\0", 5)));
  EXPECT_EQ(-EINVAL, write(CDEV, ""));
  EXPECT_EQ(0, write(CDEV, std::string("start\0\0\0\0\0", 10)));
  EXPECT_EQ(-EINVAL, write(CDEV, std::string("stop\0\0\0\0\0\0\0", 11)));
  EXPECT_EQ(0, write(CDEV, "stop"));
  EXPECT_EQ(-EINVAL, write(CDEV, "startstarts"));  // 11 bytes
  EXPECT_EQ(-EINVAL, write(CDEV, "d"));            // detach, of an offline processor
  EXPECT_EQ(-EINVAL, write(CDEV, "x"));
  EXPECT_TRUE(logged("Unrecognized option"));
}

TEST_F(remoteproc_test, cdev_stops_on_every_close_once_the_flag_is_set) {
  running();
  run([&] {
    auto file = std::move(*machine.fs().open(CDEV));
    auto other = std::move(*machine.fs().open(CDEV));
    EXPECT_EQ(0, file->ioctl(0x8004B702, 0).value());
    EXPECT_EQ(0, file->ioctl(0x4004B701, -5).value());
    EXPECT_EQ(1, other->ioctl(0x8004B702, 0).value());
    EXPECT_EQ(EINVAL, file->ioctl(0x1234, 0).error());
    EXPECT_TRUE(other->release().has_value());
    EXPECT_EQ("offline", state());
    EXPECT_EQ(0, r->boot());
    result = {{"stop", -EBUSY}};
    EXPECT_TRUE(file->release().has_value());  // the result of a shutdown is dropped
    EXPECT_EQ("running", state());
  });
}

TEST_F(remoteproc_test, cdev_detaches_an_attached_processor_on_close) {
  attached();
  run([&] {
    auto file = std::move(*machine.fs().open(CDEV));
    file->ioctl(0x4004B701, 1);
    result = {{"detach", -EIO}};
    EXPECT_EQ(EIO, file->release().error());
    EXPECT_EQ("attached", state());
  });
}

TEST_F(remoteproc_test, cdev_close_without_the_flag_does_nothing) {
  running();
  run([&] { EXPECT_TRUE((*machine.fs().open(CDEV))->release().has_value()); });
  EXPECT_EQ("running", state());
}

// ---- debugfs

class remoteproc_debugfs_test : public remoteproc_test {
 protected:
  const std::string dir = "/sys/kernel/debug/remoteproc/remoteproc0/";
};

TEST_F(remoteproc_debugfs_test, name_recovery_and_coredump) {
  running();
  EXPECT_EQ("5000000.m4fss\n", read(dir + "name"));
  EXPECT_EQ(0, write(dir + "recovery", "e"));
  EXPECT_EQ("enabled\n", read(dir + "recovery"));
  EXPECT_EQ(0, write(dir + "recovery", "disabled\n"));
  EXPECT_EQ("disabled\n", read(dir + "recovery"));
  EXPECT_EQ(-EINVAL, write(dir + "recovery", "en\n"));  // a NUL is compared, too
  EXPECT_EQ(-EINVAL, write(dir + "recovery", "enabledenab"));
  EXPECT_EQ(0, write(dir + "coredump", "in"));
  EXPECT_EQ("inline\n", read(dir + "coredump"));
  EXPECT_EQ(-EINVAL, write(dir + "coredump", "enabled and much longer"));
  crash();
  EXPECT_EQ(-EBUSY, write(dir + "coredump", "enabled"));
  EXPECT_EQ(-EINVAL, write(dir + "name", "x"));
  EXPECT_EQ("error 22", read(dir + "crash"));
}

TEST_F(remoteproc_debugfs_test, crash_takes_an_unsigned_number) {
  running();
  EXPECT_EQ(-EINVAL, write(dir + "crash", "x"));
  EXPECT_EQ(-EINVAL, write(dir + "crash", "-1"));
  EXPECT_EQ(-EINVAL, write(dir + "crash", "08"));
  EXPECT_EQ(-EINVAL, write(dir + "crash", ""));
  EXPECT_EQ(-ERANGE, write(dir + "crash", "4294967296"));
  EXPECT_EQ("running", state());
  EXPECT_EQ(0, write(dir + "crash", "0x1\n"));
  run_for(1);
  EXPECT_EQ("crashed", state());
  EXPECT_EQ(std::vector<std::string>{"watchdog"}, seen.values("rproc.crash", "type"));
}

TEST_F(remoteproc_debugfs_test, resource_table_and_carveouts_are_shown_as_linux_does) {
  firmware(table_builder()
               .carveout(0x9CC10000, 0x1000, "code")
               .trace(0x9CC20000, 0x100)
               .vdev({{.align = 16, .num = 8}, {.align = 16, .num = 8}})
               .build());
  make();
  hook["prepare"] = [&] { r->add_carveout("code", 0x9CC10000, 0x9CC10000, 0x1000); };
  add();
  EXPECT_EQ("No resource table found\n", read(dir + "resource_table"));
  EXPECT_EQ(0, boot());
  EXPECT_EQ(
      "Entry 0 is of type carveout\n"
      "  Device Address 0x9cc10000\n  Physical Address 0x9cc10000\n  Length 0x1000 Bytes\n  Flags 0x55\n"
      "  Reserved (should be zero) [0]\n  Name code\n\n"
      "Entry 1 is of type trace\n"
      "  Device Address 0x9cc20000\n  Length 0x100 Bytes\n  Reserved (should be zero) [0]\n  Name trace\n\n"
      "Entry 2 is of type vdev\n"
      "  ID 7\n  Notify ID 0\n  Device features 0x1\n  Guest features 0x0\n  Config length 0x0\n  Status 0x1\n"
      "  Number of vrings 2\n  Reserved (should be zero) [0][0]\n\n"
      "  Vring 0\n    Device Address 0xffffffff\n    Alignment 16\n    Number of buffers 8\n    Notify ID 0\n"
      "    Physical Address 0x0\n\n"
      "  Vring 1\n    Device Address 0xffffffff\n    Alignment 16\n    Number of buffers 8\n    Notify ID 1\n"
      "    Physical Address 0x0\n\n",
      read(dir + "resource_table"));
  EXPECT_EQ(
      "Carveout memory entry:\n\tName: code\n\tVirtual address: 000000009cc10000\n"
      "\tDMA address: 0x000000009cc10000\n\tDevice address: 0x9cc10000\n\tLength: 0x1000 Bytes\n\n"
      "Carveout memory entry:\n\tName: vdev0vring0\n\tVirtual address: 000000009cb00000\n"
      "\tDMA address: 0x000000009cb00000\n\tDevice address: 0x9cb00000\n\tLength: 0x1000 Bytes\n\n"
      "Carveout memory entry:\n\tName: vdev0vring1\n\tVirtual address: 000000009cb01000\n"
      "\tDMA address: 0x000000009cb01000\n\tDevice address: 0x9cb01000\n\tLength: 0x1000 Bytes\n\n",
      read(dir + "carveout_memories"));
}

TEST_F(remoteproc_debugfs_test, a_resource_table_that_the_remote_spoils_is_shown_as_far_as_it_goes) {
  running();
  core.set(TABLE + 4, 0xFFFFFFFF, 4);   // entries
  core.set(TABLE + 16, 0xFFFFFF00, 4);  // where the first one is
  EXPECT_EQ("", read(dir + "resource_table"));
}

TEST_F(remoteproc_debugfs_test, trace_files_show_text_up_to_the_first_nul) {
  firmware(table_builder().trace(0x9CC20000, 0x2000).trace(0xE0000000, 0x10).build());
  make();
  add();
  EXPECT_EQ(0, boot());
  EXPECT_EQ("", read(dir + "trace0"));
  const std::string text(5000, 'x');
  core.fill_in(0x9CC20000, std::as_bytes(std::span(text)));
  EXPECT_EQ(text, read(dir + "trace0"));
  EXPECT_EQ("Trace  not available\n", read(dir + "trace1"));
  EXPECT_EQ(0, shutdown());
  EXPECT_FALSE(machine.fs().exists(dir + "trace0"));
}

}  // namespace
}  // namespace rpsim::test
