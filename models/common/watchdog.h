#pragma once
// What a scenario does to a watchdog from outside, whatever kind it is.

namespace rpsim {

class watchdog {
 public:
  virtual ~watchdog() = default;
  /// Expires now, enabled or not, with cause "injected"; what follows is as after any other violation.
  virtual void bite() = 0;
};

}  // namespace rpsim
