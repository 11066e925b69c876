#include "host_sw/os/vfs.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace rpsim::os {

namespace {

constexpr std::size_t PAGE_SIZE = 4096;
constexpr unsigned MAX_LINKS = 40;
constexpr unsigned READ_BITS = 0444, WRITE_BITS = 0222;

enum class kind : std::uint8_t { directory, attribute, device, regular, symlink };

/// sysfs and debugfs: user space makes no file there.
bool is_kernel_tree(std::string_view path) { return path == "/sys" || path.starts_with("/sys/"); }

std::string parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) parts.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace

struct vfs::entry {
  kind what = kind::directory;
  unsigned mode = 0755;
  vfs::show show;
  vfs::store store;
  vfs::opener open;
  std::shared_ptr<const std::string> content;
  std::string target;
};

namespace {

/// A sysfs or debugfs file: the whole content is made by one show; every write is one store.
template <typename Entry>
class attribute_file final : public file {
 public:
  explicit attribute_file(std::shared_ptr<Entry> e) : entry_(std::move(e)) {}
  expected<std::string> read() override {
    if (std::exchange(shown_, true)) return std::string();
    if (!entry_->show) return tl::unexpected(EIO);
    auto text = entry_->show();
    if (text && text->size() > PAGE_SIZE) text->resize(PAGE_SIZE);
    return text;
  }
  expected<std::size_t> write(std::string_view data) override {
    if (!entry_->store) return tl::unexpected(EIO);
    return entry_->store(data.substr(0, PAGE_SIZE));
  }

 private:
  std::shared_ptr<Entry> entry_;
  bool shown_ = false;
};

template <typename Entry>
class regular_file final : public file {
 public:
  regular_file(std::shared_ptr<Entry> e, bool append) : entry_(std::move(e)), append_(append) {}
  expected<std::string> read() override {
    const std::string& c = *entry_->content;
    std::string rest = position_ < c.size() ? c.substr(position_) : std::string();
    position_ = std::max(position_, c.size());
    return rest;
  }
  expected<std::size_t> write(std::string_view data) override {
    // A new object: whoever holds the old content (a firmware image being loaded) keeps it.
    auto fresh = std::make_shared<std::string>(*entry_->content);
    if (append_) position_ = fresh->size();
    if (fresh->size() < position_ + data.size()) fresh->resize(position_ + data.size());
    std::ranges::copy(data, fresh->begin() + static_cast<std::ptrdiff_t>(position_));
    position_ += data.size();
    entry_->content = std::move(fresh);
    return data.size();
  }

 private:
  std::shared_ptr<Entry> entry_;
  bool append_;
  std::size_t position_ = 0;
};

}  // namespace

vfs::vfs() { entries_["/"] = std::make_shared<entry>(); }

std::shared_ptr<vfs::entry> vfs::make(const std::string& path) {
  std::string clean;
  for (const std::string& part : components(path)) {
    clean += "/" + part;
    auto& slot = entries_[clean];
    if (slot == nullptr) slot = std::make_shared<entry>();
  }
  return entries_[clean.empty() ? "/" : clean] = std::make_shared<entry>();
}

void vfs::add_attribute(const std::string& path, unsigned mode, show s, store w) {
  auto e = make(path);
  e->what = kind::attribute;
  e->mode = mode;
  e->show = std::move(s);
  e->store = std::move(w);
}

void vfs::add_device(const std::string& path, opener o) {
  auto e = make(path);
  e->what = kind::device;
  e->mode = 0600;
  e->open = std::move(o);
}

void vfs::add_regular(const std::string& path, std::string content) {
  add_regular(path, std::make_shared<const std::string>(std::move(content)));
}

void vfs::add_regular(const std::string& path, std::shared_ptr<const std::string> content) {
  auto e = make(path);
  e->what = kind::regular;
  e->mode = 0644;
  e->content = std::move(content);
}

void vfs::add_directory(const std::string& path) {
  if (!is_directory(path)) make(path);
}

void vfs::add_symlink(const std::string& path, const std::string& target) {
  auto e = make(path);
  e->what = kind::symlink;
  e->target = target;
}

void vfs::remove(std::string_view path) {
  const std::string below = std::string(path) + "/";
  if (const auto it = entries_.find(path); it != entries_.end()) entries_.erase(it);
  const auto first = entries_.lower_bound(below);
  entries_.erase(first,
                 std::find_if(first, entries_.end(), [&](const auto& e) { return !e.first.starts_with(below); }));
}

expected<std::string> vfs::resolve(std::string_view path) const {
  if (path.empty() || path.front() != '/') return tl::unexpected(ENOENT);
  std::vector<std::string> todo = components(path);
  std::ranges::reverse(todo);  // the next component is at the back
  std::string at;              // "" is the root
  unsigned links = 0;
  while (!todo.empty()) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part == ".") continue;
    if (part == "..") {
      at.erase(at.empty() ? 0 : at.rfind('/'));
      continue;
    }
    const auto here = entries_.find(at.empty() ? "/" : at);
    if (here != entries_.end() && here->second->what != kind::directory) return tl::unexpected(ENOTDIR);
    const std::string next = at + "/" + part;
    const auto it = entries_.find(next);
    if (it != entries_.end() && it->second->what == kind::symlink) {
      if (++links > MAX_LINKS) return tl::unexpected(ELOOP);
      std::vector<std::string> target = components(it->second->target);
      if (it->second->target.starts_with('/')) at.clear();
      todo.insert(todo.end(), target.rbegin(), target.rend());
      continue;
    }
    if (it == entries_.end() && !todo.empty()) return tl::unexpected(ENOENT);
    at = next;
  }
  return at.empty() ? "/" : at;
}

std::shared_ptr<vfs::entry> vfs::find(std::string_view path) const {
  const auto real = resolve(path);
  if (!real) return nullptr;
  const auto it = entries_.find(*real);
  return it == entries_.end() ? nullptr : it->second;
}

bool vfs::exists(std::string_view path) const { return find(path) != nullptr; }

bool vfs::is_directory(std::string_view path) const {
  const auto e = find(path);
  return e != nullptr && e->what == kind::directory;
}

std::vector<std::string> vfs::list(std::string_view directory) const {
  std::vector<std::string> names;
  const auto real = resolve(directory);
  if (!real) return names;
  const std::string prefix = *real == "/" ? "/" : *real + "/";
  for (auto it = entries_.upper_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it) {
    const std::string_view rest = std::string_view(it->first).substr(prefix.size());
    if (!rest.empty() && rest.find('/') == std::string_view::npos) names.emplace_back(rest);
  }
  return names;
}

std::vector<std::string> vfs::paths() const {
  std::vector<std::string> all;
  for (const auto& [path, e] : entries_) all.push_back(path);
  return all;
}

expected<std::unique_ptr<file>> vfs::open(std::string_view path, bool for_write, bool create, bool truncate,
                                          bool append) {
  const auto real = resolve(path);
  if (!real) return tl::unexpected(real.error());
  auto it = entries_.find(*real);
  if (it == entries_.end()) {
    const auto parent = entries_.find(parent_of(*real));
    if (!create || parent == entries_.end()) return tl::unexpected(ENOENT);
    if (parent->second->what != kind::directory) return tl::unexpected(ENOTDIR);
    if (is_kernel_tree(*real)) return tl::unexpected(EACCES);  // kernfs has no create
    add_regular(*real, std::string());
    it = entries_.find(*real);
  }
  const std::shared_ptr<entry> e = it->second;
  switch (e->what) {
    case kind::directory:
      return tl::unexpected(EISDIR);
    case kind::attribute:
      // kernfs asks for the mode bit even of root.
      if ((e->mode & (for_write ? WRITE_BITS : READ_BITS)) == 0) return tl::unexpected(EACCES);
      return std::make_unique<attribute_file<entry>>(e);
    case kind::device:
      return e->open();
    case kind::regular:
      if (for_write && truncate) e->content = std::make_shared<const std::string>();
      return std::make_unique<regular_file<entry>>(e, append);
    case kind::symlink:
      break;  // resolved above
  }
  return tl::unexpected(ELOOP);
}

expected<std::string> vfs::read(std::string_view path) {
  auto f = open(path);
  if (!f) return tl::unexpected(f.error());
  auto text = (*f)->read();
  if (const auto closed = (*f)->release(); text && !closed) return tl::unexpected(closed.error());
  return text;
}

expected<std::size_t> vfs::write(std::string_view path, std::string_view data) {
  auto f = open(path, true);
  if (!f) return tl::unexpected(f.error());
  auto taken = (*f)->write(data);
  if (const auto closed = (*f)->release(); taken && !closed) return tl::unexpected(closed.error());
  return taken;
}

expected<void> vfs::unlink(std::string_view path) {
  const auto real = resolve(path);
  if (!real) return tl::unexpected(real.error());
  const auto it = entries_.find(*real);
  if (it == entries_.end()) return tl::unexpected(ENOENT);
  if (it->second->what == kind::directory) return tl::unexpected(EISDIR);
  if (it->second->what != kind::regular) return tl::unexpected(EPERM);
  entries_.erase(it);
  return {};
}

std::shared_ptr<const std::string> vfs::content(std::string_view path) const {
  const auto e = find(path);
  return e != nullptr && e->what == kind::regular ? e->content : nullptr;
}

}  // namespace rpsim::os
