// Pages of list rpcs (06 §10): what a query means, and the shape of the answer.
//
// A query that passed a service's own schema may still be out of range; then the functions answer "out_of_range", which
// a handler either turns into a ValidationError or returns as an UnexpectedError.
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

inline constexpr std::int64_t kDefaultCursorLimit = 100;
inline constexpr std::int64_t kMaxCursorLimit = 500;
inline constexpr std::int64_t kNoLimitMaximum = 9007199254740991; // the largest safe integer

struct OffsetQuery {
  std::int64_t offset = 0;
  std::int64_t limit = 0;
};

struct CursorQuery {
  std::optional<std::string> cursor; // never ""
  std::int64_t limit = kDefaultCursorLimit;
};

// {offset?, limit}, both integers >= 0, limit at most `max_limit`. Error "out_of_range", where = "/offset" or "/limit".
Result<OffsetQuery> normalize_offset(const JsonValue &query, std::int64_t max_limit = kNoLimitMaximum);
// {cursor?, limit?}. Error "out_of_range", where = "/cursor" or "/limit".
Result<CursorQuery> normalize_cursor(const JsonValue &query, std::int64_t max_limit = kMaxCursorLimit);

// {entries, count, offset, limit, nextOffset?}. `entries`: JSON array text. `count`: matching rows before paging.
std::string offset_page(std::string_view entries, std::int64_t count, const OffsetQuery &query);
// {items, page: {nextCursor?}}. `items`: JSON array text. A cursor that is absent or "" marks the last page.
std::string cursor_page(std::string_view items, const std::optional<std::string> &next_cursor = std::nullopt);

} // namespace trellis
