#include "store/columns.h"

#include "contracts/json.h"
#include "contracts/json_text.h"
#include <rapidjson/document.h>

namespace trellis::auth {

std::string names_json(const Names &names) {
  std::string out = "[";
  for (const auto &name : names) {
    if (out.size() > 1) out += ',';
    append_json_string(out, name);
  }
  return out + "]";
}

std::optional<std::string> names_json(const std::optional<Names> &names) {
  if (!names) return std::nullopt;
  return names_json(*names);
}

Names names_from_json(std::string_view json) {
  const auto list = parse_json(json);
  if (!list || !list->IsArray()) throw storage_error("a stored list", "is no JSON list");
  Names out;
  for (const auto &item : list->GetArray()) {
    if (!item.IsString()) throw storage_error("a stored list", "has an item that is no text");
    out.emplace_back(text_of(item));
  }
  return out;
}

std::optional<Names> Columns::optional_names() {
  const auto json = optional_text();
  if (!json) return std::nullopt;
  return names_from_json(*json);
}

} // namespace trellis::auth
