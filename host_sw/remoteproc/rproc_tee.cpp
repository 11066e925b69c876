#include "host_sw/remoteproc/rproc_tee.h"

#include <algorithm>

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

using optee::remoteproc_ta;

void rproc_tee_service::log(std::string text) {
  kernel_.printk(os::log_level::err, fmt::format("optee-ta-{}", remoteproc_ta::UUID), std::move(text));
}

std::unique_ptr<rproc_tee> rproc_tee::open(os::machine& machine, os::device& consumer, int& error) {
  const auto cells = consumer.node.cells("rproc-tee-phandle");
  error = -ENOENT;
  if (cells.size() != 2) return nullptr;
  const dt::node node = machine.tree().by_phandle(cells[0]);
  error = -EINVAL;
  if (!node || !node.is_compatible(remoteproc_ta::UUID)) return nullptr;
  auto* service = machine.provider_of<rproc_tee_service>(node);
  error = -os::EPROBE_DEFER;
  if (service == nullptr) return nullptr;
  const optee::tee_result r = service->secure().open_session(cells[1]);
  error = r == optee::tee_result::success ? 0 : -EINVAL;
  if (error == 0) return std::unique_ptr<rproc_tee>(new rproc_tee(*service, cells[1]));
  machine.os().printk(os::log_level::err, consumer.name,
                      fmt::format("tee_client_open_session failed, err: {:#x}", static_cast<std::uint32_t>(r)));
  return nullptr;
}

rproc_ops rproc_tee::ops() {
  rproc_ops o;
  o.start = [this](rproc&) { return invoke(remoteproc_ta::START_FW, "TA_RPROC_CMD_START"); };
  o.stop = [this](rproc& r) { return stop(r); };
  o.load = [this](rproc&, const firmware& fw) { return load(fw); };
  o.parse_fw = [this](rproc& r, const firmware& fw) { return parse(r, fw); };
  o.find_loaded_rsc_table = [this](rproc& r, const firmware&) { return find_loaded_table(r); };
  o.release_fw = [this](rproc& r) { release(r); };
  return o;
}

int rproc_tee::invoke(std::uint32_t command, std::string_view name, const firmware& fw,
                      remoteproc_ta::resource_table* table) {
  optee::secure_world::invocation i{.command = command, .processor = processor_};
  if (fw != nullptr) i.buffer = std::as_bytes(std::span(*fw));
  const optee::tee_result r = service_.secure().invoke(i);
  if (table != nullptr) *table = i.table;
  if (r == optee::tee_result::success) return 0;
  service_.log(fmt::format("{} invoke failed TEE err: {:#x}, ret:0", name, static_cast<std::uint32_t>(r)));
  return -EIO;
}

int rproc_tee::stop(rproc&) { return invoke(remoteproc_ta::STOP_FW, "TA_RPROC_CMD_STOP"); }

int rproc_tee::load(const firmware& fw) { return invoke(remoteproc_ta::LOAD_FW, "TA_RPROC_CMD_LOAD_FW", fw); }

int rproc_tee::parse(rproc& p, const firmware& fw) {
  rproc::impl& r = p.internal();
  // The table is only to be had from the memory that the application has loaded it into.
  if (const int error = load(fw); error != 0) return error;
  remoteproc_ta::resource_table table;
  if (const int error = invoke(remoteproc_ta::GET_RSC_TABLE, "TA_RPROC_CMD_GET_RSC_TABLE", nullptr, &table);
      error != 0) {
    release(p);
    return error;
  }
  r.table_sz = table.size;
  if (table.size == 0) {
    r.table = nullptr;
    return 0;
  }
  r.cached_table = std::make_shared<std::vector<std::byte>>(table.size);
  r.os.memcpy_fromio(r.cached_table->data(), table.pa, table.size);
  r.table = r.cached_table;
  r.past->table_parsed(r);
  return 0;
}

std::uint64_t rproc_tee::find_loaded_table(rproc& p) {
  rproc::impl& r = p.internal();
  remoteproc_ta::resource_table table;
  if (invoke(remoteproc_ta::GET_RSC_TABLE, "TA_RPROC_CMD_GET_RSC_TABLE", nullptr, &table) != 0) return 0;
  r.table_sz = table.size;
  if (table.size == 0) return 0;
  const auto holds = [&table](const carveout& c) {
    return c.pa != 0 && table.pa >= c.pa && table.pa - c.pa + table.size <= c.len;
  };
  return std::ranges::any_of(r.carveouts, holds) ? table.pa : 0;
}

void rproc_tee::release(rproc& p) {
  const rproc_state state = p.state();
  if (state == rproc_state::detached) return;
  if (state != rproc_state::offline) {
    service_.log(fmt::format("unexpected rproc state: {}", static_cast<int>(state)));
    return;
  }
  (void)invoke(remoteproc_ta::RELEASE_FW, "TA_RPROC_CMD_RELEASE_FW");
}

}  // namespace rpsim::remoteproc
