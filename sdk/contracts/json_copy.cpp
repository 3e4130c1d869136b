#include "contracts/json_copy.h"

namespace trellis {

JsonValue deep_copy(const JsonValue &value, JsonDocument::AllocatorType &allocator) {
  const auto text = [&](const JsonValue &from) {
    return JsonValue(from.GetString(), from.GetStringLength(), allocator);
  };
  if (value.IsString()) return text(value);
  if (value.IsArray()) {
    JsonValue copy(rapidjson::kArrayType);
    copy.Reserve(value.Size(), allocator);
    for (const auto &item : value.GetArray())
      copy.PushBack(deep_copy(item, allocator), allocator);
    return copy;
  }
  if (value.IsObject()) {
    JsonValue copy(rapidjson::kObjectType);
    for (const auto &member : value.GetObject())
      copy.AddMember(text(member.name), deep_copy(member.value, allocator), allocator);
    return copy;
  }
  return JsonValue(value, allocator);
}

} // namespace trellis
