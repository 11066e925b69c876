#include "host_sw/drivers/ti_msgmgr.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "host_sw/drivers/mailbox.h"

namespace rpsim::drivers {

using os::log_level;

namespace {

constexpr std::uint64_t THREAD_STRIDE = 0x1000;
constexpr std::uint64_t DATA = 0x04;       // target_data
constexpr std::uint64_t CONTROL = 0x1000;  // scfg
constexpr std::uint32_t CONTROL_INBOUND = 1u << 31;
constexpr std::uint32_t STATUS_COUNT = 0xFF;
constexpr std::size_t MESSAGE_BYTES = 60, MESSAGE_WORDS = MESSAGE_BYTES / 4;
constexpr unsigned THREADS = 190;

class secure_proxy_mailbox final : public mbox_controller {
 public:
  secure_proxy_mailbox(os::machine& machine, os::device& dev)
      : mbox_controller(machine, dev.name, txdone::by_ack), node_(dev.node) {}

  int probe() {
    const auto data = node_.reg("target_data"), rt = node_.reg("rt"), scfg = node_.reg("scfg");
    if (!data || !rt || !scfg) return -EINVAL;
    data_ = data->base;
    rt_ = rt->base;
    scfg_ = scfg->base;
    return 0;
  }
  void remove() {
    for (auto& [number, t] : threads_) mbox_free_channel(t.chan);
  }

  int startup(mbox_chan& chan) override {
    thread& t = thread_of(chan);
    t.outbound = (os().readl(scfg_ + CONTROL + THREAD_STRIDE * t.number) & CONTROL_INBOUND) == 0;
    if (t.outbound) {
      if (count(t) != 0) return 0;
      os().printk(log_level::err, device(), fmt::format("{}: Cannot transmit with 0 credits!", t.name));
      return -EINVAL;
    }
    const auto index = node_.index_of("interrupt-names", fmt::format("rx_{:03}", t.number));
    const auto irq = index ? os::interrupt_of(node_, *index) : std::nullopt;
    if (!irq) {
      os().printk(log_level::err, device(), fmt::format("QID 0 PID {}:No IRQ[rx_{:03}]", t.number, t.number));
      return -ENODATA;
    }
    t.irq = *irq;
    return os().request_irq(
        t.irq, [this, &t] { return receive(t); }, os::IRQF_SHARED, t.name);
  }
  void shutdown(mbox_chan& chan) override {
    const thread& t = thread_of(chan);
    if (t.irq != 0) os().free_irq(t.irq, t.name);
  }
  int send_data(mbox_chan& chan, const mbox_message& message) override {
    const thread& t = thread_of(chan);
    if (message.size > MESSAGE_BYTES) {
      os().printk(log_level::err, device(),
                  fmt::format("Queue {} message length {} > max {}", t.name, message.size, MESSAGE_BYTES));
      return -EINVAL;
    }
    // What the message does not fill is 0 (mbox_message is); the last word sends.
    std::array<std::uint32_t, MESSAGE_WORDS> words;
    std::memcpy(words.data(), message.bytes.data(), MESSAGE_BYTES);
    os().iowrite32_copy(first_word(t), words);
    return 0;
  }
  mbox_chan* xlate(const dt::phandle_args& specifier, int& error) override {
    const unsigned number = specifier.args.at(0);
    if (number >= THREADS) {
      os().printk(log_level::err, device(), fmt::format("Queue ID 0, Proxy ID {} is wrong", number));
      error = -ENOENT;
      return nullptr;
    }
    const auto [it, fresh] = threads_.try_emplace(number, *this, number);
    return &it->second.chan;
  }

 private:
  struct thread {
    thread(mbox_controller& c, unsigned n) : number(n), name(fmt::format("{} thr_{:03}", c.device(), n)), chan(c) {}
    unsigned number;
    std::string name;
    mbox_chan chan;
    bool outbound = false;
    unsigned irq = 0;
  };

  thread& thread_of(mbox_chan& chan) {
    for (auto& [number, t] : threads_) {
      if (&t.chan == &chan) return t;
    }
    throw std::logic_error(device() + ": not a channel of this controller");
  }
  std::uint64_t first_word(const thread& t) const { return data_ + THREAD_STRIDE * t.number + DATA; }
  unsigned count(const thread& t) { return os().readl(rt_ + THREAD_STRIDE * t.number) & STATUS_COUNT; }

  os::irqreturn receive(thread& t) {
    if (count(t) == 0) {
      os().printk(log_level::debug, device(), "Spurious event - 0 pending data!");
      return os::irqreturn::none;
    }
    std::array<std::uint32_t, MESSAGE_WORDS> words;  // the last one pops
    os().ioread32_copy(words, first_word(t));
    mbox_message message;
    message.size = MESSAGE_BYTES;
    std::memcpy(message.bytes.data(), words.data(), MESSAGE_BYTES);
    t.chan.received_data(message);
    return os::irqreturn::handled;
  }

  dt::node node_;
  std::uint64_t data_ = 0, rt_ = 0, scfg_ = 0;
  std::map<unsigned, thread> threads_;  // those that somebody asked for
};

}  // namespace

os::platform_driver ti_msgmgr_driver(os::machine& machine) {
  return {
      .name = "ti-msgmgr",
      .compatible = {"ti,am654-secure-proxy"},
      .probe =
          [&machine](os::device& dev) {
            auto proxy = std::make_shared<secure_proxy_mailbox>(machine, dev);
            if (const int error = proxy->probe(); error != 0) return error;
            machine.provide<mbox_controller>(dev.node, proxy.get());
            dev.driver_data = std::move(proxy);
            return 0;
          },
      .remove =
          [&machine](os::device& dev) {
            auto* proxy = static_cast<secure_proxy_mailbox*>(dev.driver_data.get());
            machine.withdraw<mbox_controller>(proxy);
            proxy->remove();
          },
  };
}

}  // namespace rpsim::drivers
