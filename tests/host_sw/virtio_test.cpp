// The virtio transport and its split rings: order of writes into the live table, ring arithmetic, and a remote that
// does not keep to the rules (reference/remoteproc-core.md §7.1–7.5).

#include "host_sw/remoteproc/virtio.h"

#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

class virtio_test : public rproc_test {
 protected:
  void start(const table_builder& table = table_builder().vdev()) {
    firmware(table.build());
    make();
    add();
    ASSERT_EQ(0, boot());
  }
  std::vector<std::string> table_writes() const {
    std::vector<std::string> text;
    for (const auto& w : core.writes) {
      std::uint64_t value = 0;
      for (std::size_t i = w.data.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(w.data[i]);
      text.push_back(w.data.size() > 8 ? fmt::format("{:#x}:{} bytes", w.address - TABLE, w.data.size())
                                       : fmt::format("{:#x}={:#x}", w.address - TABLE, value));
    }
    return text;
  }
};

TEST_F(virtio_test, bring_up_writes_the_live_table_in_linuxs_order) {  // §7.2
  with_rpmsg();
  core.watch_from = TABLE;
  core.watch_to = TABLE + 0x100;
  std::uint8_t status_at_start = 0xFF;
  std::uint32_t da_at_start = 0;
  hook["start"] = [&] {
    status_at_start = core.u8(STATUS);
    da_at_start = core.u32(vring_field(0, 0));
  };
  start();
  // The remote runs before there is a virtio device.
  EXPECT_EQ(0, status_at_start);
  EXPECT_EQ(table_builder::ANY, da_at_start);
  EXPECT_THAT(table_writes(), testing::ElementsAre("0x0:88 bytes", "0x2c=0x0", "0x2c=0x1", "0x2c=0x3", "0x24=0x1",
                                                   "0x30=0x9cb00000", "0x44=0x9cb04000", "0x2c=0x7"));
  EXPECT_EQ(std::vector<int>{0}, kicks);
  EXPECT_EQ((std::vector<std::string>{"0", "1", "3", "7"}), seen.values("virtio.status", "status"));
  EXPECT_TRUE(logged("rpmsg host is online"));
  EXPECT_TRUE(logged("registered virtio0 (type 7)"));
}

TEST_F(virtio_test, teardown_ends_with_the_device_acknowledged) {  // §7.3, §9 vector 8
  with_rpmsg();
  start();
  core.watch_from = TABLE;
  core.watch_to = TABLE + 0x100;
  EXPECT_EQ(0, shutdown());
  EXPECT_THAT(table_writes(), testing::ElementsAre("0x2c=0x0", "0x2c=0x1"));
  EXPECT_EQ(std::vector<int>{0}, kicks);  // nothing tells the remote
}

TEST_F(virtio_test, without_a_driver_the_device_is_acknowledged_and_that_is_all) {
  core.watch_from = TABLE;
  core.watch_to = TABLE + 0x100;
  start();
  EXPECT_THAT(table_writes(), testing::ElementsAre("0x0:88 bytes", "0x2c=0x0", "0x2c=0x1"));
  EXPECT_THAT(kicks, testing::IsEmpty());
}

TEST_F(virtio_test, a_device_of_another_kind_finds_no_driver) {
  with_rpmsg();
  start(table_builder().vdev({{}, {}}, 1, {}, 3));
  EXPECT_EQ(1, core.u8(STATUS));
}

TEST_F(virtio_test, rings_and_buffers_lie_where_ti_firmware_expects_them) {  // reference/stock-firmware.md item 7
  with_rpmsg();
  start();
  EXPECT_EQ(POOL, core.u32(vring_field(0, 0)));
  EXPECT_EQ(POOL + 0x4000, core.u32(vring_field(1, 0)));
  remote_side remote = this->remote();
  EXPECT_EQ(256, remote.available(0));
  EXPECT_EQ(0, remote.available(1));
  for (unsigned i : {0u, 1u, 255u}) {
    const std::uint64_t d = remote.descriptor(0, i);
    EXPECT_EQ(POOL + 0x40000 + 512 * i, core.u32(d));
    EXPECT_EQ(0u, core.u32(d + 4));
    EXPECT_EQ(512u, core.u32(d + 8));
    EXPECT_EQ(2, core.u16(d + 12));  // for the device to write
    EXPECT_EQ(i, core.u16(remote.avail(0) + 4 + 2 * i));
  }
  EXPECT_TRUE(remote.wants_interrupt(0));
  EXPECT_FALSE(remote.wants_interrupt(1));
  EXPECT_EQ(256u, seen.all("vring.desc").size());
  EXPECT_EQ((std::vector<std::string>{"0x2806", "0x2806"}), seen.values("vring.setup", "size"));
}

TEST_F(virtio_test, the_first_doorbell_respects_the_remotes_wish) {
  with_rpmsg();
  start();
  EXPECT_EQ(0, shutdown());
  kicks.clear();
  // The ring is zeroed at find_vqs, so the wish has to be made between that and the ready device: when buffers are
  // posted.
  struct suppressor final : trace_sink {
    explicit suppressor(flat_core& c) : core(c) {}
    void on_event(const event& e) override {
      if (e.name == "vring.desc") core.set(POOL + 0x2000, 1, 2);  // used.flags = NO_NOTIFY
    }
    flat_core& core;
  } sink(core);
  context.trace.add(sink, trace_level::detail);
  EXPECT_EQ(0, boot());
  context.trace.remove(sink);
  EXPECT_THAT(kicks, testing::IsEmpty());
}

TEST_F(virtio_test, only_understood_features_are_accepted) {
  with_rpmsg();
  start(table_builder().vdev({{}, {}}, 0xFFFFFFFF));
  EXPECT_EQ(0x30000001u, core.u32(GFEATURES));
}

TEST_F(virtio_test, without_a_kick_op_the_boot_fails) {
  with_rpmsg();
  remoteproc::rproc_ops o = ops();
  o.kick = {};
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  r->set_dma_pool({POOL, POOL_SIZE});
  add();
  firmware(table_builder().vdev().build());
  EXPECT_EQ(-EINVAL, boot());
  EXPECT_TRUE(logged(".kick method not defined for x"));
  EXPECT_EQ("sanity_check prepare parse_fw load start stop unprepare", new_ops());
}

TEST_F(virtio_test, a_driver_that_cannot_probe_marks_the_device_failed_and_the_boot_goes_on) {
  with_rpmsg();
  start(table_builder().vdev({{}}));  // the second queue is missing
  EXPECT_EQ("running", state());
  EXPECT_EQ(0x83, core.u8(STATUS));
  EXPECT_TRUE(logged("probe with driver virtio_rpmsg_bus failed with error -12"));
}

TEST_F(virtio_test, buffers_that_do_not_fit_fail_the_probe_and_give_the_queues_back) {
  with_rpmsg();
  // 0x70000 of the pool go to a carveout: the 256 KiB of buffers find no aligned place.
  start(table_builder().carveout(0xFFFFFFFF, 0x80000, "big").carveout(0xFFFFFFFF, 0x40000, "more").vdev());
  EXPECT_TRUE(logged("probe with driver virtio_rpmsg_bus failed with error -12"));
  run([&] { EXPECT_EQ(os::irqreturn::none, r->vq_interrupt(0)); });
  EXPECT_EQ(0, shutdown());
}

TEST_F(virtio_test, buffers_come_from_a_carveout_of_their_own) {
  with_rpmsg();
  hook["prepare"] = [&] { r->add_carveout("vdev0buffer", 0x9CD00000, 0x9CD00000, 0x40000); };
  start();
  EXPECT_EQ(0x9CD00000u, core.u32(remote().descriptor(0, 0)));
  EXPECT_TRUE(logged("vdev 0 buffer already mapped"));
}

TEST_F(virtio_test, buffers_come_from_a_reserved_region) {
  with_rpmsg();
  hook["prepare"] = [&] { r->add_reserved_carveout("vdev0buffer", 2, 0x9CE00000, 0x80000); };
  start();
  EXPECT_EQ(0x9CE00000u, core.u32(remote().descriptor(0, 0)));
}

TEST_F(virtio_test, a_reserved_region_that_is_not_there_fails_the_boot) {
  with_rpmsg();
  hook["prepare"] = [&] { r->add_reserved_carveout("vdev0buffer", 9, 0x9CE00000, 0x80000); };
  firmware(table_builder().vdev().build());
  make();
  add();
  EXPECT_EQ(-EINVAL, boot());
  EXPECT_TRUE(logged("Can't associate reserved memory"));
}

TEST_F(virtio_test, small_rings_have_fewer_buffers) {
  with_rpmsg();
  start(table_builder().vdev({{.align = 16, .num = 8}, {.align = 16, .num = 8}}));
  remote_side remote(core, core.u32(vring_field(0, 0)), core.u32(vring_field(1, 0)), 8, 16);
  EXPECT_EQ(8, remote.available(0));
  EXPECT_EQ(POOL + 0x1000, core.u32(vring_field(1, 0)));
  EXPECT_EQ(POOL + 0x2000, core.u32(remote.descriptor(0, 0)));
  EXPECT_EQ(POOL + 0x2000 + 7 * 512, core.u32(remote.descriptor(0, 7)));
}

TEST_F(virtio_test, rings_of_different_size_are_a_warning) {
  with_rpmsg();
  start(table_builder().vdev({{.num = 16}, {.num = 8}}));
  EXPECT_TRUE(logged("WARNING: rings of different size"));
  EXPECT_EQ(7, core.u8(STATUS));
}

TEST_F(virtio_test, a_ring_whose_books_are_too_large_is_enomem) {
  with_rpmsg();
  hook["prepare"] = [&] { r->add_carveout("vdev0vring0", 0x9D000000, 0x9D000000, 0x800000); };
  start(table_builder().vdev({{.align = 16, .num = 0x40001}, {}}));
  EXPECT_TRUE(logged("vring_new_virtqueue input failed"));
  EXPECT_EQ(0x83, core.u8(STATUS));
  EXPECT_EQ(0xFFFFFFFFu, core.u32(vring_field(0, 12)));  // its notify id is given back at once
  EXPECT_EQ(0, shutdown());
}

TEST_F(virtio_test, an_unknown_or_idle_doorbell_is_not_handled) {
  with_rpmsg();
  start();
  run([&] {
    EXPECT_EQ(os::irqreturn::none, r->vq_interrupt(2));
    EXPECT_EQ(os::irqreturn::none, r->vq_interrupt(-1));
    EXPECT_EQ(os::irqreturn::none, r->vq_interrupt(0));
    remote().send(1, 2, "x");
    EXPECT_EQ(os::irqreturn::handled, r->vq_interrupt(0));
  });
  EXPECT_EQ(0, shutdown());
  run([&] { EXPECT_EQ(os::irqreturn::none, r->vq_interrupt(0)); });
}

// ---- a queue by itself

class virtqueue_test : public rproc_test {
 protected:
  virtio::virtqueue make_queue(std::uint32_t num, std::uint32_t features = 0) {
    return virtio::virtqueue(kernel, {.name = "q",
                                      .index = 1,
                                      .num = num,
                                      .align = 16,
                                      .pa = POOL,
                                      .features = features,
                                      .log_name = "virtio virtio0",
                                      .trace_name = "remoteproc0",
                                      .notify = [this] { ++notified; },
                                      .callback = [this](virtio::virtqueue&) { ++called; }});
  }
  remote_side far{core, 0, POOL, 4, 16};
  unsigned notified = 0, called = 0;
};

TEST_F(virtqueue_test, descriptors_are_used_again_in_the_order_they_come_back) {
  run([&] {
    virtio::virtqueue q = make_queue(4);
    for (std::uint64_t b : {0x100, 0x200, 0x300, 0x400}) EXPECT_EQ(0, q.add_out(b, 16));
    EXPECT_EQ(-ENOSPC, q.add_out(0x500, 16));
    EXPECT_EQ(1u, notified);  // full: the device is pushed
    EXPECT_EQ(-ENOSPC, q.add_in(0x500, 16));
    EXPECT_EQ(1u, notified);
    EXPECT_FALSE(q.get_buf());
    far.give_back(1, 2, 7);
    far.give_back(1, 0, 9);
    auto used = q.get_buf();
    ASSERT_TRUE(used);
    EXPECT_EQ(0x300u, used->buffer);
    EXPECT_EQ(7u, used->length);
    EXPECT_EQ(0x100u, q.get_buf()->buffer);
    EXPECT_EQ(0, q.add_out(0x600, 16));  // takes 0, the last that came back
    EXPECT_EQ(0x600u, core.u32(far.descriptor(1, 0)));
    EXPECT_EQ(0, core.u16(far.avail(1) + 4));  // the ring's fifth entry wraps to its first
    EXPECT_EQ(5, far.available(1));
  });
}

TEST_F(virtqueue_test, indices_wrap_at_16_bits) {
  run(
      [&] {
        virtio::virtqueue q = make_queue(4);
        for (unsigned i = 0; i < 70000; ++i) {
          ASSERT_EQ(0, q.add_out(0x100 + i, 16));
          q.kick_prepare();
          const auto id = far.take(1);
          ASSERT_TRUE(id);
          far.give_back(1, *id, i);
          const auto used = q.get_buf();
          ASSERT_TRUE(used);
          ASSERT_EQ(0x100u + i, used->buffer);
          ASSERT_EQ(i, used->length);
        }
      },
      60000);
}

TEST_F(virtqueue_test, bad_used_entries_break_the_queue) {
  run([&] {
    virtio::virtqueue q = make_queue(4);
    EXPECT_EQ(0, q.add_in(0x100, 512));
    far.give_back(1, 4, 0);
    EXPECT_FALSE(q.get_buf());
    EXPECT_TRUE(q.broken());
    EXPECT_TRUE(logged("q:id 4 out of range"));
    EXPECT_EQ(-EIO, q.add_in(0x200, 512));
    EXPECT_EQ(os::irqreturn::handled, q.interrupt());
    EXPECT_EQ(0u, called);
    EXPECT_TRUE(q.enable_cb());
    q.notify();
    EXPECT_EQ(0u, notified);
  });
}

TEST_F(virtqueue_test, a_used_entry_that_was_not_in_flight_breaks_the_queue) {
  run([&] {
    virtio::virtqueue q = make_queue(4);
    EXPECT_EQ(0, q.add_in(0x100, 512));
    far.give_back(1, 1, 0);
    EXPECT_FALSE(q.get_buf());
    EXPECT_TRUE(logged("q:id 1 is not a head!"));
  });
}

TEST_F(virtqueue_test, a_chain_that_the_device_makes_endless_is_an_oops) {
  EXPECT_FALSE(run([&] {
    virtio::virtqueue q = make_queue(4);
    EXPECT_EQ(0, q.add_in(0x100, 512));
    for (unsigned i = 0; i < 4; ++i) core.set(far.descriptor(1, i) + 12, 1, 2);
    far.give_back(1, 0, 0);
    q.get_buf();
  }));
  EXPECT_EQ(std::vector<std::string>{"vring-loop"}, oopses());
}

TEST_F(virtqueue_test, interrupt_suppression_by_flag) {
  run([&] {
    virtio::virtqueue q = make_queue(4);
    EXPECT_TRUE(far.wants_interrupt(1));
    q.disable_cb();
    EXPECT_FALSE(far.wants_interrupt(1));
    EXPECT_TRUE(q.enable_cb());
    EXPECT_TRUE(far.wants_interrupt(1));
    EXPECT_EQ(0, q.add_in(0x100, 512));
    q.disable_cb();
    far.give_back(1, 0, 0);
    EXPECT_FALSE(q.enable_cb());  // one is waiting already
    core.set(far.used(1), 1, 2);  // NO_NOTIFY
    EXPECT_FALSE(q.kick_prepare());
    core.set(far.used(1), 0, 2);
    EXPECT_TRUE(q.kick_prepare());
  });
}

TEST_F(virtqueue_test, interrupt_suppression_by_event_index) {
  const std::uint64_t used_event = far.avail(1) + 4 + 2 * 4, avail_event = far.used(1) + 4 + 8 * 4;
  run([&] {
    virtio::virtqueue q = make_queue(4, virtio::RING_F_EVENT_IDX);
    core.set(far.used(1), 1, 2);  // NO_NOTIFY does not count
    EXPECT_EQ(0, q.add_in(0x100, 512));
    EXPECT_TRUE(q.kick_prepare());  // the device asked from 0 on
    EXPECT_EQ(0, q.add_in(0x200, 512));
    EXPECT_FALSE(q.kick_prepare());
    core.set(avail_event, 2, 2);
    EXPECT_EQ(0, q.add_in(0x300, 512));
    EXPECT_TRUE(q.kick_prepare());
    far.give_back(1, 0, 0);
    EXPECT_TRUE(q.get_buf());
    EXPECT_EQ(1, core.u16(used_event));
    q.disable_cb();
    EXPECT_EQ(0, core.u16(used_event));
    EXPECT_TRUE(far.wants_interrupt(1));  // the flag is not touched
    EXPECT_TRUE(q.enable_cb());
    EXPECT_EQ(1, core.u16(used_event));
  });
}

TEST_F(virtqueue_test, a_number_that_is_no_power_of_two_stays_within_the_ring) {
  run([&] {
    virtio::virtqueue q = make_queue(6);
    remote_side six(core, 0, POOL, 6, 16);
    for (unsigned i = 0; i < 6; ++i) EXPECT_EQ(0, q.add_in(0x100 + i, 512));
    for (unsigned i = 0; i < 6; ++i) EXPECT_GE(5, core.u16(six.avail(1) + 4 + 2 * i));
    EXPECT_EQ(-ENOSPC, q.add_in(0x200, 512));
  });
}

TEST_F(virtqueue_test, use_after_deletion_is_an_oops) {
  EXPECT_FALSE(run([&] {
    virtio::virtqueue q = make_queue(4);
    q.destroy();
    q.add_in(0x100, 512);
  }));
  EXPECT_EQ(std::vector<std::string>{"vring-uaf"}, oopses());
}

// ---- config space

/// A driver that only looks at the config space.
class config_driver final : public virtio::driver {
 public:
  std::string_view name() const override { return "virtio_config_test"; }
  std::uint32_t device_id() const override { return 42; }
  std::uint32_t features() const override { return 0; }
  int probe(virtio::device& d) override {
    d.get_config(0, std::span(first));
    const std::array change{std::byte{'X'}};
    d.set_config(3, change);
    d.get_config(1, std::span(outside));
    d.get_config(0xFFFFFFFE, std::span(outside));
    return 0;
  }
  void remove(virtio::device&) override {}
  std::array<std::byte, 4> first{};
  std::array<std::byte, 4> outside{};
};

TEST_F(virtio_test, config_space_lies_behind_the_rings_and_is_bounded) {  // §7.4
  config_driver driver;
  machine.provide<virtio::driver>(tree->root(), &driver);
  bytes config;
  for (const char c : std::string("conf")) config.push_back(static_cast<std::byte>(c));
  start(table_builder().vdev({{}, {}}, 0, config, 42));
  EXPECT_EQ(0, std::memcmp(driver.first.data(), "conf", 4));
  EXPECT_EQ("conX", core.text(TABLE + 24 + 24 + 40, 4));
  EXPECT_EQ(std::byte{0}, driver.outside[0]);
  EXPECT_EQ(2u, lines("rproc_virtio_get: access out of bounds").size());
  EXPECT_EQ(7, core.u8(STATUS));  // ready, though the driver did not say so
  EXPECT_EQ(0, shutdown());
  EXPECT_TRUE(logged("WARNING: the driver did not reset the device"));
  EXPECT_EQ(7, core.u8(STATUS));
}

}  // namespace
}  // namespace rpsim::test
