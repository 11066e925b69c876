#pragma once
// A range of memory that a core reaches directly: the range check and the copy, inline.

#include <cstdint>
#include <cstring>
#include <tlm>
#include <type_traits>

namespace rpsim {

class dmi_window {
 public:
  dmi_window() = default;
  explicit dmi_window(const tlm::tlm_dmi& dmi)
      : base_(dmi.get_dmi_ptr()),
        start_(dmi.get_start_address()),
        last_(dmi.get_end_address() - dmi.get_start_address()),
        read_latency_(dmi.get_read_latency()),
        write_latency_(dmi.get_write_latency()),
        read_(dmi.is_read_allowed()),
        write_(dmi.is_write_allowed()) {}

  /// False, and nothing done, if the value does not lie wholly inside.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  bool read(std::uint64_t address, T& value) const {
    const std::uint64_t offset = address - start_;
    if (!read_ || offset > last_ || last_ - offset < sizeof(T) - 1) return false;
    std::memcpy(&value, base_ + offset, sizeof(T));
    return true;
  }

  /// The memory behind [address, address + length), length > 0; nullptr if it is not wholly inside or not permitted.
  unsigned char* find(tlm::tlm_command command, std::uint64_t address, std::uint64_t length) const {
    const std::uint64_t offset = address - start_;
    const bool permitted = command == tlm::TLM_READ_COMMAND ? read_ : write_;
    return permitted && offset <= last_ && length - 1 <= last_ - offset ? base_ + offset : nullptr;
  }
  bool overlaps(std::uint64_t start, std::uint64_t end) const {
    return base_ != nullptr && start <= start_ + last_ && end >= start_;
  }
  explicit operator bool() const { return base_ != nullptr; }
  const sc_core::sc_time& latency(tlm::tlm_command command) const {
    return command == tlm::TLM_READ_COMMAND ? read_latency_ : write_latency_;
  }

 private:
  unsigned char* base_ = nullptr;
  std::uint64_t start_ = 0, last_ = 0;  // last_: offset of the last byte
  sc_core::sc_time read_latency_, write_latency_;
  bool read_ = false, write_ = false;
};

}  // namespace rpsim
