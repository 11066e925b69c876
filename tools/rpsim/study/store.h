#pragma once
// The results of a study as they arrive, in an SQLite file: table `study` says which study they are of, table `points`
// has a row for each point that has ended. Committed rows survive whatever ends the program.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/rpsim/study/study.h"

struct sqlite3;
struct sqlite3_stmt;

namespace rpsim::tool {

class results_store {
 public:
  /// What tells one study's results from another's: word and value.
  using identity = std::vector<std::pair<std::string, std::string>>;

  /// Makes the file, or, to resume, opens it if it is there.
  /// @throws cannot_write with the reason: it exists and is not to be resumed, it is another study's, it is damaged, in
  /// use, or cannot be written.
  results_store(std::string path, const identity& who, const std::vector<std::string>& columns, bool resume);
  ~results_store();
  results_store(const results_store&) = delete;
  results_store& operator=(const results_store&) = delete;

  struct row {
    std::uint64_t point = 0;
    std::string part, variant, outcome, detail;
    std::uint64_t digest = 0;
    std::vector<std::optional<double>> values;  // one a column; times are whole picoseconds below 2⁵³
  };
  /// In one transaction: all or none. @throws cannot_write
  void add(const std::vector<row>& rows);

  /// Of first … first + count - 1, what is not there, as ranges.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> missing(std::uint64_t first, std::uint64_t count);
  /// In order of point.
  void each(std::uint64_t first, std::uint64_t count, const std::function<void(const row&)>& use);
  /// One column's values of those points, without what is missing; or with it, in order of point.
  std::vector<std::int64_t> values(std::size_t column, std::uint64_t first, std::uint64_t count);
  std::vector<std::optional<double>> values_of_each(std::size_t column, std::uint64_t first, std::uint64_t count);
  struct outcome_count {
    std::string what, detail;  // detail of the first
    std::uint64_t count = 0, first = 0;
  };
  std::vector<outcome_count> outcomes(std::uint64_t first, std::uint64_t count);

  /// Of a file that was made here and has no row: it never was.
  void discard();

  const std::vector<std::string>& columns() const { return columns_; }

 private:
  [[noreturn]] void fail(const char* doing);
  void run(const std::string& sql);
  sqlite3_stmt* prepare(const std::string& sql);
  void open(const identity& who, bool fresh);

  std::string path_;
  std::vector<std::string> columns_;
  bool fresh_ = false;  // made here, and no row yet
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

}  // namespace rpsim::tool
