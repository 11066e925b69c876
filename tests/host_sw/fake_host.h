#pragma once
// A host core for tests of host_sw/os: a bus of functions, and a GICv3 reduced to level lines and the enables that the
// kernel writes to its distributor.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host_sw/os/os.h"
#include "models/core/core.h"

namespace rpsim::test {

/// Keeps what a test asks about: "name key=value …" of every event, with its time.
class recorder final : public trace_sink {
 public:
  struct entry {
    sc_core::sc_time time;
    std::string source, name;
    std::map<std::string, std::string> fields;
  };
  explicit recorder(sim_context& c, trace_level up_to = trace_level::protocol) { c.trace.add(*this, up_to); }
  void on_event(const event& e) override {
    entry copy{e.time, std::string(e.source), std::string(e.name), {}};
    for (const field& f : e.fields) {
      std::string value(f.text);
      if (f.type == field::kind::i64) value = std::to_string(static_cast<std::int64_t>(f.number));
      if (f.type == field::kind::u64 || f.type == field::kind::time) value = std::to_string(f.number);
      if (f.type == field::kind::hex) value = fmt::format("0x{:x}", f.number);
      copy.fields[std::string(f.key)] = value;
    }
    events.push_back(std::move(copy));
  }
  std::vector<entry> all(const std::string& name) const {
    std::vector<entry> found;
    for (const entry& e : events) {
      if (e.name == name) found.push_back(e);
    }
    return found;
  }
  /// Values of one field of all events of a name.
  std::vector<std::string> values(const std::string& name, const std::string& key) const {
    std::vector<std::string> found;
    for (const entry& e : all(name)) found.push_back(e.fields.contains(key) ? e.fields.at(key) : "");
    return found;
  }
  std::vector<entry> events;
};

class fake_core final : public host_core, private bus_port {
 public:
  static constexpr std::uint64_t GICD = 0x1800000;
  static constexpr std::uint64_t BROKEN = 0xDEAD0000;  // nobody answers from here on
  static constexpr unsigned SPURIOUS = 1023;

  fake_core(sim_context& context, const dt::node& node, unsigned cpus)
      : host_core(sc_core::sc_gen_unique_name("core"), context, node), cpus_(cpus) {}

  bus_port& bus() override { return *this; }
  unsigned cpus() const override { return cpus_; }
  sc_core::sc_event& interrupt_event() override { return pending_; }
  bool interrupt_pending() const override { return next() != SPURIOUS; }
  unsigned acknowledge() override {
    const unsigned irq = next();
    if (irq != SPURIOUS) active_.insert(irq);
    return irq;
  }
  void end_of_interrupt(unsigned irq) override {
    active_.erase(irq);
    update();
  }
  void inject(core_fault) override {}
  bool in_wfi() const override { return false; }

  void set_line(unsigned irq, bool high) {
    if (high) {
      high_.insert(irq);
    } else {
      high_.erase(irq);
    }
    update();
  }
  bool enabled(unsigned irq) const { return enabled_.contains(irq); }

  std::map<std::uint64_t, std::uint32_t> registers;
  sc_core::sc_time access_time{100, sc_core::SC_NS};

 private:
  bus_status read(std::uint64_t address, std::span<std::byte> data) override {
    sc_core::wait(access_time);
    if (address >= BROKEN) return bus_status::decode_error;
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<std::byte>(registers[(address + i) & ~3ull] >> (8 * ((address + i) & 3)));
    return bus_status::ok;
  }
  bus_status write(std::uint64_t address, std::span<const std::byte> data) override {
    sc_core::wait(access_time);
    if (address >= BROKEN) return bus_status::decode_error;
    for (std::size_t i = 0; i < data.size(); ++i) {
      std::uint32_t& word = registers[(address + i) & ~3ull];
      const unsigned shift = 8 * ((address + i) & 3);
      word = (word & ~(0xFFu << shift)) | static_cast<std::uint32_t>(data[i]) << shift;
    }
    const bool set = address >= GICD + 0x100 && address < GICD + 0x180;
    const bool clear = address >= GICD + 0x180 && address < GICD + 0x200;
    for (unsigned bit = 0; (set || clear) && bit < 32; ++bit) {
      if ((registers[address] >> bit & 1) == 0) continue;
      const unsigned irq = static_cast<unsigned>(address & 0x7F) * 8 + bit;
      if (set) {
        enabled_.insert(irq);
      } else {
        enabled_.erase(irq);
      }
    }
    update();
    return bus_status::ok;
  }
  bus_status fill(std::uint64_t address, std::byte value, std::uint64_t length) override {
    return write(address, std::vector<std::byte>(length, value));
  }
  unsigned next() const {
    for (const unsigned irq : high_) {
      if (enabled_.contains(irq) && !active_.contains(irq)) return irq;
    }
    return SPURIOUS;
  }
  void update() {
    if (interrupt_pending()) pending_.notify(sc_core::SC_ZERO_TIME);
  }

  unsigned cpus_;
  std::set<unsigned> high_, enabled_, active_;
  sc_core::sc_event pending_;
};

/// A kernel on a fake core. All costs are 0 unless a test sets them, so that times come out exact.
class kernel_test : public testing::Test {
 protected:
  void make(unsigned cpus = 4, bool free_of_cost = true) {
    if (free_of_cost) {
      for (const char* name : {"context_switch", "thread_wake", "irq_entry", "syscall"}) set(name, "0s");
    }
    core = std::make_unique<fake_core>(context, tree->root(), cpus);
    kernel = std::make_unique<os::kernel>("host", *core, context, os::kernel::options{.gicd_base = fake_core::GICD});
  }
  void set(const std::string& param, const std::string& value) {
    ASSERT_TRUE(context.params.set("host." + param, value).has_value()) << param;
  }
  static double now_us() { return sc_core::sc_time_stamp() / sc_core::sc_time(1, sc_core::SC_US); }
  static double now_ms() { return now_us() / 1000; }
  static void run_for(double ms) { sc_core::sc_start(sc_core::sc_time(ms, sc_core::SC_MS)); }

  sim_context context{7};
  std::unique_ptr<dt::tree> tree = dt::tree::compile_text("/dts-v1/; / { };", "test.dts");
  std::unique_ptr<fake_core> core;
  std::unique_ptr<os::kernel> kernel;
};

}  // namespace rpsim::test
