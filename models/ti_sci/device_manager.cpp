#include "models/ti_sci/device_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "models/ti_sci/secure_proxy.h"

namespace rpsim {

using sc_core::sc_time;
using ti_sci::message;
using ti_sci::message_type;

namespace {

enum class request_group { other, device, clock, processor };

request_group group_of(message_type type) {
  using enum message_type;
  switch (type) {
    case SET_DEVICE:
    case GET_DEVICE:
    case SET_DEVICE_RESETS:
      return request_group::device;
    case SET_CLOCK:
    case GET_CLOCK:
    case SET_CLOCK_PARENT:
    case GET_CLOCK_PARENT:
    case GET_NUM_CLOCK_PARENTS:
    case SET_FREQ:
    case QUERY_FREQ:
    case GET_FREQ:
      return request_group::clock;
    case PROC_REQUEST:
    case PROC_RELEASE:
    case PROC_HANDOVER:
    case PROC_SET_CONFIG:
    case PROC_SET_CONTROL:
    case PROC_GET_STATUS:
    case PROC_WAIT_STATUS:
      return request_group::processor;
    default:
      return request_group::other;
  }
}

}  // namespace

/// A host: its threads' registers, and the request that a fault holds back.
struct device_manager::host {
  unsigned id;
  unsigned input;
  unsigned tx_thread;
  std::uint64_t rx_data, rx_status, tx_data, tx_status;  // addresses
  line_in irq;
  bool unreachable = false;   // the bus answered with an error
  bool is_host_core = false;  // Linux's, that a host reset takes away
  std::optional<message> held_back;
  sc_time due;

  host(unsigned host_id, const char* line) : id(host_id), irq(line) {}
};

device_manager::device_manager(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      bus_("bus"),
      interrupt_latency_(
          context.params.time({label() + ".interrupt_latency", provenance::measured,
                               "reference/k3.md §7: R5 with MCU+ dispatch, 160..200 ns, 1030 ns under load",
                               "from a thread's interrupt to the device manager looking at it", "160ns .. 1030ns"},
                              {200, sc_core::SC_NS})),
      pm_latency_(context.params.time(
          {label() + ".pm_latency", provenance::assumed,
           "reference/k3.md §7: 50..150 us round trip, no number published",
           "processing of a device, clock or version request, without LPSC transitions", "50us .. 150us"},
          {90, sc_core::SC_US})),
      rm_latency_(context.params.time({label() + ".rm_latency", provenance::assumed, "as pm_latency",
                                       "processing of a resource request", "50us .. 150us"},
                                      {90, sc_core::SC_US})),
      proc_latency_(context.params.time(
          {label() + ".proc_latency", provenance::assumed, "reference/k3.md §7: +50..100 us over a PM request",
           "processing of a request that is forwarded to TIFS: PROC_*, unknown ones", "100us .. 250us"},
          {165, sc_core::SC_US})),
      psc_poll_limit_(
          context.params.number({label() + ".psc_poll_limit", provenance::code, "reference/k3.md §3.5 (psc.c)",
                                 "register reads after which a transition is no longer waited for"},
                                10000)),
      psc_read_time_(context.params.time({label() + ".psc_read_time", provenance::assumed,
                                          "assumed: a peripheral register read from the R5F", "one of those reads"},
                                         {100, sc_core::SC_NS})),
      host_reset_releases_(
          context.params.flag({label() + ".host_reset_releases_processors", provenance::assumed,
                               "assumed: reference/k3.md says nothing of a reset of the A53s alone",
                               "a reset of the host gives back the processors that its software had requested"},
                              false)),
      devices_(context, label(), node),
      processors_(context, label(), node),
      resources_(node),
      clocks_(node) {
  auto* identity = new initiator_extension;  // the payload deletes it
  identity->name = label().c_str();
  payload_.set_extension(identity);
  payload_.set_data_length(4);
  payload_.set_streaming_width(4);

  const auto proxy = node.phandles("rpsim,secure-proxy");
  if (proxy.size() != 1) node.fail("rpsim,secure-proxy", "one phandle of a secure proxy is wanted");
  const dt::node section = node.child("hosts");
  if (!section) node.fail("no hosts");
  add_hosts(section, proxy.front());
  attach_cores();

  SC_THREAD(serve);
  sensitive << wake_;
  for (const auto& h : hosts_) sensitive << h->irq;
  SC_METHOD(boot);
  sensitive << boot_;
  dont_initialize();
}

device_manager::~device_manager() = default;

void device_manager::add_hosts(const dt::node& section, const dt::node& proxy) {
  const auto data = proxy.reg("target_data");
  const auto rt = proxy.reg("rt");
  if (!data || !rt) proxy.fail("reg-names", "target_data and rt are wanted");
  const auto threads = proxy.children();
  const auto thread_of = [&](const dt::node& n, const char* property, const char* direction) {
    const unsigned number = n.required_u32(property);
    const bool there = std::any_of(threads.begin(), threads.end(), [&](const dt::node& t) {
      return t.u32("rpsim,thread") == number && t.string("rpsim,direction") == direction;
    });
    if (!there) n.fail(property, fmt::format("{} has no {} thread {}", proxy.label(), direction, number));
    return number;
  };
  for (const dt::node& n : section.children()) {
    const unsigned id = n.required_u32("rpsim,host-id");
    if (id >= POWER_UP_HOST) n.fail("rpsim,host-id", fmt::format("host ids below {} are modelled", POWER_UP_HOST));
    const unsigned rx = thread_of(n, "rpsim,rx-thread", "inbound");
    const unsigned tx = thread_of(n, "rpsim,tx-thread", "outbound");
    auto h = std::make_unique<host>(id, fmt::format("{}_irq", n.base_name()).c_str());
    h->input = n.required_u32("rpsim,input");
    h->tx_thread = tx;
    h->rx_data = data->base + std::uint64_t{rx} * secure_proxy::THREAD_STRIDE + secure_proxy::DATA;
    h->tx_data = data->base + std::uint64_t{tx} * secure_proxy::THREAD_STRIDE + secure_proxy::DATA;
    h->rx_status = rt->base + std::uint64_t{rx} * secure_proxy::THREAD_STRIDE + secure_proxy::STATUS;
    h->tx_status = rt->base + std::uint64_t{tx} * secure_proxy::THREAD_STRIDE + secure_proxy::STATUS;
    for (const auto& other : hosts_) {
      if (other->id == id) n.fail("rpsim,host-id", fmt::format("host {} is there twice", id));
      if (other->input == h->input) n.fail("rpsim,input", fmt::format("input {} is there twice", h->input));
    }
    const auto core = n.has("rpsim,core") ? n.phandles("rpsim,core") : std::vector<dt::node>{};
    h->is_host_core = std::ranges::any_of(core, [](const dt::node& c) { return c.is_compatible("rpsim,host-core"); });
    hosts_.push_back(std::move(h));
  }
}

void device_manager::attach_cores() {
  for (const auto& [id, p] : processors_.all()) {
    for (const dt::phandle_args& feed : p->core().references("power-domains", "#power-domain-cells")) {
      managed_device* d = feed.args.empty() ? nullptr : devices_.find(feed.args[0]);
      if (d == nullptr) p->core().fail("power-domains", "no such device");
      d->module().add_core(p->core().label(), p->wfi());
    }
  }
}

line_in* device_manager::input(std::string_view what, unsigned index) {
  const auto it = std::find_if(hosts_.begin(), hosts_.end(), [&](const auto& h) { return h->input == index; });
  return what == "irq" && it != hosts_.end() ? &(*it)->irq : nullptr;
}

sc_core::sc_signal<module_state>& device_manager::module_line(unsigned device_id) {
  managed_device* d = devices_.find(device_id);
  if (d == nullptr) node().fail(fmt::format("no device {}", device_id));
  return d->module().state_line();
}

sc_core::sc_signal<bool>& device_manager::local_reset_line(unsigned device_id) {
  managed_device* d = devices_.find(device_id);
  if (d == nullptr) node().fail(fmt::format("no device {}", device_id));
  if (!d->module().has_local_reset())
    node().fail(fmt::format("device {} ({}) has no local reset", device_id, d->name()));
  return d->module().local_reset_line();
}

sc_core::sc_in<bool>& device_manager::wfi_input(unsigned processor_id) {
  processor* p = processors_.find(processor_id);
  if (p == nullptr) node().fail(fmt::format("no processor {:#x}", processor_id));
  return p->wfi();
}

void device_manager::boot_device(unsigned device_id, std::uint64_t hosts) {
  managed_device* d = devices_.find(device_id);
  if (d == nullptr) throw std::invalid_argument(fmt::format("{} has no device {}", label(), device_id));
  booted_.push_back({d, hosts});
  context().notifier.next_delta(boot_);
}

void device_manager::boot() {
  for (const booted& b : booted_) {
    b.device->boot(b.hosts);
    b.device->module().settle();
    b.device->module().set_local_reset(false);
  }
  booted_.clear();
}

void device_manager::host_reset(host_reset_kind) {
  if (!host_reset_releases_.flag()) return;
  for (const auto& h : hosts_) {
    if (!h->is_host_core) continue;
    for (const auto& [id, p] : processors_.all()) p->forget(h->id);
  }
}

// ---- the service loop

void device_manager::serve() {
  for (;;) {
    while (host* h = next_ready()) attend(*h);
    wait();
    pause(interrupt_latency_.time());
  }
}

device_manager::host* device_manager::next_ready() {
  const sc_time now = sc_core::sc_time_stamp();
  for (std::size_t i = 1; i <= hosts_.size(); ++i) {
    const std::size_t n = (last_served_ + i) % hosts_.size();
    host& h = *hosts_[n];
    if (h.unreachable) continue;
    if (h.held_back ? h.due <= now : h.irq.read()) {
      last_served_ = n;
      return &h;
    }
    if (h.held_back) context().notifier.after(wake_, h.due - now);
  }
  return nullptr;
}

void device_manager::attend(host& h) {
  try {
    if (h.held_back) {
      const message request = *h.held_back;
      h.held_back.reset();
      handle(h, request, {});
      return;
    }
    sc_time delay;
    if ((read_word(h.rx_status, delay) & secure_proxy::STATUS_CUR_CNT) == 0) {
      // The line has yet to fall.
      pause(delay + interrupt_latency_.time());
      return;
    }
    message request;
    for (unsigned i = 0; i < ti_sci::MESSAGE_WORDS; ++i) request.words[i] = read_word(h.rx_data + 4 * i, delay);
    pause(delay);
    if (request.host() != h.id) {
      // sciserver.c drops what may be spoofed: no response, the host's request times out.
      discard(request, fmt::format("thread of host {}", h.id));
      return;
    }
    const fault_action fault = ask_for_fault(request);
    if (fault.what == fault_action::kind::delay) {
      h.held_back = request;
      h.due = sc_core::sc_time_stamp() + fault.by;
      return;
    }
    handle(h, request, fault);
  } catch (const bus_failed&) {
    h.unreachable = true;
  }
}

fault_action device_manager::ask_for_fault(const message& m) {
  fault_hook& faults = *context().faults;
  if (!faults.armed()) return {};
  const field host{"host", unsigned{m.host()}};
  const field type = field::hex("type", static_cast<std::uint16_t>(m.type()));
  const field msg{"msg", ti_sci::name(m.type())};
  const subject about = subject_of(m);
  if (about.kind.empty()) return faults.decide("tisci.request", label(), {host, type, msg});
  return faults.decide("tisci.request", label(), {host, type, msg, {about.kind, about.id}});
}

void device_manager::handle(host& h, message request, const fault_action& fault) {
  using enum fault_action::kind;
  if (fault.what == drop) return;
  if (fault.what == corrupt) request.words[2] ^= fault.xor_mask;
  for (unsigned copies = fault.what == duplicate ? 2 : 1; copies > 0; --copies) {
    const subject about = subject_of(request);
    const field fields[] = {{"host", unsigned{request.host()}},
                            {"seq", unsigned{request.seq()}},
                            field::hex("type", static_cast<std::uint16_t>(request.type())),
                            {"msg", ti_sci::name(request.type())},
                            {about.kind, about.id},
                            {"name", about.name}};
    events().emit(trace_level::protocol, label(), "tisci.request", {fields, about.kind.empty() ? 4u : 6u});
    pause(latency(request.type()));
    message response;
    const verdict result = fault.what == nack ? verdict(rpsim::nack("fault")) : execute(h.id, request, response);
    if (fault.what != silence) respond(h, request, result, response);
  }
}

void device_manager::respond(host& h, const message& request, const verdict& result, message response) {
  if ((request.flags() & ti_sci::FLAG_REQUEST_AOP) == 0) return;  // nobody asked for one
  const message header =
      message::make(request.type(), request.host(), request.seq(), result ? ti_sci::FLAG_RESPONSE_ACK : 0);
  if (!result) response = {};
  response.words[0] = header.words[0];
  response.words[1] = header.words[1];

  sc_time delay;
  if ((read_word(h.tx_status, delay) & secure_proxy::STATUS_CUR_CNT) == 0) {
    discard(response, fmt::format("no credit on thread {}", h.tx_thread));
    pause(delay);
    return;
  }
  for (unsigned i = 0; i < ti_sci::MESSAGE_WORDS; ++i) write_word(h.tx_data + 4 * i, response.words[i], delay);
  const field fields[] = {{"host", unsigned{request.host()}},
                          {"seq", unsigned{request.seq()}},
                          field::hex("type", static_cast<std::uint16_t>(request.type())),
                          {"msg", ti_sci::name(request.type())},
                          {"result", result ? "ACK" : "NACK"},
                          {"reason", result ? std::string_view{} : std::string_view{result.error()}}};
  events().emit(trace_level::protocol, label(), "tisci.response", {fields, result ? 5u : 6u});
  pause(delay);
}

void device_manager::discard(const message& m, std::string_view reason) {
  emit("tisci.discarded", {{"host", unsigned{m.host()}},
                           {"seq", unsigned{m.seq()}},
                           field::hex("type", static_cast<std::uint16_t>(m.type())),
                           {"msg", ti_sci::name(m.type())},
                           {"reason", reason}});
}

sc_time device_manager::latency(message_type type) {
  using enum message_type;
  switch (group_of(type)) {
    case request_group::device:
    case request_group::clock:
      return pm_latency_.time();
    case request_group::processor:
      return proc_latency_.time();
    case request_group::other:
      break;
  }
  switch (type) {
    case VERSION:
    case SYS_RESET:
    case DROP_POWERUP_REF:
      return pm_latency_.time();
    case RM_IRQ_SET:
    case RM_IRQ_RELEASE:
    case RM_GET_RESOURCE_RANGE:
      return rm_latency_.time();
    default:
      return proc_latency_.time();  // forwarded to TIFS
  }
}

// ---- requests

device_manager::subject device_manager::subject_of(const message& m) {
  switch (group_of(m.type())) {
    case request_group::device:
    case request_group::clock: {
      const auto id = m.get<std::uint32_t>(8);
      const managed_device* d = devices_.find(id);
      return {"device", id, d != nullptr ? std::string_view{d->name()} : "?"};
    }
    case request_group::processor: {
      const auto id = m.get<std::uint8_t>(8);
      const processor* p = processors_.find(id);
      return {"processor", id, p != nullptr ? std::string_view{p->name()} : "?"};
    }
    case request_group::other:
      break;
  }
  return {};
}

verdict device_manager::execute(unsigned from, const message& request, message& response) {
  using enum message_type;
  switch (group_of(request.type())) {
    case request_group::device:
    case request_group::clock: {
      managed_device* d = devices_.find(request.get<std::uint32_t>(8));
      if (d == nullptr) return nack("unknown device");
      return group_of(request.type()) == request_group::device ? device_request_of(from, *d, request, response)
                                                               : clock_request(from, *d, request, response);
    }
    case request_group::processor: {
      processor* p = processors_.find(request.get<std::uint8_t>(8));
      if (p == nullptr) return nack("unknown processor");
      return processor_request(from, *p, request, response);
    }
    case request_group::other:
      break;
  }
  switch (request.type()) {
    case VERSION:
      version(response);
      return {};
    case SYS_RESET:
      emit("soc.reset_request", {{"host", from}});
      return {};
    case DROP_POWERUP_REF:
      devices_.drop_power_up_references();
      return {};
    case PROC_AUTH_BOOT:
      return nack("no certificate is checked here");
    case RM_GET_RESOURCE_RANGE:
      return resource_range(from, request, response);
    case RM_IRQ_SET:
    case RM_IRQ_RELEASE:
      return irq_request(from, request);
    default:
      return nack("unknown message");
  }
}

void device_manager::version(message& response) {
  constexpr char DESCRIPTION[32] = "rpsim device manager";
  for (unsigned i = 0; i < sizeof DESCRIPTION; ++i) response.put(8 + i, static_cast<std::uint8_t>(DESCRIPTION[i]));
  response.put(40, std::uint16_t{1});  // firmware revision
  response.put(42, std::uint8_t{4});   // ABI 4.0, AM62x's
  response.put(43, std::uint8_t{0});
}

verdict device_manager::device_request_of(unsigned from, managed_device& d, const message& request, message& response) {
  switch (request.type()) {
    case message_type::SET_DEVICE:
      return set_device(from, d, request);
    case message_type::SET_DEVICE_RESETS:
      return set_device_resets(from, d, request);
    default:
      get_device(from, d, response);
      return {};
  }
}

verdict device_manager::set_device(unsigned from, managed_device& d, const message& request) {
  const auto state = request.get<std::uint8_t>(16);
  if (state > ti_sci::DEVICE_SW_ON) return nack(fmt::format("no device state {}", state));
  const bool exclusive = (request.flags() & ti_sci::FLAG_DEVICE_EXCLUSIVE) != 0;
  if (verdict v = d.set(from, static_cast<device_request>(state), exclusive); !v) return v;
  await(d.module());
  // The reference stays as it was changed: only the answer tells that the hardware did not follow.
  const module_state now = d.module().state();
  if (now == module_state::trans) return nack("the LPSC is still in TRANS");
  if (state == ti_sci::DEVICE_SW_ON && is_off(now)) return nack("the LPSC is not on");
  return {};
}

void device_manager::get_device(unsigned from, managed_device& d, message& response) {
  const lpsc& module = d.module();
  const bool holds = (d.holders() & host_bit(from)) != 0;
  response.put(8, std::uint32_t{module.context_losses()});
  response.put(12,
               (module.local_reset() ? ti_sci::RESET_LOCAL : 0) | (module.module_reset() ? ti_sci::RESET_MODULE : 0));
  response.put(16, holds           ? ti_sci::DEVICE_SW_ON
                   : d.retention() ? ti_sci::DEVICE_SW_RETENTION
                                   : ti_sci::DEVICE_SW_AUTO_OFF);
  response.put(17, module.busy()            ? ti_sci::DEVICE_HW_TRANS
                   : is_off(module.state()) ? ti_sci::DEVICE_HW_OFF
                                            : ti_sci::DEVICE_HW_ON);
}

verdict device_manager::set_device_resets(unsigned from, managed_device& d, const message& request) {
  const auto resets = request.get<std::uint32_t>(12);
  if (verdict v = d.modifiable_by(from); !v) return v;
  if ((resets & ~(ti_sci::RESET_LOCAL | ti_sci::RESET_MODULE)) != 0)
    return nack(fmt::format("no resets {:#x}", resets));
  d.module().set_local_reset((resets & ti_sci::RESET_LOCAL) != 0);
  d.module().set_module_reset((resets & ti_sci::RESET_MODULE) != 0);
  await(d.module());
  return {};
}

verdict device_manager::clock_request(unsigned from, managed_device& d, const message& request, message& response) {
  using enum message_type;
  const message_type type = request.type();
  const bool frequency = type == SET_FREQ || type == QUERY_FREQ;
  // The id's byte, and where the 32-bit id for which 255 stands is.
  const unsigned at = frequency ? 36 : 12;
  const unsigned wide_at = type == SET_CLOCK || type == SET_CLOCK_PARENT ? at + 2 : at + 1;
  const auto narrow = request.get<std::uint8_t>(at);
  device_clock* clock = clocks_.find(d.id(), narrow == 0xFF ? request.get<std::uint32_t>(wide_at) : narrow);
  if (type == SET_CLOCK || type == SET_CLOCK_PARENT || frequency) {
    if (verdict v = d.modifiable_by(from); !v) return v;
  }
  if (clock == nullptr) return nack("unknown clock");

  switch (type) {
    case SET_CLOCK: {
      const auto state = request.get<std::uint8_t>(13);
      if (state > ti_sci::CLOCK_SW_REQ) return nack(fmt::format("no clock state {}", state));
      clock->gated = state == ti_sci::CLOCK_SW_UNREQ;
      return {};
    }
    case GET_CLOCK:
      // clock.c reports AUTO for REQ, too.
      response.put(8, clock->gated ? ti_sci::CLOCK_SW_UNREQ : ti_sci::CLOCK_SW_AUTO);
      response.put(9, clock->gated ? ti_sci::CLOCK_HW_NOT_READY : ti_sci::CLOCK_HW_READY);
      return {};
    case GET_NUM_CLOCK_PARENTS:
      response.put(8, std::uint8_t{1});
      response.put(9, std::uint32_t{0xFFFFFFFF});
      return {};
    case SET_FREQ:
    case QUERY_FREQ: {
      const auto min_hz = request.get<std::uint64_t>(12);
      const auto target_hz = request.get<std::uint64_t>(20);
      const auto max_hz = request.get<std::uint64_t>(28);
      if (min_hz > target_hz || target_hz > max_hz) return nack("min, target and max are not in order");
      const bool reached = clock->reaches(min_hz, max_hz);
      if (type == SET_FREQ) return reached ? verdict{} : nack("no such frequency: the clock is fixed");
      response.put(8, reached ? clock->frequency_hz : std::uint64_t{0});
      return {};
    }
    case GET_FREQ:
      response.put(8, clock->frequency_hz);
      return {};
    default:
      return nack("the clock has no choice of parents");  // SET_CLOCK_PARENT, GET_CLOCK_PARENT
  }
}

verdict device_manager::processor_request(unsigned from, processor& p, const message& request, message& response) {
  using enum message_type;
  switch (request.type()) {
    case PROC_REQUEST:
      return p.request(from);
    case PROC_RELEASE:
      return p.release(from);
    case PROC_HANDOVER:
      return p.hand_over(from, request.get<std::uint8_t>(9));
    case PROC_SET_CONFIG:
      return p.set_config(from, request.get<std::uint64_t>(9), request.get<std::uint32_t>(17),
                          request.get<std::uint32_t>(21));
    case PROC_SET_CONTROL:
      return p.set_control(from, request.get<std::uint32_t>(9), request.get<std::uint32_t>(13));
    default:
      break;
  }
  if (verdict v = p.readable_by(from); !v) return v;
  if (request.type() == PROC_WAIT_STATUS) return wait_status(p, request);
  response.put(8, static_cast<std::uint8_t>(p.id()));
  response.put(9, p.boot_vector());
  response.put(17, p.config());
  response.put(21, p.control());
  response.put(25, p.status());
  return {};
}

verdict device_manager::wait_status(const processor& p, const message& request) {
  const unsigned tries = request.get<std::uint8_t>(9);
  const unsigned wanted = request.get<std::uint8_t>(10);
  const sc_time between(request.get<std::uint8_t>(11), sc_core::SC_US);
  const auto set_all = request.get<std::uint32_t>(13), set_any = request.get<std::uint32_t>(17);
  const auto clear_all = request.get<std::uint32_t>(21), clear_any = request.get<std::uint32_t>(25);
  pause(sc_time(request.get<std::uint8_t>(12), sc_core::SC_US));
  unsigned matched = 0;  // in a row
  for (unsigned i = 0; i < tries; ++i) {
    const std::uint32_t s = p.status();
    const bool match = (s & set_all) == set_all && (set_any == 0 || (s & set_any) != 0) && (s & clear_all) == 0 &&
                       (clear_any == 0 || (~s & clear_any) != 0);
    matched = match ? matched + 1 : 0;
    if (matched >= wanted) return {};
    pause(between);
  }
  return nack(fmt::format("status {:#x} after {} tries", p.status(), tries));
}

verdict device_manager::resource_range(unsigned from, const message& request, message& response) {
  const auto secondary = request.get<std::uint8_t>(11);
  const unsigned of = secondary == ti_sci::HOST_NONE ? from : secondary;
  const bool host_known = resources_.knows_host(of) ||
                          std::any_of(hosts_.begin(), hosts_.end(), [&](const auto& h) { return h->id == of; });
  if (!host_known) return nack(fmt::format("unknown host {}", of));
  const auto [first, second] = resources_.ranges(request.get<std::uint16_t>(8), request.get<std::uint8_t>(10), of);
  response.put(8, first.start);
  response.put(10, first.count);
  response.put(12, second.start);
  response.put(14, second.count);
  return {};
}

verdict device_manager::irq_request(unsigned from, const message& request) {
  const auto valid = request.get<std::uint32_t>(8);
  if ((valid & ~ti_sci::IRQ_SECONDARY_HOST) != (ti_sci::IRQ_DST_ID | ti_sci::IRQ_DST_HOST_IRQ)) {
    return nack("only interrupt routers are modelled: dst_id and dst_host_irq");
  }
  const unsigned of = (valid & ti_sci::IRQ_SECONDARY_HOST) != 0 ? request.get<std::uint8_t>(27) : from;
  const irq_route route{request.get<std::uint16_t>(12), request.get<std::uint16_t>(14), request.get<std::uint16_t>(16),
                        request.get<std::uint16_t>(18)};
  return request.type() == message_type::RM_IRQ_SET ? resources_.set(of, route) : resources_.release(of, route);
}

// ---- time and bus

void device_manager::pause(const sc_time& time) {
  context().notifier.after(timer_, time);
  wait(timer_);
}

void device_manager::await(const lpsc& module) {
  const sc_time end = sc_core::sc_time_stamp() + psc_read_time_.time() * psc_poll_limit_.real();
  while (module.busy() && sc_core::sc_time_stamp() < end) {
    context().notifier.after(timer_, end - sc_core::sc_time_stamp());
    wait(timer_ | module.settled());
    timer_.cancel();
  }
}

std::uint32_t device_manager::read_word(std::uint64_t address, sc_time& delay) {
  return access(tlm::TLM_READ_COMMAND, address, 0, delay);
}

void device_manager::write_word(std::uint64_t address, std::uint32_t value, sc_time& delay) {
  access(tlm::TLM_WRITE_COMMAND, address, value, delay);
}

std::uint32_t device_manager::access(tlm::tlm_command command, std::uint64_t address, std::uint32_t value,
                                     sc_time& delay) {
  payload_.set_command(command);
  payload_.set_address(address);
  payload_.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
  payload_.set_dmi_allowed(false);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  bus_->b_transport(payload_, delay);
  if (!payload_.is_response_ok()) throw bus_failed{};
  return value;
}

}  // namespace rpsim
