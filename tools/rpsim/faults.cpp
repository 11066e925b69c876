#include "tools/rpsim/faults.h"

#include <charconv>

#include "tools/rpsim/checks.h"
#include "tools/rpsim/pattern.h"
#include "tools/rpsim/text_writer.h"

namespace rpsim::tool {

namespace {
fault_action::kind action_of(fault_spec::kind k) {
  switch (k) {
    case fault_spec::kind::drop:
      return fault_action::kind::drop;
    case fault_spec::kind::delay:
      return fault_action::kind::delay;
    case fault_spec::kind::duplicate:
      return fault_action::kind::duplicate;
    case fault_spec::kind::corrupt:
      return fault_action::kind::corrupt;
    case fault_spec::kind::nack:
      return fault_action::kind::nack;
    case fault_spec::kind::silence:
      return fault_action::kind::silence;
    default:
      return fault_action::kind::none;  // core faults never come here
  }
}

/// The same value, in whatever base it was written.
bool same(std::string_view wanted, const field& f) {
  if (f.type == field::kind::text) return glob_match(wanted, f.text);
  const bool hex = wanted.starts_with("0x");
  std::uint64_t value = 0;
  const char* end = wanted.data() + wanted.size();
  const auto result = std::from_chars(wanted.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
  return result.ec == std::errc{} && result.ptr == end && value == f.number;
}
}  // namespace

void fault_injector::arm(const fault_spec& spec) {
  faults_.push_back({&spec});
  armed_ = true;
}

void fault_injector::watch(witness w) {
  witness_ = std::move(w);
  armed_ = true;
}

unsigned fault_injector::seen(const std::string& point, const std::string& source, const std::string& message) const {
  const auto it = seen_.find({point, source, message});
  return it == seen_.end() ? 0 : it->second;
}

bool fault_injector::fits(const fault_spec& spec, std::string_view source, std::initializer_list<field> what) {
  const auto find = [&](std::string_view key) -> const field* {
    for (const field& f : what) {
      if (f.key == key) return &f;
    }
    return nullptr;
  };
  const field* msg = find("msg");
  const field* word = find("word");
  if (!(msg != nullptr && same(spec.message, *msg)) && !(word != nullptr && same(spec.message, *word))) return false;
  for (const auto& [key, value] : spec.fields) {
    if (key == "at") {
      if (value != source) return false;
      continue;
    }
    const field* f = find(key);
    const field* name = find("name");  // a device may be called by its name
    const bool by_name = (key == "device" || key == "processor") && name != nullptr && same(value, *name);
    if (!by_name && (f == nullptr || !same(value, *f))) return false;
  }
  return true;
}

fault_action fault_injector::decide(std::string_view point, std::string_view source,
                                    std::initializer_list<field> what) {
  if (witness_) [[unlikely]] {
    std::string name;
    for (const field& f : what) {
      if (f.key == "msg") name = f.text;
    }
    const unsigned ordinal = ++seen_[{std::string(point), std::string(source), name}];
    witness_(point, source, name, ordinal);
  }
  for (armed_fault& f : faults_) {
    if (f.spec->point != point || !fits(*f.spec, source, what)) continue;
    if (++f.seen < f.spec->nth || (f.spec->times != 0 && f.fired == f.spec->times)) continue;
    ++f.fired;
    trace_.emit("faults", "fault.injected", {{"what", f.spec->text}, {"at", source}, {"ordinal", f.seen}});
    return {action_of(f.spec->what), f.spec->by, f.spec->xor_mask};
  }
  return {};
}

std::vector<fault_injector::missed> fault_injector::unfired() const {
  std::vector<missed> list;
  for (const armed_fault& f : faults_) {
    const unsigned wanted = f.spec->times == 0 ? 1 : f.spec->times;
    if (f.fired >= wanted) continue;
    list.push_back(
        {f.spec, f.seen == 0 ? "no such message came"
                             : fmt::format("{} such messages came, it took effect {}", f.seen, human_times(f.fired))});
  }
  return list;
}

}  // namespace rpsim::tool
