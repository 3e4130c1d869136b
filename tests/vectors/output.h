// A procedure's result, put together member by member.
#pragma once

#include "contracts/json.h"
#include <rapidjson/document.h>
#include <string_view>
#include <utility>

namespace trellis::vectors {

class Output {
public:
  Output() : document_(rapidjson::kObjectType) {}
  explicit Output(rapidjson::Type type) : document_(type) {}

  Output &text(std::string_view name, std::string_view value) { return add(name, of_text(value)); }
  Output &flag(std::string_view name, bool value) { return add(name, JsonValue(value)); }
  Output &number(std::string_view name, double value) { return add(name, JsonValue(value)); }
  Output &json(std::string_view name, const JsonValue &value) { return add(name, JsonValue(value, allocator())); }
  Output &json(std::string_view name, Output &&value) { return json(name, value.document_); }
  template <class Texts>
  Output &texts(std::string_view name, const Texts &values) {
    JsonValue list(rapidjson::kArrayType);
    for (const auto &value : values)
      list.PushBack(of_text(value), allocator());
    return add(name, std::move(list));
  }
  Output &push(Output &&item) {
    document_.PushBack(JsonValue(item.document_, allocator()), allocator());
    return *this;
  }

  JsonDocument take() { return std::move(document_); }

private:
  JsonDocument::AllocatorType &allocator() { return document_.GetAllocator(); }
  JsonValue of_text(std::string_view value) {
    return JsonValue(value.data(), static_cast<rapidjson::SizeType>(value.size()), allocator());
  }
  Output &add(std::string_view name, JsonValue value) {
    document_.AddMember(of_text(name), value, allocator());
    return *this;
  }

  JsonDocument document_;
};

} // namespace trellis::vectors
