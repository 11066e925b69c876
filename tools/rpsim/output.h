#pragma once
// Where results go: a file, or standard output for "-". Written in large pieces and at every flush(), so that what was
// said before a run broke is there to be read.

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace rpsim::tool {

class output {
 public:
  /// @throws std::runtime_error if the file cannot be made.
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
  void flush();

 private:
  int fd_ = -1;
  bool owned_ = false;
  fmt::memory_buffer buffer_;
};

/// Quoted, with what JSON wants escaped.
void append_json_string(fmt::memory_buffer& to, std::string_view text);

}  // namespace rpsim::tool
