#pragma once
// Results of the TEE client API (GlobalPlatform; OP-TEE lib/libutee/include/tee_api_defines.h).

#include <cstdint>
#include <string_view>

namespace rpsim::optee {

enum class tee_result : std::uint32_t {
  success = 0,
  generic = 0xFFFF0000,
  access_denied = 0xFFFF0001,
  bad_format = 0xFFFF0005,
  bad_parameters = 0xFFFF0006,
  bad_state = 0xFFFF0007,
  item_not_found = 0xFFFF0008,
  not_implemented = 0xFFFF0009,
  not_supported = 0xFFFF000A,
  no_data = 0xFFFF000B,
  security = 0xFFFF000F,
  signature_invalid = 0xFFFF3072,
};

/// "BAD_STATE", as GlobalPlatform's TEE_ERROR_BAD_STATE; "SUCCESS".
std::string_view to_string(tee_result r);

}  // namespace rpsim::optee
