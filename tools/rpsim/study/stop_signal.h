#pragma once
// Ctrl-C, or a queue that ends a task: the work in hand is put away first.

#include <csignal>

namespace rpsim::tool {

/// While it lives, SIGINT and SIGTERM only say so.
class stop_signal {
 public:
  stop_signal() {
    struct sigaction action {};
    action.sa_handler = [](int) { came_ = 1; };  // no SA_RESTART: it ends a wait
    ::sigaction(SIGINT, &action, &interrupt_);
    ::sigaction(SIGTERM, &action, &terminate_);
  }
  ~stop_signal() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
  }
  stop_signal(const stop_signal&) = delete;
  stop_signal& operator=(const stop_signal&) = delete;
  bool came() const { return came_ != 0; }

 private:
  static inline volatile std::sig_atomic_t came_ = 0;  // what a handler may touch
  struct sigaction interrupt_ {
  }, terminate_{};
};

}  // namespace rpsim::tool
