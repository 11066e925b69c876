#include "models/stub/stub.h"

#include <fmt/format.h>

namespace rpsim {

namespace {
constexpr unsigned WORD_BYTES = 4;
constexpr std::uint64_t PARTITION_BYTES = 0x4000, KICK0 = 0x1008, KICK1 = 0x100C;  // in each partition
constexpr std::uint32_t KICK0_UNLOCKS = 0x68EF3490, KICK1_UNLOCKS = 0xD172BC5A;
}  // namespace

stub::stub(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      policy_(policy_of(node)),
      otherwise_(node.u32("rpsim,value").value_or(0)),
      size_(node.reg().empty() ? 0 : node.reg()[0].size),
      has_kicks_(node.has("rpsim,kicks")),
      port_("target", *this) {
  if (node.reg().size() != 1) node.fail("reg", "of a stub is one window");
  read_registers();
  for (const std::uint64_t partition : node.cells("rpsim,unlocked")) {
    if (!has_kicks_ || (partition + 1) * PARTITION_BYTES > size_)
      node.fail("rpsim,unlocked", fmt::format("{} is no partition that has kicks", partition));
    written_[partition * PARTITION_BYTES + KICK0] = KICK0_UNLOCKS;
    written_[partition * PARTITION_BYTES + KICK1] = KICK1_UNLOCKS;
  }
  SC_HAS_PROCESS(stub);
  SC_METHOD(power_changed);
  sensitive << power_;
}

stub::policy stub::policy_of(const dt::node& node) {
  const std::string word = node.required_string("rpsim,policy");
  if (word == "remember") return policy::remember;
  if (word == "constant") return policy::constant;
  if (word == "bus-error") return policy::bus_error;
  node.fail("rpsim,policy", fmt::format("\"{}\" is none of remember, constant, bus-error", word));
}

void stub::read_registers() {
  const auto cells = node().cells("rpsim,registers");
  const auto names = node().strings("rpsim,register-names");
  if (cells.size() % 2 != 0) node().fail("rpsim,registers", "takes two cells a register: offset, reset value");
  if (!names.empty() && names.size() != cells.size() / 2) {
    node().fail("rpsim,register-names",
                fmt::format("names {} registers, rpsim,registers has {}", names.size(), cells.size() / 2));
  }
  for (std::size_t i = 0; i < cells.size(); i += 2) {
    const std::uint32_t offset = cells[i];
    if (offset % WORD_BYTES != 0 || offset + std::uint64_t{WORD_BYTES} > size_) {
      node().fail("rpsim,registers", fmt::format("{:#x} is no register of a window of {:#x} bytes", offset, size_));
    }
    if (!registers_.try_emplace(offset, cells[i + 1], names.empty() ? "" : names[i / 2]).second) {
      node().fail("rpsim,registers", fmt::format("names the register at {:#x} twice", offset));
    }
  }
}

std::uint32_t stub::word(std::uint64_t offset) const {
  if (const auto w = written_.find(offset); w != written_.end()) return w->second;
  const auto r = registers_.find(offset);
  return r != registers_.end() ? r->second.reset : otherwise_;
}

bool stub::is_kick(std::uint64_t offset) const {
  const std::uint64_t there = offset % PARTITION_BYTES & ~std::uint64_t{3};
  return has_kicks_ && (there == KICK0 || there == KICK1);
}

bool stub::locked(std::uint64_t offset) const {
  const std::uint64_t base = offset - offset % PARTITION_BYTES;
  if (!has_kicks_ || is_kick(offset)) return false;
  return word(base + KICK0) != KICK0_UNLOCKS || word(base + KICK1) != KICK1_UNLOCKS;
}

void stub::copy_out(tlm::tlm_generic_payload& payload) const {
  unsigned char* const to = payload.get_data_ptr();
  for (unsigned i = 0; i < payload.get_data_length(); ++i) {
    const std::uint64_t at = payload.get_address() + i;
    to[i] = static_cast<unsigned char>(word(at & ~std::uint64_t{3}) >> (8 * (at % WORD_BYTES)));
  }
}

void stub::store(const tlm::tlm_generic_payload& payload) {
  const unsigned char* const from = payload.get_data_ptr();
  for (unsigned i = 0; i < payload.get_data_length(); ++i) {
    const std::uint64_t at = payload.get_address() + i, aligned = at & ~std::uint64_t{3};
    const unsigned shift = 8 * (at % WORD_BYTES);
    written_[aligned] = (word(aligned) & ~(0xFFU << shift)) | (std::uint32_t{from[i]} << shift);
  }
}

void stub::transport(tlm::tlm_generic_payload& payload, [[maybe_unused]] sc_core::sc_time& delay) {
  if (power_.read() != module_state::enable) {
    bus_error(context(), label(), payload, tlm::TLM_GENERIC_ERROR_RESPONSE,
              fmt::format("module state {}", to_string(power_.read())));
    return;
  }
  if (payload.get_byte_enable_ptr() != nullptr) {
    bus_error(context(), label(), payload, tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE, "registers take no byte enables");
    return;
  }
  if (payload.get_address() >= size_ || payload.get_data_length() > size_ - payload.get_address()) {
    bus_error(context(), label(), payload, tlm::TLM_ADDRESS_ERROR_RESPONSE, "outside the window");
    return;
  }
  if (policy_ == policy::bus_error) {
    bus_error(context(), label(), payload, tlm::TLM_ADDRESS_ERROR_RESPONSE, "a stub that answers nothing");
    return;
  }
  const bool ignored = payload.is_write() && locked(payload.get_address());
  if (payload.is_read()) {
    copy_out(payload);
  } else if (policy_ == policy::remember && !ignored) {
    store(payload);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (is_kick(payload.get_address())) return;  // that is modelled
  const auto r = registers_.find(payload.get_address() & ~std::uint64_t{3});
  unmodelled_access(context(), label(), payload, r != registers_.end() ? r->second.name : "", ignored);
}

unsigned stub::transport_debug(tlm::tlm_generic_payload& payload) {
  if (!payload.is_read() || payload.get_address() >= size_ ||
      payload.get_data_length() > size_ - payload.get_address()) {
    return 0;
  }
  copy_out(payload);
  return payload.get_data_length();
}

void stub::power_changed() {
  if (in_module_reset(power_.read())) written_.clear();
}

}  // namespace rpsim
