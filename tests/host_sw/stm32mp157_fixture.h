#pragma once
// A whole STM32MP157 with its host: the M4 runs our firmware natively, booted by Linux, or, as the first-stage boot
// loader does it (reference/stm32mp1.md §5.2), before it.

#include <cstring>
#include <fstream>
#include <sstream>

#include "host_sw/linux_host.h"
#include "platforms/platform.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {

/// The tree with texts in it replaced.
inline std::unique_ptr<dt::tree> changed_tree(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::ostringstream text;
  text << std::ifstream(PLATFORMS "/stm32mp157.dts").rdbuf();
  std::string source = text.str();
  for (const auto& [from, to] : changes) {
    const std::size_t at = source.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) source.replace(at, from.size(), to);
  }
  return dt::tree::compile_text(source, "stm32mp157.dts");
}
inline std::unique_ptr<dt::tree> changed_tree(const std::string& from, const std::string& to) {
  return changed_tree({{from, to}});
}

/// The host's writes to the registers of the life cycle, in order: "MP_GCR=1".
class life_cycle_writes final : public trace_sink {
 public:
  explicit life_cycle_writes(sim_context& c) { c.trace.add(*this, trace_level::bus); }
  void on_event(const event& e) override {
    if (e.name != "bus.write" || e.text("initiator") != "host") return;
    const auto known = NAMES.find(e.number("address"));
    if (known != NAMES.end()) writes.push_back(fmt::format("{}={}", known->second, e.number("value")));
  }
  std::vector<std::string> take() { return std::exchange(writes, {}); }
  std::vector<std::string> writes;

 private:
  const std::map<std::uint64_t, std::string> NAMES = {{0x5000010C, "MP_GCR"},    {0x50000404, "MP_GRSTCSETR"},
                                                      {0x50001014, "PWR_MCUCR"}, {0x5C00A144, "BKP17R"},
                                                      {0x5C00A148, "BKP18R"},    {0x4C001008, "C1SCR"}};
};

class stm32mp157_test : public testing::Test {
 protected:
  static constexpr const char* STATE = "/sys/class/remoteproc/remoteproc0/state";
  static constexpr const char* TRACE = "/sys/kernel/debug/remoteproc/remoteproc0/trace0";
  static constexpr const char* DEVICE = "10000000.m4";
  static constexpr const char* DRIVER = "/sys/bus/platform/drivers/stm32-rproc/";
  static constexpr std::uint32_t MP_GCR = 0x5000010C, BKP17R = 0x5C00A144, BKP18R = 0x5C00A148, IPCC = 0x4C001000,
                                 C2SCR = IPCC + 0x18, WWDG1_CR = 0x4000A000;
  static constexpr std::uint32_t CRUN = 2;
  static constexpr std::uint32_t TABLE = 0x10038000;  // of our firmware

  /// Before anything else, and once.
  void make(std::unique_ptr<dt::tree> tree = dt::tree::compile(PLATFORMS "/stm32mp157.dts")) {
    context.native_image_directory = NATIVE;
    board = std::make_unique<platform>(context, std::move(tree));
  }
  static std::string image(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(FIRMWARE "/stm32mp157-m4/" + name + ".elf", std::ios::binary).rdbuf();
    EXPECT_FALSE(text.str().empty()) << name;
    return text.str();
  }
  void install(const std::string& name, const std::string& as = "rproc-m4-fw") {
    options.firmware[as] = std::make_shared<const std::string>(image(name));
  }
  void set(const std::string& param, const std::string& value) {
    const auto done = context.params.set(param, value);
    ASSERT_TRUE(done) << done.error();
  }
  void firmware(const std::string& what, const std::string& value) { set("m4.fw." + what, value); }

  // ---- the bus, from a process
  void poke(std::uint32_t address, std::uint32_t value) {
    EXPECT_EQ(board->host().bus().write(address, std::as_bytes(std::span(&value, 1))), bus_status::ok);
  }
  std::uint32_t peek(std::uint32_t address) {
    std::uint32_t value = 0;
    EXPECT_EQ(board->host().bus().read(address, std::as_writable_bytes(std::span(&value, 1))), bus_status::ok);
    return value;
  }
  std::string memory(std::uint32_t address, std::size_t length) {
    std::string bytes(length, '\0');
    EXPECT_TRUE(board->debug_read(address, bytes.data(), length));
    return bytes;
  }

  /// The first-stage boot loader, before Linux: memory, the pulse, state and table address.
  void boot_loader_starts(const std::string& name, std::uint32_t table = TABLE) {
    const std::string elf = image(name);
    const auto u32 = [&](std::size_t at) {
      std::uint32_t v = 0;
      std::memcpy(&v, elf.data() + at, sizeof v);
      return v;
    };
    std::uint16_t segments = 0;
    std::memcpy(&segments, elf.data() + 44, sizeof segments);
    for (std::size_t i = 0; i < segments; ++i) {
      const std::size_t phdr = u32(28) + 32 * i;
      const std::uint32_t offset = u32(phdr + 4), da = u32(phdr + 12), size = u32(phdr + 16);
      if (u32(phdr) != 1 || size == 0) continue;
      ASSERT_TRUE(board->debug_write(da < 0x10000 ? 0x38000000 + da : da, elf.data() + offset, size));
    }
    boot_loader([=, this] {
      poke(MP_GCR, 1);
      poke(MP_GCR, 0);
      poke(BKP18R, CRUN);
      poke(BKP17R, table);
    });
  }
  void boot_loader(const std::function<void()>& body) {
    sc_core::sc_spawn(body);
    sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_MS));
  }

  /// Boots the host, then runs a user process.
  void in_thread(std::function<void()> body, double seconds = 10) {
    host = std::make_unique<host::linux_host>(board->host(), context, board->tree(), options);
    if (before_boot) before_boot();
    host->boot();
    os::thread& t = host->kernel().spawn("shell", [this, body] {
      while (!host->booted()) host->kernel().msleep(10);
      writes.take();
      body();
    });
    sc_core::sc_start(sc_core::sc_time(seconds, sc_core::SC_SEC));
    ASSERT_TRUE(host->kernel().ended(t));
  }
  /// 0 or errno, and how long it took.
  int echo(const std::string& text, const std::string& path = STATE) {
    const sc_core::sc_time start = sc_core::sc_time_stamp();
    const auto result = host->fs().write(path, text + "\n");
    took_ms = (sc_core::sc_time_stamp() - start) / sc_core::sc_time(1, sc_core::SC_MS);
    return result ? 0 : result.error();
  }
  int start() { return echo("start"); }
  int stop() { return echo("stop"); }
  int detach() { return echo("detach"); }
  std::string state() { return host->fs().read(STATE).value_or("?\n"); }
  void settle(unsigned ms = 100) { host->kernel().msleep(ms); }
  /// Waits for the tty that the firmware announces, writes to it, and says what came back.
  std::string talk(const std::string& text, const std::string& path = "/dev/ttyRPMSG0") {
    for (unsigned ms = 0; ms < 500 && !host->fs().exists(path); ms += 10) settle(10);
    auto tty = host->fs().open(path, true);
    if (!tty) return os::errno_name(tty.error());
    if (const auto done = (*tty)->write(text); !done) return os::errno_name(done.error());
    settle(20);
    const std::string answer = (*tty)->read().value_or("?");
    (void)(*tty)->release();
    return answer;
  }
  std::vector<std::string> log() const { return events.values("host.log", "text"); }
  std::vector<std::string> states() const { return events.values("rproc.state", "to"); }
  std::vector<std::string> oopses() const { return events.values("host.oops", "hazard"); }

  sim_context context{11};
  recorder events{context};
  life_cycle_writes writes{context};
  std::unique_ptr<platform> board;
  host::options options;
  std::unique_ptr<host::linux_host> host;
  std::function<void()> before_boot;
  double took_ms = 0;
};

}  // namespace rpsim::test
