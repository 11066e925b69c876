#pragma once
// For tests of the K3 drivers in a whole SoC: what they ask of the device manager, where they load, what the cores do.

#include <fstream>
#include <sstream>

#include "host_sw/linux_host.h"
#include "models/ti_sci/device_manager.h"
#include "platforms/platform.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {

/// One TI-SCI request of a kind meets an action.
class tisci_fault final : public fault_hook {
 public:
  tisci_fault(sim_context& c, std::string msg, fault_action action)
      : context_(c), msg_(std::move(msg)), action_(action) {
    armed_ = true;
    c.faults = this;
  }
  ~tisci_fault() override { context_.faults = &context_.none; }
  fault_action decide(std::string_view point, std::string_view, std::initializer_list<field> what) override {
    for (const field& f : what) {
      if (point == "tisci.request" && f.key == "msg" && f.text == msg_ && !std::exchange(done_, true)) return action_;
    }
    return {};
  }

 private:
  sim_context& context_;
  std::string msg_;
  fault_action action_;
  bool done_ = false;
};

/// One boots an AM64x or J721E, or a tree of theirs that is changed in one place, and acts from a thread of its kernel.
class k3_board : public testing::Test {
 protected:
  explicit k3_board(const std::string& name, const std::string& change = "", const std::string& to = "")
      : board(context, tree_of(name, change, to)) {
    context.native_image_directory = NATIVE;
    options.auto_boot = false;
  }
  static std::unique_ptr<dt::tree> tree_of(const std::string& name, const std::string& change, const std::string& to) {
    std::ostringstream text;
    text << std::ifstream(PLATFORMS "/" + name + ".dts").rdbuf();
    std::string dts = text.str();
    if (!change.empty()) {
      const std::size_t at = dts.find(change);
      EXPECT_NE(at, std::string::npos) << change;
      dts.replace(at, change.size(), to);
    }
    return dt::tree::compile_text(dts, name + ".dts");
  }
  void firmware(const std::string& file, const std::string& directory) {
    std::ostringstream text;
    text << std::ifstream(FIRMWARE "/" + directory + "/rpmsg_echo.elf", std::ios::binary).rdbuf();
    ASSERT_FALSE(text.str().empty()) << directory;
    options.firmware[file] = std::make_shared<const std::string>(text.str());
  }
  void in_thread(std::function<void()> body, double seconds = 30) {
    host = std::make_unique<host::linux_host>(board.host(), context, board.tree(), options);
    host->boot();
    os::thread& t = host->kernel().spawn("shell", [this, body] {
      while (!host->booted()) host->kernel().msleep(10);
      body();
    });
    sc_core::sc_start(sc_core::sc_time(seconds, sc_core::SC_SEC));
    ASSERT_TRUE(host->kernel().ended(t));
  }
  int echo(const std::string& text, unsigned index) {
    const sc_core::sc_time start = sc_core::sc_time_stamp();
    const auto result = host->fs().write(path(index), text + "\n");
    took_ms = (sc_core::sc_time_stamp() - start) / sc_core::sc_time(1, sc_core::SC_MS);
    return result ? 0 : result.error();
  }
  static std::string path(unsigned index) {
    return "/sys/class/remoteproc/remoteproc" + std::to_string(index) + "/state";
  }
  std::string state(unsigned index) { return host->fs().read(path(index)).value_or("none\n"); }
  /// "SET_DEVICE r5fss0_core0": Linux's requests from the n-th on.
  std::vector<std::string> requests(std::size_t from = 0) const {
    std::vector<std::string> found;
    for (const auto& e : events.all("tisci.request")) {
      if (e.fields.at("host") == "12") {
        found.push_back(e.fields.at("msg") + (e.fields.contains("name") ? " " + e.fields.at("name") : ""));
      }
    }
    found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(from));
    return found;
  }
  std::vector<std::string> log() const { return events.values("host.log", "text"); }
  const processor& settings(unsigned id) {
    return *dynamic_cast<device_manager&>(*board.find("dm")).find_processor(id);
  }
  std::string bytes(std::uint64_t address, std::size_t length) {
    std::string text(length, '\0');
    EXPECT_TRUE(board.debug_read(address, text.data(), length));
    return text;
  }

  sim_context context{13};
  recorder events{context};
  platform board;
  host::options options;
  std::unique_ptr<host::linux_host> host;
  double took_ms = 0;
};

}  // namespace rpsim::test
