#include "host_sw/drivers/stm32_rproc_common.h"

#include <fmt/format.h>

namespace rpsim::drivers {

using os::log_level;
using remoteproc::rproc_state;

namespace {
constexpr int VIRTQUEUES = 2;
}

param& stm32_parse_time_param(os::machine& machine) {
  return machine.os().context().params.time(
      {machine.os().name() + ".stm32_rproc_parse", provenance::assumed, "assumed: property look-ups and a log line",
       "what probing the STM32MP1's M4 takes after its watchdog interrupt is requested"},
      {20, sc_core::SC_US});
}

// ---------------------------------------------------------------------------------------------------------- mailboxes

int stm32_mailboxes::request(remoteproc::rproc& r, unsigned count, const missing& tell) {
  rproc_ = &r;
  workqueue_ = std::make_unique<workqueue>(machine_.os(), dev_.name);
  for (mailbox& m : std::span(mailboxes_).first(count)) {
    m.client.device = dev_.name;
    m.client.tx_block = m.vq < 0;
    m.client.tx_tout_ms = m.timeout_ms;
    if (m.vq >= 0) m.client.rx_callback = [this, &m](const mbox_message&) { workqueue_->queue(m.vq_work); };
    int error = 0;
    m.chan = mbox_request_channel(machine_, dev_.node, m.client, m.name, error);
    if (m.chan != nullptr) continue;
    if (error == -os::EPROBE_DEFER) {
      machine_.os().printk(log_level::debug, dev_.name,
                           fmt::format("error -{}: failed to request mailbox {}", os::errno_name(error), m.name));
      free();
      return error;
    }
    tell(m.name);
  }
  return 0;
}

void stm32_mailboxes::free() {
  for (mailbox& m : mailboxes_) {
    if (m.chan != nullptr) mbox_free_channel(*std::exchange(m.chan, nullptr));
  }
  if (workqueue_ != nullptr) workqueue_->destroy();
  workqueue_.reset();
}

void stm32_mailboxes::log(log_level level, std::string text) {
  machine_.os().printk(level, fmt::format("remoteproc remoteproc{}", rproc_->index()), std::move(text));
}

void stm32_mailboxes::kick(int vqid) {
  if (vqid >= VIRTQUEUES) {
    machine_.os().printk(log_level::warning, dev_.name, fmt::format("WARNING: kick of virtqueue {}", vqid));
    return;
  }
  for (const mailbox& m : mailboxes_) {
    if (m.vq != vqid) continue;
    if (m.chan == nullptr) return;
    const int error = m.chan->send_message({});
    if (error < 0) log(log_level::err, fmt::format("{}: failed ({}, err:{})", kick_function_, m.name, error));
    return;
  }
}

void stm32_mailboxes::receive(const mailbox& m) {
  const os::mutex_guard guard(rproc_->lock());
  if (rproc_->state() != rproc_state::running && rproc_->state() != rproc_state::attached) return;
  if (rproc_->vq_interrupt(m.vq) == os::irqreturn::none) {
    log(log_level::debug, fmt::format("no message found in vq{}", m.vq));
  }
}

int stm32_mailboxes::ask(id what) {
  const mailbox& m = mailboxes_[what];
  if (m.chan == nullptr) return 0;
  machine_.os().events().emit(fmt::format("remoteproc{}", rproc_->index()), "host.waits",
                              {{"what", m.name}, {"limit", sc_core::sc_time(m.timeout_ms, sc_core::SC_MS)}});
  return m.chan->send_message({});
}

void stm32_mailboxes::ask_for_shutdown() {
  if (rproc_ == nullptr || rproc_->state() == rproc_state::offline || rproc_->state() == rproc_state::crashed) return;
  if (ask(SHUTDOWN) < 0) log(log_level::warning, "warning: remote FW shutdown without ack");
}

// ------------------------------------------------------------------------------------------------ watchdog, memories

int stm32_watchdog::request(os::machine& machine, os::device& dev, std::function<remoteproc::rproc*()> processor) {
  int error = 0;
  irq_ = device_irq::get(machine, dev.node, 0U, error);
  if (error == -os::EPROBE_DEFER) return error;
  if (!irq_) return 0;
  os::kernel& kernel = machine.os();
  name_ = dev.name;
  error = irq_->request(
      [&kernel, processor = std::move(processor)] {
        if (remoteproc::rproc* r = processor(); r != nullptr) {
          r->report_crash(remoteproc::crash_type::watchdog);
        } else {
          kernel.printk(log_level::err, "", "NULL rproc pointer");
        }
        return os::irqreturn::handled;
      },
      os::IRQF_NONE, dev.name);
  if (error != 0) {
    irq_.reset();
    kernel.printk(log_level::err, dev.name, fmt::format("error -{}: failed to request wdg irq", os::errno_name(error)));
    return error;
  }
  kernel.printk(log_level::info, dev.name, "wdg irq registered");
  kernel.busy(stm32_parse_time_param(machine).time());
  return 0;
}

void stm32_watchdog::free() {
  if (irq_) irq_->free(name_);
  irq_.reset();
}

int register_stm32_memory_regions(remoteproc::rproc& r,
                                  const std::function<std::optional<std::uint32_t>(dt::region)>& address_of) {
  const auto fail = [&r](std::string text) {
    r.machine().os().printk(log_level::err, r.parent().name, std::move(text));
    return -EINVAL;
  };
  const auto regions = r.parent().node.phandles("memory-region");
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const auto windows = regions[i].reg();
    if (windows.empty() || !regions[i].enabled() || regions[i].parent().name() != "reserved-memory") {
      return fail("unable to acquire memory-region");
    }
    const dt::region region = windows[0];
    const auto da = address_of(region);
    if (!da) return fail(fmt::format("memory region not valid {:#010x}", region.base));
    const std::string name = regions[i].base_name();
    if (name == "vdev0buffer") {
      r.add_reserved_carveout(name, static_cast<unsigned>(i), static_cast<std::uint32_t>(region.base), region.size);
    } else {
      r.coredump_add_segment(*da, region.size);
      r.add_carveout(name, region.base, *da, region.size);
    }
  }
  return 0;
}

}  // namespace rpsim::drivers
