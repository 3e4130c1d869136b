// Optional members of records written with JsonObjectText: absent members are left out, never null. Internal to
// sdk/wire.
#pragma once

#include "contracts/json_write.h"
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

inline void add_text(JsonObjectText &out, std::string_view name, const std::optional<std::string> &value) {
  if (value) out.text(name, *value);
}
inline void add_json(JsonObjectText &out, std::string_view name, const std::optional<std::string> &value) {
  if (value) out.json(name, *value);
}
inline void add_number(JsonObjectText &out, std::string_view name, const std::optional<std::int64_t> &value) {
  if (value) out.number(name, *value);
}

inline std::string json_of(const std::map<std::string, std::string> &texts) {
  JsonObjectText out;
  for (const auto &[name, value] : texts)
    out.text(name, value);
  return out.str();
}

// An array of what `write(item)` gives.
template <class Items, class Write>
std::string json_array(const Items &items, const Write &write) {
  std::string out = "[";
  for (const auto &item : items) {
    if (out.size() > 1) out += ',';
    out += write(item);
  }
  return out + "]";
}

} // namespace trellis
