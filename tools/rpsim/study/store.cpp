#include "tools/rpsim/study/store.h"

#include <fmt/ranges.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "tools/rpsim/output.h"

namespace rpsim::tool {

namespace {

constexpr int FIXED = 6;  // columns before the values

std::string sql_name(std::string_view name) {
  std::string q = "\"";
  for (const char c : name) {
    q += c;
    if (c == '"') q += c;
  }
  return q + "\"";
}

struct finalize {
  void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
};
using statement = std::unique_ptr<sqlite3_stmt, finalize>;

void bind_text(sqlite3_stmt* s, int at, std::string_view text) {
  sqlite3_bind_text(s, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}
std::string text_at(sqlite3_stmt* s, int at) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(s, at));
  return text == nullptr ? "" : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(s, at)));
}
std::uint64_t number_at(sqlite3_stmt* s, int at) { return static_cast<std::uint64_t>(sqlite3_column_int64(s, at)); }

std::string range(std::uint64_t first, std::uint64_t count) {
  return fmt::format("point >= {} AND point < {}", first, first + count);
}

}  // namespace

results_store::results_store(std::string path, const identity& who, const std::vector<std::string>& columns,
                             bool resume)
    : path_(std::move(path)), columns_(columns) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path_, error);
  if (exists && !resume)
    throw cannot_write(
        fmt::format("{} has results already: --resume goes on with them, -o DIR writes elsewhere", path_));
  try {
    if (sqlite3_open(path_.c_str(), &db_) != SQLITE_OK) fail("cannot be opened");
    sqlite3_extended_result_codes(db_, 1);
    open(who, !exists);
  } catch (...) {
    sqlite3_close(db_);
    throw;
  }
}

results_store::~results_store() {
  sqlite3_finalize(insert_);
  sqlite3_close(db_);
}

void results_store::discard() {
  if (!fresh_) return;
  sqlite3_finalize(std::exchange(insert_, nullptr));
  sqlite3_close(std::exchange(db_, nullptr));  // takes its log with it
  std::error_code error;
  std::filesystem::remove(path_, error);
}

void results_store::open(const identity& who, bool fresh) {
  // Nobody else writes into it; a commit is on its way to the disk when the process may be killed, and survives that.
  run("PRAGMA locking_mode = EXCLUSIVE");
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = NORMAL");
  fresh_ = fresh;
  if (fresh) {
    run("BEGIN");
    run("CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT)");
    for (const auto& [key, value] : who) {
      const statement s(prepare("INSERT INTO study VALUES (?, ?)"));
      bind_text(s.get(), 1, key);
      bind_text(s.get(), 2, value);
      if (sqlite3_step(s.get()) != SQLITE_DONE) fail("cannot be written");
    }
    std::string sql =
        "CREATE TABLE points (point INTEGER PRIMARY KEY, part TEXT, variant TEXT, outcome TEXT, "
        "detail TEXT, digest INTEGER";
    for (const std::string& c : columns_) sql += fmt::format(", {} NUMERIC", sql_name(c));
    run(sql + ")");
    run("COMMIT");
  } else {
    const statement check(prepare("PRAGMA quick_check(1)"));
    const int step = sqlite3_step(check.get());
    if (step != SQLITE_ROW) fail("is damaged");
    if (text_at(check.get(), 0) != "ok")
      throw cannot_write(fmt::format("{} is damaged: {}", path_, text_at(check.get(), 0)));
    const statement tables(prepare("SELECT count(*) FROM sqlite_master WHERE name IN ('study', 'points')"));
    if (sqlite3_step(tables.get()) != SQLITE_ROW || number_at(tables.get(), 0) != 2)
      throw cannot_write(fmt::format("{} holds no results of a study", path_));
    for (const auto& [key, value] : who) {
      const statement s(prepare("SELECT value FROM study WHERE key = ?"));
      bind_text(s.get(), 1, key);
      const std::string theirs = sqlite3_step(s.get()) == SQLITE_ROW ? text_at(s.get(), 0) : "";
      if (theirs == value) continue;
      const bool shown = value.size() < 80 && theirs.size() < 80;
      throw cannot_write(shown ? fmt::format("{} has the results of another study: its {} is '{}', not '{}'", path_,
                                             key, theirs, value)
                               : fmt::format("{} has the results of another study: its {} is another", path_, key));
    }
  }
  std::string sql = "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?";
  for (std::size_t i = 0; i < columns_.size(); ++i) sql += ", ?";
  insert_ = prepare(sql + ")");
}

void results_store::fail(const char* doing) {
  const int code = sqlite3_extended_errcode(db_) & 0xff;
  if (code == SQLITE_BUSY) throw cannot_write(fmt::format("{}: another rpsim is using it", path_));
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
    throw cannot_write(fmt::format("{} is damaged, or no results file: {}", path_, sqlite3_errmsg(db_)));
  throw cannot_write(fmt::format("{} {}: {}", path_, doing, sqlite3_errmsg(db_)));
}

void results_store::run(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail("cannot be written");
}

sqlite3_stmt* results_store::prepare(const std::string& sql) {
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &s, nullptr) != SQLITE_OK) fail("cannot be read");
  return s;
}

void results_store::add(const std::vector<row>& rows) {
  if (rows.empty()) return;
  fresh_ = false;
  run("BEGIN");
  for (const row& r : rows) {
    sqlite3_reset(insert_);
    sqlite3_bind_int64(insert_, 1, static_cast<std::int64_t>(r.point));
    bind_text(insert_, 2, r.part);
    bind_text(insert_, 3, r.variant);
    bind_text(insert_, 4, r.outcome);
    bind_text(insert_, 5, r.detail);
    sqlite3_bind_int64(insert_, 6, static_cast<std::int64_t>(r.digest));
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const int at = FIXED + 1 + static_cast<int>(i);
      if (i < r.values.size() && r.values[i]) {
        sqlite3_bind_double(insert_, at, *r.values[i]);
      } else {
        sqlite3_bind_null(insert_, at);
      }
    }
    if (sqlite3_step(insert_) != SQLITE_DONE) fail("cannot be written");
  }
  sqlite3_reset(insert_);
  run("COMMIT");
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> results_store::missing(std::uint64_t first, std::uint64_t count) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
  std::uint64_t next = first;
  const statement s(prepare("SELECT point FROM points WHERE " + range(first, count) + " ORDER BY point"));
  int step = 0;
  while ((step = sqlite3_step(s.get())) == SQLITE_ROW) {
    const std::uint64_t there = number_at(s.get(), 0);
    if (there > next) gaps.emplace_back(next, there - next);
    next = there + 1;
  }
  if (step != SQLITE_DONE) fail("cannot be read");
  if (next < first + count) gaps.emplace_back(next, first + count - next);
  return gaps;
}

void results_store::each(std::uint64_t first, std::uint64_t count, const std::function<void(const row&)>& use) {
  const statement s(prepare("SELECT * FROM points WHERE " + range(first, count) + " ORDER BY point"));
  int step = 0;
  row r;
  r.values.resize(columns_.size());
  while ((step = sqlite3_step(s.get())) == SQLITE_ROW) {
    r.point = number_at(s.get(), 0);
    r.part = text_at(s.get(), 1);
    r.variant = text_at(s.get(), 2);
    r.outcome = text_at(s.get(), 3);
    r.detail = text_at(s.get(), 4);
    r.digest = number_at(s.get(), 5);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const int at = FIXED + static_cast<int>(i);
      const bool none = sqlite3_column_type(s.get(), at) == SQLITE_NULL;
      r.values[i] = none ? std::nullopt : std::optional(sqlite3_column_double(s.get(), at));
    }
    use(r);
  }
  if (step != SQLITE_DONE) fail("cannot be read");
}

std::vector<std::optional<double>> results_store::values_of_each(std::size_t column, std::uint64_t first,
                                                                 std::uint64_t count) {
  std::vector<std::optional<double>> all;
  const statement s(prepare(
      fmt::format("SELECT {} FROM points WHERE {} ORDER BY point", sql_name(columns_[column]), range(first, count))));
  int step = 0;
  while ((step = sqlite3_step(s.get())) == SQLITE_ROW) {
    const bool none = sqlite3_column_type(s.get(), 0) == SQLITE_NULL;
    all.push_back(none ? std::nullopt : std::optional(sqlite3_column_double(s.get(), 0)));
  }
  if (step != SQLITE_DONE) fail("cannot be read");
  return all;
}

std::vector<std::int64_t> results_store::values(std::size_t column, std::uint64_t first, std::uint64_t count) {
  std::vector<std::int64_t> there;
  const std::string name = sql_name(columns_[column]);
  const statement s(prepare(fmt::format("SELECT {} FROM points WHERE {} AND {} IS NOT NULL ORDER BY point", name,
                                        range(first, count), name)));
  int step = 0;
  while ((step = sqlite3_step(s.get())) == SQLITE_ROW) there.push_back(sqlite3_column_int64(s.get(), 0));
  if (step != SQLITE_DONE) fail("cannot be read");
  return there;
}

std::vector<results_store::outcome_count> results_store::outcomes(std::uint64_t first, std::uint64_t count) {
  std::vector<outcome_count> all;
  // With min(), SQLite takes the bare column from the row that has the smallest.
  const statement s(prepare("SELECT outcome, count(*), min(point), detail FROM points WHERE " + range(first, count) +
                            " GROUP BY outcome ORDER BY outcome = 'ok' DESC, count(*) DESC, outcome"));
  int step = 0;
  while ((step = sqlite3_step(s.get())) == SQLITE_ROW)
    all.push_back({text_at(s.get(), 0), text_at(s.get(), 3), number_at(s.get(), 1), number_at(s.get(), 2)});
  if (step != SQLITE_DONE) fail("cannot be read");
  return all;
}

}  // namespace rpsim::tool
