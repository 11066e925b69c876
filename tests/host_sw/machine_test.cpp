#include "host_sw/os/driver.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {
namespace {

using os::device;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* SOURCE = R"(/dts-v1/;
/ {
	#address-cells = <1>;
	#size-cells = <1>;
	consumer@5000000 { compatible = "test,consumer"; reg = <0x5000000 0x1000>; };
	provider: provider@4000 {
		compatible = "test,provider";
		reg = <0x4000 0x10>;
		child { compatible = "test,child"; };
	};
	hidden@6000 {
		compatible = "test,consumer";
		reg = <0x6000 0x10>;
		status = "reserved";
		child { compatible = "test,consumer"; };
	};
	hardware@7000 { compatible = "rpsim,thing"; reg = <0x7000 0x10>; };
};
)";

class machine : public kernel_test {
 protected:
  void SetUp() override {
    tree = dt::tree::compile_text(SOURCE, "test.dts");
    make();
    m = std::make_unique<os::machine>(*kernel, *tree);
  }
  void in_thread(std::function<void()> body) {
    os::thread& t = kernel->spawn("test", std::move(body));
    run_for(10000);
    ASSERT_TRUE(kernel->ended(t));
  }
  os::platform_driver driver(const std::string& name, std::function<int(device&)> probe = {}) {
    return {.name = name,
            .compatible = {"test," + name},
            .probe =
                [this, probe](device& d) {
                  log.push_back("probe " + d.name);
                  return probe ? probe(d) : 0;
                },
            .remove = [this](device& d) { log.push_back("remove " + d.name); }};
  }
  std::unique_ptr<os::machine> m;
  std::vector<std::string> log;
};

TEST_F(machine, devices_have_linux_names_and_their_sysfs_nodes) {
  m->add_driver(driver("consumer"));
  in_thread([&] { m->probe_all(); });
  EXPECT_THAT(m->fs().list("/sys/bus/platform/devices"),
              ElementsAre("4000.provider", "4000.provider:child", "5000000.consumer"));
  EXPECT_TRUE(m->fs().exists("/sys/bus/platform/drivers/consumer/5000000.consumer"));
  EXPECT_TRUE(m->fs().exists("/sys/bus/platform/devices/5000000.consumer/driver/bind"));
  EXPECT_FALSE(m->fs().exists("/sys/bus/platform/devices/4000.provider/driver"));
}

TEST_F(machine, a_deferred_probe_is_tried_again_after_another_one_succeeded) {
  int interface = 42;
  m->add_driver(driver("consumer", [&](device&) {
    return m->provider_of<int>(tree->by_label("provider")) == &interface ? 0 : -os::EPROBE_DEFER;
  }));
  m->add_driver(driver("provider", [&](device& d) { return m->provide<int>(d.node, &interface), 0; }));
  in_thread([&] { m->probe_all(); });
  EXPECT_THAT(log, ElementsAre("probe 5000000.consumer", "probe 4000.provider", "probe 5000000.consumer"));
}

TEST_F(machine, a_probe_that_never_can_is_reported_and_a_failed_one_is_logged) {
  recorder events(context);
  m->add_driver(driver("consumer", [](device&) { return -os::EPROBE_DEFER; }));
  m->add_driver(driver("provider", [](device&) { return -ENODEV; }));
  in_thread([&] { m->probe_all(); });
  EXPECT_THAT(events.values("host.log", "text"), ElementsAre("probe with driver provider failed with error -19",
                                                             "deferred probe pending: (reason unknown)"));
}

TEST_F(machine, bind_and_unbind_go_through_sysfs_with_linux_errors) {
  m->add_driver(driver("consumer"));
  m->add_driver(driver("child", [](device&) { return -os::EPROBE_DEFER; }));
  os::vfs& fs = m->fs();
  const std::string drivers = "/sys/bus/platform/drivers/";
  in_thread([&] {
    m->probe_all();
    log.clear();
    EXPECT_EQ(fs.write(drivers + "consumer/bind", "5000000.consumer\n").error(), EBUSY);
    EXPECT_EQ(fs.write(drivers + "consumer/bind", "4000.provider\n").error(), ENODEV);
    EXPECT_EQ(fs.write(drivers + "consumer/unbind", "nothing").error(), ENODEV);
    EXPECT_EQ(fs.write(drivers + "child/bind", "4000.provider:child").error(), EAGAIN);
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(fs.write(drivers + "consumer/unbind", "5000000.consumer\n").value(), 17u);
      EXPECT_FALSE(fs.exists(drivers + "consumer/5000000.consumer"));
      EXPECT_EQ(fs.write(drivers + "consumer/bind", "5000000.consumer\n").value(), 17u);
      EXPECT_TRUE(fs.exists(drivers + "consumer/5000000.consumer"));
    }
  });
  EXPECT_THAT(log, ElementsAre("probe 4000.provider:child", "remove 5000000.consumer", "probe 5000000.consumer",
                               "remove 5000000.consumer", "probe 5000000.consumer"));
}

TEST_F(machine, driver_data_lives_until_remove_has_returned) {
  std::weak_ptr<void> data;
  bool alive_in_remove = false;
  os::platform_driver d = driver("consumer", [&](device& dev) {
    dev.driver_data = std::make_shared<int>(1);
    data = dev.driver_data;
    return 0;
  });
  d.remove = [&](device&) { alive_in_remove = !data.expired(); };
  m->add_driver(std::move(d));
  in_thread([&] {
    m->probe_all();
    ASSERT_TRUE(m->fs().write("/sys/bus/platform/drivers/consumer/unbind", "5000000.consumer"));
  });
  EXPECT_TRUE(alive_in_remove);
  EXPECT_TRUE(data.expired());
}

class sleep : public machine {
 protected:
  void SetUp() override {
    machine::SetUp();
    set("suspend_time", "2s");
  }
  void notifier(const std::string& name, int result) {
    m->add_pm_notifier([this, name, result](os::pm_event e) {
      log.push_back(name + (e == os::pm_event::suspend_prepare ? " prepare" : " post"));
      return e == os::pm_event::suspend_prepare ? result : 0;
    });
  }
  void op(const std::string& device, int result) {
    m->add_suspend_op(
        device, [this, device, result] { return log.push_back("suspend " + device), result; },
        [this, device] { log.push_back("resume " + device); });
  }
  int echo_mem() {
    int error = -1;
    in_thread([&] {
      m->probe_all();
      const auto result = m->fs().write("/sys/power/state", "mem\n");
      error = result ? 0 : result.error();
      end_ms = now_ms();
    });
    return error;
  }
  double end_ms = 0;
};

TEST_F(sleep, goes_down_in_reverse_device_order_and_comes_back_after_its_time) {
  notifier("n", 0);
  op("5000000.consumer", 0);  // created first
  op("4000.provider", 0);
  EXPECT_EQ(echo_mem(), 0);
  EXPECT_THAT(log, ElementsAre("n prepare", "suspend 4000.provider", "suspend 5000000.consumer",
                               "resume 5000000.consumer", "resume 4000.provider", "n post"));
  EXPECT_DOUBLE_EQ(end_ms, 2000);
}

TEST_F(sleep, a_notifier_that_refuses_ends_it_and_only_those_before_it_hear_of_that) {
  notifier("a", 0);
  notifier("b", -EBUSY);
  notifier("c", 0);
  op("4000.provider", 0);
  EXPECT_EQ(echo_mem(), EBUSY);
  EXPECT_THAT(log, ElementsAre("a prepare", "b prepare", "a post"));
  EXPECT_DOUBLE_EQ(end_ms, 0);
}

TEST_F(sleep, a_device_that_refuses_wakes_those_already_asleep) {
  notifier("n", 0);
  op("5000000.consumer", -EBUSY);
  op("4000.provider", 0);
  EXPECT_EQ(echo_mem(), EBUSY);
  EXPECT_THAT(log, ElementsAre("n prepare", "suspend 4000.provider", "suspend 5000000.consumer", "resume 4000.provider",
                               "n post"));
}

TEST_F(sleep, only_mem_is_a_state) {
  in_thread([&] {
    EXPECT_EQ(m->fs().write("/sys/power/state", "disk\n").error(), EINVAL);
    EXPECT_EQ(m->fs().read("/sys/power/state").value(), "mem\n");
  });
}

}  // namespace
}  // namespace rpsim::test
