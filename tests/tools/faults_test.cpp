#include "tools/rpsim/faults.h"

#include <gmock/gmock.h>

namespace rpsim::tool {
namespace {

using kind = fault_action::kind;

class faults_test : public testing::Test {
 protected:
  static fault_spec spec(fault_spec::kind what, std::string point, std::string message) {
    fault_spec f;
    f.what = what;
    f.point = std::move(point);
    f.message = std::move(message);
    f.text = "the fault";
    return f;
  }
  kind word(const char* msg, std::uint32_t value = 0, unsigned fifo = 1) {
    return faults_
        .decide("mailbox.word", "mailbox0",
                {{"source", "mailbox0"}, {"fifo", fifo}, field::hex("word", value), {"msg", msg}})
        .what;
  }
  kind request(const char* msg, unsigned device) {
    return faults_
        .decide("tisci.request", "dm", {{"host", 12u}, {"msg", msg}, {"device", device}, {"name", "mcu_rti0"}})
        .what;
  }
  trace trace_;
  fault_injector faults_{trace_};
};

TEST_F(faults_test, nothing_is_asked_while_none_is_armed) { EXPECT_FALSE(faults_.armed()); }

TEST_F(faults_test, takes_effect_once_on_what_it_names) {
  const fault_spec f = spec(fault_spec::kind::drop, "mailbox.word", "SHUTDOWN");
  faults_.arm(f);
  EXPECT_TRUE(faults_.armed());
  EXPECT_EQ(word("SHUTDOWN_ACK"), kind::none);
  EXPECT_EQ(request("SHUTDOWN", 1), kind::none);
  EXPECT_EQ(word("SHUTDOWN"), kind::drop);
  EXPECT_EQ(word("SHUTDOWN"), kind::none);
  EXPECT_TRUE(faults_.unfired().empty());
}

TEST_F(faults_test, counts_from_the_one_it_is_told_and_as_often) {
  fault_spec f = spec(fault_spec::kind::duplicate, "mailbox.word", "*");
  f.nth = 2;
  f.times = 2;
  faults_.arm(f);
  EXPECT_EQ(word("a"), kind::none);
  EXPECT_EQ(word("b"), kind::duplicate);
  EXPECT_EQ(faults_.unfired().at(0).why, "2 such messages came, it took effect once");
  EXPECT_EQ(word("c"), kind::duplicate);
  EXPECT_EQ(word("d"), kind::none);
}

TEST_F(faults_test, may_name_a_word_by_its_digits_and_a_device_by_its_name) {
  const fault_spec digits = spec(fault_spec::kind::corrupt, "mailbox.word", "0xffffff14");
  fault_spec named = spec(fault_spec::kind::nack, "tisci.request", "SET_DEVICE");
  named.fields = {{"device", "mcu_rti0"}, {"host", "12"}};
  faults_.arm(digits);
  faults_.arm(named);
  EXPECT_EQ(word("x", 0xFFFFFF14), kind::corrupt);
  EXPECT_EQ(request("SET_DEVICE", 131), kind::nack);
}

TEST_F(faults_test, further_fields_have_to_fit) {
  fault_spec f = spec(fault_spec::kind::silence, "tisci.request", "SET_DEVICE");
  f.fields = {{"device", "9"}, {"at", "dm"}};
  faults_.arm(f);
  EXPECT_EQ(request("SET_DEVICE", 131), kind::none);
  EXPECT_EQ(request("SET_DEVICE", 9), kind::silence);
}

TEST_F(faults_test, one_that_meets_nothing_is_told) {
  const fault_spec f = spec(fault_spec::kind::drop, "mailbox.word", "SHUTDOWN");
  faults_.arm(f);
  ASSERT_EQ(faults_.unfired().size(), 1u);
  EXPECT_EQ(faults_.unfired()[0].why, "no such message came");
}

}  // namespace
}  // namespace rpsim::tool
