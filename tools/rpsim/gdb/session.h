#pragma once
// One conversation with gdb: its commands, carried out on the cores. Knows no sockets and no simulation: inputs go in,
// payloads come out, and whoever owns it lets simulated time run while running() says so.
//
// A core is a process (an inferior) of one thread, numbered from 1; all stop when one does. A process that gdb has not
// attached to runs on as if nobody looked; the first is attached to when the conversation begins.

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "models/core/arm/debug.h"
#include "tools/rpsim/gdb/packets.h"

namespace rpsim::tool::gdb {

class session {
 public:
  struct surroundings {
    std::function<void(std::string_view bytes)> send;
    /// Simulated time is to stop as soon as it can.
    std::function<void()> pause;
    /// What `monitor` was given, about this core (an index): what to show.
    std::function<std::string(std::string_view line, std::size_t core)> monitor;
  };
  session(std::vector<debug_target*> cores, surroundings around);
  /// Whatever is still attached goes on without.
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void take(std::string_view bytes);
  /// Simulated time may go on.
  bool running() const { return running_; }
  /// gdb has let go of every process: there is nothing left to say.
  bool over() const { return over_; }
  /// The scenario has, and gdb has been told of every process; it may still ask.
  bool at_rest() const { return ended_ && attached_.empty(); }
  /// Once simulated time has paused: tells gdb why, if a core has stopped or gdb has interrupted.
  void paused();
  /// The scenario has ended with this status; so has every process.
  void ended(int status);
  /// For gdb's user, while running(); otherwise it has no place in the protocol.
  void show(std::string_view text);

 private:
  struct thread_id {
    int process = 0, thread = 0;  // -1 all, 0 any
  };

  void reply(std::string_view payload);
  std::optional<std::string> answer(const std::string& packet);  // nothing: it comes later, or never
  std::string query(std::string_view packet);
  std::string target_description(std::string_view annex_and_range) const;
  std::optional<std::string> resume(std::string_view actions);
  std::optional<std::string> go(const std::vector<std::optional<debug_order>>& orders);
  std::string point(std::string_view packet);
  std::string read_memory(std::string_view range);
  std::string write_memory(std::string_view packet, bool binary);
  std::string registers(std::string_view packet);
  std::string attach(std::size_t core);
  void let_go(std::size_t core);
  std::string detach(std::string_view process);

  std::optional<thread_id> parse_thread(std::string_view text) const;
  std::optional<std::size_t> core_of(const thread_id& id) const;
  bool fits(const thread_id& id, std::size_t core) const;
  std::string name_of(std::size_t core) const;
  std::string stop_reply(std::size_t core, const std::optional<debug_stop>& why) const;
  debug_target& current() { return *cores_[current_]; }
  unsigned registers_of_current();
  std::string register_text(unsigned n);
  bool set_register(unsigned n, std::string_view text);

  std::vector<debug_target*> cores_;
  surroundings around_;
  packet_reader reader_;
  std::string last_sent_;
  bool acknowledged_ = true;  // packets are, with '+', until QStartNoAckMode
  bool multiprocess_ = false;
  bool extended_ = false;  // the conversation outlives its processes
  std::set<std::size_t> attached_;
  std::set<std::tuple<std::size_t, std::uint64_t, char>> breakpoints_;  // core, address, of which type (Z0 or Z1)
  std::size_t current_ = 0;                                             // what registers and memory are of (Hg)
  bool running_ = false, interrupted_ = false, over_ = false;
  std::optional<std::pair<std::size_t, debug_stop>> stopped_;  // the first; others come upon it again
  std::optional<int> ended_;
};

}  // namespace rpsim::tool::gdb
