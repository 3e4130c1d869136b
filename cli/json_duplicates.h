// Members that a JSON text names twice in one object. Parsing keeps the last one (01 §2.4), so only the text can tell;
// an author who edits the first one sees no effect.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::cli {

// JSON pointers of the repeated members, each once, in the order of their second appearance; at most `most`. Defined
// for any text, sensible for valid JSON. Time and memory are linear in the text.
std::vector<std::string> duplicate_members(std::string_view text, std::size_t most);

} // namespace trellis::cli
