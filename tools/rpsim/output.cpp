#include "tools/rpsim/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace rpsim::tool {

output::output(const std::string& path) : path_(path) {
  if (path == "-") {
    fd_ = STDOUT_FILENO;
    return;
  }
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) throw cannot_write(fmt::format("{}: {}", path, std::strerror(errno)));
  owned_ = true;
}

output::~output() {
  flush();
  if (owned_) ::close(fd_);
}

void output::flush() {
  const char* at = buffer_.data();
  std::size_t left = buffer_.size();
  while (left != 0) {
    const ssize_t done = ::write(fd_, at, left);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      if (errno != EPIPE) error_ = errno;
      break;
    }
    at += done;
    left -= static_cast<std::size_t>(done);
  }
  buffer_.clear();
}

void output::check() {
  flush();
  if (error_ == 0) return;
  throw cannot_write(fmt::format("{}: {}", path_ == "-" ? "standard output" : path_, std::strerror(error_)));
}

void append_json_string(fmt::memory_buffer& to, std::string_view text) {
  const auto out = std::back_inserter(to);
  to.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        fmt::format_to(out, "\\\"");
        break;
      case '\\':
        fmt::format_to(out, "\\\\");
        break;
      case '\n':
        fmt::format_to(out, "\\n");
        break;
      case '\t':
        fmt::format_to(out, "\\t");
        break;
      default:
        // What a remote wrote may be any bytes; JSON has to stay UTF-8.
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E) {
          fmt::format_to(out, "\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          to.push_back(c);
        }
    }
  }
  to.push_back('"');
}

}  // namespace rpsim::tool
