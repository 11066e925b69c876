#include "tools/rpsim/study/phases.h"

#include <algorithm>
#include <stdexcept>

#include "tools/rpsim/vocabulary.h"

namespace rpsim::tool {

namespace {
// How long stm32_rproc waits for its requests (reference/stm32mp1.md §5: mbox-names shutdown and detach).
constexpr std::int64_t STM32_SHUTDOWN_LIMIT_PS = 500'000'000'000, STM32_DETACH_LIMIT_PS = 200'000'000'000;
}  // namespace

const std::vector<phase_name>& phase_names() {
  static const std::vector<phase_name> names{
      {"ack", "ack.queued", "asked → request written to the mailbox"},
      {"ack", "ack.interrupt", "→ read by the remote"},
      {"ack", "ack.reaction", "→ firmware begins to close down"},
      {"ack", "ack.closing", "→ drivers closed"},
      {"ack", "ack.resources", "→ resources returned to the device manager"},
      {"ack", "ack.answer", "→ ACK written"},
      {"ack", "ack.noticed", "→ host notices"},
      {"wfi", "wfi.queued", "asked → request written to the mailbox"},
      {"wfi", "wfi.interrupt", "→ read by the remote"},
      {"wfi", "wfi.reaction", "→ firmware begins to close down"},
      {"wfi", "wfi.closing", "→ drivers closed"},
      {"wfi", "wfi.resources", "→ resources returned to the device manager"},
      {"wfi", "wfi.parking", "→ WFI entered"},
      {"join", "join.poll", "both lanes done → WFI seen by the poll"},
      {"join", "join.reset", "→ reset asserted"},
      {"join", "join.off", "→ module off"},
      {"join", "join.return", "→ the shell's line returns"},
  };
  return names;
}

const std::vector<margin_name>& margin_names() {
  static const std::vector<margin_name> names{{"margin.ack", "left of the wait for the ACK"},
                                              {"margin.wfi", "left of the poll for WFI"}};
  return names;
}

phase_reader::phase_reader(const vocabulary& events) {
  const auto seek = [&](milestone what, milestone after, std::string_view text, bool latest = false) {
    auto p = pattern::parse(text, events);
    if (!p) throw std::logic_error(p.error());  // docs/events.md changed
    glances_ |= glance(text.substr(0, text.find(' ')));
    sought_.push_back({what, after, std::move(*p), latest});
  };
  seek(asked, asked, "shell.run \"*echo stop*\"");
  seek(asked, asked, "shell.run \"*echo detach*\"");
  seek(sent, asked, "mailbox.sent SHUTDOWN");
  seek(sent, asked, "ipcc.set shutdown from=c1");
  seek(sent, asked, "ipcc.set detach from=c1");
  seek(waits, asked, "handshake requested");
  seek(waits, asked, "ipcc.set shutdown from=c1");
  seek(waits, asked, "ipcc.set detach from=c1");
  seek(received, sent, "mailbox.received SHUTDOWN");
  seek(received, sent, "fw.mark shutdown_requested");
  seek(received, sent, "fw.mark detach_requested");
  seek(acts, received, "fw.mark deinit_begin");
  seek(closed, acts, "tisci.request SET_DEVICE host=30");  // the M4F's own host (reference/k3.md)
  seek(returned, acts, "fw.mark deinit_end");
  seek(answered, received, "mailbox.sent SHUTDOWN_ACK");
  seek(answered, received, "ipcc.cleared shutdown");
  seek(answered, received, "ipcc.cleared detach");
  seek(noticed, sent, "handshake acked");
  seek(wfi, received, "core.wfi", true);
  seek(seen, noticed, "handshake wfi_seen");
  seek(reset, sent, "reset.assert kind=local");
  seek(off, reset, "lpsc.state to=off");
  seek(done, asked, "shell.done");
}

void phase_reader::on_event(const event& e) {
  if ((glances_ & glance(e.name)) == 0) return;
  for (const sought& s : sought_) {
    if (times_[s.what] && !s.latest) continue;
    // Firmware sleeps before it closes down, and after the command has returned; it parks in between.
    if (s.latest && (times_[seen] || times_[done] || (!times_[answered] && !times_[returned]))) continue;
    if (s.after != s.what && !times_[s.after]) continue;
    if (!s.event.matches(e)) continue;
    times_[s.what] = static_cast<std::int64_t>(e.time.value());
    if (s.what == waits) {
      ack_limit_ = e.name == "handshake"          ? static_cast<std::int64_t>(e.number("limit"))
                   : e.text("name") == "shutdown" ? STM32_SHUTDOWN_LIMIT_PS
                                                  : STM32_DETACH_LIMIT_PS;
    }
    if (s.what == noticed) wfi_limit_ = static_cast<std::int64_t>(e.number("limit"));
  }
}

/// From milestone to milestone, as far as the lane's last one; what is not there or comes after that is left out.
std::vector<std::optional<std::int64_t>> phase_reader::along(const std::vector<milestone>& lane,
                                                             std::optional<std::int64_t> from) const {
  std::vector<std::optional<std::int64_t>> took(lane.size());
  const std::optional<std::int64_t> end = at(lane.back());
  for (std::size_t i = 0; i < lane.size(); ++i) {
    const std::optional<std::int64_t> now = at(lane[i]);
    if (!now || !from || *now < *from || (end && *now > *end)) continue;
    took[i] = *now - *from;
    from = now;
  }
  return took;
}

std::vector<std::optional<std::int64_t>> phase_reader::phases() const {
  // A platform without an event for "the host notices" ends its lane with the answer; nobody there waits for WFI.
  const auto ack = along({sent, received, acts, closed, returned, answered, noticed}, at(asked));
  const auto park = along({sent, received, acts, closed, returned, wfi}, at(asked));
  std::optional<std::int64_t> both = at(noticed) ? at(noticed) : at(answered);
  if (both && at(seen) && at(wfi)) both = std::max(*both, *at(wfi));
  if (wfi_limit_ != 0 && !at(seen)) both.reset();  // the poll gave up: nothing was joined
  const auto join = along({seen, reset, off, done}, both);
  std::vector<std::optional<std::int64_t>> all = ack;
  all.insert(all.end(), park.begin(), park.end());
  all.insert(all.end(), join.begin(), join.end());
  return all;
}

std::vector<phase_reader::margin> phase_reader::margins() const {
  const auto left = [&](milestone from, std::optional<std::int64_t> to, std::int64_t limit, bool late_is_missed) {
    margin m;
    m.deadline = limit;
    if (!at(from) || limit == 0) return m;
    if (to) m.left = limit - (*to - *at(from));
    // The poll looks once more after its time: what that look sees is in time, though nothing was left.
    if (!to || (late_is_missed && *m.left < 0)) m = {std::nullopt, true, limit};
    return m;
  };
  return {left(waits, at(noticed) ? at(noticed) : at(answered), ack_limit_, true),
          left(noticed, at(seen), wfi_limit_, false)};
}

}  // namespace rpsim::tool
