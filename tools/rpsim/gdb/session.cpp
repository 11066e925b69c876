#include "tools/rpsim/gdb/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace rpsim::tool::gdb {

namespace {

constexpr const char* OK = "OK";
constexpr const char* BAD_PACKET = "E01";
constexpr const char* BAD_ADDRESS = "E14";
constexpr const char* BAD_ARGUMENT = "E22";
constexpr const char* UNKNOWN = "";
// Signals as gdb numbers them.
constexpr unsigned SIGNAL_INT = 2, SIGNAL_TRAP = 5, SIGNAL_SEGV = 11;
constexpr std::size_t MOST_MEMORY = packet_reader::MOST_BYTES / 2 - 16;

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// What comes before the separator; `text` keeps what comes after it, or nothing.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

struct range {
  std::uint64_t first = 0, length = 0;
};
std::optional<range> parse_range(std::string_view text) {
  const auto first = hex_number(take_until(text, ',')), length = hex_number(text);
  if (!first || !length || *first >> 32 != 0 || *length > 1ULL << 32) return std::nullopt;
  return range{*first, *length};
}

unsigned register_bits(unsigned n) { return n >= debug_target::D0 && n < debug_target::FPSCR ? 64 : 32; }

std::string describe_registers(const debug_target& t) {
  const bool m = t.profile() == arm_profile::m;
  std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target><architecture>arm</architecture>";
  unsigned number = 0;
  const auto reg = [&](std::string_view name, std::string_view type = "uint32", unsigned bits = 32) {
    xml += fmt::format("<reg name=\"{}\" bitsize=\"{}\" type=\"{}\" regnum=\"{}\"/>", name, bits, type, number++);
  };
  const auto feature = [&](std::string_view name) {
    xml += fmt::format("<feature name=\"org.gnu.gdb.arm.{}\">", name);
  };
  feature(m ? "m-profile" : "core");
  for (unsigned n = 0; n < 13; ++n) reg(fmt::format("r{}", n));
  reg("sp", "data_ptr");
  reg("lr");
  reg("pc", "code_ptr");
  reg(m ? "xpsr" : "cpsr");
  xml += "</feature>";
  feature("vfp");
  for (unsigned n = 0; n < 16; ++n) reg(fmt::format("d{}", n), "ieee_double", 64);
  reg("fpscr", "int");
  xml += "</feature>";
  if (const auto system = t.system_registers(); !system.empty()) {
    feature(m ? "m-system" : "system");
    for (const debug_register& r : system) reg(r.name, r.name.ends_with("sp") ? "data_ptr" : "uint32", r.bits);
    xml += "</feature>";
  }
  return xml + "</target>";
}

}  // namespace

session::session(std::vector<debug_target*> cores, surroundings around)
    : cores_(std::move(cores)), around_(std::move(around)) {
  attach(0);
}

session::~session() {
  while (!attached_.empty()) let_go(*attached_.begin());
}

void session::take(std::string_view bytes) {
  for (const input& in : reader_.take(bytes)) {
    switch (in.what) {
      case input::kind::ack:
        break;
      case input::kind::nak:
        if (!last_sent_.empty()) around_.send(last_sent_);
        break;
      case input::kind::damaged:
        if (acknowledged_) around_.send("-");
        break;
      case input::kind::interrupt:
        if (!running_ || attached_.empty()) break;
        interrupted_ = true;
        around_.pause();
        break;
      case input::kind::packet:
        if (acknowledged_) around_.send("+");
        if (auto text = answer(in.payload)) reply(*text);
        break;
    }
  }
}

void session::reply(std::string_view payload) {
  last_sent_ = frame(payload);
  around_.send(last_sent_);
}

void session::show(std::string_view text) {
  constexpr std::size_t PART = packet_reader::MOST_BYTES / 4;
  for (std::size_t at = 0; at < text.size(); at += PART) reply(fmt::format("O{}", to_hex(text.substr(at, PART))));
}

// ---- processes and threads

std::string session::name_of(std::size_t core) const {
  return multiprocess_ ? fmt::format("p{:x}.1", core + 1) : fmt::format("{:x}", core + 1);
}

std::optional<session::thread_id> session::parse_thread(std::string_view text) const {
  const auto number = [](std::string_view t) -> std::optional<int> {
    if (t == "-1") return -1;
    const auto n = hex_number(t);
    return n && *n <= 0xFFFF ? std::optional(static_cast<int>(*n)) : std::nullopt;
  };
  if (!take_prefix(text, "p")) {  // one number: the process's, whose thread is the first
    const auto n = number(text);
    return n ? std::optional(thread_id{*n, *n > 0 ? 1 : *n}) : std::nullopt;
  }
  const bool whole = text.find('.') == std::string_view::npos;
  const auto process = number(take_until(text, '.'));
  const auto thread = whole ? std::optional(-1) : number(text);
  if (!process || !thread) return std::nullopt;
  return thread_id{*process, *thread};
}

bool session::fits(const thread_id& id, std::size_t core) const {
  return (id.process <= 0 || id.process == static_cast<int>(core) + 1) && id.thread <= 1;
}

/// The one that is meant, among those attached.
std::optional<std::size_t> session::core_of(const thread_id& id) const {
  if (attached_.contains(current_) && fits(id, current_)) return current_;
  const auto it = std::ranges::find_if(attached_, [&](std::size_t c) { return fits(id, c); });
  return it == attached_.end() ? std::nullopt : std::optional(*it);
}

std::string session::attach(std::size_t core) {
  if (attached_.insert(core).second) {
    cores_[core]->attach([this, core](debug_target&, const debug_stop& why) {
      if (!stopped_) stopped_ = {core, why};
      around_.pause();
    });
  }
  current_ = core;
  running_ = false;
  return stop_reply(core, std::nullopt);
}

void session::let_go(std::size_t core) {
  cores_[core]->detach();
  attached_.erase(core);
  std::erase_if(breakpoints_, [&](const auto& b) { return std::get<0>(b) == core; });
}

/// `process`: empty for all.
std::string session::detach(std::string_view process) {
  if (process.empty()) {
    while (!attached_.empty()) let_go(*attached_.begin());
  } else {
    const auto n = hex_number(process);
    if (!n || *n == 0 || !attached_.contains(*n - 1)) return BAD_ARGUMENT;
    let_go(*n - 1);
  }
  if (attached_.empty()) {
    over_ = !extended_;
    running_ = true;
  } else {
    current_ = *attached_.begin();
  }
  return OK;
}

// ---- stopping and going on

std::string session::stop_reply(std::size_t core, const std::optional<debug_stop>& why) const {
  const unsigned signal = why && why->why == debug_stop::kind::lockup ? SIGNAL_SEGV : SIGNAL_TRAP;
  std::string text = fmt::format("T{:02x}thread:{};", signal, name_of(core));
  if (why && why->why == debug_stop::kind::watchpoint) {
    const char* what = why->watched == debug_access::write  ? "watch"
                       : why->watched == debug_access::read ? "rwatch"
                                                            : "awatch";
    text += fmt::format("{}:{:x};", what, why->address);
  }
  return text;
}

void session::paused() {
  if (!running_ || (!stopped_ && !interrupted_)) return;
  running_ = false;
  if (stopped_) {
    const auto [core, why] = *std::exchange(stopped_, std::nullopt);
    current_ = core;
    reply(stop_reply(core, why));
  } else {
    if (!attached_.contains(current_)) current_ = *attached_.begin();
    reply(fmt::format("T{:02x}thread:{};", SIGNAL_INT, name_of(current_)));
  }
  interrupted_ = false;
}

void session::ended(int status) {
  ended_ = status;
  if (running_ && !attached_.empty()) reply(*go({}));
}

/// By core; nothing: it is held.
std::optional<std::string> session::go(const std::vector<std::optional<debug_order>>& orders) {
  if (ended_) {
    const std::size_t core = *attached_.begin();
    let_go(core);
    over_ = attached_.empty() && !extended_;
    running_ = false;
    if (!attached_.empty()) current_ = *attached_.begin();
    return multiprocess_ ? fmt::format("W{:02x};process:{:x}", *ended_, core + 1) : fmt::format("W{:02x}", *ended_);
  }
  for (const std::size_t core : attached_) cores_[core]->order(orders[core].value_or(debug_order::hold));
  running_ = true;
  return std::nullopt;
}

/// vCont: the first action that names a thread is the thread's.
std::optional<std::string> session::resume(std::string_view actions) {
  std::vector<std::optional<debug_order>> orders(cores_.size());
  bool any = false;
  while (!actions.empty()) {
    std::string_view action = take_until(actions, ';');
    const bool everyone = action.find(':') == std::string_view::npos;
    const std::string_view what = take_until(action, ':');
    const auto id = everyone ? std::optional(thread_id{-1, -1}) : parse_thread(action);
    const bool steps = what.starts_with('s') || what.starts_with('S');
    if (!id || what.empty() || (!steps && what[0] != 'c' && what[0] != 'C')) return BAD_PACKET;
    for (const std::size_t core : attached_) {
      if (!fits(*id, core)) continue;
      any = true;
      if (!orders[core]) orders[core] = steps ? debug_order::step : debug_order::go;
    }
  }
  if (!any) return BAD_ARGUMENT;
  return go(orders);
}

// ---- commands

std::optional<std::string> session::answer(const std::string& packet) {
  std::string_view p = packet;
  if (p.empty()) return UNKNOWN;
  if (take_prefix(p, "vCont?")) return "vCont;c;C;s;S";
  if (take_prefix(p, "vMustReplyEmpty")) return UNKNOWN;
  if (take_prefix(p, "vAttach;")) {
    const auto n = hex_number(p);
    if (!n || *n == 0 || *n > cores_.size()) return BAD_ARGUMENT;
    return attach(*n - 1);
  }
  if (take_prefix(p, "vKill;") || take_prefix(p, "D;")) return detach(p);  // what is killed is the debugging
  if (p == "D") return detach("");
  if (p == "k") {
    detach("");
    over_ = true;
    return std::nullopt;
  }
  if (p == "!") {
    extended_ = true;
    return OK;
  }
  if (p == "QStartNoAckMode") {
    acknowledged_ = false;
    return OK;
  }
  if (p[0] == 'q') return query(p.substr(1));
  // The rest is about a process that gdb is attached to.
  const char what = p[0];
  if (std::string_view("?HTvcCsSgGpPmMXzZ").find(what) == std::string_view::npos) return UNKNOWN;
  if (attached_.empty()) return what == '?' ? "W00" : BAD_ARGUMENT;
  if (running_) return BAD_ARGUMENT;
  if (take_prefix(p, "vCont;")) return resume(p);
  if (what == 'v') return UNKNOWN;
  p.remove_prefix(1);
  switch (what) {
    case '?':
      return stop_reply(current_, std::nullopt);
    case 'H': {
      const auto id = p.empty() ? std::nullopt : parse_thread(p.substr(1));
      const auto core = id ? core_of(*id) : std::nullopt;
      if (!core) return BAD_ARGUMENT;
      if (p[0] == 'g') current_ = *core;
      return OK;
    }
    case 'T': {
      const auto id = parse_thread(p);
      return id && core_of(*id) ? OK : BAD_ARGUMENT;
    }
    case 'c':
    case 'C':
      return resume("c");
    case 's':
    case 'S':
      return resume(fmt::format("s:{};c", name_of(current_)));
    case 'm':
      return read_memory(p);
    case 'M':
    case 'X':
      return write_memory(p, what == 'X');
    case 'z':
    case 'Z':
      return point(packet);
    default:
      return registers(packet);
  }
}

std::string session::query(std::string_view p) {
  if (take_prefix(p, "Supported")) {
    take_prefix(p, ":");
    while (!p.empty()) multiprocess_ |= take_until(p, ';') == "multiprocess+";
    return fmt::format("PacketSize={:x};QStartNoAckMode+;multiprocess+;vContSupported+;qXfer:features:read+",
                       packet_reader::MOST_BYTES);
  }
  if (take_prefix(p, "Xfer:features:read:")) return target_description(p);
  if (take_prefix(p, "Attached")) return "1";
  if (take_prefix(p, "Rcmd,")) {
    const auto bytes = from_hex(p);
    if (!bytes) return BAD_PACKET;
    show(around_.monitor({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, current_));
    return OK;
  }
  if (p == "C" && attached_.contains(current_)) return fmt::format("QC{}", name_of(current_));
  if (p == "fThreadInfo") {
    std::string text;
    for (const std::size_t core : attached_) text += fmt::format("{}{}", text.empty() ? "m" : ",", name_of(core));
    return text.empty() ? "l" : text;
  }
  if (p == "sThreadInfo") return "l";
  if (take_prefix(p, "ThreadExtraInfo,")) {
    const auto id = parse_thread(p);
    const auto core = id ? core_of(*id) : std::nullopt;
    return core ? to_hex(cores_[*core]->debug_label()) : BAD_ARGUMENT;
  }
  return UNKNOWN;
}

std::string session::target_description(std::string_view p) const {
  if (take_until(p, ':') != "target.xml") return "E00";
  const auto part = parse_range(p);
  if (!part) return BAD_PACKET;
  const std::string xml = describe_registers(*cores_[current_]);
  if (part->first >= xml.size()) return "l";
  const std::string text = xml.substr(part->first, std::min<std::size_t>(part->length, packet_reader::MOST_BYTES / 2));
  return fmt::format("{}{}", part->first + text.size() < xml.size() ? "m" : "l", text);
}

std::string session::point(std::string_view p) {
  const bool sets = p[0] == 'Z';
  const char type = p.size() > 2 && p[2] == ',' ? p[1] : 0;
  if (type < '0' || type > '4') return type > '4' && type <= '9' ? UNKNOWN : BAD_PACKET;
  p.remove_prefix(3);
  const auto at = parse_range(take_until(p, ';'));
  if (!at) return BAD_PACKET;
  const auto address = static_cast<std::uint32_t>(at->first);
  if (type <= '1') {
    const std::tuple entry{current_, at->first, type};
    if (sets) {
      breakpoints_.insert(entry);
      current().set_breakpoint(address & ~1U);
    } else if (breakpoints_.erase(entry) != 0 &&
               !breakpoints_.contains({current_, at->first, type == '0' ? '1' : '0'})) {
      current().clear_breakpoint(address & ~1U);
    }
    return OK;
  }
  if (at->length == 0 || at->first + at->length > 1ULL << 32) return BAD_ARGUMENT;
  const debug_access what = type == '2' ? debug_access::write : type == '3' ? debug_access::read : debug_access::any;
  const auto bytes = static_cast<std::uint32_t>(at->length);
  current().clear_watchpoint(what, address, bytes);  // set once, however often gdb says so
  if (sets) current().set_watchpoint(what, address, bytes);
  return OK;
}

std::string session::read_memory(std::string_view p) {
  const auto at = parse_range(p);
  if (!at) return BAD_PACKET;
  std::vector<std::byte> bytes(std::min<std::uint64_t>({at->length, MOST_MEMORY, (1ULL << 32) - at->first}));
  bytes.resize(current().read_memory(static_cast<std::uint32_t>(at->first), bytes));
  return bytes.empty() && at->length != 0 ? BAD_ADDRESS : to_hex(bytes);
}

std::string session::write_memory(std::string_view p, bool binary) {
  const auto at = parse_range(take_until(p, ':'));
  if (!at) return BAD_PACKET;
  std::optional<std::vector<std::byte>> bytes;
  if (binary) {
    const auto raw = std::as_bytes(std::span(p));
    bytes.emplace(raw.begin(), raw.end());
  } else {
    bytes = from_hex(p);
  }
  if (!bytes || bytes->size() != at->length || at->first + at->length > 1ULL << 32) return BAD_PACKET;
  return current().write_memory(static_cast<std::uint32_t>(at->first), *bytes) == bytes->size() ? OK : BAD_ADDRESS;
}

// ---- registers

unsigned session::registers_of_current() {
  return debug_target::SYSTEM + static_cast<unsigned>(current().system_registers().size());
}

std::string session::register_text(unsigned n) {
  const std::uint64_t value = current().read_register(n);
  return to_hex(std::as_bytes(std::span(&value, 1)).first(register_bits(n) / 8));
}

bool session::set_register(unsigned n, std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != register_bits(n) / 8) return false;
  std::uint64_t value = 0;
  std::memcpy(&value, bytes->data(), bytes->size());
  return value == current().read_register(n) || current().write_register(n, value);
}

std::string session::registers(std::string_view p) {
  const char what = p[0];
  p.remove_prefix(1);
  const unsigned count = registers_of_current();
  if (what == 'g') {
    std::string text;
    for (unsigned n = 0; n < count; ++n) text += register_text(n);
    return text;
  }
  if (what == 'G') {
    std::size_t length = 0;
    for (unsigned n = 0; n < count; ++n) length += register_bits(n) / 4;
    if (p.size() != length) return BAD_PACKET;
    bool good = true;
    for (unsigned n = 0; n < count; ++n) {
      good = set_register(n, p.substr(0, register_bits(n) / 4)) && good;
      p.remove_prefix(register_bits(n) / 4);
    }
    return good ? OK : BAD_ARGUMENT;
  }
  const auto n = hex_number(take_until(p, '='));
  if (!n || *n >= count) return BAD_ARGUMENT;
  if (what == 'p') return register_text(static_cast<unsigned>(*n));
  return set_register(static_cast<unsigned>(*n), p) ? OK : BAD_ARGUMENT;
}

}  // namespace rpsim::tool::gdb
