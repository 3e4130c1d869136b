// For tests: processes that speak the frames of an isolated plugin and mean no good. The test program starts itself as
// such a child, whose plugin name says what it does.
#pragma once

#include <string_view>

namespace trellis::isolation::testing {

[[noreturn]] void misbehave(std::string_view how);

} // namespace trellis::isolation::testing
