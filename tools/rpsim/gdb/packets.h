#pragma once
// gdb's remote serial protocol below the commands: packets, their checksums and escapes, and hexadecimal. Facts: the
// GDB manual, appendix "GDB Remote Serial Protocol".

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rpsim::tool::gdb {

/// What came in, one after the other.
struct input {
  enum class kind : std::uint8_t {
    packet,
    damaged,  // its checksum is wrong: asked for again with '-'
    ack,
    nak,
    interrupt,  // the byte 0x03 between packets
  };
  kind what = kind::packet;
  std::string payload;
};

/// Bytes in, inputs out; what lies between packets and is none of it is skipped. A packet longer than MOST_BYTES counts
/// as damaged.
class packet_reader {
 public:
  static constexpr std::size_t MOST_BYTES = 0x4000;  // PacketSize
  std::vector<input> take(std::string_view bytes);

 private:
  enum class state : std::uint8_t { between, payload, first_digit, second_digit };
  state state_ = state::between;
  std::string payload_;
  bool too_long_ = false, escaped_ = false;
  unsigned sum_ = 0;
  char digit_ = 0;
};

/// $payload#checksum, with what must not appear in it escaped.
std::string frame(std::string_view payload);

std::optional<unsigned> hex_digit(char c);
/// All of it, up to 64 bits; nothing: not a number.
std::optional<std::uint64_t> hex_number(std::string_view text);
std::string to_hex(std::span<const std::byte> bytes);
std::string to_hex(std::string_view text);
std::optional<std::vector<std::byte>> from_hex(std::string_view text);

}  // namespace rpsim::tool::gdb
