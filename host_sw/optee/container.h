#pragma once
// The signed container that a remote processor's firmware comes in when a TEE loads it: a header of five words, a chunk
// of type-length-value records, a signature over both, and the images; each chunk begins on a multiple of 8 bytes
// behind the header, and the file ends with the padding of the last one. Facts: OP-TEE ta/remoteproc and
// scripts/sign_rproc_fw.py; reference/stm32mp1.md §8.1.
//
// Nothing of a container is trusted: where OP-TEE computes with 32 bits and could wrap around, a length here simply
// does not fit.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "host_sw/optee/tee_result.h"

namespace rpsim::optee {

/// The header's words, by their offset.
enum container_word : std::uint32_t {
  MAGIC = 0,
  VERSION = 4,
  TLV_LENGTH = 8,
  SIGNATURE_LENGTH = 12,
  IMAGE_LENGTH = 16
};
inline constexpr std::size_t CONTAINER_HEADER_BYTES = 20;
inline constexpr std::uint32_t CONTAINER_MAGIC = 0x3543A468, CONTAINER_VERSION = 1;

enum class tlv : std::uint32_t {
  sign_type = 1,      // 1 byte: 1 RSASSA-PKCS1-v1_5 with SHA-256, 2 ECDSA with SHA-256
  hash_type = 2,      // 1 byte: 1 SHA-256; OP-TEE does not look at it
  image_count = 3,    // 1 byte
  image_type = 4,     // 1 byte for each image: 1 ELF
  image_size = 5,     // 1 word for each image
  hash_table = 0x10,  // an ELF32 program header and the SHA-256 of its content, for each segment of every image
  key_info = 0x11,    // handed to whoever verifies the signature
};
inline constexpr std::size_t PHDR_BYTES = 32, SHA256_BYTES = 32, HASH_ENTRY_BYTES = PHDR_BYTES + SHA256_BYTES;
inline constexpr std::uint8_t SIGN_RSA = 1, SIGN_ECDSA = 2, IMAGE_ELF = 1;

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t offset);
std::vector<std::byte> sha256(std::span<const std::byte> bytes);

/// A container whose header is right: magic, version, and chunks that fill the file exactly. Points into the file.
class signed_container {
 public:
  /// BAD_PARAMETERS: the header is not.
  static tl::expected<signed_container, tee_result> open(std::span<const std::byte> file);

  /// The first record of this type that lies within the chunk. NO_DATA: there is none, or it is empty.
  tl::expected<std::span<const std::byte>, tee_result> find(tlv type) const;
  std::span<const std::byte> signature() const { return signature_; }
  std::span<const std::byte> images() const { return images_; }

 private:
  std::span<const std::byte> tlvs_, signature_, images_;
};

/// A container as the signing script makes one of ELF32 images, but for the signature, which is 256 zeroes: there is no
/// key to sign with. The error is a reason.
tl::expected<std::string, std::string> pack_container(const std::vector<std::string_view>& images);

}  // namespace rpsim::optee
