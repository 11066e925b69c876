#include "tools/rpsim/gdb/packets.h"

#include <fmt/format.h>

namespace rpsim::tool::gdb {

std::vector<input> packet_reader::take(std::string_view bytes) {
  std::vector<input> all;
  for (const char c : bytes) {
    switch (state_) {
      case state::between:
        if (c == '+') all.push_back({input::kind::ack, {}});
        if (c == '-') all.push_back({input::kind::nak, {}});
        if (c == '\x03') all.push_back({input::kind::interrupt, {}});
        if (c != '$') break;
        state_ = state::payload;
        payload_.clear();
        sum_ = 0;
        too_long_ = escaped_ = false;
        break;
      case state::payload:
        if (c == '#') {
          state_ = state::first_digit;
          break;
        }
        sum_ += static_cast<unsigned char>(c);
        if (c == '}' && !escaped_) {
          escaped_ = true;
          break;
        }
        too_long_ |= payload_.size() == MOST_BYTES;
        if (!too_long_) payload_ += escaped_ ? static_cast<char>(c ^ 0x20) : c;
        escaped_ = false;
        break;
      case state::first_digit:
        digit_ = c;
        state_ = state::second_digit;
        break;
      case state::second_digit: {
        const auto high = hex_digit(digit_), low = hex_digit(c);
        const bool good = high && low && (*high << 4 | *low) == (sum_ & 0xFF) && !too_long_ && !escaped_;
        all.push_back({good ? input::kind::packet : input::kind::damaged, good ? std::move(payload_) : ""});
        state_ = state::between;
        break;
      }
    }
  }
  return all;
}

std::string frame(std::string_view payload) {
  std::string text = "$";
  unsigned sum = 0;
  for (char c : payload) {
    if (c == '$' || c == '#' || c == '}' || c == '*') {
      text += '}';
      sum += '}';
      c = static_cast<char>(c ^ 0x20);
    }
    text += c;
    sum += static_cast<unsigned char>(c);
  }
  return text + fmt::format("#{:02x}", sum & 0xFF);
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::optional<std::uint64_t> hex_number(std::string_view text) {
  if (text.empty() || text.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto digit = hex_digit(c);
    if (!digit) return std::nullopt;
    value = value << 4 | *digit;
  }
  return value;
}

std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(b));
  return text;
}

std::string to_hex(std::string_view text) { return to_hex(std::as_bytes(std::span(text))); }

std::optional<std::vector<std::byte>> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto value = hex_number(text.substr(i, 2));
    if (!value) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(*value));
  }
  return bytes;
}

}  // namespace rpsim::tool::gdb
