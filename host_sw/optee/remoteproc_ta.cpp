#include "host_sw/optee/remoteproc_ta.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace rpsim::optee {

namespace {

using bytes = std::span<const std::byte>;

constexpr std::uint32_t M4_PROCESSOR = 0;
constexpr std::uint32_t PT_LOAD = 1;
constexpr std::size_t EHDR_BYTES = 52, SHDR_BYTES = 40, TABLE_HEADER_BYTES = 16;
constexpr std::string_view TABLE_SECTION = ".resource_table";
/// Moduli of RSA-2048, -3072, -4096: which of them the board's key has nobody here knows.
constexpr std::array<std::size_t, 3> RSA_SIGNATURE_BYTES{256, 384, 512};

std::uint16_t half_at(bytes b, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned>(b[at]) | static_cast<unsigned>(b[at + 1]) << 8);
}

/// The ELF header, and that there is a section header where it says. Of the first image only, as OP-TEE.
bool is_elf32(bytes image) {
  if (image.size() < EHDR_BYTES || std::memcmp(image.data(), "\177ELF", 4) != 0) return false;
  constexpr std::byte CLASS32{1}, CURRENT{1};
  const std::uint64_t shoff = word_at(image, 32);
  return image[4] == CLASS32 && image[6] == CURRENT && half_at(image, 42) == PHDR_BYTES &&
         half_at(image, 46) == SHDR_BYTES && half_at(image, 44) != 0 && shoff + SHDR_BYTES <= image.size();
}

bool text_is(bytes image, std::uint64_t at, std::string_view word) {
  return at < image.size() && image.size() - at > word.size() &&
         std::memcmp(image.data() + at, word.data(), word.size()) == 0 && image[at + word.size()] == std::byte{0};
}

}  // namespace

tee_result remoteproc_ta::open_session(std::uint32_t processor) const {
  return driver_ != nullptr && processor == M4_PROCESSOR ? tee_result::success : tee_result::not_supported;
}

remoteproc_ta::context* remoteproc_ta::find(std::uint32_t processor) {
  const auto it = contexts_.find(processor);
  return it == contexts_.end() ? nullptr : &it->second;
}

tee_result remoteproc_ta::load(std::uint32_t processor, bytes file) {
  context& c = contexts_[processor];
  if (c.state == fw_state::loaded) return tee_result::success;
  if (c.state != fw_state::off) return tee_result::bad_state;
  if (file.empty()) return tee_result::bad_parameters;
  if (const tee_result r = open_session(processor); r != tee_result::success) return r;
  const auto container = signed_container::open(file);
  if (!container) return container.error();
  tee_result r = verify(*container);
  if (r == tee_result::success) r = load_images(*container, c);
  if (r == tee_result::success) c.state = fw_state::loaded;
  return r;
}

tee_result remoteproc_ta::verify(const signed_container& c) {
  const auto type = c.find(tlv::sign_type);
  if (!type || type->size() != 1) return tee_result::bad_parameters;
  if (type->front() != std::byte{SIGN_RSA}) return tee_result::not_supported;  // ECDSA by the pseudo application
  work_.verify();
  const bool possible = std::ranges::find(RSA_SIGNATURE_BYTES, c.signature().size()) != RSA_SIGNATURE_BYTES.end();
  return possible ? tee_result::success : tee_result::signature_invalid;
}

tee_result remoteproc_ta::load_images(const signed_container& c, context& to) {
  if (!is_elf32(c.images())) return tee_result::bad_format;
  const auto hashes = c.find(tlv::hash_table);
  if (!hashes) return hashes.error();
  if (hashes->size() % HASH_ENTRY_BYTES != 0) return tee_result::bad_parameters;
  const auto count = c.find(tlv::image_count);
  if (!count) return count.error();
  if (count->size() != 1) return tee_result::bad_format;
  const auto images = static_cast<std::size_t>(count->front());
  if (images == 0) return tee_result::no_data;

  to.table = {};
  for (std::size_t i = 0, offset = 0; i < images; ++i) {
    const auto types = c.find(tlv::image_type);
    if (!types) return types.error();
    if (types->size() != images) return tee_result::bad_parameters;
    if ((*types)[i] != std::byte{IMAGE_ELF}) return tee_result::bad_format;
    const auto sizes = c.find(tlv::image_size);
    if (!sizes) return sizes.error();
    if (sizes->size() != images * sizeof(std::uint32_t)) return tee_result::bad_parameters;
    const std::size_t size = word_at(*sizes, i * sizeof(std::uint32_t));

    tee_result r = load_segments(c, *hashes, offset, size);
    if (r != tee_result::success) return r;
    resource_table table;
    r = find_table(c.images().subspan(offset, size), table);
    if (r != tee_result::success && r != tee_result::no_data) return r;
    if (r == tee_result::success) {
      if (to.table.size != 0) return tee_result::bad_format;
      to.table = table;
    }
    offset += size;
  }
  return tee_result::success;
}

tee_result remoteproc_ta::load_segments(const signed_container& c, bytes hashes, std::size_t offset, std::size_t size) {
  if (size == 0) return tee_result::bad_parameters;
  if (offset > c.images().size() || size > c.images().size() - offset || size < EHDR_BYTES) {
    return tee_result::bad_format;
  }
  const bytes image = c.images().subspan(offset, size);
  const std::uint64_t phoff = word_at(image, 28);
  if ((offset + phoff) % 4 != 0 || phoff >= size) return tee_result::bad_format;
  for (std::uint64_t i = 0; i < half_at(image, 44); ++i) {
    const std::uint64_t at = phoff + i * PHDR_BYTES;
    if (at + PHDR_BYTES > size) return tee_result::bad_format;
    const bytes header = image.subspan(at, PHDR_BYTES);
    if (word_at(header, 0) != PT_LOAD) continue;
    const std::uint32_t file_offset = word_at(header, 4), da = word_at(header, 12), file_size = word_at(header, 16),
                        memory_size = word_at(header, 20);
    // A segment may not end with the image, only before its end.
    if (file_offset >= size || file_size >= size - file_offset) return tee_result::bad_format;

    tee_result r = tee_result::no_data;
    for (std::size_t entry = 0; entry < hashes.size(); entry += HASH_ENTRY_BYTES) {
      const bytes known = hashes.subspan(entry, HASH_ENTRY_BYTES);
      if (word_at(known, 12) != da) continue;
      const bool same =
          word_at(known, 0) == PT_LOAD && word_at(known, 16) == file_size && word_at(known, 20) == memory_size;
      r = same ? load_segment(image.subspan(file_offset, file_size), da, memory_size, known.subspan(PHDR_BYTES))
               : tee_result::bad_parameters;
      break;
    }
    if (r != tee_result::success) return r;
  }
  return tee_result::success;
}

tee_result remoteproc_ta::load_segment(bytes content, std::uint32_t da, std::uint32_t memory_size, bytes hash) {
  std::uint64_t pa = 0;
  if (!content.empty()) {
    tee_result r = driver_->da_to_pa(da, content.size(), pa);
    if (r == tee_result::success) r = driver_->write(pa, content);
    std::vector<std::byte> loaded(content.size());
    if (r == tee_result::success) r = driver_->read(pa, loaded);
    if (r != tee_result::success) return r;
    work_.hash(loaded.size());
    if (!std::ranges::equal(sha256(loaded), hash)) {
      (void)driver_->clear(pa, content.size());
      return tee_result::security;
    }
  }
  if (content.size() >= memory_size) return tee_result::success;
  const std::uint64_t rest = memory_size - content.size();
  const tee_result r = driver_->da_to_pa(da + content.size(), rest, pa);
  return r == tee_result::success ? driver_->clear(pa, rest) : r;
}

tee_result remoteproc_ta::find_table(bytes image, resource_table& table) const {
  const std::uint64_t shoff = word_at(image, 32), shnum = half_at(image, 48), names = half_at(image, 50);
  if (shoff % 4 != 0 || shoff >= image.size()) return tee_result::bad_format;
  const auto section = [&](std::uint64_t i) { return image.subspan(shoff + i * SHDR_BYTES, SHDR_BYTES); };
  const std::uint64_t headers = (image.size() - shoff) / SHDR_BYTES;  // that lie in the image
  if (names >= headers) return tee_result::bad_format;
  const std::uint64_t name_table = word_at(section(names), 16);
  if (name_table >= image.size()) return tee_result::bad_format;
  for (std::uint64_t i = 0; i < shnum; ++i) {
    if (i >= headers) return tee_result::bad_format;
    const bytes header = section(i);
    if (!text_is(image, name_table + word_at(header, 0), TABLE_SECTION)) continue;
    const std::uint64_t offset = word_at(header, 16), size = word_at(header, 20);
    if (size == 0) return tee_result::no_data;
    if (offset + size > image.size() || size < TABLE_HEADER_BYTES || offset % 4 != 0) return tee_result::bad_format;
    const bytes content = image.subspan(offset, size);
    const bool reserved = word_at(content, 8) != 0 || word_at(content, 12) != 0;
    if (word_at(content, 0) != 1 || reserved) return tee_result::bad_format;
    if (TABLE_HEADER_BYTES + std::uint64_t{4} * word_at(content, 4) > size) return tee_result::bad_format;
    table.size = size;
    return driver_->da_to_pa(word_at(header, 12), size, table.pa);
  }
  return tee_result::no_data;
}

tee_result remoteproc_ta::start(std::uint32_t processor) {
  context* c = find(processor);
  if (c == nullptr) return tee_result::bad_parameters;
  if (c->state == fw_state::off) return tee_result::bad_state;
  if (c->state == fw_state::started) return tee_result::success;
  const tee_result r = driver_->start();
  if (r == tee_result::success) c->state = fw_state::started;
  return r;
}

tee_result remoteproc_ta::stop(std::uint32_t processor) {
  context* c = find(processor);
  if (c == nullptr) return tee_result::bad_parameters;
  if (c->state == fw_state::loaded) return tee_result::bad_state;
  if (c->state == fw_state::off) return tee_result::success;
  const tee_result r = driver_->stop();
  if (r == tee_result::success) c->state = fw_state::off;
  return r;
}

tee_result remoteproc_ta::get_resource_table(std::uint32_t processor, resource_table& table) const {
  const auto it = contexts_.find(processor);
  if (it == contexts_.end()) return tee_result::bad_parameters;
  if (it->second.state == fw_state::off) return tee_result::bad_state;
  table = it->second.table;
  return tee_result::success;
}

tee_result remoteproc_ta::release(std::uint32_t processor) {
  context* c = find(processor);
  if (c == nullptr) return tee_result::bad_parameters;
  if (c->state == fw_state::started) return tee_result::bad_state;
  const tee_result r = driver_ == nullptr ? tee_result::bad_parameters : driver_->clean_up_memories();
  if (r == tee_result::success) c->state = fw_state::off;
  return r;
}

}  // namespace rpsim::optee
