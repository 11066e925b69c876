#pragma once
// A driver's own work queue, as create_workqueue() makes one: its items run one after the other, in a thread of its
// own, so that one that waits for a lock holds up nobody else's work. (Linux has one such thread per CPU; a driver's
// items are queued by one interrupt thread, and thus on one CPU.)

#include <deque>
#include <memory>
#include <string>

#include "host_sw/os/os.h"

namespace rpsim::drivers {

class workqueue {
 public:
  workqueue(os::kernel& k, const std::string& name);
  workqueue(const workqueue&) = delete;
  workqueue& operator=(const workqueue&) = delete;

  /// false if the item was already waiting. From any context.
  bool queue(os::work& w);
  /// Runs what waits, then ends the thread. Sleeps.
  void destroy();

 private:
  // The thread's, too: it may outlive this object where the host loses power.
  struct shared {
    explicit shared(os::kernel& k) : ready(k) {}
    std::deque<os::work*> items;
    os::wait_queue ready;
    bool ending = false;
  };

  os::kernel& kernel_;
  std::shared_ptr<shared> shared_;
  os::thread& thread_;
};

}  // namespace rpsim::drivers
