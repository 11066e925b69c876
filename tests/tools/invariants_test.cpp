// Every invariant, with a trace that breaks it and one that comes close.

#include "tools/rpsim/invariants.h"

#include <gmock/gmock.h>

#include <cstring>
#include <fstream>

#include "tests/tools/events.h"

namespace rpsim::tool {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class invariants_test : public testing::Test, public system_view {
 protected:
  static constexpr std::uint64_t TABLE = 0x9CC00000;

  invariants_test()
      : invariants_(trace_, *this,
                    {.host = "host",
                     .linux_hosts = {12},
                     .dma_pools = {{0x1000, 0x1000}},
                     .processors = {{2, "r5f"}},
                     .remote_hosts = {{30, "m4f"}, {36, "r5f"}}}) {
    // One vdev with two vrings, at offset 20.
    table_.resize(20 + 28 + 40);
    put(0, 1);
    put(4, 1);
    put(16, 20);
    put(20, 3);
    table_[20 + 25] = std::byte{2};
  }
  void put(std::size_t at, std::uint32_t value) { std::memcpy(table_.data() + at, &value, 4); }

  bool read(std::uint64_t pa, void* to, std::size_t length) override {
    if (pa != TABLE || length > table_.size()) return false;
    std::memcpy(to, table_.data(), length);
    return true;
  }
  void watch(const std::string& name, std::uint64_t, std::uint64_t) override { watched_.push_back(name); }
  void unwatch(const std::string& name) override { std::erase(watched_, name); }

  script play() { return script(invariants_); }
  std::vector<std::string> broken() {
    invariants_.finish();
    std::vector<std::string> names;
    for (const violation& v : invariants_.violations()) names.push_back(v.invariant);
    return names;
  }

  script begin_stop() {
    return play().emit("m4f", "core.start").emit("remoteproc0", "handshake", {{"phase", "requested"}});
  }
  script live_table(const char* what) {
    return play().emit("remoteproc0", "rproc.table",
                       {{"what", what}, field::hex("pa", TABLE), {"size", table_.size()}});
  }
  static void write(script s, std::uint64_t offset, std::uint64_t size, const char* by = "host") {
    s.emit("memory", "memory.write",
           {{"region", "resource table of remoteproc0"}, {"offset", offset}, {"size", size}, {"by", by}});
  }

  trace trace_;
  std::vector<std::byte> table_;
  std::vector<std::string> watched_;
  invariants invariants_;
};

// ---- reset-outside-wfi

TEST_F(invariants_test, reset_of_a_core_that_executes_breaks_a_graceful_stop) {
  begin_stop().emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("reset-outside-wfi"));
}
TEST_F(invariants_test, reset_of_a_core_that_woke_up_again_breaks_it) {
  begin_stop()
      .emit("m4f", "core.wfi")
      .emit("m4f", "core.wake")
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("reset-outside-wfi"));
}
TEST_F(invariants_test, reset_of_a_core_that_locked_up_in_its_sleep_breaks_it) {
  begin_stop()
      .emit("m4f", "core.wfi")
      .emit("m4f", "core.lockup")
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("reset-outside-wfi"));
}
TEST_F(invariants_test, reset_in_wfi_is_right) {
  begin_stop().emit("m4f", "core.wfi").emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}
TEST_F(invariants_test, reset_without_a_request_is_no_graceful_stop) {
  play().emit("m4f", "core.start").emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}
TEST_F(invariants_test, the_reset_in_unprepare_belongs_to_the_graceful_stop) {
  begin_stop()
      .emit("remoteproc0", "rproc.op", {{"op", "stop"}, {"result", "0"}})
      .emit("remoteproc0", "rproc.state", {{"from", "running"}, {"to", "offline"}})
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("reset-outside-wfi"));
}
TEST_F(invariants_test, what_comes_after_unprepare_does_not) {
  begin_stop()
      .emit("remoteproc0", "rproc.op", {{"op", "stop"}, {"result", "0"}})
      .emit("remoteproc0", "rproc.op", {{"op", "unprepare"}, {"result", "0"}})
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}
TEST_F(invariants_test, a_graceful_stop_concerns_its_own_core_only) {
  play()
      .emit("m4f", "core.start")
      .emit("r5f", "core.start")
      .emit("dm", "device.get", {{"device", 35u}, {"name", "timer"}, {"host", 30u}})
      .emit("remoteproc1", "handshake", {{"phase", "requested"}, {"processor", 2u}})
      .emit("r5f", "core.wfi")
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}})
      .emit("dm", "reset.assert", {{"core", "r5f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}
TEST_F(invariants_test, each_core_returns_its_own_hosts_references) {
  play()
      .emit("dm", "device.get", {{"device", 36u}, {"name", "timer"}, {"host", 36u}})
      .emit("remoteproc1", "handshake", {{"phase", "requested"}, {"processor", 2u}})
      .emit("dm", "reset.assert", {{"core", "r5f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("references-returned"));
}
TEST_F(invariants_test, the_graceful_stop_ends_with_a_stop_op_that_fails) {
  begin_stop()
      .emit("remoteproc0", "rproc.op", {{"op", "stop"}, {"result", "EBUSY"}})
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}

// ---- unpowered-access

TEST_F(invariants_test, access_to_a_module_that_is_off_is_a_violation) {
  play().emit("m4f_iram", "bus.error",
              {{"initiator", "host"}, {"kind", "write"}, field::hex("address", 0), {"reason", "module state off"}});
  EXPECT_THAT(broken(), ElementsAre("unpowered-access"));
}
TEST_F(invariants_test, a_decode_miss_is_another_matter) {
  play().emit("bus", "bus.error", {{"initiator", "host"}, {"kind", "read"}, {"reason", "nothing is mapped here"}});
  EXPECT_THAT(broken(), IsEmpty());
}

// ---- lost-mailbox-word

TEST_F(invariants_test, a_word_for_a_full_fifo_is_lost) {
  play().emit("mailbox0", "mailbox.dropped", {{"fifo", 1u}, {"msg", "kick 1"}, {"by", "host"}});
  EXPECT_THAT(broken(), ElementsAre("lost-mailbox-word"));
}
TEST_F(invariants_test, a_word_unread_when_its_reader_is_reset_in_a_graceful_stop_is_lost) {
  play().emit("mailbox0", "mailbox.received", {{"fifo", 1u}, {"level", 0u}, {"by", "m4f"}});
  begin_stop()
      .emit("mailbox0", "mailbox.sent", {{"fifo", 1u}, {"msg", "SHUTDOWN"}, {"level", 1u}, {"by", "host"}})
      .emit("m4f", "core.wfi")
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("lost-mailbox-word"));
}
TEST_F(invariants_test, a_word_that_was_read_is_not_lost) {
  begin_stop()
      .emit("mailbox0", "mailbox.sent", {{"fifo", 1u}, {"msg", "SHUTDOWN"}, {"level", 1u}, {"by", "host"}})
      .emit("mailbox0", "mailbox.received", {{"fifo", 1u}, {"msg", "SHUTDOWN"}, {"level", 0u}, {"by", "m4f"}})
      .emit("m4f", "core.wfi")
      .emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}

// ---- resource-table-write

TEST_F(invariants_test, host_may_write_what_linux_writes) {
  const script s = live_table("loaded");
  EXPECT_THAT(watched_, ElementsAre("resource table of remoteproc0"));
  write(s, 20 + 16, 4);       // gfeatures
  write(s, 20 + 24, 1);       // status
  write(s, 20 + 28 + 20, 4);  // second vring's da
  EXPECT_THAT(broken(), IsEmpty());
}
TEST_F(invariants_test, host_may_not_write_the_rest) {
  write(live_table("loaded"), 20 + 12, 4);  // dfeatures
  EXPECT_THAT(broken(), ElementsAre("resource-table-write"));
}
TEST_F(invariants_test, notifyid_is_written_at_attach_only) {
  write(live_table("attached"), 20 + 28 + 12, 4);
  EXPECT_THAT(broken(), IsEmpty());
  write(live_table("loaded"), 20 + 28 + 12, 4);
  EXPECT_THAT(broken(), ElementsAre("resource-table-write"));
}
TEST_F(invariants_test, detach_restores_the_whole_table) {
  script s = live_table("attached");
  write(s, 0, table_.size());
  s.emit("remoteproc0", "rproc.table", {{"what", "restored"}});
  EXPECT_THAT(broken(), IsEmpty());
  EXPECT_THAT(watched_, IsEmpty());
}
TEST_F(invariants_test, the_whole_table_written_without_a_detach_is_wrong) {
  write(live_table("attached"), 0, table_.size());
  EXPECT_THAT(broken(), ElementsAre("resource-table-write"));
}
TEST_F(invariants_test, the_remote_and_a_table_out_of_use_are_free) {
  script s = live_table("loaded");
  write(s, 20 + 12, 4, "m4f");
  s.emit("remoteproc0", "rproc.state", {{"from", "running"}, {"to", "offline"}});
  write(s, 20 + 12, 4);
  EXPECT_THAT(broken(), IsEmpty());
}
TEST_F(invariants_test, a_table_that_lies_nowhere_is_not_watched) {
  play().emit("remoteproc0", "rproc.table", {{"what", "loaded"}, field::hex("pa", 0), {"size", 100u}});
  EXPECT_THAT(watched_, IsEmpty());
}

// ---- references-returned

TEST_F(invariants_test, a_reference_kept_in_a_graceful_stop_is_a_violation) {
  play().emit("dm", "device.get", {{"device", 131u}, {"name", "mcu_rti0"}, {"host", 30u}});
  begin_stop().emit("m4f", "core.wfi").emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), ElementsAre("references-returned"));
}
TEST_F(invariants_test, references_of_linux_and_returned_ones_are_right) {
  play()
      .emit("dm", "device.get", {{"device", 9u}, {"name", "m4f"}, {"host", 12u}})
      .emit("dm", "device.get", {{"device", 131u}, {"name", "mcu_rti0"}, {"host", 30u}})
      .emit("dm", "device.put", {{"device", 131u}, {"name", "mcu_rti0"}, {"host", 30u}});
  begin_stop().emit("m4f", "core.wfi").emit("dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}});
  EXPECT_THAT(broken(), IsEmpty());
}

// ---- vring-bounds

TEST_F(invariants_test, a_descriptor_outside_is_a_violation) {
  play().emit("remoteproc0", "vring.desc", {{"index", 0u}, {"desc", 0u}, field::hex("pa", 0x1FFF), {"len", 2u}});
  EXPECT_THAT(broken(), ElementsAre("vring-bounds"));
}
TEST_F(invariants_test, a_descriptor_in_a_pool_or_a_carveout_is_right) {
  script s = play();
  s.emit("remoteproc0", "vring.desc", {{"index", 0u}, {"desc", 0u}, field::hex("pa", 0x1000), {"len", 512u}});
  s.emit("remoteproc0", "rproc.carveout",
         {{"carveout", "buf"}, field::hex("pa", 0x8000), {"len", 0x100u}, {"what", "add"}});
  s.emit("remoteproc0", "vring.desc", {{"index", 0u}, {"desc", 0u}, field::hex("pa", 0x8080), {"len", 0x80u}});
  EXPECT_THAT(broken(), IsEmpty());
  s.emit("remoteproc0", "rproc.carveout", {{"carveout", "buf"}, {"what", "remove"}});
  s.emit("remoteproc0", "vring.desc", {{"index", 0u}, {"desc", 0u}, field::hex("pa", 0x8080), {"len", 0x80u}});
  EXPECT_THAT(broken(), ElementsAre("vring-bounds"));
}
TEST_F(invariants_test, a_length_that_overflows_is_outside) {
  play().emit("remoteproc0", "vring.desc",
              {{"index", 0u}, {"desc", 0u}, field::hex("pa", 0x1800), {"len", UINT64_MAX}});
  EXPECT_THAT(broken(), ElementsAre("vring-bounds"));
}

// ---- host-oops

TEST_F(invariants_test, an_oops_of_the_host_is_a_violation) {
  play().emit("host", "host.oops", {{"hazard", "H4"}, {"text", "freed twice"}});
  EXPECT_THAT(broken(), ElementsAre("host-oops"));
}

// ---- all of them

TEST_F(invariants_test, a_violation_becomes_an_event_after_the_one_that_caused_it) {
  struct collector final : trace_sink {
    void on_event(const event& e) override { names.emplace_back(e.name); }
    std::vector<std::string> names;
  } reader;
  trace_.add(reader);
  trace_.add(invariants_);
  trace_.emit("host", "host.oops", {{"hazard", "H4"}});
  EXPECT_THAT(reader.names, ElementsAre("host.oops", "invariant.violated"));
  trace_.remove(invariants_);
  trace_.remove(reader);
}

TEST(invariants, every_name_is_documented) {
  std::ifstream in(RPSIM_SOURCE_DIR "/docs/invariants.md");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  for (const std::string& name : invariant_names())
    EXPECT_NE(text.find("| `" + name + "` |"), std::string::npos) << name;
}

}  // namespace
}  // namespace rpsim::tool
