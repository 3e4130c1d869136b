// Regular expressions of ECMAScript's Unicode mode, checked by its grammar and rewritten for PCRE2.
//
// Both dialects share most of their spelling, and differ in what the same spelling means: \s, $ and the dot, what a
// stray bracket is, which escapes exist. So the pattern is parsed strictly, and each piece is written anew in a form
// that PCRE2 reads in one way only. Not expressible: captures reset by each round of a repetition.
#pragma once

#include "contracts/result.h"
#include <string>
#include <string_view>

namespace trellis::schema {

// With callouts where a search can spend time that grows with the text: repeated characters and references.
// For PCRE2_UTF | PCRE2_MATCH_UNSET_BACKREF without PCRE2_UCP. The error is "schema_pattern".
Result<std::string> pcre2_from_ecmascript(std::string_view pattern);

} // namespace trellis::schema
