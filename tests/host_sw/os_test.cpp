#include <cmath>

#include "tests/host_sw/fake_host.h"

namespace rpsim::test {
namespace {

using os::thread;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr unsigned IRQ = 108;

TEST(errno_names, go_both_ways) {
  EXPECT_EQ(os::errno_name(-EBUSY), "EBUSY");
  EXPECT_EQ(os::errno_name(os::EPROBE_DEFER), "EPROBE_DEFER");
  EXPECT_EQ(os::errno_name(0), "0");
  EXPECT_EQ(os::errno_value("ETIMEDOUT"), ETIMEDOUT);
  EXPECT_EQ(os::errno_value("EWRONG"), 0);
}

// ------------------------------------------------------------------------------------------------------------- CPUs

class cpus : public kernel_test {};

TEST_F(cpus, two_threads_on_two_cpus_advance_together) {
  make(2);
  std::vector<double> ends;
  for (int i = 0; i < 2; ++i) kernel->spawn("t", [&] { kernel->udelay(1000), ends.push_back(now_ms()); });
  run_for(10);
  EXPECT_THAT(ends, ElementsAre(1, 1));
}

TEST_F(cpus, two_threads_on_one_cpu_take_turns_after_a_time_slice) {
  make(1);
  set("time_slice", "1ms");
  std::vector<double> ends;
  for (int i = 0; i < 2; ++i) kernel->spawn("t", [&] { kernel->udelay(1500), ends.push_back(now_ms()); });
  run_for(10);
  EXPECT_THAT(ends, ElementsAre(2.5, 3));  // 1 | 1 | 0.5 | 0.5
}

TEST_F(cpus, a_woken_thread_waits_for_the_one_busy_cpu) {
  make(1);
  set("context_switch", "2us");
  double woke = 0;
  kernel->spawn("sleeper", [&] { kernel->usleep_range(100, 100), woke = now_us(); });
  kernel->spawn("busy", [&] { kernel->udelay(500); });
  run_for(10);
  EXPECT_DOUBLE_EQ(woke, 502);
}

TEST_F(cpus, a_wake_up_costs_its_parameter) {
  make();
  set("thread_wake", "30us");
  double woke = 0;
  kernel->spawn("sleeper", [&] { kernel->usleep_range(100, 100), woke = now_us(); });
  run_for(1);
  EXPECT_DOUBLE_EQ(woke, 130);
}

TEST_F(cpus, join_waits_for_the_end) {
  make();
  thread& worker = kernel->spawn("worker", [&] { kernel->udelay(300); });
  double joined = 0;
  kernel->spawn("parent", [&] { kernel->join(worker), joined = now_us(); });
  run_for(1);
  EXPECT_DOUBLE_EQ(joined, 300);
  EXPECT_TRUE(kernel->ended(worker));
}

TEST_F(cpus, sleeping_outside_a_thread_fails_loudly) {
  make();
  EXPECT_THROW(kernel->schedule_timeout(1), std::logic_error);
  EXPECT_FALSE(kernel->in_thread());
}

TEST_F(cpus, a_sleeping_machine_runs_nothing) {
  make();
  std::vector<double> ticks;
  kernel->spawn("ticker", [&] {
    for (;;) kernel->usleep_range(1000, 1000), ticks.push_back(now_ms());
  });
  kernel->spawn("suspender", [&] {
    kernel->udelay(1500);
    kernel->sleep_machine(sc_core::sc_time(10, sc_core::SC_MS));
  });
  run_for(12);
  EXPECT_THAT(ticks, ElementsAre(1, 11.5));
}

TEST_F(cpus, power_off_unwinds_every_thread) {
  make();
  struct marker {
    int& count;
    ~marker() { ++count; }
  };
  int unwound = 0;
  bool went_on = false;
  os::completion never(*kernel);
  kernel->spawn("waiter", [&] {
    marker m{unwound}, n{unwound};
    never.wait(), went_on = true;
  });
  kernel->spawn("busy", [&] {
    marker m{unwound};
    kernel->udelay(100000), went_on = true;
  });
  kernel->spawn("reader", [&] {
    marker m{unwound};
    for (;;) kernel->readl(0x1000);
  });
  run_for(1);
  kernel->power_off();
  run_for(1);
  EXPECT_EQ(unwound, 4);
  EXPECT_FALSE(went_on);
}

TEST_F(cpus, a_kernel_is_quiet_when_its_last_thread_has_unwound) {
  make();
  kernel->spawn("waiter", [&] { kernel->msleep(1000); });
  run_for(1);
  EXPECT_FALSE(kernel->quiet());
  kernel->power_off();
  kernel->spawn("too late", [] { FAIL() << "it runs"; });
  EXPECT_FALSE(kernel->quiet());
  run_for(1);
  EXPECT_TRUE(kernel->quiet());
}

TEST_F(cpus, in_a_panic_the_notifiers_run_alone_and_nothing_afterwards) {
  make();
  recorder events(context);
  std::vector<double> ticks;
  double notified = 0;
  bool went_on = false;
  kernel->add_panic_notifier([&] {
    kernel->udelay(5000);
    notified = now_ms();
  });
  kernel->spawn("ticker", [&] {
    for (;;) kernel->usleep_range(1000, 1000), ticks.push_back(now_ms());
  });
  kernel->spawn("crasher", [&] {
    kernel->udelay(1500);
    kernel->panic("no reason");
    went_on = true;
  });
  run_for(12);
  EXPECT_THAT(ticks, ElementsAre(1));
  EXPECT_DOUBLE_EQ(notified, 6.5);
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(kernel->quiet());
  EXPECT_THAT(events.values("host.panic", "text"), ElementsAre("no reason"));
}

TEST_F(cpus, a_panic_with_a_timeout_asks_for_a_reset_after_it) {
  make();
  std::vector<double> resets;
  kernel->on_restart([&] { resets.push_back(now_ms()); });
  kernel->set_panic_timeout(2);
  kernel->spawn("crasher", [&] { kernel->panic("no reason"); });
  run_for(1999);
  EXPECT_THAT(resets, ElementsAre());
  EXPECT_FALSE(kernel->quiet());
  run_for(2);
  EXPECT_THAT(resets, ElementsAre(2000));
  EXPECT_TRUE(kernel->quiet());
}

// ------------------------------------------------------------------------------------------------------------- time

class timing : public kernel_test {};

TEST_F(timing, milliseconds_round_up_to_jiffies) {
  make();
  EXPECT_EQ(kernel->hz(), 250u);
  EXPECT_EQ(kernel->msecs_to_jiffies(5000), 1250u);
  EXPECT_EQ(kernel->msecs_to_jiffies(1), 1u);
  EXPECT_EQ(kernel->msecs_to_jiffies(5), 2u);
}

TEST_F(timing, a_timeout_of_five_seconds_ends_at_the_tick_after_it) {
  make();
  double end = 0;
  unsigned long left = 99;
  os::completion never(*kernel);
  kernel->spawn("t", [&] {
    kernel->udelay(1000);
    left = never.wait_timeout(kernel->msecs_to_jiffies(5000));
    end = now_ms();
  });
  run_for(6000);
  EXPECT_EQ(left, 0u);
  EXPECT_DOUBLE_EQ(end, 5004);  // armed in tick 0: expires with tick 1251
}

TEST_F(timing, the_timer_wheel_makes_long_timeouts_late) {
  make();
  set("timer_wheel", "true");
  double end = 0;
  os::completion never(*kernel);
  kernel->spawn("t", [&] { never.wait_timeout(1250), end = now_ms(); });
  run_for(6000);
  EXPECT_DOUBLE_EQ(end, 1280 * 4.0);  // the third level of the wheel has steps of 64 ticks
}

TEST_F(timing, hz_is_a_parameter) {
  set("hz", "1000");
  make();
  EXPECT_EQ(kernel->msecs_to_jiffies(5), 5u);
}

TEST_F(timing, a_completed_wait_returns_what_was_left) {
  make();
  unsigned long left = 0;
  os::completion done(*kernel);
  kernel->spawn("waiter", [&] { left = done.wait_timeout(100); });
  kernel->spawn("completer", [&] { kernel->udelay(42000), done.complete(); });
  run_for(1000);
  EXPECT_EQ(left, 90u);  // 42 ms is in tick 10
  EXPECT_FALSE(done.done());
}

TEST_F(timing, a_completion_before_the_wait_is_not_lost_and_reinit_forgets_it) {
  make();
  std::vector<unsigned long> left;
  os::completion done(*kernel);
  kernel->spawn("t", [&] {
    done.complete();
    left.push_back(done.wait_timeout(10));
    done.complete();
    done.reinit();
    left.push_back(done.wait_timeout(10));
  });
  run_for(1000);
  EXPECT_THAT(left, ElementsAre(10, 0));
}

TEST_F(timing, usleep_range_stays_in_its_range_and_uses_it) {
  make();
  std::vector<double> slept;
  kernel->spawn("t", [&] {
    for (int i = 0; i < 200; ++i) {
      const double start = now_us();
      kernel->usleep_range(51, 200);
      slept.push_back(now_us() - start);
    }
  });
  run_for(100);
  ASSERT_EQ(slept.size(), 200u);
  EXPECT_THAT(slept, testing::Each(testing::AllOf(testing::Ge(51), testing::Le(200))));
  EXPECT_LT(*std::ranges::min_element(slept), 60);
  EXPECT_GT(*std::ranges::max_element(slept), 190);
}

TEST_F(timing, a_poll_gives_up_after_its_time_with_one_last_look) {
  make();
  int result = 0, polls = 0;
  std::vector<double> gaps;
  double last = 0, end = 0;
  kernel->spawn("t", [&] {
    result = kernel->poll_timeout(
        [&] {
          if (polls++ > 0 && now_us() != last) gaps.push_back(now_us() - last);
          last = now_us();
          return false;
        },
        200, 2000);
    end = now_us();
  });
  run_for(10);
  EXPECT_EQ(result, -ETIMEDOUT);
  EXPECT_GT(end, 2000);
  EXPECT_LE(end, 2200);
  EXPECT_EQ(static_cast<std::size_t>(polls), gaps.size() + 2);  // the first look, and two at the end
  EXPECT_THAT(gaps, testing::Each(testing::AllOf(testing::Ge(50.99), testing::Le(200.01))));
}

TEST_F(timing, a_poll_that_succeeds_in_its_last_look_succeeds) {
  make();
  int result = -1;
  kernel->spawn("t", [&] { result = kernel->poll_timeout([] { return now_us() > 2000; }, 200, 2000); });
  run_for(10);
  EXPECT_EQ(result, 0);
}

TEST_F(timing, msleep_takes_a_tick_more) {
  make();
  double end = 0;
  kernel->spawn("t", [&] { kernel->msleep(1), end = now_ms(); });
  run_for(100);
  EXPECT_DOUBLE_EQ(end, 12);  // 1 ms is one jiffy, plus one, and never early
}

// ------------------------------------------------------------------------------------------------------------ locks

class locks : public kernel_test {};

TEST_F(locks, a_mutex_is_handed_on_in_order) {
  make();
  os::mutex m(*kernel, "m");
  std::string order;
  for (const char name : {'a', 'b', 'c', 'd'}) {
    kernel->spawn(std::string(1, name), [&, name] {
      kernel->udelay(static_cast<unsigned>(name - 'a') + 1);
      const os::mutex_guard guard(m);
      order += name;
      kernel->usleep_range(100, 100);
    });
  }
  run_for(10);
  EXPECT_EQ(order, "abcd");
  EXPECT_FALSE(m.locked());
}

TEST_F(locks, a_race_search_permutes_who_comes_next) {
  make();
  kernel->permute_wakeups(true);
  os::mutex m(*kernel, "m");
  std::string order;
  for (char name = 'a'; name < 'm'; ++name) {
    kernel->spawn(std::string(1, name), [&, name] {
      kernel->udelay(static_cast<unsigned>(name - 'a') + 1);
      const os::mutex_guard guard(m);
      order += name;
      kernel->usleep_range(100, 100);
    });
  }
  run_for(10);
  EXPECT_EQ(order.size(), 12u);
  EXPECT_NE(order, "abcdefghijkl");
}

TEST_F(locks, a_signal_ends_an_interruptible_wait_only) {
  make();
  os::mutex m(*kernel, "m");
  int interrupted = 0;
  double at = 0;
  bool got = false;
  kernel->spawn("owner", [&] { m.lock(), kernel->udelay(1000), m.unlock(); });
  thread& a = kernel->spawn("a", [&] { kernel->udelay(10), interrupted = m.lock_interruptible(), at = now_us(); });
  thread& b = kernel->spawn("b", [&] { kernel->udelay(20), m.lock(), got = true, m.unlock(); });
  kernel->spawn("killer", [&] { kernel->udelay(100), kernel->send_signal(a), kernel->send_signal(b); });
  run_for(10);
  EXPECT_EQ(interrupted, -EINTR);
  EXPECT_DOUBLE_EQ(at, 100);
  EXPECT_TRUE(got);
}

TEST_F(locks, an_oops_keeps_the_lock_and_whoever_wants_it_hangs) {
  make();
  recorder events(context);
  os::mutex m(*kernel, "m");
  bool after_oops = false, locked = false;
  thread& dying = kernel->spawn("dying", [&] {
    const os::mutex_guard guard(m);
    kernel->oops("H4", "double free of clean_table");
    after_oops = true;
  });
  thread& waiting = kernel->spawn("waiting", [&] { kernel->udelay(10), m.lock(), locked = true; });
  run_for(100000);
  EXPECT_TRUE(kernel->ended(dying));
  EXPECT_FALSE(kernel->ended(waiting));
  EXPECT_FALSE(after_oops);
  EXPECT_FALSE(locked);
  ASSERT_THAT(events.values("host.oops", "hazard"), ElementsAre("H4"));
  EXPECT_THAT(events.values("host.oops", "thread"), ElementsAre("dying"));
}

TEST_F(locks, a_bus_error_is_an_oops) {
  make();
  recorder events(context);
  bool survived = false;
  kernel->spawn("t", [&] { kernel->readl(fake_core::BROKEN + 4), survived = true; });
  std::uint32_t value = 0;
  bool tried = true;
  kernel->spawn("careful", [&] { tried = kernel->try_read(fake_core::BROKEN, &value, 4); });
  run_for(1);
  EXPECT_FALSE(survived);
  EXPECT_FALSE(tried);
  EXPECT_THAT(events.values("host.oops", "hazard"), ElementsAre("external-abort"));
  EXPECT_THAT(events.values("host.oops", "text")[0], testing::HasSubstr("0xdead0004"));
}

TEST_F(locks, registers_are_copied_word_by_word_and_a_bus_error_on_the_way_is_an_oops) {
  make();
  recorder events(context);
  std::array<std::uint32_t, 3> words{};
  bool survived = false;
  kernel->spawn("t", [&] {
    kernel->iowrite32_copy(0x1000, std::array<std::uint32_t, 3>{1, 2, 3});
    kernel->ioread32_copy(words, 0x1000);
    kernel->ioread32_copy(words, fake_core::BROKEN - 4);
    survived = true;
  });
  run_for(1);
  EXPECT_THAT(words, ElementsAre(0u, 2u, 3u)) << "the first of the last copy";
  EXPECT_EQ(core->registers[0x1008], 3u);
  EXPECT_FALSE(survived);
  EXPECT_THAT(events.values("host.oops", "text"), ElementsAre(testing::HasSubstr("read of 4 bytes at 0xdead0000")));
}

TEST_F(locks, a_spinning_thread_keeps_its_cpu) {
  make(2);
  os::spinlock lock(*kernel);
  std::vector<double> times;
  for (int i = 0; i < 2; ++i) {
    kernel->spawn("t", [&] {
      const os::spinlock_guard guard(lock);
      kernel->udelay(100);
      times.push_back(now_us());
    });
  }
  kernel->spawn("third", [&] { times.push_back(now_us()); });
  run_for(1);
  EXPECT_THAT(times, ElementsAre(100, 100, 200));  // the third waits for a CPU although one thread only spins
}

TEST_F(locks, sleeping_under_a_spinlock_fails_loudly) {
  make();
  os::spinlock lock(*kernel);
  bool threw = false;
  kernel->spawn("t", [&] {
    lock.lock();
    try {
      kernel->msleep(1);
    } catch (const std::logic_error&) {
      threw = true;
    }
    lock.unlock();
  });
  run_for(100);
  EXPECT_TRUE(threw);
}

// ------------------------------------------------------------------------------------------------------- interrupts

class interrupts : public kernel_test {
 protected:
  /// A device that keeps its line up until its register is written.
  void raise() { core->set_line(IRQ, true); }
  void lower() { core->set_line(IRQ, false); }
  void at_us(double us, std::function<void()> f) {
    sc_core::sc_spawn([us, f] {
      sc_core::wait(sc_core::sc_time(us, sc_core::SC_US));
      f();
    });
  }
};

TEST_F(interrupts, a_hard_handler_runs_after_the_entry_time_and_completes_a_wait) {
  make();
  set("irq_entry", "3us");
  os::completion done(*kernel);
  double handled = 0, woke = 0;
  kernel->spawn("t", [&] {
    ASSERT_EQ(kernel->request_irq(
                  IRQ,
                  [&] {
                    handled = now_us(), lower(), done.complete();
                    return os::irqreturn::handled;
                  },
                  os::IRQF_NONE, "dev"),
              0);
    done.wait();
    woke = now_us();
  });
  at_us(50, [&] { raise(); });
  run_for(1);
  EXPECT_DOUBLE_EQ(handled, 53);
  EXPECT_DOUBLE_EQ(woke, 53);
  EXPECT_TRUE(core->enabled(IRQ));
}

TEST_F(interrupts, one_shot_keeps_the_line_masked_until_the_thread_is_done) {
  make();
  std::vector<double> starts;
  bool masked_inside = false;
  kernel->spawn("t", [&] {
    ASSERT_EQ(kernel->request_threaded_irq(
                  IRQ, {},
                  [&] {
                    starts.push_back(now_us());
                    kernel->usleep_range(100, 100);
                    masked_inside = !core->enabled(IRQ);
                    if (starts.size() == 2) lower();
                    return os::irqreturn::handled;
                  },
                  os::IRQF_ONESHOT, "dev"),
              0);
  });
  at_us(50, [&] { raise(); });
  run_for(1);
  ASSERT_EQ(starts.size(), 2u);  // the level was still up after the first: once more, not a storm
  EXPECT_NEAR(starts[0], 50, 1);
  EXPECT_NEAR(starts[1], 150, 1);
  EXPECT_TRUE(masked_inside);
  EXPECT_TRUE(core->enabled(IRQ));
}

TEST_F(interrupts, a_threaded_handler_without_one_shot_is_refused_as_is_a_second_unshared_one) {
  make();
  std::vector<int> results;
  kernel->spawn("t", [&] {
    const auto nothing = [] { return os::irqreturn::handled; };
    results.push_back(kernel->request_threaded_irq(IRQ, {}, nothing, os::IRQF_NONE, "a"));
    results.push_back(kernel->request_irq(IRQ, nothing, os::IRQF_NONE, "a"));
    results.push_back(kernel->request_irq(IRQ, nothing, os::IRQF_SHARED, "b"));
    results.push_back(kernel->request_irq(IRQ + 1, nothing, os::IRQF_SHARED, "a"));
    results.push_back(kernel->request_irq(IRQ + 1, nothing, os::IRQF_SHARED, "b"));
  });
  run_for(1);
  EXPECT_THAT(results, ElementsAre(-EINVAL, 0, -EBUSY, 0, 0));
}

TEST_F(interrupts, a_shared_line_calls_all_and_freeing_the_last_masks_it) {
  make();
  std::string called;
  kernel->spawn("t", [&] {
    kernel->request_irq(
        IRQ,
        [&] {
          called += 'a';
          return os::irqreturn::none;
        },
        os::IRQF_SHARED, "a");
    kernel->request_irq(
        IRQ,
        [&] {
          called += 'b', lower();
          return os::irqreturn::handled;
        },
        os::IRQF_SHARED, "b");
    kernel->usleep_range(100, 100);
    kernel->free_irq(IRQ, "a");
    EXPECT_TRUE(core->enabled(IRQ));
    kernel->free_irq(IRQ, "b");
    EXPECT_FALSE(core->enabled(IRQ));
  });
  at_us(50, [&] { raise(); });
  run_for(1);
  EXPECT_EQ(called, "ab");
}

TEST_F(interrupts, free_irq_waits_for_the_running_thread) {
  make();
  double freed = 0;
  kernel->spawn("t", [&] {
    kernel->request_threaded_irq(
        IRQ, {},
        [&] {
          lower(), kernel->usleep_range(300, 300);
          return os::irqreturn::handled;
        },
        os::IRQF_ONESHOT, "dev");
    kernel->usleep_range(100, 100);
    kernel->free_irq(IRQ, "dev");
    freed = now_us();
  });
  at_us(50, [&] { raise(); });
  run_for(1);
  EXPECT_GT(freed, 350);
}

TEST_F(interrupts, a_line_that_nobody_serves_is_closed) {
  make();
  set("irq_entry", "1us");
  recorder events(context);
  unsigned calls = 0;
  kernel->spawn("t", [&] {
    kernel->request_irq(
        IRQ,
        [&] {
          ++calls;
          return os::irqreturn::none;
        },
        os::IRQF_NONE, "dev");
  });
  at_us(50, [&] { raise(); });
  run_for(1000);
  EXPECT_EQ(calls, 100000u);
  EXPECT_FALSE(core->enabled(IRQ));
  EXPECT_THAT(events.values("host.log", "text"), ElementsAre("Disabling IRQ #108"));
}

TEST_F(interrupts, a_spinlock_on_cpu_0_holds_them_off) {
  make(1);
  os::spinlock lock(*kernel);
  double handled = 0;
  kernel->spawn("t", [&] {
    kernel->request_irq(
        IRQ,
        [&] {
          handled = now_us(), lower();
          return os::irqreturn::handled;
        },
        os::IRQF_NONE, "dev");
    const os::spinlock_guard guard(lock);
    kernel->udelay(200);
  });
  at_us(50, [&] { raise(); });
  run_for(1);
  EXPECT_NEAR(handled, 200, 1);
}

TEST_F(interrupts, the_thread_they_interrupt_pays_for_them) {
  make(1);
  set("irq_entry", "10us");
  std::vector<double> ends;
  kernel->spawn("t", [&] {
    kernel->request_irq(
        IRQ,
        [&] {
          lower();
          return os::irqreturn::handled;
        },
        os::IRQF_NONE, "dev");
    const double start = now_us();
    for (int i = 0; i < 2; ++i) kernel->udelay(100), ends.push_back(now_us() - start);
  });
  at_us(50, [&] { raise(); });
  run_for(1);
  EXPECT_THAT(ends, ElementsAre(100, 210));
}

TEST_F(interrupts, an_oops_in_a_hard_handler_is_a_panic) {
  make();
  recorder events(context);
  bool went_on = false;
  kernel->spawn("t", [&] {
    kernel->request_irq(
        IRQ,
        [&] {
          kernel->readl(fake_core::BROKEN);
          return os::irqreturn::handled;
        },
        os::IRQF_NONE, "dev");
    kernel->msleep(100);
    went_on = true;
  });
  at_us(50, [&] { raise(); });
  run_for(1000);
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(kernel->powered_off());
  EXPECT_THAT(events.values("host.oops", "thread"), ElementsAre("interrupt"));
}

// ------------------------------------------------------------------------------------------------------------- work

class work_queue : public kernel_test {};

TEST_F(work_queue, a_queued_item_is_queued_once_and_runs_again_after_it_started) {
  make();
  int runs = 0;
  std::vector<bool> queued;
  os::work w([&] { ++runs, kernel->usleep_range(100, 100); });
  kernel->spawn("t", [&] {
    queued.push_back(kernel->schedule_work(w));
    queued.push_back(kernel->schedule_work(w));
    kernel->usleep_range(50, 50);  // it runs now
    queued.push_back(kernel->schedule_work(w));
  });
  run_for(1);
  EXPECT_THAT(queued, ElementsAre(true, false, true));
  EXPECT_EQ(runs, 2);
}

TEST_F(work_queue, an_item_never_runs_twice_at_once_though_others_run_beside_it) {
  make();
  int inside = 0, most = 0, others = 0;
  os::work w([&] {
    most = std::max(most, ++inside);
    kernel->usleep_range(100, 100);
    --inside;
  });
  os::work other([&] { ++others; });
  double other_at = 0;
  kernel->spawn("t", [&] {
    kernel->schedule_work(w);
    kernel->usleep_range(10, 10);
    kernel->schedule_work(w);
    kernel->schedule_work(other);
    kernel->flush_work(other);
    other_at = now_us();
    kernel->flush_work(w);
    EXPECT_NEAR(now_us(), 200, 1);
  });
  run_for(1);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(others, 1);
  EXPECT_LT(other_at, 20);
}

TEST_F(work_queue, four_items_run_at_once_and_the_fifth_waits) {
  make(8);
  std::vector<double> starts;
  std::list<os::work> items;
  for (int i = 0; i < 5; ++i) items.emplace_back([&] { starts.push_back(now_us()), kernel->usleep_range(100, 100); });
  kernel->spawn("t", [&] {
    for (os::work& w : items) kernel->schedule_work(w);
  });
  run_for(1);
  EXPECT_THAT(starts, ElementsAre(0, 0, 0, 0, 100));
}

TEST_F(work_queue, cancel_takes_back_what_waits_and_waits_for_what_runs) {
  make();
  std::list<os::work> busy;
  for (int i = 0; i < 4; ++i) busy.emplace_back([&] { kernel->usleep_range(100, 100); });
  bool ran = false;
  os::work waiting([&] { ran = true; });
  bool pending = false, running = true;
  double end = 0;
  kernel->spawn("t", [&] {
    for (os::work& w : busy) kernel->schedule_work(w);
    kernel->schedule_work(waiting);
    kernel->usleep_range(10, 10);
    pending = kernel->cancel_work_sync(waiting);
    running = kernel->cancel_work_sync(busy.front());
    end = now_us();
  });
  run_for(1);
  EXPECT_TRUE(pending);
  EXPECT_FALSE(running);
  EXPECT_DOUBLE_EQ(end, 100);
  EXPECT_FALSE(ran);
}

TEST_F(work_queue, an_oops_in_an_item_costs_its_worker_only) {
  make();
  bool ran = false, cancelled = false;
  os::work bad([&] { kernel->oops("test", "boom"); });
  os::work good([&] { ran = true; });
  kernel->spawn("t", [&] {
    kernel->schedule_work(bad);
    kernel->usleep_range(10, 10);
    kernel->schedule_work(good);
    kernel->flush_work(good);
    kernel->cancel_work_sync(bad);  // it never finishes
    cancelled = true;
  });
  run_for(100);
  EXPECT_TRUE(ran);
  EXPECT_FALSE(cancelled);
}

// -------------------------------------------------------------------------------------------------------------- log

class kernel_log : public kernel_test {};

TEST_F(kernel_log, lines_are_events_and_debug_ones_are_detail) {
  make();
  recorder protocol(context), detail(context, trace_level::detail);
  kernel->printk(os::log_level::err, "5000000.m4fss", "could not assert local reset");
  kernel->printk(os::log_level::debug, "5000000.m4fss", "mbox msg: 0x0");
  EXPECT_THAT(protocol.values("host.log", "level"), ElementsAre("err"));
  EXPECT_THAT(detail.values("host.log", "level"), ElementsAre("err", "debug"));
  EXPECT_THAT(kernel->dmesg(), ElementsAre("[    0.000000] 5000000.m4fss: could not assert local reset"));
}

}  // namespace
}  // namespace rpsim::test
