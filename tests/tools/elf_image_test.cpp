#include "tools/rpsim/elf_image.h"

#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>

namespace rpsim::tool {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

/// One loadable segment of 8 bytes (16 in memory) at 0x1000, and a resource table section.
class elf_image_test : public testing::Test {
 protected:
  elf_image_test() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = EM_ARM;
    header.e_phoff = sizeof header;
    header.e_phnum = 1;
    program.p_type = PT_LOAD;
    program.p_paddr = 0x1000;
    program.p_filesz = 8;
    program.p_memsz = 16;
    program.p_offset = sizeof header + sizeof program;
    table = {1, 1, 0, 0, 20, 3, 7, 0, 0, 0, 0, 0x0200};  // a vdev with two vrings: byte 25 of the entry
    table.resize(20);
  }
  std::string image() {
    const std::string names("\0.resource_table\0", 17);
    Elf32_Shdr sections[2]{};
    const std::size_t table_at = program.p_offset + 8, names_at = table_at + table.size() * 4;
    sections[0].sh_offset = static_cast<Elf32_Off>(names_at);
    sections[0].sh_size = static_cast<Elf32_Word>(names.size());
    sections[1].sh_name = 1;
    sections[1].sh_offset = static_cast<Elf32_Off>(table_at);
    sections[1].sh_size = static_cast<Elf32_Word>(table.size() * 4);
    header.e_shoff = static_cast<Elf32_Off>(names_at + names.size());
    header.e_shnum = 2;
    header.e_shstrndx = 0;
    std::string text;
    const auto add = [&](const void* p, std::size_t n) { text.append(static_cast<const char*>(p), n); };
    add(&header, sizeof header);
    add(&program, sizeof program);
    text += "12345678";
    add(table.data(), table.size() * 4);
    text += names;
    add(sections, sizeof sections);
    return text;
  }
  Elf32_Ehdr header{};
  Elf32_Phdr program{};
  std::vector<std::uint32_t> table;
};

TEST_F(elf_image_test, good_image_has_its_segment_and_no_warning) {
  const std::string text = image();
  const auto segments = elf_segments(text);
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0].address, 0x1000u);
  EXPECT_EQ(segments[0].content, "12345678");
  EXPECT_EQ(segments[0].size, 16u);
  EXPECT_THAT(elf_warnings(text), ElementsAre());
}

TEST_F(elf_image_test, what_linux_would_refuse_is_said_ahead) {
  EXPECT_THAT(elf_warnings("short"), ElementsAre(HasSubstr("too small")));
  EXPECT_THAT(elf_warnings(std::string(100, 'x')), ElementsAre(HasSubstr("not an ELF file")));
  header.e_ident[EI_DATA] = ELFDATA2MSB;
  EXPECT_THAT(elf_warnings(image()), ElementsAre(HasSubstr("big-endian")));
}

TEST_F(elf_image_test, a_cut_off_end_is_a_warning) {
  std::string text = image();
  text.pop_back();
  EXPECT_THAT(elf_warnings(text), ElementsAre(HasSubstr("section headers lie outside the file")));
}

TEST_F(elf_image_test, segment_outside_the_file_is_a_warning_and_no_segment) {
  program.p_filesz = program.p_memsz = 100000;
  const std::string text = image();
  EXPECT_TRUE(elf_segments(text).empty());
  EXPECT_THAT(elf_warnings(text), Contains(HasSubstr("truncated")));
}

TEST_F(elf_image_test, resource_table_is_looked_into) {
  table[0] = 2;
  table[11] = 0x0300;
  EXPECT_THAT(elf_warnings(image()), ElementsAre(HasSubstr("version 2"), HasSubstr("3 vrings")));
  table[0] = 1;
  table[11] = 0x0100;
  EXPECT_THAT(elf_warnings(image()), ElementsAre(HasSubstr("(H7)")));
  table[4] = 4000;
  EXPECT_THAT(elf_warnings(image()), ElementsAre(HasSubstr("lies outside it")));
}

TEST_F(elf_image_test, machine_is_what_linux_does_not_look_at) {
  header.e_machine = EM_X86_64;
  EXPECT_THAT(elf_warnings(image()), ElementsAre(HasSubstr("Linux does not look")));
}

TEST_F(elf_image_test, any_cut_is_survived) {
  const std::string whole = image();
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    (void)elf_warnings(std::string_view(whole).substr(0, n));
    (void)elf_segments(std::string_view(whole).substr(0, n));
  }
}

}  // namespace
}  // namespace rpsim::tool
