// The ELF loader's checks, in Linux's order and with Linux's words (reference/remoteproc-core.md §4).

#include "host_sw/remoteproc/elf_loader.h"

#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

class elf_loader_test : public rproc_test {
 protected:
  void SetUp() override {
    make();
    add();
  }
  /// Boots the image; the state of the log tells why it failed.
  int boot_image(const std::string& image) {
    firmware(image);
    return boot();
  }
  /// What the sanity check says of an image.
  int check(const std::string& image) {
    int error = 1;
    run([&] { error = remoteproc::elf::sanity_check(*r, std::make_shared<const std::string>(image)); });
    return error;
  }
  std::string last_error() {
    std::string text;
    for (const auto& e : seen.all("host.log")) {
      if (e.fields.at("level") == "err") text = e.fields.at("text");
    }
    return text;
  }
};

struct defect {
  const char* name;
  const char* message;
  std::function<std::string(elf_builder&)> spoil;
};

TEST_F(elf_loader_test, sanity_check_refuses_in_linuxs_order) {
  const defect defects[] = {
      {"no header", "Image is too small", [](elf_builder& e) { return e.build().substr(0, 51); }},
      {"magic", "Image is corrupted (bad magic)", [](elf_builder& e) { return patched(e.build(), 1, 'F', 1); }},
      {"class", "Unsupported class: 3", [](elf_builder& e) { return patched(e.build(), 4, 3, 1); }},
      {"short ELF64", "elf64 header is too small",
       [](elf_builder& e) { return patched(e.build(), 4, 2, 1).substr(0, 60); }},
      {"big endian", "Unsupported firmware endianness", [](elf_builder& e) { return patched(e.build(), 5, 2, 1); }},
      {"shoff", "Section header table is out of bounds",
       [](elf_builder& e) {
         const std::string image = e.build();
         return patched(image, 32, image.size() + 1, 4);
       }},
      {"section headers", "Section headers are out of bounds",
       [](elf_builder& e) { return patched(e.build(), 48, 4, 2); }},
      {"shstrndx", "Image is too small", [](elf_builder& e) { return patched(e.build(), 50, 3, 2); }},
      {"shstrndx without sections", "Image is too small",
       [](elf_builder& e) { return patched(patched(e.build(), 48, 0, 2), 50, 0xFFFF, 2); }},
      {"no segments", "No loadable segments", [](elf_builder& e) { return patched(e.build(), 44, 0, 2); }},
      {"phoff", "Firmware size is too small",
       [](elf_builder& e) {
         const std::string image = e.build();
         return patched(image, 28, image.size() + 1, 4);
       }},
  };
  for (const defect& d : defects) {
    elf_builder e;
    EXPECT_EQ(-EINVAL, boot_image(d.spoil(e))) << d.name;
    EXPECT_EQ(d.message, last_error()) << d.name;
    EXPECT_EQ("sanity_check:EINVAL", new_ops()) << d.name;
  }
  EXPECT_EQ(0, boot_image(elf_builder().build()));
}

TEST_F(elf_loader_test, nothing_that_linux_does_not_look_at_is_refused) {
  elf_builder e;
  std::string image = e.build();
  image = patched(image, 16, 0xFFFF, 2);  // type
  image = patched(image, 18, 0x1234, 2);  // machine
  image = patched(image, 20, 9, 4);       // version
  image = patched(image, 42, 1, 2);       // phentsize
  image = patched(image, 46, 1, 2);       // shentsize
  image = patched(image, 24, 0xFFFFFFF0, 4);
  EXPECT_EQ(0, boot_image(image));
  EXPECT_EQ(0xFFFFFFF0u, r->boot_address());
}

TEST_F(elf_loader_test, offsets_up_to_the_very_end_are_accepted) {
  elf_builder e;
  const std::string image = e.build();
  EXPECT_EQ(0, check(patched(image, 28, image.size(), 4)));        // phoff
  EXPECT_EQ(-EINVAL, check(patched(image, 32, image.size(), 4)));  // no room for the names' header
  EXPECT_EQ(0, check(image));                                      // section headers end the file
  EXPECT_EQ(-EINVAL, check(image.substr(0, image.size() - 1)));
}

TEST_F(elf_loader_test, no_image_is_einval) {
  int error = 0;
  run([&] { error = remoteproc::elf::sanity_check(*r, nullptr); });
  EXPECT_EQ(-EINVAL, error);
  EXPECT_TRUE(logged("failed to load fw"));
}

TEST_F(elf_loader_test, segments_go_to_their_physical_address_and_the_rest_is_zeroed) {
  core.fill_in(flat_core::IRAM + 0x1000, bytes(64, std::byte{0xAA}));
  elf_builder e;
  e.segments = {{.paddr = 0x1000, .content = "data", .memsz = 16, .vaddr = 0x30000},
                {.paddr = TABLE + 0x8000, .content = "ddr"},
                {.paddr = 0xE0000000, .content = "note", .type = 4},           // not LOAD
                {.paddr = 0xE0000000, .content = "", .memsz = 0, .type = 1}};  // nothing to load
  EXPECT_EQ(0, boot_image(e.build()));
  EXPECT_EQ(std::string("data") + std::string(12, '\0') + "\xAA", core.text(flat_core::IRAM + 0x1000, 17));
  EXPECT_EQ("ddr", core.text(TABLE + 0x8000, 3));
}

TEST_F(elf_loader_test, segment_errors) {
  elf_builder e;
  e.segments = {{.paddr = 0, .content = "first"}, {.paddr = 0x1000, .content = "second"}};
  const std::string image = e.build();
  const std::size_t second = e.phoff + 32;

  EXPECT_EQ(-EINVAL, boot_image(patched(image, second + 20, 5, 4)));  // memsz below filesz
  EXPECT_TRUE(logged("bad phdr filesz 0x6 memsz 0x5"));
  EXPECT_EQ("first", core.text(flat_core::IRAM, 5));  // stays written

  EXPECT_EQ(-EINVAL, boot_image(patched(image, second + 4, image.size() - 5, 4)));
  EXPECT_TRUE(logged(fmt::format("truncated fw: need {:#x} avail {:#x}", image.size() + 1, image.size())));

  EXPECT_EQ(-EINVAL, boot_image(patched(image, second + 12, 0x2FFFB, 4)));  // one byte too far
  EXPECT_TRUE(logged("bad phdr da 0x2fffb mem 0x6"));
  EXPECT_EQ(0, boot_image(patched(image, second + 12, 0x2FFFA, 4)));
}

TEST_F(elf_loader_test, program_headers_behind_the_file_read_what_is_in_its_last_page) {
  elf_builder e;
  const std::string image = e.build();
  // Zeros there: type 0, nothing to load.
  EXPECT_EQ(0, boot_image(patched(image, 28, image.size(), 4)));
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ(-9999, boot_image(patched(image, 44, 0xFFFF, 2)));
  EXPECT_EQ(std::vector<std::string>{"elf-overread"}, oopses());
}

TEST_F(elf_loader_test, a_segment_size_that_wraps_is_read_behind_the_image) {
  elf_builder e;
  e.elf_class = 2;
  std::string image = e.build();
  image = patched(image, e.phoff + 8, 0xFFFFFFFFFFFFFFF0, 8);  // offset
  image = patched(image, e.phoff + 32, 0x20, 8);               // filesz: the sum is 0x10
  image = patched(image, e.phoff + 40, 0x20, 8);
  EXPECT_EQ(-9999, boot_image(image));
  EXPECT_EQ(std::vector<std::string>{"elf-overread"}, oopses());
}

TEST_F(elf_loader_test, elf64_is_loaded_too) {
  elf_builder e;
  e.elf_class = 2;
  e.entry = 0x123456789;
  e.segments = {{.paddr = 0x20, .content = "sixty-four", .memsz = 20}};
  EXPECT_EQ(0, boot_image(e.build()));
  EXPECT_EQ("sixty-four", core.text(flat_core::IRAM + 0x20, 10));
  EXPECT_EQ(0x123456789u, r->boot_address());
  EXPECT_EQ(1u, core.u32(TABLE));  // the table's version
}

TEST_F(elf_loader_test, the_table_is_found_by_section_name_and_checked) {
  const auto refused = [&](const char* message, std::function<std::string(elf_builder&)> spoil) {
    elf_builder e;
    EXPECT_EQ(-EINVAL, boot_image(spoil(e))) << message;
    EXPECT_EQ(message, last_error());
    EXPECT_EQ("sanity_check prepare parse_fw:EINVAL unprepare", new_ops());
  };
  refused("resource table truncated", [](elf_builder& e) {
    const std::string image = e.build();
    return patched(image, e.shoff + 40 + 20, image.size(), 4);
  });
  refused("header-less resource table", [](elf_builder& e) {
    e.table.resize(15);
    return e.build();
  });
  refused("unsupported fw ver", [](elf_builder& e) {
    e.table[0] = std::byte{2};
    return e.build();
  });
  refused("non zero reserved bytes", [](elf_builder& e) {
    e.table[12] = std::byte{1};
    return e.build();
  });
  refused("resource table incomplete", [](elf_builder& e) {
    e.table.resize(19);
    return e.build();
  });
  refused("resource table incomplete", [](elf_builder& e) {
    for (int i = 4; i < 8; ++i) e.table[static_cast<std::size_t>(i)] = std::byte{0xFF};
    return e.build();
  });
  elf_builder other;
  other.table_section = ".resource_table2";
  EXPECT_EQ(-EINVAL, boot_image(other.build()));
}

TEST_F(elf_loader_test, a_table_section_whose_end_wraps_is_truncated) {
  elf_builder e;
  e.elf_class = 2;
  std::string image = e.build();
  image = patched(image, e.shoff + 64 + 24, 0xFFFFFFFFFFFFFFF0, 8);
  image = patched(image, e.shoff + 64 + 32, 0x20, 8);
  EXPECT_EQ(-EINVAL, boot_image(image));
  EXPECT_EQ("resource table truncated", last_error());
}

TEST_F(elf_loader_test, section_names_outside_the_image_are_an_oops) {
  elf_builder e;
  const std::string image = e.build();
  EXPECT_EQ(-9999, boot_image(patched(image, e.shoff + 40, 0x7FFFFFFF, 4)));
  EXPECT_EQ(std::vector<std::string>{"elf-overread"}, oopses());
}

TEST_F(elf_loader_test, a_table_without_entries_is_enough) {  // reference/stock-firmware.md item 5
  elf_builder e;
  e.table = table_builder().build();
  EXPECT_EQ(0, boot_image(e.build()));
}

TEST_F(elf_loader_test, the_loaded_table_is_at_the_sections_address_whatever_the_segments) {
  elf_builder e;
  e.table_address = TABLE + 0x128;
  e.segments.push_back({.paddr = TABLE + 0x5820, .content = "x", .vaddr = TABLE + 0x128});
  EXPECT_EQ(0, boot_image(e.build()));
  EXPECT_EQ(1u, core.u32(TABLE + 0x128));
  EXPECT_EQ(std::vector<std::string>{fmt::format("0x{:x}", TABLE + 0x128)}, seen.values("rproc.table", "pa"));
}

TEST_F(elf_loader_test, a_table_that_cannot_be_translated_stays_on_the_heap) {
  elf_builder e;
  e.table_address = 0xE0000000;
  EXPECT_EQ(0, boot_image(e.build()));
  EXPECT_THAT(seen.all("rproc.table"), testing::IsEmpty());
  EXPECT_EQ(std::string::npos, read("/sys/kernel/debug/remoteproc/remoteproc0/resource_table").find("not found"));
}

TEST_F(elf_loader_test, cut_at_any_length_an_image_fails_with_einval_or_loads) {
  elf_builder e;
  const std::string image = e.build();
  for (std::size_t length = 0; length < image.size(); ++length) {
    const int error = boot_image(image.substr(0, length));
    EXPECT_EQ(-EINVAL, error) << length;
  }
  EXPECT_THAT(oopses(), testing::IsEmpty());
}

TEST_F(elf_loader_test, random_damage_ends_in_an_errno_or_an_oops_never_in_a_crash) {
  random_stream& rng = context.rng.stream("fuzz");
  for (int elf_class : {1, 2}) {
    elf_builder e;
    e.elf_class = elf_class;
    e.table = table_builder().carveout(0x9CC10000, 0x1000, "code").trace(TABLE, 8).vdev().build();
    const std::string image = e.build();
    for (int i = 0; i < 400; ++i) {
      std::string damaged = image;
      for (std::uint64_t n = 1 + rng.below(4); n != 0; --n) {
        damaged[rng.below(damaged.size())] = static_cast<char>(rng.next());
      }
      if (rng.below(4) == 0) damaged.resize(rng.below(damaged.size() + 1));
      remoteproc::rproc_ops o = ops();
      std::unique_ptr<remoteproc::rproc> one;
      int error = 0;
      firmware(damaged);
      run([&] {
        one = remoteproc::rproc::alloc(machine, parent, "fuzzed", o, "fw");
        one->set_dma_pool({POOL, POOL_SIZE});
        error = one->boot();
        if (error == 0) error = one->shutdown();
      });
      EXPECT_LE(error, 0);
    }
  }
}

}  // namespace
}  // namespace rpsim::test
