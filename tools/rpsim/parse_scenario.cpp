#include "tools/rpsim/parse_scenario.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>

#include "host_sw/optee/container.h"
#include "host_sw/os/os.h"
#include "host_sw/remoteproc/histories.h"
#include "models/common/params.h"
#include "tools/rpsim/checks.h"
#include "tools/rpsim/invariants.h"
#include "tools/rpsim/shell_line.h"
#include "tools/rpsim/yaml_reader.h"

namespace rpsim::tool {

std::string problem::message() const {
  if (file.empty()) return text;  // it names its own place
  return where.line == 0 ? fmt::format("{}: {}", file, text)
                         : fmt::format("{}:{}:{}: {}", file, where.line, where.column, text);
}

const std::vector<std::string>& host_core_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> names;
    for (const remoteproc::history_description& h : remoteproc::histories()) names.emplace_back(h.name);
    return names;
  }();
  return words;
}
const std::vector<std::string>& host_shutdown_words() {
  static const std::vector<std::string> words{"none", "v1", "v2", "ti-sdk", "v3", "v3-acks-unflagged"};
  return words;
}
const std::vector<std::string>& host_crash_words() {
  static const std::vector<std::string> words{"log", "report"};
  return words;
}

bool histories::hold(std::string_view core) const {
  return names.empty() || std::ranges::find(names, core) != names.end();
}

const placed_text* outcome_of(const scenario& s, std::string_view core) {
  const placed_text* otherwise = nullptr;
  for (const auto& [when, text] : s.outcomes) {
    if (when.names.empty()) {
      otherwise = &text;
    } else if (when.hold(core)) {
      return &text;
    }
  }
  return otherwise;
}

void settle(scenario& s) {
  const std::string& core = s.host.core.text;
  const auto other = [&](const auto& x) { return !x.when.hold(core); };
  std::erase_if(s.steps, other);
  std::erase_if(s.expect, other);
  for (step& x : s.steps) {
    for (const auto& [when, expected] : x.expect_by) {
      if (when.hold(core)) x.expect = expected;
    }
  }
  for (const auto& [name, when] : s.violates_when) {
    if (when.hold(core)) s.violates.push_back(name);
  }
  if (const placed_text* text = outcome_of(s, core)) s.outcome = *text;
}

const std::vector<key_table>& scenario_grammar() {
  static const std::vector<key_table> tables{
      {"scenario",
       {"scenario", "purpose", "platform", "cores", "files", "params", "host", "bootloader", "faults", "steps",
        "expect", "measure", "violates", "outcomes", "limit"}},
      {"file", {"container", "magic", "version", "tlv_length", "signature_length", "image_length", "cut", "corrupt"}},
      {"core", {"as"}},
      {"host", {"core", "shutdown", "crash", "auto_boot"}},
      {"step",
       {"run", "wait", "open", "write", "ioctl", "close", "rpmsg", "inject", "set", "table", "power-cycle", "at", "in",
        "when", "expect"}},
      {"outcome", {"result", "output", "within", "takes"}},
      {"span", {"min", "max"}},
      {"wait", {"event", "state", "for", "shell", "within"}},
      {"open", {"path", "as"}},
      {"write", {"to", "text"}},
      {"ioctl", {"to", "request", "value"}},
      {"rpmsg", {"channel", "send", "reply", "within", "times"}},
      {"fault", {"drop", "delay", "duplicate", "corrupt", "nack", "silence", "hang", "lockup", "wake", "watchdog"}},
      {"message",
       {"mailbox", "tisci", "ipcc", "at", "fifo", "from", "device", "processor", "host", "nth", "times", "by", "xor"}},
      {"expectation", {"state", "order", "never", "count", "takes", "log", "when"}},
      {"table",
       {"keep", "same_as", "status", "gfeatures", "vring0.da", "vring0.notifyid", "vring1.da", "vring1.notifyid"}},
      {"violation", {"invariant", "when"}},
      {"order", {"events", "times"}},
      {"never", {"event", "after", "before"}},
      {"takes", {"from", "to", "min", "max"}},
      {"measure", {"from", "to"}},
  };
  return tables;
}

namespace {

const key_table& table(std::string_view name) { return *std::ranges::find(scenario_grammar(), name, &key_table::name); }

const std::vector<std::string> REMOTEPROC_STATES{"offline", "suspended", "running", "crashed", "attached", "detached"};
const std::vector<std::string> CORE_STATES{"running", "wfi", "reset", "lockup", "hang"};
const std::vector<std::string> MODULE_STATES{"off", "SwRstDisable", "SyncReset", "Disable", "Enable", "Trans"};

struct ioctl_request {
  const char* name;
  std::uint32_t number;
};
// include/uapi/linux/remoteproc_cdev.h: _IOW(0xB7, 1, __s32), _IOR(0xB7, 2, __s32)
constexpr ioctl_request IOCTLS[] = {{"RPROC_SET_SHUTDOWN_ON_RELEASE", 0x4004B701},
                                    {"RPROC_GET_SHUTDOWN_ON_RELEASE", 0x8004B702}};

constexpr std::pair<const char*, std::uint32_t> CONTAINER_WORDS[] = {{"magic", optee::MAGIC},
                                                                     {"version", optee::VERSION},
                                                                     {"tlv_length", optee::TLV_LENGTH},
                                                                     {"signature_length", optee::SIGNATURE_LENGTH},
                                                                     {"image_length", optee::IMAGE_LENGTH}};

class parser : yaml_reader {
 public:
  parser(std::string file, const vocabulary& events) : yaml_reader(std::move(file), events) { result_.file = file_; }

  tl::expected<scenario, std::vector<problem>> run(const std::string& text) {
    if (const auto root = document(text, "a scenario begins with `scenario: NAME`")) read_scenario(*root);
    if (problems_.empty()) return std::move(result_);
    return tl::unexpected(problems());
  }

 private:
  map keys(const YAML::Node& n, std::string_view table_name, std::string_view what) {
    return yaml_reader::keys(n, table(table_name).keys, what);
  }

  // ---- the file

  void read_scenario(const YAML::Node& root) {
    const map m = keys(root, "scenario", "a scenario");
    if (const entry* e = need(m, "scenario", root, "a scenario")) {
      result_.name = text(e->value, "scenario").value_or("");
      const auto bad = result_.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-");
      if (e->value.IsScalar() && (result_.name.empty() || bad != std::string::npos)) {
        fail(e->value,
             fmt::format("a scenario's name is made of small letters, digits, '-' and '.', not '{}'", result_.name));
      }
    }
    if (const entry* e = need(m, "purpose", root, "a scenario"))
      result_.purpose = text(e->value, "purpose").value_or("");
    if (const entry* e = need(m, "platform", root, "a scenario")) result_.platform = placed(e->value, "platform");
    if (const entry* e = get(m, "cores")) {
      for (const entry& core : pairs(e->value, "cores")) {
        const map c = keys(core.value, "core", "a core");
        if (const entry* as = need(c, "as", core.value, "a core")) {
          result_.cores[core.key.Scalar()] = word_of(as->value, "as", {"native", "arm"});
          result_.cores[core.key.Scalar()].where = place_of(as->value);
        }
      }
    }
    if (const entry* e = get(m, "files")) {
      for (const entry& f : pairs(e->value, "files")) {
        result_.files.push_back(read_file_entry(f));
      }
    }
    if (const entry* e = get(m, "params")) {
      for (const entry& p : pairs(e->value, "params")) {
        result_.params.emplace_back(placed(p.key, "a parameter"), text(p.value, "a parameter's value").value_or("0"));
      }
    }
    if (const entry* e = get(m, "host")) {
      const map h = keys(e->value, "host", "host");
      if (const entry* w = get(h, "core")) result_.host.core = word_of(w->value, "host core", host_core_words());
      if (const entry* w = get(h, "shutdown"))
        result_.host.shutdown = word_of(w->value, "host shutdown", host_shutdown_words());
      if (const entry* w = get(h, "crash")) result_.host.crash = word_of(w->value, "host crash", host_crash_words());
      if (const entry* w = get(h, "auto_boot")) {
        result_.host.auto_boot = word_of(w->value, "host auto_boot", {"yes", "no"}).text == "yes";
      }
    }
    if (const entry* e = get(m, "bootloader")) {
      for (const YAML::Node& n : list(e->value, "bootloader")) read_bootloader(n);
    }
    if (const entry* e = get(m, "faults")) {
      for (const YAML::Node& n : list(e->value, "faults")) {
        if (auto f = read_fault(n); f && (f->point == "core" || f->point == "watchdog")) {
          fail(n, fmt::format("`{}` acts at once: write it as a step, `- inject: {{ … }}`", f->text));
        } else if (f) {
          result_.faults.push_back(std::move(*f));
        }
      }
    }
    if (const entry* e = need(m, "steps", root, "a scenario")) {
      const auto steps = list(e->value, "steps");
      for (const YAML::Node& n : steps) read_step(n);
      if (e->value.IsSequence() && steps.empty()) fail(e->value, "steps: at least one");
    }
    if (const entry* e = get(m, "expect")) {
      for (const YAML::Node& n : list(e->value, "expect")) read_expectations(n);
    }
    if (const entry* e = get(m, "measure")) {
      for (const entry& one : pairs(e->value, "measure")) {
        const map f = keys(one.value, "measure", "a measure");
        const entry* from = need(f, "from", one.value, "a measure");
        const entry* to = need(f, "to", one.value, "a measure");
        if (from == nullptr || to == nullptr) continue;
        auto a = event(from->value, "from"), b = event(to->value, "to");
        if (a && b) result_.measures.push_back({one.key.Scalar(), std::move(*a), std::move(*b), place_of(one.key)});
      }
    }
    if (const entry* e = get(m, "violates")) {
      std::set<std::string> seen;
      for (const YAML::Node& n : list(e->value, "violates")) {
        placed_text name;
        if (n.IsMap()) {
          const map v = keys(n, "violation", "a violation");
          const entry* what = need(v, "invariant", n, "a violation");
          const entry* when = need(v, "when", n, "a violation");
          if (what == nullptr || when == nullptr) continue;
          name = word_of(what->value, "an invariant", invariant_names());
          result_.violates_when.emplace_back(name, history_words(when->value));
        } else {
          result_.violates.push_back(name = word_of(n, "an invariant", invariant_names()));
        }
        if (!seen.insert(name.text).second) fail(n, fmt::format("'{}' is here twice", name.text));
      }
    }
    if (const entry* e = get(m, "outcomes")) read_outcomes(e->value);
    const entry* e = get(m, "limit");
    result_.limit = e != nullptr ? time(e->value, "limit") : sc_core::sc_time(60, sc_core::SC_SEC);
  }

  /// An image, or a map that packs one.
  firmware_file read_file_entry(const entry& f) {
    firmware_file file{.name = placed(f.key, "a file's name"), .image = {}, .packed = {}};
    if (!f.value.IsMap()) {
      file.image = placed(f.value, "a file's content");
      return file;
    }
    const map m = keys(f.value, "file", "a file");
    if (const entry* e = need(m, "container", f.value, "a file that is not an image")) {
      file.image = placed(e->value, "a container's image");
    }
    firmware_container& c = file.packed.emplace();
    for (const auto& [key, offset] : CONTAINER_WORDS) {
      if (const entry* e = get(m, key)) {
        c.words.emplace_back(offset, static_cast<std::uint32_t>(number(e->value, key, 0, UINT32_MAX)));
      }
    }
    if (const entry* e = get(m, "cut"))
      c.cut_bytes = static_cast<std::uint32_t>(number(e->value, "cut", 1, UINT32_MAX));
    if (const entry* e = get(m, "corrupt")) {
      word_of(e->value, "what is corrupt", {"segment"});
      c.corrupt_segment = true;
    }
    return file;
  }

  // ---- what differs with the host core's history

  /// "v4 v5", "not main": words between blanks.
  histories history_words(const YAML::Node& n) {
    histories h;
    const auto line = text(n, "a history");
    if (!line) return h;
    std::istringstream stream(*line);
    std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
    const bool all_but = !words.empty() && words.front() == "not";
    if (all_but) words.erase(words.begin());
    if (words.empty()) fail(n, "a history of the host's core is missing, such as `v4`, or `not v4`");
    const std::vector<std::string>& known = host_core_words();
    for (const std::string& w : words) {
      if (std::ranges::find(known, w) == known.end()) {
        fail(n, fmt::format("the host's core has no history '{}'{}", w, did_you_mean(w, known)));
      }
    }
    for (const std::string& w : all_but ? known : words) {
      if (!all_but || std::ranges::find(words, w) == words.end()) h.names.push_back(w);
    }
    return h;
  }

  /// Hands out each value of a map from histories to values; `default` goes without histories.
  template <typename Use>
  void each_history(const YAML::Node& n, std::string_view what, Use use) {
    std::map<std::string, place> seen;
    for (const entry& e : pairs(n, what)) {
      const bool otherwise = e.key.Scalar() == "default";
      const histories when = otherwise ? histories{} : history_words(e.key);
      if (!otherwise && when.names.empty()) continue;  // refused
      for (const std::string& name : when.names) {
        const auto [it, fresh] = seen.emplace(name, place_of(e.key));
        if (!fresh)
          fail(e.key, fmt::format("{} is here twice; it was given in line {} already", name, it->second.line));
      }
      use(when, e.value);
    }
  }

  void read_outcomes(const YAML::Node& n) {
    each_history(n, "outcomes", [&](const histories& when, const YAML::Node& value) {
      placed_text what = placed(value, "an outcome");
      if (value.IsScalar() && what.text.empty())
        fail(value, "an outcome needs a few words, such as `EINVAL at detach`");
      result_.outcomes.emplace_back(when, std::move(what));
    });
  }

  void read_bootloader(const YAML::Node& n) {
    const auto line = text(n, "a boot-loader action");
    if (!line) return;
    std::istringstream words(*line);
    const std::vector<std::string> w{std::istream_iterator<std::string>(words), {}};
    if (w.size() == 4 && w[0] == "start" && w[2] == "with") {
      result_.bootloader.push_back({w[1], w[3], place_of(n)});
    } else {
      fail(n, fmt::format("'{}' is not understood: a boot loader does `start CORE with FIRMWARE`", *line));
    }
  }

  // ---- faults

  static std::string ordinal(unsigned n) {
    static constexpr const char* NAMES[] = {"th", "st", "nd", "rd"};
    return fmt::format("{}{}", n, NAMES[(n % 100 / 10 != 1 && n % 10 < 4) ? n % 10 : 0]);
  }

  std::optional<fault_spec> read_fault(const YAML::Node& n) {
    const map m = keys(n, "fault", "a fault");
    if (m.size() != 1) {
      if (n.IsMap() && !m.empty())
        fail(n, fmt::format("one fault at a time, such as `{}`", "drop: { mailbox: SHUTDOWN_ACK }"));
      return std::nullopt;
    }
    const auto& [verb, value] = *m.begin();
    const std::vector<std::string>& verbs = table("fault").keys;
    fault_spec f;
    f.where = place_of(n);
    f.what = static_cast<fault_spec::kind>(std::ranges::find(verbs, verb) - verbs.begin());
    if (f.what >= fault_spec::kind::hang) {
      const bool watchdog = f.what == fault_spec::kind::watchdog;
      f.point = watchdog ? "watchdog" : "core";
      f.message = text(value.value, watchdog ? "the watchdog" : fmt::format("the core to {}", verb)).value_or("");
      f.text = fmt::format("{} {}", verb, f.message);
      return f;
    }
    return read_message_fault(std::move(f), verb, value.value);
  }

  /// What can be disturbed on its way.
  struct message_kind {
    const char *key, *point, *title, *name;
    std::vector<std::string> verbs, fields;
  };
  const std::vector<message_kind> MESSAGES{
      {"mailbox",
       "mailbox.word",
       "mailbox word",
       "a mailbox word",
       {"drop", "delay", "duplicate", "corrupt"},
       {"at", "fifo"}},
      {"tisci",
       "tisci.request",
       "TI-SCI",
       "a TI-SCI message",
       {"drop", "delay", "duplicate", "corrupt", "nack", "silence"},
       {"at", "device", "processor", "host"}},
      {"ipcc", "ipcc.flag", "IPCC flag", "an IPCC flag", {"drop", "delay"}, {"at", "from"}},
  };

  std::optional<fault_spec> read_message_fault(fault_spec f, const std::string& verb, const YAML::Node& n) {
    const map m = keys(n, "message", fmt::format("`{}`", verb));
    const message_kind* message = nullptr;
    for (const message_kind& k : MESSAGES) {
      if (get(m, k.key) == nullptr) continue;
      if (message != nullptr) fail(n, fmt::format("{} one thing: `{}` or `{}`", verb, message->key, k.key));
      message = &k;
    }
    if (message == nullptr) {
      if (n.IsMap()) fail(n, fmt::format("{} what: `mailbox: WORD`, `tisci: MESSAGE` or `ipcc: CHANNEL`", verb));
      return std::nullopt;
    }
    if (std::ranges::find(message->verbs, verb) == message->verbs.end()) {
      fail(n, fmt::format("{} cannot be disturbed by {}; it is one of {}", message->name, verb,
                          fmt::join(message->verbs, ", ")));
    }
    f.point = message->point;
    f.message = text(get(m, message->key)->value, "the message").value_or("*");
    f.text = fmt::format("{} {} {}", verb, message->title, f.message);
    for (const char* key : {"at", "fifo", "from", "device", "processor", "host"}) {
      const entry* e = get(m, key);
      if (e == nullptr) continue;
      if (std::ranges::find(message->fields, key) == message->fields.end())
        fail(e->key, fmt::format("{} has no `{}`", message->name, key));
      f.fields.emplace_back(key, text(e->value, key).value_or(""));
      f.text += fmt::format(" {} {}", key, f.fields.back().second);
    }
    if (const entry* e = get(m, "nth")) f.nth = static_cast<unsigned>(number(e->value, "nth", 1, 1'000'000));
    if (const entry* e = get(m, "times")) {
      f.times = e->value.IsScalar() && e->value.Scalar() == "all"
                    ? 0
                    : static_cast<unsigned>(number(e->value, "times", 1, 1'000'000));
    }
    if (f.nth != 1) f.text += fmt::format(", the {}", ordinal(f.nth));
    if (f.times != 1) f.text += f.times == 0 ? ", every one" : fmt::format(", {} times", f.times);
    const entry* by = get(m, "by");
    const entry* mask = get(m, "xor");
    if ((by != nullptr) != (f.what == fault_spec::kind::delay)) {
      fail(by != nullptr ? by->key : n, by != nullptr ? "`by` belongs to `delay`" : "delay needs `by: TIME`");
    }
    if (by != nullptr) {
      f.by = time(by->value, "by");
      f.text += fmt::format(" by {}", by->value.IsScalar() ? by->value.Scalar() : "");
    }
    if ((mask != nullptr) != (f.what == fault_spec::kind::corrupt)) {
      fail(mask != nullptr ? mask->key : n,
           mask != nullptr ? "`xor` belongs to `corrupt`" : "corrupt needs `xor: MASK`");
    }
    if (mask != nullptr) f.xor_mask = static_cast<std::uint32_t>(number(mask->value, "xor", 1, UINT32_MAX));
    return f;
  }

  // ---- steps

  void read_step(const YAML::Node& n) {
    step s;
    s.where = place_of(n);
    if (n.IsScalar()) {
      read_line(n, s);
      result_.steps.push_back(std::move(s));
      return;
    }
    if (!n.IsMap()) {
      fail(n, fmt::format("a step is a shell line or a map such as `wait: {{ … }}`, not {}", kind_of(n)));
      return;
    }
    const map m = keys(n, "step", "a step");
    std::vector<std::string> actions;
    for (const auto& [key, e] : m) {
      if (key != "at" && key != "in" && key != "when" && key != "expect") actions.push_back(key);
    }
    if (const entry* e = get(m, "at")) s.at = time(e->value, "at");
    if (const entry* e = get(m, "when")) s.when = history_words(e->value);
    if (const entry* e = get(m, "in")) {
      s.shell = text(e->value, "in").value_or("");
      shells_.insert(s.shell);
    }
    if (actions.empty()) {
      if (!m.empty()) fail(n, "a step needs something to do: `run: echo start > FILE`, `wait: …`");
      return;
    }
    if (actions.size() > 1) {
      fail(n, fmt::format("a step does one thing; this one has {}", fmt::join(actions, " and ")));
      return;
    }
    const YAML::Node value = get(m, actions[0])->value;
    const std::string& action = actions[0];
    if (const entry* e = get(m, "expect")) {
      if (action == "wait" || action == "inject" || action == "set" || action == "table" || action == "power-cycle") {
        fail(e->key, fmt::format("`{}` has no result to expect", action));
      } else {
        read_expect(e->value, s);
      }
    }
    if (action == "run") read_line(value, s);
    if (action == "wait") read_wait(value, s);
    if (action == "open") read_open(value, s);
    if (action == "write") read_write(value, s);
    if (action == "ioctl") read_ioctl(value, s);
    if (action == "close") {
      const placed_text name = descriptor(value);
      s.text = fmt::format("close {}", name.text);
      s.action = close_device{name.text};
      open_.erase(name.text);
    }
    if (action == "rpmsg") read_rpmsg(value, s);
    if (action == "inject") {
      if (auto f = read_fault(value)) {
        s.text = fmt::format("inject: {}", f->text);
        s.action = std::move(*f);
      }
    }
    if (action == "table") read_table(value, s);
    if (action == "power-cycle") {
      const std::string kind = word_of(value, "a power cycle", {"standby", "reset"}).text;
      s.text = fmt::format("power-cycle: {}", kind);
      open_.clear();
      s.action = power_cycle{kind == "standby" ? host_reset_kind::standby : host_reset_kind::reset};
    }
    if (action == "set") {
      set_params set;
      for (const entry& p : pairs(value, "set")) {
        set.values.emplace_back(placed(p.key, "a parameter"), text(p.value, "a parameter's value").value_or("0"));
        s.text += fmt::format("{}{} = {}", s.text.empty() ? "set " : ", ", set.values.back().first.text,
                              set.values.back().second);
      }
      s.action = std::move(set);
    }
    result_.steps.push_back(std::move(s));
  }

  void read_line(const YAML::Node& n, step& s) {
    const auto line = text(n, "a shell line");
    if (!line) return;
    const auto parsed = parse_shell_line(*line);
    if (!parsed) {
      fail(n, parsed.error());
    } else if (parsed->words.front() == "exit" || parsed->redirect == "/proc/sysrq-trigger") {
      open_.clear();
    }
    s.text = "$ " + *line;
    s.action = run_command{*line};
  }

  /// What a command gives, or a map from histories to that.
  void read_expect(const YAML::Node& n, step& s) {
    const std::vector<std::string>& plain = table("outcome").keys;
    const auto is_plain = [&](const auto& pair) {
      return !pair.first.IsScalar() || std::ranges::find(plain, pair.first.Scalar()) != plain.end();
    };
    const auto is_history = [](const auto& pair) {
      const std::string first = pair.first.IsScalar() ? pair.first.Scalar() : "";
      const std::string word = first.substr(0, first.find(' '));
      return word == "default" || word == "not" ||
             std::ranges::find(host_core_words(), word) != host_core_words().end();
    };
    if (!n.IsMap() || std::any_of(n.begin(), n.end(), is_plain) || std::none_of(n.begin(), n.end(), is_history)) {
      read_outcome(n, s.expect);
      return;
    }
    each_history(n, "expect", [&](const histories& when, const YAML::Node& value) {
      outcome o;
      read_outcome(value, o);
      if (when.names.empty()) {
        s.expect = std::move(o);
      } else {
        s.expect_by.emplace_back(when, std::move(o));
      }
    });
  }

  void read_table(const YAML::Node& n, step& s) {
    look_at_table look;
    for (const entry& e : pairs(n, "table")) {
      const std::string key = e.key.Scalar();
      const std::vector<std::string>& known = table("table").keys;
      if (std::ranges::find(known, key) == known.end()) {
        fail(e.key, fmt::format("unknown key '{}' in table{}", key, did_you_mean(key, known)));
      } else if (key == "keep") {
        look.keep = text(e.value, "the copy's name").value_or("");
        tables_.insert(look.keep);
        s.text += fmt::format("{}keep as {}", s.text.empty() ? "table: " : ", ", look.keep);
      } else if (key == "same_as") {
        const placed_text name = placed(e.value, "a copy's name");
        if (!tables_.contains(name.text)) {
          fail(e.value, fmt::format("no `table: {{ keep: {} }}` comes before", name.text));
        }
        look.same_as = name.text;
        s.text += fmt::format("{}same as {}", s.text.empty() ? "table: " : ", ", name.text);
      } else {
        const bool any = e.value.IsScalar() && e.value.Scalar() == "any";
        const auto value = any ? UINT32_MAX : static_cast<std::uint32_t>(number(e.value, key, 0, UINT32_MAX));
        look.fields.emplace_back(key, value);
        s.text += fmt::format("{}{} is {}", s.text.empty() ? "table: " : ", ", key,
                              e.value.IsScalar() ? e.value.Scalar() : "");
      }
    }
    if (n.IsMap() && n.size() == 0) fail(n, "table: what to look at, such as `status: 7`, or `keep: NAME`");
    s.action = std::move(look);
  }

  void read_outcome(const YAML::Node& n, outcome& o) {
    if (n.IsScalar()) {
      o.result = result_word(n);
      return;
    }
    const map m = keys(n, "outcome", "expect");
    if (const entry* e = get(m, "result")) o.result = result_word(e->value);
    if (const entry* e = get(m, "output")) o.output = text(e->value, "output");
    if (const entry* e = get(m, "within")) o.most = time(e->value, "within");
    if (const entry* e = get(m, "takes")) read_span(keys(e->value, "span", "takes"), e->value, o.least, o.most);
  }

  void read_span(const map& m, const YAML::Node& n, std::optional<sc_core::sc_time>& least,
                 std::optional<sc_core::sc_time>& most) {
    if (const entry* e = get(m, "min")) least = time(e->value, "min");
    if (const entry* e = get(m, "max")) most = time(e->value, "max");
    if (!least && !most && n.IsMap()) fail(n, "a duration needs `min:`, `max:` or both");
    if (least && most && *least > *most) fail(n, "min is more than max");
  }

  std::string result_word(const YAML::Node& n) {
    const auto t = text(n, "result");
    if (!t || *t == "0" || *t == "any" || *t == "killed" || *t == "lost") return t.value_or("0");
    if (os::errno_value(*t) == 0) {
      static const std::vector<std::string> common{
          "0",         "any",   "killed", "lost", "EBUSY",  "EINVAL", "ENODEV",   "ENOENT", "ENOMEM", "ENOBUFS",
          "ETIMEDOUT", "EPERM", "EACCES", "EIO",  "EFAULT", "EINTR",  "EMSGSIZE", "ENOTTY", "EISDIR", "EBADF"};
      fail(n, fmt::format("a result is 0, an errno's name, killed, lost or any, not '{}'{}", *t,
                          did_you_mean(*t, common)));
    }
    return *t;
  }

  std::vector<state_of> read_states(const YAML::Node& n) {
    std::vector<state_of> states;
    for (const entry& e : pairs(n, "state")) {
      const std::string what = e.key.Scalar();
      const std::vector<std::string>& right = what.starts_with("remoteproc") ? REMOTEPROC_STATES
                                              : what.starts_with("lpsc-")    ? MODULE_STATES
                                                                             : CORE_STATES;
      states.push_back({what, word_of(e.value, fmt::format("the state of {}", what), right).text, place_of(e.key)});
    }
    return states;
  }

  void read_wait(const YAML::Node& n, step& s) {
    if (n.IsScalar()) {
      s.action = wait_for_time{time(n, "wait")};
      s.text = fmt::format("wait {}", n.Scalar());
      return;
    }
    const map m = keys(n, "wait", "wait");
    if (const entry* e = get(m, "within")) s.within = time(e->value, "within");
    const entry* event_for = get(m, "event");
    const entry* state_for = get(m, "state");
    const entry* time_for = get(m, "for");
    const entry* shell_for = get(m, "shell");
    const int given = (event_for != nullptr) + (state_for != nullptr) + (time_for != nullptr) + (shell_for != nullptr);
    if (given != 1) {
      if (n.IsMap()) fail(n, "wait for one thing: `event:`, `state:`, `shell:` or `for: TIME`");
      return;
    }
    if (event_for != nullptr) {
      if (auto p = event(event_for->value, "wait")) {
        s.text = fmt::format("wait for {}", p->text());
        s.action = wait_for_event{std::move(*p)};
      }
    } else if (state_for != nullptr) {
      wait_for_state w{read_states(state_for->value)};
      for (const state_of& one : w.states)
        s.text += fmt::format("{}{} is {}", s.text.empty() ? "wait until " : " and ", one.what, one.state);
      s.action = std::move(w);
    } else if (time_for != nullptr) {
      s.action = wait_for_time{time(time_for->value, "for")};
      s.text = fmt::format("wait {}", time_for->value.IsScalar() ? time_for->value.Scalar() : "");
      if (s.within) fail(n, "`for` waits for a time; `within` belongs to `event`, `state` and `shell`");
    } else {
      const placed_text name = placed(shell_for->value, "shell");
      if (!shells_.contains(name.text)) {
        const std::vector<std::string> known(shells_.begin(), shells_.end());
        fail(shell_for->value,
             known.empty() ? fmt::format("no step before has `in: {}`", name.text)
                           : fmt::format("no step before has `in: {}`{}", name.text, did_you_mean(name.text, known)));
      }
      s.text = fmt::format("wait for shell {}", name.text);
      s.action = wait_for_shell{name.text};
    }
  }

  placed_text descriptor(const YAML::Node& n) {
    placed_text name = placed(n, "a descriptor");
    if (n.IsScalar() && !descriptors_.contains(name.text)) {
      const std::vector<std::string> known(descriptors_.begin(), descriptors_.end());
      fail(n,
           fmt::format("nothing was opened as '{}'{}", name.text, known.empty() ? "" : did_you_mean(name.text, known)));
    }
    return name;
  }

  void read_open(const YAML::Node& n, step& s) {
    const map m = keys(n, "open", "open");
    const entry* path = need(m, "path", n, "open");
    const entry* as = need(m, "as", n, "open");
    if (path == nullptr || as == nullptr) return;
    open_device o{text(path->value, "path").value_or(""), text(as->value, "as").value_or("")};
    descriptors_.insert(o.as);
    if (!open_.insert(o.as).second) fail(as->value, fmt::format("'{}' is the name of a descriptor already", o.as));
    s.text = fmt::format("open {} as {}", o.path, o.as);
    s.action = std::move(o);
  }

  void read_write(const YAML::Node& n, step& s) {
    const map m = keys(n, "write", "write");
    const entry* to = need(m, "to", n, "write");
    const entry* data = need(m, "text", n, "write");
    if (to == nullptr || data == nullptr) return;
    write_device w{descriptor(to->value).text, text(data->value, "text").value_or("")};
    s.text = fmt::format("write \"{}\" to {}", w.data, w.to);
    s.action = std::move(w);
  }

  void read_ioctl(const YAML::Node& n, step& s) {
    const map m = keys(n, "ioctl", "ioctl");
    const entry* to = need(m, "to", n, "ioctl");
    const entry* request = need(m, "request", n, "ioctl");
    if (to == nullptr || request == nullptr) return;
    ioctl_device i;
    i.to = descriptor(to->value).text;
    std::vector<std::string> names;
    for (const ioctl_request& r : IOCTLS) names.emplace_back(r.name);
    i.name = word_of(request->value, "an ioctl request", names).text;
    for (const ioctl_request& r : IOCTLS) {
      if (i.name == r.name) i.request = r.number;
    }
    if (const entry* e = get(m, "value")) i.value = number(e->value, "value", INT32_MIN, INT32_MAX);
    s.text = fmt::format("ioctl {} {} {}", i.to, i.name, i.value);
    s.action = std::move(i);
  }

  void read_rpmsg(const YAML::Node& n, step& s) {
    const map m = keys(n, "rpmsg", "rpmsg");
    const entry* channel = need(m, "channel", n, "rpmsg");
    if (channel == nullptr) return;
    rpmsg_exchange x;
    x.channel = text(channel->value, "channel").value_or("");
    if (const entry* e = get(m, "send")) x.send = text(e->value, "send");
    if (const entry* e = get(m, "reply")) x.reply = text(e->value, "reply");
    if (!x.send && !x.reply) fail(n, "rpmsg needs `send:`, `reply:` or both");
    const entry* within = get(m, "within");
    x.within = within != nullptr ? time(within->value, "within") : sc_core::sc_time(1, sc_core::SC_SEC);
    if (const entry* e = get(m, "times")) x.times = static_cast<unsigned>(number(e->value, "times", 1, 1'000'000));
    s.text = fmt::format("rpmsg {}:", x.channel);
    if (x.send) s.text += fmt::format(" send \"{}\"", *x.send);
    if (x.reply) s.text += fmt::format(" reply \"{}\"", *x.reply);
    if (x.times > 1) s.text += fmt::format(" {} times", x.times);
    s.action = std::move(x);
  }

  // ---- expectations

  void read_expectations(const YAML::Node& n) {
    const std::size_t first = result_.expect.size();
    const map m = keys(n, "expectation", "an expectation");
    read_kinds(m);
    const entry* when = get(m, "when");
    if (when == nullptr) return;
    const histories h = history_words(when->value);
    if (m.size() == 1) fail(n, "`when` needs something that is expected then");
    for (std::size_t i = first; i < result_.expect.size(); ++i) result_.expect[i].when = h;
  }

  void read_kinds(const map& m) {
    for (const auto& [key, e] : m) {
      if (key == "when") {
      } else if (key == "state") {
        for (state_of& one : read_states(e.value)) {
          add(one.where, fmt::format("{} is {} at the end", one.what, one.state), expect_state{one});
        }
      } else if (key == "order") {
        read_order(e.value);
      } else if (key == "never") {
        for (const YAML::Node& one : one_or_list(e.value)) read_never(one);
      } else if (key == "count") {
        for (const entry& one : pairs(e.value, "count")) read_count(one);
      } else if (key == "takes") {
        read_takes(e.value);
      } else {
        for (const YAML::Node& one : one_or_list(e.value)) {
          const auto line = text(one, "a log line");
          if (line) add(place_of(one), fmt::format("log \"{}\"", *line), expect_log{*line});
        }
      }
    }
  }

  template <typename T>
  void add(place where, std::string text, T what) {
    result_.expect.push_back({where, std::move(text), {}, std::move(what)});
  }

  static std::vector<YAML::Node> one_or_list(const YAML::Node& n) {
    if (n.IsSequence()) return {n.begin(), n.end()};
    return {n};
  }

  void read_order(const YAML::Node& n) {
    expect_order o;
    YAML::Node events = n;
    if (n.IsMap()) {
      const map m = keys(n, "order", "order");
      const entry* e = need(m, "events", n, "order");
      if (const entry* t = get(m, "times")) o.times = static_cast<unsigned>(number(t->value, "times", 1, 1'000'000));
      if (e == nullptr) return;
      events.reset(e->value);
    }
    std::string words;
    for (const YAML::Node& one : list(events, "order")) {
      if (auto p = event(one, "order")) {
        words += fmt::format("{}{}", words.empty() ? "" : ", ", p->text());
        o.events.push_back(std::move(*p));
      }
    }
    if (o.times > 1) words += fmt::format(", {} times", o.times);
    if (events.IsSequence() && events.size() < 2) fail(events, "order needs two events or more");
    add(place_of(n), "order: " + words, std::move(o));
  }

  void read_never(const YAML::Node& n) {
    if (n.IsScalar()) {
      if (auto p = event(n, "never"))
        add(place_of(n), fmt::format("never {}", n.Scalar()), expect_never{std::move(*p), {}, {}});
      return;
    }
    const map m = keys(n, "never", "never");
    const entry* e = need(m, "event", n, "never");
    if (e == nullptr) return;
    auto p = event(e->value, "never");
    if (!p) return;
    expect_never never{std::move(*p), {}, {}};
    std::string words = fmt::format("never {}", never.what.text());
    if (const entry* after = get(m, "after")) {
      never.after = event(after->value, "after");
      if (never.after) words += fmt::format(" after {}", never.after->text());
    }
    if (const entry* before = get(m, "before")) {
      never.before = event(before->value, "before");
      if (never.before) words += fmt::format(" before {}", never.before->text());
    }
    add(place_of(n), std::move(words), std::move(never));
  }

  void read_count(const entry& one) {
    auto p = event(one.key, "count");
    if (!p) return;
    expect_count c{std::move(*p), 0, UINT64_MAX};
    std::string words = c.what.text();
    if (one.value.IsScalar()) {
      c.least = c.most = static_cast<std::uint64_t>(number(one.value, "a count", 0, INT64_MAX));
      words += fmt::format(" happens {}", human_times(c.least));
    } else {
      const map m = keys(one.value, "span", "a count");
      if (const entry* e = get(m, "min")) c.least = static_cast<std::uint64_t>(number(e->value, "min", 0, INT64_MAX));
      if (const entry* e = get(m, "max")) c.most = static_cast<std::uint64_t>(number(e->value, "max", 0, INT64_MAX));
      words += c.most == UINT64_MAX ? fmt::format(" happens {} times or more", c.least)
                                    : fmt::format(" happens {} to {} times", c.least, c.most);
    }
    add(place_of(one.key), std::move(words), std::move(c));
  }

  void read_takes(const YAML::Node& n) {
    const map m = keys(n, "takes", "takes");
    const entry* from = need(m, "from", n, "takes");
    const entry* to = need(m, "to", n, "takes");
    std::optional<sc_core::sc_time> least, most;
    read_span(m, n, least, most);
    if (from == nullptr || to == nullptr) return;
    auto a = event(from->value, "from"), b = event(to->value, "to");
    if (!a || !b) return;
    std::string words = fmt::format("{} to {} takes", a->text(), b->text());
    if (least) words += fmt::format(" at least {}", get(m, "min")->value.Scalar());
    if (most) words += fmt::format(" at most {}", get(m, "max")->value.Scalar());
    add(place_of(n), std::move(words), expect_takes{std::move(*a), std::move(*b), least, most});
  }

  scenario result_;
  std::set<std::string> descriptors_, shells_, tables_;
  std::set<std::string> open_;  // descriptors that nothing before has closed
};

}  // namespace

tl::expected<scenario, std::vector<problem>> parse_scenario(const std::string& text, const std::string& file_name,
                                                            const vocabulary& events) {
  return parser(file_name, events).run(text);
}

tl::expected<scenario, std::vector<problem>> load_scenario(const std::string& path, const vocabulary& events) {
  const auto text = read_input(path, "scenario");
  if (!text) return tl::unexpected(std::vector<problem>{text.error()});
  return parse_scenario(*text, path == "-" ? "standard input" : path, events);
}

}  // namespace rpsim::tool
