#include "tools/rpsim/pattern.h"

#include <gmock/gmock.h>

#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {
namespace {

using testing::HasSubstr;

class pattern_test : public testing::Test {
 protected:
  bool matches(std::string_view text, std::string_view source, std::string_view name,
               std::initializer_list<field> fields = {}) {
    const auto p = pattern::parse(text, known_);
    if (!p) {
      ADD_FAILURE() << p.error();
      return false;
    }
    return p->matches({0, {}, source, name, trace_level::protocol, {fields.begin(), fields.size()}});
  }
  std::string refusal(std::string_view text) {
    const auto p = pattern::parse(text, known_);
    return p ? "" : p.error();
  }
  vocabulary known_ = vocabulary::built_in();
};

TEST_F(pattern_test, name_alone_matches_any_fields) {
  EXPECT_TRUE(matches("core.wfi", "m4f", "core.wfi"));
  EXPECT_FALSE(matches("core.wfi", "m4f", "core.wake"));
}

TEST_F(pattern_test, word_is_the_source_or_a_text_field) {
  EXPECT_TRUE(matches("core.wfi m4f", "m4f", "core.wfi"));
  EXPECT_FALSE(matches("core.wfi m4f", "r5f", "core.wfi"));
  EXPECT_TRUE(matches("mailbox.sent SHUTDOWN", "mailbox0", "mailbox.sent", {{"msg", "SHUTDOWN"}}));
  EXPECT_FALSE(matches("mailbox.sent SHUTDOWN", "mailbox0", "mailbox.sent", {{"msg", "SHUTDOWN_ACK"}}));
}

TEST_F(pattern_test, every_condition_has_to_hold) {
  EXPECT_TRUE(matches("reset.assert m4f kind=local", "dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}}));
  EXPECT_FALSE(matches("reset.assert m4f kind=module", "dm", "reset.assert", {{"core", "m4f"}, {"kind", "local"}}));
}

TEST_F(pattern_test, numbers_compare_as_numbers_in_any_base) {
  EXPECT_TRUE(matches("mailbox.sent level=4", "mailbox0", "mailbox.sent", {{"level", 4u}}));
  EXPECT_TRUE(matches("mailbox.sent word=0xFFFFFF14", "mailbox0", "mailbox.sent", {field::hex("word", 0xFFFFFF14)}));
  EXPECT_TRUE(matches("mailbox.sent word=4294967060", "mailbox0", "mailbox.sent", {field::hex("word", 0xFFFFFF14)}));
  EXPECT_FALSE(matches("mailbox.sent level=4", "mailbox0", "mailbox.sent", {{"level", 40u}}));
}

TEST_F(pattern_test, star_stands_for_anything_and_quotes_keep_blanks) {
  EXPECT_TRUE(matches("host.log \"*timeout waiting*\"", "host", "host.log", {{"text", "a timeout waiting for it"}}));
  EXPECT_FALSE(matches("host.log \"*timeout waiting*\"", "host", "host.log", {{"text", "no timeout"}}));
  EXPECT_TRUE(matches("mailbox.*", "mailbox0", "mailbox.dropped"));
}

TEST_F(pattern_test, unequal_needs_the_field) {
  EXPECT_TRUE(matches("tisci.response result!=ACK", "dm", "tisci.response", {{"result", "NACK"}}));
  EXPECT_FALSE(matches("tisci.response result!=ACK", "dm", "tisci.response", {{"result", "ACK"}}));
  EXPECT_FALSE(matches("tisci.response reason!=x", "dm", "tisci.response", {{"result", "ACK"}}));
}

TEST_F(pattern_test, what_cannot_match_is_refused_with_the_nearest_word) {
  EXPECT_EQ(refusal("mailbox.snet SHUTDOWN"), "no event is called 'mailbox.snet'; did you mean 'mailbox.sent'?");
  EXPECT_EQ(refusal("reset.assert care=m4f"), "reset.assert has no field 'care'; it has core, kind");
  EXPECT_THAT(refusal("core.reset why=x"), HasSubstr("has no fields"));
  EXPECT_EQ(refusal("host.log \"open"), "a quote is not closed");
  EXPECT_THAT(refusal(""), HasSubstr("an event is missing"));
  EXPECT_THAT(refusal("level=3"), HasSubstr("the event's name comes first"));
}

TEST_F(pattern_test, open_events_take_any_field) { EXPECT_EQ(refusal("fault.injected ordinal=2"), ""); }

TEST(glob, matches_as_a_person_expects) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("a*c*e", "abcde"));
  EXPECT_TRUE(glob_match("*aab", "aaaab"));
  EXPECT_FALSE(glob_match("a*c", "abd"));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(vocabulary, is_the_document) {
  const vocabulary v = vocabulary::built_in();
  ASSERT_NE(v.find("mailbox.sent"), nullptr);
  EXPECT_TRUE(v.find("mailbox.sent")->fields.contains("msg"));
  EXPECT_FALSE(v.find("tisci.response")->fields.contains("NACK"));  // a value in brackets, not a field
  EXPECT_NE(v.find("shell.done"), nullptr);                         // two names in one row
  EXPECT_EQ(v.find("nothing"), nullptr);
}

}  // namespace
}  // namespace rpsim::tool
