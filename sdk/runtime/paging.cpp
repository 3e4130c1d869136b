#include "runtime/paging.h"

#include "contracts/json_write.h"
#include <algorithm>
#include <cmath>
#include <rapidjson/document.h>

namespace trellis {
namespace {

tl::unexpected<Error> out_of_range(const char *where, std::string expected) {
  return fail("out_of_range", where, "out of range", std::move(expected));
}

// An integer from 0 to `max`, 1.0 included.
std::optional<std::int64_t> whole_number(const JsonValue &value, std::int64_t max) {
  if (!value.IsNumber()) return std::nullopt;
  const double number = value.GetDouble();
  if (std::trunc(number) != number || number < 0 || number > static_cast<double>(max)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

Result<std::int64_t> read_limit(const JsonValue *limit, std::int64_t max) {
  const auto number = limit ? whole_number(*limit, max) : std::nullopt;
  if (!number) return out_of_range("/limit", "an integer from 0 to " + std::to_string(max));
  return *number;
}

} // namespace

Result<OffsetQuery> normalize_offset(const JsonValue &query, std::int64_t max_limit) {
  OffsetQuery out;
  if (const auto *offset = find_member(query, "offset")) {
    const auto number = whole_number(*offset, kNoLimitMaximum);
    if (!number) return out_of_range("/offset", "an integer of at least 0");
    out.offset = *number;
  }
  const auto limit = read_limit(find_member(query, "limit"), max_limit);
  if (!limit) return tl::make_unexpected(limit.error());
  out.limit = *limit;
  return out;
}

Result<CursorQuery> normalize_cursor(const JsonValue &query, std::int64_t max_limit) {
  CursorQuery out;
  if (const auto *cursor = find_member(query, "cursor")) {
    if (!cursor->IsString() || cursor->GetStringLength() == 0)
      return out_of_range("/cursor", "a text that is not empty");
    out.cursor = text_of(*cursor);
  }
  const auto *given = find_member(query, "limit");
  const auto limit = given ? read_limit(given, max_limit) : std::min(kDefaultCursorLimit, max_limit);
  if (!limit) return tl::make_unexpected(limit.error());
  out.limit = *limit;
  return out;
}

std::string offset_page(std::string_view entries, std::int64_t count, const OffsetQuery &query) {
  JsonObjectText page;
  page.json("entries", entries).number("count", count).number("offset", query.offset).number("limit", query.limit);
  if (query.limit > 0 && query.offset < count - query.limit) page.number("nextOffset", query.offset + query.limit);
  return page.str();
}

std::string cursor_page(std::string_view items, const std::optional<std::string> &next_cursor) {
  JsonObjectText page;
  if (next_cursor && !next_cursor->empty()) page.text("nextCursor", *next_cursor);
  return JsonObjectText().json("items", items).json("page", page.str()).str();
}

} // namespace trellis
