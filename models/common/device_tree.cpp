#include "models/common/device_tree.h"

#include <fmt/format.h>
#include <libfdt.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "models/common/subprocess.h"

namespace rpsim::dt {

std::string location::text() const { return line == 0 ? file : fmt::format("{}:{}:{}", file, line, column); }

error::error(const location& where, const std::string& reason)
    : std::runtime_error(fmt::format("{}: {}", where.text(), reason)) {}

struct tree::impl {
  std::string name;    // what messages call the source
  std::string source;  // after cpp
  std::vector<std::byte> blob;
  std::map<std::string, std::string, std::less<>> label_of;     // path -> label
  mutable std::map<std::string, location, std::less<>> places;  // "path" or "path\0property"; filled on the first error
  mutable bool placed = false;

  const void* fdt() const { return blob.data(); }
  void place() const;
};

namespace {

/// Finds ":LINE<mark>COLUMN" in a tool's message. @return the place and where the rest of the text begins.
std::optional<std::pair<location, std::size_t>> place_in(std::string_view text, char mark) {
  for (auto colon = text.find(':'); colon != std::string_view::npos; colon = text.find(':', colon + 1)) {
    location where{std::string(text.substr(0, colon)), 0, 0};
    const char* const end = text.data() + text.size();
    const auto line = std::from_chars(text.data() + colon + 1, end, where.line);
    if (line.ec != std::errc{} || line.ptr == end || *line.ptr != mark) continue;
    const auto column = std::from_chars(line.ptr + 1, end, where.column);
    if (column.ec != std::errc{}) continue;
    return std::pair{where, static_cast<std::size_t>(column.ptr - text.data())};
  }
  return std::nullopt;
}

/// dtc writes "Error: FILE:LINE.COL-COL text" or "FILE:LINE.COL-LINE.COL: ERROR (check): text".
[[noreturn]] void throw_dtc_error(const std::string& name, const std::string& words) {
  std::istringstream lines(words);
  for (std::string line; std::getline(lines, line);) {
    std::string_view text = line;
    if (text.find("Warning") != std::string_view::npos) continue;
    if (text.starts_with("Error: ")) text.remove_prefix(7);
    auto found = place_in(text, '.');
    if (!found) continue;
    if (found->first.file == "<stdin>") found->first.file = name;
    text.remove_prefix(found->second);
    text.remove_prefix(std::min(text.find_first_not_of("-.0123456789: "), text.size()));
    throw error(found->first, std::string(text));
  }
  throw error({name, 0, 0}, words.empty() ? "dtc failed without a word" : words.substr(0, words.find('\n')));
}

std::string join(const std::string& path, std::string_view property) {
  std::string key = path;
  key.push_back('\0');
  return key.append(property);
}

}  // namespace

void tree::impl::place() const {
  if (placed) return;
  placed = true;
  const auto annotated = run_subprocess({"dtc", "-q", "-T", "-T", "-I", "dts", "-O", "dts", "-"}, source);
  std::vector<std::string> path;
  std::istringstream lines(annotated.out);
  std::string line;
  while (std::getline(lines, line)) {
    const auto first = line.find_first_not_of('\t');
    if (first == std::string::npos) continue;
    const auto comment = line.rfind("/* ");
    std::string text = line.substr(first, comment == std::string::npos ? comment : comment - first);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    location where;
    if (comment != std::string::npos) {
      if (auto found = place_in(std::string_view(line).substr(comment + 3), ':')) where = found->first;
      if (where.file == "<stdin>") where.file = name;
    }
    const auto full = [&] {
      std::string p;
      for (std::size_t i = 1; i < path.size(); ++i) p += "/" + path[i];
      return p.empty() ? std::string("/") : p;
    };
    if (text.ends_with("{")) {
      text = text.substr(0, text.size() - 1);
      while (!text.empty() && text.back() == ' ') text.pop_back();
      if (const auto colon = text.rfind(": "); colon != std::string::npos) text = text.substr(colon + 2);
      path.push_back(text);
      places[full()] = where;
    } else if (text == "};") {
      if (!path.empty()) path.pop_back();
    } else if (!path.empty()) {
      places[join(full(), text.substr(0, text.find_first_of(" ;=")))] = where;
    }
  }
}

tree::tree() : impl_(std::make_unique<impl>()) {}
tree::~tree() = default;

std::unique_ptr<tree> tree::compile(const std::string& dts_path) {
  std::ifstream file(dts_path);
  if (!file || std::filesystem::is_directory(dts_path)) throw error({dts_path, 0, 0}, "cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  std::string source = text.str();
  if (source.find("#include") != std::string::npos) {
    const auto directory = std::filesystem::path(dts_path).parent_path().string();
    const auto pre = run_subprocess({"cpp", "-nostdinc", "-undef", "-D__DTS__", "-x", "assembler-with-cpp", "-I",
                                     directory.empty() ? "." : directory, dts_path});
    if (pre.status != 0) {
      std::istringstream lines(pre.err);
      for (std::string line; std::getline(lines, line);) {
        const auto at = line.find("error: ");
        const auto found = place_in(line, ':');
        if (at != std::string::npos && found) throw error(found->first, line.substr(at + 7));
      }
      throw error({dts_path, 0, 0}, "cpp: " + pre.err.substr(0, pre.err.find('\n')));
    }
    source = pre.out;
  }
  return compile_text(source, dts_path);
}

std::unique_ptr<tree> tree::compile_text(const std::string& text, const std::string& name) {
  auto result = run_subprocess({"dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-"}, text);
  if (result.status == 127) throw error({name, 0, 0}, "dtc (Debian package device-tree-compiler) is not installed");
  if (result.status != 0) throw_dtc_error(name, result.err);
  std::unique_ptr<tree> t(new tree);
  t->impl_->name = name;
  t->impl_->source = text;
  t->impl_->blob.resize(result.out.size());
  std::memcpy(t->impl_->blob.data(), result.out.data(), result.out.size());
  const void* fdt = t->impl_->fdt();
  if (fdt_check_full(fdt, t->impl_->blob.size()) != 0) throw error({name, 0, 0}, "dtc wrote an unusable blob");
  if (const int symbols = fdt_path_offset(fdt, "/__symbols__"); symbols >= 0) {
    int property = 0;
    fdt_for_each_property_offset(property, fdt, symbols) {
      const char* label = nullptr;
      int length = 0;
      const void* path = fdt_getprop_by_offset(fdt, property, &label, &length);
      // The first label of a node, in the order of the source, is its name.
      t->impl_->label_of.emplace(static_cast<const char*>(path), label);
    }
  }
  return t;
}

const std::vector<std::byte>& tree::blob() const { return impl_->blob; }
node tree::root() const { return {this, 0}; }

node tree::by_path(std::string_view path) const {
  const int offset = fdt_path_offset_namelen(impl_->fdt(), path.data(), static_cast<int>(path.size()));
  return offset < 0 ? node() : node(this, offset);
}

node tree::by_label(std::string_view label) const {
  const int symbols = fdt_path_offset(impl_->fdt(), "/__symbols__");
  if (symbols < 0) return {};
  const void* path = fdt_getprop_namelen(impl_->fdt(), symbols, label.data(), static_cast<int>(label.size()), nullptr);
  return path == nullptr ? node() : by_path(static_cast<const char*>(path));
}

node tree::by_phandle(std::uint32_t phandle) const {
  const int offset = fdt_node_offset_by_phandle(impl_->fdt(), phandle);
  return offset < 0 ? node() : node(this, offset);
}

std::vector<node> tree::all_enabled() const {
  std::vector<node> list;
  const auto visit = [&](const auto& self, const node& n) -> void {
    if (n.name() == "__symbols__" || n.name() == "__fixups__" || n.name() == "__local_fixups__") return;
    const auto status = n.string("status");
    if (status == "disabled") return;
    list.push_back(n);
    for (const node& c : n.children()) self(self, c);
  };
  visit(visit, root());
  return list;
}

std::vector<node> tree::compatible(std::string_view c) const {
  std::vector<node> list;
  for (const node& n : all_enabled()) {
    if (n.is_compatible(c)) list.push_back(n);
  }
  return list;
}

std::string node::name() const {
  int length = 0;
  const char* n = fdt_get_name(tree_->impl_->fdt(), offset_, &length);
  return n == nullptr ? "" : std::string(n, static_cast<std::size_t>(length));
}

std::string node::base_name() const {
  const std::string n = name();
  return n.substr(0, n.find('@'));
}

std::string node::path() const {
  std::string buffer(256, '\0');
  while (true) {
    const int result = fdt_get_path(tree_->impl_->fdt(), offset_, buffer.data(), static_cast<int>(buffer.size()));
    if (result == 0) return buffer.c_str();
    if (result != -FDT_ERR_NOSPACE || buffer.size() > 65536) return "?";
    buffer.resize(buffer.size() * 2);
  }
}

std::string node::label() const {
  const auto it = tree_->impl_->label_of.find(path());
  return it == tree_->impl_->label_of.end() ? base_name() : it->second;
}

bool node::enabled() const {
  const auto status = string("status");
  return !status || *status == "okay" || *status == "ok";
}

node node::parent() const {
  const int p = fdt_parent_offset(tree_->impl_->fdt(), offset_);
  return p < 0 ? node() : node(tree_, p);
}

std::vector<node> node::children() const {
  std::vector<node> list;
  int c = 0;
  fdt_for_each_subnode(c, tree_->impl_->fdt(), offset_) list.push_back(node(tree_, c));
  return list;
}

node node::child(std::string_view n) const {
  for (const node& c : children()) {
    if (c.name() == n || c.base_name() == n) return c;
  }
  return {};
}

bool node::has(std::string_view property) const {
  return fdt_getprop_namelen(tree_->impl_->fdt(), offset_, property.data(), static_cast<int>(property.size()),
                             nullptr) != nullptr;
}

bool node::is_compatible(std::string_view c) const {
  for (const std::string& s : compatible()) {
    if (s == c) return true;
  }
  return false;
}

std::vector<std::uint32_t> node::cells(std::string_view property) const {
  int length = 0;
  const void* data =
      fdt_getprop_namelen(tree_->impl_->fdt(), offset_, property.data(), static_cast<int>(property.size()), &length);
  if (data == nullptr) return {};
  if (length % 4 != 0) fail(property, "is not a list of cells");
  std::vector<std::uint32_t> list(static_cast<std::size_t>(length) / 4);
  for (std::size_t i = 0; i < list.size(); ++i) {
    list[i] = fdt32_ld(reinterpret_cast<const fdt32_t*>(static_cast<const char*>(data) + 4 * i));
  }
  return list;
}

std::vector<std::string> node::strings(std::string_view property) const {
  int length = 0;
  const void* data =
      fdt_getprop_namelen(tree_->impl_->fdt(), offset_, property.data(), static_cast<int>(property.size()), &length);
  if (data == nullptr) return {};
  const char* text = static_cast<const char*>(data);
  if (length == 0 || text[length - 1] != '\0') fail(property, "is not a list of strings");
  std::vector<std::string> list;
  for (const char* p = text; p < text + length; p += std::strlen(p) + 1) list.emplace_back(p);
  return list;
}

std::optional<std::uint32_t> node::u32(std::string_view property) const {
  if (!has(property)) return std::nullopt;
  const auto list = cells(property);
  if (list.size() != 1) fail(property, "must be one cell");
  return list[0];
}

std::optional<std::string> node::string(std::string_view property) const {
  if (!has(property)) return std::nullopt;
  const auto list = strings(property);
  if (list.size() != 1) fail(property, "must be one string");
  return list[0];
}

std::uint32_t node::required_u32(std::string_view property) const {
  const auto value = u32(property);
  if (!value) fail(fmt::format("lacks the property {}", property));
  return *value;
}

std::string node::required_string(std::string_view property) const {
  const auto value = string(property);
  if (!value) fail(fmt::format("lacks the property {}", property));
  return *value;
}

std::uint32_t node::phandle() const { return fdt_get_phandle(tree_->impl_->fdt(), offset_); }

namespace {
std::uint64_t number(const std::vector<std::uint32_t>& cells, std::size_t at, std::uint32_t count) {
  std::uint64_t value = 0;
  for (std::uint32_t i = 0; i < count; ++i) value = (value << 32) | cells[at + i];
  return value;
}
}  // namespace

std::vector<region> node::reg() const {
  if (!has("reg")) return {};
  const node p = parent();
  const std::uint32_t address_cells = p.u32("#address-cells").value_or(2);
  const std::uint32_t size_cells = p.u32("#size-cells").value_or(1);
  if (address_cells > 2 || size_cells > 2) fail("reg", "#address-cells and #size-cells above 2 are not supported");
  const auto list = cells("reg");
  const std::size_t stride = address_cells + size_cells;
  if (stride == 0 || list.size() % stride != 0) {
    fail("reg", fmt::format("is not a multiple of {} + {} cells", address_cells, size_cells));
  }
  std::vector<region> regions;
  for (std::size_t i = 0; i < list.size(); i += stride) {
    regions.push_back({number(list, i, address_cells), number(list, i + address_cells, size_cells)});
  }
  // Up through the buses: an empty `ranges` is the identity, a missing one means not reachable from above (and is
  // taken as the identity here, as dtc's own address of the node is).
  for (node bus = p; bus && bus.parent(); bus = bus.parent()) {
    const auto ranges = bus.cells("ranges");
    if (ranges.empty()) continue;
    const std::uint32_t child_cells = bus.u32("#address-cells").value_or(2);
    const std::uint32_t parent_cells = bus.parent().u32("#address-cells").value_or(2);
    const std::uint32_t span_cells = bus.u32("#size-cells").value_or(1);
    const std::size_t row = child_cells + parent_cells + span_cells;
    if (ranges.size() % row != 0) bus.fail("ranges", fmt::format("is not a multiple of {} cells", row));
    for (region& r : regions) {
      for (std::size_t i = 0; i < ranges.size(); i += row) {
        const auto from = number(ranges, i, child_cells);
        const auto to = number(ranges, i + child_cells, parent_cells);
        const auto span = number(ranges, i + child_cells + parent_cells, span_cells);
        if (r.base >= from && r.base - from < span) {
          r.base = to + (r.base - from);
          break;
        }
      }
    }
  }
  return regions;
}

std::optional<unsigned> node::index_of(std::string_view names_property, std::string_view wanted) const {
  const auto names = strings(names_property);
  for (unsigned i = 0; i < names.size(); ++i) {
    if (names[i] == wanted) return i;
  }
  return std::nullopt;
}

std::optional<region> node::reg(std::string_view wanted) const {
  const auto index = index_of("reg-names", wanted);
  const auto regions = reg();
  if (!index || *index >= regions.size()) return std::nullopt;
  return regions[*index];
}

std::vector<phandle_args> node::references(std::string_view property, std::string_view cells_property) const {
  const auto list = cells(property);
  std::vector<phandle_args> result;
  for (std::size_t i = 0; i < list.size();) {
    const node target = tree_->by_phandle(list[i]);
    if (!target) fail(property, fmt::format("entry {} is not a phandle of this tree", result.size()));
    const auto count = target.u32(cells_property);
    if (!count) fail(property, fmt::format("points to {}, which has no {}", target.path(), cells_property));
    if (list.size() - i - 1 < *count) {
      fail(property, fmt::format("{} takes {} cells ({}), {} are left", target.path(), *count, cells_property,
                                 list.size() - i - 1));
    }
    const auto first = list.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    result.push_back({target, {first, first + *count}});
    i += 1 + *count;
  }
  return result;
}

std::vector<node> node::phandles(std::string_view property) const {
  std::vector<node> list;
  for (const std::uint32_t p : cells(property)) {
    const node target = tree_->by_phandle(p);
    if (!target) fail(property, fmt::format("entry {} is not a phandle of this tree", list.size()));
    list.push_back(target);
  }
  return list;
}

location node::where() const {
  tree_->impl_->place();
  const auto it = tree_->impl_->places.find(path());
  return it == tree_->impl_->places.end() || it->second.file.empty() ? location{tree_->impl_->name, 0, 0} : it->second;
}

location node::where(std::string_view property) const {
  tree_->impl_->place();
  const auto it = tree_->impl_->places.find(join(path(), property));
  return it == tree_->impl_->places.end() || it->second.file.empty() ? where() : it->second;
}

void node::fail(const std::string& reason) const { throw error(where(), fmt::format("{}: {}", path(), reason)); }

void node::fail(std::string_view property, const std::string& reason) const {
  throw error(where(property), fmt::format("{}: {} {}", path(), property, reason));
}

}  // namespace rpsim::dt
