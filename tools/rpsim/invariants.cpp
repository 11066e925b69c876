#include "tools/rpsim/invariants.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace rpsim::tool {

namespace {

/// The host's software ends in mid-course; what it had begun has no end any more.
bool host_dies(const event& e) { return e.name == "host.power_cycle" || e.name == "host.panic"; }

/// Graceful stops in progress, by the source of `handshake`: from the request until the driver is done (an R5F is reset
/// in unprepare, after its stop op), the stop op fails or the state becomes another one. Without a request there is
/// none: mainline's stop, and a v3 stop that skips the question, reset at once.
class graceful_stops {
 public:
  explicit graceful_stops(const system_facts& facts) : processors_(facts.processors) {}

  void on_event(const event& e) {
    if (e.name == "handshake") {
      if (e.text("phase") == "skipped") {
        end(e.source);
      } else if (e.text("phase") == "requested") {
        const auto core = processors_.find(e.number("processor"));
        open_[std::string(e.source)] = core == processors_.end() ? "" : core->second;
      }
    } else if ((e.name == "rproc.state" && e.text("to") != "offline") ||
               (e.name == "rproc.op" && (e.text("op") != "stop" || e.text("result") != "0"))) {
      end(e.source);
    }
  }
  /// Whether that core is being stopped so; a stop whose core is not known is everybody's.
  bool of(std::string_view core) const {
    return std::ranges::any_of(open_, [&](const auto& stop) { return stop.second.empty() || stop.second == core; });
  }

 private:
  void end(std::string_view source) {
    if (const auto it = open_.find(source); it != open_.end()) open_.erase(it);
  }
  std::map<std::uint64_t, std::string> processors_;
  std::map<std::string, std::string, std::less<>> open_;  // source → core
};

bool is_local_reset(const event& e) { return e.name == "reset.assert" && e.text("kind") == "local"; }

class reset_outside_wfi final : public invariant {
 public:
  explicit reset_outside_wfi(const system_facts& facts) : invariant("reset-outside-wfi"), stops_(facts) {}
  void on_event(const event& e) override {
    stops_.on_event(e);
    if (e.name == "core.start" || e.name == "core.wake" || e.name == "core.lockup" || e.name == "core.hang") {
      awake_.insert(std::string(e.source));
    }
    if (e.name == "core.wfi" || e.name == "core.reset") {
      if (const auto it = awake_.find(e.source); it != awake_.end()) awake_.erase(it);
    }
    if (is_local_reset(e) && stops_.of(e.text("core")) && awake_.contains(e.text("core"))) {
      report(fmt::format("{} is put into reset outside WFI", e.text("core")));
    }
  }

 private:
  graceful_stops stops_;
  std::set<std::string, std::less<>> awake_;
};

class unpowered_access final : public invariant {
 public:
  unpowered_access() : invariant("unpowered-access") {}
  void on_event(const event& e) override {
    if (e.name == "bus.error" && e.text("reason").starts_with("module state")) {
      report(fmt::format("{} {}s 0x{:x} of {}: {}", e.text("initiator"), e.text("kind"), e.number("address"), e.source,
                         e.text("reason")));
    }
  }
};

class host_oops final : public invariant {
 public:
  host_oops() : invariant("host-oops") {}
  void on_event(const event& e) override {
    if (e.name == "host.oops") report(fmt::format("{}: {}", e.text("hazard"), e.text("text")));
  }
};

class lost_mailbox_word final : public invariant {
 public:
  explicit lost_mailbox_word(const system_facts& facts) : invariant("lost-mailbox-word"), stops_(facts) {}
  void on_event(const event& e) override {
    stops_.on_event(e);
    if (e.name == "mailbox.dropped") {
      report(fmt::format("{} wrote {} into the full FIFO {}", e.text("by"), e.text("msg"), e.number("fifo")));
    } else if (e.name == "mailbox.sent") {
      queue(e).unread = e.number("level");
      queue(e).last = e.text("msg");
    } else if (e.name == "mailbox.received") {
      queue(e).unread = e.number("level");
      queue(e).reader = e.text("by");
    } else if (is_local_reset(e) && stops_.of(e.text("core"))) {
      for (const auto& [key, q] : queues_) {
        if (q.unread != 0 && q.reader == e.text("core")) {
          report(
              fmt::format("{} is reset with {} unread in FIFO {} ({} words)", q.reader, q.last, key.second, q.unread));
        }
      }
    }
  }

 private:
  struct fifo {
    std::uint64_t unread = 0;
    std::string reader, last;
  };
  fifo& queue(const event& e) { return queues_[{std::string(e.source), e.number("fifo")}]; }

  graceful_stops stops_;
  std::map<std::pair<std::string, std::uint64_t>, fifo> queues_;
};

class references_returned final : public invariant {
 public:
  explicit references_returned(const system_facts& facts)
      : invariant("references-returned"),
        linux_hosts_(facts.linux_hosts),
        remote_hosts_(facts.remote_hosts),
        stops_(facts) {}
  void on_event(const event& e) override {
    stops_.on_event(e);
    if (e.name == "device.get" && !linux_hosts_.contains(e.number("host"))) {
      held_[{e.number("host"), e.number("device")}] = e.text("name");
    } else if (e.name == "device.put") {
      held_.erase({e.number("host"), e.number("device")});
    } else if (is_local_reset(e) && stops_.of(e.text("core"))) {
      for (const auto& [key, name] : held_) {
        const auto owner = remote_hosts_.find(key.first);
        // Another core's, or nobody's: the power-up reference of what a boot loader started.
        if (!remote_hosts_.empty() && (owner == remote_hosts_.end() || owner->second != e.text("core"))) continue;
        report(fmt::format("host {} still holds {} when {} is reset", key.first, name, e.text("core")));
      }
    }
  }

 private:
  std::set<std::uint64_t> linux_hosts_;
  std::map<std::uint64_t, std::string> remote_hosts_;
  graceful_stops stops_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> held_;
};

/// reference/remoteproc-core.md §3.6: what Linux writes into the live table, and when.
class resource_table_write final : public invariant {
 public:
  resource_table_write(system_view& view, std::string host)
      : invariant("resource-table-write"), view_(view), host_(std::move(host)) {}

  void finish() override {
    while (!tables_.empty()) release(std::string(tables_.begin()->first));
  }
  void on_event(const event& e) override {
    if (host_dies(e)) {
      // A detach's restoring that was cut short is no violation.
      for (auto& [owner, t] : tables_) t.held_back.clear();
      finish();
    } else if (e.name == "rproc.table") {
      if (e.text("what") == "restored") {
        if (const auto it = tables_.find(e.source); it != tables_.end()) it->second.held_back.clear();
        release(e.source);
      } else if (e.text("what") == "given-up") {
        release(e.source);
      } else {
        take(e, e.text("what") == "attached");
      }
    } else if ((e.name == "rproc.state" && (e.text("to") == "offline" || e.text("to") == "detached")) ||
               (e.name == "rproc.op" && (e.text("op") == "start" || e.text("op") == "attach") &&
                e.text("result") != "0")) {
      release(e.source);
    } else if (e.name == "memory.write" && e.text("by") == host_) {
      for (auto& [owner, t] : tables_) {
        if (e.text("region") == t.region) judge(t, e.number("offset"), e.number("size"));
      }
    }
  }

 private:
  struct range {
    std::uint64_t first, size;
  };
  struct table {
    std::string region;
    std::vector<range> writable;
    bool attached = false;
    // What a detach restores is a write to all of it, and known for one only when `restored` follows.
    std::vector<std::string> held_back;
  };

  void release(std::string_view owner) {
    const auto it = tables_.find(owner);
    if (it == tables_.end()) return;
    view_.unwatch(it->second.region);
    for (const std::string& text : it->second.held_back) report(text);
    tables_.erase(it);
  }

  void take(const event& e, bool attached) {
    release(e.source);
    const std::uint64_t size = e.number("size");
    std::vector<std::byte> bytes(size);
    if (size < 16 || size > 0x100000 || !view_.read(e.number("pa"), bytes.data(), bytes.size())) return;
    table t{fmt::format("resource table of {}", e.source), writable(bytes, attached), attached, {}};
    view_.watch(t.region, e.number("pa"), size);
    tables_.emplace(e.source, std::move(t));
  }

  static std::vector<range> writable(const std::vector<std::byte>& bytes, bool attached) {
    const auto word = [&](std::uint64_t at) -> std::uint64_t {
      std::uint32_t value = 0;
      if (at + 4 <= bytes.size()) std::memcpy(&value, bytes.data() + at, 4);
      return value;
    };
    std::vector<range> ranges;
    const std::uint64_t entries = std::min<std::uint64_t>(word(4), bytes.size() / 4);
    for (std::uint64_t i = 0; i < entries; ++i) {
      const std::uint64_t at = word(16 + 4 * i);
      if (at < 16 || at + 4 > bytes.size()) continue;
      if (word(at) == 0 && attached) ranges.push_back({at + 4, 12});  // carveout: da, pa, len
      if (word(at) != 3 || at + 28 > bytes.size()) continue;
      ranges.push_back({at + 16, 4});  // gfeatures
      ranges.push_back({at + 24, 1});  // status
      const auto rings = std::to_integer<std::uint64_t>(bytes[at + 25]);
      for (std::uint64_t r = 0; r < rings; ++r) {
        ranges.push_back({at + 28 + 20 * r, 4});                     // da
        if (attached) ranges.push_back({at + 28 + 20 * r + 12, 4});  // notifyid
      }
      ranges.push_back({at + 28 + 20 * rings, word(at + 20)});  // config space
    }
    return ranges;
  }

  void judge(table& t, std::uint64_t offset, std::uint64_t size) {
    const bool allowed = std::ranges::any_of(
        t.writable, [&](const range& r) { return offset >= r.first && offset + size <= r.first + r.size; });
    if (allowed) return;
    std::string text = fmt::format("the host wrote {} bytes at offset {} of the {}", size, offset, t.region);
    if (t.attached) {
      t.held_back.push_back(std::move(text));
    } else {
      report(text);
    }
  }

  system_view& view_;
  std::string host_;
  std::map<std::string, table, std::less<>> tables_;
};

class vring_bounds final : public invariant {
 public:
  explicit vring_bounds(std::vector<system_facts::range> pools) : invariant("vring-bounds"), pools_(std::move(pools)) {}
  void on_event(const event& e) override {
    if (e.name == "host.power_cycle") {
      carveouts_.clear();
    } else if (e.name == "rproc.carveout") {
      const key k{std::string(e.source), std::string(e.text("carveout"))};
      if (e.text("what") == "remove") {
        carveouts_.erase(k);
      } else {
        carveouts_[k] = {e.number("pa"), e.number("len")};
      }
    } else if (e.name == "vring.desc") {
      const std::uint64_t pa = e.number("pa"), len = e.number("len");
      const auto holds = [&](const system_facts::range& r) {
        return pa >= r.base && len <= r.size && pa - r.base <= r.size - len;
      };
      bool inside = std::ranges::any_of(pools_, holds);
      for (const auto& [k, r] : carveouts_) inside = inside || (k.first == e.source && holds(r));
      if (!inside) {
        report(fmt::format("descriptor {} of vring {} points at 0x{:x}, {} bytes, outside every carveout of {}",
                           e.number("desc"), e.number("index"), pa, len, e.source));
      }
    }
  }

 private:
  using key = std::pair<std::string, std::string>;
  std::vector<system_facts::range> pools_;
  std::map<key, system_facts::range> carveouts_;
};

}  // namespace

const std::vector<std::string>& invariant_names() {
  static const std::vector<std::string> names{
      "reset-outside-wfi",   "unpowered-access", "lost-mailbox-word", "resource-table-write",
      "references-returned", "vring-bounds",     "host-oops"};
  return names;
}

const std::vector<std::string>& broken_by_design(std::string_view shutdown_variant) {
  // v1 halts the core whatever came of the question: reference/k3.md §5.
  static const std::vector<std::string> v1{"reset-outside-wfi", "references-returned", "lost-mailbox-word"};
  static const std::vector<std::string> none;
  return shutdown_variant == "v1" ? v1 : none;
}

invariants::invariants(trace& t, system_view& view, const system_facts& facts) {
  all_.push_back(std::make_unique<reset_outside_wfi>(facts));
  all_.push_back(std::make_unique<unpowered_access>());
  all_.push_back(std::make_unique<lost_mailbox_word>(facts));
  all_.push_back(std::make_unique<resource_table_write>(view, facts.host));
  all_.push_back(std::make_unique<references_returned>(facts));
  all_.push_back(std::make_unique<vring_bounds>(facts.dma_pools));
  all_.push_back(std::make_unique<host_oops>());
  for (const auto& i : all_) {
    i->report = [this, &t, name = i->name()](std::string_view text) {
      violations_.push_back({name, std::string(text), sc_core::sc_time_stamp()});
      t.emit("checks", "invariant.violated", {{"invariant", name}, {"text", text}});
    };
  }
}

void invariants::finish() {
  for (const auto& i : all_) i->finish();
}

void invariants::on_event(const event& e) {
  if (e.name == "invariant.violated") return;
  for (const auto& i : all_) i->on_event(e);
}

}  // namespace rpsim::tool
