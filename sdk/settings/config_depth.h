// How deep a TOML text nests by dotted keys, before anything is built from it.
//
// The parser limits nested values, not the parts of a key: "a.a.a...=1" becomes tables in tables, whose destructors
// call each other until the stack ends. So the text is looked through first. Rejected: counting in the parsed tree,
// which already can't be destroyed.
#pragma once

#include <cstddef>
#include <string_view>

namespace trellis {

// The number of the first line with a key of more than `most` parts, or 0. Goes through `text` as the parser does, up
// to the first mistake in it.
std::size_t line_of_deep_key(std::string_view text, std::size_t most);

} // namespace trellis
