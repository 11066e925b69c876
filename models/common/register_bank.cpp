#include "models/common/register_bank.h"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

namespace rpsim {

register_bank::register_bank(sim_context& context, std::string label, std::uint32_t size_bytes)
    : context_(context), label_(std::move(label)), size_(size_bytes), slots_(size_bytes / 4) {}

register_bank::reg& register_bank::reg::count(unsigned n, unsigned stride) {
  count_ = n;
  stride_ = stride;
  values_.assign(n, reset_);
  for (unsigned i = 1; i < n; ++i) bank_->place(*this, i);
  return *this;
}

register_bank::reg& register_bank::reg::on_read(std::function<std::uint32_t(unsigned)> f) {
  read_ = std::move(f);
  return *this;
}

register_bank::reg& register_bank::reg::on_write(std::function<void(unsigned, std::uint32_t)> f) {
  write_ = std::move(f);
  return *this;
}

void register_bank::place(reg& r, unsigned index) {
  const std::uint64_t offset = r.offset_ + std::uint64_t{index} * r.stride_;
  if (offset % 4 != 0 || offset + 4 > size_) {
    throw std::logic_error(fmt::format("{}: register {} at {:#x} lies outside the bank", label_, r.name_, offset));
  }
  slot& s = slots_[offset / 4];
  if (s.owner != nullptr) {
    throw std::logic_error(
        fmt::format("{}: registers {} and {} share offset {:#x}", label_, s.owner->name_, r.name_, offset));
  }
  s = {&r, index};
}

register_bank::reg& register_bank::add(std::uint32_t offset, std::string name, access a, std::uint32_t reset) {
  auto& r = *regs_.emplace_back(std::make_unique<reg>());
  r.offset_ = offset;
  r.name_ = std::move(name);
  r.access_ = a;
  r.reset_ = reset;
  r.values_.assign(1, reset);
  r.bank_ = this;
  place(r, 0);
  return r;
}

void register_bank::reset() {
  for (auto& r : regs_) r->values_.assign(r->count_, r->reset_);
}

const register_bank::slot& register_bank::at(std::uint32_t offset, unsigned index) const {
  const slot& first = slots_.at(offset / 4);
  if (first.owner == nullptr) throw std::logic_error(fmt::format("{}: no register at {:#x}", label_, offset));
  return index == 0 ? first : slots_.at((offset + index * first.owner->stride_) / 4);
}

std::uint32_t register_bank::get(std::uint32_t offset, unsigned index) const {
  const slot& s = at(offset, index);
  return s.owner->values_[s.index];
}

void register_bank::set(std::uint32_t offset, std::uint32_t value, unsigned index) {
  const slot& s = at(offset, index);
  s.owner->values_[s.index] = value;
}

void register_bank::transport(tlm::tlm_generic_payload& payload, [[maybe_unused]] sc_core::sc_time& delay) {
  const std::uint64_t offset = payload.get_address();
  if (power_ != nullptr && power_->read() != module_state::enable) [[unlikely]] {
    bus_error(context_, label_, payload, tlm::TLM_GENERIC_ERROR_RESPONSE,
              fmt::format("module state {}", to_string(power_->read())));
    return;
  }
  const unsigned length = payload.get_data_length();
  const bool part = narrow_ && (length == 1 || length == 2) && offset % length == 0;
  if ((length != 4 || offset % 4 != 0) && !part) [[unlikely]] {
    bus_error(context_, label_, payload, tlm::TLM_BURST_ERROR_RESPONSE, "registers are 32 bits wide and aligned");
    return;
  }
  if (payload.get_byte_enable_ptr() != nullptr) [[unlikely]] {
    bus_error(context_, label_, payload, tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE, "registers take no byte enables");
    return;
  }
  if (offset >= size_ || (slots_[offset / 4].owner == nullptr && !reads_as_zero_)) [[unlikely]] {
    bus_error(context_, label_, payload, tlm::TLM_ADDRESS_ERROR_RESPONSE, "no register here");
    return;
  }
  const slot s = slots_[offset / 4];
  const unsigned shift = 8 * (offset % 4);
  std::uint32_t value = 0;
  if (payload.is_write()) {
    if (s.owner != nullptr && s.owner->access_ != access::ro) {
      std::memcpy(&value, payload.get_data_ptr(), length);
      value <<= shift;
      if (s.owner->write_) {
        s.owner->write_(s.index, value);
      } else {
        s.owner->values_[s.index] = value;
      }
    }
  } else {
    if (s.owner != nullptr && s.owner->access_ != access::wo) {
      value = s.owner->read_ ? s.owner->read_(s.index) : s.owner->values_[s.index];
    }
    value >>= shift;
    std::memcpy(payload.get_data_ptr(), &value, length);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (s.owner == nullptr) [[unlikely]]
    unmodelled_access(context_, label_, payload);
}

unsigned register_bank::transport_debug(tlm::tlm_generic_payload& payload) {
  // Reads only, from what is stored: a debugger's look must not pop a FIFO.
  const std::uint64_t offset = payload.get_address();
  if (!payload.is_read() || payload.get_data_length() != 4 || offset % 4 != 0 || offset + 4 > size_) return 0;
  const slot s = slots_[offset / 4];
  if (s.owner == nullptr) return 0;
  std::memcpy(payload.get_data_ptr(), &s.owner->values_[s.index], 4);
  return 4;
}

}  // namespace rpsim
