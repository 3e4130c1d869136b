// From rows to records: columns read in the order of the SELECT, lists as JSON text, SQL literals put together.
#pragma once

#include "store/accounts.h"
#include "store/sql.h"
#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// One literal made of several while compiling: every query of a table reads the same columns in the same order.
//   constexpr std::string_view kById = joined<kSelect, kWhereId>;
template <const std::string_view &...Parts>
struct JoinedSql {
  static constexpr std::size_t kSize = (Parts.size() + ... + 0);
  static constexpr std::array<char, kSize> make() {
    std::array<char, kSize> out{};
    std::size_t at = 0;
    ((std::copy(Parts.begin(), Parts.end(), out.begin() + static_cast<std::ptrdiff_t>(at)), at += Parts.size()), ...);
    return out;
  }
  static constexpr std::array<char, kSize> kText = make();
};
template <const std::string_view &...Parts>
inline constexpr std::string_view joined{JoinedSql<Parts...>::kText.data(), JoinedSql<Parts...>::kSize};

std::string names_json(const Names &names);
std::optional<std::string> names_json(const std::optional<Names> &names);
Names names_from_json(std::string_view json); // throws SqlError

// The columns of the current row, from left to right.
class Columns {
public:
  explicit Columns(const Row &row) : row_(row) {}

  std::string text() { return row_.text(next_++); }
  std::int64_t integer() { return row_.integer(next_++); }
  int number() { return static_cast<int>(integer()); }
  bool flag() { return row_.flag(next_++); }
  std::optional<std::string> optional_text() { return row_.optional_text(next_++); }
  std::optional<std::int64_t> optional_integer() { return row_.optional_integer(next_++); }
  Names names() { return names_from_json(text()); }
  std::optional<Names> optional_names();

private:
  const Row &row_;
  int next_ = 0;
};

// The records of a query; `read` makes one of Columns.
template <class Read>
auto all_of(Reader &db, std::string_view sql, SqlValues values, Read read) {
  std::vector<decltype(read(std::declval<Columns>()))> out;
  for (Row row = db.query(sql, values); row.next();)
    out.push_back(read(Columns(row)));
  return out;
}
template <class Read>
auto first_of(Reader &db, std::string_view sql, SqlValues values, Read read) {
  std::optional<decltype(read(std::declval<Columns>()))> out;
  Row row = db.query(sql, values);
  if (row.next()) out = read(Columns(row));
  return out;
}

} // namespace trellis::auth
