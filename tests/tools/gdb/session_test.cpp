// The protocol on cores that only remember what they were told.

#include "tools/rpsim/gdb/session.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>

namespace rpsim::tool::gdb {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class fake_core final : public debug_target {
 public:
  fake_core(std::string label, arm_profile profile) : label_(std::move(label)), profile_(profile) {}
  const std::string& debug_label() const override { return label_; }
  arm_profile profile() const override { return profile_; }
  void attach(listener l) override {
    stopped = std::move(l);
    ordered = debug_order::hold;
  }
  void detach() override {
    stopped = nullptr;
    ordered = debug_order::go;
    breakpoints.clear();
  }
  void order(debug_order what) override { ordered = what; }
  void reset_core() override {}
  std::vector<debug_register> system_registers() const override {
    return profile_ == arm_profile::m ? std::vector<debug_register>{{"msp"}, {"psp"}} : std::vector<debug_register>{};
  }
  std::uint64_t read_register(unsigned n) override { return registers[n]; }
  bool write_register(unsigned n, std::uint64_t value) override {
    registers[n] = value;
    return n != STATUS;
  }
  std::size_t read_memory(std::uint32_t address, std::span<std::byte> to) override {
    std::size_t n = 0;
    for (; n < to.size() && memory.contains(address + n); ++n) to[n] = memory[address + n];
    return n;
  }
  std::size_t write_memory(std::uint32_t address, std::span<const std::byte> from) override {
    std::size_t n = 0;
    for (; n < from.size() && memory.contains(address + n); ++n) memory[address + n] = from[n];
    return n;
  }
  void set_breakpoint(std::uint32_t address) override { breakpoints.insert(address); }
  void clear_breakpoint(std::uint32_t address) override { breakpoints.erase(address); }
  void set_watchpoint(debug_access, std::uint32_t address, std::uint32_t) override { watchpoints.insert(address); }
  void clear_watchpoint(debug_access, std::uint32_t address, std::uint32_t) override { watchpoints.erase(address); }

  listener stopped;
  debug_order ordered = debug_order::go;
  std::map<unsigned, std::uint64_t> registers;
  std::map<std::uint64_t, std::byte> memory;
  std::set<std::uint32_t> breakpoints, watchpoints;

 private:
  std::string label_;
  arm_profile profile_;
};

class gdb_session : public ::testing::Test {
 protected:
  /// What is answered to a packet, without acknowledgement and frame.
  std::string ask(std::string_view packet) {
    sent_.clear();
    session_.take(frame(packet));
    std::string text;
    packet_reader reader;
    for (const input& in : reader.take(sent_)) {
      EXPECT_NE(in.what, input::kind::damaged);
      if (in.what == input::kind::packet) text += in.payload;
    }
    return text;
  }
  std::string sent_;
  unsigned pauses_ = 0;
  fake_core m4_{"m4f", arm_profile::m}, r5_{"r5f0_0", arm_profile::r};
  session session_{
      {&m4_, &r5_},
      {.send = [this](std::string_view b) { sent_ += b; },
       .pause = [this] { ++pauses_; },
       .monitor = [](std::string_view line, std::size_t core) { return fmt::format("{} {}", core, line); }}};
};

TEST(gdb_packets, frame_is_read_back_with_every_byte_in_it) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  packet_reader reader;
  std::vector<input> in;
  for (const char c : frame(all)) {  // in the smallest pieces
    for (input& i : reader.take({&c, 1})) in.push_back(std::move(i));
  }
  ASSERT_EQ(in.size(), 1U);
  EXPECT_EQ(in[0].what, input::kind::packet);
  EXPECT_EQ(in[0].payload, all);
}

TEST(gdb_packets, wrong_checksum_and_too_long_a_packet_are_damaged_and_the_next_one_is_read) {
  packet_reader reader;
  const std::string text =
      fmt::format("$g#68$g#zz{}\x03+-{}", frame(std::string(packet_reader::MOST_BYTES + 1, 'a')), frame("g"));
  std::vector<input::kind> kinds;
  for (const input& i : reader.take(text)) kinds.push_back(i.what);
  using k = input::kind;
  EXPECT_THAT(kinds, ElementsAre(k::damaged, k::damaged, k::damaged, k::interrupt, k::ack, k::nak, k::packet));
}

TEST_F(gdb_session, damaged_packet_is_asked_for_again_and_a_refused_answer_repeated) {
  session_.take("$g#00");
  EXPECT_EQ(sent_, "-");
  ask("qC");
  const std::string once = sent_;
  session_.take("-");
  EXPECT_EQ(sent_, once + frame("QC1"));
}

TEST_F(gdb_session, begins_with_the_first_core_attached_and_held) {
  EXPECT_EQ(m4_.ordered, debug_order::hold);
  EXPECT_EQ(r5_.ordered, debug_order::go);
  EXPECT_FALSE(session_.running());
  ask("qSupported:multiprocess+;swbreak+");
  EXPECT_EQ(ask("?"), "T05thread:p1.1;");
  EXPECT_EQ(ask("qfThreadInfo"), "mp1.1");
  EXPECT_EQ(ask("vAttach;2"), "T05thread:p2.1;");
  EXPECT_EQ(ask("qfThreadInfo"), "mp1.1,p2.1");
  EXPECT_EQ(ask("qThreadExtraInfo,p2.1"), to_hex("r5f0_0"));
  EXPECT_EQ(ask("vAttach;3"), "E22");
}

TEST_F(gdb_session, description_is_that_of_the_profile) {
  EXPECT_THAT(ask("qXfer:features:read:target.xml:0,3fff"), HasSubstr("org.gnu.gdb.arm.m-profile"));
  ask("vAttach;2");
  const std::string r5 = ask("qXfer:features:read:target.xml:0,3fff");
  EXPECT_THAT(r5, HasSubstr("org.gnu.gdb.arm.core"));
  EXPECT_THAT(r5, HasSubstr("\"cpsr\""));
  EXPECT_EQ(ask("qXfer:features:read:target.xml:0,10") + ask("qXfer:features:read:target.xml:10,3fff").substr(1),
            fmt::format("m{}", r5.substr(1)));
}

TEST_F(gdb_session, vcont_gives_each_core_its_first_fitting_action_and_holds_the_others) {
  ask("qSupported:multiprocess+");
  ask("vAttach;2");
  EXPECT_EQ(ask("vCont;s:p2.1;c:p1.-1"), "");
  EXPECT_EQ(m4_.ordered, debug_order::go);
  EXPECT_EQ(r5_.ordered, debug_order::step);
  EXPECT_TRUE(session_.running());
  r5_.stopped(r5_, {});
  EXPECT_EQ(pauses_, 1U);
  sent_.clear();
  session_.paused();
  EXPECT_EQ(sent_, frame("T05thread:p2.1;"));
  ask("vCont;c:p2.-1");
  EXPECT_EQ(m4_.ordered, debug_order::hold);
}

TEST_F(gdb_session, interrupt_while_running_is_told_once_paused) {
  session_.take("\x03");
  EXPECT_EQ(pauses_, 0U);
  ask("vCont;c");
  session_.paused();
  EXPECT_TRUE(session_.running());
  session_.take("\x03");
  EXPECT_EQ(pauses_, 1U);
  sent_.clear();
  session_.paused();
  EXPECT_EQ(sent_, frame("T02thread:1;"));
}

TEST_F(gdb_session, watchpoint_is_told_with_its_address) {
  EXPECT_EQ(ask("Z2,20000010,4"), "OK");
  EXPECT_THAT(m4_.watchpoints, ElementsAre(0x20000010));
  ask("vCont;c");
  m4_.stopped(m4_, {debug_stop::kind::watchpoint, debug_access::write, 0x20000012});
  sent_.clear();
  session_.paused();
  EXPECT_EQ(sent_, frame("T05thread:1;watch:20000012;"));
  EXPECT_EQ(ask("z2,20000010,4"), "OK");
  EXPECT_TRUE(m4_.watchpoints.empty());
}

TEST_F(gdb_session, breakpoint_of_either_type_stays_until_both_are_gone) {
  ask("Z0,100,2");
  ask("Z1,100,2");
  ask("z0,100,2");
  EXPECT_THAT(m4_.breakpoints, ElementsAre(0x100));
  ask("z1,100,2");
  EXPECT_TRUE(m4_.breakpoints.empty());
}

TEST_F(gdb_session, memory_is_read_as_far_as_there_is_some) {
  for (unsigned n = 0; n < 4; ++n) m4_.memory[0x100 + n] = std::byte(n + 1);
  EXPECT_EQ(ask("m100,8"), "01020304");
  EXPECT_EQ(ask("m104,4"), "E14");
  EXPECT_EQ(ask("M102,2:aabb"), "OK");
  EXPECT_EQ(ask("X100,2:}#"), "OK");
  EXPECT_EQ(ask("m100,4"), "7d23aabb");
  EXPECT_EQ(ask("M103,2:aabb"), "E14");
}

TEST_F(gdb_session, registers_are_little_endian_and_of_their_own_width) {
  EXPECT_EQ(ask("P11=0102030405060708"), "OK");
  EXPECT_EQ(m4_.registers[debug_target::D0], 0x0807060504030201U);
  EXPECT_EQ(ask("p11"), "0102030405060708");
  EXPECT_EQ(ask("g").size(), 8U * (17 + 2 * 16 + 1 + 2));
  EXPECT_EQ(ask("P10=01000000"), "E22");  // the core refuses
  EXPECT_EQ(ask("p24"), "E22");
  const std::string all = ask("g");
  EXPECT_EQ(ask(fmt::format("G{}", all)), "OK");
}

TEST_F(gdb_session, monitor_shows_what_is_said_about_the_current_core) {
  EXPECT_EQ(ask(fmt::format("qRcmd,{}", to_hex("time"))), fmt::format("O{}OK", to_hex("0 time")));
}

TEST_F(gdb_session, end_of_the_scenario_is_the_end_of_each_process_in_turn) {
  ask("qSupported:multiprocess+");
  ask("vAttach;2");
  ask("vCont;c");
  sent_.clear();
  session_.ended(1);
  EXPECT_EQ(sent_, frame("W01;process:1"));
  EXPECT_FALSE(session_.over());
  EXPECT_EQ(ask("vCont;c"), "W01;process:2");
  EXPECT_TRUE(session_.over());
}

TEST_F(gdb_session, whose_conversation_outlives_its_processes_may_ask_after_their_end) {
  ask("!");
  ask("vCont;c");
  session_.ended(0);
  EXPECT_TRUE(session_.at_rest());
  EXPECT_FALSE(session_.over());
  EXPECT_EQ(ask("qfThreadInfo"), "l");
  EXPECT_EQ(ask("g"), "E22");
}

TEST_F(gdb_session, detached_core_goes_on_without_breakpoints) {
  ask("Z0,100,2");
  EXPECT_EQ(ask("D;1"), "OK");
  EXPECT_EQ(m4_.ordered, debug_order::go);
  EXPECT_TRUE(m4_.breakpoints.empty());
  EXPECT_TRUE(session_.over());
}

TEST_F(gdb_session, garbage_is_refused_and_the_conversation_goes_on) {
  for (const char* p : {"",
                        "H",
                        "Hg",
                        "Hgp9.1",
                        "m",
                        "mzz,4",
                        "m0,",
                        "m123456789,4",
                        "M0,4",
                        "M0,4:0",
                        "X0,5:a",
                        "Z",
                        "Z0",
                        "Z9,0,4",
                        "Z2,fffffffe,8",
                        "Z2,0,0",
                        "zz",
                        "P",
                        "P0",
                        "P0=1",
                        "Pzz=00000000",
                        "pfff",
                        "G00",
                        "vCont;",
                        "vCont;x",
                        "vCont;c:p9.1",
                        "vCont;c:zz",
                        "vFile:open",
                        "qXfer:features:read:",
                        "qXfer:features:read:target.xml:zz",
                        "qRcmd,0",
                        "qThreadExtraInfo,",
                        "D;9",
                        "D;zz",
                        "T",
                        "Tp9.1",
                        "vAttach;",
                        "vAttach;0",
                        "QNoSuch",
                        "\x80\xff"}) {
    const std::string text = ask(p);
    EXPECT_TRUE(text.empty() || text.starts_with("E")) << p << ": " << text;
  }
  EXPECT_EQ(ask("qC"), "QC1");
  constexpr std::string_view LETTERS = "gGmMpPXzZHTvqQ?:;,=.-0123456789abcdefCont$#}\x03\xff";
  std::mt19937 random(1);
  for (int n = 0; n < 20000; ++n) {
    std::string packet(1 + random() % 12, ' ');
    for (char& c : packet) c = LETTERS[random() % LETTERS.size()];
    session_.take(n % 2 == 0 ? frame(packet) : packet);
    if (n % 64 == 0) session_.paused();
  }
  session_.take("#00");  // ends what may be open
  session_.take("\x03");
  session_.paused();
  EXPECT_THAT(ask("qSupported"), StartsWith("PacketSize="));
}

}  // namespace
}  // namespace rpsim::tool::gdb
