#pragma once
// One native firmware image in memory of its own: two cores that run the same file share nothing, and what the firmware
// wrote into its variables can be undone.

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "remote_fw/hal/native/native_image.h"

namespace rpsim {

class native_image {
 public:
  /// Loads a private copy. @throws std::runtime_error with the reason.
  explicit native_image(const std::string& path);
  ~native_image();
  native_image(const native_image&) = delete;
  native_image& operator=(const native_image&) = delete;

  /// Every writable byte becomes what it was after loading.
  void restore();
  rpsim_image& descriptor() { return *descriptor_; }

 private:
  struct segment {
    std::byte* start;
    std::vector<std::byte> content;
  };
  void find_writable_segments();

  int file_ = -1;  // kept open: the loader tells images apart by the file they come from
  void* handle_ = nullptr;
  rpsim_image* descriptor_ = nullptr;
  std::vector<segment> segments_;
};

}  // namespace rpsim
