// Core dumps (reference/remoteproc-core.md §6), read back as ELF files.

#include "host_sw/remoteproc/coredump.h"

#include <elf.h>

#include "tests/host_sw/rproc_fixture.h"

namespace rpsim::test {
namespace {

template <typename T>
T at(const std::string& image, std::size_t offset) {
  T value{};
  EXPECT_LE(offset + sizeof value, image.size());
  std::memcpy(&value, image.data() + offset, std::min(sizeof value, image.size() - std::min(offset, image.size())));
  return value;
}

class coredump_test : public rproc_test {
 protected:
  static constexpr const char* MODE = "/sys/class/remoteproc/remoteproc0/coredump";
  static constexpr const char* DATA = "/sys/class/devcoredump/devcd1/data";

  void start(const char* mode, int elf_class = ELFCLASS32) {
    firmware(elf_builder().build());
    if (r == nullptr) make();
    hook["start"] = [this] {
      if (!segments.empty()) return;
      segments = "added";
      r->coredump_add_segment(0x1000, 8);
      r->coredump_add_segment(TABLE + 0x8000, 6);
    };
    if (elf_class != ELFCLASSNONE) {
      EXPECT_EQ(0, r->coredump_set_elf_info(elf_class, EM_ARM));
    }
    r->set_recovery_disabled(false);
    add();
    EXPECT_EQ(0, boot());
    EXPECT_EQ(0, write(MODE, mode));
    core.fill_in(flat_core::IRAM + 0x1000, std::as_bytes(std::span("iram....", 8)));
    core.fill_in(TABLE + 0x8000, std::as_bytes(std::span("memory", 6)));
  }
  std::string segments;
};

TEST_F(coredump_test, is_off_by_default) {
  start("disabled");
  crash();
  EXPECT_EQ("running", state());
  EXPECT_THAT(seen.all("rproc.coredump"), testing::IsEmpty());
  EXPECT_THAT(machine.fs().list("/sys/class/devcoredump"), testing::ElementsAre("disabled"));
}

TEST_F(coredump_test, enabled_copies_the_segments_and_recovers_at_once) {
  start("enabled");
  crash();
  EXPECT_EQ("running", state());
  core.fill_in(flat_core::IRAM + 0x1000, bytes(8));  // too late to matter

  const std::string image = read(DATA);
  const auto header = at<Elf32_Ehdr>(image, 0);
  EXPECT_EQ(0, std::memcmp(header.e_ident, "\177ELF\1\1\1\0\0\0\0\0\0\0\0\0", 16));
  EXPECT_EQ(ET_CORE, header.e_type);
  EXPECT_EQ(EM_ARM, header.e_machine);
  EXPECT_EQ(1u, header.e_version);
  EXPECT_EQ(0x401u, header.e_entry);
  EXPECT_EQ(sizeof header, header.e_phoff);
  EXPECT_EQ(sizeof header, header.e_ehsize);
  EXPECT_EQ(sizeof(Elf32_Phdr), header.e_phentsize);
  EXPECT_EQ(2, header.e_phnum);
  EXPECT_EQ(0, header.e_shnum);
  EXPECT_EQ(0u, header.e_shoff);

  const auto first = at<Elf32_Phdr>(image, header.e_phoff);
  const auto second = at<Elf32_Phdr>(image, header.e_phoff + sizeof first);
  EXPECT_EQ(PT_LOAD, first.p_type);
  EXPECT_EQ(sizeof header + 2 * sizeof first, first.p_offset);
  EXPECT_EQ(0x1000u, first.p_vaddr);
  EXPECT_EQ(0x1000u, first.p_paddr);
  EXPECT_EQ(8u, first.p_filesz);
  EXPECT_EQ(8u, first.p_memsz);
  EXPECT_EQ(7u, first.p_flags);
  EXPECT_EQ(0u, first.p_align);
  EXPECT_EQ(first.p_offset + 8, second.p_offset);
  EXPECT_EQ(TABLE + 0x8000, second.p_paddr);
  EXPECT_EQ("iram....memory", image.substr(first.p_offset));
  EXPECT_EQ(std::vector<std::string>{std::to_string(image.size())}, seen.values("rproc.coredump", "size"));
}

TEST_F(coredump_test, elf64_has_the_wide_headers) {
  start("enabled", ELFCLASS64);
  crash();
  const std::string image = read(DATA);
  const auto header = at<Elf64_Ehdr>(image, 0);
  EXPECT_EQ(ELFCLASS64, header.e_ident[EI_CLASS]);
  ASSERT_EQ(2, header.e_phnum);
  const auto second = at<Elf64_Phdr>(image, header.e_phoff + sizeof(Elf64_Phdr));
  EXPECT_EQ("memory", image.substr(second.p_offset, second.p_filesz));
  EXPECT_EQ(image.size(), second.p_offset + second.p_filesz);
  EXPECT_EQ(TABLE + 0x8000, second.p_vaddr);
  EXPECT_EQ(7u, second.p_flags);
}

TEST_F(coredump_test, a_segment_that_cannot_be_reached_is_all_ones) {
  hook["prepare"] = [this] { r->coredump_add_segment(0xE0000000, 3); };
  start("enabled");
  crash();
  const std::string image = read(DATA);
  EXPECT_EQ(
      "\xFF\xFF\xFF"
      "iram....memory",
      image.substr(image.size() - 17));
  EXPECT_TRUE(logged("invalid copy request for segment 0xe0000000"));
}

TEST_F(coredump_test, a_custom_segment_is_filled_by_its_callback) {
  hook["prepare"] = [this] {
    r->coredump_add_custom_segment(0x77, 4,
                                   [](remoteproc::rproc&, std::uint64_t da, std::span<std::byte> to, std::size_t) {
                                     EXPECT_EQ(0x77u, da);
                                     std::ranges::fill(to, std::byte{'c'});
                                   });
  };
  start("enabled");
  crash();
  EXPECT_THAT(read(DATA), testing::EndsWith("cccciram....memory"));
}

TEST_F(coredump_test, without_an_elf_class_there_is_no_dump) {
  start("enabled", ELFCLASSNONE);
  EXPECT_EQ(-EINVAL, r->coredump_set_elf_info(3, EM_ARM));
  crash();
  EXPECT_TRUE(logged("ELF class is not set"));
  EXPECT_EQ("running", state());
}

TEST_F(coredump_test, sections_carry_the_names_of_the_segments) {
  remoteproc::rproc_ops o = ops();
  o.coredump = remoteproc::coredump_using_sections;
  r = remoteproc::rproc::alloc(machine, parent, "x", o, "fw");
  r->set_auto_boot(false);
  r->set_dma_pool({POOL, POOL_SIZE});
  hook["prepare"] = [this] {
    r->coredump_add_custom_segment(0x1000, 8, {}, "iram");
    r->coredump_add_custom_segment(TABLE + 0x8000, 6, {}, "ddr");
  };
  segments = "named";
  start("enabled");
  crash();
  const std::string image = read(DATA);
  const auto header = at<Elf32_Ehdr>(image, 0);
  EXPECT_EQ(0, header.e_phnum);
  EXPECT_EQ(4, header.e_shnum);
  EXPECT_EQ(1, header.e_shstrndx);
  EXPECT_EQ(sizeof header, header.e_shoff);
  const auto section = [&](unsigned i) { return at<Elf32_Shdr>(image, header.e_shoff + i * sizeof(Elf32_Shdr)); };
  EXPECT_EQ(SHT_NULL, section(0).sh_type);
  EXPECT_EQ(SHT_STRTAB, section(1).sh_type);
  EXPECT_EQ(std::string("\0STR_TBL\0iram\0ddr\0", 18), image.substr(section(1).sh_offset, section(1).sh_size));
  const char* const names[] = {"STR_TBL", "iram", "ddr"};
  for (unsigned i = 1; i < 4; ++i) {
    EXPECT_STREQ(names[i - 1], image.c_str() + section(1).sh_offset + section(i).sh_name);
  }
  EXPECT_EQ(SHT_PROGBITS, section(2).sh_type);
  EXPECT_EQ(SHF_WRITE, section(2).sh_flags);
  EXPECT_EQ(0x1000u, section(2).sh_addr);
  EXPECT_EQ("iram....", image.substr(section(2).sh_offset, section(2).sh_size));
  EXPECT_EQ("memory", image.substr(section(3).sh_offset, section(3).sh_size));
  EXPECT_EQ(image.size(), section(3).sh_offset + section(3).sh_size);
}

TEST_F(coredump_test, stays_until_something_is_written_to_it_and_until_then_no_other_is_taken) {
  start("enabled");
  crash();
  const std::string first = read(DATA);
  crash();
  EXPECT_EQ(2u, seen.all("rproc.coredump").size());
  EXPECT_FALSE(machine.fs().exists("/sys/class/devcoredump/devcd2"));
  EXPECT_EQ(first, read("/sys/class/remoteproc/remoteproc0/devcoredump/data"));
  EXPECT_EQ("running\n", read("/sys/class/devcoredump/devcd1/failing_device/state"));
  EXPECT_EQ(0, write(DATA, "x"));
  run_for(1);
  EXPECT_FALSE(machine.fs().exists(DATA));
  EXPECT_FALSE(machine.fs().exists("/sys/class/remoteproc/remoteproc0/devcoredump"));
}

TEST_F(coredump_test, expires_after_five_minutes) {
  start("enabled");
  const double begin = now_ms();
  crash();
  run_for(299'000);
  EXPECT_TRUE(machine.fs().exists(DATA));
  run_for(300'100 - (now_ms() - begin));
  EXPECT_FALSE(machine.fs().exists(DATA));
}

TEST_F(coredump_test, can_be_disabled_for_good) {
  start("enabled");
  crash();
  EXPECT_EQ("0\n", read("/sys/class/devcoredump/disabled"));
  EXPECT_EQ(-EINVAL, write("/sys/class/devcoredump/disabled", "0"));
  EXPECT_EQ(0, write("/sys/class/devcoredump/disabled", "1\n"));
  EXPECT_FALSE(machine.fs().exists(DATA));
  crash();
  EXPECT_THAT(machine.fs().list("/sys/class/devcoredump"), testing::ElementsAre("disabled"));
  EXPECT_EQ("1\n", read("/sys/class/devcoredump/disabled"));
}

TEST_F(coredump_test, inline_reads_memory_late_and_holds_recovery_and_the_lock_until_freed) {
  start("inline");
  int stopped = 1;
  crash();
  kernel.spawn("stop", [&] { stopped = r->shutdown(); });
  run_for(1000);
  EXPECT_EQ("offline", state());
  EXPECT_EQ(1, stopped);  // waits for the lock
  core.fill_in(flat_core::IRAM + 0x1000, std::as_bytes(std::span("changed.", 8)));
  EXPECT_THAT(read(DATA), testing::EndsWith("changed.memory"));
  EXPECT_TRUE(logged("Ramdump done, "));
  run_for(1000);
  EXPECT_EQ("offline", state());  // reading it is not enough
  EXPECT_EQ(0, write(DATA, "done"));
  run_for(1);
  EXPECT_EQ(0, stopped);
  EXPECT_EQ("offline", state());
  EXPECT_EQ(std::vector<std::string>{"0"}, seen.values("rproc.recovery", "result"));
}

TEST_F(coredump_test, inline_goes_on_after_five_minutes) {
  start("inline");
  crash();
  run_for(299'000);
  EXPECT_EQ("offline", state());
  run_for(2'000);
  EXPECT_EQ("running", state());
}

TEST_F(coredump_test, inline_with_a_dump_still_there_does_not_wait) {
  start("enabled");
  crash();
  EXPECT_EQ(0, write(MODE, "inline"));
  crash();
  EXPECT_EQ("running", state());
}

TEST_F(coredump_test, segments_go_with_the_resources) {
  start("enabled");
  EXPECT_EQ(0, shutdown());
  EXPECT_EQ(0, boot());  // the hook adds none again
  crash();
  EXPECT_THAT(seen.all("rproc.coredump"), testing::IsEmpty());
}

}  // namespace
}  // namespace rpsim::test
