#include "models/interconnect/rat.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "models/interconnect/translated_dmi.h"

namespace rpsim {

namespace {

constexpr std::uint32_t WINDOW_BYTES = 0x1000;
constexpr unsigned MAX_REGIONS = (rat::DESTINATION_ID - rat::CTRL) / 0x10;
constexpr std::uint32_t CTRL_ENABLE = 1U << 31;
constexpr unsigned INPUT_BITS = 32, OUTPUT_BITS = 48;

dt::region register_window(const dt::node& node) {
  const auto windows = node.reg();
  if (windows.size() != 1 || windows[0].size != WINDOW_BYTES) node.fail("reg", "a RAT has one window of 0x1000 bytes");
  return windows[0];
}

unsigned region_count(const dt::node& node) {
  const unsigned n = node.u32("rpsim,regions").value_or(16);
  if (n == 0 || n > MAX_REGIONS) node.fail("rpsim,regions", fmt::format("must be 1 to {}", MAX_REGIONS));
  return n;
}

}  // namespace

rat::rat(sc_core::sc_module_name name, sim_context& context, const dt::node& node)
    : model(name, context, node),
      window_(register_window(node)),
      regions_(region_count(node)),
      bank_(context, label(), WINDOW_BYTES),
      upstream_("upstream", *this) {
  const auto region_register = [this](std::uint32_t offset, const char* register_name, std::uint32_t mask) {
    bank_.add(offset, register_name, access::rw).count(regions_, 0x10).on_write([=, this](unsigned i, std::uint32_t v) {
      bank_.set(offset, v & mask, i);
      reload();
    });
  };
  bank_.add(PID, "PID", access::ro);  // value not published where we could read it
  bank_.add(CONFIG, "CONFIG", access::ro, regions_ | OUTPUT_BITS << 16);
  region_register(CTRL, "CTRL", CTRL_ENABLE | 0x3F);
  region_register(BASE, "BASE", 0xFFFFFFFF);
  region_register(TRANS_L, "TRANS_L", 0xFFFFFFFF);
  region_register(TRANS_U, "TRANS_U", 0xFFFF);
  bank_.add(DESTINATION_ID, "DESTINATION_ID", access::rw);
  bank_.add(LOGGING_CONTROL, "EXCEPTION_LOGGING_CONTROL", access::rw);
  bank_.add(LOGGING_HEADER0, "EXCEPTION_LOGGING_HEADER0", access::ro);
  bank_.add(LOGGING_HEADER1, "EXCEPTION_LOGGING_HEADER1", access::ro);
  bank_.add(LOGGING_DATA0, "EXCEPTION_LOGGING_DATA0", access::ro);
  bank_.add(LOGGING_DATA1, "EXCEPTION_LOGGING_DATA1", access::ro);
  bank_.add(LOGGING_DATA2, "EXCEPTION_LOGGING_DATA2", access::ro);
  bank_.add(LOGGING_DATA3, "EXCEPTION_LOGGING_DATA3", access::ro).on_read([this](unsigned) {
    bank_.set(PEND_SET, 0);
    return bank_.get(LOGGING_DATA3);
  });
  bank_.add(PEND_SET, "EXCEPTION_PEND_SET", access::rw).on_write([this](unsigned, std::uint32_t v) {
    if (v & 1) bank_.set(PEND_SET, 1);
  });
  bank_.add(PEND_CLEAR, "EXCEPTION_PEND_CLEAR", access::rw)
      .on_read([this](unsigned) { return bank_.get(PEND_SET); })
      .on_write([this](unsigned, std::uint32_t v) {
        if (v & 1) bank_.set(PEND_SET, 0);
      });
  bank_.add(ENABLE_SET, "EXCEPTION_ENABLE_SET", access::rw).on_write([this](unsigned, std::uint32_t v) {
    bank_.set(ENABLE_SET, bank_.get(ENABLE_SET) | (v & 1));
  });
  bank_.add(ENABLE_CLEAR, "EXCEPTION_ENABLE_CLEAR", access::rw)
      .on_read([this](unsigned) { return bank_.get(ENABLE_SET); })
      .on_write([this](unsigned, std::uint32_t v) { bank_.set(ENABLE_SET, bank_.get(ENABLE_SET) & ~v); });
  bank_.add(EOI, "EOI_REG", access::wo);
  bank_.powered_by(&power_);
  downstream_.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  SC_HAS_PROCESS(rat);
  SC_METHOD(power_changed);
  sensitive << power_;
}

const rat::region* rat::find(std::uint64_t address) const {
  for (const region& r : enabled_) {
    if (address >= r.base && address <= r.last) return &r;
  }
  return nullptr;
}

void rat::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const std::uint64_t address = payload.get_address();
  if (is_register(address)) [[unlikely]] {
    payload.set_address(address - window_.base);
    bank_.transport(payload, delay);
    payload.set_address(address);
    return;
  }
  const region* r = find(address);
  const region* r_last = payload.get_data_length() <= 1 ? r : find(address + payload.get_data_length() - 1);
  if (r != r_last) [[unlikely]]
    return annul(payload, r != nullptr ? *r : *r_last);
  if (r == nullptr) return downstream_->b_transport(payload, delay);
  payload.set_address(r->output + (address - r->base));
  downstream_->b_transport(payload, delay);
  payload.set_address(address);
}

void rat::annul(tlm::tlm_generic_payload& payload, const region& crossed) {
  const std::uint64_t address = payload.get_address();
  if ((bank_.get(LOGGING_CONTROL) & 1) == 0 && bank_.get(PEND_SET) == 0) {
    bank_.set(LOGGING_DATA0, static_cast<std::uint32_t>(address));
    bank_.set(LOGGING_DATA1, static_cast<std::uint32_t>(address >> 32) & 0xFFFF);
    bank_.set(LOGGING_DATA2, payload.is_write() ? 1U << 13 : 1U << 12);
    bank_.set(LOGGING_DATA3, std::min(payload.get_data_length(), 0x3FFU));
    bank_.set(PEND_SET, 1);
  }
  bus_error(context(), label(), payload, tlm::TLM_ADDRESS_ERROR_RESPONSE,
            fmt::format("crosses the edge of region {}", crossed.index));
}

unsigned rat::transport_debug(tlm::tlm_generic_payload& payload) {
  const std::uint64_t address = payload.get_address();
  unsigned done = 0;
  if (is_register(address)) {
    payload.set_address(address - window_.base);
    done = bank_.transport_debug(payload);
  } else {
    const unsigned length = payload.get_data_length();
    const route way = around(address);
    payload.set_address(way.in == nullptr ? address : way.in->output + (address - way.in->base));
    if (length != 0) {
      payload.set_data_length(static_cast<unsigned>(std::min<std::uint64_t>(length - 1, way.last - address) + 1));
    }
    done = downstream_->transport_dbg(payload);
    payload.set_data_length(length);
  }
  payload.set_address(address);
  return done;
}

rat::route rat::around(std::uint64_t address) const {
  const region* in = find(address);
  route way{in, in != nullptr ? in->base : 0, in != nullptr ? in->last : std::numeric_limits<std::uint64_t>::max()};
  const auto keep_off = [&](std::uint64_t first, std::uint64_t last) {
    if (last < address) way.first = std::max(way.first, last + 1);
    if (first > address) way.last = std::min(way.last, first - 1);
  };
  for (const region& r : enabled_) {
    if (in == nullptr || r.index < in->index) keep_off(r.base, r.last);
  }
  keep_off(window_.base, window_.base + window_.size - 1);
  return way;
}

bool rat::direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const std::uint64_t address = payload.get_address();
  if (is_register(address)) {
    dmi.set_start_address(window_.base);
    dmi.set_end_address(window_.base + window_.size - 1);
    return false;
  }
  const route way = around(address);
  const std::uint64_t output = way.in != nullptr ? way.in->output + (way.first - way.in->base) : way.first;
  const bool granted = translated_dmi(*downstream_.operator->(), {way.first, way.last, output}, payload, dmi);
  dmi_granted_ |= granted;
  return granted;
}

tlm::tlm_sync_enum rat::nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&) {
  return tlm::TLM_ACCEPTED;  // the RAT never starts a non-blocking transaction
}

void rat::invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) {
  upstream_->invalidate_direct_mem_ptr(start, end);  // what passes unchanged
  for (const region& r : enabled_)
    invalidate_translated(*upstream_.operator->(), {r.base, r.last, r.output}, start, end);
}

void rat::reload() {
  enabled_.clear();
  for (unsigned i = 0; i < regions_; ++i) {
    const std::uint32_t control = bank_.get(CTRL, i);
    if ((control & CTRL_ENABLE) == 0) continue;
    // Only the bits above the size are compared and replaced; a base that is not aligned is "unpredictable" on the
    // chip.
    const std::uint64_t low = (std::uint64_t{1} << std::min<unsigned>(control & 0x3F, INPUT_BITS)) - 1;
    const std::uint64_t base = bank_.get(BASE, i) & ~low;
    const std::uint64_t output = (std::uint64_t{bank_.get(TRANS_U, i)} << 32 | bank_.get(TRANS_L, i)) & ~low;
    enabled_.push_back({i, base, base + low, output});
  }
  if (!dmi_granted_) return;
  dmi_granted_ = false;
  upstream_->invalidate_direct_mem_ptr(0, std::numeric_limits<std::uint64_t>::max());
}

void rat::power_changed() {
  if (!in_module_reset(power_.read())) return;
  bank_.reset();
  reload();
}

}  // namespace rpsim
