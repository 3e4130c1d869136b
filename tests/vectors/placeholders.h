// Placeholders in expected values (README §1.3, angle form): "<ulid>", "_INBOX.<inboxPrefix:A>" ...
//
// A placeholder is a pattern (any ULID), or a value that the procedure chose and told the runner (<bucket>). One name
// is one value within a case when it has a number or an argument. A name that is neither is literal text, so vectors
// may hold "<script>". A string that equals the expected text literally matches too: texts that merely look like a
// placeholder occur in inputs that come out again unchanged.
//
// A value type on purpose: matching a set or an alternative tries, and a failed try must leave no binding behind.
#pragma once

#include "contracts/json.h"
#include "runner.h"
#include <string>
#include <string_view>

namespace trellis::vectors {

class Placeholders {
public:
  // `any_instant`: <time> is any RFC 3339 UTC instant (jobs-wire), not only one with milliseconds.
  explicit Placeholders(PlaceholderValues values = {}, bool any_instant = false)
      : values_(std::move(values)), any_instant_(any_instant) {}

  // Does `actual` match the expected string? Binds the names that it meets.
  bool match(std::string_view expected, const JsonValue &actual);
  // Does the expected string hold something that is not literal?
  bool occur_in(std::string_view expected) const;

private:
  // One stretch of an expected string.
  struct Piece {
    std::string text;    // literal text, or the placeholder's name
    std::string pattern; // regular expression of a placeholder; empty for literal text
    bool bound = false;  // one name = one value
  };

  Piece placeholder(std::string_view name) const;
  std::vector<Piece> pieces_of(std::string_view expected) const;
  bool match_number(std::string_view name, const JsonValue &actual) const;
  bool match_text(const std::vector<Piece> &pieces, std::string_view actual);
  bool bind(const std::string &name, std::string_view value);

  PlaceholderValues values_;
  PlaceholderValues bound_;
  bool any_instant_;
};

// May a member whose expected value is this be missing from the result?
bool may_be_absent(const JsonValue &expected);

} // namespace trellis::vectors
