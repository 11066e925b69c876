#pragma once
// Where results go: a file, or standard output for "-". Written in large pieces and at every flush(), so that what was
// said before a run broke is there to be read.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace rpsim::tool {

/// A file that cannot be made or written: the user's to mend.
class cannot_write : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class output {
 public:
  /// @throws cannot_write if the file cannot be made.
  explicit output(const std::string& path);
  ~output();
  output(const output&) = delete;
  output& operator=(const output&) = delete;

  fmt::memory_buffer& buffer() { return buffer_; }
  void write(std::string_view text) { buffer_.append(text.data(), text.data() + text.size()); }
  template <typename... A>
  void print(fmt::format_string<A...> format, A&&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<A>(arguments)...);
  }
  /// Writes out if much has gathered. Called after each record.
  void settle() {
    if (buffer_.size() > 64 * 1024) flush();
  }
  /// A failure is kept for check(): a sink must not throw. A reader of a pipe that has gone is none.
  void flush();
  /// @throws cannot_write if something could not be written.
  void check();

 private:
  std::string path_;
  int error_ = 0;
  int fd_ = -1;
  bool owned_ = false;
  fmt::memory_buffer buffer_;
};

/// Quoted, with what JSON wants escaped.
void append_json_string(fmt::memory_buffer& to, std::string_view text);

}  // namespace rpsim::tool
