#include "host_sw/remoteproc/devcoredump.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rpsim::remoteproc {

namespace {
constexpr unsigned TIMEOUT_SECONDS = 5 * 60;
}

struct devcoredump::entry {
  entry(os::kernel& k, dump what, std::string class_path)
      : d(std::move(what)), path(std::move(class_path)), expire(k) {}
  dump d;
  std::string path;
  os::wait_queue expire;
  bool expired = false, removed = false;
};

/// A binary attribute: the reader takes it in pieces, of any total length.
class devcoredump::data_file final : public os::file {
 public:
  explicit data_file(std::shared_ptr<entry> e) : entry_(std::move(e)) {}
  os::expected<std::string> read() override {
    if (entry_->removed) return tl::unexpected(ENODEV);
    return std::exchange(shown_, true) ? std::string() : entry_->d.read();
  }
  os::expected<std::size_t> write(std::string_view data) override {
    if (entry_->removed) return tl::unexpected(ENODEV);
    entry_->expired = true;
    entry_->expire.wake_up_all();
    return data.size();
  }

 private:
  std::shared_ptr<entry> entry_;
  bool shown_ = false;
};

void devcoredump::add(dump d) {
  const bool waiting =
      std::ranges::any_of(entries_, [&](const std::shared_ptr<entry>& e) { return e->d.device == d.device; });
  if (disabled_ || waiting) return d.free();

  os::kernel& kernel = machine_.os();
  const std::string name = fmt::format("devcd{}", ++count_);
  const auto e = std::make_shared<entry>(kernel, std::move(d), "/sys/class/devcoredump/" + name);
  entries_.push_back(e);
  machine_.fs().add_directory(e->path);
  machine_.fs().add_device(e->path + "/data",
                           [e]() -> os::expected<std::unique_ptr<os::file>> { return std::make_unique<data_file>(e); });
  machine_.fs().add_symlink(e->path + "/failing_device", e->d.device_path);
  machine_.fs().add_symlink(e->d.device_path + "/devcoredump", e->path);

  // The deletion is delayed work in Linux: it never runs inside the write that asks for it.
  kernel.spawn(name, [this, e, &kernel] {
    e->expire.wait_event_timeout([&d = *e] { return d.expired; }, TIMEOUT_SECONDS * kernel.hz());
    remove(e);
  });
}

void devcoredump::remove(const std::shared_ptr<entry>& e) {
  if (e->removed) return;
  e->removed = true;
  machine_.fs().remove(e->path);
  machine_.fs().remove(e->d.device_path + "/devcoredump");
  std::erase(entries_, e);
  e->d.free();
}

void devcoredump::disable() {
  disabled_ = true;
  const std::list<std::shared_ptr<entry>> all = entries_;
  for (const std::shared_ptr<entry>& e : all) {
    e->expired = true;
    e->expire.wake_up_all();
    remove(e);
  }
}

}  // namespace rpsim::remoteproc
