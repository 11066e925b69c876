#pragma once
// Level inputs that exist only where something asks for them: a controller has hundreds, a platform wires a few.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "models/common/model.h"

namespace rpsim {

/// Objects made in its scope become children of `parent`, although its constructor has returned.
class child_scope {
 public:
  explicit child_scope(sc_core::sc_module& parent) { sc_core::sc_get_curr_simcontext()->hierarchy_push(&parent); }
  ~child_scope() { sc_core::sc_get_curr_simcontext()->hierarchy_pop(); }
  child_scope(const child_scope&) = delete;
  child_scope& operator=(const child_scope&) = delete;
};

/// The inputs `first` … `first + count - 1` of a module. The owner calls start() at end_of_elaboration; from then on
/// `changed(index, level)` is called in the delta in which a line changes, and once for each line that starts high.
class line_inputs {
 public:
  using callback = std::function<void(unsigned index, bool level)>;
  line_inputs(sc_core::sc_module& owner, std::string prefix, unsigned first, unsigned count, callback changed)
      : owner_(owner), prefix_(std::move(prefix)), first_(first), count_(count), changed_(std::move(changed)) {}

  /// During elaboration only; nullptr outside the range.
  line_in* at(unsigned index) {
    if (index < first_ || index - first_ >= count_) return nullptr;
    auto& port = ports_[index];
    if (port == nullptr) {
      const child_scope scope(owner_);
      port = std::make_unique<line_in>((prefix_ + std::to_string(index)).c_str());
    }
    return port.get();
  }

  void start() {
    const child_scope scope(owner_);
    for (auto& [index, port] : ports_) {
      sc_core::sc_spawn_options options;
      options.spawn_method();
      options.set_sensitivity(&port->value_changed_event());
      sc_core::sc_spawn(
          [this, index, line = port.get(), known = false]() mutable {
            const bool level = line->read();
            if (level || known) changed_(index, level);
            known = true;
          },
          (prefix_ + std::to_string(index) + "_changed").c_str(), &options);
    }
  }

 private:
  sc_core::sc_module& owner_;
  std::string prefix_;
  unsigned first_, count_;
  callback changed_;
  std::map<unsigned, std::unique_ptr<line_in>> ports_;
};

}  // namespace rpsim
