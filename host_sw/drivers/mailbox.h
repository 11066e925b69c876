#pragma once
// The mailbox framework: channels of a controller, each with at most one client, a ring of messages that wait to be
// sent and one message that is being sent. Facts: drivers/mailbox/mailbox.c of linux-source-6.12, reference/k3.md §1.5.

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>

#include "host_sw/os/driver.h"

namespace rpsim::drivers {

/// One message, by value. The longest is a secure proxy's (60 bytes); a mailbox word is 4 bytes.
struct mbox_message {
  static constexpr std::size_t MAX_BYTES = 64;
  std::array<std::byte, MAX_BYTES> bytes{};
  std::size_t size = 0;

  static mbox_message word(std::uint32_t value) {
    mbox_message m;
    std::memcpy(m.bytes.data(), &value, m.size = sizeof value);
    return m;
  }
  std::uint32_t word_at(std::size_t index) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + 4 * index, sizeof value);
    return value;
  }
};

/// What a user of a channel gives. rx_callback runs where the controller receives: in an interrupt thread
/// (omap-mailbox) or in interrupt context (secure proxy).
struct mbox_client {
  std::string device;  // whose log lines these are
  std::function<void(const mbox_message&)> rx_callback;
  bool knows_txdone = false;  // the client calls client_txdone()
  /// send_message() sleeps until the controller says that the message is through, at most so long (0: an hour).
  bool tx_block = false;
  unsigned tx_tout_ms = 0;
};

class mbox_chan;

class mbox_controller {
 public:
  enum class txdone : std::uint8_t { by_irq, by_ack };

  mbox_controller(os::machine& machine, std::string device, txdone method)
      : machine_(machine), device_(std::move(device)), method_(method) {}
  virtual ~mbox_controller() = default;
  mbox_controller(const mbox_controller&) = delete;
  mbox_controller& operator=(const mbox_controller&) = delete;

  virtual int startup(mbox_chan& chan) = 0;
  virtual void shutdown(mbox_chan& chan) = 0;
  /// 0, or -EBUSY where the message must wait for txdone; under the channel's spinlock.
  virtual int send_data(mbox_chan& chan, const mbox_message& message) = 0;
  /// The channel that a specifier in `mboxes` names; nullptr with -errno.
  virtual mbox_chan* xlate(const dt::phandle_args& specifier, int& error) = 0;

  os::machine& machine() { return machine_; }
  os::kernel& os() { return machine_.os(); }
  const std::string& device() const { return device_; }
  txdone method() const { return method_; }

 private:
  os::machine& machine_;
  std::string device_;
  txdone method_;
};

class mbox_chan {
 public:
  static constexpr std::size_t TX_QUEUE_LEN = 20;  // MBOX_TX_QUEUE_LEN

  explicit mbox_chan(mbox_controller& controller)
      : controller_(controller), lock_(controller.os()), tx_complete_(controller.os()) {}

  /// Index >= 0 of the ring entry, though the message may wait there; -ENOBUFS when the ring is full, -EINVAL without a
  /// client. Sleeps only for a client with tx_block: then also the error of the transfer, or -ETIME, after which the
  /// message counts as sent and its late acknowledge as nobody's.
  int send_message(const mbox_message& message);
  /// For a controller: the last message is on its way, the next one may go.
  void txdone(int result);
  /// For a client that learns of it itself.
  void client_txdone(int result);
  /// For a controller: a message came in.
  void received_data(const mbox_message& message);

  bool requested() const { return client_ != nullptr; }
  /// Messages that wait in the ring.
  std::size_t queued() const { return count_; }

 private:
  friend mbox_chan* mbox_request_channel(os::machine&, const dt::node&, mbox_client&, unsigned, int&);
  friend void mbox_free_channel(mbox_chan&);
  int bind(mbox_client& client);
  void submit();
  void tick(int result);

  mbox_controller& controller_;
  os::spinlock lock_;
  os::completion tx_complete_;
  int tx_status_ = 0;  // of the transfer that tx_complete_ reports
  mbox_client* client_ = nullptr;
  std::array<mbox_message, TX_QUEUE_LEN> ring_;
  std::size_t free_ = 0, count_ = 0;
  bool active_ = false;  // a message is being sent
};

/// Entry `index` of the consumer's `mboxes`. nullptr with `error`: -EPROBE_DEFER without its controller, -EBUSY for a
/// channel that has a client. The client must outlive the channel's use.
mbox_chan* mbox_request_channel(os::machine& machine, const dt::node& consumer, mbox_client& client, unsigned index,
                                int& error);
/// By `mbox-names`; -EINVAL for a name that is not there.
mbox_chan* mbox_request_channel(os::machine& machine, const dt::node& consumer, mbox_client& client,
                                std::string_view name, int& error);
/// Messages that wait are dropped. A channel without a client is left alone.
void mbox_free_channel(mbox_chan& chan);

}  // namespace rpsim::drivers
