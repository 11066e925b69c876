#pragma once
// A flattened device tree, read with libfdt, and where in the source each node and property was written.

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rpsim::dt {

struct location {
  std::string file;
  unsigned line = 0, column = 0;
  std::string text() const;  // "file:line:column", or just the file
};

/// A device tree that cannot be used. what() is "file:line:column: reason".
class error : public std::runtime_error {
 public:
  error(const location& where, const std::string& reason);
};

class tree;

struct region {
  std::uint64_t base = 0, size = 0;
};

struct phandle_args;

/// A cheap handle; valid while its tree lives.
class node {
 public:
  node() = default;
  explicit operator bool() const { return tree_ != nullptr; }
  bool operator==(const node&) const = default;

  std::string name() const;       // "mailbox@29000000"
  std::string base_name() const;  // "mailbox"
  std::string path() const;
  std::string label() const;  // first label, else the base name
  bool enabled() const;       // status absent, "okay" or "ok"
  node parent() const;
  std::vector<node> children() const;
  node child(std::string_view name) const;  // full or base name; empty if none

  bool has(std::string_view property) const;
  std::vector<std::string> compatible() const { return strings("compatible"); }
  bool is_compatible(std::string_view c) const;

  std::vector<std::uint32_t> cells(std::string_view property) const;  // empty if absent
  std::vector<std::string> strings(std::string_view property) const;
  std::optional<std::uint32_t> u32(std::string_view property) const;  // throws error if not one cell
  std::optional<std::string> string(std::string_view property) const;
  std::uint32_t required_u32(std::string_view property) const;  // throws error if absent
  std::string required_string(std::string_view property) const;
  std::uint32_t phandle() const;  // 0 if none

  /// `reg`, by the parent's #address-cells and #size-cells, with the parents' `ranges` applied.
  std::vector<region> reg() const;
  /// The entry that `reg-names` calls by this name.
  std::optional<region> reg(std::string_view name) const;
  /// Index of the name in a *-names property, if it is there.
  std::optional<unsigned> index_of(std::string_view names_property, std::string_view name) const;

  /// A list such as `mboxes`, `resets`, `power-domains`, `interrupts-extended`: phandle + as many cells as the
  /// target's cells_property says ("#mbox-cells" …). Throws error for a dangling phandle or a short list.
  std::vector<phandle_args> references(std::string_view property, std::string_view cells_property) const;
  /// A list of bare phandles (`memory-region`).
  std::vector<node> phandles(std::string_view property) const;

  location where() const;
  location where(std::string_view property) const;
  [[noreturn]] void fail(const std::string& reason) const;
  [[noreturn]] void fail(std::string_view property, const std::string& reason) const;

 private:
  friend class tree;
  node(const tree* t, int offset) : tree_(t), offset_(offset) {}
  const tree* tree_ = nullptr;
  int offset_ = -1;
};

struct phandle_args {
  node target;
  std::vector<std::uint32_t> args;
};

class tree {
 public:
  /// Compiles a .dts with dtc (cpp first where it has a line `#include`). @throws error with dtc's own place and words.
  static std::unique_ptr<tree> compile(const std::string& dts_path);
  /// From source text; `name` is what messages call it.
  static std::unique_ptr<tree> compile_text(const std::string& text, const std::string& name);
  ~tree();

  node root() const;
  node by_path(std::string_view path) const;  // empty if none
  node by_label(std::string_view label) const;
  node by_phandle(std::uint32_t phandle) const;
  /// Enabled nodes, depth first in tree order. A disabled parent disables its children.
  std::vector<node> all_enabled() const;
  std::vector<node> compatible(std::string_view c) const;
  /// The whole tree as a reader of /proc/device-tree or a real kernel wants it.
  const std::vector<std::byte>& blob() const;

 private:
  friend class node;
  struct impl;
  tree();
  std::unique_ptr<impl> impl_;
};

}  // namespace rpsim::dt
