#include "host_sw/drivers/ti_sci.h"

#include <fmt/format.h>

#include <algorithm>

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr std::uint16_t VERSION = 0x0002, SET_DEVICE = 0x0200, GET_DEVICE = 0x0201, SET_DEVICE_RESETS = 0x0202,
                        GET_RESOURCE_RANGE = 0x1500, PROC_REQUEST = 0xC000, PROC_RELEASE = 0xC001,
                        PROC_SET_CONFIG = 0xC100, PROC_SET_CONTROL = 0xC101, PROC_GET_STATUS = 0xC400;
constexpr std::uint32_t FLAG_ACK_ON_PROCESSED = 1u << 1;  // request
constexpr std::uint32_t FLAG_ACK = 1u << 1;               // response
constexpr std::size_t HEADER = 8;
constexpr std::uint8_t DEFAULT_HOST = 12;

/// The fields of a message are packed, little endian and unaligned (reference/k3.md §3.4).
template <typename T>
void put(mbox_message& m, std::size_t offset, T value) {
  std::memcpy(m.bytes.data() + offset, &value, sizeof value);
}
template <typename T>
T get(const mbox_message& m, std::size_t offset) {
  T value;
  std::memcpy(&value, m.bytes.data() + offset, sizeof value);
  return value;
}

/// As the device manager's events call it.
std::string_view name_of(std::uint16_t type) {
  switch (type) {
    case VERSION:
      return "VERSION";
    case SET_DEVICE:
      return "SET_DEVICE";
    case GET_DEVICE:
      return "GET_DEVICE";
    case SET_DEVICE_RESETS:
      return "SET_DEVICE_RESETS";
    case GET_RESOURCE_RANGE:
      return "RM_GET_RESOURCE_RANGE";
    case PROC_REQUEST:
      return "PROC_REQUEST";
    case PROC_RELEASE:
      return "PROC_RELEASE";
    case PROC_SET_CONFIG:
      return "PROC_SET_CONFIG";
    case PROC_SET_CONTROL:
      return "PROC_SET_CONTROL";
    case PROC_GET_STATUS:
      return "PROC_GET_STATUS";
    default:
      return "?";
  }
}

bool is_ack(const mbox_message& response) { return (get<std::uint32_t>(response, 4) & FLAG_ACK) != 0; }

/// Declared before time starts, so that a scenario can set it, and found again by the client.
param& timeout_param(os::machine& machine) {
  const bool am654 = !machine.tree().compatible("ti,am654-sci").empty();
  return machine.os().context().params.time(
      {machine.os().name() + ".ti_sci_timeout", provenance::code,
       "drivers/firmware/ti_sci.c, max_rx_timeout_ms: 1 s for \"ti,k2g-sci\" (what k3-am62-main.dtsi says), 10 s for "
       "\"ti,am654-sci\"",
       "how long the TI-SCI client waits for a response"},
      sc_core::sc_time(am654 ? 10 : 1, sc_core::SC_SEC));
}

}  // namespace

ti_sci::ti_sci(os::machine& machine, os::device& dev)
    : machine_(machine), dev_(dev), timeout_(timeout_param(machine)), slot_free_(machine.os()) {
  for (unsigned i = 0; i < MAX_MESSAGES; ++i) transfers_.push_back(std::make_unique<transfer>(machine.os()));
}

ti_sci::~ti_sci() = default;

int ti_sci::probe() {
  host_id_ = static_cast<std::uint8_t>(dev_.node.u32("ti,host-id").value_or(DEFAULT_HOST));
  client_ = {.device = dev_.name, .rx_callback = [this](const mbox_message& m) { receive(m); }, .knows_txdone = true};
  int error = 0;
  rx_ = mbox_request_channel(machine_, dev_.node, client_, "rx", error);
  if (rx_ == nullptr) return error;
  tx_ = mbox_request_channel(machine_, dev_.node, client_, "tx", error);
  if (tx_ != nullptr) {
    message response;
    error = exchange(request(VERSION, FLAG_ACK_ON_PROCESSED, HEADER), 44, response);
    if (error == 0) {
      const char* text = reinterpret_cast<const char*>(response.bytes.data()) + HEADER;
      version_ = {.description = std::string(text, std::find(text, text + 32, '\0')),
                  .firmware_revision = get<std::uint16_t>(response, 40),
                  .abi_major = get<std::uint8_t>(response, 42),
                  .abi_minor = get<std::uint8_t>(response, 43)};
      machine_.os().printk(log_level::info, dev_.name,
                           fmt::format("ABI: {}.{} (firmware rev 0x{:04x} '{}')", version_.abi_major,
                                       version_.abi_minor, version_.firmware_revision, version_.description));
      return 0;
    }
    machine_.os().printk(log_level::err, dev_.name, fmt::format("Unable to communicate with TISCI({})", error));
  }
  remove();
  return error;
}

void ti_sci::remove() {
  if (tx_ != nullptr) mbox_free_channel(*tx_);
  if (rx_ != nullptr) mbox_free_channel(*rx_);
}

ti_sci::message ti_sci::request(std::uint16_t type, std::uint32_t flags, std::size_t bytes) const {
  message m;
  m.size = bytes;
  put(m, 0, type);
  put(m, 2, host_id_);
  put(m, 4, flags);
  return m;
}

void ti_sci::receive(const mbox_message& m) {
  const auto seq = get<std::uint8_t>(m, 3);
  machine_.os().events().emit(
      trace_level::detail, machine_.os().name(), "tisci.received",
      {{"seq", seq}, {"msg", name_of(get<std::uint16_t>(m, 0))}, {"result", is_ack(m) ? "ACK" : "NACK"}});
  // Linux tests the bit of any sequence number in a table of 20 bits; those outside it count as not expected here.
  if (seq >= MAX_MESSAGES || !transfers_[seq]->allocated) {
    machine_.os().printk(log_level::err, dev_.name, fmt::format("Message for {} is not expected!", seq));
    return;
  }
  transfer& t = *transfers_[seq];
  if (m.size < t.rx_size) {
    machine_.os().printk(log_level::err, dev_.name,
                         fmt::format("Recv xfer {} < expected {} length", m.size, t.rx_size));
    return;
  }
  t.response = m;
  t.done.complete();
}

int ti_sci::exchange(message request, std::size_t rx_size, message& response) {
  os::kernel& k = machine_.os();
  const unsigned long timeout =
      k.msecs_to_jiffies(static_cast<unsigned>(timeout_.time() / sc_core::sc_time(1, sc_core::SC_MS)));
  const auto free_slot = [this] {
    return std::ranges::find_if(transfers_, [](const auto& t) { return !t->allocated; });
  };
  if (slot_free_.wait_event_timeout([&] { return free_slot() != transfers_.end(); }, timeout * 5) == 0) {
    k.printk(log_level::err, dev_.name, fmt::format("Message alloc failed({})", -ETIME));
    return -ETIME;
  }
  const auto slot = free_slot();
  transfer& t = **slot;
  t.allocated = true;
  t.rx_size = rx_size;
  t.done.reinit();
  put(request, 3, static_cast<std::uint8_t>(slot - transfers_.begin()));

  int error = tx_->send_message(request);
  if (error >= 0) {
    error = t.done.wait_timeout(timeout) != 0 ? 0 : -ETIMEDOUT;
    if (error != 0) {
      k.printk(log_level::err, dev_.name,
               fmt::format("Mbox timedout in resp(caller: {})", name_of(get<std::uint16_t>(request, 0))));
    }
    tx_->client_txdone(error);
  }
  if (error != 0) k.printk(log_level::err, dev_.name, fmt::format("Mbox send fail {}", error));
  response = t.response;
  t.allocated = false;
  slot_free_.wake_up_all();
  return error;
}

int ti_sci::command(message request, std::size_t rx_size, message* response) {
  message answer;
  if (const int error = exchange(request, rx_size, answer); error != 0) return error;
  if (!is_ack(answer)) return -ENODEV;
  if (response != nullptr) *response = answer;
  return 0;
}

int ti_sci::set_device_state(std::uint32_t id, std::uint32_t flags, std::uint8_t state) {
  message m = request(SET_DEVICE, flags | FLAG_ACK_ON_PROCESSED, 17);
  put(m, 8, id);
  put(m, 16, state);
  return command(m, HEADER);
}

int ti_sci::get_device_state(std::uint32_t id, device_state& state) {
  message m = request(GET_DEVICE, FLAG_ACK_ON_PROCESSED, 12);
  put(m, 8, id);
  message r;
  if (const int error = command(m, 18, &r); error != 0) return error;
  state = {.context_loss_count = get<std::uint32_t>(r, 8),
           .resets = get<std::uint32_t>(r, 12),
           .programmed = get<std::uint8_t>(r, 16),
           .current = get<std::uint8_t>(r, 17)};
  return 0;
}

int ti_sci::is_on(std::uint32_t id, bool& requested, bool& current) {
  device_state state;
  if (const int error = get_device_state(id, state); error != 0) return error;
  requested = state.programmed == SW_ON;
  current = state.current == HW_ON;
  return 0;
}

int ti_sci::set_device_resets(std::uint32_t id, std::uint32_t resets) {
  message m = request(SET_DEVICE_RESETS, FLAG_ACK_ON_PROCESSED, 16);
  put(m, 8, id);
  put(m, 12, resets);
  return command(m, HEADER);
}

int ti_sci::get_device_resets(std::uint32_t id, std::uint32_t& resets) {
  device_state state;
  const int error = get_device_state(id, state);
  if (error == 0) resets = state.resets;
  return error;
}

int ti_sci::processor_command(std::uint16_t type, std::uint8_t id) {
  message m = request(type, FLAG_ACK_ON_PROCESSED, 9);
  put(m, 8, id);
  return command(m, HEADER);
}
int ti_sci::proc_request(std::uint8_t id) { return processor_command(PROC_REQUEST, id); }
int ti_sci::proc_release(std::uint8_t id) { return processor_command(PROC_RELEASE, id); }

int ti_sci::proc_set_config(std::uint8_t id, std::uint64_t boot_vector, std::uint32_t set, std::uint32_t clear) {
  message m = request(PROC_SET_CONFIG, FLAG_ACK_ON_PROCESSED, 25);
  put(m, 8, id);
  put(m, 9, boot_vector);  // low word, high word
  put(m, 17, set);
  put(m, 21, clear);
  return command(m, HEADER);
}

int ti_sci::proc_set_control(std::uint8_t id, std::uint32_t set, std::uint32_t clear) {
  message m = request(PROC_SET_CONTROL, FLAG_ACK_ON_PROCESSED, 17);
  put(m, 8, id);
  put(m, 9, set);
  put(m, 13, clear);
  return command(m, HEADER);
}

int ti_sci::proc_get_status(std::uint8_t id, processor_status& status) {
  message m = request(PROC_GET_STATUS, FLAG_ACK_ON_PROCESSED, 9);
  put(m, 8, id);
  message r;
  if (const int error = command(m, 29, &r); error != 0) return error;
  status = {.boot_vector = get<std::uint64_t>(r, 9),
            .config = get<std::uint32_t>(r, 17),
            .control = get<std::uint32_t>(r, 21),
            .status = get<std::uint32_t>(r, 25)};
  return 0;
}

int ti_sci::get_resource_range(std::uint16_t type, std::uint8_t subtype, resource_range& range,
                               std::uint8_t secondary_host) {
  message m = request(GET_RESOURCE_RANGE, FLAG_ACK_ON_PROCESSED, 12);
  put(m, 8, type);
  put(m, 10, subtype);
  put(m, 11, secondary_host);
  message r;
  if (const int error = command(m, 16, &r); error != 0) return error;
  range = {.start = get<std::uint16_t>(r, 8),
           .count = get<std::uint16_t>(r, 10),
           .start_secondary = get<std::uint16_t>(r, 12),
           .count_secondary = get<std::uint16_t>(r, 14)};
  return range.count == 0 && range.count_secondary == 0 ? -ENODEV : 0;
}

os::platform_driver ti_sci_driver(os::machine& machine) {
  timeout_param(machine);
  return {
      .name = "ti-sci",
      .compatible = {"ti,k2g-sci", "ti,am654-sci"},
      .probe =
          [&machine](os::device& dev) {
            auto client = std::make_shared<ti_sci>(machine, dev);
            if (const int error = client->probe(); error != 0) return error;
            machine.provide<ti_sci>(dev.node, client.get());
            dev.driver_data = std::move(client);
            return 0;
          },
      .suppress_bind_attrs = true,  // so does Linux
  };
}

}  // namespace rpsim::drivers
