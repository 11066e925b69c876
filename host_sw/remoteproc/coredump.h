#pragma once
// Core dumps of a crashed remote processor: ELF core files of the registered segments, handed to the device-coredump
// class. Facts: reference/remoteproc-core.md §6.

#include "host_sw/remoteproc/rproc_ops.h"

namespace rpsim::remoteproc {

/// The default coredump op: program headers.
void coredump(rproc& r);
/// A coredump op for drivers: section headers; every segment needs a name.
void coredump_using_sections(rproc& r);

}  // namespace rpsim::remoteproc
