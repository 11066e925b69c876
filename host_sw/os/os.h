#pragma once
// What the kernel gives a driver: threads on a limited number of CPUs, sleeping and waking, time in jiffies, threaded
// interrupts, work queues, MMIO. Names and return conventions are Linux's: functions return 0 or -errno.
//
// Threads are SystemC processes; a thread needs a free CPU to advance simulated time by working (udelay, bus access)
// and gives it up while it sleeps. Every wake-up, interrupt entry and hand-off costs what its parameter says.

#include <cerrno>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <systemc>
#include <vector>

#include "models/common/context.h"
#include "models/core/core.h"

namespace rpsim::os {

/// "EBUSY" for 16 or -16; "0" for 0.
std::string errno_name(int error);
/// 16 for "EBUSY"; 0 if unknown.
int errno_value(std::string_view name);
/// Linux-internal, not in libc's user headers.
inline constexpr int ERESTARTSYS = 512, EPROBE_DEFER = 517, ENOTSUPP = 524;

class kernel;
class thread;

/// Where Linux would corrupt its own memory or take a fault: ends the current host thread with its locks held (guards
/// see it and do not release). Thrown by kernel::oops() only, caught at a thread's root only.
class oops_exception {};
/// The host was reset or powered off: unwinds every host thread.
class killed_exception {};

/// Spinning lock that disables interrupts on its CPU (spin_lock_irqsave). Bus accesses may be made under it; sleeping
/// under it is a defect of the caller and fails loudly.
class spinlock {
 public:
  explicit spinlock(kernel& k) : kernel_(k) {}
  void lock();
  void unlock();

 private:
  kernel& kernel_;
  bool held_ = false;
  sc_core::sc_event released_;
};

/// Scope guard of a spinlock; like mutex_guard it keeps the lock held through an oops.
class spinlock_guard {
 public:
  explicit spinlock_guard(spinlock& l) : lock_(l), exceptions_(std::uncaught_exceptions()) { l.lock(); }
  ~spinlock_guard() {
    if (std::uncaught_exceptions() == exceptions_) lock_.unlock();
  }
  spinlock_guard(const spinlock_guard&) = delete;
  spinlock_guard& operator=(const spinlock_guard&) = delete;

 private:
  spinlock& lock_;
  int exceptions_;
};

/// Sleeping lock. FIFO.
class mutex {
 public:
  explicit mutex(kernel& k, std::string name) : kernel_(k), name_(std::move(name)) {}
  void lock();
  int lock_interruptible();  // 0 or -EINTR if the thread has a pending signal
  void unlock();
  bool locked() const { return owner_ != nullptr; }

 private:
  kernel& kernel_;
  std::string name_;
  thread* owner_ = nullptr;
  std::deque<thread*> waiters_;
};

/// Scope guard that keeps the lock held when the thread dies of an oops (as Linux would).
class mutex_guard {
 public:
  explicit mutex_guard(mutex& m) : mutex_(m), exceptions_(std::uncaught_exceptions()) { m.lock(); }
  mutex_guard(mutex& m, std::adopt_lock_t) : mutex_(m), exceptions_(std::uncaught_exceptions()) {}
  ~mutex_guard() {
    if (std::uncaught_exceptions() == exceptions_) mutex_.unlock();
  }
  mutex_guard(const mutex_guard&) = delete;
  mutex_guard& operator=(const mutex_guard&) = delete;

 private:
  mutex& mutex_;
  int exceptions_;
};

/// A list of sleeping threads.
class wait_queue {
 public:
  explicit wait_queue(kernel& k) : kernel_(k) {}
  /// Sleeps until woken and the condition holds. wait_event_timeout: remaining jiffies (at least 1), 0 on timeout.
  void wait_event(const std::function<bool()>& condition);
  unsigned long wait_event_timeout(const std::function<bool()>& condition, unsigned long jiffies);
  void wake_up_all();
  bool empty() const { return waiters_.empty(); }

 private:
  kernel& kernel_;
  std::deque<thread*> waiters_;
};

class completion {
 public:
  explicit completion(kernel& k) : queue_(k) {}
  void complete();  // callable from interrupt context
  void complete_all();
  void reinit() { done_ = 0; }
  void wait();
  /// Remaining jiffies (at least 1), or 0 on timeout.
  unsigned long wait_timeout(unsigned long jiffies);
  bool done() const { return done_ != 0; }

 private:
  wait_queue queue_;
  unsigned done_ = 0;
};

struct work {
  explicit work(std::function<void()> f) : function(std::move(f)) {}
  std::function<void()> function;
  bool pending = false;  // queued, not yet started
  bool running = false;
};

enum class irqreturn : std::uint8_t { none, handled, wake_thread };
enum irq_flags : unsigned { IRQF_NONE = 0, IRQF_SHARED = 1, IRQF_ONESHOT = 2 };

enum class log_level : std::uint8_t { emerg, alert, crit, err, warning, notice, info, debug };

class kernel {
 public:
  struct options {
    unsigned hz = 250;  // CONFIG_HZ; parameter host.hz overrides
    /// The distributor of the GIC that masks and unmasks lines (node "arm,gic-v3"); 0: the core has none, and a masked
    /// line is one that nobody requested (unit tests).
    std::uint64_t gicd_base = 0;
  };
  /// `name` is the trace source ("host"). Declares the host.* parameters.
  kernel(std::string name, host_core& core, sim_context& context, options o);
  ~kernel();
  kernel(const kernel&) = delete;
  kernel& operator=(const kernel&) = delete;

  sim_context& context() { return context_; }
  trace& events() { return context_.trace; }
  const std::string& name() const { return name_; }

  // ---- threads
  /// A kernel thread or a user process; runs from the next delta. The handle stays valid for the kernel's life.
  thread& spawn(std::string name, std::function<void()> body);
  thread& current();  // the calling thread; fails loudly outside one
  bool in_thread() const;
  void join(thread& t);  // sleeps until it has ended
  bool ended(const thread& t) const;
  const std::string& name_of(const thread& t) const;
  /// A fatal signal: interruptible sleeps of the thread end with -EINTR, now and from now on.
  void send_signal(thread& t);
  bool signal_pending() const;  // of the calling thread
  /// What entering and leaving the kernel costs a user process; the shell calls it once per system call.
  void syscall();
  /// A race search: whom to wake first, and which ready thread gets a CPU, is drawn from the generator "schedule".
  void permute_wakeups(bool on);

  // ---- time
  std::uint64_t jiffies() const;
  unsigned hz() const { return hz_; }
  /// As Linux: rounds up.
  unsigned long msecs_to_jiffies(unsigned ms) const;
  sc_core::sc_time jiffies_to_time(unsigned long j) const;
  /// Sleeps at least n jiffies, woken at a jiffy boundary + wake-up latency.
  void schedule_timeout(unsigned long jiffies);
  void msleep(unsigned ms);  // msecs_to_jiffies(ms) + 1 jiffies
  /// Sleeps between min and max: where in the range is drawn from the generator "host.usleep_range".
  void usleep_range(unsigned min_us, unsigned max_us);
  void udelay(unsigned us);              // busy
  void busy(const sc_core::sc_time& t);  // CPU work
  /// readx_poll_timeout(): usleep_range(sleep/4 + 1, sleep) between polls, one last poll after the deadline.
  /// @return 0 or -ETIMEDOUT.
  int poll_timeout(const std::function<bool()>& done, unsigned sleep_us, unsigned timeout_us);

  // ---- bus. A bus error in kernel code is an external abort: oops().
  std::uint32_t readl(std::uint64_t pa);
  void writel(std::uint32_t value, std::uint64_t pa);
  std::uint8_t readb(std::uint64_t pa);
  void writeb(std::uint8_t value, std::uint64_t pa);
  std::uint16_t readw(std::uint64_t pa);
  void writew(std::uint16_t value, std::uint64_t pa);
  std::uint64_t readq(std::uint64_t pa);
  void writeq(std::uint64_t value, std::uint64_t pa);
  void memcpy_fromio(void* to, std::uint64_t pa, std::size_t n);
  void memcpy_toio(std::uint64_t pa, const void* from, std::size_t n);
  /// __ioread32_copy(), __iowrite32_copy(): registers in a row, of which only the last one's access acts.
  void ioread32_copy(std::span<std::uint32_t> to, std::uint64_t pa);
  void iowrite32_copy(std::uint64_t pa, std::span<const std::uint32_t> from);
  void memset_io(std::uint64_t pa, std::uint8_t value, std::size_t n);
  /// Without the oops: for code that must survive (core dumps, debugfs, /dev/mem). false on a bus error.
  bool try_read(std::uint64_t pa, void* to, std::size_t n);
  bool try_write(std::uint64_t pa, const void* from, std::size_t n);

  // ---- interrupts (irq = GIC interrupt id; SPI n is 32 + n)
  using irq_handler = std::function<irqreturn()>;
  /// Leaves every SPI of the distributor disabled and inactive, as a starting Linux does: what ran before it may not
  /// have.
  void init_irq();
  /// `hard` may be empty (then it only wakes the thread). ONESHOT keeps the line masked until the thread is done.
  int request_threaded_irq(unsigned irq, irq_handler hard, irq_handler thread_fn, unsigned flags, std::string name);
  int request_irq(unsigned irq, irq_handler hard, unsigned flags, std::string name) {
    return request_threaded_irq(irq, std::move(hard), {}, flags, std::move(name));
  }
  /// Waits for a running handler.
  void free_irq(unsigned irq, std::string_view name);

  // ---- work (system_wq: up to four workers, a work item never runs twice at once)
  bool schedule_work(work& w);     // false if it was already pending
  bool cancel_work_sync(work& w);  // true if it was pending
  void flush_work(work& w);

  // ---- log
  /// A kernel log line: event host.log {level, dev, text}.
  void printk(log_level level, std::string_view dev, std::string text);
  /// Emits host.oops {hazard, text} and ends the calling thread, its locks held.
  [[noreturn]] void oops(std::string_view hazard, std::string text);
  const std::deque<std::string>& dmesg() const;

  /// The machine is reset or loses power: every thread unwinds (killed_exception). Takes effect a delta later, for a
  /// thread in the middle of a bus access at its end. The kernel object must live until it is quiet.
  void power_off();
  bool powered_off() const;
  /// The last thread has unwound.
  bool quiet() const;
  /// Notified by power_off() and when it has become quiet.
  const sc_core::sc_event& end_event() const;

  // ---- panic
  /// Every other CPU stops, the notifiers run; then the machine stands still or, if there is a timeout, restarts.
  /// Emits host.panic {text}.
  [[noreturn]] void panic(std::string text);
  void add_panic_notifier(std::function<void()> n);
  /// /proc/sys/kernel/panic: seconds; 0 for ever, negative: restarts at once.
  int panic_timeout() const;
  void set_panic_timeout(int seconds);
  /// Asks the firmware for a reset and does not return. Without a firmware the machine stays off.
  [[noreturn]] void emergency_restart();
  void on_restart(std::function<void()> firmware);

  /// System sleep: no thread and no interrupt handler runs for that long. From a host thread.
  void sleep_machine(const sc_core::sc_time& t);

 private:
  friend class mutex;
  friend class spinlock;
  friend class wait_queue;
  friend class thread;
  struct impl;
  std::unique_ptr<impl> impl_;
  std::string name_;
  sim_context& context_;
  unsigned hz_;
};

}  // namespace rpsim::os
