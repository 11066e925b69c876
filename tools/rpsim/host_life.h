#pragma once
// When the host lives: its first boot, its ends (power, reset, panic) and the boots after them. The remote cores and
// their memories know nothing of it.

#include <array>

#include "host_sw/linux_host.h"
#include "host_sw/remoteproc/histories.h"
#include "models/common/host_reset.h"
#include "platforms/platform.h"
#include "tools/rpsim/boot_loader.h"
#include "tools/rpsim/host_session.h"

namespace rpsim::tool {

/// What no source confirms, and a run rests on that comes past it: a host that loses its power or is reset (`host-` and
/// the kind of host.power_cycle); an M4 that is reset while a flag of the IPCC is set.
inline constexpr std::array<remoteproc::unconfirmed, 3> UNCONFIRMED_FACTS{{
    {"host-reset",
     "What of a host's reset reaches the remote core no source at hand says; here nothing of it does "
     "(models/FIDELITY.md, host life)."},
    {"host-standby",
     "That a remote core and its SRAMs work on while the host is in Standby is assumed: no source at hand says so, and "
     "reference/stm32mp1.md §1 calls only RETRAM kept (models/FIDELITY.md, host life)."},
    {"mcurst-ipcc",
     "The M4 was reset while a flag of the IPCC was set: that MCURST leaves the flags as they are is assumed "
     "(reference/stm32mp1.md §4.1)."},
}};

class host_life {
 public:
  host_life(platform& p, host::linux_host& host, boot_loader& loader, host_session& session, trace& events);

  // From an SC_THREAD that is not the host's.
  /// Returns when the drivers have been probed.
  void first_boot();
  /// Ends whatever the host does and boots it; returns when it is up. One that comes meanwhile begins again.
  void power_cycle(host_reset_kind kind);
  /// Returns at once if the host is down for good: nobody reboots it.
  void wait_until_up() const;

  /// host.booted was seen.
  void booted();

 private:
  /// false: another power cycle came, whose business the rest is.
  bool wait(const sc_core::sc_time& t, unsigned life) const;

  platform& platform_;
  host::linux_host& host_;
  boot_loader& loader_;
  host_session& session_;
  trace& events_;
  unsigned life_ = 0;  // counts power cycles
  bool booting_ = false;
  sc_core::sc_event up_, next_life_, restart_;
};

}  // namespace rpsim::tool
