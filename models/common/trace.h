#pragma once
// The one trace. Every observable event of a run goes through here; expectations, invariants, measures and every
// export are readers (sinks) of this stream. The vocabulary (event names and their fields) is docs/events.md.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <systemc>
#include <vector>

namespace rpsim {

/// One named value of an event. Text is a view: it lives only as long as the emit() call; a sink that keeps an event
/// copies it.
struct field {
  enum class kind : std::uint8_t { u64, hex, i64, text, time };

  std::string_view key;
  kind type;
  std::uint64_t number = 0;  // u64, hex, i64 (two's complement), time (picoseconds)
  std::string_view text;

  template <typename T>
    requires std::is_unsigned_v<T>
  constexpr field(std::string_view k, T v) : key(k), type(kind::u64), number(v) {}
  template <typename T>
    requires std::is_signed_v<T>
  constexpr field(std::string_view k, T v) : key(k), type(kind::i64), number(static_cast<std::uint64_t>(v)) {}
  constexpr field(std::string_view k, std::string_view v) : key(k), type(kind::text), text(v) {}
  constexpr field(std::string_view k, const char* v) : key(k), type(kind::text), text(v) {}
  field(std::string_view k, const std::string& v) : key(k), type(kind::text), text(v) {}
  field(std::string_view k, const sc_core::sc_time& v) : key(k), type(kind::time), number(v.value()) {}

  /// A number that people read in hexadecimal: addresses, masks, message words.
  static constexpr field hex(std::string_view k, std::uint64_t v) {
    field f(k, v);
    f.type = kind::hex;
    return f;
  }
};

/// How much an event is about. A sink says up to which level it wants events; below the highest level that any sink
/// wants, a trace point costs one predictable branch.
enum class trace_level : std::uint8_t {
  protocol,  // what the two sides do to each other: always on
  detail,    // interrupt lines, work queues, virtio descriptors
  bus,       // every transaction
};

struct event {
  std::uint64_t sequence;   // 0, 1, 2 … in emission order, over all levels that were on
  sc_core::sc_time time;    // simulated
  std::string_view source;  // instance: "mailbox0", "m4f", "dm", "remoteproc0", "host"
  std::string_view name;    // "mailbox.sent", "core.wfi", "reset.assert" …
  trace_level level;
  std::span<const field> fields;

  /// nullptr if the event has no such field.
  const field* find(std::string_view key) const;
  std::string_view text(std::string_view key) const;  // "" if absent
  std::uint64_t number(std::string_view key, std::uint64_t otherwise = 0) const;
};

class trace_sink {
 public:
  virtual ~trace_sink() = default;
  /// Called synchronously where the event happens. Must not block, must not touch the simulated system; may throw
  /// nothing. May notify an sc_event.
  virtual void on_event(const event& e) = 0;
};

class trace {
 public:
  bool on(trace_level level) const { return level <= highest_; }

  /// At trace_level::protocol. The caller may skip the on() test: with no sink this is one branch.
  void emit(std::string_view source, std::string_view name, std::initializer_list<field> fields = {}) {
    if (any_) deliver(trace_level::protocol, source, name, {fields.begin(), fields.size()});
  }
  void emit(trace_level level, std::string_view source, std::string_view name,
            std::initializer_list<field> fields = {}) {
    if (any_ && on(level)) deliver(level, source, name, {fields.begin(), fields.size()});
  }
  void emit(trace_level level, std::string_view source, std::string_view name, std::span<const field> fields) {
    if (any_ && on(level)) deliver(level, source, name, fields);
  }

  /// How many there were.
  const std::uint64_t& sequence() const { return sequence_; }

  void add(trace_sink& sink, trace_level up_to = trace_level::protocol);
  void remove(trace_sink& sink);

 private:
  struct reader {
    trace_sink* sink;
    trace_level up_to;
  };
  void deliver(trace_level level, std::string_view source, std::string_view name, std::span<const field> fields);
  void recompute();

  std::vector<reader> readers_;
  std::uint64_t sequence_ = 0;
  trace_level highest_ = trace_level::protocol;
  bool any_ = false;
};

}  // namespace rpsim
