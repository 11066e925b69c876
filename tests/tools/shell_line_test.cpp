#include "tools/rpsim/shell_line.h"

#include <gmock/gmock.h>

namespace rpsim::tool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(std::string_view text) {
  const auto line = parse_shell_line(text);
  return line ? "" : line.error();
}

TEST(shell_line, redirection_may_stand_close) {
  for (const char* text : {"echo stop > /f", "echo stop >/f", "echo stop>/f"}) {
    const auto line = parse_shell_line(text);
    ASSERT_TRUE(line) << text;
    EXPECT_THAT(line->words, ElementsAre("echo", "stop"));
    EXPECT_EQ(line->redirect, "/f");
    EXPECT_FALSE(line->append);
  }
  EXPECT_TRUE(parse_shell_line("echo x >> /f")->append);
}

TEST(shell_line, quotes_keep_blanks_and_special_characters) {
  EXPECT_THAT(parse_shell_line("echo 'a  b' \"c>d\" e\\ f")->words, ElementsAre("echo", "a  b", "c>d", "e f"));
  EXPECT_THAT(parse_shell_line("echo '' x")->words, ElementsAre("echo", "", "x"));
}

TEST(shell_line, comment_ends_it) { EXPECT_THAT(parse_shell_line("cat /f # why")->words, ElementsAre("cat", "/f")); }

TEST(shell_line, wrong_lines_are_refused_with_what_is_right) {
  EXPECT_EQ(refusal("ecoh x"), "the shell has no command 'ecoh'; did you mean 'echo'?");
  EXPECT_THAT(refusal("systemctl stop"), HasSubstr("it has echo, cat, rm, cp, mv, ls, sleep, test"));
  EXPECT_EQ(refusal("cp /a"), "usage: cp FROM TO");
  EXPECT_EQ(refusal("rm -r /a"), "rm has no option -r: rm [-f] FILE…");
  EXPECT_EQ(refusal("devmem here"), "'here' is no number: devmem ADDRESS [8|16|32|64 [VALUE]]");
  EXPECT_EQ(refusal("devmem 0x10 12"), "a width of 12 bits: devmem ADDRESS [8|16|32|64 [VALUE]]");
  EXPECT_EQ(refusal("echo x >"), "a file name is missing after '>'");
  EXPECT_EQ(refusal("echo 'x"), "the quote at column 6 is not closed");
  EXPECT_THAT(refusal("cat /a && cat /b"), HasSubstr("one command a step"));
  EXPECT_THAT(refusal("cat $FILE"), HasSubstr("'$' is not understood"));
  EXPECT_THAT(refusal("sleep long"), HasSubstr("sleep takes seconds"));
  EXPECT_THAT(refusal(""), HasSubstr("a command is missing"));
}

}  // namespace
}  // namespace rpsim::tool
