#include "tools/rpsim/trace_writers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/events.h"
#include "tools/rpsim/text_writer.h"

namespace rpsim::tool {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class writers_test : public testing::Test {
 protected:
  writers_test() : path_(fmt::format("{}/rpsim_writer_{}", testing::TempDir(), ::getpid())) {}
  ~writers_test() override { std::filesystem::remove(path_); }
  std::string written() {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  template <typename Writer, typename... A>
  std::string write(void (*story)(script), A... arguments) {
    {
      output out(path_);
      Writer w(out, arguments...);
      story(script(w));
    }
    return written();
  }
  static void shutdown_story(script s) {
    s.at_us(0).emit("shell", "shell.run", {{"line", "echo stop > /f"}});
    s.at_us(1).emit("mailbox0", "mailbox.sent",
                    {{"fifo", 1u}, field::hex("word", 0xFFFFFF14), {"msg", "SHUTDOWN"}, {"level", 1u}, {"by", "host"}});
    s.at_us(2).emit("mailbox0", "mailbox.received",
                    {{"fifo", 1u}, field::hex("word", 0xFFFFFF14), {"msg", "SHUTDOWN"}, {"level", 0u}, {"by", "m4f"}});
    s.at_us(3).emit(
        "mailbox0", "mailbox.sent",
        {{"fifo", 0u}, field::hex("word", 0xFFFFFF15), {"msg", "SHUTDOWN_ACK"}, {"level", 1u}, {"by", "m4f"}});
    s.at_us(4).emit("m4f", "core.wfi");
    s.at_us(5).emit(
        "mailbox0", "mailbox.received",
        {{"fifo", 0u}, field::hex("word", 0xFFFFFF15), {"msg", "SHUTDOWN_ACK"}, {"level", 0u}, {"by", "host"}});
    s.emit("secure_proxy", "tisci.sent", {{"thread", 13u}, {"host", 12u}, {"seq", 3u}, {"msg", "GET_DEVICE"}});
    s.at_us(6).emit("dm", "tisci.request", {{"host", 12u}, {"seq", 3u}, {"msg", "GET_DEVICE"}});
    s.at_us(9).emit("dm", "tisci.response", {{"host", 12u}, {"seq", 3u}, {"msg", "GET_DEVICE"}, {"result", "ACK"}});
    s.at_us(10).emit("remoteproc0", "rproc.state", {{"from", "running"}, {"to", "offline"}});
    s.emit("host", "host.log", {{"level", "info"}, {"dev", "a \"quoted\"\n\x01 thing"}, {"text", "\xFFtext"}});
    s.emit("shell", "shell.done", {{"result", "0"}, {"output", ""}});
  }

  std::string path_;
};

// ---- JSON lines

TEST_F(writers_test, json_lines_are_objects_behind_a_header) {
  const std::string text = write<json_lines_writer>(shutdown_story, "s", 7u);
  std::istringstream lines(text);
  std::vector<json> all;
  for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
  ASSERT_EQ(all.size(), 13u);
  EXPECT_EQ(all[0], (json{{"schema", "rpsim-trace-1"}, {"scenario", "s"}, {"seed", 7}}));
  EXPECT_EQ(all[2]["ps"], 1'000'000);
  EXPECT_EQ(all[2]["source"], "mailbox0");
  EXPECT_EQ(all[2]["event"], "mailbox.sent");
  EXPECT_EQ(all[2]["fields"]["fifo"], 1);
  EXPECT_EQ(all[2]["fields"]["word"], "0xffffff14");
  EXPECT_EQ(all[11]["fields"]["dev"], "a \"quoted\"\n\x01 thing");
}

// ---- Perfetto

TEST_F(writers_test, perfetto_has_tracks_slices_and_arrows) {
  const json trace = json::parse(write<perfetto_writer>(shutdown_story, "s"));
  std::map<unsigned, std::string> tracks;
  std::map<std::string, std::vector<json>> slices;
  std::map<unsigned, std::pair<json, json>> arrows;
  for (const json& e : trace["traceEvents"]) {
    if (e["ph"] == "M" && e["name"] == "thread_name") tracks[e["tid"]] = e["args"]["name"];
  }
  for (const json& e : trace["traceEvents"]) {
    if (e["ph"] == "X") slices[tracks.at(e["tid"])].push_back(e);
    if (e["ph"] == "s") arrows[e["id"]].first = e;
    if (e["ph"] == "f") arrows[e["id"]].second = e;
  }
  ASSERT_EQ(slices["mailbox0 FIFO 1"].size(), 1u);
  EXPECT_EQ(slices["mailbox0 FIFO 1"][0]["name"], "SHUTDOWN");
  EXPECT_EQ(slices["mailbox0 FIFO 1"][0]["ts"], 1.0);
  EXPECT_EQ(slices["mailbox0 FIFO 1"][0]["dur"], 1.0);
  EXPECT_EQ(slices["dm for host 12"][0]["name"], "GET_DEVICE ACK");
  EXPECT_EQ(slices["TI-SCI host 12"][0]["dur"], 4.0);
  EXPECT_EQ(slices["shell"][0]["name"], "echo stop > /f");
  ASSERT_EQ(arrows.size(), 3u);  // SHUTDOWN to its answer; a request to its service, and back
  for (const auto& [id, ends] : arrows) {
    EXPECT_FALSE(ends.first.is_null()) << id;
    EXPECT_FALSE(ends.second.is_null()) << id;
  }
  EXPECT_EQ(tracks.at(arrows[1].first["tid"]), "mailbox0 FIFO 1");
  EXPECT_EQ(tracks.at(arrows[1].second["tid"]), "mailbox0 FIFO 0");
  EXPECT_EQ(arrows[1].second["ts"], 3.0);
}

TEST_F(writers_test, a_response_on_its_way_through_the_proxy_is_no_new_request) {
  const auto story = +[](script s) {
    s.at_us(1).emit("secure_proxy", "tisci.sent", {{"host", 12u}, {"seq", 0u}, {"msg", "GET_DEVICE"}});
    s.emit("dm", "tisci.request", {{"host", 12u}, {"seq", 0u}, {"msg", "GET_DEVICE"}});
    s.at_us(90).emit("secure_proxy", "tisci.sent", {{"host", 12u}, {"seq", 0u}, {"msg", "GET_DEVICE"}});
    s.emit("dm", "tisci.response", {{"host", 12u}, {"seq", 0u}, {"msg", "GET_DEVICE"}, {"result", "ACK"}});
  };
  const json trace = json::parse(write<perfetto_writer>(story, "s"));
  std::vector<double> lengths;
  for (const json& e : trace["traceEvents"]) {
    if (e["ph"] == "X") lengths.push_back(e["dur"]);
  }
  EXPECT_EQ(lengths, (std::vector<double>{89, 89}));
}

TEST_F(writers_test, perfetto_of_a_run_that_broke_off_is_still_whole) {
  const json trace = json::parse(write<perfetto_writer>(
      [](script s) {
        s.emit("m4f", "core.start").at_us(5).emit("mailbox0", "mailbox.sent", {{"fifo", 1u}, {"msg", "SHUTDOWN"}});
        s.emit("secure_proxy", "tisci.sent", {{"host", 12u}, {"seq", 0u}, {"msg", "SET_DEVICE"}})
            .at_us(7)
            .emit("x", "host.booted");
      },
      "s"));
  std::vector<std::string> names;
  for (const json& e : trace["traceEvents"]) {
    if (e["ph"] == "X") names.push_back(e["name"]);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("running", "SHUTDOWN (unread)", "SET_DEVICE (no answer)"));
}

// ---- VCD

TEST_F(writers_test, words_that_lie_in_a_fifo_together_have_a_perfetto_track_each) {
  const json doc = json::parse(write<perfetto_writer>(
      [](script s) {
        std::uint64_t us = 0;
        for (const char* what : {"mailbox.sent", "mailbox.sent", "mailbox.received", "mailbox.received"})
          s.at_us(++us).emit("mailbox0", what, {{"fifo", 0u}, {"msg", "kick 0"}});
      },
      "s"));
  std::set<int> tracks;
  for (const json& e : doc["traceEvents"]) {
    if (e["ph"] != "X") continue;
    EXPECT_TRUE(tracks.insert(e["tid"].get<int>()).second) << e;
  }
  EXPECT_EQ(tracks.size(), 2u);
}

TEST_F(writers_test, vcd_declares_what_it_changes_and_time_never_goes_back) {
  const std::string text = write<vcd_writer>(shutdown_story, "s");
  std::istringstream lines(text);
  std::set<std::string> declared;
  std::uint64_t now = 0;
  bool header = true;
  bool before = false;
  unsigned initial = 0, changes = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    const std::vector<std::string> w{std::istream_iterator<std::string>(words), {}};
    if (header) {
      if (w[0] == "$var") {
        ASSERT_EQ(w.size(), 6u) << line;
        EXPECT_TRUE(declared.insert(w[3]).second) << line;
      }
      header = w[0] != "$enddefinitions";
    } else if (line[0] == '#') {
      const std::uint64_t time = std::stoull(line.substr(1));
      EXPECT_GE(time, now);
      now = time;
    } else if (line[0] == '$') {
      before = w[0] == "$dumpvars";
    } else {
      ++(before ? initial : changes);
      EXPECT_TRUE(declared.contains(w.size() == 2 ? w[1] : line.substr(1))) << line;
    }
  }
  EXPECT_FALSE(header);
  EXPECT_EQ(initial, declared.size());  // a viewer has nothing unknown to show
  EXPECT_EQ(changes, 6u);               // four mailbox levels, WFI, the processor's state
  EXPECT_THAT(text, HasSubstr("$scope module remoteproc0 $end"));
  EXPECT_THAT(text, HasSubstr("soffline "));
}

// ---- text

TEST_F(writers_test, text_is_in_columns) {
  EXPECT_EQ(write<text_writer>(shutdown_story, false, 0, false),
            R"(     0.000000 ms              shell        shell.run             $ echo stop > /f
     0.001000 ms     +1.0 us  mailbox0     mailbox.sent          SHUTDOWN  -> FIFO 1 (1 unread), by host
     0.002000 ms     +1.0 us  mailbox0     mailbox.received      SHUTDOWN  <- FIFO 1 (0 unread), by m4f
     0.003000 ms     +1.0 us  mailbox0     mailbox.sent          SHUTDOWN_ACK  -> FIFO 0 (1 unread), by m4f
     0.004000 ms     +1.0 us  m4f          core.wfi
     0.005000 ms     +1.0 us  mailbox0     mailbox.received      SHUTDOWN_ACK  <- FIFO 0 (0 unread), by host
     0.006000 ms     +1.0 us  dm           tisci.request         GET_DEVICE  host 12, seq 3
     0.009000 ms     +3.0 us  dm           tisci.response        GET_DEVICE ACK  host 12, seq 3
     0.010000 ms     +1.0 us  remoteproc0  rproc.state           running -> offline
     0.010000 ms              host         host.log              a "quoted"\n? thing: )"
            "\xFFtext\n     0.010000 ms              shell        shell.done            0\n");
}

TEST_F(writers_test, text_of_the_detail_level_leaves_nothing_out) {
  const std::string text = write<text_writer>(shutdown_story, false, 1, false);
  EXPECT_THAT(text, HasSubstr("tisci.sent"));
  EXPECT_THAT(text, HasSubstr("word=0xffffff14"));
}

TEST_F(writers_test, text_tells_what_comes_again_and_again_a_few_times) {
  const auto chatter = [](script s) {
    for (unsigned i = 0; i < 50; ++i)
      s.emit("rpmsg", "rpmsg.sent", {{"channel", "c"}, {"src", i}, {"dst", 2u}, {"len", 3u}});
    s.emit("shell", "shell.run", {{"line", "x"}});
    s.emit("rpmsg", "rpmsg.sent", {{"channel", "c"}, {"src", 1u}, {"dst", 2u}, {"len", 3u}});
  };
  const std::string text = write<text_writer>(chatter, false, 0, false);
  EXPECT_THAT(text, HasSubstr("(47 more lines of the kind; -v shows them)"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 6);
  EXPECT_THAT(write<text_writer>(chatter, false, 1, false), Not(HasSubstr("more lines")));
}

TEST_F(writers_test, colour_is_closed_on_every_line) {
  const std::string text = write<text_writer>(shutdown_story, true, 0, false);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(line.find("\x1b[") == std::string::npos, !line.ends_with("\x1b[0m")) << line;
  }
}

TEST_F(writers_test, firmware_speaks_when_asked_to) {
  const auto story = [](script s) { s.emit("m4f", "fw.log", {{"text", "hello"}}); };
  EXPECT_EQ(write<text_writer>(story, false, 0, false), "");
  EXPECT_THAT(write<text_writer>(story, false, 0, true), HasSubstr("hello"));
}

TEST_F(writers_test, every_reader_is_deterministic) {
  EXPECT_EQ(write<text_writer>(shutdown_story, false, 1, false), write<text_writer>(shutdown_story, false, 1, false));
  EXPECT_EQ(write<perfetto_writer>(shutdown_story, "s"), write<perfetto_writer>(shutdown_story, "s"));
  EXPECT_EQ(write<vcd_writer>(shutdown_story, "s"), write<vcd_writer>(shutdown_story, "s"));
}

TEST(output, that_cannot_be_made_is_an_error) { EXPECT_THROW(output("/nowhere/x"), std::runtime_error); }

}  // namespace
}  // namespace rpsim::tool
