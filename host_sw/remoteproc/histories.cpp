#include "host_sw/remoteproc/histories.h"

#include <fmt/format.h>

#include <array>

namespace rpsim::remoteproc {

namespace {

constexpr std::array<unconfirmed, 1> DETACH_OP{
    {{"detach-op",
      "The series posts no detach op of the STM32 driver, its author tested with one that is not public; this run used "
      "the dummy of threads/000, patch 1/3."}}};

constexpr std::array<history_description, 11> HISTORIES{{
    {"v4",
     "The detach series as posted on 18 December 2020 on v5.10 (threads/000), all 17 patches. Detach is allowed from "
     "running, too. sysfs and /dev answer start with EBUSY when running or attached, stop and detach with EINVAL when "
     "neither; the core says EPERM for a wrong state, so a crashed processor cannot be stopped, and EBUSY for other "
     "users, whose count it lowers all the same. Removal and the release of /dev detach if the processor's node has "
     "autonomous-on-core-shutdown and shut down if not, whatever the state; the binding that came along calls the "
     "property autonomous-on-core-reboot, which no code reads. Nothing keeps a copy of an attached processor's table: "
     "a detach leaves da 0 and notify id -1 in its rings, so that the next attach asks for address 0; a recovery after "
     "an attach copies from no table (no-cached-table). Attach and detach do not call prepare and unprepare, and an "
     "attach whose table or entries are refused cleans nothing. A detach op that fails starts the subdevices again. An "
     "automatic attach runs inside add, whose failure leaves the files behind (driver-gone when one is used); a vdev "
     "that cannot be made fails the boot. STM32 driver: no detach op, so every detach is EINVAL; memory regions are "
     "registered by the probe and by a boot, not again by an attach; table register 0 is no table; its remove shuts "
     "down whatever has power before the property is looked at. Hazards: H1, H3, H5 to H7, H10, H11, no-cached-table.",
     {}},
    {"v4+arnaud-1",
     "v4 with the first of Arnaud Pouliquen's three test patches only: the STM32 driver gets a detach op. What he "
     "found "
     "on top of that is here: no carveouts at the second attach. Hazards: as v4.",
     {}},
    {"v4+arnaud-2",
     "v4 with the first two of them: the memory regions come back, and a released ring says 0, not ANY. Hazards: as "
     "v4.",
     {}},
    {"v4+arnaud",
     "v4 with the three test patches of Arnaud Pouliquen's review (threads/000, 3 February 2021). 1/3: the STM32 "
     "driver "
     "gets a detach op, which tells the firmware nothing and leaves hold boot alone. 2/3: attach prepares, detach "
     "unprepares (an error of that fails the detach), and the memory regions are registered there, so that they are "
     "there for the second attach. 3/3: a ring's release writes ANY into the table in place of 0: rings that the host "
     "may place come back, an address that the firmware fixed is lost. Hazards: as v4.",
     {}},
    {"v5",
     "The series of 11 February 2021, 19 patches. A clean copy of the table is kept, taken at attach and, for a core "
     "that Linux boots, from the ELF; detach writes it back after the platform was told, and an attached processor's "
     "rings no longer write to it. States, error codes and the device-tree property as in v4. A detach from running "
     "frees the cached table twice (double-free); without a table it ends detached with EINVAL and power 1. An attach "
     "without a table is EINVAL. Attach and detach prepare and unprepare; an attach whose table or entries are refused "
     "leaves its carveouts. A detach op that fails is final. A stop from attached does not restore the table. STM32 "
     "driver: regions in the prepare op, table register 0 is ENOENT, a dummy detach op (?). Hazards: H1, H3, H5 to H7, "
     "H10, H11, no-cached-table, double-free.",
     DETACH_OP},
    {"v6",
     "The series of 23 February 2021, 16 patches. Running to detached is forbidden (EINVAL), the property and its "
     "binding are gone: removal and the release of /dev shut down what is running and detach what is attached. Other "
     "users: 0. shutdown looks at no state and returns nothing, so that `stop` reports 0 even if the driver could not. "
     "The clean copy is taken at attach only, and one function writes it back for stop and for detach, before the "
     "driver's op. Since that function knows only RUNNING by name, the recovery of a crashed core that Linux booted "
     "ends with EINVAL in crashed, or uses the freed copy of an earlier attach (H4). An attach may be without a table. "
     "STM32 driver as in v5. Hazards: H1 to H7, H10, H11.",
     DETACH_OP},
    {"v7",
     "The series of 10 March 2021, 17 patches. The table's function is split: detach restores the live table before "
     "the "
     "driver's op, stop only copies it, so that a stop from attached leaves it as it is and crashed cores recover "
     "again. "
     "Removal always shuts down, also an attached processor; the release of /dev keeps v6's rule. STM32 driver as in "
     "v5. Hazards: as v6.",
     DETACH_OP},
    {"v8",
     "The series of 12 March 2021 as merged for v5.13, with commit edf696f26855: the STM32 driver's detach op tells "
     "the "
     "firmware over a mailbox channel of its own (200 ms) and releases hold boot. Of the core only the check of the "
     "table's restore is new. Against main: start when running or attached is EBUSY, stop when crashed EINVAL; `stop` "
     "reports 0 even if the driver could not; an automatic attach inside add, a "
     "failed "
     "attach that leaves carveouts and a failing vdev are as in v4; no attach recovery; a crash report during removal "
     "is handled. Hazards: as v6.",
     {}},
    {"main",
     "linux-source-6.12, the base of all others: state tests are in the core (EINVAL), other users and a second start "
     "return 0 and count, a crashed processor can be stopped, an automatic attach is queued, a failed attach cleans up "
     "after itself. Hazards: H1 to H11.",
     {}},
    {"cleanup",
     "main with what the review of the K3 graceful shutdown proposes (threads/001): resources are released in boot "
     "recovery's error paths and on a repeated crash. For the processor to be startable afterwards a failed recovery "
     "also ends the life that the boot began, and a recovery after the release is a whole boot. Hazards: as main, "
     "without H1.",
     {}},
    {"fixed",
     "main with the hazards H1 to H8 closed. H1: a recovery that fails after its stop ends the life, a start boots "
     "again. H2: recovery after an attach is a whole boot, with the new image's own table. H3: a crash report of a "
     "detached processor is ignored. H4: the clean copy's pointer is cleared with its memory, the copy kept until the "
     "processor is off; detach and stop can be tried again. H5: an attach that fails gives the processor back with the "
     "detach op, running, its table as it was found. H6: what a failed prepare or parse_fw registered is dropped. H7: "
     "rings that a vdev entry does not have are not freed. H8: a vdev that cannot be made fails the boot or attach. "
     "Hazards: H9 to H11.",
     {}},
}};

}  // namespace

std::span<const history_description> histories() { return HISTORIES; }

std::string history_names() {
  std::string names;
  for (const history_description& h : HISTORIES) names += fmt::format("{}{}", names.empty() ? "" : ", ", h.name);
  return names;
}

}  // namespace rpsim::remoteproc
