#pragma once
// What a request to the device manager comes to. TI-SCI carries ACK or NACK and nothing else; the reason is for the
// trace.

#include <string>
#include <tl/expected.hpp>

namespace rpsim {

using verdict = tl::expected<void, std::string>;

inline tl::unexpected<std::string> nack(std::string reason) { return tl::unexpected<std::string>(std::move(reason)); }

}  // namespace rpsim
