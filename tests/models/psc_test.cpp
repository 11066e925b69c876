#include "models/ti_sci/psc.h"

#include "tests/models/ti_sci_bench.h"

namespace rpsim::test {
namespace {

using sc_core::SC_NS;
using sc_core::SC_US;
using enum module_state;

/// One module with the given properties and one core in it.
struct psc_bench {
  sim_context context;
  recorder log;
  std::unique_ptr<dt::tree> tree;
  psc_timing timing;
  lpsc module;
  struct fed : sc_core::sc_module {
    sc_core::sc_in<bool> wfi{"wfi"};
    explicit fed(sc_core::sc_module_name name) : sc_module(name) {}
  } core{"core"};
  sc_core::sc_signal<bool> wfi{"wfi_line"};

  explicit psc_bench(const std::string& properties, unsigned boot_references = 0)
      : tree(compile("l: l { rpsim,lpsc = <6>; " + properties + " };")),
        timing(context.params, "dm"),
        module("l", context, "dm", tree->by_label("l"), timing, boot_references) {
    context.trace.add(log);
    core.wfi.bind(wfi);
    module.add_core("m4f", core.wfi);
  }

  /// The state in which the module ends, and how long it took.
  std::pair<module_state, sc_time> settled() {
    const sc_time start = sc_core::sc_time_stamp();
    if (module.busy()) sc_core::wait(sc_time(1, sc_core::SC_MS), module.settled());
    return {module.state(), sc_core::sc_time_stamp() - start};
  }
  std::vector<std::string> path() const {
    std::vector<std::string> p;
    for (const std::string& line : log.lines("lpsc.state")) p.push_back(line.substr(sizeof "dm lpsc=6"));
    return p;
  }
};

TEST(psc, a_module_follows_its_references_and_its_reset) {
  psc_bench b("");
  simulate([&] {
    b.wfi.write(true);
    sc_core::wait(1, SC_US);
    EXPECT_EQ(b.module.state(), sw_rst_disable);
    struct {
      int enabled, retained;
      bool module_reset;
      module_state expected;
    } const steps[] = {{0, 1, false, disable}, {0, 0, true, sw_rst_disable}, {1, 0, true, sync_reset},
                       {0, 0, false, enable},  {0, -1, false, enable},       {-1, 0, false, sw_rst_disable}};
    for (const auto& s : steps) {
      b.module.set_module_reset(s.module_reset);
      b.settled();
      b.module.reference(s.enabled, s.retained);
      EXPECT_EQ(b.settled().first, s.expected);
    }
  });
}

TEST(psc, without_module_reset_or_clock_gating_states_are_promoted) {
  psc_bench b("rpsim,no-module-reset;");
  simulate([&] {
    b.wfi.write(true);
    EXPECT_EQ(b.module.state(), disable);
    b.module.reference(1, 0);
    EXPECT_EQ(b.settled().first, enable);
    b.module.set_module_reset(true);
    EXPECT_FALSE(b.module.module_reset());
    EXPECT_EQ(b.module.state(), enable);
    b.module.reference(-1, 0);
    EXPECT_EQ(b.settled().first, disable);
    EXPECT_EQ(b.module.context_losses(), 0u) << "it never was in reset";
  });
}

TEST(psc, a_module_without_clock_gating_is_enabled_in_retention) {
  psc_bench b("rpsim,no-clock-gating;");
  simulate([&] {
    b.module.reference(0, 1);
    EXPECT_EQ(b.settled().first, enable);
  });
}

TEST(psc, always_on_means_enabled_without_references) {
  psc_bench b("rpsim,always-on;");
  simulate([&] {
    EXPECT_EQ(b.module.state(), enable);
    sc_core::wait(1, SC_NS);
    EXPECT_EQ(b.module.state_line().read(), enable);
  });
}

TEST(psc, a_transition_takes_its_time_and_passes_through_trans) {
  psc_bench b("");
  simulate([&] {
    b.wfi.write(true);
    sc_core::wait(1, SC_US);
    b.module.reference(1, 0);
    EXPECT_TRUE(b.module.busy());
    EXPECT_EQ(b.module.state_line().read(), sw_rst_disable) << "the line follows a delta later";
    sc_core::wait(1, SC_NS);
    EXPECT_EQ(b.module.state_line().read(), trans);
    const auto [state, took] = b.settled();
    EXPECT_EQ(state, enable);
    EXPECT_EQ(took, sc_time(5, SC_US) - sc_time(1, SC_NS));
    sc_core::wait(1, SC_NS);
    EXPECT_EQ(b.module.state_line().read(), enable);
  });
  EXPECT_THAT(b.path(), testing::ElementsAre("from=SwRstDisable to=Trans", "from=Trans to=Enable"));
}

TEST(psc, a_power_domain_goes_off_takes_longer_and_keeps_its_distance) {
  psc_bench b("rpsim,power-domain;");
  simulate([&] {
    b.wfi.write(true);
    EXPECT_EQ(b.module.state(), off);
    for (int round = 0; round < 2; ++round) {
      sc_core::wait(1, sc_core::SC_MS);
      b.module.reference(1, 0);
      EXPECT_EQ(b.settled(), std::make_pair(enable, sc_time(30, SC_US)));
      b.module.reference(-1, 0);
      EXPECT_EQ(b.settled(), std::make_pair(off, sc_time(30, SC_US)));
    }
    sc_core::wait(4, SC_US);
    b.module.reference(1, 0);
    EXPECT_EQ(b.settled(), std::make_pair(enable, sc_time(36, SC_US))) << "10 us off at least";
  });
}

TEST(psc, in_module_reset_with_retention_the_domain_stays_powered) {
  psc_bench b("rpsim,power-domain;");
  simulate([&] {
    b.module.reference(0, 1);
    EXPECT_EQ(b.settled().first, disable);
    b.module.set_module_reset(true);
    EXPECT_EQ(b.settled().first, sw_rst_disable) << "memories keep their content";
    b.module.reference(0, -1);
    EXPECT_EQ(b.settled().first, off);
  });
}

TEST(psc, context_is_lost_on_leaving_reset_not_on_going_off) {
  psc_bench b("rpsim,power-domain;");
  simulate([&] {
    b.wfi.write(true);
    sc_core::wait(1, SC_US);
    b.module.reference(1, 1);
    b.settled();
    EXPECT_EQ(b.module.context_losses(), 1u);
    b.module.reference(-1, 0);  // Disable
    b.settled();
    b.module.reference(1, 0);
    b.settled();
    EXPECT_EQ(b.module.context_losses(), 1u);
    b.module.set_module_reset(true);  // SyncReset
    b.settled();
    b.module.set_module_reset(false);
    b.settled();
    EXPECT_EQ(b.module.context_losses(), 2u);
    b.module.reference(-1, -1);
    b.settled();
    EXPECT_EQ(b.module.context_losses(), 2u);
    b.module.reference(1, 0);
    b.settled();
    EXPECT_EQ(b.module.context_losses(), 3u);
  });
}

TEST(psc, a_running_core_holds_the_transition_until_it_waits_for_an_interrupt) {
  psc_bench b("rpsim,local-reset;");
  simulate([&] {
    b.module.set_local_reset(false);
    b.module.reference(1, 0);
    EXPECT_EQ(b.settled().first, enable) << "switching on asks nobody";
    for (int round = 0; round < 2; ++round) {
      b.module.reference(-1, 0);
      sc_core::wait(1, sc_core::SC_MS);
      EXPECT_EQ(b.module.state(), trans);
      b.wfi.write(true);
      EXPECT_EQ(b.settled(), std::make_pair(sw_rst_disable, sc_time(5, SC_US)));
      b.wfi.write(false);
      b.module.reference(1, 0);
      EXPECT_EQ(b.settled().first, enable);
    }
  });
}

TEST(psc, a_command_given_in_trans_is_carried_out_after_the_pending_one) {
  psc_bench b("rpsim,local-reset;");
  simulate([&] {
    b.module.set_local_reset(false);
    b.module.reference(1, 0);
    b.settled();
    b.module.reference(-1, 0);
    sc_core::wait(1, SC_US);
    b.module.reference(1, 0);
    sc_core::wait(1, sc_core::SC_MS);
    EXPECT_EQ(b.module.state(), trans) << "stuck in both directions";
    b.wfi.write(true);
    EXPECT_EQ(b.settled(), std::make_pair(enable, sc_time(10, SC_US)));
  });
  EXPECT_THAT(b.path(),
              testing::ElementsAre("from=SwRstDisable to=Trans", "from=Trans to=Enable", "from=Enable to=Trans",
                                   "from=Trans to=SwRstDisable", "from=SwRstDisable to=Trans", "from=Trans to=Enable"));
}

TEST(psc, a_core_in_local_reset_holds_nothing) {
  psc_bench b("rpsim,local-reset;");
  simulate([&] {
    b.module.set_local_reset(false);
    b.module.reference(1, 0);
    b.settled();
    b.module.set_local_reset(true);
    b.module.reference(-1, 0);
    EXPECT_EQ(b.settled(), std::make_pair(sw_rst_disable, sc_time(5, SC_US)));

    b.module.set_local_reset(false);
    b.module.reference(1, 0);
    b.settled();
    b.module.reference(-1, 0);
    sc_core::wait(100, SC_US);
    EXPECT_TRUE(b.module.busy());
    b.module.set_local_reset(true);
    EXPECT_EQ(b.settled(), std::make_pair(sw_rst_disable, sc_time(5, SC_US))) << "also when it comes later";
  });
}

TEST(psc, the_wait_for_wfi_can_be_switched_off) {
  psc_bench b("rpsim,local-reset;");
  ASSERT_TRUE(b.context.params.set("dm.trans_when_not_in_wfi", "false"));
  simulate([&] {
    b.module.set_local_reset(false);
    b.module.reference(1, 0);
    b.settled();
    b.module.reference(-1, 0);
    EXPECT_EQ(b.settled().first, sw_rst_disable);
  });
}

TEST(psc, a_wfi_that_comes_and_goes_does_not_shorten_a_transition) {
  psc_bench b("");
  simulate([&] {
    b.module.reference(1, 0);
    for (int i = 1; i < 5; ++i) {
      sc_core::wait(1, SC_US);
      b.wfi.write(i % 2 != 0);
    }
    EXPECT_EQ(b.settled(), std::make_pair(enable, sc_time(1, SC_US)));
  });
}

TEST(psc, local_reset_starts_asserted_and_its_line_follows) {
  psc_bench b("rpsim,local-reset;");
  simulate([&] {
    sc_core::wait(1, SC_NS);
    EXPECT_TRUE(b.module.local_reset_line().read());
    for (int round = 0; round < 2; ++round) {
      b.module.set_local_reset(false);
      b.module.set_local_reset(false);
      sc_core::wait(1, SC_NS);
      EXPECT_FALSE(b.module.local_reset_line().read());
      b.module.set_local_reset(true);
      sc_core::wait(1, SC_NS);
      EXPECT_TRUE(b.module.local_reset_line().read());
    }
  });
  EXPECT_EQ(b.log.count("reset.assert", "core=m4f kind=local"), 2u);
  EXPECT_EQ(b.log.count("reset.deassert", "core=m4f kind=local"), 2u);
}

TEST(psc, a_module_without_local_reset_has_none) {
  psc_bench b("");
  simulate([&] {
    b.module.set_local_reset(true);
    sc_core::wait(1, SC_NS);
    EXPECT_FALSE(b.module.local_reset());
    EXPECT_FALSE(b.module.local_reset_line().read());
  });
  EXPECT_EQ(b.log.count("reset.assert"), 0u);
}

TEST(psc, settling_ends_a_transition_and_the_next_one_takes_its_full_time) {
  psc_bench b("rpsim,power-domain; rpsim,local-reset;");
  simulate([&] {
    sc_core::wait(1, SC_US);
    b.module.reference(1, 0);
    b.module.settle();
    EXPECT_EQ(b.module.state(), enable);
    sc_core::wait(20, SC_US);
    b.module.reference(-1, 0);
    EXPECT_EQ(b.settled(), std::make_pair(off, sc_time(30, SC_US)));
  });
}

TEST(psc, boot_references_leave_the_module_on) {
  psc_bench b("rpsim,power-domain;", 1);
  simulate([&] {
    sc_core::wait(1, SC_NS);
    EXPECT_EQ(b.module.state_line().read(), enable);
    EXPECT_EQ(b.module.context_losses(), 0u);
  });
  EXPECT_EQ(b.log.count("lpsc.state"), 0u);
}

/// The bench's module and another one, which gets its clock through it.
struct pair_bench : psc_bench {
  std::unique_ptr<dt::tree> tree2 = compile("m: m { rpsim,lpsc = <7>; rpsim,local-reset; };");
  lpsc second{"m", context, "dm", tree2->by_label("m"), timing, 0};
  fed core2{"core2"};
  sc_core::sc_signal<bool> wfi2{"wfi2_line"};

  pair_bench() : psc_bench("rpsim,local-reset;") {
    core2.wfi.bind(wfi2);
    second.add_core("second", core2.wfi);
    second.depend_on(module);
  }
  std::vector<std::string> both() const {
    std::vector<std::string> p;
    for (const std::string& line : log.lines("lpsc.state")) p.push_back(line.substr(sizeof "dm"));
    return p;
  }
};

TEST(psc, a_module_that_depends_on_another_comes_after_it_and_goes_before_it) {
  pair_bench b;
  simulate([&] {
    for (int round = 0; round < 2; ++round) {
      b.second.reference(1, 0);
      while (b.second.busy()) sc_core::wait(b.second.settled());
      EXPECT_EQ(b.module.state(), enable);
      EXPECT_EQ(b.second.state(), enable);
      b.second.reference(-1, 0);
      while (b.module.busy()) sc_core::wait(b.module.settled());
      EXPECT_EQ(b.second.state(), sw_rst_disable);
      EXPECT_EQ(b.module.state(), sw_rst_disable);
    }
    EXPECT_EQ(sc_core::sc_time_stamp(), sc_time(40, SC_US)) << "four transitions after each other, in two rounds";
    EXPECT_EQ(b.module.context_losses(), 2u);
  });
  EXPECT_THAT(b.both(),
              testing::IsSupersetOf({"lpsc=6 from=Trans to=Enable", "lpsc=7 from=Trans to=Enable",
                                     "lpsc=7 from=Trans to=SwRstDisable", "lpsc=6 from=Trans to=SwRstDisable"}));
}

TEST(psc, what_others_depend_on_stays_on_without_references_of_its_own) {
  pair_bench b;
  simulate([&] {
    b.module.reference(1, 0);
    b.second.reference(1, 0);
    sc_core::wait(100, SC_US);
    b.module.reference(-1, 0);
    EXPECT_EQ(b.module.state(), enable);
    EXPECT_FALSE(b.module.busy());
    b.second.reference(-1, 1);  // Disable: the clock stops, the power stays
    sc_core::wait(100, SC_US);
    EXPECT_EQ(b.second.state(), disable);
    EXPECT_EQ(b.module.state(), disable);
    b.second.reference(0, -1);
    sc_core::wait(100, SC_US);
    EXPECT_EQ(b.module.state(), sw_rst_disable);
  });
}

TEST(psc, a_core_that_does_not_acknowledge_the_clock_stop_holds_what_its_module_depends_on) {
  pair_bench b;
  simulate([&] {
    b.second.set_local_reset(false);
    for (int round = 0; round < 2; ++round) {
      b.wfi2.write(false);
      b.second.reference(1, 0);
      sc_core::wait(100, SC_US);
      b.second.reference(-1, 0);
      sc_core::wait(1, sc_core::SC_MS);
      EXPECT_EQ(b.second.state(), trans);
      EXPECT_EQ(b.module.state(), trans);
      b.second.reference(1, 0);  // wanted again before that
      sc_core::wait(1, sc_core::SC_MS);
      b.wfi2.write(true);
      sc_core::wait(100, SC_US);
      EXPECT_EQ(b.second.state(), enable);
      EXPECT_EQ(b.module.state(), enable);
      b.second.reference(-1, 0);
      sc_core::wait(100, SC_US);
      EXPECT_EQ(b.module.state(), sw_rst_disable);
    }
  });
}

}  // namespace
}  // namespace rpsim::test
