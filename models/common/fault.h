#pragma once
// Where faults enter a model. A model names the places at which it can be disturbed and asks here, once per message;
// the scenario engine arms faults. With none armed a question costs one branch.

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <systemc>

#include "models/common/trace.h"

namespace rpsim {

struct fault_action {
  enum class kind : std::uint8_t {
    none,
    drop,       // the message disappears
    delay,      // arrives `by` later
    duplicate,  // arrives twice
    corrupt,    // `xor_mask` applied to its word (mailbox) or its first payload word (TI-SCI)
    nack,       // TI-SCI: answered with the ACK flag clear
    silence,    // TI-SCI: carried out, never answered
  };
  kind what = kind::none;
  sc_core::sc_time by;
  std::uint32_t xor_mask = 0;
};

/// Points that exist: "mailbox.word" {source, fifo, word, msg} when MESSAGE is written;
/// "tisci.request" {source, host, type, msg, device|processor} when the device manager takes a request;
/// "ipcc.flag" {source, channel, msg (the channel's name), from} when a processor sets a flag (drop, delay).
class fault_hook {
 public:
  virtual ~fault_hook() = default;
  bool armed() const { return armed_; }
  virtual fault_action decide(std::string_view point, std::string_view source, std::initializer_list<field> what) = 0;

 protected:
  bool armed_ = false;
};

/// No faults.
class no_faults final : public fault_hook {
 public:
  fault_action decide(std::string_view, std::string_view, std::initializer_list<field>) override { return {}; }
};

}  // namespace rpsim
