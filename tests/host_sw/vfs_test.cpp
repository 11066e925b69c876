#include "host_sw/os/vfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rpsim::os {
namespace {

using testing::ElementsAre;

class vfs_files : public testing::Test {
 protected:
  vfs_files() {
    fs.add_attribute(
        "/sys/class/remoteproc/remoteproc0/state", 0644, [] { return std::string("offline\n"); },
        [this](std::string_view text) -> expected<std::size_t> {
          if (text == "start\n") return tl::unexpected(ENOENT);
          stored += text;
          return text.size();
        });
    fs.add_attribute("/sys/class/remoteproc/remoteproc0/name", 0444, [] { return std::string("m4\n"); }, {});
    fs.add_attribute("/sys/bus/platform/drivers/d/bind", 0200, {}, [](std::string_view t) { return t.size(); });
    fs.add_attribute("/sys/kernel/odd", 0644, {}, {});
    fs.add_regular("/lib/firmware/fw", std::string("abc"));
    fs.add_directory("/tmp");
  }
  vfs fs;
  std::string stored;
};

TEST_F(vfs_files, an_attribute_shows_once_and_then_ends) {
  auto f = fs.open("/sys/class/remoteproc/remoteproc0/state");
  ASSERT_TRUE(f);
  EXPECT_EQ((*f)->read().value(), "offline\n");
  EXPECT_EQ((*f)->read().value(), "");
}

TEST_F(vfs_files, a_store_reports_its_error) {
  EXPECT_EQ(fs.write("/sys/class/remoteproc/remoteproc0/state", "start\n").error(), ENOENT);
  EXPECT_EQ(fs.write("/sys/class/remoteproc/remoteproc0/state", "stop\n").value(), 5u);
  EXPECT_EQ(stored, "stop\n");
}

TEST_F(vfs_files, errors_of_open_are_those_of_linux) {
  EXPECT_EQ(fs.read("/sys/class/remoteproc/remoteproc1/state").error(), ENOENT);
  EXPECT_EQ(fs.read("/sys/class/remoteproc").error(), EISDIR);
  EXPECT_EQ(fs.read("/sys/class/remoteproc/remoteproc0/state/x").error(), ENOTDIR);
  EXPECT_EQ(fs.write("/sys/class/remoteproc/remoteproc0/name", "x").error(), EACCES);
  EXPECT_EQ(fs.read("/sys/bus/platform/drivers/d/bind").error(), EACCES);
  EXPECT_EQ(fs.read("/sys/kernel/odd").error(), EIO);
  EXPECT_EQ(fs.write("/sys/kernel/odd", "x").error(), EIO);
  EXPECT_EQ(fs.read("relative").error(), ENOENT);
}

TEST_F(vfs_files, a_redirection_makes_files_but_not_in_sysfs) {
  EXPECT_EQ(fs.open("/sys/class/remoteproc/remoteproc0/new", true, true).error(), EACCES);
  EXPECT_EQ(fs.open("/nowhere/new", true, true).error(), ENOENT);
  auto f = fs.open("/tmp/new", true, true, true);
  ASSERT_TRUE(f);
  EXPECT_EQ((*f)->write("hello ").value(), 6u);
  EXPECT_EQ((*f)->write("world").value(), 5u);
  EXPECT_EQ(fs.read("/tmp/new").value(), "hello world");
  EXPECT_EQ((*fs.open("/tmp/new", true, false, false, true))->write("!").value(), 1u);
  EXPECT_EQ(fs.read("/tmp/new").value(), "hello world!");
  EXPECT_TRUE(fs.open("/tmp/new", true, true, true));
  EXPECT_EQ(fs.read("/tmp/new").value(), "");
}

TEST_F(vfs_files, a_firmware_image_in_use_is_not_changed_by_a_write) {
  const auto image = fs.content("/lib/firmware/fw");
  ASSERT_TRUE(fs.write("/lib/firmware/fw", "XYZ12"));
  EXPECT_EQ(*image, "abc");
  EXPECT_EQ(*fs.content("/lib/firmware/fw"), "XYZ12");
  EXPECT_EQ(fs.content("/lib/firmware/none"), nullptr);
  EXPECT_EQ(fs.content("/lib/firmware"), nullptr);
}

TEST_F(vfs_files, only_regular_files_can_be_unlinked) {
  EXPECT_TRUE(fs.unlink("/lib/firmware/fw"));
  EXPECT_EQ(fs.unlink("/lib/firmware/fw").error(), ENOENT);
  EXPECT_EQ(fs.unlink("/sys/class/remoteproc/remoteproc0/state").error(), EPERM);
  EXPECT_EQ(fs.unlink("/lib/firmware").error(), EISDIR);
}

TEST_F(vfs_files, links_and_dots_are_followed) {
  fs.add_symlink("/sys/bus/link", "/sys/class/remoteproc/remoteproc0");
  fs.add_symlink("/sys/bus/relative", "../class/remoteproc");
  fs.add_symlink("/sys/bus/loop", "loop");
  EXPECT_EQ(fs.read("/sys/bus/link/name").value(), "m4\n");
  EXPECT_EQ(fs.read("/sys/bus/relative/remoteproc0/name").value(), "m4\n");
  EXPECT_EQ(fs.read("/sys/bus/link/../../../class/./remoteproc//remoteproc0/name").value(), "m4\n");
  EXPECT_EQ(fs.read("/sys/bus/loop").error(), ELOOP);
}

TEST_F(vfs_files, a_removed_directory_is_gone_but_open_files_work) {
  auto f = fs.open("/sys/class/remoteproc/remoteproc0/name");
  ASSERT_TRUE(f);
  fs.remove("/sys/class/remoteproc/remoteproc0");
  EXPECT_FALSE(fs.exists("/sys/class/remoteproc/remoteproc0/state"));
  EXPECT_TRUE(fs.is_directory("/sys/class/remoteproc"));
  EXPECT_EQ((*f)->read().value(), "m4\n");
}

TEST_F(vfs_files, listings_are_sorted_and_hold_direct_children_only) {
  fs.add_directory("/sys/class/remoteproc/remoteproc0/device");
  EXPECT_THAT(fs.list("/sys/class/remoteproc/remoteproc0"), ElementsAre("device", "name", "state"));
  EXPECT_THAT(fs.list("/"), ElementsAre("lib", "sys", "tmp"));
}

TEST_F(vfs_files, a_device_is_opened_by_its_opener) {
  class counted final : public file {
   public:
    expected<void> release() override { return tl::unexpected(EIO); }
    expected<std::size_t> write(std::string_view text) override { return text.size(); }
  };
  bool busy = false;
  fs.add_device("/dev/remoteproc0", [&]() -> expected<std::unique_ptr<file>> {
    if (busy) return tl::unexpected(EBUSY);
    return std::make_unique<counted>();
  });
  EXPECT_EQ(fs.write("/dev/remoteproc0", "start").error(), EIO);  // close(2) reports what release returned
  EXPECT_EQ((*fs.open("/dev/remoteproc0"))->ioctl(0, 0).error(), ENOTTY);
  busy = true;
  EXPECT_EQ(fs.open("/dev/remoteproc0").error(), EBUSY);
}

}  // namespace
}  // namespace rpsim::os
