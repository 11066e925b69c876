#pragma once
// The versions of "remoteproc: Add support for detaching a remote processor", as they were posted.

#include "host_sw/remoteproc/history.h"

namespace rpsim::remoteproc {

/// "v4", "v4+arnaud-1", "v4+arnaud-2", "v4+arnaud", "v5" to "v8"; nullptr for another name.
std::unique_ptr<history> make_detach_series(std::string_view version);

}  // namespace rpsim::remoteproc
