#pragma once
// OP-TEE's remoteproc trusted application, with the pseudo application below it that alone touches the hardware. Facts:
// OP-TEE ta/remoteproc, core/pta/stm32mp/remoteproc_pta.c; reference/stm32mp1.md §8.2.
//
// A processor is OFF, LOADED or STARTED; before the first LOAD_FW nothing is known of it, and every other command is
// BAD_PARAMETERS. The signature is not verified, since nobody here has a key: its algorithm and its length are. The
// segments are: what lies in the M4's memory must have the hash that the container's table gives.
//
// Where the images' ELF structures lead outside the container, OP-TEE reads what lies there; here it is BAD_FORMAT.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string_view>

#include "host_sw/optee/container.h"
#include "host_sw/optee/stm32_remoteproc.h"

namespace rpsim::optee {

class remoteproc_ta {
 public:
  static constexpr std::string_view UUID = "80a4c275-0a47-4905-8285-1486a9771a08";
  enum command : std::uint32_t {
    LOAD_FW = 1,
    START_FW = 2,
    STOP_FW = 3,
    GET_RSC_TABLE = 4,
    GET_COREDUMP = 5,  // NOT_IMPLEMENTED
    RELEASE_FW = 6,
  };
  enum class fw_state : std::uint8_t { off, loaded, started };
  struct resource_table {
    std::uint64_t pa = 0, size = 0;  // size 0: the firmware has none
  };
  /// What verifying a signature and hashing so many bytes take of the CPU.
  struct work {
    std::function<void()> verify;
    std::function<void(std::size_t bytes)> hash;
  };

  /// `driver` is processor 0; nullptr: OP-TEE has none.
  remoteproc_ta(stm32_remoteproc* driver, work w) : driver_(driver), work_(std::move(w)) {}

  /// NOT_SUPPORTED for a processor that OP-TEE does not have.
  tee_result open_session(std::uint32_t processor) const;
  tee_result load(std::uint32_t processor, std::span<const std::byte> file);
  tee_result start(std::uint32_t processor);
  tee_result stop(std::uint32_t processor);
  tee_result get_resource_table(std::uint32_t processor, resource_table& table) const;
  tee_result release(std::uint32_t processor);

 private:
  struct context {
    fw_state state = fw_state::off;
    resource_table table;
  };
  context* find(std::uint32_t processor);
  tee_result verify(const signed_container& c);
  tee_result load_images(const signed_container& c, context& to);
  tee_result load_segments(const signed_container& c, std::span<const std::byte> hashes, std::size_t offset,
                           std::size_t size);
  tee_result load_segment(std::span<const std::byte> content, std::uint32_t da, std::uint32_t memory_size,
                          std::span<const std::byte> hash);
  tee_result find_table(std::span<const std::byte> image, resource_table& table) const;

  stm32_remoteproc* driver_;
  work work_;
  std::map<std::uint32_t, context> contexts_;
};

}  // namespace rpsim::optee
