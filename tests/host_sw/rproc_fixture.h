#pragma once
// A remote processor on flat memory: images and tables to feed it, a driver whose every op is recorded and can be made
// to fail, and the remote side of its virtqueues.

#include <array>
#include <cstring>
#include <optional>

#include "host_sw/remoteproc/history.h"
#include "host_sw/remoteproc/remoteproc.h"
#include "host_sw/remoteproc/resource_table.h"
#include "host_sw/rpmsg/rpmsg.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {

using bytes = std::vector<std::byte>;

inline void put(bytes& to, std::uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) to.push_back(static_cast<std::byte>(i < 8 ? value >> (8 * i) : 0));
}

/// A ring as a vdev entry asks for it; 0xFFFFFFFF leaves the address to the host.
struct ring {
  std::uint32_t da = 0xFFFFFFFF, align = 4096, num = 256, notifyid = 77;
};

/// A resource table as firmware carries it.
class table_builder {
 public:
  static constexpr std::uint32_t ANY = 0xFFFFFFFF;

  using ring = test::ring;
  table_builder& entry(std::uint32_t type, const bytes& payload) {
    bytes e;
    put(e, type, 4);
    e.insert(e.end(), payload.begin(), payload.end());
    entries_.push_back(std::move(e));
    return *this;
  }
  table_builder& memory(std::uint32_t type, std::uint32_t da, std::uint32_t len, std::string name,
                        std::uint32_t reserved = 0, std::uint32_t flags = 0) {
    bytes p;
    for (const std::uint32_t v : {da, 0u, len, flags, reserved}) put(p, v, 4);
    return entry(type, with_name(std::move(p), std::move(name)));
  }
  table_builder& carveout(std::uint32_t da, std::uint32_t len, std::string name, std::uint32_t reserved = 0) {
    return memory(0, da, len, std::move(name), reserved, 0x55);
  }
  table_builder& trace(std::uint32_t da, std::uint32_t len, std::string name = "trace", std::uint32_t reserved = 0) {
    bytes p;
    for (const std::uint32_t v : {da, len, reserved}) put(p, v, 4);
    return entry(2, with_name(std::move(p), std::move(name)));
  }
  table_builder& vdev(const std::vector<ring>& rings = {{}, {}}, std::uint32_t dfeatures = 1, const bytes& config = {},
                      std::uint32_t id = 7, std::uint16_t reserved = 0) {
    bytes p;
    for (const std::uint32_t v : {id, 0u, dfeatures, 0u, static_cast<std::uint32_t>(config.size())}) put(p, v, 4);
    put(p, 0, 1);
    put(p, rings.size(), 1);
    put(p, reserved, 2);
    for (const ring& r : rings) {
      for (const std::uint32_t v : {r.da, r.align, r.num, r.notifyid, 0u}) put(p, v, 4);
    }
    p.insert(p.end(), config.begin(), config.end());
    return entry(3, p);
  }
  bytes build() const {
    bytes t;
    for (const std::uint32_t v : {1u, static_cast<std::uint32_t>(entries_.size()), 0u, 0u}) put(t, v, 4);
    std::size_t offset = 16 + 4 * entries_.size();
    for (const bytes& e : entries_) {
      put(t, offset, 4);
      offset += e.size();
    }
    for (const bytes& e : entries_) t.insert(t.end(), e.begin(), e.end());
    return t;
  }

 private:
  static bytes with_name(bytes p, std::string name) {
    name.resize(32);
    for (const char c : name) p.push_back(static_cast<std::byte>(c));
    return p;
  }
  std::vector<bytes> entries_;
};

/// An ELF image, its fields where a test can reach them.
struct elf_builder {
  struct segment {
    std::uint64_t paddr = 0;
    std::string content;
    std::uint64_t memsz = 0;  // 0: the content's size
    std::uint64_t vaddr = 0;
    std::uint32_t type = 1;
  };
  int elf_class = 1;
  std::uint64_t entry = 0x401;
  std::vector<segment> segments = {{0, "vectors and code"}};
  bytes table = table_builder().vdev().build();
  std::uint64_t table_address = 0x9CC00000;
  std::string table_section = ".resource_table";

  // Where things came to lie.
  std::size_t phoff = 0, shoff = 0, table_offset = 0, names_offset = 0;

  std::string build() {
    const bool wide = elf_class == 2;
    const std::size_t ehdr = wide ? 64 : 52, phdr = wide ? 56 : 32;
    const std::string names = std::string(1, '\0') + table_section + '\0' + ".shstrtab" + '\0';
    phoff = ehdr;
    std::size_t at = ehdr + phdr * segments.size();
    std::vector<std::size_t> where;
    for (const segment& s : segments) {
      where.push_back(at);
      at += s.content.size();
    }
    table_offset = at;
    names_offset = table_offset + table.size();
    shoff = names_offset + names.size();

    bytes o;
    for (const char c : std::string("\177ELF")) o.push_back(static_cast<std::byte>(c));
    put(o, static_cast<unsigned>(elf_class), 1);
    put(o, 1, 1);
    put(o, 1, 1);
    o.resize(16);
    put(o, 2, 2);   // ET_EXEC
    put(o, 40, 2);  // EM_ARM
    put(o, 1, 4);
    const unsigned word = wide ? 8 : 4;
    put(o, entry, word);
    put(o, phoff, word);
    put(o, shoff, word);
    put(o, 0, 4);
    for (const std::size_t v :
         {ehdr, phdr, segments.size(), std::size_t{wide ? 64u : 40u}, std::size_t{3}, std::size_t{2}}) {
      put(o, v, 2);
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const segment& s = segments[i];
      put(o, s.type, 4);
      if (wide) put(o, 5, 4);
      for (const std::uint64_t v : {std::uint64_t{where[i]}, s.vaddr, s.paddr, std::uint64_t{s.content.size()},
                                    s.memsz != 0 ? s.memsz : s.content.size()}) {
        put(o, v, word);
      }
      if (!wide) put(o, 5, 4);
      put(o, 4, word);
    }
    for (const segment& s : segments) {
      for (const char c : s.content) o.push_back(static_cast<std::byte>(c));
    }
    o.insert(o.end(), table.begin(), table.end());
    for (const char c : names) o.push_back(static_cast<std::byte>(c));
    const auto section = [&](std::uint32_t name, std::uint64_t address, std::uint64_t offset, std::uint64_t size) {
      put(o, name, 4);
      put(o, 1, 4);
      for (const std::uint64_t v : {std::uint64_t{0}, address, offset, size}) put(o, v, word);
      put(o, 0, 8);
      put(o, 0, 2 * word);
    };
    section(0, 0, 0, 0);
    section(1, table_address, table_offset, table.size());
    section(static_cast<std::uint32_t>(table_section.size() + 2), 0, names_offset, names.size());
    return std::string(reinterpret_cast<const char*>(o.data()), o.size());
  }
};

/// Overwrites `size` bytes of an image, little endian.
inline std::string patched(const std::string& image, std::size_t at, std::uint64_t value, unsigned size) {
  std::string changed = image;
  for (unsigned i = 0; i < size; ++i) changed.at(at + i) = static_cast<char>(value >> (8 * i));
  return changed;
}

/// Flat memory: the M4F's IRAM, and DDR from the DMA pool on.
class flat_core final : public host_core, private bus_port {
 public:
  static constexpr std::uint64_t IRAM = 0x05000000, IRAM_SIZE = 0x30000, DDR = 0x9CB00000, DDR_SIZE = 0x1000000;
  struct write_record {
    std::uint64_t address;
    bytes data;
  };

  flat_core(sim_context& context, const dt::node& node)
      : host_core("core", context, node), iram_(IRAM_SIZE), ddr_(DDR_SIZE) {}
  bus_port& bus() override { return *this; }
  unsigned cpus() const override { return 4; }
  sc_core::sc_event& interrupt_event() override { return never_; }
  bool interrupt_pending() const override { return false; }
  unsigned acknowledge() override { return 1023; }
  void end_of_interrupt(unsigned) override {}
  void inject(core_fault) override {}
  bool in_wfi() const override { return false; }

  /// The bytes at a system address; empty if nobody answers there.
  std::span<std::byte> at(std::uint64_t address, std::uint64_t length) {
    if (address >= IRAM && length <= IRAM_SIZE && address - IRAM <= IRAM_SIZE - length) {
      return std::span(iram_).subspan(address - IRAM, length);
    }
    if (address >= DDR && length <= DDR_SIZE && address - DDR <= DDR_SIZE - length) {
      return std::span(ddr_).subspan(address - DDR, length);
    }
    return {};
  }
  std::uint32_t u32(std::uint64_t address) { return remoteproc::rsc::u32_at(at(address, 4), 0); }
  std::uint16_t u16(std::uint64_t address) {
    const auto b = at(address, 2);
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(b[0]) | std::to_integer<unsigned>(b[1]) << 8);
  }
  std::uint8_t u8(std::uint64_t address) { return std::to_integer<std::uint8_t>(at(address, 1)[0]); }
  void set(std::uint64_t address, std::uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) at(address + i, 1)[0] = static_cast<std::byte>(value >> (8 * i));
  }
  std::string text(std::uint64_t address, std::size_t length) {
    const auto b = at(address, length);
    return std::string(reinterpret_cast<const char*>(b.data()), b.size());
  }
  void fill_in(std::uint64_t address, std::span<const std::byte> data) {
    std::ranges::copy(data, at(address, data.size()).begin());
  }

  std::uint64_t watch_from = 0, watch_to = 0;  // writes that begin in this range are recorded
  std::vector<write_record> writes;

 private:
  bus_status read(std::uint64_t address, std::span<std::byte> data) override {
    sc_core::wait(10, sc_core::SC_NS);
    const auto from = at(address, data.size());
    if (from.size() != data.size()) return bus_status::decode_error;
    std::ranges::copy(from, data.begin());
    return bus_status::ok;
  }
  bus_status write(std::uint64_t address, std::span<const std::byte> data) override {
    sc_core::wait(10, sc_core::SC_NS);
    const auto to = at(address, data.size());
    if (to.size() != data.size()) return bus_status::decode_error;
    if (address >= watch_from && address < watch_to) writes.push_back({address, bytes(data.begin(), data.end())});
    std::ranges::copy(data, to.begin());
    return bus_status::ok;
  }
  bus_status fill(std::uint64_t address, std::byte value, std::uint64_t length) override {
    sc_core::wait(10, sc_core::SC_NS);
    const auto to = at(address, length);
    if (to.size() != length) return bus_status::decode_error;
    std::ranges::fill(to, value);
    return bus_status::ok;
  }

  bytes iram_, ddr_;
  sc_core::sc_event never_;
};

/// The remote's end of two rings, in zero time.
class remote_side {
 public:
  struct message {
    std::uint32_t src = 0, dst = 0;
    std::string data;
  };
  remote_side(flat_core& memory, std::uint64_t vring0, std::uint64_t vring1, unsigned num = 256, unsigned align = 4096)
      : memory_(memory), ring_{vring0, vring1}, num_(num), align_(align) {}

  std::uint64_t avail(unsigned r) const { return ring_[r] + 16ull * num_; }
  std::uint64_t used(unsigned r) const {
    return ring_[r] + (16ull * num_ + 2ull * (3 + num_) + align_ - 1) / align_ * align_;
  }
  std::uint16_t available(unsigned r) { return memory_.u16(avail(r) + 2); }
  bool wants_interrupt(unsigned r) { return (memory_.u16(avail(r)) & 1) == 0; }
  std::uint64_t descriptor(unsigned r, unsigned i) const { return ring_[r] + 16ull * i; }

  /// Next buffer that the host made available on the ring; nothing if there is none.
  std::optional<unsigned> take(unsigned r) {
    if (next_[r] == available(r)) return std::nullopt;
    return memory_.u16(avail(r) + 4 + 2ull * (next_[r]++ % num_));
  }
  void give_back(unsigned r, std::uint32_t id, std::uint32_t length) {
    const std::uint16_t index = memory_.u16(used(r) + 2);
    memory_.set(used(r) + 4 + 8ull * (index % num_), id, 4);
    memory_.set(used(r) + 8 + 8ull * (index % num_), length, 4);
    memory_.set(used(r) + 2, index + 1u, 2);
  }
  /// Puts a message into the next receive buffer of the host. The doorbell is the test's.
  void send(std::uint32_t src, std::uint32_t dst, std::string_view data, std::optional<std::uint32_t> used_length = {},
            std::optional<std::uint16_t> header_length = {}) {
    const std::optional<unsigned> id = take(0);
    ASSERT_TRUE(id) << "no buffer";
    const std::uint64_t buffer = memory_.u32(descriptor(0, *id));
    memory_.set(buffer, src, 4);
    memory_.set(buffer + 4, dst, 4);
    memory_.set(buffer + 8, 0, 4);
    memory_.set(buffer + 12, header_length.value_or(static_cast<std::uint16_t>(data.size())), 2);
    memory_.set(buffer + 14, 0, 2);
    memory_.fill_in(buffer + 16, std::as_bytes(std::span(data)));
    give_back(0, *id, used_length.value_or(static_cast<std::uint32_t>(16 + data.size())));
  }
  void announce(std::string name, std::uint32_t address, std::uint32_t flags = 0) {
    name.resize(32);
    bytes tail;
    put(tail, address, 4);
    put(tail, flags, 4);
    send(address, 53, name + std::string(reinterpret_cast<const char*>(tail.data()), tail.size()));
  }
  /// The next message of the host; `consume` gives the buffer back.
  std::optional<message> receive(bool consume = true) {
    const std::optional<unsigned> id = take(1);
    if (!id) return std::nullopt;
    const std::uint64_t buffer = memory_.u32(descriptor(1, *id));
    message m{memory_.u32(buffer), memory_.u32(buffer + 4), memory_.text(buffer + 16, memory_.u16(buffer + 12))};
    last = *id;
    if (consume) give_back(1, *id, 0);
    return m;
  }
  unsigned last = 0;  // descriptor of the last message received

 private:
  flat_core& memory_;
  std::array<std::uint64_t, 2> ring_;
  unsigned num_, align_;
  std::array<std::uint16_t, 2> next_{};
};

class rproc_test : public testing::Test {
 protected:
  static constexpr std::uint64_t POOL = 0x9CB00000, POOL_SIZE = 0x100000, TABLE = 0x9CC00000;
  static constexpr std::size_t LIVE_SIZE = 256;
  static constexpr const char* STATE = "/sys/class/remoteproc/remoteproc0/state";
  static constexpr const char* CDEV = "/dev/remoteproc0";

  rproc_test() {
    for (const char* name : {"context_switch", "thread_wake", "irq_entry", "syscall", "request_firmware"}) {
      EXPECT_TRUE(context.params.set(std::string("host.") + name, "0s").has_value());
    }
    machine.fs().add_directory("/lib/firmware");
  }

  /// Everything is set up before time starts: once per test.
  void with_rpmsg() { bus.emplace(machine); }
  remoteproc::rproc& make(remoteproc::core_options options = {}) {
    r = remoteproc::rproc::alloc(machine, parent, "5000000.m4fss", ops(), "fw", std::move(options));
    r->set_auto_boot(false);
    r->set_recovery_disabled(true);
    r->set_dma_pool({POOL, POOL_SIZE});
    return *r;
  }
  remoteproc::rproc_ops ops() {
    remoteproc::rproc_ops o;
    const auto op = [this](const char* name) {
      return [this, name](remoteproc::rproc&) {
        if (hook.contains(name)) hook[name]();
        return result.contains(name) ? result[name] : 0;
      };
    };
    o.prepare = op("prepare");
    o.unprepare = op("unprepare");
    o.start = op("start");
    o.stop = op("stop");
    o.attach = op("attach");
    o.detach = op("detach");
    o.kick = [this](remoteproc::rproc&, int id) { kicks.push_back(id); };
    o.da_to_pa = [](remoteproc::rproc&, std::uint64_t da, std::size_t len) -> std::uint64_t {
      if (len == 0) return 0;
      if (da < flat_core::IRAM_SIZE && len <= flat_core::IRAM_SIZE - da) return flat_core::IRAM + da;
      if (da >= TABLE && da < TABLE + 0x100000 && len <= TABLE + 0x100000 - da) return da;
      return 0;
    };
    o.get_loaded_rsc_table = [this](remoteproc::rproc&) { return loaded; };
    return o;
  }
  void firmware(const std::string& image) { machine.fs().add_regular("/lib/firmware/fw", image); }
  void firmware(const bytes& table) {
    elf_builder e;
    e.table = table;
    firmware(e.build());
  }
  /// A table as a boot loader's firmware left it in memory.
  void install_live(const bytes& table) {
    core.fill_in(TABLE, bytes(LIVE_SIZE));
    core.fill_in(TABLE, table);
    loaded = {.pa = TABLE, .size = LIVE_SIZE};
  }

  /// Runs the body as a host thread. false if it did not come to its end (oops, or still asleep).
  bool run(std::function<void()> body, double limit_ms = 1000) {
    bool done = false;
    os::thread& t = kernel.spawn("test", [&] {
      body();
      done = true;
    });
    const sc_core::sc_time end = sc_core::sc_time_stamp() + sc_core::sc_time(limit_ms, sc_core::SC_MS);
    while (!done && !kernel.ended(t) && sc_core::sc_time_stamp() < end) {
      sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_MS));
    }
    return done;
  }
  static void run_for(double ms) { sc_core::sc_start(sc_core::sc_time(ms, sc_core::SC_MS)); }
  static double now_ms() { return sc_core::sc_time_stamp() / sc_core::sc_time(1, sc_core::SC_MS); }

  /// One write to a file, in a thread of its own: 0 or -errno.
  int write(const std::string& path, const std::string& text, double limit_ms = 1000) {
    int outcome = -9999;
    run(
        [&] {
          const auto taken = machine.fs().write(path, text);
          outcome = taken ? 0 : -taken.error();
        },
        limit_ms);
    return outcome;
  }
  std::string read(const std::string& path) {
    std::string text;
    run([&] {
      const auto content = machine.fs().read(path);
      text = content ? *content : "error " + std::to_string(content.error());
    });
    return text;
  }
  std::string state() { return remoteproc::to_string(r->state()); }
  int call(int (remoteproc::rproc::*what)()) {
    int outcome = -9999;
    run([&] { outcome = (r.get()->*what)(); });
    return outcome;
  }
  int boot() { return call(&remoteproc::rproc::boot); }
  int shutdown() { return call(&remoteproc::rproc::shutdown); }
  int detach() { return call(&remoteproc::rproc::detach); }
  void add() { EXPECT_EQ(0, call(&remoteproc::rproc::add)); }
  void crash(remoteproc::crash_type type = remoteproc::crash_type::watchdog) {
    run([&] { r->report_crash(type); });
    run_for(1);
  }
  void doorbell(int id) {
    run([&] { r->vq_interrupt(id); });
  }
  /// "prepare start:-22": the ops since the last call that returned.
  std::string new_ops() {
    std::string text;
    const auto all = seen.all("rproc.op");
    for (; ops_seen < all.size(); ++ops_seen) {
      text += (text.empty() ? "" : " ") + all[ops_seen].fields.at("op");
      if (all[ops_seen].fields.at("result") != "0") text += ":" + all[ops_seen].fields.at("result");
    }
    return text;
  }
  std::vector<std::string> oopses() const { return seen.values("host.oops", "hazard"); }
  bool logged(const std::string& text) const {
    for (const std::string& line : seen.values("host.log", "text")) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> lines(const std::string& text) const {
    std::vector<std::string> found;
    for (const std::string& line : seen.values("host.log", "text")) {
      if (line.find(text) != std::string::npos) found.push_back(line);
    }
    return found;
  }
  remote_side remote() { return remote_side(core, core.u32(vring_field(0, 0)), core.u32(vring_field(1, 0))); }
  /// Address of a field of a ring in the live table of a firmware whose only entry is the vdev.
  static std::uint64_t vring_field(unsigned ring, unsigned offset) { return TABLE + 24 + 24 + 20 * ring + offset; }
  static constexpr std::uint64_t STATUS = TABLE + 24 + 20, GFEATURES = TABLE + 24 + 12;

  sim_context context{7};
  std::unique_ptr<dt::tree> tree = dt::tree::compile_text(R"(/dts-v1/;
/ {
  #address-cells = <2>;
  #size-cells = <2>;
  reserved-memory {
    #address-cells = <2>;
    #size-cells = <2>;
    ranges;
    pool: memory@9cb00000 { reg = <0x0 0x9cb00000 0x0 0x100000>; };
    code: memory@9cc00000 { reg = <0x0 0x9cc00000 0x0 0x100000>; };
    buffers: memory@9ce00000 { reg = <0x0 0x9ce00000 0x0 0x80000>; };
  };
  m4: m4fss@5000000 { reg = <0x0 0x5000000 0x0 0x30000>; memory-region = <&pool>, <&code>, <&buffers>; };
  autonomous: m4fss@6000000 { autonomous-on-core-shutdown; memory-region = <&pool>; };
  misnamed: m4fss@7000000 { autonomous-on-core-reboot; memory-region = <&pool>; };
};)",
                                                          "test.dts");
  flat_core core{context, tree->root()};
  os::kernel kernel{"host", core, context, {}};
  os::machine machine{kernel, *tree};
  recorder seen{context, trace_level::detail};
  std::optional<rpmsg::bus> bus;
  os::device parent{"5000000.m4fss", tree->by_label("m4"), {}, nullptr};
  std::map<std::string, int> result;                  // of an op
  std::map<std::string, std::function<void()>> hook;  // run inside an op
  remoteproc::live_table loaded;
  std::vector<int> kicks;
  std::size_t ops_seen = 0;
  std::unique_ptr<remoteproc::rproc> r;
};

}  // namespace rpsim::test
