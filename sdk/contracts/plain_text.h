// Text from outside as a person may see it: in a log line, an error, on a terminal.
//
// Terminals act on more than escape: the C1 controls (U+0080 to U+009F) move the cursor and begin commands just as
// well, also as UTF-8, and direction marks show the rest of a line in another order. Rejected: leaving out what is
// invisible too, as reviews of contracts do; joiners belong to the writing of many languages.
#pragma once

#include <string>
#include <string_view>

namespace trellis {

// `text` as UTF-8 (what isn't becomes U+FFFD), with `in_place` for each control character, line or paragraph separator
// and direction override; with `keep_line_ends` LF stays.
std::string plain_text(std::string_view text, char in_place, bool keep_line_ends = false);

} // namespace trellis
