#pragma once
// The host's file system as far as remoteproc users see it: sysfs, debugfs, /dev, /lib/firmware. Drivers register
// nodes; the scenario's shell lines and /dev users open them. Errors are Linux's, as -errno.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace rpsim::os {

/// -errno is held positive here: unexpected(ENOENT).
template <typename T>
using expected = tl::expected<T, int>;

/// One open file description.
class file {
 public:
  virtual ~file() = default;
  /// Everything from the current position on; "" at the end.
  virtual expected<std::string> read() { return tl::unexpected(22 /*EINVAL*/); }
  /// One write(2): bytes taken.
  virtual expected<std::size_t> write(std::string_view) { return tl::unexpected(22 /*EINVAL*/); }
  virtual expected<std::int64_t> ioctl(std::uint32_t /*request*/, std::int64_t /*argument*/) {
    return tl::unexpected(25 /*ENOTTY*/);
  }
  /// close(2) reports what release returns.
  virtual expected<void> release() { return {}; }
};

class vfs {
 public:
  using show = std::function<expected<std::string>()>;
  using store = std::function<expected<std::size_t>(std::string_view)>;
  using opener = std::function<expected<std::unique_ptr<file>>()>;

  vfs();

  /// A sysfs or debugfs attribute; an empty function means the mode has no such permission (EACCES; root may not
  /// bypass a sysfs attribute without a store: EIO for a missing show/store as in Linux).
  void add_attribute(const std::string& path, unsigned mode, show s, store w);
  void add_device(const std::string& path, opener o);
  void add_regular(const std::string& path, std::string content);
  void add_regular(const std::string& path, std::shared_ptr<const std::string> content);
  void add_directory(const std::string& path);
  void add_symlink(const std::string& path, const std::string& target);
  /// A node and everything below it; open files keep working.
  void remove(std::string_view path);

  bool exists(std::string_view path) const;
  bool is_directory(std::string_view path) const;
  std::vector<std::string> list(std::string_view directory) const;  // sorted names
  /// Every path, for "nearest right word" messages.
  std::vector<std::string> paths() const;

  /// open(2): ENOENT, EISDIR, EACCES. `create` makes a missing regular file in an existing directory.
  expected<std::unique_ptr<file>> open(std::string_view path, bool for_write = false, bool create = false,
                                       bool truncate = false, bool append = false);
  // Conveniences: open, one read to the end or one write, close.
  expected<std::string> read(std::string_view path);
  expected<std::size_t> write(std::string_view path, std::string_view data);
  expected<void> unlink(std::string_view path);  // regular files only: EPERM otherwise
  /// The content of a regular file in place (the firmware loader); nullptr if there is none.
  std::shared_ptr<const std::string> content(std::string_view path) const;

 private:
  struct entry;
  /// A fresh entry there, with the directories above it.
  std::shared_ptr<entry> make(const std::string& path);
  /// The path without links, "." and ".."; its last component need not exist. ENOENT, ENOTDIR, ELOOP.
  expected<std::string> resolve(std::string_view path) const;
  std::shared_ptr<entry> find(std::string_view path) const;
  std::map<std::string, std::shared_ptr<entry>, std::less<>> entries_;
};

}  // namespace rpsim::os
