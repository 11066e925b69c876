#include "tools/rpsim/simulation.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "host_sw/optee/container.h"
#include "host_sw/remoteproc/resource_table.h"
#include "models/common/watchdog.h"
#include "models/memory/memory.h"
#include "tools/rpsim/elf_image.h"

namespace rpsim::tool {

namespace {

constexpr const char* REMOTEPROC = "remoteproc";
constexpr const char* REMOTEPROC_CLASS = "/sys/class/remoteproc";

bool is_wait(const step& s) {
  return std::holds_alternative<wait_for_event>(s.action) || std::holds_alternative<wait_for_state>(s.action) ||
         std::holds_alternative<wait_for_time>(s.action) || std::holds_alternative<wait_for_shell>(s.action);
}

/// What a `set:` step or a -p may say, tried without doing it.
std::string parameter_error(param_registry& params, const std::string& name, const std::string& value) {
  std::vector<param*> meant;
  std::vector<std::string> names;
  for (param* p : params.all()) {
    names.emplace_back(p->name());
    names.emplace_back(p->name().substr(p->name().rfind('.') + 1));
    if (p->name() == name) meant = {p};
    if (p->name() == name) break;
    if (p->name().ends_with("." + name)) meant.push_back(p);
  }
  if (meant.empty()) {
    const std::string near = nearest(name, names);
    return fmt::format("there is no parameter '{}'{}", name,
                       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  if (meant.size() > 1)
    return fmt::format("'{}' may be {} or {}: write one of them", name, meant[0]->name(), meant[1]->name());
  const auto parsed = distribution::parse(value, meant[0]->unit());
  return parsed ? "" : fmt::format("{}: {}", name, parsed.error());
}

}  // namespace

// ---- building

simulation::simulation(const scenario& s, const run_options& options, const resources& where)
    : scenario_(s),
      seed_(options.seed),
      context_(options.seed),
      faults_(context_.trace),
      keep_tables_(!options.artifacts.empty()) {
  context_.native_image_directory = where.native_images();
  context_.arm_engine = where.arm_engine();
  context_.faults = &faults_;
  for (const fault_spec& f : scenario_.faults) faults_.arm(f);

  const auto dts = where.platform_file(scenario_.platform.text, scenario_.file);
  if (!dts) {
    refuse(scenario_.platform.where, dts.error());
    throw refused(std::move(problems_));
  }
  set_parameters(options);
  host::options host{.core = scenario_.host.core.text,
                     .shutdown = scenario_.host.shutdown.text,
                     .crash = scenario_.host.crash.text,
                     .auto_boot = scenario_.host.auto_boot,
                     .firmware = {}};
  try {
    auto tree = dt::tree::compile(*dts);
    choose_cores(*tree);
    load_images(*tree, where, host);
    platform_ = std::make_unique<platform>(context_, std::move(tree));
    host_ = std::make_unique<host::linux_host>(platform_->host(), context_, platform_->tree(), std::move(host));
  } catch (const dt::error& e) {
    if (!refuse_value(options, e.what())) problems_.push_back({"", {}, e.what()});
  } catch (const std::invalid_argument& e) {
    if (!refuse_value(options, e.what())) refuse({}, e.what());
  }
  if (!problems_.empty()) throw refused(std::move(problems_));

  for (const std::string& wrong : context_.params.seal()) {
    place at;
    for (const auto& [name, value] : scenario_.params) {
      if (wrong.find("'" + name.text + "'") != std::string::npos) at = name.where;
    }
    refuse(at, wrong);
  }
  loader_ = std::make_unique<boot_loader>(*platform_, events());
  check_names();
  if (!problems_.empty()) throw refused(std::move(problems_));

  session_ = std::make_unique<host_session>(*host_);
  life_ = std::make_unique<host_life>(*platform_, *host_, *loader_, *session_, events());
  if (options.schedule != 0) shuffle(options.schedule);
  for (const core* c : platform_->cores()) states_.set(c->label(), "reset");
  shells_[""];
  for (const step& one : scenario_.steps) {
    shell& sh = shells_[one.shell];
    sh.name = one.shell;
    sh.plan.push_back(&one);
  }
}

simulation::~simulation() = default;

void simulation::set_parameters(const run_options& options) {
  for (const auto& [name, value] : scenario_.params) {
    const bool overridden = std::ranges::any_of(options.overrides, [&](const auto& o) { return o.first == name.text; });
    if (overridden) continue;
    if (auto ok = context_.params.set(name.text, value); !ok) refuse(name.where, ok.error());
  }
  for (const auto& [name, value] : options.overrides) {
    if (name == "core" || name == "host.core" || name == "host.shutdown" || name == "host.crash") continue;
    if (auto ok = context_.params.set(name, value); !ok) refuse({}, fmt::format("-p {}", ok.error()));
  }
}

bool simulation::refuse_value(const run_options& options, std::string_view why) {
  const auto reason = [&](const std::string& name, const std::string& value) -> std::string {
    const std::size_t at = why.find(fmt::format("{}: '{}'", name, value));
    if (at == std::string_view::npos) return "";
    const std::size_t blank = why.rfind(' ', at);  // the full name begins before what the scenario calls it
    return std::string(why.substr(blank == std::string_view::npos ? 0 : blank + 1));
  };
  for (const auto& [name, value] : scenario_.params) {
    if (std::string text = reason(name.text, value); !text.empty()) {
      refuse(name.where, std::move(text));
      return true;
    }
  }
  for (const auto& [name, value] : options.overrides) {
    if (const std::string text = reason(name, value); !text.empty()) {
      refuse({}, "-p " + text);
      return true;
    }
  }
  return false;
}

/// Which remote cores execute instructions: those that the scenario says, or with -p core=arm all that can.
void simulation::choose_cores(const dt::tree& tree) {
  for (const dt::node& n : tree.compatible("rpsim,native-core")) {
    const auto said = scenario_.cores.find(n.label());
    const bool all = !scenario_.every_core.text.empty();
    if ((all ? scenario_.every_core.text : said == scenario_.cores.end() ? "native" : said->second.text) != "arm")
      continue;
    if (has_arm_engine(n)) {
      context_.arm_cores.insert(n.label());
    } else if (all) {
      left_native_.push_back(n.label());
    } else {
      refuse(said->second.where, fmt::format("there is no Arm engine for {}; write `as: native`", n.label()));
    }
  }
}

std::shared_ptr<const std::string> simulation::pack(const firmware_file& f, const std::string& image) {
  auto file = optee::pack_container({image});
  if (!file) {
    refuse(f.image.where, fmt::format("{} is {}", f.image.text, file.error()));
    return nullptr;
  }
  if (f.packed->cut_bytes > file->size()) {
    refuse(f.image.where, fmt::format("the container of {} has only {} bytes", f.image.text, file->size()));
    return nullptr;
  }
  if (f.packed->corrupt_segment) {
    const auto segments = elf_segments(image);
    const auto loaded = std::ranges::find_if(segments, [](const elf_segment& s) { return !s.content.empty(); });
    if (loaded == segments.end()) {
      refuse(f.image.where, fmt::format("{} has no segment to corrupt", f.image.text));
      return nullptr;
    }
    const std::size_t images = file->size() - (image.size() + 7) / 8 * 8;
    (*file)[images + static_cast<std::size_t>(loaded->content.data() - image.data())] ^= 1;
  }
  for (const auto& [offset, value] : f.packed->words) {
    for (unsigned i = 0; i < sizeof value; ++i) (*file)[offset + i] = static_cast<char>(value >> (8 * i));
  }
  file->erase(file->size() - f.packed->cut_bytes);
  return std::make_shared<const std::string>(std::move(*file));
}

void simulation::load_images(const dt::tree& tree, const resources& where, host::options& to) {
  const auto image = [&](const std::string& key, const std::string& value, place at, const dt::node& core) {
    std::shared_ptr<const std::string>& slot = images_[key];
    if (slot != nullptr) return slot;
    const auto path =
        where.firmware_file(value, scenario_.file, where.firmware_directories(tree, scenario_.platform.text, core));
    tl::expected<std::string, std::string> content = path ? read_file(*path) : path;
    if (content) {
      slot = std::make_shared<const std::string>(std::move(*content));
    } else {
      refuse(at, content.error());
    }
    return slot;
  };
  // A name of ours means another file for each core that has images of its own.
  const auto key_of = [](const std::string& value, const dt::node& core) {
    return core ? fmt::format("{} for {}", value, core.label()) : value;
  };
  for (const firmware_file& f : scenario_.files) {
    const dt::node core = resources::core_of_firmware(tree, f.name.text);
    auto content = image(key_of(f.image.text, core), f.image.text, f.image.where, core);
    if (content && f.packed) content = pack(f, *content);
    if (content) to.firmware[f.name.text] = content;
  }
  for (const bootloader_action& b : scenario_.bootloader) {
    booted_images_.push_back(image(key_of(b.file, tree.by_label(b.core)), b.file, b.where, tree.by_label(b.core)));
  }
}

void simulation::check_names() {
  std::vector<std::string> cores;
  for (const core* c : platform_->cores()) cores.push_back(c->label());
  const auto check_core = [&](const std::string& label, place at) {
    if (std::ranges::find(cores, label) != cores.end()) return;
    const std::string near = nearest(label, cores);
    refuse(at, fmt::format("{} has no remote core '{}'{}", scenario_.platform.text, label,
                           near.empty() ? fmt::format("; it has {}", fmt::join(cores, ", "))
                                        : fmt::format("; did you mean '{}'?", near)));
  };
  const auto check_watchdog = [&](const std::string& label, place at) {
    if (dynamic_cast<watchdog*>(platform_->find(label)) != nullptr) return;
    std::vector<std::string> watchdogs;
    for (const model* m : platform_->models()) {
      if (dynamic_cast<const watchdog*>(m) != nullptr) watchdogs.push_back(m->label());
    }
    refuse(at, watchdogs.empty() ? fmt::format("{} has no watchdog", scenario_.platform.text)
                                 : fmt::format("{} has no watchdog '{}'; it has {}", scenario_.platform.text, label,
                                               fmt::join(watchdogs, ", ")));
  };
  for (const auto& [label, as] : scenario_.cores) {
    check_core(label, as.where);
  }
  for (const bootloader_action& b : scenario_.bootloader) {
    check_core(b.core, b.where);
    if (!loader_->can_start()) refuse(b.where, "this platform has nothing that a boot loader knows how to start");
  }
  for (const step& s : scenario_.steps) {
    const auto* f = std::get_if<fault_spec>(&s.action);
    if (f != nullptr && f->point == "core") check_core(f->message, f->where);
    if (f != nullptr && f->point == "watchdog") check_watchdog(f->message, f->where);
    if (const auto* set = std::get_if<set_params>(&s.action)) {
      for (const auto& [name, value] : set->values) {
        if (std::string wrong = parameter_error(context_.params, name.text, value); !wrong.empty())
          refuse(name.where, std::move(wrong));
      }
    }
  }
}

system_facts simulation::facts() {
  system_facts f;
  f.host = platform_->host().label();
  for (const dt::node& n : platform_->tree().all_enabled()) {
    if (const auto id = n.u32("ti,host-id")) f.linux_hosts.insert(*id);
    for (const auto& [property, cores] :
         {std::pair{"rpsim,processor-id", &f.processors}, std::pair{"rpsim,host-id", &f.remote_hosts}}) {
      if (n.has(property) && n.has("rpsim,core"))
        (*cores)[n.required_u32(property)] = n.phandles("rpsim,core").at(0).label();
    }
    for (const dt::node& pool : n.has("memory-region") ? n.phandles("memory-region") : std::vector<dt::node>{}) {
      for (const dt::region& r : pool.reg()) f.dma_pools.push_back({r.base, r.size});
    }
  }
  return f;
}

std::map<std::uint32_t, std::string> simulation::ti_sci_hosts() const {
  std::map<std::uint32_t, std::string> whose;
  for (const dt::node& n : platform_->tree().all_enabled()) {
    if (const auto id = n.u32("ti,host-id")) whose[*id] = platform_->host().label();
    if (!n.has("rpsim,processor-id") || !n.has("rpsim,core")) continue;
    for (const std::uint32_t id : n.cells("rpsim,hosts")) whose.try_emplace(id, n.phandles("rpsim,core").at(0).label());
  }
  return whose;
}

// ---- system_view

bool simulation::read(std::uint64_t pa, void* to, std::size_t length) { return platform_->debug_read(pa, to, length); }

void simulation::watch(const std::string& name, std::uint64_t pa, std::uint64_t size) {
  memory* m = platform_->memory_at(pa);
  if (m == nullptr) return;
  m->add_watch(pa - m->node().reg().at(0).base, size, name);
  watched_[name] = m;
}

void simulation::unwatch(const std::string& name) {
  if (const auto it = watched_.find(name); it != watched_.end()) {
    it->second->remove_watch(name);
    watched_.erase(it);
  }
}

// ---- running

namespace {
/// Stops the kernel at the end of the delta cycle in which something happens.
class pause_at final : public trace_sink {
 public:
  pause_at(rpsim::trace& t, const std::function<bool(const event&)>& reached) : trace_(t), reached_(reached) {
    trace_.add(*this, trace_level::detail);
  }
  ~pause_at() override { trace_.remove(*this); }
  void on_event(const event& e) override {
    if (hit || !reached_(e)) return;
    hit = true;
    sc_core::sc_pause();
  }
  bool hit = false;

 private:
  rpsim::trace& trace_;
  const std::function<bool(const event&)>& reached_;
};
}  // namespace

void simulation::run() {
  begin();
  finish();
}

void simulation::shuffle(std::uint64_t schedule) {
  context_.rng.reseed(seed_, schedule);
  context_.notifier.enable_skew(true);
  context_.params.jitter();
  host_->kernel().permute_wakeups(true);
}

void simulation::begin() {
  events().add(*this, trace_level::detail);
  checks_ = std::make_unique<checks>(scenario_, states_);
  events().add(*checks_, trace_level::detail);
  // Last: an event of its own then reaches every other reader after the event that caused it.
  system_view& memories = *this;
  invariants_ = std::make_unique<invariants>(events(), memories, facts());
  events().add(*invariants_, trace_level::detail);

  sc_core::sc_spawn([this] { play(); }, "scenario");
}

void simulation::set_horizon(const sc_core::sc_time& to) {
  horizon_.cancel();
  horizon_.notify(to - sc_core::sc_time_stamp());  // to the picosecond: not for the notifier
}

bool simulation::run_until(const sc_core::sc_time& when) {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  if (when > now) {
    const sc_core::sc_time to = std::min(when, scenario_.limit);
    set_horizon(to);
    sc_core::sc_start(to - now, sc_core::SC_RUN_TO_TIME);
  }
  return !finished_ && when < scenario_.limit;
}

bool simulation::run_until(const std::function<bool(const event&)>& reached) {
  const pause_at here(events(), reached);
  set_horizon(scenario_.limit);
  sc_core::sc_start(scenario_.limit - sc_core::sc_time_stamp(), sc_core::SC_EXIT_ON_STARVATION);
  return here.hit && !finished_;
}

void simulation::finish() {
  if (!finished_) {
    set_horizon(scenario_.limit);
    sc_core::sc_start(scenario_.limit - sc_core::sc_time_stamp(), sc_core::SC_EXIT_ON_STARVATION);
  }
  if (!finished_) {
    for (const auto& [name, sh] : shells_) {
      if (sh.at_work != nullptr)
        fail(*sh.at_work,
             fmt::format("it had not ended when the limit of {} was reached", human_time(scenario_.limit)));
    }
    if (failures_.empty())
      failures_.push_back(
          {"the host boots", false, fmt::format("it had not after {}", human_time(scenario_.limit)), {}});
  }
  invariants_->finish();
  events().remove(*invariants_);
  events().remove(*checks_);
  events().remove(*this);
}

void simulation::play() {
  for (std::size_t i = 0; i < booted_images_.size(); ++i) {
    loader_->start(scenario_.bootloader[i].core, *booted_images_[i]);
  }
  table_pa_ = loader_->table_address();
  life_->first_boot();
  for (auto& [name, sh] : shells_) {
    if (!name.empty())
      sc_core::sc_spawn([this, &shell = sh] { run_shell(shell); }, sc_core::sc_gen_unique_name("shell"));
  }
  // The first shell goes through the file; a step of another one is handed over and the list goes on.
  shell& first = shells_.at("");
  arm_watches(first);
  for (const step& s : scenario_.steps) {
    if (!failures_.empty()) break;
    shell& sh = shell_of(s);
    if (&sh == &first) {
      perform(first, s);
    } else {
      ++sh.given;
      sh.wake.notify(sc_core::SC_ZERO_TIME);
    }
  }
  for (auto& [name, sh] : shells_) {
    while (!name.empty() && failures_.empty() && sh.next < sh.given) sc_core::wait(step_ended_);
  }
  if (troubleshooter_ != nullptr && failed_step_ != nullptr) troubleshooter_->aftermath(*failed_step_);
  finished_ = true;
  sc_core::sc_pause();  // not sc_stop(), which calls every object of the system: no point of a study needs that
}

void simulation::run_shell(shell& sh) {
  arm_watches(sh);
  for (;;) {
    while (sh.next >= sh.given) sc_core::wait(sh.wake);
    if (!failures_.empty()) return;
    perform(sh, *sh.plan[sh.next]);
    step_ended_.notify(sc_core::SC_ZERO_TIME);
  }
}

/// For the event waits that follow the step that begins now.
void simulation::arm_watches(shell& sh) {
  sh.watches.clear();
  std::size_t i = sh.next;
  if (i < sh.plan.size() && !is_wait(*sh.plan[i])) ++i;
  for (; i < sh.plan.size() && is_wait(*sh.plan[i]); ++i) {
    if (const auto* w = std::get_if<wait_for_event>(&sh.plan[i]->action)) sh.watches.push_back({sh.plan[i], &w->what});
  }
}

void simulation::perform(shell& sh, const step& s) {
  sh.at_work = &s;
  if (s.at) {
    const bool late = *s.at < sc_core::sc_time_stamp();
    if (late && troubleshooter_ == nullptr) {
      fail(s, fmt::format("it was to begin at {}, but it is {} already", human_time(*s.at),
                          human_time(sc_core::sc_time_stamp())));
      return;
    }
    if (!late) sc_core::wait(*s.at - sc_core::sc_time_stamp());
  }
  if (is_wait(s)) {
    wait_for(sh, s);
  } else {
    arm_watches(sh);
    command(sh, s);
  }
  ++sh.next;
  sh.at_work = nullptr;
}

void simulation::command(shell& sh, const step& s) {
  if (const auto* fault = std::get_if<fault_spec>(&s.action)) {
    inject(*fault);
    return;
  }
  if (const auto* set = std::get_if<set_params>(&s.action)) {
    for (const auto& [name, value] : set->values) {
      if (auto ok = context_.params.set(name.text, value); !ok) fail(s, ok.error());
      events().emit("scenario", "param.set", {{"param", name.text}, {"value", value}});
    }
    return;
  }
  if (const auto* table = std::get_if<look_at_table>(&s.action)) {
    look_at(s, *table);
    return;
  }
  if (const auto* power = std::get_if<power_cycle>(&s.action)) {
    life_->power_cycle(power->kind);
    return;
  }
  life_->wait_until_up();
  const sc_core::sc_time begin = sc_core::sc_time_stamp();
  command_result r = session_->execute(s, sh.name);
  if (troubleshooter_ != nullptr && went_wrong(s, r) && troubleshooter_->again(s, r)) {
    life_->wait_until_up();
    r = session_->execute(s, sh.name);
  }
  const sc_core::sc_time took = sc_core::sc_time_stamp() - begin;
  const bool timed = troubleshooter_ == nullptr;
  if (s.expect.result != "any" && r.result != s.expect.result) {
    fail(s, fmt::format("expected {}, got {}{}", s.expect.result, r.result,
                        r.output.empty() ? "" : fmt::format(" ({})", r.output)));
  } else if (s.expect.output && !glob_match(*s.expect.output, r.output)) {
    fail(s, fmt::format("expected the output \"{}\", got \"{}\"", *s.expect.output, r.output));
  } else if (timed && ((s.expect.least && took < *s.expect.least) || (s.expect.most && took > *s.expect.most))) {
    fail(s, fmt::format("it took {}", human_time(took)));
  }
}

bool simulation::went_wrong(const step& s, const command_result& r) const {
  return (s.expect.result != "any" && r.result != s.expect.result) ||
         (s.expect.output && !glob_match(*s.expect.output, r.output));
}

void simulation::cut_power(host_reset_kind how) {
  sc_core::sc_spawn([this, how] { life_->power_cycle(how); }, sc_core::sc_gen_unique_name("power_cut"));
}

command_result simulation::type(const std::string& line) {
  life_->wait_until_up();
  typed_.push_back({});
  typed_.back().text = "$ " + line;
  typed_.back().action = run_command{line};
  return session_->execute(typed_.back(), "");
}

template <typename Condition>
bool simulation::wait_until(sc_core::sc_event& change, const step& s, Condition holds) {
  const sc_core::sc_time begin = sc_core::sc_time_stamp();
  while (!holds()) {
    if (!s.within) {
      sc_core::wait(change);
      continue;
    }
    const sc_core::sc_time passed = sc_core::sc_time_stamp() - begin;
    if (passed >= *s.within) return false;
    sc_core::wait(*s.within - passed, change);
  }
  return true;
}

void simulation::wait_for(const shell& sh, const step& s) {
  const auto missed = [&](bool came) {
    if (!came) fail(s, fmt::format("not within {}", human_time(*s.within)));
  };
  if (const auto* w = std::get_if<wait_for_time>(&s.action)) {
    sc_core::wait(w->duration);
  } else if (const auto* states = std::get_if<wait_for_state>(&s.action)) {
    missed(wait_until(changed_, s, [&] {
      return std::ranges::all_of(states->states,
                                 [&](const state_of& one) { return states_.state(one.what) == one.state; });
    }));
  } else if (const auto* other = std::get_if<wait_for_shell>(&s.action)) {
    const shell& awaited = shells_.at(other->name);
    missed(wait_until(step_ended_, s, [&] { return awaited.next >= awaited.given || !failures_.empty(); }));
  } else {
    const auto mine = std::ranges::find(sh.watches, &s, &event_watch::owner);
    missed(wait_until(changed_, s, [&] { return mine->hit; }));
  }
}

void simulation::inject(const fault_spec& f) {
  if (f.point == "watchdog") {
    events().emit("faults", "fault.injected", {{"what", f.text}, {"at", f.message}});
    dynamic_cast<watchdog&>(*platform_->find(f.message)).bite();
    return;
  }
  if (f.point != "core") {
    faults_.arm(f);
    return;
  }
  const core_fault what = f.what == fault_spec::kind::hang     ? core_fault::hang
                          : f.what == fault_spec::kind::lockup ? core_fault::lockup
                                                               : core_fault::spurious_wake;
  platform_->find_core(f.message)->inject(what);
  events().emit("faults", "fault.injected", {{"what", f.text}, {"at", f.message}});
}

/// As the remote finds it: the bytes in memory, not what the host has copied of them.
void simulation::look_at(const step& s, const look_at_table& t) {
  namespace rsc = remoteproc::rsc;
  constexpr std::size_t MOST = 1024;  // what a detach rewinds on the STM32MP1
  std::vector<std::byte> bytes(MOST);
  if (table_pa_ == 0 || !platform_->debug_read(table_pa_, bytes.data(), bytes.size())) {
    fail(s, "there is no resource table in memory");
    return;
  }
  const auto word = [&](std::size_t at) { return at + 4 <= MOST ? rsc::u32_at(bytes, at) : 0; };
  std::size_t vdev = 0;
  for (std::size_t i = 0; i < word(4) && rsc::HEADER_SIZE + 4 * i < MOST && vdev == 0; ++i) {
    const std::size_t at = word(rsc::HEADER_SIZE + 4 * i);
    if (at >= rsc::HEADER_SIZE && at < MOST && word(at) == rsc::VDEV) vdev = at + rsc::TYPE_SIZE;
  }
  if (!t.fields.empty() && vdev == 0) {
    fail(s, "the resource table has no vdev");
    return;
  }
  for (const auto& [name, expected] : t.fields) {
    std::uint32_t value = 0;
    if (name == "status") {
      value = word(vdev + rsc::VDEV_STATUS) & 0xFF;
    } else if (name == "gfeatures") {
      value = word(vdev + rsc::VDEV_GFEATURES);
    } else {
      const std::size_t ring = vdev + rsc::VDEV_VRINGS + (name.starts_with("vring1") ? rsc::VRING_SIZE : 0);
      value = word(ring + (name.ends_with(".da") ? rsc::VRING_DA : rsc::VRING_NOTIFYID));
    }
    if (value != expected) fail(s, fmt::format("{} is 0x{:x}, not 0x{:x}", name, value, expected));
  }
  if (!t.same_as.empty()) {
    const std::vector<std::byte>& kept = kept_tables_.at(t.same_as);
    const auto [a, b] = std::ranges::mismatch(bytes, kept);
    if (a != bytes.end()) {
      fail(s, fmt::format("byte {} is 0x{:02x}, it was 0x{:02x}", a - bytes.begin(), std::to_integer<unsigned>(*a),
                          std::to_integer<unsigned>(*b)));
    }
  }
  if (t.keep.empty()) return;
  if (keep_tables_) {
    tables_.emplace_back(fmt::format("resource-table-{}.bin", t.keep),
                         std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  kept_tables_[t.keep] = std::move(bytes);
}

void simulation::fail(const step& s, std::string why) {
  failures_.push_back({s.text, false, std::move(why), s.where});
  if (failed_step_ == nullptr) failed_step_ = &s;
  changed_.notify(sc_core::SC_ZERO_TIME);
  step_ended_.notify(sc_core::SC_ZERO_TIME);
}

void simulation::on_event(const event& e) {
  ++event_count_;
  bool changed = states_.on_event(e);
  if (e.name == "rproc.unconfirmed") unconfirmed_.emplace(e.text("topic"));
  if (e.name == "ipcc.set") ++ipcc_flags_;
  if (e.name == "ipcc.cleared") --ipcc_flags_;
  if (e.name == "reset.assert" && ipcc_flags_ != 0) unconfirmed_.emplace("mcurst-ipcc");  // UNCONFIRMED_FACTS
  if (e.name == "host.booted") {
    read_initial_states();
    life_->booted();
  }
  if (e.name == "host.power_cycle") {
    unconfirmed_.emplace(fmt::format("host-{}", e.text("kind")));  // UNCONFIRMED_FACTS
    states_.forget(REMOTEPROC);
    changed = true;
  }
  for (auto& [name, sh] : shells_) {
    std::set<std::string_view> taken;
    for (event_watch& w : sh.watches) {
      if (w.hit || !w.what->matches(e) || !taken.insert(w.what->text()).second) continue;
      w.hit = changed = true;
    }
  }
  if (changed) changed_.notify(sc_core::SC_ZERO_TIME);
  if (e.name == "rproc.table") table_pa_ = e.number("pa");
  if (keep_tables_ && e.name == "rproc.table" && (e.text("what") == "loaded" || e.text("what") == "attached")) {
    std::string content(std::min<std::uint64_t>(e.number("size"), 0x100000), '\0');
    if (platform_->debug_read(e.number("pa"), content.data(), content.size())) {
      tables_.emplace_back(fmt::format("{}.resource-table-{}.bin", e.source, tables_.size() + 1), std::move(content));
    }
  }
}

void simulation::read_initial_states() {
  os::vfs& fs = host_->fs();
  for (const std::string& name : fs.list(REMOTEPROC_CLASS)) {
    auto state = fs.read(fmt::format("{}/{}/state", REMOTEPROC_CLASS, name));
    if (!state || !states_.state(name).empty()) continue;
    while (state->ends_with('\n')) state->pop_back();
    states_.set(name, *state);
  }
}

// ---- results

std::vector<check_result> simulation::results() const {
  std::vector<check_result> all = failures_;
  for (const fault_injector::missed& m : faults_.unfired()) {
    all.push_back({fmt::format("fault: {}", m.spec->text), false, "it did not take effect: " + m.why, m.spec->where});
  }
  // After a step that went wrong the story is another one; what it would have led to says nothing.
  if (!failures_.empty()) return all;
  for (check_result& r : checks_->results()) all.push_back(std::move(r));
  return all;
}

std::vector<std::pair<std::string, std::string>> simulation::artifacts() {
  auto files = tables_;
  os::vfs& fs = host_->fs();
  const std::string dumps = "/sys/class/devcoredump";
  for (const std::string& name : fs.list(dumps)) {
    auto file = fs.open(fmt::format("{}/{}/data", dumps, name));
    if (!file) continue;
    std::string content;
    for (auto part = (*file)->read(); part && !part->empty(); part = (*file)->read()) content += *part;
    files.emplace_back(name + ".core", std::move(content));
  }
  std::string log;
  for (const std::string& line : host_->kernel().dmesg()) log += line + "\n";
  files.emplace_back("dmesg.txt", std::move(log));
  return files;
}

}  // namespace rpsim::tool
