#include "host_sw/remoteproc/history.h"

#include <algorithm>
#include <stdexcept>

#include "host_sw/remoteproc/histories.h"
#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

/// What threads/001 proposes: resources are released in boot recovery's error paths and on a repeated crash. For the
/// processor to be startable afterwards a failed recovery also ends the life that the boot began (power 0, device
/// unprepared), and a recovery after the release is a whole boot.
class cleanup final : public history {
 public:
  void crashed_again(rproc::impl& r) override {
    if (held_ != held::everything) return;
    r.stop_subdevices(true);
    if (const int error = r.reset_rsc_table_on_stop(); error != 0) return;
    r.resource_cleanup();
    r.cached_table.reset();
    r.table.clear();
    r.table_sz = 0;
    held_ = held::device;
  }

  int restart(rproc::impl& r, const firmware& fw) override {
    if (held_ == held::everything) return history::restart(r, fw);
    r.unprepare_device();
    held_ = held::nothing;
    const int error = r.fw_boot(fw);
    if (error == 0) held_ = held::everything;
    return error;
  }

  void recovery_failed(rproc::impl& r) override {
    if (held_ == held::everything) r.release_resources();
    if (held_ == held::device) r.unprepare_device();
    r.table_sz = 0;
    r.power = 0;
    held_ = held::everything;
  }

  void stopped() override { held_ = held::everything; }

 private:
  enum class held : std::uint8_t { everything, device, nothing };
  held held_ = held::everything;  // of what a life holds
};

}  // namespace

int history::restart(rproc::impl& r, const firmware& fw) { return r.start(fw); }

std::unique_ptr<history> make_history(std::string_view name) {
  if (name == "cleanup") return std::make_unique<cleanup>();
  if (std::ranges::find(histories(), name, &history_description::name) != histories().end())
    return std::make_unique<history>();
  throw std::invalid_argument(
      fmt::format("no history '{}' of the remoteproc core (there are: {})", name, history_names()));
}

}  // namespace rpsim::remoteproc
