// What a user, a driver and the remote see of the histories: where two neighbours differ, and what stays.

#include "host_sw/remoteproc/histories.h"
#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int NEVER_RETURNED = -9999;  // the thread ended in an oops

class detach_series : public rproc_test {
 protected:
  void SetUp() override { firmware(table_builder().vdev().build()); }

  /// A processor of the tree's node, in its class's way.
  void make(const std::string& version, const char* node = "m4") {
    parent.node = tree->by_label(node);
    rproc_test::make({.history = version});
  }
  void make_detached(const std::string& version, const char* node = "m4",
                     const bytes& table = table_builder().vdev().build()) {
    install_live(table);
    make(version, node);
    run([&] { r->set_detached(); });
    add();
  }
  void attached(const std::string& version, const char* node = "m4") {
    make_detached(version, node);
    ASSERT_EQ(0, boot());
    ASSERT_EQ("attached", state());
    new_ops();
  }
  void running(const std::string& version, const char* node = "m4") {
    make(version, node);
    add();
    ASSERT_EQ(0, boot());
    ASSERT_EQ("running", state());
    new_ops();
  }
  int user(const std::string& request) { return write(STATE, request + "\n"); }
  std::uint32_t da() { return core.u32(vring_field(0, 0)); }
  std::uint32_t notifyid() { return core.u32(vring_field(0, 12)); }
  /// What closing the character device with the flag on returns.
  int close_device() {
    int outcome = NEVER_RETURNED;
    run([&] {
      auto file = machine.fs().open(CDEV, true);
      ASSERT_TRUE(file);
      (void)(*file)->ioctl(0x4004B701, 1);
      const auto released = (*file)->release();
      outcome = released ? 0 : -released.error();
    });
    return outcome;
  }
  std::vector<std::string> states() const { return seen.values("rproc.state", "to"); }
  remoteproc::subdev noting() {
    return {.prepare = {},
            .start =
                [this] {
                  notes += "start ";
                  return result["subdevice"];
                },
            .stop = [this](bool) { notes += "stop "; },
            .unprepare = {}};
  }
  std::string notes;
};

// ---------------------------------------------------------------------------------------- codes that the versions have

struct codes {
  const char* version;
  int second_start;      // sysfs, running
  int api_offline;       // shutdown() of a processor that is off
  int other_users;       // shutdown() and detach() with power 2
  int detach_running;    // sysfs
  int stop_crashed;      // sysfs
  int stop_op_fails;     // sysfs; the driver says EIO
  int unprepare_fails;   // shutdown(); the driver says EIO
  int table_is_missing;  // attach without one
  int vdev_fails;        // boot
};
class histories_codes : public detach_series, public testing::WithParamInterface<codes> {};

TEST_P(histories_codes, second_start) {
  running(GetParam().version);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(GetParam().second_start, user("start"));
    EXPECT_EQ(GetParam().second_start == 0 ? 2 : 1, r->power());
    EXPECT_EQ(0, user("stop"));
    EXPECT_EQ(GetParam().second_start == 0 ? "running" : "offline", state());
    if (GetParam().second_start != 0) {
      EXPECT_EQ(0, user("start"));
    }
  }
}

TEST_P(histories_codes, second_start_when_attached) {
  attached(GetParam().version);
  EXPECT_EQ(GetParam().second_start, user("start"));
  EXPECT_EQ("attached", state());
}

TEST_P(histories_codes, shutdown_of_a_processor_that_is_off) {
  make(GetParam().version);
  add();
  EXPECT_EQ(-EINVAL, user("stop"));
  EXPECT_EQ(-EINVAL, user("detach"));
  EXPECT_EQ(GetParam().api_offline, shutdown());
  EXPECT_EQ("offline", state());
}

TEST_P(histories_codes, other_users) {
  attached(GetParam().version);
  EXPECT_EQ(0, boot());
  EXPECT_EQ(GetParam().other_users, detach());
  EXPECT_EQ(1, r->power());  // whatever it says, the count is lowered
  EXPECT_EQ("attached", state());
  EXPECT_EQ(0, boot());
  EXPECT_EQ(GetParam().other_users, shutdown());
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ("offline", state());
}

TEST_P(histories_codes, detach_of_a_running_processor) {
  running(GetParam().version);
  EXPECT_EQ(GetParam().detach_running, user("detach"));
  if (GetParam().detach_running == -EINVAL) {
    EXPECT_EQ("running", state());
  } else {
    EXPECT_EQ("detached", state());
  }
}

TEST_P(histories_codes, stop_of_a_crashed_processor) {
  running(GetParam().version);
  crash();
  ASSERT_EQ("crashed", state());
  EXPECT_EQ(GetParam().stop_crashed, user("stop"));
  EXPECT_EQ(GetParam().stop_crashed == 0 ? "offline" : "crashed", state());
}

TEST_P(histories_codes, stop_that_the_driver_cannot_do) {
  running(GetParam().version);
  result = {{"stop", -EIO}};
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(GetParam().stop_op_fails, user("stop"));
    EXPECT_EQ("running", state());
    EXPECT_EQ(1, r->power());
  }
  result.clear();
  EXPECT_EQ(0, user("stop"));
  EXPECT_EQ("offline", state());
}

TEST_P(histories_codes, shutdown_whose_unprepare_fails) {
  running(GetParam().version);
  result = {{"unprepare", -EIO}};
  EXPECT_EQ(GetParam().unprepare_fails, shutdown());
  EXPECT_EQ("offline", state());
  EXPECT_EQ(GetParam().unprepare_fails == 0 ? 0 : 1, r->power());
}

TEST_P(histories_codes, attach_without_a_table) {
  make(GetParam().version);
  run([&] { r->set_detached(); });
  add();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(GetParam().table_is_missing, boot());
    EXPECT_EQ(GetParam().table_is_missing == 0 ? "attached" : "detached", state());
    if (GetParam().table_is_missing == 0) {
      EXPECT_EQ(GetParam().version == std::string("v5") ? -EINVAL : 0, user("detach"));
    }
  }
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_P(histories_codes, boot_with_a_vdev_that_cannot_be_made) {
  firmware(table_builder().vdev({{.num = 0}, {}}).build());
  make(GetParam().version);
  add();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(GetParam().vdev_fails, boot());
    EXPECT_EQ(GetParam().vdev_fails == 0 ? "running" : "offline", state());
    if (GetParam().vdev_fails == 0) {
      EXPECT_EQ(0, shutdown());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(of, histories_codes,
                         testing::Values(codes{"v4", -EBUSY, -EPERM, -EBUSY, 0, -EINVAL, -EIO, -EIO, 0, -EINVAL},
                                         codes{"v4+arnaud", -EBUSY, -EPERM, -EBUSY, 0, -EINVAL, -EIO, -EIO, 0, -EINVAL},
                                         codes{"v5", -EBUSY, -EPERM, -EBUSY, NEVER_RETURNED, -EINVAL, -EIO, -EIO,
                                               -EINVAL, -EINVAL},
                                         codes{"v6", -EBUSY, 0, 0, -EINVAL, -EINVAL, 0, 0, 0, -EINVAL},
                                         codes{"v7", -EBUSY, 0, 0, -EINVAL, -EINVAL, 0, 0, 0, -EINVAL},
                                         codes{"v8", -EBUSY, 0, 0, -EINVAL, -EINVAL, 0, 0, 0, -EINVAL},
                                         codes{"main", 0, -EINVAL, 0, -EINVAL, 0, -EIO, 0, 0, 0},
                                         codes{"cleanup", 0, -EINVAL, 0, -EINVAL, 0, -EIO, 0, 0, 0},
                                         codes{"fixed", 0, -EINVAL, 0, -EINVAL, 0, -EIO, 0, 0, -EINVAL}),
                         [](const auto& p) {
                           std::string name = p.param.version;
                           std::ranges::replace(name, '+', '_');
                           return name;
                         });

// -------------------------------------------------------------------------------- the table in the remote's memory

struct table_fate {
  const char* version;
  std::uint32_t da, notifyid;  // of ring 0 after a detach; the image has ANY, 77
  bool restored_before_op;
  std::uint32_t again;     // its address after the second attach
  std::uint32_t da_fixed;  // after a detach, where the image has 0x10040000
};
class histories_table : public detach_series, public testing::WithParamInterface<table_fate> {};

constexpr std::uint32_t ANY = table_builder::ANY, FIXED = 0x10040000;

TEST_P(histories_table, after_detach_and_after_the_next_attach) {
  with_rpmsg();
  attached(GetParam().version);
  EXPECT_EQ(POOL, da());
  EXPECT_EQ(0u, notifyid());
  std::uint32_t at_op = 0;
  hook["detach"] = [&] { at_op = da(); };
  for (int round = 0; round < 2; ++round) {
    const std::uint32_t before = da();
    EXPECT_EQ(0, user("detach"));
    EXPECT_EQ(GetParam().restored_before_op ? ANY : before, at_op);
    EXPECT_EQ(GetParam().da, da());
    EXPECT_EQ(GetParam().notifyid, notifyid());
    EXPECT_EQ(0, user("start"));
    EXPECT_EQ(GetParam().again, da());
    EXPECT_EQ(7, core.u8(STATUS));
  }
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_P(histories_table, address_that_the_firmware_fixed) {
  make_detached(GetParam().version, "m4", table_builder().vdev({{.da = FIXED}, {.da = FIXED + 0x4000}}).build());
  EXPECT_EQ(0, boot());
  EXPECT_EQ(0, detach());
  EXPECT_EQ(GetParam().da_fixed, da());
}

INSTANTIATE_TEST_SUITE_P(of, histories_table,
                         testing::Values(table_fate{"v4", 0, ANY, false, 0, 0},
                                         table_fate{"v4+arnaud", ANY, ANY, false, 0x9CB00000, ANY},
                                         table_fate{"v5", ANY, 77, false, 0x9CB00000, FIXED},
                                         table_fate{"v6", ANY, 77, true, 0x9CB00000, FIXED},
                                         table_fate{"v7", ANY, 77, true, 0x9CB00000, FIXED},
                                         table_fate{"v8", ANY, 77, true, 0x9CB00000, FIXED},
                                         table_fate{"main", ANY, 77, true, 0x9CB00000, FIXED},
                                         table_fate{"fixed", ANY, 77, true, 0x9CB00000, FIXED}),
                         [](const auto& p) {
                           std::string name = p.param.version;
                           std::ranges::replace(name, '+', '_');
                           return name;
                         });

TEST_F(detach_series, a_stop_from_attached_writes_the_clean_table_back_in_v6) {
  with_rpmsg();
  attached("v6");
  EXPECT_EQ(0, user("stop"));
  EXPECT_EQ(ANY, da());
}
TEST_F(detach_series, a_stop_from_attached_leaves_the_table_in_v7) {
  with_rpmsg();
  attached("v7");
  EXPECT_EQ(0, user("stop"));
  EXPECT_EQ(POOL, da());
}
TEST_F(detach_series, a_stop_from_attached_leaves_the_table_in_v4) {
  with_rpmsg();
  attached("v4");
  EXPECT_EQ(0, user("stop"));
  EXPECT_EQ(POOL, da());
}

// v4's second attach asks for address 0, which no registered carveout has.
TEST_F(detach_series, v4_does_not_find_its_ring_memory_again) {
  install_live(table_builder().vdev().build());
  make("v4");
  run([&] {
    r->set_detached();
    r->add_carveout("vdev0vring0", POOL, FIXED, 0x4000);
    r->add_carveout("vdev0vring1", POOL + 0x4000, FIXED + 0x4000, 0x4000);
  });
  add();
  EXPECT_EQ(0, user("start"));
  EXPECT_EQ(0, user("detach"));
  EXPECT_THAT(seen.values("rproc.carveout", "what"), ElementsAre("add", "add", "remove", "remove"));
  EXPECT_EQ(0, user("start"));
  EXPECT_TRUE(logged("Allocated carveout doesn't fit device address request"));
}

// ----------------------------------------------------------------------------------------------- order of operations

TEST_F(detach_series, v4_neither_prepares_an_attach_nor_unprepares_a_detach) {
  make_detached("v4");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, boot());
    EXPECT_EQ("attach", new_ops());
    EXPECT_EQ(0, detach());
    EXPECT_EQ("detach", new_ops());
  }
}

TEST_F(detach_series, arnauds_patch_prepares_and_an_unprepare_that_fails_fails_the_detach) {
  make_detached("v4+arnaud");
  EXPECT_EQ(0, boot());
  EXPECT_EQ("prepare attach", new_ops());
  result = {{"unprepare", -EIO}};
  EXPECT_EQ(-EIO, detach());
  EXPECT_EQ("detach unprepare:EIO", new_ops());
  EXPECT_EQ("detached", state());
  EXPECT_EQ(1, r->power());
  EXPECT_EQ(0, boot());  // only counts
  EXPECT_EQ("detached", state());
}

TEST_F(detach_series, v5_ignores_an_unprepare_that_fails_in_detach) {
  make_detached("v5");
  result = {{"unprepare", -EIO}};
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, boot());
    EXPECT_EQ(0, detach());
    EXPECT_EQ(0, r->power());
  }
}

TEST_F(detach_series, v4_starts_the_subdevices_again_when_the_detach_op_fails) {
  make_detached("v4");
  remoteproc::subdev s = noting();
  r->add_subdev(s);
  EXPECT_EQ(0, boot());
  result["detach"] = -EIO;
  EXPECT_EQ(-EIO, detach());
  EXPECT_EQ("start stop start ", notes);
  EXPECT_EQ("attached", state());
  result["detach"] = 0;
  EXPECT_EQ(0, detach());
  EXPECT_EQ("detached", state());
}

TEST_F(detach_series, v5_leaves_the_subdevices_stopped_when_the_detach_op_fails) {
  make_detached("v5");
  remoteproc::subdev s = noting();
  r->add_subdev(s);
  EXPECT_EQ(0, boot());
  result["detach"] = -EIO;
  EXPECT_EQ(-EIO, detach());
  EXPECT_EQ("start stop ", notes);
  result["detach"] = 0;
  EXPECT_EQ(0, detach());
  EXPECT_EQ("start stop stop ", notes);  // stopped however often
  EXPECT_EQ("detached", state());
}

TEST_F(detach_series, v8_restores_from_the_freed_copy_when_a_detach_is_tried_again) {
  attached("v8");
  result = {{"detach", -EIO}};
  EXPECT_EQ(-EIO, detach());
  EXPECT_EQ(NEVER_RETURNED, detach());
  EXPECT_THAT(oopses(), ElementsAre("H4"));
}

TEST_F(detach_series, v8_leaves_the_carveouts_of_an_attach_whose_entries_are_refused) {
  const bytes bad = table_builder().carveout(ANY, 0x1000, "x", 1).build();
  make_detached("v8", "m4", bad);
  hook["prepare"] = [&] { r->add_carveout("region", POOL, 0x1000, 0x1000); };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(-EINVAL, boot());
    EXPECT_EQ("prepare unprepare", new_ops());
  }
  EXPECT_THAT(seen.values("rproc.carveout", "what"), ElementsAre("add", "add"));
}

TEST_F(detach_series, v4_does_not_unprepare_an_attach_whose_entries_are_refused) {
  make_detached("v4", "m4", table_builder().carveout(ANY, 0x1000, "x", 1).build());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(-EINVAL, boot());
    EXPECT_EQ("", new_ops());
    EXPECT_EQ("detached", state());
  }
}

// --------------------------------------------------------------------------------------------- detach from running

TEST_F(detach_series, v4_attaches_to_what_it_booted) {
  with_rpmsg();
  running("v4");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, user("detach"));
    EXPECT_EQ("detached", state());
    EXPECT_EQ(0, user("start"));
    EXPECT_EQ("attached", state());
  }
}

TEST_F(detach_series, v5_frees_the_cached_table_twice_and_keeps_the_lock) {
  running("v5");
  EXPECT_EQ(NEVER_RETURNED, user("detach"));
  EXPECT_THAT(oopses(), ElementsAre("double-free"));
  EXPECT_EQ("detached", state());
  EXPECT_EQ(NEVER_RETURNED, boot());
}

TEST_F(detach_series, v5_detaches_a_core_without_a_table_and_says_einval) {
  elf_builder e;
  e.table = table_builder().build();
  e.table_section = "another";
  firmware(e.build());
  parent.node = tree->by_label("m4");
  // A driver whose parse_fw takes a missing table for none, as the STM32's.
  remoteproc::rproc_ops o = ops();
  o.load = [](remoteproc::rproc&, const remoteproc::firmware&) { return 0; };
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw", {.history = "v5"});
  r->set_auto_boot(false);
  add();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(-EINVAL, detach());
  EXPECT_EQ("detached", state());
  EXPECT_EQ(1, r->power());
}

// ------------------------------------------------------------------------------------------------------ recovery

TEST_F(detach_series, v6_cannot_recover_a_core_that_it_booted) {
  running("v6");
  r->set_recovery_disabled(false);
  for (int round = 0; round < 2; ++round) {
    crash();
    EXPECT_EQ("crashed", state());
    EXPECT_EQ(-EINVAL, call(&remoteproc::rproc::trigger_recovery));
  }
  EXPECT_EQ("", new_ops());
}

TEST_F(detach_series, v6_recovers_with_the_freed_table_of_an_earlier_attach) {
  attached("v6");
  EXPECT_EQ(0, user("stop"));
  EXPECT_EQ(0, user("start"));
  EXPECT_EQ("running", state());
  r->set_recovery_disabled(false);
  crash();
  EXPECT_THAT(oopses(), ElementsAre("H4"));
}

TEST_F(detach_series, v7_recovers_twice) {
  running("v7");
  r->set_recovery_disabled(false);
  for (int round = 0; round < 2; ++round) {
    crash();
    EXPECT_EQ("running", state());
    EXPECT_EQ("stop load start", new_ops());
  }
}

class no_cached_table : public detach_series, public testing::WithParamInterface<const char*> {};
TEST_P(no_cached_table, is_what_a_recovery_after_an_attach_copies_from) {
  attached(GetParam());
  r->set_recovery_disabled(false);
  crash();
  EXPECT_THAT(oopses(), ElementsAre("no-cached-table"));
}
INSTANTIATE_TEST_SUITE_P(in, no_cached_table, testing::Values("v4", "v5"), [](const auto& p) { return p.param; });

TEST_F(detach_series, the_series_knows_no_attach_recovery) {
  attached("v8");
  r->set_attach_on_recovery(true);
  r->set_recovery_disabled(false);
  crash();
  EXPECT_EQ("stop load start", new_ops());
  EXPECT_EQ("running", state());
}

// ------------------------------------------------------------------------------- removal, release and automatic attach

struct policy {
  const char* version;
  const char* node;
  int offline;           // what the release returns
  const char* attached;  // states that follow
  const char* running;
  const char* removed;  // from attached, by del, before it is deleted
};
class histories_policy : public detach_series, public testing::WithParamInterface<policy> {};

TEST_P(histories_policy, release_when_off) {
  make(GetParam().version, GetParam().node);
  add();
  for (int round = 0; round < 2; ++round) EXPECT_EQ(GetParam().offline, close_device());
}
TEST_P(histories_policy, release_when_attached) {
  attached(GetParam().version, GetParam().node);
  EXPECT_EQ(0, close_device());
  EXPECT_EQ(GetParam().attached, state());
}
TEST_P(histories_policy, release_when_running) {
  running(GetParam().version, GetParam().node);
  EXPECT_EQ(0, close_device());
  EXPECT_EQ(GetParam().running, state());
}
TEST_P(histories_policy, removal_when_attached) {
  attached(GetParam().version, GetParam().node);
  EXPECT_EQ(0, call(&remoteproc::rproc::del));
  const bool says_deleted = GetParam().version != std::string("main");
  const auto all = states();
  EXPECT_EQ(GetParam().removed, says_deleted ? all.at(all.size() - 2) : all.back());
  EXPECT_EQ(says_deleted ? "deleted" : GetParam().removed, state());
  EXPECT_EQ(-ENODEV, boot());
}

INSTANTIATE_TEST_SUITE_P(of, histories_policy,
                         testing::Values(policy{"v4", "m4", -EPERM, "offline", "offline", "offline"},
                                         policy{"v4", "autonomous", -EPERM, "detached", "detached", "detached"},
                                         policy{"v4", "misnamed", -EPERM, "offline", "offline", "offline"},
                                         policy{"v5", "m4", -EPERM, "offline", "offline", "offline"},
                                         policy{"v6", "autonomous", 0, "detached", "offline", "detached"},
                                         policy{"v6", "m4", 0, "detached", "offline", "detached"},
                                         policy{"v7", "m4", 0, "detached", "offline", "offline"},
                                         policy{"v8", "m4", 0, "detached", "offline", "offline"},
                                         policy{"main", "m4", 0, "detached", "offline", "offline"}),
                         [](const auto& p) { return std::string(p.param.version) + "_" + p.param.node; });

TEST_F(detach_series, v4_removes_what_is_off_with_eperm) {
  make("v4");
  add();
  EXPECT_EQ(-EPERM, call(&remoteproc::rproc::del));
  EXPECT_EQ("deleted", state());
  run([&] { EXPECT_FALSE(machine.fs().exists(STATE)); });
}

TEST_F(detach_series, v8_attaches_automatically_inside_add) {
  install_live(table_builder().vdev().build());
  make("v8");
  run([&] { r->set_detached(); });
  r->set_auto_boot(true);
  std::string after_add;
  run([&] {
    EXPECT_EQ(0, r->add());
    after_add = state();
  });
  EXPECT_EQ("attached", after_add);
}

TEST_F(detach_series, main_attaches_automatically_after_add) {
  install_live(table_builder().vdev().build());
  make("main");
  run([&] { r->set_detached(); });
  r->set_auto_boot(true);
  std::string after_add;
  run([&] {
    EXPECT_EQ(0, r->add());
    after_add = state();
  });
  EXPECT_EQ("detached", after_add);
  run_for(5);
  EXPECT_EQ("attached", state());
}

TEST_F(detach_series, v8_leaves_the_files_of_an_add_whose_attach_failed) {
  make("v8");
  loaded = {.error = -EIO};
  run([&] { r->set_detached(); });
  r->set_auto_boot(true);
  EXPECT_EQ(-EIO, call(&remoteproc::rproc::add));
  r.reset();  // as its driver does
  EXPECT_EQ(NEVER_RETURNED, user("start"));
  EXPECT_THAT(oopses(), ElementsAre("driver-gone"));
}

TEST_F(detach_series, v8_takes_crash_reports_during_removal) {
  running("v8");
  hook["stop"] = [&] { r->report_crash(remoteproc::crash_type::watchdog); };
  EXPECT_EQ(0, call(&remoteproc::rproc::del));
  EXPECT_EQ(1u, seen.all("rproc.crash").size());
  EXPECT_EQ("deleted", state());
}

TEST_F(detach_series, main_ignores_crash_reports_during_removal) {
  running("main");
  hook["stop"] = [&] { r->report_crash(remoteproc::crash_type::watchdog); };
  EXPECT_EQ(0, call(&remoteproc::rproc::del));
  EXPECT_THAT(seen.all("rproc.crash"), IsEmpty());
}

// ------------------------------------------------------------------------------------------------- main with its fixes

TEST_F(detach_series, fixed_h1_a_failed_recovery_leaves_a_processor_that_starts) {
  running("fixed");
  r->set_recovery_disabled(false);
  for (int round = 0; round < 2; ++round) {
    result = {{"start", -EIO}};
    crash();
    EXPECT_EQ("offline", state());
    EXPECT_EQ(0, r->power());
    result.clear();
    EXPECT_EQ(0, user("start"));
    EXPECT_EQ("running", state());
  }
}

TEST_F(detach_series, fixed_h1_a_failed_recovery_after_an_attach_releases_once) {
  attached("fixed");
  r->set_recovery_disabled(false);
  result = {{"start", -EIO}};
  crash();
  EXPECT_EQ("stop unprepare sanity_check prepare parse_fw load start:EIO unprepare", new_ops());
  EXPECT_EQ(0, r->power());
  result.clear();
  EXPECT_EQ(0, user("start"));
  EXPECT_EQ("running", state());
}

TEST_F(detach_series, fixed_h2_recovery_of_an_attached_processor_keeps_the_fresh_image) {
  with_rpmsg();
  attached("fixed");
  elf_builder e;
  e.segments.push_back({TABLE + 128, "data behind the table"});
  firmware(e.build());
  r->set_recovery_disabled(false);
  for (int round = 0; round < 2; ++round) {
    crash();
    EXPECT_EQ("running", state());
    EXPECT_EQ("data behind the table", core.text(TABLE + 128, 21));
  }
  EXPECT_EQ(1, r->power());
}

TEST_F(detach_series, fixed_h3_a_detached_processor_may_crash) {
  attached("fixed");
  r->set_recovery_disabled(false);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, detach());
    new_ops();
    crash();
    EXPECT_EQ("detached", state());
    EXPECT_EQ("", new_ops());
    EXPECT_EQ(0, boot());
    EXPECT_EQ("attached", state());
  }
}

TEST_F(detach_series, fixed_h4_a_detach_can_be_tried_again) {
  with_rpmsg();
  attached("fixed");
  for (int round = 0; round < 2; ++round) {
    result = {{"detach", -EIO}};
    EXPECT_EQ(-EIO, detach());
    EXPECT_EQ("attached", state());
    result.clear();
    EXPECT_EQ(0, detach());
    EXPECT_EQ(ANY, da());
    loaded.error = -EIO;  // an attach that fails before it has a table
    EXPECT_EQ(-EIO, boot());
    loaded.error = 0;
    EXPECT_EQ(0, boot());
  }
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(detach_series, fixed_h4_a_detach_after_a_stop_that_failed_restores_the_table) {
  with_rpmsg();
  attached("fixed");
  for (int round = 0; round < 2; ++round) {
    result = {{"stop", -EBUSY}};
    EXPECT_EQ(-EBUSY, shutdown());
    result.clear();
    EXPECT_EQ(POOL, da());
    EXPECT_EQ(0, detach());
    EXPECT_EQ(ANY, da());
    EXPECT_EQ(0, boot());
  }
  EXPECT_THAT(oopses(), IsEmpty());
}

TEST_F(detach_series, fixed_h5_an_attach_that_fails_lets_the_processor_go_as_it_was) {
  with_rpmsg();
  make_detached("fixed");
  const std::string before = core.text(TABLE, LIVE_SIZE);
  remoteproc::subdev s = noting();
  r->add_subdev(s);
  for (int round = 0; round < 2; ++round) {
    result["subdevice"] = -ENOMEM;
    EXPECT_EQ(-ENOMEM, boot());
    EXPECT_EQ("prepare attach detach unprepare", new_ops());
    EXPECT_EQ("detached", state());
    EXPECT_EQ(before, core.text(TABLE, LIVE_SIZE));
    result["subdevice"] = 0;
    EXPECT_EQ(0, boot());
    EXPECT_EQ("attached", state());
    EXPECT_EQ(0, detach());
    new_ops();
  }
}

TEST_F(detach_series, fixed_h6_a_failed_prepare_leaves_no_carveout) {
  make("fixed");
  add();
  hook["prepare"] = [&] { r->add_carveout("region", POOL, 0x1000, 0x1000); };
  result = {{"prepare", -EIO}};
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(-EIO, boot());
  }
  EXPECT_THAT(seen.values("rproc.carveout", "what"), ElementsAre("add", "remove", "add", "remove"));
  result.clear();
  firmware(elf_builder{.table_section = "another"}.build());
  EXPECT_EQ(-EINVAL, boot());  // parse_fw
  EXPECT_EQ("remove", seen.values("rproc.carveout", "what").back());
}

TEST_F(detach_series, fixed_h7_a_vdev_with_one_vring_is_torn_down) {
  firmware(table_builder().vdev({{}}).build());
  make("fixed");
  add();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(0, boot());
    EXPECT_EQ(0, shutdown());
  }
  EXPECT_THAT(oopses(), IsEmpty());
}

// ------------------------------------------------------------------------------------------------- the names

TEST(histories, each_can_be_made_and_says_which_hazards_it_has) {
  for (const remoteproc::history_description& h : remoteproc::histories()) {
    EXPECT_NE(remoteproc::make_history(h.name), nullptr) << h.name;
    EXPECT_NE(h.text.find("Hazards: "), std::string_view::npos) << h.name;
  }
}

}  // namespace
}  // namespace rpsim::test
