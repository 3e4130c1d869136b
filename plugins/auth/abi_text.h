// Texts of the C ABI as C++ has them.
#pragma once

#include <string_view>
#include <trellis/plugin.h>

namespace trellis::auth {

inline std::string_view view(trellis_str text) {
  return text.data && text.size > 0 ? std::string_view{text.data, text.size} : std::string_view{};
}
inline trellis_str str(std::string_view text) {
  return {text.data(), text.size()};
}

} // namespace trellis::auth
