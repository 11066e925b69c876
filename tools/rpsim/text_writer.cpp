#include "tools/rpsim/text_writer.h"

#include <algorithm>

namespace rpsim::tool {

namespace {

/// An event's sentence: {field} is the field's value; a part in [ ] is left out when one of its fields is absent.
struct sentence {
  std::string_view event, words;
};
constexpr sentence SENTENCES[] = {
    {"mailbox.sent", "{msg}  -> FIFO {fifo} ({level} unread)[, by {by}]"},
    {"mailbox.received", "{msg}  <- FIFO {fifo} ({level} unread)[, by {by}]"},
    {"mailbox.dropped", "{msg}  lost: FIFO {fifo} is full[, by {by}]"},
    {"tisci.sent", "{msg}  seq {seq}, host {host}, thread {thread}"},
    {"tisci.request", "{msg}[ {name}]  host {host}, seq {seq}"},
    {"tisci.response", "{msg} {result}[: {reason}]  host {host}, seq {seq}"},
    {"tisci.received", "{msg} {result}  seq {seq}"},
    {"device.get", "{name}  by host {host}"},
    {"device.put", "{name}  by host {host}"},
    {"lpsc.state", "lpsc-{lpsc}: {from} -> {to}"},
    {"reset.assert", "{core} ({kind})"},
    {"reset.deassert", "{core} ({kind})"},
    {"proc.request", "processor {processor} by host {host}"},
    {"proc.release", "processor {processor} by host {host}"},
    {"core.start", "[{app}][entry {entry}]"},
    {"core.wake", "[by interrupt {irq}]"},
    {"core.lockup", "{reason}"},
    {"core.hang", "{reason}"},
    {"core.fault", "{kind}[ at {address}][, pc {pc}]"},
    {"fw.mark", "{mark}"},
    {"fw.log", "{text}"},
    {"bus.error", "{initiator} {kind}s {address}: {reason}"},
    {"memory.write", "{region} + {offset}, {size} bytes, by {by}"},
    {"host.log", "[{dev}: ]{text}"},
    {"host.oops", "{hazard} in {thread}: {text}"},
    {"shell.run", "$ {line}"},
    {"shell.done", "{result}[: {output}]"},
    {"rproc.state", "{from} -> {to}"},
    {"rproc.op", "{op}: {result}"},
    {"rproc.crash", "{type}"},
    {"rproc.recovery", "{result}"},
    {"rproc.table", "{what} at {pa}, {size} bytes"},
    {"rproc.carveout", "{what} {carveout}: {pa} (da {da}), {len} bytes"},
    {"rproc.coredump", "{size} bytes, {segments} segments"},
    {"handshake", "{phase}[ ({variant})]"},
    {"host.waits", "for the M4 to acknowledge {what}, at most {limit}"},
    {"virtio.status", "vdev {vdev}: {status}"},
    {"vring.setup", "vdev {vdev} vring {index}: {num} entries at {pa}"},
    {"vring.desc", "vring {index}: descriptor {desc} -> {pa}, {len} bytes"},
    {"rpmsg.channel.created", "{channel}  {src} -> {dst}"},
    {"rpmsg.channel.destroyed", "{channel}  {src} -> {dst}"},
    {"rpmsg.sent", "[{channel}  ]{src} -> {dst}, {len} bytes"},
    {"rpmsg.received", "[{channel}  ]{src} -> {dst}, {len} bytes"},
    {"fault.injected", "{what}"},
    {"invariant.violated", "{invariant}: {text}"},
    {"irq.raised", "{line}"},
    {"irq.lowered", "{line}"},
    {"host.thread", "{thread} {what}"},
    {"bus.read", "{initiator}  {address} = {value}"},
    {"bus.write", "{initiator}  {address} = {value}"},
};

struct words {
  std::string text;
  std::vector<std::string_view> used;
};

/// Fills the sentence in; `complete` turns false when a field is missing.
void fill(std::string_view pattern, const event& e, words& to, bool& complete) {
  while (!pattern.empty()) {
    const std::size_t open = pattern.find_first_of("{[");
    to.text += pattern.substr(0, open);
    if (open == std::string_view::npos) return;
    const std::size_t close = pattern.find(pattern[open] == '{' ? '}' : ']', open);
    const std::string_view inside = pattern.substr(open + 1, close - open - 1);
    if (pattern[open] == '{') {
      if (const field* f = e.find(inside)) {
        to.text += human_field(*f);
        to.used.push_back(f->key);
        complete = complete && !(f->type == field::kind::text && f->text.empty());
      } else {
        complete = false;
      }
    } else {
      words part;
      bool whole = true;
      fill(inside, e, part, whole);
      if (whole) to.text += part.text;
      to.used.insert(to.used.end(), part.used.begin(), part.used.end());
    }
    pattern.remove_prefix(close + 1);
  }
}

std::string delta_text(const sc_core::sc_time& t) {
  const double ps = static_cast<double>(t.value());
  if (t.value() == 0) return "";
  if (ps < 1e6) return fmt::format("+{:.3g} ns", ps / 1e3);
  if (ps < 1e9) return fmt::format("+{:.1f} us", ps / 1e6);
  if (ps < 1e12) return fmt::format("+{:.1f} ms", ps / 1e9);
  return fmt::format("+{:.3f} s ", ps / 1e12);
}

const char* colour_of(const event& e) {
  const std::string_view n = e.name;
  if (n == "invariant.violated" || n == "host.oops" || n == "bus.error" || n == "core.lockup" || n == "core.fault" ||
      n == "core.hang" || n == "mailbox.dropped" || n == "watchdog.expired" || n == "rproc.crash" ||
      (n == "host.log" && (e.text("level") == "err" || e.text("level") == "warning"))) {
    return "\x1b[31m";
  }
  if (n == "tisci.response" && e.text("result") == "NACK") return "\x1b[31m";
  if (n == "fault.injected") return "\x1b[35m";
  if (n.starts_with("shell.")) return "\x1b[1;32m";
  if (n == "rproc.state" || n == "handshake") return "\x1b[1m";
  if (n.starts_with("mailbox.")) return "\x1b[36m";
  if (n.starts_with("core.") || n.starts_with("reset.")) return "\x1b[33m";
  if (n.starts_with("rpmsg.")) return "\x1b[34m";
  if (n.starts_with("tisci.") || n.starts_with("device.") || n.starts_with("lpsc.") || n.starts_with("proc."))
    return "\x1b[90m";
  return "";
}

/// What the story leaves out: it is told again a line later, or is of interest to few.
bool aside(std::string_view name) {
  return name == "tisci.sent" || name == "rproc.carveout" || name == "vring.setup" || name == "memory.write";
}

/// Control characters of a remote's or a file's text never reach a terminal.
void append_printable(output& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out.write("\\n");
    } else {
      const char shown = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
      out.write({&shown, 1});
    }
  }
}

}  // namespace

std::string human_field(const field& f) {
  switch (f.type) {
    case field::kind::u64:
      return fmt::format("{}", f.number);
    case field::kind::i64:
      return fmt::format("{}", static_cast<std::int64_t>(f.number));
    case field::kind::hex:
      return fmt::format("0x{:x}", f.number);
    case field::kind::time: {
      std::string text = delta_text(sc_core::sc_time::from_value(f.number));
      return text.empty() ? "0 s" : text.substr(1);
    }
    case field::kind::text:
      return std::string(f.text);
  }
  return {};
}

std::string describe(const event& e, bool every_field) {
  words w;
  bool complete = true;
  const auto* s = std::ranges::find(SENTENCES, e.name, &sentence::event);
  const bool known = s != std::end(SENTENCES);
  if (known) fill(s->words, e, w, complete);
  if (known && !every_field) return w.text;
  for (const field& f : e.fields) {
    if (std::ranges::find(w.used, f.key) != w.used.end()) continue;
    w.text += fmt::format("{}{}={}", w.text.empty() ? "" : "  ", f.key, human_field(f));
  }
  return w.text;
}

bool text_writer::told_often(const event& e, const std::string& words) {
  if (e.name == "shell.run" || e.name == "rproc.state" || e.name == "handshake") seen_.clear();
  std::string key = fmt::format("{} {} {}", e.source, e.name, words);
  std::erase_if(key, [](char c) { return c >= '0' && c <= '9'; });
  return ++seen_[std::move(key)] > REPEATS;
}

text_writer::~text_writer() { tell_left_out(); }

void text_writer::tell_left_out() {
  if (left_out_ != 0) out_.print("{:>16} {:>11}  ({} more lines of the kind; -v shows them)\n", "...", "", left_out_);
  left_out_ = 0;
}

void text_writer::on_event(const event& e) {
  if (verbosity_ == 0 && aside(e.name)) return;
  if (e.name == "fw.log" && !console_ && verbosity_ == 0) return;
  const std::string words = describe(e, verbosity_ > 0);
  if (verbosity_ == 0 && told_often(e, words)) {
    ++left_out_;
    return;
  }
  tell_left_out();
  const std::string delta = first_ ? "" : delta_text(e.time - last_);
  first_ = false;
  last_ = e.time;
  const char* colour = colour_ ? colour_of(e) : "";
  out_.print("{:13.6f} ms {:>11}  {}{:<12} {:<21} ", static_cast<double>(e.time.value()) / 1e9, delta, colour, e.source,
             e.name);
  append_printable(out_, words);
  if (*colour != 0) out_.write("\x1b[0m");
  // No blanks at a line's end.
  fmt::memory_buffer& b = out_.buffer();
  while (b.size() != 0 && b[b.size() - 1] == ' ') b.resize(b.size() - 1);
  out_.write("\n");
  out_.settle();
}

}  // namespace rpsim::tool
