#pragma once
// What a platform driver gives the remoteproc core, and what it may ask of it: Linux's struct rproc_ops and the
// functions that drivers call. Facts: reference/remoteproc-core.md §1 (MAIN).

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host_sw/os/driver.h"

namespace rpsim::remoteproc {

class rproc;

enum class rproc_state : std::uint8_t { offline, suspended, running, crashed, attached, detached, deleted };
const char* to_string(rproc_state s);  // the sysfs string

enum class crash_type : std::uint8_t { mmufault = 0, watchdog = 1, fatal_error = 2 };

/// A firmware image as request_firmware() returned it.
using firmware = std::shared_ptr<const std::string>;

/// The live resource table of an already running processor.
struct live_table {
  std::uint64_t pa = 0;  // host physical; 0: no table (allowed)
  std::size_t size = 0;
  int error = 0;  // -errno instead of a table
};

struct carveout;

/// An empty function is a missing op; what Linux does without it is in reference/remoteproc-core.md §1.1.
struct rproc_ops {
  std::function<int(rproc&)> prepare, unprepare, start, stop, attach, detach;
  std::function<void(rproc&, int vqid)> kick;
  /// Device address to host physical address; 0 = not mine (the core then tries the carveouts).
  std::function<std::uint64_t(rproc&, std::uint64_t da, std::size_t len)> da_to_pa;
  std::function<int(rproc&, const firmware&)> sanity_check, parse_fw, load;
  std::function<std::uint64_t(rproc&, const firmware&)> get_boot_addr;
  /// Host physical address of the table that `load` has put into remote memory; 0 = not there.
  std::function<std::uint64_t(rproc&, const firmware&)> find_loaded_rsc_table;
  std::function<live_table(rproc&)> get_loaded_rsc_table;
  /// Vendor entries (types 128..512): 0 handled, 1 ignored, negative errno. `offset` is into the table.
  std::function<int(rproc&, std::uint32_t type, std::span<const std::byte> payload, std::size_t offset)> handle_rsc;
  std::function<void(rproc&)> coredump;
  /// After a stop, and after a boot or a restart that failed: what parse_fw and load have taken is given back.
  std::function<void(rproc&)> release_fw;
  std::function<unsigned long(rproc&)> panic;
};

/// Behaviour of the core that a scenario selects.
struct core_options {
  /// The core's history: a name of histories().
  std::string history = "main";
};

}  // namespace rpsim::remoteproc
