#pragma once
// The words that the two sides of a K3 remoteproc mailbox exchange (reference/k3.md §2).

#include <charconv>
#include <cstdint>
#include <string_view>

namespace rpsim {

namespace rp_mbox {
inline constexpr std::uint32_t READY = 0xFFFFFF00;
inline constexpr std::uint32_t PENDING_MSG = 0xFFFFFF01;
inline constexpr std::uint32_t CRASH = 0xFFFFFF02;
inline constexpr std::uint32_t ECHO_REQUEST = 0xFFFFFF03;
inline constexpr std::uint32_t ECHO_REPLY = 0xFFFFFF04;
inline constexpr std::uint32_t ABORT_REQUEST = 0xFFFFFF05;
inline constexpr std::uint32_t SUSPEND_AUTO = 0xFFFFFF10;
inline constexpr std::uint32_t SUSPEND_SYSTEM = 0xFFFFFF11;
inline constexpr std::uint32_t SUSPEND_ACK = 0xFFFFFF12;
inline constexpr std::uint32_t SUSPEND_CANCEL = 0xFFFFFF13;
inline constexpr std::uint32_t SHUTDOWN = 0xFFFFFF14;  // mainline's END_MSG before the shutdown series
inline constexpr std::uint32_t SHUTDOWN_ACK = 0xFFFFFF15;
}  // namespace rp_mbox

/// What people call a word: "SHUTDOWN", "kick 1" (a vring's notify id: anything below 0x10000), or its digits
/// "0x100000ff".
class rp_mbox_name {
 public:
  explicit rp_mbox_name(std::uint32_t word) : view_(known(word)) {
    if (!view_.empty()) return;
    const bool kick = word < 0x10000;
    const std::string_view prefix = kick ? "kick " : "0x";
    char* end = buffer_ + prefix.copy(buffer_, prefix.size());
    end = std::to_chars(end, buffer_ + sizeof buffer_, word, kick ? 10 : 16).ptr;
    view_ = {buffer_, static_cast<std::size_t>(end - buffer_)};
  }
  rp_mbox_name(const rp_mbox_name&) = delete;
  rp_mbox_name& operator=(const rp_mbox_name&) = delete;

  /// Lives as long as this object.
  std::string_view text() const { return view_; }

 private:
  static constexpr std::string_view known(std::uint32_t word) {
    switch (word) {
      case rp_mbox::READY:
        return "READY";
      case rp_mbox::PENDING_MSG:
        return "PENDING_MSG";
      case rp_mbox::CRASH:
        return "CRASH";
      case rp_mbox::ECHO_REQUEST:
        return "ECHO_REQUEST";
      case rp_mbox::ECHO_REPLY:
        return "ECHO_REPLY";
      case rp_mbox::ABORT_REQUEST:
        return "ABORT_REQUEST";
      case rp_mbox::SUSPEND_AUTO:
        return "SUSPEND_AUTO";
      case rp_mbox::SUSPEND_SYSTEM:
        return "SUSPEND_SYSTEM";
      case rp_mbox::SUSPEND_ACK:
        return "SUSPEND_ACK";
      case rp_mbox::SUSPEND_CANCEL:
        return "SUSPEND_CANCEL";
      case rp_mbox::SHUTDOWN:
        return "SHUTDOWN";
      case rp_mbox::SHUTDOWN_ACK:
        return "SHUTDOWN_ACK";
      default:
        return {};
    }
  }

  char buffer_[16];
  std::string_view view_;
};

}  // namespace rpsim
