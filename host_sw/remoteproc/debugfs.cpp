// /sys/kernel/debug/remoteproc/remoteproc<N>. Facts: reference/remoteproc-core.md §5.3.

#include <algorithm>
#include <charconv>

#include "host_sw/remoteproc/rproc_internal.h"

namespace rpsim::remoteproc {

namespace {

using stored = os::expected<std::size_t>;

constexpr std::size_t RECOVERY_MAX = 10, COREDUMP_MAX = 20, NAME_MAX_SHOWN = 98, TRACE_CHUNK = 256;

/// What the file copies from user space, a newline at its end replaced by NUL.
os::expected<std::string> command(std::string_view data, std::size_t most) {
  if (data.empty() || data.size() > most) return tl::unexpected(EINVAL);
  std::string text(data);
  if (text.back() == '\n') text.back() = '\0';
  return text;
}

stored store_recovery(rproc::impl& r, std::string_view data) {
  const auto text = command(data, RECOVERY_MAX);
  if (!text) return tl::unexpected(text.error());
  if (prefix_of(*text, "enabled")) {
    r.recovery_disabled = false;
    r.trigger_recovery();
  } else if (prefix_of(*text, "disabled")) {
    r.recovery_disabled = true;
  } else if (prefix_of(*text, "recover")) {
    r.trigger_recovery();
  } else {
    return tl::unexpected(EINVAL);
  }
  return data.size();
}

stored store_coredump(rproc::impl& r, std::string_view data) {
  const auto text = command(data, COREDUMP_MAX);
  if (!text) return tl::unexpected(text.error());
  if (r.state == rproc_state::crashed) {
    r.err("can't change coredump configuration");
    return tl::unexpected(EBUSY);
  }
  for (const dump_mode m : {dump_mode::disabled, dump_mode::enabled, dump_mode::inline_}) {
    if (!prefix_of(*text, to_string(m))) continue;
    r.dump_conf = m;
    return data.size();
  }
  r.err("Invalid coredump configuration");
  return tl::unexpected(EINVAL);
}

/// kstrtouint() with base 0.
os::expected<std::uint32_t> parse_number(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0' && text[1] != '\n') {
    base = 8;
  }
  if (text.ends_with('\n')) text.remove_suffix(1);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size()) return tl::unexpected(ERANGE);
  if (error != std::errc() || end != text.data() + text.size()) return tl::unexpected(EINVAL);
  return value;
}

stored store_crash(rproc::impl& r, std::string_view data) {
  const auto type = parse_number(data);
  if (!type) return tl::unexpected(type.error());
  r.report_crash(static_cast<crash_type>(std::min<std::uint32_t>(*type, 0xFF)));
  return data.size();
}

std::string memory_text(const rsc::carveout_entry& e, std::string_view name) {
  return fmt::format(
      "  Device Address {:#x}\n  Physical Address {:#x}\n  Length {:#x} Bytes\n  Flags {:#x}\n"
      "  Reserved (should be zero) [{}]\n  Name {}\n\n",
      e.da, e.pa, e.len, e.flags, e.reserved, name);
}

std::string vdev_text(const rsc::vdev_entry& e) {
  std::string text = fmt::format(
      "  ID {}\n  Notify ID {}\n  Device features {:#x}\n  Guest features {:#x}\n  Config length {:#x}\n  Status "
      "{:#x}\n"
      "  Number of vrings {}\n  Reserved (should be zero) [{}][{}]\n\n",
      e.id, e.notifyid, e.dfeatures, e.gfeatures, e.config_len, e.status, e.num_of_vrings, e.reserved[0],
      e.reserved[1]);
  for (std::size_t i = 0; i < e.vrings.size(); ++i) {
    const rsc::vring_entry& v = e.vrings[i];
    text += fmt::format(
        "  Vring {}\n    Device Address {:#x}\n    Alignment {}\n    Number of buffers {}\n    Notify ID {}\n"
        "    Physical Address {:#x}\n\n",
        i, v.da, static_cast<std::int32_t>(v.align), static_cast<std::int32_t>(v.num),
        static_cast<std::int32_t>(v.notifyid), v.pa);
  }
  return text;
}

/// Linux follows the offsets of a live table unchecked; here an entry that leaves the table ends the text.
std::string show_resource_table(rproc::impl& r) {
  if (!r.table) return "No resource table found\n";
  static constexpr const char* TYPES[] = {"carveout", "devmem", "trace", "vdev"};
  std::vector<std::byte> table(r.table_sz);
  if (r.table.live()) {
    if (!r.os.try_read(r.table.pa(), table.data(), table.size())) return "";
  } else {
    r.table.read(0, table);
  }
  std::string text;
  if (table.size() < rsc::HEADER_SIZE) return text;
  const std::uint32_t num = rsc::u32_at(table, 4);
  for (std::uint32_t i = 0; i < num && rsc::HEADER_SIZE + 4ull * (i + 1) <= table.size(); ++i) {
    const std::uint64_t offset = rsc::u32_at(table, rsc::HEADER_SIZE + 4ull * i);
    if (offset + rsc::TYPE_SIZE > table.size()) return text;
    const std::uint32_t type = rsc::u32_at(table, offset);
    const auto payload = std::span<const std::byte>(table).subspan(offset + rsc::TYPE_SIZE);
    if (type >= rsc::LAST) {
      // %pK without the privilege to see kernel addresses
      text += fmt::format("Unknown resource type found: {} [hdr: 0000000000000000]\n", type);
      continue;
    }
    text += fmt::format("Entry {} is of type {}\n", i, TYPES[type]);
    const std::size_t size =
        type == rsc::VDEV ? rsc::VDEV_SIZE : (type == rsc::TRACE ? rsc::TRACE_SIZE : rsc::CARVEOUT_SIZE);
    if (payload.size() < size) return text;
    if (type == rsc::VDEV) {
      text += vdev_text(rsc::vdev_entry(payload));
    } else if (type == rsc::TRACE) {
      const rsc::trace_entry e(payload);
      text +=
          fmt::format("  Device Address {:#x}\n  Length {:#x} Bytes\n  Reserved (should be zero) [{}]\n  Name {}\n\n",
                      e.da, e.len, e.reserved, rsc::name_at(payload, size - rsc::NAME_SIZE));
    } else {
      text += memory_text(rsc::carveout_entry(payload), rsc::name_at(payload, size - rsc::NAME_SIZE));
    }
  }
  return text;
}

/// The virtual address is the host physical one: there is no other here.
std::string show_carveouts(rproc::impl& r) {
  std::string text;
  for (const carveout& c : r.carveouts) {
    text += fmt::format(
        "Carveout memory entry:\n\tName: {}\n\tVirtual address: {:016x}\n\tDMA address: 0x{:016x}\n"
        "\tDevice address: {:#x}\n\tLength: {:#x} Bytes\n\n",
        c.name, c.pa, c.dma, c.da, c.len);
  }
  return text;
}

std::string show_trace(rproc::impl& r, std::uint32_t da, std::uint32_t len) {
  const std::uint64_t pa = r.da_to_pa(da, len);
  std::string text;
  std::size_t end = std::string::npos;
  while (pa != 0 && text.size() < len && end == std::string::npos) {
    std::string chunk(std::min<std::size_t>(TRACE_CHUNK, len - text.size()), '\0');
    if (!r.os.try_read(pa + text.size(), chunk.data(), chunk.size())) return "Trace  not available\n";
    end = chunk.find('\0');
    text += chunk.substr(0, end);
  }
  return pa != 0 ? text : "Trace  not available\n";
}

/// As root opens it, whatever the mode: a missing operation is EINVAL. The whole text with one read, however long.
class debugfs_file final : public os::file {
 public:
  using show = std::function<std::string(rproc::impl&)>;
  using store = stored (*)(rproc::impl&, std::string_view);
  debugfs_file(std::shared_ptr<rproc::impl> r, show read, store write)
      : r_(std::move(r)), show_(std::move(read)), store_(write) {}

  os::expected<std::string> read() override {
    if (!show_) return tl::unexpected(EINVAL);
    if (r_->self == nullptr) return tl::unexpected(EIO);
    return std::exchange(shown_, true) ? std::string() : show_(*r_);
  }
  stored write(std::string_view data) override {
    if (store_ == nullptr) return tl::unexpected(EINVAL);
    if (r_->self == nullptr) return tl::unexpected(EIO);
    return store_(*r_, data);
  }

 private:
  std::shared_ptr<rproc::impl> r_;
  show show_;
  store store_;
  bool shown_ = false;
};

void add_file(rproc::impl& r, const std::string& path, debugfs_file::show read, debugfs_file::store write) {
  r.machine.fs().add_device(
      path, [owner = r.shared_from_this(), read = std::move(read), write]() -> os::expected<std::unique_ptr<os::file>> {
        return std::make_unique<debugfs_file>(owner, read, write);
      });
}

}  // namespace

void rproc::impl::add_debugfs() {
  const std::string at = debugfs_path() + "/";
  machine.fs().add_directory(debugfs_path());
  add_file(
      *this, at + "name", [](impl& r) { return r.name.substr(0, NAME_MAX_SHOWN) + "\n"; }, nullptr);
  add_file(
      *this, at + "recovery", [](impl& r) { return r.recovery_disabled ? "disabled\n" : "enabled\n"; }, store_recovery);
  add_file(*this, at + "crash", {}, store_crash);
  add_file(*this, at + "resource_table", show_resource_table, nullptr);
  add_file(*this, at + "carveout_memories", show_carveouts, nullptr);
  add_file(
      *this, at + "coredump", [](impl& r) { return to_string(r.dump_conf) + std::string("\n"); }, store_coredump);
}

void rproc::impl::remove_debugfs() { machine.fs().remove(debugfs_path()); }

void rproc::impl::add_trace_file(const trace_buffer& t) {
  add_file(
      *this, t.path, [da = t.da, len = t.len](impl& r) { return show_trace(r, da, len); }, nullptr);
}

}  // namespace rpsim::remoteproc
