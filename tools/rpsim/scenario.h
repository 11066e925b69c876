#pragma once
// A scenario as it was read: what tools/rpsim/parse_scenario.cpp makes of a YAML file and the engine runs.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <systemc>
#include <utility>
#include <variant>
#include <vector>

#include "models/common/host_reset.h"
#include "tools/rpsim/pattern.h"

namespace rpsim::tool {

struct place {
  unsigned line = 0, column = 0;  // from 1; 0: nowhere in particular
};

/// Why an input is refused.
struct problem {
  std::string file;
  place where;
  std::string text;
  std::string message() const;  // "file:line:column: text"
};

/// A text and where it was written.
struct placed_text {
  std::string text;
  place where;
};

/// A word that names a state of something: {remoteproc0: offline}.
struct state_of {
  std::string what, state;
  place where;
};

/// One disturbance. Message faults are decided at a point of models/common/fault.h; core faults act at once.
struct fault_spec {
  enum class kind : std::uint8_t { drop, delay, duplicate, corrupt, nack, silence, hang, lockup, wake, watchdog };
  kind what = kind::drop;
  std::string text;     // as written, for reports: "drop mailbox SHUTDOWN_ACK"
  std::string point;    // "mailbox.word", "tisci.request", "ipcc.flag"; "core" for hang to wake; "watchdog"
  std::string message;  // message name, `*`, or a mailbox word in hexadecimal; the core's or watchdog's label
  std::vector<std::pair<std::string, std::string>>
      fields;           // further conditions: fifo, device, host, processor, from, at
  unsigned nth = 1;     // the first that counts, from when it is armed
  unsigned times = 1;   // how many from there on; 0: all
  sc_core::sc_time by;  // delay
  std::uint32_t xor_mask = 0;
  place where;
};

/// Histories of the host's core (host: core). Empty: all.
struct histories {
  std::vector<std::string> names;
  bool hold(std::string_view core) const;
};

struct run_command {
  std::string line;
};
struct open_device {
  std::string path, as;
};
struct write_device {
  std::string to, data;
};
struct ioctl_device {
  std::string to, name;
  std::uint32_t request = 0;
  std::int64_t value = 0;
};
struct close_device {
  std::string what;
};
struct rpmsg_exchange {
  std::string channel;
  std::optional<std::string> send, reply;
  sc_core::sc_time within;  // for the reply
  unsigned times = 1;
};
struct wait_for_event {
  pattern what;
};
struct wait_for_state {
  std::vector<state_of> states;
};
struct wait_for_time {
  sc_core::sc_time duration;
};
struct wait_for_shell {
  std::string name;
};
struct set_params {
  std::vector<std::pair<placed_text, std::string>> values;
};
/// The resource table in shared memory, as the remote sees it.
struct look_at_table {
  std::string keep, same_as;                                  // names of copies; empty: none
  std::vector<std::pair<std::string, std::uint32_t>> fields;  // of its first vdev: status, vring0.da …
};

/// The host's power or reset goes, whatever it does, and it boots again.
struct power_cycle {
  host_reset_kind kind;
};

/// What a step is expected to give. Unsaid, it has to succeed.
struct outcome {
  std::string result = "0";           // "0", an errno name, "killed", "lost", "any"
  std::optional<std::string> output;  // standard output without the last newline; `*` stands for anything
  std::optional<sc_core::sc_time> least, most;
};

struct step {
  place where;
  std::string text;   // one line, for people
  std::string shell;  // "" is the first one
  std::optional<sc_core::sc_time> at;
  std::optional<sc_core::sc_time> within;  // waits
  std::variant<run_command, open_device, write_device, ioctl_device, close_device, rpmsg_exchange, wait_for_event,
               wait_for_state, wait_for_time, wait_for_shell, set_params, look_at_table, fault_spec, power_cycle>
      action;
  outcome expect;
  histories when;                                        // in others there is no such step
  std::vector<std::pair<histories, outcome>> expect_by;  // in these, instead of `expect`
};

struct expect_state {
  state_of state;
};
struct expect_order {
  std::vector<pattern> events;
  unsigned times = 1;
};
struct expect_never {
  pattern what;
  std::optional<pattern> after, before;
};
struct expect_count {
  pattern what;
  std::uint64_t least = 0, most = 0;
};
struct expect_takes {
  pattern from, to;
  std::optional<sc_core::sc_time> least, most;
};
struct expect_log {
  std::string text;
};

struct expectation {
  place where;
  std::string text;
  histories when;
  std::variant<expect_state, expect_order, expect_never, expect_count, expect_takes, expect_log> what;
};

struct measure_spec {
  std::string name;
  pattern from, to;
  place where;
};

/// The signed container of an image, as a TEE takes it, and what is wrong with it.
struct firmware_container {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> words;  // of its header: offset, value
  std::uint32_t cut_bytes = 0;                                 // taken from its end
  bool corrupt_segment = false;                                // a bit of the first loaded one
};

/// What the host finds under /lib/firmware.
struct firmware_file {
  placed_text name, image;
  std::optional<firmware_container> packed;
};

/// What a boot loader did before Linux came up.
struct bootloader_action {
  std::string core, file;  // "start CORE with FILE"
  place where;
};

struct host_options {
  placed_text core{"main", {}}, shutdown{"none", {}}, crash{"log", {}};
  bool auto_boot = false;  // false: as where the root file system with the firmware comes after the drivers
};

struct scenario {
  std::string file;  // as given
  std::string name, purpose;
  placed_text platform;
  std::map<std::string, placed_text> cores;  // label -> native | arm
  placed_text every_core;                    // -p core=…: native, or arm where a core can
  std::vector<firmware_file> files;
  std::vector<std::pair<placed_text, std::string>> params;
  host_options host;
  std::vector<bootloader_action> bootloader;
  std::vector<fault_spec> faults;
  std::vector<step> steps;
  std::vector<expectation> expect;
  std::vector<measure_spec> measures;
  std::vector<placed_text> violates;
  std::vector<std::pair<placed_text, histories>> violates_when;
  /// What comes of it, in a few words, by history; the one that holds for all others has no histories.
  std::vector<std::pair<histories, placed_text>> outcomes;
  placed_text outcome;  // after settle(): of the history that runs
  sc_core::sc_time limit;
};

/// What it says of the host core's history `core`; nullptr: nothing.
const placed_text* outcome_of(const scenario& s, std::string_view core);

/// Leaves what holds for the history that the host has: steps, expectations, violations, the outcome.
void settle(scenario& s);

/// The words `host:` takes.
const std::vector<std::string>& host_core_words();
const std::vector<std::string>& host_shutdown_words();
const std::vector<std::string>& host_crash_words();

}  // namespace rpsim::tool
