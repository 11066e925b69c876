#pragma once
// Remote processors that a trusted application manages: Linux's remoteproc_tee.c, which is not merged. Facts: series
// v21 of "Introduction of a remoteproc tee to load signed firmware" (March 2026); reference/stm32mp1.md §8.1.
//
// A result of the application that is not TEE_SUCCESS is EIO to the caller, whatever it was. The device link that v21
// makes keeps the service from going away under a processor; here it cannot be unbound at all.

#include <memory>

#include "host_sw/optee/secure_world.h"
#include "host_sw/remoteproc/remoteproc.h"

namespace rpsim::remoteproc {

/// The service: what the TEE bus's device of the remoteproc application is probed into. A driver provides it on the
/// node whose `compatible` is the application's UUID.
class rproc_tee_service {
 public:
  rproc_tee_service(os::kernel& k, optee::secure_world& secure) : kernel_(k), secure_(secure) {}
  os::kernel& os() { return kernel_; }
  optee::secure_world& secure() { return secure_; }
  void log(std::string text);

 private:
  os::kernel& kernel_;
  optee::secure_world& secure_;
};

/// One processor's session.
class rproc_tee {
 public:
  /// `backend` is the consumer's `rproc-tee-phandle`: the service's node and the processor's number. nullptr with
  /// `error`: -ENOENT without the property, -EPROBE_DEFER without the service, -EINVAL for another node or where the
  /// application refuses the session.
  static std::unique_ptr<rproc_tee> open(os::machine& machine, os::device& consumer, int& error);

  /// start, stop, load, parse_fw, find_loaded_rsc_table, release_fw; no others: such a processor is never attached to.
  rproc_ops ops();
  int stop(rproc& r);

 private:
  rproc_tee(rproc_tee_service& service, std::uint32_t processor) : service_(service), processor_(processor) {}
  int invoke(std::uint32_t command, std::string_view name, const firmware& fw = nullptr,
             optee::remoteproc_ta::resource_table* table = nullptr);
  int load(const firmware& fw);
  int parse(rproc& r, const firmware& fw);
  std::uint64_t find_loaded_table(rproc& r);
  void release(rproc& r);

  rproc_tee_service& service_;
  const std::uint32_t processor_;
};

}  // namespace rpsim::remoteproc
