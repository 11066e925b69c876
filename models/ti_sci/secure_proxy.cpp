#include "models/ti_sci/secure_proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "models/common/quiet_access.h"
#include "models/core/lines.h"

namespace rpsim {

using sc_core::sc_time;

struct secure_proxy::thread {
  struct stored {
    ti_sci::message body;
    thread* source;  // whose credit it holds
  };
  struct travelling {
    ti_sci::message body;
    sc_time arrives;
  };

  unsigned number = 0;
  bool inbound = false;
  unsigned messages = 0;  // inbound: places in the queue; outbound: credits
  bool error = false;     // accessed against its direction, or overrun

  // inbound
  std::deque<stored> queue;
  std::uint32_t threshold = 1;
  std::unique_ptr<line_out> irq;
  bool raised = false;

  // outbound
  thread* destination = nullptr;
  unsigned credits = 0;
  ti_sci::message buffer;               // what is written of the next message
  std::optional<ti_sci::message> held;  // sent without a credit
  std::deque<travelling> under_way;

  std::uint32_t max_count() const { return std::min(messages, 0xFFu) << 16; }
  std::uint32_t count() const {
    return static_cast<std::uint32_t>(std::min<std::size_t>(inbound ? queue.size() : credits, 0xFF));
  }
  bool interrupting() const { return threshold != 0 && count() >= threshold; }
};

/// One of the three register windows: the same rules as a register_bank, but decoded by thread.
class secure_proxy::window final : public target_port::handler {
 public:
  window(secure_proxy& owner, const char* name, window_kind kind)
      : owner_(owner), kind_(kind), first_(kind == window_kind::scfg ? 1 : 0), port_(name, *this) {}

  target_port& port() { return port_; }

  void transport(tlm::tlm_generic_payload& p, sc_time& delay) override {
    // Messages may be read in bytes: TI's sciclient looks at a header's fields.
    const unsigned bytes = p.get_data_length(), within = p.get_address() % 4;
    const bool part = kind_ == window_kind::target_data && p.is_read() && bytes <= 4 - within;
    if ((bytes != 4 || within != 0) && !part) [[unlikely]] {
      return fail(p, tlm::TLM_BURST_ERROR_RESPONSE, "registers are 32 bits wide and aligned");
    }
    if (p.get_byte_enable_ptr() != nullptr) [[unlikely]] {
      return fail(p, tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE, "registers take no byte enables");
    }
    thread* t = find(p);
    const auto offset = static_cast<std::uint32_t>(p.get_address() % THREAD_STRIDE - within);
    std::uint32_t value = 0;
    bool there = false;
    if (t != nullptr && p.is_write()) {
      std::memcpy(&value, p.get_data_ptr(), 4);
      there = owner_.write(kind_, *t, offset, value, delay);
    } else if (t != nullptr) {
      there = owner_.read(kind_, *t, offset, value, delay, false);
      value >>= 8 * within;
      std::memcpy(p.get_data_ptr(), &value, bytes);
    }
    if (!there) return fail(p, tlm::TLM_ADDRESS_ERROR_RESPONSE, t == nullptr ? "no such thread" : "no register here");
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    if (auto* quiet = p.get_extension<quiet_access>()) {
      const bool words = kind_ == window_kind::target_data && p.is_read() == t->inbound;
      quiet->bytes = words ? DATA_LAST - std::min(DATA_LAST, offset + within)
                           : (kind_ == window_kind::rt && offset == STATUS && p.is_read() ? bytes : 0);
    }
  }

  unsigned transport_debug(tlm::tlm_generic_payload& p) override {
    thread* t = find(p);
    std::uint32_t value = 0;
    if (t == nullptr || !p.is_read() || p.get_data_length() != 4 || p.get_address() % 4 != 0) return 0;
    if (!owner_.read(kind_, *t, static_cast<std::uint32_t>(p.get_address() % THREAD_STRIDE), value, {}, true)) return 0;
    std::memcpy(p.get_data_ptr(), &value, 4);
    return 4;
  }

 private:
  thread* find(const tlm::tlm_generic_payload& p) const {
    const std::uint64_t stride = p.get_address() / THREAD_STRIDE;
    const std::uint64_t number = stride - first_;
    return stride >= first_ && number < owner_.by_number_.size() ? owner_.by_number_[number] : nullptr;
  }
  void fail(tlm::tlm_generic_payload& p, tlm::tlm_response_status status, std::string_view reason) {
    bus_error(owner_.context(), owner_.label(), p, status, reason);
  }

  secure_proxy& owner_;
  const window_kind kind_;
  const unsigned first_;  // strides before thread 0
  target_port port_;
};

secure_proxy::secure_proxy(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      latency_(context.params.time(
          {label() + ".latency", provenance::assumed, "assumed: a copy of 64 bytes through on-chip memory",
           "from the last word written to the message in the destination's queue"},
          {500, sc_core::SC_NS})) {
  add_threads();
  const std::vector<std::string> names = node.strings("reg-names");
  for (const std::string& n : names) {
    const bool data = n == "target_data";
    if (!data && n != "rt" && n != "scfg") node.fail("reg-names", fmt::format("no window is called \"{}\"", n));
    const window_kind kind = data ? window_kind::target_data : n == "rt" ? window_kind::rt : window_kind::scfg;
    windows_.push_back(std::make_unique<window>(*this, n.c_str(), kind));
  }
  if (windows_.size() != node.reg().size()) node.fail("reg-names", "one name for each window is wanted");

  SC_METHOD(deliver);
  sensitive << delivery_;
  dont_initialize();
  SC_METHOD(drive_lines);
  sensitive << lines_;
  dont_initialize();
}

secure_proxy::~secure_proxy() = default;

void secure_proxy::add_threads() {
  constexpr unsigned MAX_THREADS = 190;  // reference/k3.md §3.3, Linux am654_desc
  by_number_.resize(MAX_THREADS);
  for (const dt::node& n : node().children()) {
    auto t = std::make_unique<thread>();
    t->number = n.required_u32("rpsim,thread");
    if (t->number >= MAX_THREADS) n.fail("rpsim,thread", fmt::format("threads go up to {}", MAX_THREADS - 1));
    if (by_number_[t->number] != nullptr) n.fail("rpsim,thread", fmt::format("thread {} is there twice", t->number));
    const std::string direction = n.required_string("rpsim,direction");
    if (direction != "inbound" && direction != "outbound") {
      n.fail("rpsim,direction", "must be \"inbound\" or \"outbound\"");
    }
    t->inbound = direction == "inbound";
    t->messages = t->credits = n.required_u32("rpsim,messages");
    if (t->messages == 0) n.fail("rpsim,messages", "a thread needs room for a message");
    by_number_[t->number] = t.get();
    threads_.push_back(std::move(t));
  }
  std::ranges::sort(threads_, {}, &thread::number);
  for (const dt::node& n : node().children()) {
    thread& t = *by_number_[n.required_u32("rpsim,thread")];
    if (t.inbound) continue;
    const unsigned to = n.required_u32("rpsim,destination");
    t.destination = to < by_number_.size() ? by_number_[to] : nullptr;
    if (t.destination == nullptr || !t.destination->inbound) {
      n.fail("rpsim,destination", fmt::format("thread {} is not an inbound thread", to));
    }
  }
}

tlm::tlm_target_socket<32>* secure_proxy::target(unsigned index) {
  return index < windows_.size() ? &windows_[index]->port() : nullptr;
}

line_out* secure_proxy::output(std::string_view what, unsigned number) {
  if (what != "irq" || number >= by_number_.size()) return nullptr;
  thread* t = by_number_[number];
  if (t == nullptr || !t->inbound) return nullptr;
  if (t->irq == nullptr) {
    const child_scope scope(*this);
    t->irq = std::make_unique<line_out>(fmt::format("irq_{}", number).c_str());
  }
  return t->irq.get();
}

bool secure_proxy::read(window_kind which, thread& t, std::uint32_t offset, std::uint32_t& value, const sc_time& delay,
                        bool debug) {
  switch (which) {
    case window_kind::target_data:
      if (offset > DATA_LAST) return false;
      if (!t.inbound) {
        t.error |= !debug;
        return true;
      }
      if (t.queue.empty()) return true;  // all zeros
      value = offset == PRIVATE ? t.queue.front().source->number : t.queue.front().body.words[(offset - DATA) / 4];
      if (offset == DATA_LAST && !debug) pop(t, delay);
      return true;
    case window_kind::rt:
      if (offset == STATUS) {
        value = (t.error ? STATUS_ERROR : 0) | (t.inbound ? STATUS_INBOUND : 0) | t.max_count() | t.count();
      } else if (offset == THR) {
        value = t.threshold;
      } else {
        return false;
      }
      return true;
    case window_kind::scfg:
      if (offset == CTL) {
        value = (t.inbound ? CTL_INBOUND : 0) | t.max_count();
      } else if (offset == DST) {
        value = t.destination != nullptr ? t.destination->number : 0;
      } else {
        return offset == EVT_MAP;
      }
      return true;
  }
  return false;
}

bool secure_proxy::write(window_kind which, thread& t, std::uint32_t offset, std::uint32_t value,
                         const sc_time& delay) {
  switch (which) {
    case window_kind::target_data:
      if (offset > DATA_LAST) return false;
      if (t.inbound) {
        t.error = true;
      } else if (offset != PRIVATE) {
        t.buffer.words[(offset - DATA) / 4] = value;
        if (offset == DATA_LAST) send(t, delay);
      }
      return true;
    case window_kind::rt:
      if (offset == THR) {
        t.threshold = value & 0xFF;
        context().notifier.next_delta(lines_);
      } else if (offset == STATUS && value == 0) {
        t.error = false;
      }
      return offset == STATUS || offset == THR;
    case window_kind::scfg:
      return offset == CTL || offset == EVT_MAP || offset == DST;
  }
  return false;
}

void secure_proxy::send(thread& t, const sc_time& delay) {
  const ti_sci::message& m = t.buffer;
  const auto emit_message = [&](std::string_view event, std::string_view reason) {
    const field fields[] = {{"thread", t.number},
                            {"host", unsigned{m.host()}},
                            {"seq", unsigned{m.seq()}},
                            field::hex("type", static_cast<std::uint16_t>(m.type())),
                            {"msg", ti_sci::name(m.type())},
                            {"reason", reason}};
    events().emit(trace_level::protocol, label(), event, {fields, reason.empty() ? 5u : 6u});
  };
  if (t.credits == 0 && t.held) {
    t.error = true;
    emit_message("tisci.discarded", "a message is held for want of a credit");
    return;
  }
  emit_message("tisci.sent", "");
  if (t.credits == 0) {
    t.held = m;
  } else {
    launch(t, m, delay);
  }
}

void secure_proxy::launch(thread& t, const ti_sci::message& m, const sc_time& delay) {
  --t.credits;
  sc_time arrives = sc_core::sc_time_stamp() + delay + latency_.time();
  if (!t.under_way.empty()) arrives = std::max(arrives, t.under_way.back().arrives);  // a thread keeps its order
  t.under_way.push_back({m, arrives});
  context().notifier.after(delivery_, arrives - sc_core::sc_time_stamp());
}

void secure_proxy::deliver() {
  const sc_time now = sc_core::sc_time_stamp();
  std::optional<sc_time> next;
  for (const auto& t : threads_) {
    while (!t->under_way.empty()) {
      const thread::travelling& first = t->under_way.front();
      if (first.arrives > now) {
        next = next ? std::min(*next, first.arrives) : first.arrives;
        break;
      }
      thread& to = *t->destination;
      if (to.queue.size() >= to.messages) break;  // waits for a place
      to.queue.push_back({first.body, t.get()});
      t->under_way.pop_front();
      context().notifier.next_delta(lines_);
    }
  }
  if (next) context().notifier.after(delivery_, *next - now);
}

void secure_proxy::pop(thread& t, const sc_time& delay) {
  thread& source = *t.queue.front().source;
  t.queue.pop_front();
  ++source.credits;
  if (source.held) {
    launch(source, *source.held, delay);
    source.held.reset();
  }
  context().notifier.next_delta(lines_);
  context().notifier.next_delta(delivery_);  // there is a place now
}

void secure_proxy::drive_lines() {
  for (const auto& t : threads_) {
    if (t->irq == nullptr || t->interrupting() == t->raised) continue;
    t->raised = !t->raised;
    t->irq->write(t->raised);
    events().emit(trace_level::detail, label(), t->raised ? "irq.raised" : "irq.lowered", {{"line", t->number}});
  }
}

}  // namespace rpsim
