// The names inside \p{...}: ECMAScript spells each in one way, PCRE2 takes many.
#pragma once

#include <string>
#include <string_view>

namespace trellis::schema {

// "Letter", "gc=Lu", "Script=Greek", "Alphabetic" as PCRE2 spells it; "" when ECMAScript has no such property. Names of
// scripts are only checked for their shape: PCRE2 knows which exist.
std::string pcre2_property(std::string_view name);

} // namespace trellis::schema
