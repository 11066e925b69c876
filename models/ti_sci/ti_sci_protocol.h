#pragma once
// TI-SCI as it goes over a secure-proxy thread: 15 words, an 8-byte header, then the payload, little endian and packed.
// Message ids, layouts and flags: reference/k3.md §3.1, §3.4; clock messages: Linux drivers/firmware/ti_sci.h.

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace rpsim::ti_sci {

inline constexpr unsigned MESSAGE_WORDS = 15;  // words 0x04 … 0x3C of a thread
inline constexpr unsigned MESSAGE_BYTES = MESSAGE_WORDS * 4;

enum class message_type : std::uint16_t {
  VERSION = 0x0002,
  SYS_RESET = 0x0005,
  SET_CLOCK = 0x0100,
  GET_CLOCK = 0x0101,
  SET_CLOCK_PARENT = 0x0102,
  GET_CLOCK_PARENT = 0x0103,
  GET_NUM_CLOCK_PARENTS = 0x0104,
  SET_FREQ = 0x010C,
  QUERY_FREQ = 0x010D,
  GET_FREQ = 0x010E,
  SET_DEVICE = 0x0200,
  GET_DEVICE = 0x0201,
  SET_DEVICE_RESETS = 0x0202,
  DROP_POWERUP_REF = 0x0203,
  RM_IRQ_SET = 0x1000,
  RM_IRQ_RELEASE = 0x1001,
  RM_GET_RESOURCE_RANGE = 0x1500,
  PROC_REQUEST = 0xC000,
  PROC_RELEASE = 0xC001,
  PROC_HANDOVER = 0xC005,
  PROC_SET_CONFIG = 0xC100,
  PROC_SET_CONTROL = 0xC101,
  PROC_AUTH_BOOT = 0xC120,
  PROC_GET_STATUS = 0xC400,
  PROC_WAIT_STATUS = 0xC401,
};

/// The message's name as the trace has it ("SET_DEVICE"), "?" for an id that is not above.
std::string_view name(message_type type);

// Header flags. A NACK is a response with all of them clear: no error code is transported.
inline constexpr std::uint32_t FLAG_REQUEST_AOP = 1u << 1;  // acknowledge on processed
inline constexpr std::uint32_t FLAG_RESPONSE_ACK = 1u << 1;
inline constexpr std::uint32_t FLAG_DEVICE_EXCLUSIVE = 1u << 10;

// SET_DEVICE's state, GET_DEVICE's programmed_state.
inline constexpr std::uint8_t DEVICE_SW_AUTO_OFF = 0;
inline constexpr std::uint8_t DEVICE_SW_RETENTION = 1;
inline constexpr std::uint8_t DEVICE_SW_ON = 2;
// GET_DEVICE's current_state.
inline constexpr std::uint8_t DEVICE_HW_OFF = 0;
inline constexpr std::uint8_t DEVICE_HW_ON = 1;
inline constexpr std::uint8_t DEVICE_HW_TRANS = 2;
// SET_DEVICE_RESETS
inline constexpr std::uint32_t RESET_LOCAL = 1u << 0;
inline constexpr std::uint32_t RESET_MODULE = 1u << 1;
// SET_CLOCK's state, GET_CLOCK's programmed_state and current_state.
inline constexpr std::uint8_t CLOCK_SW_UNREQ = 0;
inline constexpr std::uint8_t CLOCK_SW_AUTO = 1;
inline constexpr std::uint8_t CLOCK_SW_REQ = 2;
inline constexpr std::uint8_t CLOCK_HW_NOT_READY = 0;
inline constexpr std::uint8_t CLOCK_HW_READY = 1;
// RM_IRQ_SET's valid_params.
inline constexpr std::uint32_t IRQ_DST_ID = 1u << 0;
inline constexpr std::uint32_t IRQ_DST_HOST_IRQ = 1u << 1;
inline constexpr std::uint32_t IRQ_SECONDARY_HOST = 1u << 31;
inline constexpr std::uint8_t HOST_NONE = 0xFF;  // RM_GET_RESOURCE_RANGE: no secondary host
inline constexpr std::uint8_t HOST_ALL = 128;
// PROC_GET_STATUS (reference/k3.md §3.7).
inline constexpr std::uint32_t STATUS_WFE = 1u << 0;
inline constexpr std::uint32_t STATUS_WFI = 1u << 1;
inline constexpr std::uint32_t STATUS_R5F_LOCKSTEP_PERMITTED = 1u << 8;
inline constexpr std::uint32_t STATUS_R5F_SINGLE_CORE_ONLY = 1u << 9;
// PROC_SET_CONFIG, PROC_SET_CONTROL of an R5F.
inline constexpr std::uint32_t CONFIG_R5F_LOCKSTEP = 1u << 8;
inline constexpr std::uint32_t CONFIG_R5F_TEINIT = 1u << 9;
inline constexpr std::uint32_t CONFIG_R5F_TCM_RSTBASE = 1u << 11;  // ATCM at 0, else BTCM
inline constexpr std::uint32_t CONFIG_R5F_BTCM_EN = 1u << 12;
inline constexpr std::uint32_t CONFIG_R5F_ATCM_EN = 1u << 13;
inline constexpr std::uint32_t CONFIG_R5F_SINGLE_CORE = 1u << 15;
inline constexpr std::uint32_t CONTROL_R5F_CORE_HALT = 1u << 0;

/// One message. Offsets count from the header's first byte, as in reference/k3.md §3.4.
struct message {
  std::array<std::uint32_t, MESSAGE_WORDS> words{};

  template <typename T>
    requires std::is_unsigned_v<T>
  T get(unsigned offset) const {
    T value;
    std::memcpy(&value, reinterpret_cast<const char*>(words.data()) + offset, sizeof value);
    return value;
  }
  template <typename T>
    requires std::is_unsigned_v<T>
  void put(unsigned offset, T value) {
    std::memcpy(reinterpret_cast<char*>(words.data()) + offset, &value, sizeof value);
  }

  message_type type() const { return static_cast<message_type>(get<std::uint16_t>(0)); }
  std::uint8_t host() const { return get<std::uint8_t>(2); }
  std::uint8_t seq() const { return get<std::uint8_t>(3); }
  std::uint32_t flags() const { return get<std::uint32_t>(4); }

  static message make(message_type type, std::uint8_t host, std::uint8_t seq, std::uint32_t flags) {
    message m;
    m.put(0, static_cast<std::uint16_t>(type));
    m.put(2, host);
    m.put(3, seq);
    m.put(4, flags);
    return m;
  }
};

}  // namespace rpsim::ti_sci
