#pragma once
// One scenario with something put into it: what the exploration plans (planned_fault), does (probe, in a process that
// was forked off just before), and learns (finding).

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/rpsim/explore/state_digest.h"
#include "tools/rpsim/scenario.h"
#include "tools/rpsim/simulation.h"

namespace rpsim::tool {

/// Where a fault can be put: before a message is passed on, or before the events of one instant.
struct fault_place {
  std::uint64_t ps = 0;
  std::string point;                         // of models/common/fault.h; "instant"
  std::string source, message;               // messages: the block, and the message's name
  unsigned ordinal = 0;                      // messages: the how-manieth of that name at that block, from the beginning
  std::vector<std::string> running, asleep;  // instants (after the first boot of the host): cores, by label
  std::vector<std::string> watchdogs;        // instants: those that can bite, while a core runs
  bool host = false;                         // instants: the host is up
};

/// Takes effect a picosecond before its place.
struct planned_fault {
  std::uint64_t ps = 0;
  std::string kind;           // "drop mailbox", "hang": what is counted together
  fault_spec spec;            // nth from the beginning of the run; point "host": power is cut, message says how
  std::string where() const;  // "before 100.872833 ms", "SHUTDOWN, the 2nd, at mailbox0"
};

/// What came of it. In the order of severity; a run is the last that holds.
enum class finding_class : std::uint8_t {
  passed,       // every step and every expectation held: the fault was not felt
  recovered,    // every command did what it should, late or at the second try
  unnoticed,    // no command failed; what was waited for did not come. The system is usable afterwards
  clean_error,  // a command failed with an errno, and the system is in a consistent state that can be used
  leaked,       // as clean_error or unnoticed, but something is still held that the undisturbed run gives back
  stuck,        // a command never returned, or stop and start do not bring the system back
  invariant,    // an invariant is broken that the scenario does not declare
  oops,         // host.oops: Linux would have crashed or corrupted its memory
  broken,       // the simulator itself failed: a defect of rpsim
};
const std::vector<std::string>& finding_class_names();
const std::string& to_string(finding_class c);

/// A shell line that was typed, by the scenario or afterwards.
struct typed_line {
  std::string shell, line, result, output;  // result "": it never returned
  std::uint64_t begin_ps = 0;
};

struct finding {
  finding_class what = finding_class::broken;
  std::string detail;  // for people; equal for equal stories, so without times
  std::string step;    // the first that went wrong; "": none did
  unsigned step_line = 0;
  bool retried = false;
  std::vector<std::string> hazards, invariants, leaks;
  std::map<std::string, std::string> states;  // of everything, at the end
  std::vector<typed_line> lines;              // every one of the run
  std::size_t aftermath = 0;                  // the first of them that the scenario does not have
  std::set<std::string> held;                 // at the end
  std::uint64_t end_ps = 0;
  std::vector<fault_place> places;                               // if they were asked for
  std::vector<std::pair<std::uint64_t, std::string>> states_at;  // likewise: digests of the state before these times
};
nlohmann::json to_json(const finding& f);
finding finding_from_json(const nlohmann::json& j);

struct probe_options {
  run_options run;
  bool retry = true;
  bool keep_places = false;
  unsigned schedule = 0;
};

/// A simulation at its beginning, with the eyes of an explorer. To be forked.
class probe final : private trace_sink, private troubleshooter {
 public:
  /// `normal`: the undisturbed run; nullptr: this is it. @throws refused
  probe(const std::string& file, const probe_options& o, const resources& where, const finding* normal);
  ~probe() override;
  /// To a picosecond before. @return false if the run has ended.
  bool advance(std::uint64_t ps);
  /// Puts it in and goes on to the end, once in a process. No faults: the undisturbed run, or a schedule. `looks`:
  /// when, after the last fault, a digest of the state is taken; picoseconds, ascending.
  finding run(const std::vector<planned_fault>& faults, const std::vector<std::uint64_t>& looks);
  /// From now on the run is that schedule's (simulation::shuffle).
  void shuffle(std::uint64_t schedule) { sim_->shuffle(schedule); }

 private:
  void on_event(const event& e) override;
  bool again(const step& s, const command_result& r) override;
  void aftermath(const step& s) override;
  void arm(planned_fault f);
  std::string state(const std::string& remoteproc) const;
  bool reach(const std::string& remoteproc, const std::string& wanted);
  bool go_round(const std::string& remoteproc);
  bool give(const std::string& word, const std::string& remoteproc, const std::string& wanted);
  void judge(finding& f);

  probe_options options_;
  std::unique_ptr<scenario> scenario_;
  std::unique_ptr<simulation> sim_;
  const finding* normal_;
  std::deque<planned_fault> faults_;  // the injector keeps references
  std::uint64_t last_instant_ = 0;
  unsigned channels_ = 0;  // rpmsg channels that stand
  bool talks_ = false;     // there were any
  bool host_up_ = false, booted_ = false;
  std::set<std::string> held_;
  std::set<std::string> leaks_;
  std::string trouble_;  // why it is stuck
  bool afterwards_ = false;
  finding found_;
  journal places_, digests_;  // a line each
};

}  // namespace rpsim::tool
