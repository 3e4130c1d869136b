// JSON with comments and trailing commas (04 §20.1), made into plain JSON for parse_json.
//
// What JSON doesn't allow is overwritten with spaces, so every other byte stays where it was and a parser's position
// is a position in the file. Rejected: RapidJSON's own flags for comments and commas, which would bypass the one reader
// of JSON that this project has.
#pragma once

#include "contracts/json.h"
#include "contracts/result.h"
#include <string>
#include <string_view>

namespace trellis::auth {

// A comment without an end stays as it is, for the parser to refuse.
std::string plain_json(std::string_view jsonc);
// Error "invalid_config", where = "line:column".
Result<JsonDocument> parse_jsonc(std::string_view text);

} // namespace trellis::auth
