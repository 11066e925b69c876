// The resource table's checks, handlers and write-backs (reference/remoteproc-core.md §3), and the memory behind them.

#include "host_sw/remoteproc/resource_table.h"

#include "host_sw/remoteproc/dma_pool.h"
#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

using remoteproc::dma_pool;

TEST(resource_table, ring_sizes_are_linuxs) {  // §3.5
  struct {
    std::uint32_t num, align;
    std::uint64_t bytes;
  } const rings[] = {{8, 16, 230}, {16, 16, 438}, {16, 4096, 4230}, {256, 16, 6678}, {256, 4096, 10246}};
  for (const auto& v : rings) EXPECT_EQ(v.bytes, virtio::vring_size(v.num, v.align)) << v.num << " " << v.align;
}

TEST(resource_table, the_pool_lays_out_rings_and_buffers_where_ti_firmware_looks) {
  dma_pool pool(0x9CB00000, 0x100000, 0x9CB00000);
  EXPECT_EQ(0x9CB00000u, pool.allocate(0x3000));
  EXPECT_EQ(0x9CB04000u, pool.allocate(0x3000));
  EXPECT_EQ(0x9CB40000u, pool.allocate(512 * 512));
  EXPECT_EQ(0x9CB08000u, pool.allocate(1));
  EXPECT_EQ(std::nullopt, pool.allocate(0x100000));
  EXPECT_EQ(std::nullopt, pool.allocate(0));
  pool.free(0x9CB00000, 0x3000);
  EXPECT_EQ(0x9CB00000u, pool.allocate(0x4000));
}

TEST(resource_table, a_pool_gives_aligned_runs_only_and_never_more_than_it_has) {
  dma_pool pool(0x1000, 5 * 4096, 0x80001000);
  EXPECT_EQ(0x1000u, pool.allocate(4096));
  EXPECT_EQ(0x3000u, pool.allocate(8192));  // the page between is not aligned for it
  EXPECT_EQ(std::nullopt, pool.allocate(8192));
  EXPECT_EQ(0x2000u, pool.allocate(4096));
  EXPECT_EQ(0x80002000u, pool.device_address(0x2000));
  EXPECT_EQ(0x5000u, pool.allocate(1));
  EXPECT_EQ(std::nullopt, pool.allocate(1));
}

class resource_table_test : public rproc_test {
 protected:
  int boot_with(const bytes& table) {
    if (r == nullptr) {
      make();
      add();
    }
    firmware(table);
    return boot();
  }
  /// The boot fails in the walk, everything is rolled back, and a good table boots afterwards.
  void expect_refused(int error, const char* message, const bytes& table) {
    const std::size_t before = seen.all("rproc.op").size();
    EXPECT_EQ(error, boot_with(table)) << message;
    EXPECT_TRUE(logged(message)) << message;
    EXPECT_TRUE(logged(fmt::format("Failed to process resources: {}", error)));
    std::string order;
    const auto all = seen.all("rproc.op");
    for (std::size_t i = before; i < all.size(); ++i) order += all[i].fields.at("op") + " ";
    EXPECT_EQ("sanity_check prepare parse_fw unprepare ", order) << message;
    EXPECT_EQ(0, r->power());
  }
};

bytes cut(bytes table, std::size_t from_end) {
  table.resize(table.size() - from_end);
  return table;
}

bytes with_u32(bytes table, std::size_t at, std::uint32_t value) {
  for (unsigned i = 0; i < 4; ++i) table.at(at + i) = static_cast<std::byte>(value >> (8 * i));
  return table;
}

TEST_F(resource_table_test, entries_that_do_not_lie_in_the_table) {
  const bytes good = table_builder().trace(TABLE, 16).build();
  const auto size = static_cast<std::uint32_t>(good.size());
  for (const std::uint32_t offset : {0u, 15u, size, size - 3, 0xFFFFFFFFu}) {
    expect_refused(-EINVAL, "rsc table is truncated", with_u32(good, 16, offset));
  }
  EXPECT_EQ(-EINVAL, boot_with(with_u32(good, 16, size - 4)));  // a type that is a piece of the name, or a handler's no
  EXPECT_EQ(0, boot_with(good));
}

TEST_F(resource_table_test, truncated_entries) {
  expect_refused(-EINVAL, "carveout rsc is truncated", cut(table_builder().carveout(0, 1, "a").build(), 1));
  expect_refused(-EINVAL, "trace rsc is truncated", cut(table_builder().trace(0, 1).build(), 1));
  expect_refused(-EINVAL, "vdev rsc is truncated", cut(table_builder().vdev().build(), 1));
  expect_refused(-EINVAL, "vdev rsc is truncated", cut(table_builder().vdev().build(), 45));
  expect_refused(-EINVAL, "vdev rsc is truncated", cut(table_builder().vdev({{}, {}}, 1, bytes(8)).build(), 1));
}

TEST_F(resource_table_test, a_config_length_that_overflows_is_truncated) {
  expect_refused(-EINVAL, "vdev rsc is truncated", with_u32(table_builder().vdev().build(), 20 + 4 + 16, 0xFFFFFFFF));
}

TEST_F(resource_table_test, reserved_fields_must_be_zero) {
  expect_refused(-EINVAL, "carveout rsc has non zero reserved bytes", table_builder().carveout(0, 1, "a", 1).build());
  expect_refused(-EINVAL, "trace rsc has non zero reserved bytes", table_builder().trace(0, 1, "t", 1).build());
  expect_refused(-EINVAL, "vdev rsc has non zero reserved bytes",
                 table_builder().vdev({{}, {}}, 1, {}, 7, 0x100).build());
}

TEST_F(resource_table_test, more_than_two_rings) {
  expect_refused(-EINVAL, "too many vrings: 3", table_builder().vdev({{}, {}, {}}).build());
  expect_refused(-EINVAL, "vdev rsc is truncated", [] {
    bytes t = table_builder().vdev().build();
    t[20 + 4 + 21] = std::byte{255};
    return t;
  }());
}

TEST_F(resource_table_test, a_devmem_entry_needs_an_iommu) {  // §9 vector 9
  expect_refused(-EINVAL, "Failed to process resources", table_builder().memory(1, 0x1000, 0x1000, "uart").build());
}

TEST_F(resource_table_test, unknown_types_are_skipped_and_vendor_types_are_the_drivers) {
  remoteproc::rproc_ops o = ops();
  std::vector<std::pair<std::uint32_t, std::size_t>> asked;
  int answer = 0;
  o.handle_rsc = [&](remoteproc::rproc&, std::uint32_t type, std::span<const std::byte> payload, std::size_t offset) {
    asked.emplace_back(type, offset);
    EXPECT_EQ(std::byte{0x5A}, payload[0]);
    return answer;
  };
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  add();
  const bytes payload(8, std::byte{0x5A});
  firmware(table_builder()
               .entry(4, payload)
               .entry(127, payload)
               .entry(128, payload)
               .entry(512, payload)
               .entry(513, payload)
               .build());
  EXPECT_EQ(0, boot());
  EXPECT_EQ(0, shutdown());
  ASSERT_EQ(2u, asked.size());
  EXPECT_EQ(128u, asked[0].first);
  EXPECT_EQ(512u, asked[1].first);
  EXPECT_EQ(16 + 5 * 4 + 2 * 12 + 4u, asked[0].second);
  for (const char* text : {"unsupported resource 4", "unsupported resource 127", "unsupported resource 513"}) {
    EXPECT_TRUE(logged(text)) << text;
  }
  EXPECT_FALSE(logged("unsupported vendor resource"));
  answer = 1;
  EXPECT_EQ(0, boot());
  EXPECT_TRUE(logged("unsupported vendor resource 128"));
  EXPECT_EQ(0, shutdown());
  answer = -EPERM;
  EXPECT_EQ(-EPERM, boot());
}

// ---- carveouts

TEST_F(resource_table_test, a_carveout_of_the_firmware_comes_from_the_pool_and_is_written_back) {
  EXPECT_EQ(0, boot_with(table_builder().carveout(0xFFFFFFFF, 0x1800, "heap").build()));
  const std::uint64_t entry = TABLE + 16 + 4 + 4;
  EXPECT_EQ(POOL, core.u32(entry));         // da
  EXPECT_EQ(POOL, core.u32(entry + 4));     // pa
  EXPECT_EQ(0x1800u, core.u32(entry + 8));  // len
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ((std::vector<std::string>{"add", "remove"}), seen.values("rproc.carveout", "what"));
  core.fill_in(POOL, bytes(64, std::byte{0xEE}));
  EXPECT_EQ(0, boot());
  EXPECT_EQ(0, core.u8(POOL));  // coherent memory is zeroed
}

TEST_F(resource_table_test, a_fixed_address_that_the_pool_does_not_give_is_only_a_warning) {
  EXPECT_EQ(0, boot_with(table_builder().carveout(0x70000000, 0x1000, "heap").build()));
  EXPECT_TRUE(logged("Allocated carveout doesn't fit device address request"));
  EXPECT_EQ(0x70000000u, core.u32(TABLE + 24));
  EXPECT_EQ(POOL, core.u32(TABLE + 28));
}

TEST_F(resource_table_test, a_carveout_larger_than_the_pool_is_enomem) {
  EXPECT_EQ(-ENOMEM, boot_with(table_builder().carveout(0xFFFFFFFF, POOL_SIZE + 1, "heap").build()));
  EXPECT_TRUE(logged("failed to allocate dma memory: len 0x100001"));
  EXPECT_TRUE(logged("Unable to allocate carveout heap: -12"));
  EXPECT_EQ(-ENOMEM, boot_with(table_builder().carveout(0xFFFFFFFF, 0, "nothing").build()));
}

class registered_carveout_test : public resource_table_test {
 protected:
  int boot_registered(std::uint32_t da, std::uint32_t len, std::uint32_t registered_da = 0x1000) {
    hook["prepare"] = [this, registered_da] { r->add_carveout("mem", 0x9CC30000, registered_da, 0x2000); };
    return boot_with(table_builder().carveout(da, len, "mem").build());
  }
};

TEST_F(registered_carveout_test, is_bound_to_the_entry_of_its_name) {
  EXPECT_EQ(0, boot_registered(0x1800, 0x800));
  EXPECT_EQ(0x1000u, core.u32(TABLE + 24));  // the registered one's values, not the request's
  EXPECT_EQ(0x9CC30000u, core.u32(TABLE + 28));
  EXPECT_EQ(0x2000u, core.u32(TABLE + 32));
  run([&] { EXPECT_EQ(flat_core::IRAM + 0x1010, r->da_to_pa(0x1010, 16)); });  // the driver's own map comes first
}

TEST_F(registered_carveout_test, must_hold_the_request) {  // §9 vector 10
  EXPECT_EQ(-ENOMEM, boot_registered(0x1000, 0x2001));
  EXPECT_EQ(-ENOMEM, boot_registered(0x0FFF, 0x10));
  EXPECT_EQ(-ENOMEM, boot_registered(0x2800, 0x801));
  EXPECT_EQ(-ENOMEM, boot_registered(0x1000, 0x10, 0xFFFFFFFF));
  EXPECT_EQ(0, boot_registered(0xFFFFFFFF, 0x2000));
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ(0, boot_registered(0xFFFFFFFF, 0x10, 0xFFFFFFFF));
}

TEST_F(registered_carveout_test, cannot_be_bound_twice) {
  hook["prepare"] = [this] { r->add_carveout("mem", 0x9CC30000, 0x1000, 0x2000); };
  EXPECT_EQ(-ENOMEM,
            boot_with(table_builder().carveout(0xFFFFFFFF, 16, "mem").carveout(0xFFFFFFFF, 16, "mem").build()));
  EXPECT_TRUE(logged("Carveout already associated to resource table"));
}

TEST_F(resource_table_test, addresses_translate_through_carveouts_with_linuxs_signed_distance) {
  make();
  run([&] {
    r->add_carveout("a", 0x9CC30000, 0xC0000000, 0x1000);
    r->add_carveout("b", 0x9CC40000, 0xC0000000, 0x2000);
    r->add_reserved_carveout("unmapped", 2, 0xD0000000, 0x1000);
    EXPECT_EQ(0x9CC30004u, r->da_to_pa(0xC0000004, 4));
    EXPECT_EQ(0x9CC40FFFu, r->da_to_pa(0xC0000FFF, 2));  // the first that holds all of it
    EXPECT_EQ(0u, r->da_to_pa(0xC0001FFF, 2));
    EXPECT_EQ(0u, r->da_to_pa(0xBFFFFFFF, 1));
    EXPECT_EQ(0u, r->da_to_pa(0xD0000000, 1));
    EXPECT_EQ(0x9CC30000u, r->da_to_pa(0x1C0000000, 1));  // an int keeps 32 bits of the distance
  });
}

TEST_F(resource_table_test, a_carveout_name_with_a_conversion_is_an_oops) {  // H10
  EXPECT_EQ(-9999, boot_with(table_builder().carveout(0xFFFFFFFF, 16, "100%s").build()));
  EXPECT_EQ(std::vector<std::string>{"H10"}, oopses());
}

TEST_F(resource_table_test, a_carveout_name_without_an_end_is_an_oops) {  // H10
  EXPECT_EQ(-9999, boot_with(table_builder().carveout(0xFFFFFFFF, 16, std::string(32, 'x')).build()));
  EXPECT_EQ(std::vector<std::string>{"H10"}, oopses());
}

TEST_F(resource_table_test, a_carveout_name_that_ends_in_the_next_entry_is_cut) {
  EXPECT_EQ(0, boot_with(table_builder().carveout(0xFFFFFFFF, 16, std::string(32, 'x')).trace(TABLE, 4).build()));
  EXPECT_EQ(std::vector<std::string>{std::string(31, 'x')}, seen.values("rproc.carveout", "carveout"));
}

TEST_F(resource_table_test, a_doubled_percent_sign_is_one) {
  EXPECT_EQ(0, boot_with(table_builder().carveout(0xFFFFFFFF, 16, "100%%").build()));
  EXPECT_EQ(std::vector<std::string>{"100%"}, seen.values("rproc.carveout", "carveout"));
}

// ---- vdevs

TEST_F(resource_table_test, a_vdev_that_cannot_be_made_does_not_fail_the_boot) {  // H8
  EXPECT_EQ(0, boot_with(table_builder().vdev({{.num = 0}, {}}).build()));
  EXPECT_TRUE(logged("invalid qsz (0) or alignment (4096)"));
  EXPECT_EQ(-1, r->max_notifyid());
  EXPECT_EQ(0, shutdown());  // it never became one: no H7 either
  EXPECT_EQ(0, boot_with(table_builder().vdev({{}, {.align = 0}}).build()));
  EXPECT_EQ(0, shutdown());
  EXPECT_THAT(oopses(), testing::IsEmpty());
}

TEST_F(resource_table_test, a_vdev_with_fewer_than_two_rings_is_an_oops_at_the_end) {  // H7
  EXPECT_EQ(0, boot_with(table_builder().vdev({{}}).build()));
  EXPECT_EQ(-9999, shutdown());
  EXPECT_EQ(std::vector<std::string>{"H7"}, oopses());
}

TEST_F(resource_table_test, a_vdev_without_rings_is_an_oops_at_the_end) {  // H7
  EXPECT_EQ(0, boot_with(table_builder().vdev({}).build()));
  EXPECT_EQ(-9999, shutdown());
  EXPECT_EQ(std::vector<std::string>{"H7"}, oopses());
}

TEST_F(resource_table_test, notify_ids_are_the_hosts_and_reach_the_remote_with_the_table) {
  EXPECT_EQ(0, boot_with(table_builder().vdev({{.notifyid = 5}, {.notifyid = 5}}).build()));
  EXPECT_EQ(0u, core.u32(vring_field(0, 12)));
  EXPECT_EQ(1u, core.u32(vring_field(1, 12)));
  EXPECT_EQ(table_builder::ANY, core.u32(vring_field(0, 0)));  // no virtio driver asked for queues
  EXPECT_EQ(1, core.u8(STATUS));                               // seen by the bus only
}

TEST_F(resource_table_test, two_vdevs_get_four_ids) {
  const table_builder::ring small{.align = 16, .num = 8};
  EXPECT_EQ(0, boot_with(table_builder().vdev({small, small}).vdev({small, small}, 1, {}, 9).build()));
  EXPECT_EQ(3, r->max_notifyid());
  EXPECT_TRUE(logged("registered virtio1 (type 9)"));
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ(0, boot());
  EXPECT_EQ(3, r->max_notifyid());
}

TEST_F(resource_table_test, rings_take_registered_carveouts_if_these_fit) {
  hook["prepare"] = [&] {
    r->add_carveout("vdev0vring0", 0x9CC30000, 0x9CC30000, 0x1000);
    r->add_carveout("vdev0vring1", 0x9CC31000, 0x9CC31000, 0x1000);
  };
  const table_builder::ring small{.align = 16, .num = 8};
  EXPECT_EQ(0, boot_with(table_builder().vdev({small, small}).build()));
  EXPECT_EQ(1, r->max_notifyid());
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ(0, boot_with(table_builder().vdev().build()));  // 0x3000 bytes: ENOMEM inside, unseen (H8)
  EXPECT_TRUE(logged("Registered carveout doesn't fit len request"));
  EXPECT_EQ(-1, r->max_notifyid());
}

TEST_F(resource_table_test, the_second_ring_s_failure_gives_the_first_one_back) {
  hook["prepare"] = [&] { r->add_carveout("vdev0vring1", 0x9CC31000, 0x9CC31000, 0x1000); };
  EXPECT_EQ(0, boot_with(table_builder().vdev().build()));
  EXPECT_EQ(0u, core.u32(vring_field(0, 0)));
  EXPECT_EQ(0xFFFFFFFFu, core.u32(vring_field(0, 12)));
  run([&] { EXPECT_EQ(os::irqreturn::none, r->vq_interrupt(0)); });
}

TEST_F(resource_table_test, absurd_ring_sizes_are_enomem) {
  for (const std::uint32_t num : {0x10000000u, 0x80000000u, 0xFFFFFFFFu}) {
    EXPECT_EQ(-ENOMEM, boot_with(table_builder().vdev({{.num = num}, {}}).build())) << num;
  }
  EXPECT_EQ(-ENOMEM, boot_with(table_builder().vdev({{.align = 0x80000000}, {}}).build()));
}

// ---- live tables

TEST_F(resource_table_test, attach_walks_the_live_table_without_checking_its_header) {  // H11
  bytes table = table_builder().vdev().build();
  table[0] = std::byte{9};  // version
  table[8] = std::byte{1};  // reserved
  install_live(table);
  make();
  run([&] { r->set_detached(); });
  add();
  EXPECT_EQ(0, boot());
  EXPECT_EQ(1, r->max_notifyid());
  EXPECT_EQ(0, detach());
  core.set(TABLE + 4, 1000, 4);  // entries: the array of offsets runs into the first entry
  EXPECT_EQ(-EINVAL, boot());
  EXPECT_TRUE(logged("rsc table is truncated"));
}

TEST_F(resource_table_test, cut_at_any_length_a_live_table_fails_or_attaches) {
  const bytes good =
      table_builder().carveout(0xFFFFFFFF, 64, "heap").trace(TABLE, 16).vdev({{}, {}}, 1, bytes(12)).build();
  for (std::size_t size = 1; size <= good.size(); ++size) {
    core.fill_in(TABLE, bytes(LIVE_SIZE));
    core.fill_in(TABLE, std::span(good).first(size));
    loaded = {.pa = TABLE, .size = size};
    run([&] {
      auto one = remoteproc::rproc::alloc(machine, parent, "one", ops(), "fw");
      one->set_dma_pool({POOL, POOL_SIZE});
      one->set_detached();
      const int error = one->boot();
      if (size == good.size()) {
        EXPECT_EQ(0, error);
      } else if (size > 28) {
        EXPECT_EQ(-EINVAL, error) << size;
      }
      if (error == 0) {
        EXPECT_EQ(0, one->detach());
      }
    });
  }
  EXPECT_THAT(oopses(), testing::IsEmpty());
}

TEST_F(resource_table_test, random_live_tables_end_in_an_errno_or_an_oops_never_in_a_crash) {
  random_stream& rng = context.rng.stream("fuzz");
  const bytes good =
      table_builder().carveout(0xFFFFFFFF, 64, "heap").trace(TABLE, 16).vdev({{}, {}}, 1, bytes(12)).build();
  for (int i = 0; i < 500; ++i) {
    bytes table = good;
    for (std::uint64_t n = 1 + rng.below(6); n != 0; --n) table[rng.below(table.size())] = std::byte(rng.next() & 0xFF);
    install_live(table);
    loaded.size = 1 + rng.below(LIVE_SIZE);
    std::unique_ptr<remoteproc::rproc> one;
    run([&] {
      one = remoteproc::rproc::alloc(machine, parent, "one", ops(), "fw");
      one->set_dma_pool({POOL, POOL_SIZE});
      one->set_detached();
      if (one->boot() == 0) one->shutdown();
    });
  }
}

}  // namespace
}  // namespace rpsim::test
