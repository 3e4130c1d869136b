// The directive {"$repeat": s, "times": n}: string s repeated n times (README §1.3).
//
// Expanded before a procedure sees its input, because it stands for a value that is only too long to write down. The
// other directives ($fixture, $input, $sig ...) need what only the procedure of a kind knows, so they stay.
#pragma once

#include <rapidjson/document.h>

namespace trellis::vectors {

// Replaces each directive at any depth. Throws std::runtime_error when one is malformed or longer than 64 MiB.
void expand_repeats(rapidjson::Value &value, rapidjson::Document::AllocatorType &allocator);

} // namespace trellis::vectors
