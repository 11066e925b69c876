#include "tools/rpsim/trace_writers.h"

#include <algorithm>

#include "tools/rpsim/text_writer.h"

namespace rpsim::tool {

namespace {
void append_fields(fmt::memory_buffer& to, const event& e) {
  to.push_back('{');
  bool first = true;
  for (const field& f : e.fields) {
    if (!first) to.push_back(',');
    first = false;
    append_json_string(to, f.key);
    to.push_back(':');
    const auto out = std::back_inserter(to);
    switch (f.type) {
      case field::kind::u64:
      case field::kind::time:
        fmt::format_to(out, "{}", f.number);
        break;
      case field::kind::i64:
        fmt::format_to(out, "{}", static_cast<std::int64_t>(f.number));
        break;
      case field::kind::hex:
        fmt::format_to(out, "\"0x{:x}\"", f.number);
        break;
      case field::kind::text:
        append_json_string(to, f.text);
        break;
    }
  }
  to.push_back('}');
}

/// Microseconds with picosecond digits: what a Chrome trace's `ts` is.
std::string microseconds(const sc_core::sc_time& t) {
  return fmt::format("{}.{:06}", t.value() / 1'000'000, t.value() % 1'000'000);
}
}  // namespace

void append_json_event(fmt::memory_buffer& to, const event& e, std::string_view text) {
  const auto out = std::back_inserter(to);
  fmt::format_to(out, "{{\"ps\":{},\"source\":", e.time.value());
  append_json_string(to, e.source);
  fmt::format_to(out, ",\"event\":");
  append_json_string(to, e.name);
  if (!e.fields.empty()) {
    fmt::format_to(out, ",\"fields\":");
    append_fields(to, e);
  }
  if (!text.empty()) {
    fmt::format_to(out, ",\"text\":");
    append_json_string(to, text);
  }
  to.push_back('}');
}

json_lines_writer::json_lines_writer(output& out, std::string_view scenario, std::uint64_t seed) : out_(out) {
  out_.write("{\"schema\":\"rpsim-trace-1\",\"scenario\":");
  append_json_string(out_.buffer(), scenario);
  out_.print(",\"seed\":{}}}\n", seed);
}

void json_lines_writer::on_event(const event& e) {
  append_json_event(out_.buffer(), e);
  out_.write("\n");
  out_.settle();
}

// ---- Perfetto

perfetto_writer::perfetto_writer(output& out, std::string_view scenario) : out_(out) {
  out_.write("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
  separate();
  out_.write("{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":");
  append_json_string(out_.buffer(), scenario);
  out_.write("}}");
}

perfetto_writer::~perfetto_writer() {
  for (const auto& [name, s] : open_) slice(name, s.name, s.begin, last_);
  for (const auto& [name, queue] : words_) {
    for (const word& w : queue) slice(w.track, w.name + " (unread)", w.begin, last_);
  }
  for (const auto& [key, r] : requests_)
    slice(fmt::format("TI-SCI host {}", key.first), r.name + " (no answer)", r.sent, last_);
  out_.write("\n]}\n");
}

void perfetto_writer::separate() {
  out_.write(empty_ ? "\n" : ",\n");
  empty_ = false;
  out_.settle();
}

unsigned perfetto_writer::track(const std::string& name) {
  const auto [it, fresh] = tracks_.emplace(name, static_cast<unsigned>(tracks_.size() + 1));
  if (fresh) {
    separate();
    out_.print("{{\"ph\":\"M\",\"pid\":1,\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":", it->second);
    append_json_string(out_.buffer(), name);
    out_.write("}}");
  }
  return it->second;
}

void perfetto_writer::slice(const std::string& track_name, std::string_view name, const sc_core::sc_time& begin,
                            const sc_core::sc_time& end) {
  const unsigned tid = track(track_name);
  separate();
  out_.print("{{\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":{},\"dur\":{},\"name\":", tid, microseconds(begin),
             microseconds(end - begin));
  append_json_string(out_.buffer(), name);
  out_.write("}");
}

void perfetto_writer::arrow(const std::string& from_track, const sc_core::sc_time& from, const std::string& to_track,
                            const sc_core::sc_time& to) {
  const unsigned a = track(from_track), b = track(to_track);
  separate();
  out_.print("{{\"ph\":\"s\",\"pid\":1,\"tid\":{},\"ts\":{},\"id\":{},\"cat\":\"flow\",\"name\":\"answer\"}}", a,
             microseconds(from), next_flow_);
  separate();
  out_.print(
      "{{\"ph\":\"f\",\"bp\":\"e\",\"pid\":1,\"tid\":{},\"ts\":{},\"id\":{},\"cat\":\"flow\",\"name\":\"answer\"}}", b,
      microseconds(to), next_flow_);
  ++next_flow_;
}

void perfetto_writer::next(const std::string& track_name, std::string_view name, const sc_core::sc_time& now) {
  if (const auto it = open_.find(track_name); it != open_.end()) {
    slice(track_name, it->second.name, it->second.begin, now);
    open_.erase(it);
  }
  if (!name.empty()) open_[track_name] = {std::string(name), now};
}

void perfetto_writer::instant(const event& e) {
  const unsigned tid = track(std::string(e.source));
  separate();
  out_.print("{{\"ph\":\"i\",\"s\":\"t\",\"pid\":1,\"tid\":{},\"ts\":{},\"name\":", tid, microseconds(e.time));
  append_json_string(out_.buffer(), e.name);
  out_.write(",\"args\":");
  append_fields(out_.buffer(), e);
  out_.write("}");
}

void perfetto_writer::mailbox(const event& e) {
  const std::string fifo = fmt::format("{} FIFO {}", e.source, e.number("fifo"));
  const std::string msg(e.text("msg"));
  std::deque<word>& queue = words_[fifo];
  if (e.name == "mailbox.sent") {
    // Slices of a track nest or follow each other: words that lie in the FIFO together need a track each.
    std::string free = fifo;
    for (unsigned n = 2; std::ranges::find(queue, free, &word::track) != queue.end(); ++n)
      free = fmt::format("{}, word {}", fifo, n);
    queue.push_back({msg, std::move(free), e.time});
    return;
  }
  if (queue.empty()) return;
  const word w = queue.front();
  queue.pop_front();
  slice(w.track, w.name, w.begin, e.time);
  if (w.name == "SHUTDOWN") asked_["SHUTDOWN_ACK"] = {w.track, w.begin};
  if (w.name == "ECHO_REQUEST") asked_["ECHO_REPLY"] = {w.track, w.begin};
  if (w.name == "SUSPEND_SYSTEM") {
    for (const char* answer : {"SUSPEND_ACK", "SUSPEND_CANCEL", "SUSPEND_AUTO"}) asked_[answer] = {w.track, w.begin};
  }
  if (const auto it = asked_.find(w.name); it != asked_.end()) {
    arrow(it->second.first, it->second.second, w.track, w.begin);
    asked_.erase(it);
  }
}

void perfetto_writer::tisci(const event& e) {
  const std::pair key{e.number("host"), e.number("seq")};
  if (e.name == "tisci.sent") {
    // A response crosses the proxy as well, with its request's host and number: that request is being served.
    if (const auto it = requests_.find(key); it != requests_.end() && it->second.served) return;
    requests_[key] = {std::string(e.text("msg")), e.time, e.time, false};
  } else if (const auto it = requests_.find(key); it != requests_.end()) {
    if (e.name == "tisci.request") {
      if (it->second.served) it->second = {std::string(e.text("msg")), e.time, e.time, false};  // never answered
      it->second.taken = e.time;
      it->second.served = true;
    } else {
      const std::string asker = fmt::format("TI-SCI host {}", key.first);
      const std::string server = fmt::format("{} for host {}", e.source, key.first);
      slice(asker, it->second.name, it->second.sent, e.time);
      slice(server, fmt::format("{} {}", it->second.name, e.text("result")), it->second.taken, e.time);
      arrow(asker, it->second.sent, server, it->second.taken);
      arrow(server, it->second.taken, asker, e.time);
      requests_.erase(it);
    }
  }
}

void perfetto_writer::on_event(const event& e) {
  last_ = e.time;
  const std::string source(e.source);
  if (e.name == "mailbox.sent" || e.name == "mailbox.received") {
    mailbox(e);
  } else if (e.name == "tisci.sent" || e.name == "tisci.request" || e.name == "tisci.response") {
    tisci(e);
  } else if (e.name == "rproc.state") {
    next(source + " state", e.text("to"), e.time);
  } else if (e.name == "core.start" || e.name == "core.wake") {
    next(source + " state", "running", e.time);
  } else if (e.name == "core.wfi") {
    next(source + " state", "WFI", e.time);
  } else if (e.name == "core.reset") {
    next(source + " state", "", e.time);
  } else if (e.name == "core.lockup" || e.name == "core.hang") {
    next(source + " state", e.name.substr(5), e.time);
  } else if (e.name == "lpsc.state") {
    next(fmt::format("lpsc-{}", e.number("lpsc")), e.text("to"), e.time);
  } else if (e.name == "shell.run") {
    next(source, e.text("line"), e.time);
  } else if (e.name == "shell.done") {
    next(source, "", e.time);
  } else if (e.name == "handshake") {
    const std::string_view phase = e.text("phase");
    next(source + " shutdown",
         phase == "requested" ? "wait for the ACK"
         : phase == "acked"   ? "wait for WFI"
                              : "",
         e.time);
  }
  instant(e);
}

// ---- VCD

namespace {
/// A value as its kind of signal has it. A string ends at a blank.
std::string vcd_value(const std::string& kind, std::string_view value, const std::string& id) {
  if (kind.starts_with("wire")) return fmt::format("{}{}", value, id);
  std::string text = fmt::format("{}{}", kind.starts_with("string") ? 's' : 'b', value);
  std::ranges::replace(text, ' ', '_');
  return fmt::format("{} {}", text, id);
}
}  // namespace

void vcd_writer::change(const std::string& scope, const std::string& name, const char* kind, std::string_view value,
                        std::string_view before, const sc_core::sc_time& at) {
  const auto [it, fresh] = signals_.try_emplace({scope, name});
  signal& s = it->second;
  if (fresh) {
    // Identifiers are the printable characters, as digits.
    for (std::size_t n = signals_.size(); n != 0; n /= 94) s.id += static_cast<char>('!' + n % 94);
    s.kind = kind;
    s.initial = before;
  }
  changes_.push_back({at.value(), vcd_value(s.kind, value, s.id)});
}

void vcd_writer::on_event(const event& e) {
  last_ = e.time;
  const std::string source(e.source);
  if (states_.on_event(e)) {
    const std::string what = e.name == "lpsc.state" ? fmt::format("lpsc-{}", e.number("lpsc")) : source;
    const std::string_view from = e.name.starts_with("core.") ? "reset" : e.text("from");
    change(what, "state", "string 1", states_.state(what), from, e.time);
  }
  const auto wire = [&](const std::string& scope, const std::string& name, bool high) {
    change(scope, name, "wire 1", high ? "1" : "0", high ? "0" : "1", e.time);
  };
  if (e.name == "mailbox.sent" || e.name == "mailbox.received") {
    change(source, fmt::format("fifo{}", e.number("fifo")), "reg 8", fmt::format("{:b}", e.number("level") & 0xFF), "0",
           e.time);
  } else if (e.name == "ipcc.set" || e.name == "ipcc.cleared") {
    wire(source, fmt::format("{}_{}", e.text("from"), e.text("name")), e.name == "ipcc.set");
  } else if (e.name == "irq.raised" || e.name == "irq.lowered") {
    const field* line = e.find("line");
    wire(source, fmt::format("irq_{}", line != nullptr ? human_field(*line) : ""), e.name == "irq.raised");
  } else if (e.name == "handshake") {
    change(source, "handshake", "string 1", e.text("phase"), "none", e.time);
  } else if (e.name == "reset.assert" || e.name == "reset.deassert") {
    wire(std::string(e.text("core")), fmt::format("{}_reset", e.text("kind")), e.name == "reset.assert");
  } else if (e.name == "virtio.status") {
    change(source, fmt::format("virtio{}_status", e.number("vdev")), "reg 8",
           fmt::format("{:b}", e.number("status") & 0xFF), "0", e.time);
  } else if (e.name == "device.get" || e.name == "device.put") {
    const std::uint64_t now = e.number("mask"), changed = std::uint64_t{1} << (e.number("host") & 63);
    const std::uint64_t before = e.name == "device.get" ? now & ~changed : now | changed;
    change(source, std::string(e.text("name")) + "_hosts", "reg 64", fmt::format("{:b}", now),
           fmt::format("{:b}", before), e.time);
  }
}

vcd_writer::~vcd_writer() {
  out_.print("$comment rpsim: {} $end\n$timescale 1 ps $end\n", scenario_);
  std::string scope;
  for (const auto& [key, s] : signals_) {
    if (key.first != scope) {
      if (!scope.empty()) out_.write("$upscope $end\n");
      out_.print("$scope module {} $end\n", key.first);
      scope = key.first;
    }
    std::string name = key.second;
    std::ranges::replace(name, ' ', '_');
    out_.print("$var {} {} {} $end\n", s.kind, s.id, name);
  }
  if (!scope.empty()) out_.write("$upscope $end\n");
  out_.write("$enddefinitions $end\n#0\n$dumpvars\n");
  for (const auto& [key, s] : signals_) out_.print("{}\n", vcd_value(s.kind, s.initial, s.id));
  out_.write("$end\n");
  std::uint64_t now = 0;
  for (const value_change& c : changes_) {
    if (now != c.ps) out_.print("#{}\n", c.ps);
    now = c.ps;
    out_.print("{}\n", c.text);
  }
  if (now != last_.value()) out_.print("#{}\n", last_.value());
}

}  // namespace rpsim::tool
