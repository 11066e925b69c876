#include "host_sw/drivers/mailbox.h"

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr unsigned LONGEST_TX_MS = 3600000;

}  // namespace

int mbox_chan::send_message(const mbox_message& message) {
  if (client_ == nullptr) return -EINVAL;
  int index = -ENOBUFS;
  {
    const os::spinlock_guard guard(lock_);
    if (count_ < TX_QUEUE_LEN) {
      index = static_cast<int>(free_);
      ring_[free_] = message;
      free_ = (free_ + 1) % TX_QUEUE_LEN;
      ++count_;
    }
  }
  if (index < 0) {
    controller_.os().printk(log_level::err, controller_.device(), "Try increasing MBOX_TX_QUEUE_LEN");
    return index;
  }
  submit();
  if (!client_->tx_block) return index;
  const unsigned limit_ms = client_->tx_tout_ms != 0 ? client_->tx_tout_ms : LONGEST_TX_MS;
  if (tx_complete_.wait_timeout(controller_.os().msecs_to_jiffies(limit_ms)) == 0) {
    tick(-ETIME);
    return -ETIME;
  }
  return tx_status_ < 0 ? tx_status_ : index;
}

void mbox_chan::submit() {
  const os::spinlock_guard guard(lock_);
  if (count_ == 0 || active_) return;
  const std::size_t oldest = (free_ + TX_QUEUE_LEN - count_) % TX_QUEUE_LEN;
  if (controller_.send_data(*this, ring_[oldest]) == 0) {
    active_ = true;
    --count_;
  }
}

void mbox_chan::tick(int result) {
  bool was_active = false;
  {
    const os::spinlock_guard guard(lock_);
    was_active = std::exchange(active_, false);
  }
  submit();
  if (!was_active || result == -ETIME || client_ == nullptr || !client_->tx_block) return;
  tx_status_ = result;
  tx_complete_.complete();
}

void mbox_chan::txdone(int result) {
  if (controller_.method() != mbox_controller::txdone::by_irq) {
    controller_.os().printk(log_level::err, controller_.device(), "Controller can't run the TX ticker");
    return;
  }
  tick(result);
}

void mbox_chan::client_txdone(int result) {
  if (controller_.method() != mbox_controller::txdone::by_ack) {
    controller_.os().printk(log_level::err, controller_.device(), "Client can't run the TX ticker");
    return;
  }
  tick(result);
}

void mbox_chan::received_data(const mbox_message& message) {
  if (client_ != nullptr && client_->rx_callback) client_->rx_callback(message);
}

int mbox_chan::bind(mbox_client& client) {
  if (client_ != nullptr) {
    controller_.os().printk(log_level::err, client.device, "mailbox not free");
    return -EBUSY;
  }
  free_ = count_ = 0;
  active_ = false;
  tx_complete_.reinit();
  client_ = &client;
  const int error = controller_.startup(*this);
  if (error != 0) {
    controller_.os().printk(log_level::err, client.device,
                            "Unable to startup the chan (" + std::to_string(error) + ")");
    mbox_free_channel(*this);
  }
  return error;
}

mbox_chan* mbox_request_channel(os::machine& machine, const dt::node& consumer, mbox_client& client, unsigned index,
                                int& error) {
  const auto specifiers = consumer.references("mboxes", "#mbox-cells");
  if (index >= specifiers.size()) {
    machine.os().printk(log_level::err, client.device, "mbox_request_channel: can't parse \"mboxes\" property");
    error = -ENOENT;
    return nullptr;
  }
  auto* controller = machine.provider_of<mbox_controller>(specifiers[index].target);
  if (controller == nullptr) {
    error = -os::EPROBE_DEFER;
    return nullptr;
  }
  mbox_chan* chan = controller->xlate(specifiers[index], error);
  if (chan == nullptr) return nullptr;
  error = chan->bind(client);
  return error == 0 ? chan : nullptr;
}

mbox_chan* mbox_request_channel(os::machine& machine, const dt::node& consumer, mbox_client& client,
                                std::string_view name, int& error) {
  const auto index = consumer.index_of("mbox-names", name);
  if (index) return mbox_request_channel(machine, consumer, client, *index, error);
  machine.os().printk(log_level::err, client.device,
                      "mbox_request_channel_byname() could not locate channel named \"" + std::string(name) + "\"");
  error = -EINVAL;
  return nullptr;
}

void mbox_free_channel(mbox_chan& chan) {
  if (chan.client_ == nullptr) return;
  chan.controller_.shutdown(chan);
  const os::spinlock_guard guard(chan.lock_);
  chan.client_ = nullptr;
  chan.active_ = false;
}

}  // namespace rpsim::drivers
