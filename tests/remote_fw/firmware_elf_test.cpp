// What the firmware's ELFs are made of: what a loader sees (reference/stm32mp1.md §1, §5.1, §7; reference/k3.md §4.2,
// §4.5).

#include <elf.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "remote_fw/hal/native/native_image.h"
#include "remote_fw/hal/stm32mp157-m4/chip.h"
#include "remote_fw/lib/resource_table.h"

namespace rpsim {
namespace {

class elf_file {
 public:
  explicit elf_file(const std::string& application) {
    std::ifstream in(RPSIM_FIRMWARE "/" + application + ".elf", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }
  template <class T>
  T get(std::size_t offset) const {
    T value{};
    if (offset + sizeof(T) <= bytes_.size()) std::memcpy(&value, &bytes_[offset], sizeof(T));
    return value;
  }
  Elf32_Ehdr header() const { return get<Elf32_Ehdr>(0); }
  std::vector<Elf32_Phdr> loaded() const {
    std::vector<Elf32_Phdr> list;
    for (unsigned i = 0; i < header().e_phnum; ++i) {
      const auto segment = get<Elf32_Phdr>(header().e_phoff + i * sizeof(Elf32_Phdr));
      if (segment.p_type == PT_LOAD) list.push_back(segment);
    }
    return list;
  }
  std::optional<Elf32_Shdr> section(const std::string& name) const {
    const auto at = [this](unsigned i) { return get<Elf32_Shdr>(header().e_shoff + i * sizeof(Elf32_Shdr)); };
    const Elf32_Shdr names = at(header().e_shstrndx);
    for (unsigned i = 0; i < header().e_shnum; ++i) {
      if (name == &bytes_[names.sh_offset + at(i).sh_name]) return at(i);
    }
    return {};
  }
  /// As a loader would have put it there.
  std::uint32_t word_at(std::uint32_t physical) const {
    for (const Elf32_Phdr& s : loaded()) {
      if (physical - s.p_paddr < s.p_filesz) return get<std::uint32_t>(s.p_offset + physical - s.p_paddr);
    }
    ADD_FAILURE() << "nothing is loaded at " << std::hex << physical;
    return 0;
  }
  std::string text_at(std::uint32_t physical) const {
    std::string text;
    for (;; ++physical) {
      const char c = static_cast<char>(word_at(physical & ~3U) >> (8 * (physical % 4)));
      if (c == 0) return text;
      text += c;
    }
  }

 private:
  std::vector<char> bytes_;
};

struct stm32_elf : testing::TestWithParam<std::string> {
  const elf_file file{"stm32mp157-m4/" + GetParam()};
};

TEST_P(stm32_elf, is_an_arm_executable_whose_segments_lie_in_linuxs_carveouts) {
  EXPECT_EQ(file.header().e_machine, EM_ARM);
  ASSERT_FALSE(file.loaded().empty());
  for (const Elf32_Phdr& s : file.loaded()) {
    const std::uint32_t end = s.p_paddr + s.p_memsz;
    EXPECT_TRUE(end <= 0x10000 || (s.p_paddr >= 0x10000000 && end <= 0x10040000)) << std::hex << s.p_paddr;
    EXPECT_EQ(s.p_filesz, s.p_memsz) << "nothing for a loader to clear";
  }
}

TEST_P(stm32_elf, starts_from_166_vectors_at_the_bottom_of_retram) {
  const auto vectors = file.section(".vectors");
  ASSERT_TRUE(vectors);
  EXPECT_EQ(vectors->sh_addr, 0u);
  EXPECT_EQ(vectors->sh_size, 0x298u);
  EXPECT_EQ(file.word_at(0), CHIP_RESOURCE_TABLE) << "stack: right below the table, and it grows down";
  EXPECT_EQ(file.word_at(4), file.header().e_entry);
  EXPECT_EQ(file.word_at(4) & 1, 1u) << "Thumb";
  for (unsigned n = 16; n < 166; ++n) EXPECT_EQ(file.word_at(4 * n), file.word_at(4 * 15)) << n;
}

TEST_P(stm32_elf, names_its_native_twin_at_0x400) {
  EXPECT_EQ(file.word_at(0x400), sizeof(RPSIM_NOTE_NAME));
  EXPECT_EQ(file.word_at(0x408), RPSIM_NOTE_APPLICATION);
  EXPECT_EQ(file.text_at(0x40C), RPSIM_NOTE_NAME);
  const std::string id = "stm32mp157-m4/" + GetParam();
  EXPECT_EQ(file.text_at(0x414), id);
  EXPECT_EQ(file.word_at(0x404), id.size() + 1);
  EXPECT_TRUE(std::ifstream(std::string(RPSIM_IMAGES "/") + id + ".so")) << id;
}

TEST_P(stm32_elf, carries_its_table_where_the_native_twin_looks_for_it_and_nothing_else_in_that_kilobyte) {
  const auto table = file.section(".resource_table");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->sh_addr, CHIP_RESOURCE_TABLE);
  EXPECT_EQ(table->sh_size, 140u);
  for (const Elf32_Phdr& s : file.loaded()) {
    if (s.p_paddr == CHIP_RESOURCE_TABLE) continue;
    EXPECT_TRUE(s.p_paddr + s.p_memsz <= CHIP_RESOURCE_TABLE || s.p_paddr >= CHIP_RESOURCE_TABLE + 1024);
  }
  const auto bss = file.section(".bss");
  ASSERT_TRUE(bss);
  EXPECT_LE(bss->sh_addr + bss->sh_size, CHIP_RESOURCE_TABLE);
}

TEST_P(stm32_elf, describes_two_vrings_of_sixteen_and_a_trace_buffer) {
  constexpr std::uint32_t TABLE = CHIP_RESOURCE_TABLE, VDEV = TABLE + 24, TRACE = TABLE + 92;
  EXPECT_EQ(file.word_at(TABLE), 1u);
  EXPECT_EQ(file.word_at(TABLE + 4), 2u);
  EXPECT_EQ(file.word_at(TABLE + 16), VDEV - TABLE);
  EXPECT_EQ(file.word_at(TABLE + 20), TRACE - TABLE);
  EXPECT_EQ(file.word_at(VDEV), RSC_VDEV);
  EXPECT_EQ(file.word_at(VDEV + 4), VIRTIO_ID_RPMSG);
  EXPECT_EQ(file.word_at(VDEV + 12), VIRTIO_RPMSG_F_NS);
  EXPECT_EQ(file.word_at(VDEV + 24), 0x200u) << "status 0, two vrings";
  std::uint32_t places[] = {RSC_ADDR_ANY, RSC_ADDR_ANY};
  if (GetParam() == "rpmsg_echo_fixed_vrings") places[0] = 0x10040000, places[1] = 0x10041000;
  if (GetParam() == "rpmsg_echo_fixed_outside") places[0] = 0x10050000, places[1] = 0x10051000;
  for (std::uint32_t n = 0; n < 2; ++n) {
    const std::uint32_t vring = VDEV + 28 + 20 * n;
    EXPECT_EQ(file.word_at(vring), places[n]);
    EXPECT_EQ(file.word_at(vring + 4), 16u);
    EXPECT_EQ(file.word_at(vring + 8), 16u);
    EXPECT_EQ(file.word_at(vring + 12), n);
  }
  EXPECT_EQ(file.word_at(TRACE), RSC_TRACE);
  EXPECT_EQ(file.word_at(TRACE + 4), CHIP_TRACE_BUFFER);
  EXPECT_EQ(file.word_at(TRACE + 8), CHIP_TRACE_BYTES);
  EXPECT_EQ(file.text_at(TRACE + 16), "cm4_log");
}

INSTANTIATE_TEST_SUITE_P(images, stm32_elf,
                         testing::Values("rpmsg_echo", "rpmsg_echo_fixed_vrings", "rpmsg_echo_fixed_outside",
                                         "rpmsg_echo_short_table"),
                         [](const auto& info) { return info.param; });

// The AM62x M4F: IRAM, DRAM and the DDR carveout; 16 + 64 vectors.
struct k3_elf : testing::TestWithParam<std::string> {
  static constexpr std::uint32_t TABLE = 0x9CC00000;
  const elf_file file{"k3-am62x-m4f/" + GetParam()};
};

TEST_P(k3_elf, is_an_arm_executable_whose_segments_lie_where_linux_can_load_them) {
  EXPECT_EQ(file.header().e_machine, EM_ARM);
  ASSERT_FALSE(file.loaded().empty());
  for (const Elf32_Phdr& s : file.loaded()) {
    const std::uint32_t end = s.p_paddr + s.p_memsz;
    EXPECT_TRUE(end <= 0x40000 || (s.p_paddr >= TABLE && end <= TABLE + 0xE00000)) << std::hex << s.p_paddr;
  }
}

TEST_P(k3_elf, starts_from_the_vectors_at_0_and_names_its_native_twin_at_0x200) {
  EXPECT_EQ(file.word_at(4) & 1, 1u) << "Thumb";
  EXPECT_GT(file.word_at(0), 0x30000u) << "stack in DRAM";
  EXPECT_LE(file.word_at(0), 0x40000u);
  EXPECT_EQ(file.text_at(0x20C), RPSIM_NOTE_NAME);
  const std::string id = "k3-am62x-m4f/" + GetParam();
  EXPECT_EQ(file.text_at(0x214), id);
  EXPECT_TRUE(std::ifstream(std::string(RPSIM_IMAGES "/") + id + ".so")) << id;
}

TEST_P(k3_elf, carries_its_table_at_the_carveout_and_declares_the_shutdown_capability_or_does_not) {
  const auto table = file.section(".resource_table");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->sh_addr, TABLE);
  EXPECT_EQ(file.word_at(TABLE), 1u);
  bool vendor = false;
  for (std::uint32_t i = 0; i < file.word_at(TABLE + 4); ++i) {
    const std::uint32_t entry = TABLE + file.word_at(TABLE + 16 + 4 * i);
    if (file.word_at(entry) == RSC_VDEV) {
      EXPECT_EQ(file.word_at(entry + 24), 0x200u) << "status 0, two vrings";
    }
    vendor = vendor || file.word_at(entry) == 128;
  }
  EXPECT_EQ(vendor, GetParam() == "rpmsg_echo");
}

INSTANTIATE_TEST_SUITE_P(images, k3_elf, testing::Values("rpmsg_echo", "rpmsg_echo_unflagged"),
                         [](const auto& info) { return info.param; });

// The Cortex-R5F of AM64x and J721E: 32 KiB of ATCM at 0, where its vectors are, and the table at the base of each
// one's own carveout, the one after the other's.
struct r5_image {
  const char* folder;
  unsigned carveout;
};
struct r5_elf : testing::TestWithParam<r5_image> {
  const std::string id = std::string(GetParam().folder) + "/rpmsg_echo";
  const std::uint32_t table = 0xA0100000 + GetParam().carveout * 0x1000000;
  const elf_file file{id};
};

TEST_P(r5_elf, is_a_program_in_the_atcm_with_its_table_at_the_carveout) {
  EXPECT_EQ(file.header().e_machine, EM_ARM);
  EXPECT_EQ(file.header().e_entry, 0u) << "Arm state, the first vector";
  for (const Elf32_Phdr& s : file.loaded()) {
    EXPECT_TRUE(s.p_paddr + s.p_memsz <= 0x8000 || s.p_paddr == table) << std::hex << s.p_paddr;
    EXPECT_EQ(s.p_filesz, s.p_memsz) << "nothing for a loader to clear";
  }
  for (const std::uint32_t vector : {0x00u, 0x04u, 0x08u, 0x0Cu, 0x10u, 0x18u, 0x1Cu}) {
    EXPECT_EQ(file.word_at(vector) >> 12 | 0x800, 0xE59FFu) << "ldr pc, at " << vector;  // forwards or backwards
  }
  EXPECT_EQ(file.text_at(0x20C), RPSIM_NOTE_NAME);
  EXPECT_EQ(file.text_at(0x214), id);
  EXPECT_TRUE(std::ifstream(std::string(RPSIM_IMAGES "/") + id + ".so")) << id;
  const auto section = file.section(".resource_table");
  ASSERT_TRUE(section);
  EXPECT_EQ(section->sh_addr, table);
  EXPECT_EQ(file.word_at(table), 1u);
}

INSTANTIATE_TEST_SUITE_P(images, r5_elf,
                         testing::Values(r5_image{"k3-am64x-r5f0_0", 0}, r5_image{"k3-am64x-r5f0_1", 1},
                                         r5_image{"k3-am64x-r5f1_0", 2}, r5_image{"k3-am64x-r5f1_1", 3},
                                         r5_image{"k3-j721e-mcu_r5f0_0", 0}, r5_image{"k3-j721e-mcu_r5f0_1", 1},
                                         r5_image{"k3-j721e-r5f0_0", 2}, r5_image{"k3-j721e-r5f0_1", 3},
                                         r5_image{"k3-j721e-r5f1_0", 4}, r5_image{"k3-j721e-r5f1_1", 5}),
                         [](const auto& info) {
                           std::string name = info.param.folder;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace rpsim
