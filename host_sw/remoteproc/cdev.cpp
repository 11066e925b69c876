// /dev/remoteproc<N>. Facts: reference/remoteproc-core.md §5.2.

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

constexpr std::uint32_t SET_SHUTDOWN_ON_RELEASE = 0x4004B701, GET_SHUTDOWN_ON_RELEASE = 0x8004B702;
constexpr std::size_t COMMAND_MAX = 10;

class rproc_file final : public os::file {
 public:
  explicit rproc_file(std::shared_ptr<rproc::impl> r) : r_(std::move(r)) {}

  os::expected<std::size_t> write(std::string_view data) override {
    if (r_->self == nullptr) return tl::unexpected(ENODEV);
    if (data.empty() || data.size() > COMMAND_MAX) return tl::unexpected(EINVAL);
    int error = -EINVAL;
    if (prefix_of(data, "start")) {
      error = r_->past->refuse(*r_, history::request::start);
      if (error == 0) error = r_->boot();
    } else if (prefix_of(data, "stop")) {
      error = r_->past->refuse(*r_, history::request::stop);
      if (error == 0) error = r_->shutdown();
    } else if (prefix_of(data, "detach")) {
      error = r_->past->refuse(*r_, history::request::detach);
      if (error == 0) error = r_->detach();
    } else {
      r_->err("Unrecognized option");
    }
    if (error != 0) return tl::unexpected(-error);
    return data.size();
  }

  os::expected<std::int64_t> ioctl(std::uint32_t request, std::int64_t argument) override {
    switch (request) {
      case SET_SHUTDOWN_ON_RELEASE:
        r_->put_on_release = static_cast<std::int32_t>(argument) != 0;
        return 0;
      case GET_SHUTDOWN_ON_RELEASE:
        return r_->put_on_release ? 1 : 0;
      default:
        r_->err("Unsupported ioctl");
        return tl::unexpected(EINVAL);
    }
  }

  /// Every close acts, whoever set the flag.
  os::expected<void> release() override {
    if (r_->self == nullptr || !r_->put_on_release) return {};
    if (const int error = r_->past->released(*r_); error != 0) return tl::unexpected(-error);
    return {};
  }

 private:
  std::shared_ptr<rproc::impl> r_;
};

}  // namespace

bool prefix_of(std::string_view written, std::string_view word) {
  for (std::size_t i = 0; i < written.size(); ++i) {
    const char expected = i < word.size() ? word[i] : '\0';
    if (written[i] != expected) return false;
    if (expected == '\0') return true;
  }
  return true;
}

void rproc::impl::add_cdev() {
  machine.fs().add_device("/dev/" + dev_name, [r = shared_from_this()]() -> os::expected<std::unique_ptr<os::file>> {
    return std::make_unique<rproc_file>(r);
  });
}

void rproc::impl::remove_cdev() { machine.fs().remove("/dev/" + dev_name); }

}  // namespace rpsim::remoteproc
