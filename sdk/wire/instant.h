// Times of records beyond wire/ulid.h: exact to the nanosecond, and in the one written form.
//
// A header of its own because only records need them.
#pragma once

#include <cstdint>
#include <string_view>

namespace trellis {

// The instant as job records compare it (08 §14): clamped to the type, and 0 for a text that is no time.
std::int64_t unix_nanoseconds(std::string_view text);
// Whether `text` is a time in exactly the form that iso_time writes (00-index "Common formats").
bool is_written_time(std::string_view text);

} // namespace trellis
