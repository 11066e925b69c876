#pragma once
// A whole STM32MP157 whose M4 is in the hands of OP-TEE.

#include "host_sw/optee/secure_world.h"
#include "tests/host_sw/stm32mp157_fixture.h"

namespace rpsim::test {

/// platforms/stm32mp157-tee.dts with texts in it replaced.
inline std::unique_ptr<dt::tree> tee_tree(const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  const auto read = [](const char* name) {
    std::ostringstream text;
    text << std::ifstream(name).rdbuf();
    return text.str();
  };
  std::string source = read(PLATFORMS "/stm32mp157-tee.dts");
  const std::string include = "#include \"stm32mp157.dts\"";
  source.replace(source.find(include), include.size(), read(PLATFORMS "/stm32mp157.dts"));
  for (const auto& [from, to] : changes) {
    const std::size_t at = source.rfind(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) source.replace(at, from.size(), to);
  }
  return dt::tree::compile_text(source, "stm32mp157-tee.dts");
}

class stm32mp157_tee_test : public stm32mp157_test {
 protected:
  static constexpr std::uint32_t RETRAM = 0x38000000, SRAM1 = 0x10000000, SRAM4 = 0x10050000;

  void make_tee(const std::vector<std::pair<std::string, std::string>>& changes = {}) { make(tee_tree(changes)); }
  static std::string packed(const std::string& elf) {
    auto file = optee::pack_container({elf});
    EXPECT_TRUE(file) << file.error();
    return file.value_or("");
  }
  void install_container(const std::string& file, const std::string& as = "rproc-m4-fw") {
    options.firmware[as] = std::make_shared<const std::string>(file);
  }
};

}  // namespace rpsim::test
