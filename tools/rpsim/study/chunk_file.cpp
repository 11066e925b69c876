#include "tools/rpsim/study/chunk_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/rpsim/output.h"
#include "tools/rpsim/resources.h"

namespace rpsim::tool {

namespace {

/// Of the machine's own byte order: all tasks are of one program.
struct record_head {
  std::uint32_t check = 0;  // CRC-32 of everything after it
  std::uint32_t size = 0;   // of the text that follows
  std::uint64_t job = 0;
  std::int32_t code = 0;
  std::uint32_t how = 0;
};
static_assert(sizeof(record_head) == 24, "no byte of it is padding");

std::uint32_t check_of(const record_head& head, std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(reinterpret_cast<const char*>(&head) + sizeof head.check, sizeof head - sizeof head.check);
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

std::string first_line(std::uint32_t order) { return fmt::format("rpsim-chunk-1 {:08x}\n", order); }

}  // namespace

chunk_writer::chunk_writer(std::string path, std::uint32_t order)
    : path_(std::move(path)), fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (fd_ < 0) throw cannot_write(fmt::format("{}: {}", path_, std::strerror(errno)));
  try {
    write(first_line(order));
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

chunk_writer::~chunk_writer() { ::close(fd_); }

void chunk_writer::write(const std::string& bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t done = ::write(fd_, left.data(), left.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) throw cannot_write(fmt::format("{}: {}", path_, std::strerror(errno)));
    left.remove_prefix(static_cast<std::size_t>(done));
  }
}

void chunk_writer::add(const std::vector<job_end>& ended) {
  std::string bytes;
  for (const job_end& e : ended) {
    record_head head{0, static_cast<std::uint32_t>(e.result.size()), e.job, e.code, static_cast<std::uint32_t>(e.how)};
    head.check = check_of(head, e.result);
    bytes.append(reinterpret_cast<const char*>(&head), sizeof head);
    bytes += e.result;
  }
  write(bytes);
}

void chunk_writer::finish(const std::string& name) {
  if (::fsync(fd_) != 0 || std::rename(path_.c_str(), name.c_str()) != 0)
    throw cannot_write(fmt::format("{}: {}", name, std::strerror(errno)));
}

chunk_content read_chunk(const std::string& path, std::uint32_t order) {
  chunk_content content;
  const auto bytes = read_file(path);
  if (!bytes) {
    content.damage = bytes.error();
    return content;
  }
  std::string_view left = *bytes;
  const std::string line = first_line(order);
  if (!left.starts_with(line)) {
    content.damage = fmt::format("{} holds no results of this study", path);
    return content;
  }
  left.remove_prefix(line.size());
  while (!left.empty()) {
    record_head head;
    const bool fits = left.size() >= sizeof head;
    if (fits) std::memcpy(&head, left.data(), sizeof head);
    if (!fits || left.size() - sizeof head < head.size) {
      content.damage = fmt::format("{} ends in the middle of a record, {} bytes", path, bytes->size());
      break;
    }
    const std::string_view text = left.substr(sizeof head, head.size);
    if (check_of(head, text) != head.check || head.how > static_cast<std::uint32_t>(job_end::kind::out_of_time)) {
      content.damage = fmt::format("{} is damaged at byte {}", path, bytes->size() - left.size());
      break;
    }
    content.ended.push_back({head.job, static_cast<job_end::kind>(head.how), head.code, std::string(text)});
    left.remove_prefix(sizeof head + text.size());
  }
  return content;
}

}  // namespace rpsim::tool
