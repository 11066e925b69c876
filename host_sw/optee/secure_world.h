#pragma once
// The secure world of the host core: OP-TEE, as far as it manages a remote processor. It boots before Linux, and runs
// on the CPU that calls it. Its memory goes with the host's power or reset; so the M4 does not outlive a host reset
// here: OP-TEE resets it when it boots.
//
// OP-TEE is single: a call waits until the one before it is through.

#include <optional>

#include "host_sw/optee/remoteproc_ta.h"

namespace rpsim::optee {

class secure_world {
 public:
  /// Parameters: <host>.optee_call, <host>.optee_verify, <host>.optee_hash, where the tree has a processor for it.
  secure_world(os::kernel& k, const dt::tree& tree);
  secure_world(const secure_world&) = delete;
  secure_world& operator=(const secure_world&) = delete;

  /// Before Linux; from a host thread.
  void boot();
  bool has_remoteproc() const { return remoteproc_.has_value(); }

  struct invocation {
    std::uint32_t command = 0, processor = 0;
    std::span<const std::byte> buffer;    // LOAD_FW
    remoteproc_ta::resource_table table;  // GET_RSC_TABLE
  };
  // Of the remoteproc application, from a host thread. Emits tee.call.
  tee_result open_session(std::uint32_t processor);
  tee_result invoke(invocation& i);

 private:
  struct parameters {
    param &call, &verify, &hash;
  };
  tee_result answer(std::string_view command, std::uint32_t processor, const std::function<tee_result()>& f);

  os::kernel& kernel_;
  os::mutex lock_;
  std::optional<parameters> params_;
  std::optional<stm32_remoteproc> driver_;
  std::optional<remoteproc_ta> remoteproc_;
};

}  // namespace rpsim::optee
