#pragma once
// One simulated system, and the scenario playing on it.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host_sw/linux_host.h"
#include "platforms/platform.h"
#include "tools/rpsim/boot_loader.h"
#include "tools/rpsim/checks.h"
#include "tools/rpsim/engine.h"
#include "tools/rpsim/faults.h"
#include "tools/rpsim/host_life.h"
#include "tools/rpsim/host_session.h"
#include "tools/rpsim/invariants.h"
#include "tools/rpsim/resources.h"
#include "tools/rpsim/scenario.h"
#include "tools/rpsim/states.h"

namespace rpsim::tool {

/// A scenario that cannot be run: found before simulated time starts.
class refused : public std::exception {
 public:
  explicit refused(std::vector<problem> p) : problems(std::move(p)) {}
  const char* what() const noexcept override { return "the scenario is refused"; }
  std::vector<problem> problems;
};

/// Goes on where a scenario would end (tools/rpsim/explore). Called in the scenario's thread, from where it may type()
/// and wait. With one of these a step that comes too late or takes too long has not gone wrong.
class troubleshooter {
 public:
  virtual ~troubleshooter() = default;
  /// A command went wrong: true to give it once more.
  virtual bool again(const step& s, const command_result& r) = 0;
  /// A step stays wrong, and the rest of the scenario is left out.
  virtual void aftermath(const step& s) = 0;
};

class simulation final : private trace_sink, private system_view {
 public:
  /// Builds everything. @throws refused
  simulation(const scenario& s, const run_options& options, const resources& where);
  ~simulation() override;

  rpsim::trace& events() { return context_.trace; }
  /// To the end of the steps or the limit. Readers that joined the trace before see every event; the checks come last.
  void run();
  /// The same in parts, with room for a fork between them: begin(), run_until() any number of times, finish().
  void begin();
  /// @return false if the run ended before that.
  bool run_until(const sc_core::sc_time& when);
  /// To the end of the delta cycle with the first event that satisfies.
  bool run_until(const std::function<bool(const event&)>& reached);
  void finish();
  /// The last step has been played.
  bool finished() const { return finished_; }
  /// For what happens between them: parameters, and the generators at a fork.
  sim_context& context() { return context_; }
  fault_injector& faults() { return faults_; }
  /// From now on wake-ups in the host come in an order, delayed notifications with a skew of under a nanosecond, and
  /// latencies inside their declared ranges, that are drawn from (seed, schedule); every generator restarts from there.
  void shuffle(std::uint64_t schedule);
  /// Now, or armed from now on. Reference kept.
  void inject(const fault_spec& f);
  /// Reference kept.
  void trouble(troubleshooter& t) { troubleshooter_ = &t; }
  /// The host's power is cut, or it is reset; as the step does it. Between two parts of a run.
  void cut_power(host_reset_kind how);
  /// In an SC_THREAD.
  void wait_until_up() { life_->wait_until_up(); }
  /// A shell line of the first shell's user. In the scenario's thread.
  command_result type(const std::string& line);
  const state_tracker& states() const { return states_; }
  host::linux_host& host() { return *host_; }
  platform& soc() { return *platform_; }

  /// What went wrong in steps, then faults that took no effect, then the expectations (if the steps went through).
  std::vector<check_result> results() const;
  std::vector<measure_result> measures() const { return checks_->measures(); }
  const std::vector<violation>& violations() const { return invariants_->violations(); }
  const std::map<std::string, std::shared_ptr<const std::string>>& images() const { return images_; }
  /// Whose each TI-SCI host number is: "host", or a core's label.
  std::map<std::uint32_t, std::string> ti_sci_hosts() const;
  /// Topics of rproc.unconfirmed and of UNCONFIRMED_FACTS, in order of name.
  unsigned ipcc_flags_ = 0;  // that are set
  const std::set<std::string>& unconfirmed() const { return unconfirmed_; }
  const std::uint64_t& event_count() const { return event_count_; }
  /// Cores that -p core=arm asked for and that have no engine.
  const std::vector<std::string>& left_native() const { return left_native_; }
  /// Files that the simulated system left: name and content.
  std::vector<std::pair<std::string, std::string>> artifacts();

 private:
  /// A `wait: event` looks at what happens from the command before it on: it may have happened before the command
  /// returned. Waits for the same event take one occurrence each.
  struct event_watch {
    const step* owner;
    const pattern* what;
    bool hit = false;
  };
  struct shell {
    std::string name;
    std::vector<const step*> plan;  // all its steps
    std::size_t next = 0;           // in plan
    std::size_t given = 0;          // steps it may begin: the first shell hands them out in the file's order
    std::deque<event_watch> watches;
    sc_core::sc_event wake, idle;
    const step* at_work = nullptr;
  };

  void on_event(const event& e) override;
  bool read(std::uint64_t pa, void* to, std::size_t length) override;
  void watch(const std::string& name, std::uint64_t pa, std::uint64_t size) override;
  void unwatch(const std::string& name) override;

  void refuse(place where, std::string text) { problems_.push_back({scenario_.file, where, std::move(text)}); }
  void set_parameters(const run_options& options);
  /// A parameter's value is judged where a model declares it; this gives the refusal its place in the scenario.
  bool refuse_value(const run_options& options, std::string_view why);
  void choose_cores(const dt::tree& tree);
  /// The container of an image, with what the scenario has wrong in it; nullptr: refused.
  std::shared_ptr<const std::string> pack(const firmware_file& f, const std::string& image);
  void load_images(const dt::tree& tree, const resources& where, host::options& to);
  void check_names();
  system_facts facts();

  void set_horizon(const sc_core::sc_time& to);
  void play();
  void read_initial_states();
  shell& shell_of(const step& s) { return shells_.at(s.shell); }
  void run_shell(shell& sh);
  void arm_watches(shell& sh);
  void perform(shell& sh, const step& s);
  void command(shell& sh, const step& s);
  bool went_wrong(const step& s, const command_result& r) const;
  void wait_for(const shell& sh, const step& s);
  template <typename Condition>
  bool wait_until(sc_core::sc_event& change, const step& s, Condition holds);
  void look_at(const step& s, const look_at_table& t);
  void fail(const step& s, std::string why);

  const scenario& scenario_;
  std::uint64_t seed_;
  std::vector<problem> problems_;
  std::vector<std::string> left_native_;
  sim_context context_;
  fault_injector faults_;
  state_tracker states_;
  std::unique_ptr<platform> platform_;
  std::unique_ptr<host::linux_host> host_;
  std::unique_ptr<boot_loader> loader_;
  std::unique_ptr<host_session> session_;
  std::unique_ptr<host_life> life_;
  sc_core::sc_event horizon_;  // where the run stops next: pending, so that no core runs ahead of it
  std::unique_ptr<checks> checks_;
  std::unique_ptr<invariants> invariants_;
  std::map<std::string, memory*> watched_;                            // by watch name
  std::map<std::string, std::shared_ptr<const std::string>> images_;  // by what the scenario calls them
  std::vector<std::shared_ptr<const std::string>> booted_images_;     // of scenario_.bootloader

  std::map<std::string, shell> shells_;  // "" is the first
  std::vector<check_result> failures_;
  std::set<std::string> unconfirmed_;
  std::uint64_t event_count_ = 0;
  sc_core::sc_event changed_, step_ended_;
  bool finished_ = false;
  troubleshooter* troubleshooter_ = nullptr;
  const step* failed_step_ = nullptr;
  std::deque<step> typed_;
  std::vector<std::pair<std::string, std::string>> tables_;  // artifacts: resource tables as they came into use
  bool keep_tables_ = false;
  std::uint64_t table_pa_ = 0;                                 // where the boot loader, then Linux, said it is
  std::map<std::string, std::vector<std::byte>> kept_tables_;  // by `table: { keep: NAME }`
};

}  // namespace rpsim::tool
