// The secure-proxy driver, the TI-SCI client and the reset controller against the real secure proxy and device manager.

#include "host_sw/drivers/ti_sci.h"

#include "host_sw/drivers/reset_ti_sci.h"
#include "host_sw/drivers/ti_msgmgr.h"
#include "models/ti_sci/device_manager.h"
#include "platforms/platform.h"
#include "tests/host_sw/fake_host.h"

namespace rpsim::test {
namespace {

using drivers::ti_sci;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr unsigned M4F = 9, RTI = 131, PROCESSOR = 0x18;

/// The device manager's n-th request of a kind gets an action.
class one_fault final : public fault_hook {
 public:
  one_fault(std::string msg, unsigned first, unsigned count, fault_action action)
      : msg_(std::move(msg)), first_(first), end_(first + count), action_(action) {
    armed_ = true;
  }
  fault_action decide(std::string_view point, std::string_view, std::initializer_list<field> what) override {
    if (point != "tisci.request") return {};
    for (const field& f : what) {
      if (f.key == "msg" && f.text == msg_) {
        const unsigned n = seen_++;
        return n >= first_ && n < end_ ? action_ : fault_action{};
      }
    }
    return {};
  }

 private:
  std::string msg_;
  unsigned first_, end_, seen_ = 0;
  fault_action action_;
};

class ti_sci_client : public testing::Test {
 protected:
  ti_sci_client() {
    machine.add_driver(drivers::ti_msgmgr_driver(machine));
    machine.add_driver(drivers::ti_sci_driver(machine));
    machine.add_driver(drivers::ti_sci_reset_driver(machine));
  }
  void in_thread(std::function<void()> body, double seconds = 60) {
    os::thread& t = kernel.spawn("test", [this, body] {
      machine.probe_all();
      sci = machine.provider_of<ti_sci>(board.tree().by_label("dmsc"));
      ASSERT_NE(sci, nullptr);
      body();
    });
    sc_core::sc_start(sc_core::sc_time(seconds, sc_core::SC_SEC));
    ASSERT_TRUE(kernel.ended(t));
  }
  void arm(one_fault& f) { context.faults = &f; }
  static double now_s() { return sc_core::sc_time_stamp() / sc_core::sc_time(1, sc_core::SC_SEC); }

  sim_context context{5};
  platform board{context, dt::tree::compile(PLATFORMS "/k3-am62x.dts")};
  os::kernel kernel{"host", board.host(), context, {.gicd_base = 0x1800000}};
  os::machine machine{kernel, board.tree()};
  ti_sci* sci = nullptr;
};

TEST_F(ti_sci_client, asks_for_the_version_at_probe) {
  recorder events(context);
  in_thread([&] { EXPECT_EQ(sci->version().abi_major, 4); });
  EXPECT_THAT(events.values("tisci.request", "msg"), ElementsAre("VERSION"));
  EXPECT_THAT(events.values("host.log", "text"), Contains(HasSubstr("ABI: ")));
}

TEST_F(ti_sci_client, exclusive_means_that_others_are_refused) {
  recorder events(context);
  in_thread([&] {
    EXPECT_EQ(sci->get_device(M4F), 0);
    EXPECT_EQ(sci->get_device_exclusive(M4F), 0);
    EXPECT_EQ(sci->put_device(M4F), 0);
    dynamic_cast<device_manager&>(*board.find("dm")).boot_device(RTI, std::uint64_t{1} << 30);
    kernel.msleep(1);
    EXPECT_EQ(sci->get_device_exclusive(RTI), -ENODEV);
    EXPECT_EQ(sci->get_device(RTI), 0);
  });
}

TEST_F(ti_sci_client, a_device_is_on_while_a_host_holds_it) {
  recorder events(context);
  in_thread([&] {
    bool requested = true, on = true;
    EXPECT_EQ(sci->is_on(M4F, requested, on), 0);
    EXPECT_FALSE(requested);
    EXPECT_FALSE(on);
    EXPECT_EQ(sci->get_device(M4F), 0);
    EXPECT_EQ(sci->is_on(M4F, requested, on), 0);
    EXPECT_TRUE(requested);
    EXPECT_TRUE(on);
    EXPECT_EQ(sci->put_device(M4F), 0);
    EXPECT_EQ(sci->is_on(M4F, requested, on), 0);
    EXPECT_FALSE(on);
  });
  EXPECT_THAT(events.values("device.get", "device"), ElementsAre("9"));
  EXPECT_THAT(events.values("device.put", "device"), ElementsAre("9"));
}

TEST_F(ti_sci_client, a_nack_is_enodev_whatever_its_reason) {
  recorder events(context);
  in_thread([&] {
    bool requested = false, on = false;
    ti_sci::processor_status status;
    ti_sci::resource_range range;
    EXPECT_EQ(sci->get_device(999), -ENODEV);
    EXPECT_EQ(sci->is_on(999, requested, on), -ENODEV);
    EXPECT_EQ(sci->set_device_resets(M4F, 4), -ENODEV);
    EXPECT_EQ(sci->proc_release(PROCESSOR), -ENODEV);  // not ours
    EXPECT_EQ(sci->proc_get_status(0x77, status), -ENODEV);
    EXPECT_EQ(sci->get_resource_range(99, 0, range), -ENODEV);  // acknowledged with a range of none
  });
  EXPECT_THAT(events.values("tisci.response", "result"),
              ElementsAre("ACK", "NACK", "NACK", "NACK", "NACK", "NACK", "ACK"));
}

TEST_F(ti_sci_client, processor_calls_reach_the_device_manager) {
  recorder events(context);
  in_thread([&] {
    EXPECT_EQ(sci->proc_request(PROCESSOR), 0);
    EXPECT_EQ(sci->proc_set_config(PROCESSOR, 0x1'2345'6789, 1, 0), 0);
    EXPECT_EQ(sci->proc_set_control(PROCESSOR, 0, 0), 0);
    ti_sci::processor_status status;
    EXPECT_EQ(sci->proc_get_status(PROCESSOR, status), 0);
    EXPECT_EQ(status.boot_vector, 0x1'2345'6789u);
    EXPECT_EQ(status.config, 1u);
    EXPECT_EQ(status.status & ti_sci::STATUS_WFI, 0u);
    EXPECT_EQ(sci->proc_release(PROCESSOR), 0);
  });
  EXPECT_THAT(events.all("proc.request"), testing::SizeIs(1));
  EXPECT_THAT(events.all("proc.release"), testing::SizeIs(1));
}

TEST_F(ti_sci_client, a_resource_range_comes_with_start_and_count) {
  in_thread([&] {
    ti_sci::resource_range range;
    EXPECT_EQ(sci->get_resource_range(3, 0, range), 0);
    EXPECT_EQ(range.start, 0);
    EXPECT_EQ(range.count, 16);
  });
}

TEST_F(ti_sci_client, a_reset_is_two_round_trips_and_its_status_one) {
  recorder events(context);
  in_thread([&] {
    int error = 0;
    const auto reset = drivers::reset_control_get(machine, board.tree().by_label("mcu_m4fss"), error);
    ASSERT_NE(reset, nullptr);
    EXPECT_EQ(reset->assert_reset(), 0);
    EXPECT_GT(reset->status(), 0);
    EXPECT_EQ(reset->deassert_reset(), 0);
    EXPECT_EQ(reset->status(), 0);
  });
  EXPECT_THAT(events.values("tisci.request", "msg"),
              ElementsAre("VERSION", "GET_DEVICE", "SET_DEVICE_RESETS", "GET_DEVICE", "GET_DEVICE", "SET_DEVICE_RESETS",
                          "GET_DEVICE"));
}

TEST_F(ti_sci_client, silence_is_etimedout_after_the_second_that_am62x_s_compatible_string_means) {
  recorder events(context);
  one_fault silence("SET_DEVICE", 0, 1, {.what = fault_action::kind::silence});
  arm(silence);
  in_thread([&] {
    const double start = now_s();
    EXPECT_EQ(sci->get_device(M4F), -ETIMEDOUT);
    EXPECT_NEAR(now_s() - start, 1, 0.01);
    EXPECT_EQ(sci->get_device(RTI), 0);  // the next one works
  });
  EXPECT_THAT(events.values("host.log", "text"), Contains(HasSubstr("Mbox timedout in resp")));
  EXPECT_THAT(events.values("device.get", "device"), ElementsAre("9", "131"));  // it was carried out all the same
}

TEST_F(ti_sci_client, the_timeout_is_a_parameter) {
  one_fault silence("SET_DEVICE", 0, 1, {.what = fault_action::kind::silence});
  arm(silence);
  ASSERT_TRUE(context.params.set("host.ti_sci_timeout", "10s"));
  in_thread([&] {
    const double start = now_s();
    EXPECT_EQ(sci->get_device(M4F), -ETIMEDOUT);
    EXPECT_NEAR(now_s() - start, 10, 0.01);
  });
}

TEST_F(ti_sci_client, a_response_after_its_timeout_is_not_expected) {
  recorder events(context);
  one_fault late("SET_DEVICE", 0, 1, {.what = fault_action::kind::delay, .by = sc_core::sc_time(2, sc_core::SC_SEC)});
  arm(late);
  in_thread([&] {
    EXPECT_EQ(sci->get_device(M4F), -ETIMEDOUT);
    kernel.msleep(2000);
  });
  EXPECT_THAT(events.values("host.log", "text"), Contains("Message for 0 is not expected!"));
}

TEST_F(ti_sci_client, a_late_response_answers_the_next_request_of_its_sequence_number) {
  one_fault late("SET_DEVICE", 0, 1, {.what = fault_action::kind::delay, .by = sc_core::sc_time(1.5, sc_core::SC_SEC)});
  arm(late);
  in_thread([&] {
    EXPECT_EQ(sci->get_device(M4F), -ETIMEDOUT);
    // Refused by the device manager, but the late ACK of the first one is taken for its answer.
    EXPECT_EQ(sci->get_device(999), 0);
  });
}

TEST_F(ti_sci_client, twenty_requests_are_under_way_at_once_and_the_21st_waits_for_a_slot) {
  one_fault silence("SET_DEVICE", 0, 20, {.what = fault_action::kind::silence});
  std::vector<double> ends;
  std::vector<int> results;
  in_thread([&] {
    arm(silence);
    const double start = now_s();
    std::vector<os::thread*> threads;
    for (int i = 0; i < 21; ++i) {
      threads.push_back(&kernel.spawn("caller", [&] {
        results.push_back(sci->get_device(M4F));
        ends.push_back(now_s() - start);
      }));
    }
    for (os::thread* t : threads) kernel.join(*t);
  });
  ASSERT_EQ(results.size(), 21u);
  EXPECT_THAT(std::vector(results.begin(), results.end() - 1), Each(-ETIMEDOUT));
  EXPECT_THAT(std::vector(ends.begin(), ends.end() - 1), Each(testing::DoubleNear(1, 0.01)));
  EXPECT_GT(ends.back(), 1);
}

TEST_F(ti_sci_client, consumers_come_after_their_providers) {
  in_thread([&] {
    EXPECT_TRUE(
        machine.fs().exists("/sys/bus/platform/drivers/ti-sci-reset/44043000.system-controller:reset-controller"));
    EXPECT_FALSE(machine.fs().exists("/sys/bus/platform/drivers/ti-sci/bind"));
  });
}

}  // namespace
}  // namespace rpsim::test
