#include "models/common/trace.h"

#include <algorithm>

namespace rpsim {

const field* event::find(std::string_view key) const {
  for (const field& f : fields) {
    if (f.key == key) return &f;
  }
  return nullptr;
}

std::string_view event::text(std::string_view key) const {
  const field* f = find(key);
  return f != nullptr && f->type == field::kind::text ? f->text : std::string_view{};
}

std::uint64_t event::number(std::string_view key, std::uint64_t otherwise) const {
  const field* f = find(key);
  return f != nullptr && f->type != field::kind::text ? f->number : otherwise;
}

void trace::add(trace_sink& sink, trace_level up_to) {
  readers_.push_back({&sink, up_to});
  recompute();
}

void trace::remove(trace_sink& sink) {
  std::erase_if(readers_, [&](const reader& r) { return r.sink == &sink; });
  recompute();
}

void trace::recompute() {
  any_ = !readers_.empty();
  highest_ = trace_level::protocol;
  for (const reader& r : readers_) highest_ = std::max(highest_, r.up_to);
}

void trace::deliver(trace_level level, std::string_view source, std::string_view name, std::span<const field> fields) {
  const event e{sequence_++, sc_core::sc_time_stamp(), source, name, level, fields};
  // By index: a sink may add or remove a reader while it is being called.
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    if (level <= readers_[i].up_to) readers_[i].sink->on_event(e);
  }
}

}  // namespace rpsim
