#pragma once
// The words of TI's remoteproc mailbox protocol (reference/k3.md §2). Any other small word is a vring's notify id.

#include <cstdint>

namespace rpsim::drivers::rp_mbox {

inline constexpr std::uint32_t READY = 0xFFFFFF00;
inline constexpr std::uint32_t CRASH = 0xFFFFFF02;
inline constexpr std::uint32_t ECHO_REQUEST = 0xFFFFFF03;
inline constexpr std::uint32_t ECHO_REPLY = 0xFFFFFF04;
inline constexpr std::uint32_t SUSPEND_AUTO = 0xFFFFFF10;
inline constexpr std::uint32_t SUSPEND_SYSTEM = 0xFFFFFF11;
inline constexpr std::uint32_t SUSPEND_ACK = 0xFFFFFF12;
inline constexpr std::uint32_t SUSPEND_CANCEL = 0xFFFFFF13;
inline constexpr std::uint32_t SHUTDOWN = 0xFFFFFF14;
inline constexpr std::uint32_t SHUTDOWN_ACK = 0xFFFFFF15;
/// Exclusive bound of the known words: mainline ends before SHUTDOWN, the shutdown series behind its acknowledge.
inline constexpr std::uint32_t END_MAINLINE = 0xFFFFFF14;
inline constexpr std::uint32_t END_SHUTDOWN = 0xFFFFFF16;

}  // namespace rpsim::drivers::rp_mbox
