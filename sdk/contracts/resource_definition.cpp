#include "contracts/resource_definition.h"

#include "contracts/resource_bindings.h"

namespace trellis {

ResourceDefinition::ResourceDefinition(const ResourceNeed &need)
    : where_(resource_label(resource_kind_name(need.kind), need.alias)), document_(rapidjson::kObjectType) {
  if (need.definition.empty()) return;
  auto parsed = parse_json(need.definition);
  if (parsed && parsed->IsObject())
    document_ = std::move(*parsed);
  else
    mistake_ = Error{"resource_definition", where_, "has a definition that is no JSON object", "", {}};
}

void ResourceDefinition::refuse(const char *member, std::string what, std::string expected) {
  if (!mistake_)
    mistake_ = Error{"resource_definition", where_ + "." + member, std::move(what), std::move(expected), {}};
}

std::optional<std::int64_t> ResourceDefinition::whole(const char *name, const JsonValue &value, std::int64_t most) {
  const double number = value.IsNumber() ? value.GetDouble() : -1;
  // Compared as doubles: a number beyond int64 can't be converted first.
  if (!(number >= 0) || (number < 9e18 && number != static_cast<double>(static_cast<std::int64_t>(number)))) {
    refuse(name, "is " + to_json(value), "a whole number that isn't negative");
    return std::nullopt;
  }
  if (number > static_cast<double>(most)) {
    refuse(name, "is " + to_json(value), "at most " + std::to_string(most));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number);
}

std::optional<std::int64_t> ResourceDefinition::number(const char *name, std::int64_t most) {
  const JsonValue *value = find(name);
  return value ? whole(name, *value, most) : std::nullopt;
}

std::int64_t ResourceDefinition::number_or(const char *name, std::int64_t otherwise, std::int64_t most) {
  return number(name, most).value_or(otherwise);
}

std::optional<std::vector<std::int64_t>> ResourceDefinition::durations(const char *name) {
  const JsonValue *value = find(name);
  if (!value) return std::nullopt;
  std::vector<std::int64_t> out;
  if (!value->IsArray()) {
    refuse(name, "is " + to_json(*value), "a list of milliseconds");
    return out;
  }
  for (const JsonValue &item : value->GetArray())
    out.push_back(whole(name, item, kMostMs).value_or(0));
  return out;
}

bool ResourceDefinition::flag_or(const char *name, bool otherwise) {
  const JsonValue *value = find(name);
  if (!value) return otherwise;
  if (!value->IsBool()) refuse(name, "is " + to_json(*value), "true or false");
  return value->IsTrue();
}

std::string ResourceDefinition::text_or(const char *name, std::string_view otherwise) {
  const JsonValue *value = find(name);
  if (!value) return std::string(otherwise);
  if (!value->IsString()) refuse(name, "is " + to_json(*value), "a text");
  return std::string(text_of(*value));
}

std::string ResourceDefinition::required_text(const char *name) {
  std::string text = text_or(name, "");
  if (text.empty()) refuse(name, "is missing", "a text");
  return text;
}

std::vector<std::string> ResourceDefinition::texts(const char *name) {
  std::vector<std::string> out;
  const JsonValue *value = find(name);
  bool sound = value && value->IsArray() && !value->Empty();
  if (sound)
    for (const JsonValue &item : value->GetArray()) {
      sound = sound && item.IsString();
      out.emplace_back(text_of(item));
    }
  if (!sound) refuse(name, value ? "is " + to_json(*value) : "is missing", "a list of texts that isn't empty");
  return out;
}

std::string ResourceDefinition::ref(const char *name, bool required) {
  const JsonValue *value = find(name);
  if (!value && !required) return {};
  if (!value || string_member(*value, "schema").empty()) {
    refuse(name, value ? "is " + to_json(*value) : "is missing", "the reference of a schema");
    return {};
  }
  return to_json(*value);
}

} // namespace trellis
