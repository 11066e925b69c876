#pragma once
// What holds in every run, whatever its scenario says: docs/invariants.md tells each one's story. They read the trace,
// and, where the trace cannot say it, the memory behind the bus.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/common/trace.h"

namespace rpsim::tool {

struct violation {
  std::string invariant, text;
  sc_core::sc_time time;
};

/// How invariants look at the simulated system beside the trace.
class system_view {
 public:
  virtual ~system_view() = default;
  /// Debug access by host physical address; false if nothing is there.
  virtual bool read(std::uint64_t pa, void* to, std::size_t length) = 0;
  /// Writes to the range become memory.write events with this region name.
  virtual void watch(const std::string& name, std::uint64_t pa, std::uint64_t size) = 0;
  virtual void unwatch(const std::string& name) = 0;
};

/// What of the platform an invariant has to know.
struct system_facts {
  struct range {
    std::uint64_t base = 0, size = 0;
  };
  std::string host = "host";            // the host core's label: who a bus access is `by`
  std::set<std::uint64_t> linux_hosts;  // TI-SCI host ids that are the host's
  std::vector<range> dma_pools;         // memory-region of the remote processors
  // Whose is what, where there are several remote cores: TI-SCI processor and host ids, and the core's label.
  std::map<std::uint64_t, std::string> processors, remote_hosts;
};

class invariant {
 public:
  explicit invariant(std::string name) : name_(std::move(name)) {}
  virtual ~invariant() = default;
  invariant(const invariant&) = delete;
  invariant& operator=(const invariant&) = delete;
  const std::string& name() const { return name_; }
  virtual void on_event(const event& e) = 0;
  /// After the last event.
  virtual void finish() {}

  std::function<void(std::string_view text)> report;

 private:
  std::string name_;
};

/// "reset-outside-wfi", …: every one there is.
const std::vector<std::string>& invariant_names();
/// Those that a shutdown variant breaks by design: a violation does not fail a run of that variant.
const std::vector<std::string>& broken_by_design(std::string_view shutdown_variant);

/// All of them, on one trace. A violation becomes an event of its own.
class invariants final : public trace_sink {
 public:
  invariants(trace& t, system_view& view, const system_facts& facts);
  void on_event(const event& e) override;
  /// After the last event: violations that only the end shows.
  void finish();
  const std::vector<violation>& violations() const { return violations_; }

 private:
  std::vector<std::unique_ptr<invariant>> all_;
  std::vector<violation> violations_;
};

}  // namespace rpsim::tool
