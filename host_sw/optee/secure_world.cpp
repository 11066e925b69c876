#include "host_sw/optee/secure_world.h"

namespace rpsim::optee {

namespace {
constexpr const char* COMPATIBLE = "st,stm32mp1-m4-tee";
constexpr double KIB = 1024;
}  // namespace

secure_world::secure_world(os::kernel& k, const dt::tree& tree) : kernel_(k), lock_(k, "optee") {
  const auto nodes = tree.compatible(COMPATIBLE);
  if (nodes.empty() || !nodes.front().enabled()) return;
  const auto time = [&k](const char* name, const char* why, const char* what, const sc_core::sc_time& t) -> param& {
    return k.context().params.time({k.name() + "." + name, provenance::assumed, why, what}, t);
  };
  params_.emplace(parameters{
      time("optee_call", "assumed: two world switches, the trusted application's session and its memory mapping",
           "what a call into OP-TEE takes before and beside the work it asks for", {50, sc_core::SC_US}),
      time("optee_verify", "assumed: an RSA-2048 verification in software on a Cortex-A7",
           "what OP-TEE takes to verify a container's signature", {2, sc_core::SC_MS}),
      time("optee_hash", "assumed: SHA-256 in software on a Cortex-A7, 20 cycles a byte",
           "what OP-TEE takes to hash a KiB of a loaded segment", {32, sc_core::SC_US})});
  driver_.emplace(k, nodes.front());
}

void secure_world::boot() {
  if (!driver_) return;
  const bool probed = driver_->probe() == tee_result::success;
  remoteproc_.emplace(
      probed ? &*driver_ : nullptr,
      remoteproc_ta::work{
          .verify = [this] { kernel_.busy(params_->verify.time()); },
          .hash = [this](std::size_t n) { kernel_.busy(params_->hash.time() * (static_cast<double>(n) / KIB)); }});
}

tee_result secure_world::answer(std::string_view command, std::uint32_t processor,
                                const std::function<tee_result()>& f) {
  const os::mutex_guard guard(lock_);
  kernel_.busy(params_->call.time());
  const tee_result r = f();
  kernel_.events().emit("optee", "tee.call",
                        {{"command", command}, {"processor", processor}, {"result", to_string(r)}});
  return r;
}

tee_result secure_world::open_session(std::uint32_t processor) {
  return answer("OPEN_SESSION", processor, [&] { return remoteproc_->open_session(processor); });
}

tee_result secure_world::invoke(invocation& i) {
  switch (i.command) {
    case remoteproc_ta::LOAD_FW:
      return answer("LOAD_FW", i.processor, [&] { return remoteproc_->load(i.processor, i.buffer); });
    case remoteproc_ta::START_FW:
      return answer("START_FW", i.processor, [&] { return remoteproc_->start(i.processor); });
    case remoteproc_ta::STOP_FW:
      return answer("STOP_FW", i.processor, [&] { return remoteproc_->stop(i.processor); });
    case remoteproc_ta::GET_RSC_TABLE:
      return answer("GET_RSC_TABLE", i.processor,
                    [&] { return remoteproc_->get_resource_table(i.processor, i.table); });
    case remoteproc_ta::GET_COREDUMP:
      return answer("GET_COREDUMP", i.processor, [] { return tee_result::not_implemented; });
    case remoteproc_ta::RELEASE_FW:
      return answer("RELEASE_FW", i.processor, [&] { return remoteproc_->release(i.processor); });
    default:
      return answer("?", i.processor, [] { return tee_result::bad_parameters; });
  }
}

}  // namespace rpsim::optee
