#include "host_sw/optee/container.h"

#include <nettle/sha2.h>

#include <cstring>
#include <optional>

namespace rpsim::optee {

namespace {

constexpr std::size_t ALIGNMENT = 8, TLV_HEADER_BYTES = 8, RSA_2048_BYTES = 256;

constexpr std::uint64_t padded(std::uint64_t length) {
  return (length + ALIGNMENT - 1) & ~std::uint64_t{ALIGNMENT - 1};
}

void put_word(std::string& to, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) to.push_back(static_cast<char>(value >> shift));
}

void pad(std::string& to) { to.resize(padded(to.size())); }

void put_tlv(std::string& to, tlv type, std::string_view value) {
  put_word(to, static_cast<std::uint32_t>(type));
  put_word(to, static_cast<std::uint32_t>(value.size()));
  to.append(value);
  pad(to);
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Header and SHA-256 of every segment; nothing for what is no ELF32, or has a segment that leaves the file.
std::optional<std::string> hash_table_of(std::span<const std::byte> elf) {
  constexpr std::size_t EHDR_BYTES = 52, PHOFF = 28, PHNUM = 44;
  if (elf.size() < EHDR_BYTES || !text(elf).starts_with(std::string_view("\177ELF\1\1", 6))) return std::nullopt;
  const std::uint64_t phoff = word_at(elf, PHOFF), phnum = word_at(elf, PHNUM) & 0xFFFF;
  if (phoff + phnum * PHDR_BYTES > elf.size()) return std::nullopt;
  std::string table;
  for (std::uint64_t i = 0; i < phnum; ++i) {
    const auto header = elf.subspan(phoff + i * PHDR_BYTES, PHDR_BYTES);
    const std::uint64_t offset = word_at(header, 4), size = word_at(header, 16);
    if (offset + size > elf.size()) return std::nullopt;
    table.append(text(header)).append(text(sha256(elf.subspan(offset, size))));
  }
  return table;
}

}  // namespace

std::string_view to_string(tee_result r) {
  switch (r) {
    case tee_result::success:
      return "SUCCESS";
    case tee_result::generic:
      return "GENERIC";
    case tee_result::access_denied:
      return "ACCESS_DENIED";
    case tee_result::bad_format:
      return "BAD_FORMAT";
    case tee_result::bad_parameters:
      return "BAD_PARAMETERS";
    case tee_result::bad_state:
      return "BAD_STATE";
    case tee_result::item_not_found:
      return "ITEM_NOT_FOUND";
    case tee_result::not_implemented:
      return "NOT_IMPLEMENTED";
    case tee_result::not_supported:
      return "NOT_SUPPORTED";
    case tee_result::no_data:
      return "NO_DATA";
    case tee_result::security:
      return "SECURITY";
    case tee_result::signature_invalid:
      return "SIGNATURE_INVALID";
  }
  return "?";
}

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.subspan(offset, sizeof value).data(), sizeof value);
  return value;
}

std::vector<std::byte> sha256(std::span<const std::byte> bytes) {
  std::vector<std::byte> digest(SHA256_BYTES);
  ::sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()));
  sha256_digest(&context, digest.size(), reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

tl::expected<signed_container, tee_result> signed_container::open(std::span<const std::byte> file) {
  const auto refused = tl::unexpected(tee_result::bad_parameters);
  if (file.size() < CONTAINER_HEADER_BYTES) return refused;
  const std::uint64_t tlv_length = word_at(file, TLV_LENGTH), signature_length = word_at(file, SIGNATURE_LENGTH),
                      image_length = word_at(file, IMAGE_LENGTH);
  if (tlv_length == 0 || signature_length == 0) return refused;
  if (word_at(file, MAGIC) != CONTAINER_MAGIC || word_at(file, VERSION) != CONTAINER_VERSION) return refused;
  const std::uint64_t signature_at = CONTAINER_HEADER_BYTES + padded(tlv_length),
                      images_at = signature_at + padded(signature_length);
  if (images_at + padded(image_length) != file.size() || images_at == file.size()) return refused;

  signed_container c;
  c.tlvs_ = file.subspan(CONTAINER_HEADER_BYTES, tlv_length);
  c.signature_ = file.subspan(signature_at, signature_length);
  c.images_ = file.subspan(images_at, image_length);
  return c;
}

tl::expected<std::span<const std::byte>, tee_result> signed_container::find(tlv type) const {
  const auto none = tl::unexpected(tee_result::no_data);
  for (std::uint64_t at = 0; at + TLV_HEADER_BYTES <= tlvs_.size();) {
    const std::uint32_t found = word_at(tlvs_, at);
    const std::uint64_t length = word_at(tlvs_, at + 4);
    at += TLV_HEADER_BYTES;
    if (found == static_cast<std::uint32_t>(type) && at + length <= tlvs_.size()) {
      if (length == 0) return none;
      return tlvs_.subspan(at, length);
    }
    at += padded(length);
  }
  return none;
}

tl::expected<std::string, std::string> pack_container(const std::vector<std::string_view>& images) {
  std::string types, sizes, hashes, content;
  for (const std::string_view image : images) {
    const auto table = hash_table_of(std::as_bytes(std::span(image)));
    if (!table) {
      return tl::unexpected<std::string>(
          "no ELF32 file whose segments lie within it, and a container has their hashes");
    }
    hashes += *table;
    types.push_back(static_cast<char>(IMAGE_ELF));
    put_word(sizes, static_cast<std::uint32_t>(padded(image.size())));
    content.append(image);
    pad(content);
  }
  const auto byte = [](std::size_t value) { return std::string(1, static_cast<char>(value)); };
  std::string tlvs;
  put_tlv(tlvs, tlv::sign_type, byte(SIGN_RSA));
  put_tlv(tlvs, tlv::image_count, byte(images.size()));
  put_tlv(tlvs, tlv::image_type, types);
  put_tlv(tlvs, tlv::image_size, sizes);
  put_tlv(tlvs, tlv::hash_type, byte(1));
  put_tlv(tlvs, tlv::hash_table, hashes);

  std::string file;
  for (const std::size_t word :
       {std::size_t{CONTAINER_MAGIC}, std::size_t{CONTAINER_VERSION}, tlvs.size(), RSA_2048_BYTES, content.size()}) {
    put_word(file, static_cast<std::uint32_t>(word));
  }
  return file + tlvs + std::string(RSA_2048_BYTES, '\0') + content;
}

}  // namespace rpsim::optee
