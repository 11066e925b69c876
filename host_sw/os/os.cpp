#include "host_sw/os/os.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <tuple>

namespace rpsim::os {

using sc_core::sc_time;
using sc_core::sc_time_stamp;

namespace {

constexpr std::size_t DMESG_LINES = 1000;
constexpr unsigned MAX_WORKERS = 4;
constexpr unsigned GICD_TYPER = 0x004, GICD_ISENABLER = 0x100, GICD_ICENABLER = 0x180, GICD_ICACTIVER = 0x380;
constexpr unsigned FIRST_SPECIAL_INTID = 1020;
/// kernel/irq/spurious.c: of this many interrupts that many unhandled ones close the line.
constexpr unsigned SPURIOUS_WINDOW = 100000, SPURIOUS_LIMIT = 99900;

struct errno_entry {
  int value;
  const char* name;
};
constexpr std::array ERRNO_NAMES = std::to_array<errno_entry>({
    {EPERM, "EPERM"},
    {ENOENT, "ENOENT"},
    {ESRCH, "ESRCH"},
    {EINTR, "EINTR"},
    {EIO, "EIO"},
    {ENXIO, "ENXIO"},
    {E2BIG, "E2BIG"},
    {EBADF, "EBADF"},
    {EAGAIN, "EAGAIN"},
    {ENOMEM, "ENOMEM"},
    {EACCES, "EACCES"},
    {EFAULT, "EFAULT"},
    {EBUSY, "EBUSY"},
    {EEXIST, "EEXIST"},
    {ENODEV, "ENODEV"},
    {ENOTDIR, "ENOTDIR"},
    {EISDIR, "EISDIR"},
    {EINVAL, "EINVAL"},
    {ENFILE, "ENFILE"},
    {EMFILE, "EMFILE"},
    {ENOTTY, "ENOTTY"},
    {EFBIG, "EFBIG"},
    {ENOSPC, "ENOSPC"},
    {ESPIPE, "ESPIPE"},
    {EROFS, "EROFS"},
    {EPIPE, "EPIPE"},
    {ERANGE, "ERANGE"},
    {ENAMETOOLONG, "ENAMETOOLONG"},
    {ENOSYS, "ENOSYS"},
    {ENOTEMPTY, "ENOTEMPTY"},
    {ELOOP, "ELOOP"},
    {ENODATA, "ENODATA"},
    {ETIME, "ETIME"},
    {EPROTO, "EPROTO"},
    {EOVERFLOW, "EOVERFLOW"},
    {EMSGSIZE, "EMSGSIZE"},
    {EOPNOTSUPP, "EOPNOTSUPP"},
    {EADDRINUSE, "EADDRINUSE"},
    {ENOBUFS, "ENOBUFS"},
    {ETIMEDOUT, "ETIMEDOUT"},
    {EALREADY, "EALREADY"},
    {ECANCELED, "ECANCELED"},
    {ERESTARTSYS, "ERESTARTSYS"},
    {EPROBE_DEFER, "EPROBE_DEFER"},
    {ENOTSUPP, "ENOTSUPP"},
});

constexpr std::array LEVEL_NAMES = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

}  // namespace

std::string errno_name(int error) {
  if (error < 0) error = -error;
  if (error == 0) return "0";
  for (const errno_entry& e : ERRNO_NAMES) {
    if (e.value == error) return e.name;
  }
  return fmt::format("E{}", error);
}

int errno_value(std::string_view name) {
  for (const errno_entry& e : ERRNO_NAMES) {
    if (name == e.name) return e.value;
  }
  return 0;
}

// ---------------------------------------------------------------------------------------------------- kernel state

class thread {
 public:
  thread(kernel& k, std::string n, bool rt, std::function<void()> b, const sc_core::sc_event& death)
      : name(std::move(n)), realtime(rt), body(std::move(b)), exited(k) {
    wake_or_death |= wake;
    wake_or_death |= death;
    granted_or_death |= granted;
    granted_or_death |= death;
  }

  const std::string name;
  const bool realtime;  // SCHED_FIFO, as Linux's interrupt threads: goes before others on the ready list
  std::function<void()> body;
  sc_core::sc_event wake, granted;
  sc_core::sc_event_or_list wake_or_death, granted_or_death;  // made once: each costs four allocations
  bool asleep = false, woken = false, interruptible = false, signalled = false, ended = false;
  int cpu = -1;       // the one it runs on
  int last_cpu = -1;  // where its caches are
  unsigned irqs_off = 0;
  sc_time debt;         // time that interrupt handlers took from it
  sc_time slice_start;  // since when it has its CPU
  wait_queue exited;
};

struct kernel::impl {
  struct irq_action {
    explicit irq_action(kernel& k) : wake(k) {}
    std::string name;
    irq_handler hard, thread_fn;
    unsigned flags = 0;
    thread* task = nullptr;
    bool thread_pending = false, in_handler = false, stopping = false;
    bool oneshot_pending = false;  // the line stays masked for this action's thread
    wait_queue wake;
  };
  struct irq_line {
    std::list<std::shared_ptr<irq_action>> actions;
    bool masked = true;
    unsigned seen = 0, unhandled = 0;
  };
  struct worker {
    thread* task = nullptr;
    work* current = nullptr;
  };

  impl(kernel& k, host_core& core, options o)
      : self(k), core(core), gicd(o.gicd_base), cpus(core.cpus(), nullptr), work_ready(k), work_done(k) {
    param_registry& p = k.context_.params;
    const std::string n = k.name_ + ".";
    using enum provenance;
    context_switch = &p.time({n + "context_switch", assumed, "assumed: a scheduler pass and switch on a 1.4 GHz A53",
                              "from one thread to the next one on a CPU that was busy"},
                             sc_time(2, sc_core::SC_US));
    // A round trip to user space has two wake-ups, and its worst is 159 us above its mean.
    thread_wake = &p.time({n + "thread_wake", assumed,
                           "assumed: inter-processor wake-up, idle exit and switch; range from reference/k3.md §7: an "
                           "rpmsg round trip to user space takes 35 us on average, 194 us at most",
                           "from a wake-up to the woken thread's first instruction on a free CPU", "5us .. 85us"},
                          sc_time(5, sc_core::SC_US));
    irq_entry = &p.time({n + "irq_entry", assumed, "assumed: exception entry and generic irq code on a 1.4 GHz A53",
                         "from the interrupt line to its hard handler"},
                        sc_time(1, sc_core::SC_US));
    syscall = &p.time({n + "syscall", assumed, "assumed: entry, file look-up and exit", "one system call's own cost"},
                      sc_time(1, sc_core::SC_US));
    time_slice = &p.time({n + "time_slice", derived, "kernel/sched/fair.c: 0.75 ms x (1 + log2 of 4 CPUs)",
                          "after which a busy thread lets a waiting one have the CPU"},
                         sc_time(2250, sc_core::SC_US));
    timer_wheel = &p.flag({n + "timer_wheel", code, "kernel/time/timer.c calc_index()",
                           "round long timeouts up to the timer wheel's granularity (up to 12.5 % late); off: to the "
                           "next tick"},
                          false);
    k.hz_ = static_cast<unsigned>(
        p.number({n + "hz", code, "arch/arm64 defconfig CONFIG_HZ", "timer ticks in a second", "", 1, 1e6}, o.hz)
            .count());
    tick = sc_time::from_value(sc_time(1, sc_core::SC_SEC).value() / k.hz_);
  }

  // ---- threads
  thread* find_current() const {
    const auto* process = sc_core::sc_get_current_process_b();
    if (process == nullptr) return nullptr;
    if (process != last_process) {
      const auto it = by_process.find(process);
      last_process = process;
      last_thread = it == by_process.end() ? nullptr : it->second;
    }
    return last_thread;
  }
  thread& current() const {
    thread* t = find_current();
    if (t == nullptr) throw std::logic_error(self.name_ + ": sleeping call outside a host thread");
    return *t;
  }
  void check_alive() const {
    if (dead) throw killed_exception();
  }
  thread& spawn(std::string name, bool realtime, std::function<void()> body) {
    threads.push_back(std::make_unique<thread>(self, std::move(name), realtime, std::move(body), death));
    thread* t = threads.back().get();
    ++alive;
    sc_core::sc_spawn([this, t] { run(*t); }, sc_core::sc_gen_unique_name("host_thread"));
    return *t;
  }
  void run(thread& t) {
    const auto* process = sc_core::sc_get_current_process_b();
    last_process = nullptr;  // an ended process's place may be taken by a new one
    by_process[process] = &t;
    try {
      check_alive();
      acquire_cpu(t);
      trace_thread(t, "run");
      t.body();
    } catch (const oops_exception&) {
    } catch (const killed_exception&) {
    }
    trace_thread(t, "end");
    t.ended = true;
    by_process.erase(process);
    last_process = nullptr;
    if (!dead) {
      release_cpu(t);
      t.exited.wake_up_all();
    }
    process_ended();
  }
  void process_ended() {
    if (--alive == 0 && dead) end.notify(sc_core::SC_ZERO_TIME);
  }
  void trace_thread(const thread& t, std::string_view what) {
    self.events().emit(trace_level::detail, self.name_, "host.thread", {{"thread", t.name}, {"what", what}});
  }

  /// The one place where it is decided who goes first among n who may: the first (FIFO), or in a race search anyone.
  std::size_t choose(std::size_t n) {
    return permute && n > 1 ? static_cast<std::size_t>(self.context_.rng.stream("schedule").below(n)) : 0;
  }

  void acquire_cpu(thread& t) {
    if (t.cpu < 0 && !frozen && ready.empty()) {
      const int free = free_cpu(t);
      if (free >= 0) give_cpu(t, free);
    }
    if (t.cpu < 0) {
      ready.push_back(&t);
      while (t.cpu < 0) {
        sc_core::wait(t.granted_or_death);
        check_alive();
      }
    }
    t.slice_start = sc_time_stamp();
  }
  /// The one it ran on last, else the highest: Linux takes device interrupts on CPU 0 by default, which is thus spared.
  int free_cpu(const thread& t) const {
    if (t.last_cpu >= 0 && cpus[t.last_cpu] == nullptr) return t.last_cpu;
    for (int i = static_cast<int>(cpus.size()) - 1; i >= 0; --i) {
      if (cpus[i] == nullptr) return i;
    }
    return -1;
  }
  void give_cpu(thread& t, int cpu) {
    cpus[cpu] = &t;
    t.cpu = t.last_cpu = cpu;
  }
  void release_cpu(thread& t) {
    if (t.cpu < 0) return;
    cpus[t.cpu] = nullptr;
    t.cpu = -1;
    irqs_on.notify(sc_core::SC_ZERO_TIME);
    grant_cpus();
  }
  void grant_cpus() {
    while (!frozen && !ready.empty()) {
      std::vector<thread*> candidates;
      std::ranges::copy_if(ready, std::back_inserter(candidates), [](thread* t) { return t->realtime; });
      if (candidates.empty()) candidates.assign(ready.begin(), ready.end());
      thread* next = candidates[choose(candidates.size())];
      const int cpu = free_cpu(*next);
      if (cpu < 0) return;
      std::erase(ready, next);
      give_cpu(*next, cpu);
      self.context_.notifier.after(next->granted, context_switch->time());
    }
  }

  void wake(thread& t) {
    if (t.woken || t.ended) return;
    t.woken = true;
    if (t.asleep) self.context_.notifier.after(t.wake, thread_wake->time());
  }
  /// Gives the CPU up until woken or, if given, the time. @return false if it was the time.
  bool sleep(thread& t, const sc_time* until = nullptr) {
    if (t.irqs_off != 0) throw std::logic_error(self.name_ + ": " + t.name + " sleeps with a spinlock held");
    check_alive();
    if (!t.woken) {
      trace_thread(t, "sleep");
      t.asleep = true;
      release_cpu(t);
      for (bool notified = false; !notified;) {
        if (until == nullptr) {
          sc_core::wait(t.wake_or_death);
          notified = t.woken;
        } else if (*until > sc_time_stamp()) {
          sc_core::wait(*until - sc_time_stamp(), t.wake_or_death);
          notified = t.woken || *until <= sc_time_stamp();
        } else {
          notified = true;
        }
        check_alive();
      }
      t.wake.cancel();
      if (!t.woken) {  // the timer's interrupt wakes it
        sc_core::wait(thread_wake->time(), death);
        check_alive();
        t.wake.cancel();
      }
      t.asleep = false;
      acquire_cpu(t);
      trace_thread(t, "run");
    }
    const bool woken = t.woken;
    t.woken = false;
    return woken;
  }

  /// CPU work of a thread, or time that an interrupt handler takes.
  void busy(sc_time amount) {
    thread* t = find_current();
    if (t == nullptr) {
      sc_core::wait(amount, death);
      check_alive();
      return;
    }
    amount += std::exchange(t->debt, sc_core::SC_ZERO_TIME);
    const sc_time slice = time_slice->time();
    while (amount > sc_core::SC_ZERO_TIME) {
      const sc_time end = t->slice_start + slice;
      const sc_time step = end > sc_time_stamp() ? std::min(amount, end - sc_time_stamp()) : amount;
      sc_core::wait(step, death);
      check_alive();
      amount -= step;
      preempt(*t, slice);
    }
  }
  void preempt(thread& t, const sc_time& slice) {
    if (t.irqs_off != 0) return;
    const bool expired = sc_time_stamp() - t.slice_start >= slice;
    if (frozen || (expired && !ready.empty())) {
      release_cpu(t);
      acquire_cpu(t);
    } else if (expired) {
      t.slice_start = sc_time_stamp();
    }
  }
  /// After every bus access: a reset shows here, and so does what interrupts took.
  void after_access() {
    check_alive();
    if (thread* t = find_current(); t != nullptr) {
      if (t->debt != sc_core::SC_ZERO_TIME) {
        busy(sc_core::SC_ZERO_TIME);
      } else {
        preempt(*t, time_slice->time());
      }
    }
  }

  // ---- interrupts
  void set_line(unsigned irq, bool enabled) {
    irq_line& line = lines[irq];
    line.masked = !enabled;
    if (gicd != 0) self.writel(1u << (irq % 32), gicd + (enabled ? GICD_ISENABLER : GICD_ICENABLER) + 4 * (irq / 32));
  }
  void interrupt_loop() {
    sc_core::sc_event_or_list pending_or_death;
    pending_or_death |= core.interrupt_event();
    pending_or_death |= death;
    try {
      for (;;) {
        check_alive();
        if (!core.interrupt_pending()) {
          sc_core::wait(pending_or_death);
        } else if (frozen || (cpus[0] != nullptr && cpus[0]->irqs_off != 0)) {
          sc_core::wait(irqs_on | death);
        } else {
          const sc_time begin = sc_time_stamp();
          sc_core::wait(irq_entry->time(), death);
          check_alive();
          const unsigned intid = core.acknowledge();
          if (intid < FIRST_SPECIAL_INTID) handle(intid);
          if (cpus[0] != nullptr) cpus[0]->debt += sc_time_stamp() - begin;
        }
      }
    } catch (const killed_exception&) {
    }
    process_ended();
  }
  void handle(unsigned irq) {
    irq_line& line = lines[irq];
    const auto actions = line.actions;  // a handler may free its own
    const bool oneshot = std::ranges::any_of(actions, [](const auto& a) { return (a->flags & IRQF_ONESHOT) != 0; });
    if (actions.empty()) {
      self.printk(log_level::err, "", fmt::format("irq {}: nobody cared (no handler)", irq));
      set_line(irq, false);
    } else if (oneshot) {
      set_line(irq, false);
    }
    bool handled = false, thread_woken = false;
    for (const auto& a : actions) {
      irqreturn r = irqreturn::wake_thread;
      if (a->hard) {
        a->in_handler = true;
        r = a->hard();
        a->in_handler = false;
      }
      if (r == irqreturn::wake_thread && a->task != nullptr && !a->task->ended) {
        a->thread_pending = true;
        a->oneshot_pending = (a->flags & IRQF_ONESHOT) != 0;
        thread_woken = thread_woken || a->oneshot_pending;
        a->wake.wake_up_all();
      }
      handled = handled || r != irqreturn::none;
    }
    count_unhandled(irq, line, handled);
    core.end_of_interrupt(irq);
    // An oopsed interrupt thread leaves its line masked. (Linux would unmask it and be stormed by it.)
    if (oneshot && !thread_woken && !line.actions.empty() &&
        std::ranges::none_of(actions, [](const auto& a) { return a->task != nullptr && a->task->ended; })) {
      set_line(irq, true);
    }
    free_waiters.notify(sc_core::SC_ZERO_TIME);
  }
  void count_unhandled(unsigned irq, irq_line& line, bool handled) {
    ++line.seen;
    if (!handled) ++line.unhandled;
    if (line.seen < SPURIOUS_WINDOW) return;
    if (line.unhandled > SPURIOUS_LIMIT) {
      self.printk(log_level::emerg, "", fmt::format("Disabling IRQ #{}", irq));
      set_line(irq, false);
    }
    line.seen = line.unhandled = 0;
  }
  void irq_thread(unsigned irq, const std::shared_ptr<irq_action>& a) {
    for (;;) {
      a->wake.wait_event([&] { return a->thread_pending || a->stopping; });
      if (!a->thread_pending) return;
      a->thread_pending = false;
      a->thread_fn();
      if (a->oneshot_pending) {
        a->oneshot_pending = false;
        irq_line& line = lines[irq];
        if (std::ranges::none_of(line.actions, [](const auto& other) { return other->oneshot_pending; })) {
          set_line(irq, true);
        }
      }
    }
  }

  // ---- work
  void worker_loop(worker& w) {
    for (;;) {
      work_ready.wait_event([&] { return next_work() != works.end(); });
      const auto it = next_work();
      if (it == works.end()) continue;  // another worker was faster
      w.current = *it;
      works.erase(it);
      w.current->pending = false;
      w.current->running = true;
      w.current->function();
      w.current->running = false;
      w.current = nullptr;
      work_done.wake_up_all();
      work_ready.wake_up_all();  // the same item may have been queued again meanwhile
    }
  }
  std::deque<work*>::iterator next_work() {
    return std::ranges::find_if(works, [](const work* w) { return !w->running; });
  }
  /// Workers that died of an oops with their item are replaced, as Linux's pool manager would.
  void ensure_worker() {
    std::size_t alive = 0;
    for (const auto& w : workers) alive += w->task->ended ? 0 : 1;
    std::size_t idle = 0;
    for (const auto& w : workers) idle += !w->task->ended && w->current == nullptr ? 1 : 0;
    if (idle >= works.size() || alive >= MAX_WORKERS) return;
    workers.push_back(std::make_unique<worker>());
    worker* w = workers.back().get();
    w->task = &spawn(fmt::format("kworker/u8:{}", workers.size() - 1), false, [this, w] { worker_loop(*w); });
  }

  /// When a timer of n jiffies that starts now fires: never early, at the end of a tick.
  sc_time timer_expiry(unsigned long n) {
    std::uint64_t expires = sc_time_stamp().value() / tick.value() + n;
    unsigned shift = 0;
    if (timer_wheel->flag()) {
      // Level k of the wheel holds timeouts up to 63 x 8^k ticks, in steps of 8^k.
      for (std::uint64_t reach = 63; n >= reach && shift < 24; reach <<= 3) shift += 3;
    }
    expires = ((expires >> shift) + 1) << shift;
    return sc_time::from_value(expires * tick.value());
  }

  kernel& self;
  host_core& core;
  std::uint64_t gicd;
  sc_time tick;
  param *context_switch, *thread_wake, *irq_entry, *syscall, *time_slice, *timer_wheel;

  std::vector<std::unique_ptr<thread>> threads;
  std::map<const sc_core::sc_process_b*, thread*> by_process;   // looked up only, never walked
  mutable const sc_core::sc_process_b* last_process = nullptr;  // the last look-up
  mutable thread* last_thread = nullptr;
  std::vector<thread*> cpus;  // by number: who runs there
  std::deque<thread*> ready;
  bool frozen = false, dead = false, permute = false;
  sc_core::sc_event death, end, irqs_on, free_waiters;
  unsigned alive = 1;  // processes: the threads, and the one that takes interrupts

  std::map<unsigned, irq_line> lines;

  std::deque<work*> works;
  std::vector<std::unique_ptr<worker>> workers;
  wait_queue work_ready, work_done;

  std::deque<std::string> dmesg;

  std::vector<std::function<void()>> panic_notifiers;
  int panic_timeout = 0;
  std::function<void()> restart;
};

// ------------------------------------------------------------------------------------------------------------ locks

void spinlock::lock() {
  kernel::impl& k = *kernel_.impl_;
  thread* t = k.find_current();
  if (t != nullptr) ++t->irqs_off;
  while (held_) {
    sc_core::wait(released_ | k.death);
    k.check_alive();
  }
  held_ = true;
}

void spinlock::unlock() {
  kernel::impl& k = *kernel_.impl_;
  held_ = false;
  released_.notify(sc_core::SC_ZERO_TIME);
  if (thread* t = k.find_current(); t != nullptr && --t->irqs_off == 0) k.irqs_on.notify(sc_core::SC_ZERO_TIME);
}

void mutex::lock() {
  kernel::impl& k = *kernel_.impl_;
  thread& t = k.current();
  if (owner_ == nullptr) {
    owner_ = &t;
    return;
  }
  waiters_.push_back(&t);
  while (owner_ != &t) k.sleep(t);
}

int mutex::lock_interruptible() {
  kernel::impl& k = *kernel_.impl_;
  thread& t = k.current();
  if (owner_ == nullptr) {
    owner_ = &t;
    return 0;
  }
  if (t.signalled) return -EINTR;
  waiters_.push_back(&t);
  t.interruptible = true;
  while (owner_ != &t && !t.signalled) k.sleep(t);
  t.interruptible = false;
  if (owner_ == &t) return 0;
  std::erase(waiters_, &t);
  return -EINTR;
}

void mutex::unlock() {
  kernel::impl& k = *kernel_.impl_;
  if (waiters_.empty()) {
    owner_ = nullptr;
    return;
  }
  const auto next = waiters_.begin() + static_cast<std::ptrdiff_t>(k.choose(waiters_.size()));
  owner_ = *next;
  waiters_.erase(next);
  k.wake(*owner_);
}

void wait_queue::wait_event(const std::function<bool()>& condition) {
  kernel::impl& k = *kernel_.impl_;
  thread& t = k.current();
  // Queued before the condition is looked at, so that a wake-up in between is not lost.
  for (;;) {
    waiters_.push_back(&t);
    if (condition()) break;
    k.sleep(t);
    std::erase(waiters_, &t);
  }
  std::erase(waiters_, &t);
  t.woken = false;
}

unsigned long wait_queue::wait_event_timeout(const std::function<bool()>& condition, unsigned long jiffies) {
  kernel::impl& k = *kernel_.impl_;
  thread& t = k.current();
  const std::uint64_t end = kernel_.jiffies() + jiffies;
  const sc_time expiry = k.timer_expiry(jiffies);
  bool met = false;
  for (bool in_time = true; in_time && !met;) {
    waiters_.push_back(&t);
    met = condition();
    if (!met) {
      in_time = k.sleep(t, &expiry);
      if (!in_time) met = condition();
    }
    std::erase(waiters_, &t);
  }
  t.woken = false;
  if (!met) return 0;
  const std::uint64_t now = kernel_.jiffies();
  return now < end ? static_cast<unsigned long>(end - now) : 1;
}

void wait_queue::wake_up_all() {
  std::deque<thread*> woken;
  woken.swap(waiters_);
  while (!woken.empty()) {
    const auto next = woken.begin() + static_cast<std::ptrdiff_t>(kernel_.impl_->choose(woken.size()));
    kernel_.impl_->wake(**next);
    woken.erase(next);
  }
}

void completion::complete() {
  if (done_ != UINT32_MAX) ++done_;
  queue_.wake_up_all();
}

void completion::complete_all() {
  done_ = UINT32_MAX;
  queue_.wake_up_all();
}

void completion::wait() {
  queue_.wait_event([this] { return done_ != 0; });
  if (done_ != UINT32_MAX) --done_;
}

unsigned long completion::wait_timeout(unsigned long jiffies) {
  const unsigned long left = queue_.wait_event_timeout([this] { return done_ != 0; }, jiffies);
  if (left != 0 && done_ != UINT32_MAX) --done_;
  return left;
}

// ----------------------------------------------------------------------------------------------------------- kernel

kernel::kernel(std::string name, host_core& core, sim_context& context, options o)
    : name_(std::move(name)), context_(context), hz_(o.hz) {
  impl_ = std::make_unique<impl>(*this, core, o);
  sc_core::sc_spawn([k = impl_.get()] { k->interrupt_loop(); }, sc_core::sc_gen_unique_name("host_interrupts"));
}

kernel::~kernel() = default;

thread& kernel::spawn(std::string name, std::function<void()> body) {
  return impl_->spawn(std::move(name), false, std::move(body));
}
thread& kernel::current() { return impl_->current(); }
bool kernel::in_thread() const { return impl_->find_current() != nullptr; }
void kernel::join(thread& t) {
  t.exited.wait_event([&] { return t.ended; });
}
bool kernel::ended(const thread& t) const { return t.ended; }
const std::string& kernel::name_of(const thread& t) const { return t.name; }

void kernel::send_signal(thread& t) {
  t.signalled = true;
  if (t.interruptible) impl_->wake(t);
}
bool kernel::signal_pending() const { return impl_->current().signalled; }
void kernel::syscall() { impl_->busy(impl_->syscall->time()); }
void kernel::permute_wakeups(bool on) { impl_->permute = on; }

std::uint64_t kernel::jiffies() const { return sc_time_stamp().value() / impl_->tick.value(); }
unsigned long kernel::msecs_to_jiffies(unsigned ms) const {
  return static_cast<unsigned long>((static_cast<std::uint64_t>(ms) * hz_ + 999) / 1000);
}
sc_time kernel::jiffies_to_time(unsigned long j) const { return sc_time::from_value(j * impl_->tick.value()); }

void kernel::schedule_timeout(unsigned long jiffies) {
  thread& t = impl_->current();
  const sc_time expiry = impl_->timer_expiry(jiffies);
  while (impl_->sleep(t, &expiry)) {
  }
}
void kernel::msleep(unsigned ms) { schedule_timeout(msecs_to_jiffies(ms) + 1); }

void kernel::usleep_range(unsigned min_us, unsigned max_us) {
  thread& t = impl_->current();
  const double slack = max_us > min_us ? (max_us - min_us) * context_.rng.stream(name_ + ".usleep_range").uniform() : 0;
  const sc_time until = sc_time_stamp() + sc_time(min_us + slack, sc_core::SC_US);
  while (impl_->sleep(t, &until)) {
  }
}

void kernel::udelay(unsigned us) { impl_->busy(sc_time(us, sc_core::SC_US)); }
void kernel::busy(const sc_time& t) { impl_->busy(t); }

int kernel::poll_timeout(const std::function<bool()>& done, unsigned sleep_us, unsigned timeout_us) {
  const sc_time deadline = sc_time_stamp() + sc_time(timeout_us, sc_core::SC_US);
  for (;;) {
    if (done()) return 0;
    if (timeout_us != 0 && sc_time_stamp() > deadline) return done() ? 0 : -ETIMEDOUT;
    if (sleep_us != 0) {
      usleep_range((sleep_us >> 2) + 1, sleep_us);
    } else {
      busy(sc_time(100, sc_core::SC_NS));  // cpu_relax(): a condition that touches no bus must not stop time
    }
  }
}

namespace {
[[noreturn]] void external_abort(kernel& k, const char* what, std::size_t bytes, std::uint64_t pa) {
  k.oops("external-abort", fmt::format("Synchronous External Abort: {} of {} bytes at 0x{:x}", what, bytes, pa));
}
template <typename T>
T read_as(kernel& k, host_core& core, std::uint64_t pa) {
  T value = 0;
  std::array<std::byte, sizeof(T)> raw{};
  if (core.bus().read(pa, raw) != bus_status::ok) {
    external_abort(k, "read", sizeof(T), pa);
  }
  std::memcpy(&value, raw.data(), sizeof value);
  return value;
}
template <typename T>
void write_as(kernel& k, host_core& core, std::uint64_t pa, T value) {
  std::array<std::byte, sizeof(T)> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  if (core.bus().write(pa, raw) != bus_status::ok) {
    external_abort(k, "write", sizeof(T), pa);
  }
}
}  // namespace

#define RPSIM_ACCESSORS(suffix, type)                         \
  type kernel::read##suffix(std::uint64_t pa) {               \
    const type value = read_as<type>(*this, impl_->core, pa); \
    impl_->after_access();                                    \
    return value;                                             \
  }                                                           \
  void kernel::write##suffix(type value, std::uint64_t pa) {  \
    write_as<type>(*this, impl_->core, pa, value);            \
    impl_->after_access();                                    \
  }
RPSIM_ACCESSORS(b, std::uint8_t)
RPSIM_ACCESSORS(w, std::uint16_t)
RPSIM_ACCESSORS(l, std::uint32_t)
RPSIM_ACCESSORS(q, std::uint64_t)
#undef RPSIM_ACCESSORS

void kernel::memcpy_fromio(void* to, std::uint64_t pa, std::size_t n) {
  if (n != 0 && impl_->core.bus().read(pa, {static_cast<std::byte*>(to), n}) != bus_status::ok) {
    external_abort(*this, "read", n, pa);
  }
  impl_->after_access();
}
void kernel::memcpy_toio(std::uint64_t pa, const void* from, std::size_t n) {
  if (n != 0 && impl_->core.bus().write(pa, {static_cast<const std::byte*>(from), n}) != bus_status::ok) {
    external_abort(*this, "write", n, pa);
  }
  impl_->after_access();
}
void kernel::ioread32_copy(std::span<std::uint32_t> to, std::uint64_t pa) {
  for (std::size_t done = 0; to.size() > 1; pa += 4 * done, to = to.subspan(done)) {
    done = impl_->core.bus().read_quietly(pa, to.first(to.size() - 1));
    if (done == 0) external_abort(*this, "read", 4, pa);
    impl_->after_access();
  }
  if (!to.empty()) to[0] = readl(pa);
}
void kernel::iowrite32_copy(std::uint64_t pa, std::span<const std::uint32_t> from) {
  for (std::size_t done = 0; from.size() > 1; pa += 4 * done, from = from.subspan(done)) {
    done = impl_->core.bus().write_quietly(pa, from.first(from.size() - 1));
    if (done == 0) external_abort(*this, "write", 4, pa);
    impl_->after_access();
  }
  if (!from.empty()) writel(from[0], pa);
}
void kernel::memset_io(std::uint64_t pa, std::uint8_t value, std::size_t n) {
  if (n != 0 && impl_->core.bus().fill(pa, static_cast<std::byte>(value), n) != bus_status::ok) {
    external_abort(*this, "write", n, pa);
  }
  impl_->after_access();
}
bool kernel::try_read(std::uint64_t pa, void* to, std::size_t n) {
  const bool ok = n == 0 || impl_->core.bus().read(pa, {static_cast<std::byte*>(to), n}) == bus_status::ok;
  impl_->after_access();
  return ok;
}
bool kernel::try_write(std::uint64_t pa, const void* from, std::size_t n) {
  const bool ok = n == 0 || impl_->core.bus().write(pa, {static_cast<const std::byte*>(from), n}) == bus_status::ok;
  impl_->after_access();
  return ok;
}

void kernel::init_irq() {
  if (impl_->gicd == 0) return;
  const unsigned words = (readl(impl_->gicd + GICD_TYPER) & 0x1F) + 1;
  for (unsigned word = 1; word < words; ++word) {  // the first word's are not SPIs
    writel(~0u, impl_->gicd + GICD_ICACTIVER + 4 * word);
    writel(~0u, impl_->gicd + GICD_ICENABLER + 4 * word);
  }
}

int kernel::request_threaded_irq(unsigned irq, irq_handler hard, irq_handler thread_fn, unsigned flags,
                                 std::string name) {
  if (!hard && !thread_fn) return -EINVAL;
  // Without a hard handler the line is still asserted when the interrupt returns (kernel/irq/manage.c).
  if (!hard && (flags & IRQF_ONESHOT) == 0) return -EINVAL;
  impl::irq_line& line = impl_->lines[irq];
  if (!line.actions.empty()) {
    const unsigned both = flags & line.actions.front()->flags;
    const bool oneshot_differs = ((flags ^ line.actions.front()->flags) & IRQF_ONESHOT) != 0;
    if ((both & IRQF_SHARED) == 0 || oneshot_differs) return -EBUSY;
  }
  auto a = std::make_shared<impl::irq_action>(*this);
  a->name = std::move(name);
  a->hard = std::move(hard);
  a->thread_fn = std::move(thread_fn);
  a->flags = flags;
  line.actions.push_back(a);
  if (a->thread_fn) {
    a->task = &impl_->spawn(fmt::format("irq/{}-{}", irq, a->name), true,
                            [k = impl_.get(), irq, a] { k->irq_thread(irq, a); });
  }
  if (line.actions.size() == 1) impl_->set_line(irq, true);
  return 0;
}

void kernel::free_irq(unsigned irq, std::string_view name) {
  impl::irq_line& line = impl_->lines[irq];
  const auto it = std::ranges::find_if(line.actions, [&](const auto& a) { return a->name == name; });
  if (it == line.actions.end()) return;
  const auto a = *it;
  line.actions.erase(it);
  if (line.actions.empty()) impl_->set_line(irq, false);
  while (a->in_handler) {  // on another CPU: spins
    sc_core::wait(impl_->free_waiters | impl_->death);
    impl_->check_alive();
  }
  a->stopping = true;
  a->wake.wake_up_all();
  // A thread that frees its own interrupt would wait for itself; Linux hangs there too, but only with the thread's
  // own call, which no driver makes.
  if (a->task != nullptr) join(*a->task);
}

bool kernel::schedule_work(work& w) {
  if (w.pending) return false;
  w.pending = true;
  impl_->works.push_back(&w);
  impl_->ensure_worker();
  impl_->work_ready.wake_up_all();
  return true;
}

bool kernel::cancel_work_sync(work& w) {
  const bool was_pending = w.pending;
  if (was_pending) {
    std::erase(impl_->works, &w);
    w.pending = false;
  }
  impl_->work_done.wait_event([&] { return !w.running; });
  return was_pending;
}

void kernel::flush_work(work& w) {
  impl_->work_done.wait_event([&] { return !w.pending && !w.running; });
}

void kernel::printk(log_level level, std::string_view dev, std::string text) {
  const char* level_name = LEVEL_NAMES[static_cast<std::size_t>(level)];
  // dev_dbg() prints nothing until somebody asks for it.
  events().emit(level == log_level::debug ? trace_level::detail : trace_level::protocol, name_, "host.log",
                {{"level", level_name}, {"dev", dev}, {"text", text}});
  if (level == log_level::debug) return;
  const std::uint64_t us = sc_time_stamp().value() / 1000000;
  impl_->dmesg.push_back(
      fmt::format("[{:5}.{:06}] {}{}{}", us / 1000000, us % 1000000, dev, dev.empty() ? "" : ": ", text));
  if (impl_->dmesg.size() > DMESG_LINES) impl_->dmesg.pop_front();
}

void kernel::oops(std::string_view hazard, std::string text) {
  thread* t = impl_->find_current();
  events().emit(name_, "host.oops",
                {{"hazard", hazard}, {"thread", t != nullptr ? t->name : "interrupt"}, {"text", text}});
  printk(log_level::emerg, "", "Internal error: Oops: " + text);
  if (t != nullptr) throw oops_exception();
  panic("Oops: Fatal exception in interrupt");
}

void kernel::panic(std::string text) {
  printk(log_level::emerg, "", "Kernel panic - not syncing: " + text);
  events().emit(name_, "host.panic", {{"text", text}});
  impl_->frozen = true;  // smp_send_stop()
  if (thread* t = impl_->find_current(); t != nullptr) ++t->irqs_off;
  for (const auto& notify : impl_->panic_notifiers) notify();
  if (impl_->panic_timeout > 0) {
    printk(log_level::emerg, "", fmt::format("Rebooting in {} seconds..", impl_->panic_timeout));
    sc_core::wait(sc_time(impl_->panic_timeout, sc_core::SC_SEC), impl_->death);
    impl_->check_alive();
  }
  if (impl_->panic_timeout != 0) emergency_restart();
  printk(log_level::emerg, "", fmt::format("---[ end Kernel panic - not syncing: {} ]---", text));
  power_off();
  throw killed_exception();
}

void kernel::add_panic_notifier(std::function<void()> n) { impl_->panic_notifiers.push_back(std::move(n)); }
int kernel::panic_timeout() const { return impl_->panic_timeout; }
void kernel::set_panic_timeout(int seconds) { impl_->panic_timeout = seconds; }

void kernel::emergency_restart() {
  if (impl_->restart) impl_->restart();
  power_off();
  throw killed_exception();
}
void kernel::on_restart(std::function<void()> firmware) { impl_->restart = std::move(firmware); }

const std::deque<std::string>& kernel::dmesg() const { return impl_->dmesg; }

void kernel::power_off() {
  impl_->dead = true;
  impl_->death.notify(sc_core::SC_ZERO_TIME);
  impl_->end.notify(sc_core::SC_ZERO_TIME);
}
bool kernel::powered_off() const { return impl_->dead; }
bool kernel::quiet() const { return impl_->dead && impl_->alive == 0; }
const sc_core::sc_event& kernel::end_event() const { return impl_->end; }

void kernel::sleep_machine(const sc_time& t) {
  thread& self = impl_->current();
  impl_->frozen = true;
  sc_core::wait(t, impl_->death);
  impl_->check_alive();
  impl_->frozen = false;
  self.slice_start = sc_time_stamp();
  impl_->irqs_on.notify(sc_core::SC_ZERO_TIME);
  impl_->grant_cpus();
}

}  // namespace rpsim::os
