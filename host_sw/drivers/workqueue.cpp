#include "host_sw/drivers/workqueue.h"

namespace rpsim::drivers {

workqueue::workqueue(os::kernel& k, const std::string& name)
    : kernel_(k), shared_(std::make_shared<shared>(k)), thread_(k.spawn("kworker/" + name, [s = shared_] {
        for (;;) {
          s->ready.wait_event([&] { return s->ending || !s->items.empty(); });
          if (s->items.empty()) return;
          os::work& w = *s->items.front();
          s->items.pop_front();
          w.pending = false;
          w.running = true;
          w.function();
          w.running = false;
        }
      })) {}

bool workqueue::queue(os::work& w) {
  if (w.pending) return false;
  w.pending = true;
  shared_->items.push_back(&w);
  shared_->ready.wake_up_all();
  return true;
}

void workqueue::destroy() {
  shared_->ending = true;
  shared_->ready.wake_up_all();
  kernel_.join(thread_);
}

}  // namespace rpsim::drivers
