// The order of state and object store listings (09 A9).
//
// ASCII is compared exactly as the chapter's table says. Everything else comes after 'z' by code point, as the chapter
// allows and asks us to say: the Unicode collation tables are many times the size of this whole library, and keys are
// ASCII in practice.
#pragma once

#include <string_view>

namespace trellis {

// Whether `a` sorts before `b`. Keys that differ in nothing that is compared (control characters) are equal, and keep
// the order in which they were stored: sort stably.
bool collates_before(std::string_view a, std::string_view b);

} // namespace trellis
