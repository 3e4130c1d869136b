// Where in a JSON text a JSON pointer points: for errors that a person can jump to.
//
// A scanner of its own, because the parser keeps no positions, and keeping them would cost every request a little for
// what only a person with a broken file needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trellis::cli {

// Offset of the value that `pointer` names, or of its nearest ancestor that is there. Of repeated members the last one
// counts, as when parsing. Defined for any text, sensible for valid JSON.
std::size_t locate_json(std::string_view text, std::string_view pointer);

// "LINE:COLUMN" of a byte, both from 1, the column in code points.
std::string line_and_column(std::string_view text, std::size_t offset);

} // namespace trellis::cli
