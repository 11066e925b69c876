#include "models/mailbox/ti_mailbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "models/mailbox/rp_mbox.h"

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x200;
constexpr std::uint32_t REVISION_VALUE = 0x66FC9100;
constexpr std::uint32_t SYSCONFIG_RESET = 2U << 2;  // smart idle
constexpr std::uint32_t SOFTRESET = 1, SIDLEMODE = 3U << 2;
constexpr std::uint32_t ALL_NOTFULL = 0xAAAAAAAA;

unsigned bounded(const dt::node& node, const char* property, unsigned maximum) {
  const unsigned n = node.u32(property).value_or(maximum);
  if (n == 0 || n > maximum) node.fail(property, fmt::format("must be 1 to {}", maximum));
  return n;
}

}  // namespace

ti_mailbox::ti_mailbox(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      fifos_(bounded(node, "ti,mbox-num-fifos", MAX_FIFOS)),
      users_(bounded(node, "ti,mbox-num-users", MAX_USERS)),
      bits_(fifos_ == MAX_FIFOS ? ~0U : newmsg(fifos_) - 1),
      clock_(context.params.frequency_hz({label() + ".clock", provenance::assumed, "assumed: MAIN_SYSCLK0 / 4",
                                          "functional clock of the mailbox cluster"},
                                         125e6)),
      depth_(static_cast<unsigned>(
          context.params
              .number({label() + ".fifo_depth", provenance::published, "reference/k3.md §1.1 (AM62x and AM64x TRM)",
                       "words that a queue holds; fixed when the platform is built", "", 1, MAX_DEPTH},
                      4)
              .count())),
      bank_(context, label(), WINDOW_BYTES),
      port_("target", *this),
      irq_("irq", users_) {
  bank_.add(REVISION, "REVISION", access::ro, REVISION_VALUE);
  bank_.add(SYSCONFIG, "SYSCONFIG", access::rw, SYSCONFIG_RESET).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(SYSCONFIG, (v & SIDLEMODE) | (bank_.get(SYSCONFIG) & SOFTRESET));
    if (v & SOFTRESET) soft_reset();
  });
  bank_.add(MESSAGE, "MESSAGE", access::rw)
      .count(fifos_)
      .on_read([this](unsigned m) { return read_message(m); })
      .on_write([this](unsigned m, std::uint32_t v) { write_message(m, v); });
  bank_.add(FIFOSTATUS, "FIFOSTATUS", access::ro).count(fifos_).on_read([this](unsigned m) { return full(m); });
  bank_.add(MSGSTATUS, "MSGSTATUS", access::ro).count(fifos_).on_read([this](unsigned m) { return queues_[m].level; });
  bank_.add(IRQSTATUS_RAW, "IRQSTATUS_RAW", access::rw)
      .count(users_, 0x10)
      .on_read([this](unsigned u) { return status_[u]; })
      .on_write([this](unsigned u, std::uint32_t v) { add_glitch(u, v & bits_ & ~status_[u], true); });
  bank_.add(IRQSTATUS_CLR, "IRQSTATUS_CLR", access::rw)
      .count(users_, 0x10)
      .on_read([this](unsigned u) { return status_[u] & enable_[u]; })
      .on_write([this](unsigned u, std::uint32_t v) {
        for (glitch& g : glitches_) {
          if (g.user == u && g.set) g.bits &= ~v;
        }
        add_glitch(u, v & condition_, false);
      });
  bank_.add(IRQENABLE_SET, "IRQENABLE_SET", access::rw)
      .count(users_, 0x10)
      .on_read([this](unsigned u) { return enable_[u]; })
      .on_write([this](unsigned u, std::uint32_t v) {
        enable_[u] |= v & bits_;
        status_changed();
      });
  bank_.add(IRQENABLE_CLR, "IRQENABLE_CLR", access::rw)
      .count(users_, 0x10)
      .on_read([this](unsigned u) { return enable_[u]; })
      .on_write([this](unsigned u, std::uint32_t v) {
        enable_[u] &= ~v;
        status_changed();
      });
  bank_.add(IRQ_EOI, "IRQ_EOI", access::wo);
  bank_.powered_by(&power_);
  reset();

  SC_HAS_PROCESS(ti_mailbox);
  SC_METHOD(power_changed);
  sensitive << power_;
  SC_METHOD(update_lines);
  sensitive << lines_change_;
  SC_METHOD(status_changed);
  sensitive << glitch_ends_;
  dont_initialize();
  SC_METHOD(deliver_late_words);
  sensitive << word_arrives_;
  dont_initialize();
  SC_METHOD(reset);
  sensitive << reset_ends_;
  dont_initialize();
}

line_out* ti_mailbox::output(std::string_view what, unsigned index) {
  return what == "irq" && index < users_ ? &irq_[index] : nullptr;
}

void ti_mailbox::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  by_ = initiator_name(payload);
  bank_.transport(payload, delay);
}

unsigned ti_mailbox::transport_debug(tlm::tlm_generic_payload& payload) {
  // What a read would give, without popping: the bank shows what is stored in it.
  for (unsigned m = 0; m < fifos_; ++m) {
    const queue& q = queues_[m];
    bank_.set(MESSAGE, q.level != 0 ? q.words[q.head] : 0, m);
    bank_.set(FIFOSTATUS, full(m), m);
    bank_.set(MSGSTATUS, q.level, m);
  }
  for (unsigned u = 0; u < users_; ++u) {
    bank_.set(IRQSTATUS_RAW, status_[u], u);
    bank_.set(IRQSTATUS_CLR, status_[u] & enable_[u], u);
    bank_.set(IRQENABLE_SET, enable_[u], u);
    bank_.set(IRQENABLE_CLR, enable_[u], u);
  }
  return bank_.transport_debug(payload);
}

void ti_mailbox::write_message(unsigned fifo, std::uint32_t word) {
  fault_action fault;
  if (context().faults->armed()) [[unlikely]] {
    fault = context().faults->decide("mailbox.word", label(),
                                     {{"fifo", fifo}, field::hex("word", word), {"msg", rp_mbox_name(word).text()}});
  }
  switch (fault.what) {
    case fault_action::kind::drop:
      return;
    case fault_action::kind::delay:
      late_words_.push_back({sc_core::sc_time_stamp() + fault.by, fifo, word, std::string(by_)});
      context().notifier.after(word_arrives_, fault.by);
      return;
    case fault_action::kind::duplicate:
      push(fifo, word, by_);
      break;
    case fault_action::kind::corrupt:
      word ^= fault.xor_mask;
      break;
    default:
      break;
  }
  push(fifo, word, by_);
}

void ti_mailbox::push(unsigned fifo, std::uint32_t word, std::string_view by) {
  queue& q = queues_[fifo];
  const rp_mbox_name msg(word);
  if (full(fifo)) {
    emit("mailbox.dropped", {{"fifo", fifo}, field::hex("word", word), {"msg", msg.text()}, {"by", by}});
    return;
  }
  q.words[(q.head + q.level) % MAX_DEPTH] = word;
  ++q.level;
  emit("mailbox.sent", {{"fifo", fifo}, field::hex("word", word), {"msg", msg.text()}, {"level", q.level}, {"by", by}});
  queue_changed(fifo);
}

std::uint32_t ti_mailbox::read_message(unsigned fifo) {
  queue& q = queues_[fifo];
  if (q.level == 0) return 0;
  const std::uint32_t word = q.words[q.head];
  q.head = (q.head + 1) % MAX_DEPTH;
  --q.level;
  emit("mailbox.received",
       {{"fifo", fifo}, field::hex("word", word), {"msg", rp_mbox_name(word).text()}, {"level", q.level}, {"by", by_}});
  queue_changed(fifo);
  return word;
}

void ti_mailbox::deliver_late_words() {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  for (std::size_t i = 0; i < late_words_.size();) {
    if (late_words_[i].arrival > now) {
      ++i;
      continue;
    }
    const late_word w = std::move(late_words_[i]);
    late_words_.erase(late_words_.begin() + static_cast<std::ptrdiff_t>(i));
    push(w.fifo, w.word, w.by);
  }
  for (const late_word& w : late_words_) context().notifier.after(word_arrives_, w.arrival - now);
}

void ti_mailbox::queue_changed(unsigned fifo) {
  const std::uint32_t now = (queues_[fifo].level != 0 ? newmsg(fifo) : 0) | (full(fifo) ? 0 : notfull(fifo));
  condition_ = (condition_ & ~(newmsg(fifo) | notfull(fifo))) | now;
  status_changed();
}

void ti_mailbox::add_glitch(unsigned user, std::uint32_t bits, bool set) {
  if (bits != 0) glitches_.push_back({sc_core::sc_time_stamp() + two_clocks(), user, bits, set});
  status_changed();
}

void ti_mailbox::status_changed() {
  status_.fill(condition_);
  if (!glitches_.empty()) {
    const sc_core::sc_time now = sc_core::sc_time_stamp();
    std::erase_if(glitches_, [&](const glitch& g) { return g.end <= now; });
    for (const glitch& g : glitches_) {
      context().notifier.after(glitch_ends_, g.end - now);
      status_[g.user] = g.set ? status_[g.user] | g.bits : status_[g.user] & ~g.bits;
    }
  }
  context().notifier.next_delta(lines_change_);
}

void ti_mailbox::update_lines() {
  for (unsigned u = 0; u < users_; ++u) {
    const bool level = (status_[u] & enable_[u]) != 0;
    if (irq_[u].read() == level) continue;
    irq_[u].write(level);
    events().emit(trace_level::detail, label(), level ? "irq.raised" : "irq.lowered", {{"line", u}});
  }
}

void ti_mailbox::soft_reset() {
  bank_.set(SYSCONFIG, bank_.get(SYSCONFIG) | SOFTRESET);
  context().notifier.after(reset_ends_, two_clocks());
}

void ti_mailbox::reset() {
  queues_.fill({});
  enable_.fill(0);
  glitches_.clear();
  late_words_.clear();
  condition_ = bits_ & ALL_NOTFULL;
  bank_.reset();
  status_changed();
}

void ti_mailbox::power_changed() {
  if (in_module_reset(power_.read())) reset();
}

}  // namespace rpsim
