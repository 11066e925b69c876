#pragma once
// TI-SCI client (ti-sci; compatible "ti,k2g-sci"): requests to the device manager over two secure-proxy threads, up to
// 20 at once, each with its sequence number. Facts: drivers/firmware/ti_sci.c of linux-source-6.12, reference/k3.md
// §3.1–3.7.
//
// All calls sleep and return 0 or -errno: -ENODEV for a NACK (no reason is transported), -ETIMEDOUT without a response
// in time, -ETIME when no transfer slot came free in five times that. A response is matched by its sequence number
// alone.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host_sw/drivers/mailbox.h"
#include "host_sw/os/driver.h"

namespace rpsim::drivers {

class ti_sci {
 public:
  struct version_info {
    std::string description;
    std::uint16_t firmware_revision = 0;
    std::uint8_t abi_major = 0, abi_minor = 0;
  };
  struct device_state {
    std::uint32_t context_loss_count = 0, resets = 0;
    std::uint8_t programmed = 0, current = 0;
  };
  struct processor_status {
    std::uint64_t boot_vector = 0;
    std::uint32_t config = 0, control = 0, status = 0;
  };
  struct resource_range {
    std::uint16_t start = 0, count = 0, start_secondary = 0, count_secondary = 0;
  };
  static constexpr std::uint8_t SW_AUTO_OFF = 0, SW_ON = 2;
  static constexpr std::uint8_t HW_ON = 1;
  static constexpr std::uint32_t STATUS_WFI = 1u << 1;  // processor_status::status, every core that has it (§3.7)
  static constexpr std::uint8_t NO_HOST = 0xFF;

  /// Parameter: <host>.ti_sci_timeout; its default follows the compatible string, as in Linux.
  ti_sci(os::machine& machine, os::device& dev);
  ~ti_sci();
  ti_sci(const ti_sci&) = delete;
  ti_sci& operator=(const ti_sci&) = delete;

  /// Requests the channels and asks for the version.
  int probe();
  void remove();

  const version_info& version() const { return version_; }

  // ---- devices. get takes this host's reference, put drops it.
  int get_device(std::uint32_t id) { return set_device_state(id, 0, SW_ON); }
  int get_device_exclusive(std::uint32_t id) { return set_device_state(id, FLAG_EXCLUSIVE, SW_ON); }
  int put_device(std::uint32_t id) { return set_device_state(id, 0, SW_AUTO_OFF); }
  int get_device_state(std::uint32_t id, device_state& state);
  /// `requested`: this host holds a reference. `current`: the hardware is on.
  int is_on(std::uint32_t id, bool& requested, bool& current);
  int set_device_resets(std::uint32_t id, std::uint32_t resets);
  int get_device_resets(std::uint32_t id, std::uint32_t& resets);

  // ---- processors
  int proc_request(std::uint8_t id);
  int proc_release(std::uint8_t id);
  int proc_set_config(std::uint8_t id, std::uint64_t boot_vector, std::uint32_t set, std::uint32_t clear);
  int proc_set_control(std::uint8_t id, std::uint32_t set, std::uint32_t clear);
  int proc_get_status(std::uint8_t id, processor_status& status);

  // ---- resources. -ENODEV also for a range of none.
  int get_resource_range(std::uint16_t type, std::uint8_t subtype, resource_range& range,
                         std::uint8_t secondary_host = NO_HOST);

 private:
  static constexpr unsigned MAX_MESSAGES = 20;
  static constexpr std::uint32_t FLAG_EXCLUSIVE = 1u << 10;
  struct transfer {
    explicit transfer(os::kernel& k) : done(k) {}
    bool allocated = false;
    std::size_t rx_size = 0;
    mbox_message response;
    os::completion done;
  };
  using message = mbox_message;

  message request(std::uint16_t type, std::uint32_t flags, std::size_t bytes) const;
  /// Sends and waits; `response` has at least `rx_size` valid bytes afterwards.
  int exchange(message request, std::size_t rx_size, message& response);
  /// The same for a request whose response is a bare header or must be an ACK.
  int command(message request, std::size_t rx_size, message* response = nullptr);
  int set_device_state(std::uint32_t id, std::uint32_t flags, std::uint8_t state);
  int processor_command(std::uint16_t type, std::uint8_t id);
  void receive(const mbox_message& m);

  os::machine& machine_;
  os::device& dev_;
  param& timeout_;
  std::uint8_t host_id_ = 0;
  mbox_client client_;
  mbox_chan *tx_ = nullptr, *rx_ = nullptr;
  std::vector<std::unique_ptr<transfer>> transfers_;
  os::wait_queue slot_free_;
  version_info version_;
};

os::platform_driver ti_sci_driver(os::machine& machine);

}  // namespace rpsim::drivers
