// NATS subjects and patterns.
#pragma once

#include <string_view>

namespace trellis {

// Whether `subject` matches `pattern`: "*" is one token, ">" the rest, also an empty rest (03 §10 subject rule).
bool subject_matches(std::string_view pattern, std::string_view subject);

} // namespace trellis
