#include "wire/record_reader.h"

#include "wire/ulid.h"
#include <cmath>

namespace trellis {
namespace {

constexpr double kLastExact = 9007199254740992.0; // 2^53: beyond it a double names more than one integer

std::string kind_of(const JsonValue *value) {
  if (!value) return "is missing";
  switch (value->GetType()) {
  case rapidjson::kNullType: return "is null";
  case rapidjson::kFalseType:
  case rapidjson::kTrueType: return "is true or false";
  case rapidjson::kObjectType: return "is an object";
  case rapidjson::kArrayType: return "is an array";
  case rapidjson::kStringType: return "is a text that doesn't fit";
  case rapidjson::kNumberType: return "is a number that doesn't fit";
  }
  return "is not as it should be";
}

// 1.0 is an integer, as JSON Schema has it (06 §1.2).
std::optional<std::int64_t> integer_of(const JsonValue &value) {
  if (value.IsInt64()) return value.GetInt64();
  if (!value.IsDouble()) return std::nullopt;
  const double number = value.GetDouble();
  if (!(std::fabs(number) <= kLastExact) || std::trunc(number) != number) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

bool is_time(std::string_view text) {
  std::int64_t ms = 0;
  return parse_iso_time(text, ms);
}

} // namespace

RecordReader::RecordReader(const JsonValue &root, Nulls nulls)
    : RecordReader(&root, {}, nulls, std::make_shared<std::optional<Error>>()) {}

RecordReader::RecordReader(const JsonValue *value, std::string pointer, Nulls nulls, SharedError error)
    : value_(value), pointer_(std::move(pointer)), nulls_(nulls), error_(std::move(error)) {
  if (value_ && value_->IsObject()) return;
  if (value_) report_at(pointer_, "an object");
  value_ = nullptr;
}

bool RecordReader::is_text(std::string_view name) const {
  const auto *value = optional(name);
  return value && value->IsString();
}

std::string RecordReader::text(std::string_view name) const {
  const auto *value = required(name, "a string");
  if (value && !value->IsString()) report(name, "a string");
  return value ? std::string(text_of(*value)) : std::string();
}

std::string RecordReader::non_empty(std::string_view name) const {
  const auto *value = required(name, "a non-empty string");
  if (value && text_of(*value).empty()) report(name, "a non-empty string");
  return value ? std::string(text_of(*value)) : std::string();
}

std::string RecordReader::time(std::string_view name) const {
  const auto *value = required(name, "an RFC 3339 time");
  if (value && !is_time(text_of(*value))) report(name, "an RFC 3339 time");
  return value ? std::string(text_of(*value)) : std::string();
}

std::int64_t RecordReader::integer(std::string_view name, std::int64_t minimum) const {
  const std::string expected = "an integer of at least " + std::to_string(minimum);
  const auto *value = required(name, expected);
  if (!value) return 0;
  const auto number = integer_of(*value);
  if (!number || *number < minimum) report(name, expected);
  return number.value_or(0);
}

double RecordReader::number(std::string_view name) const {
  const auto *value = required(name, "a number");
  if (!value) return 0;
  const bool fits = value->IsNumber() && std::isfinite(value->GetDouble());
  if (!fits) report(name, "a number");
  return fits ? value->GetDouble() : 0;
}

bool RecordReader::flag(std::string_view name) const {
  const auto *value = required(name, "true or false");
  if (value && !value->IsBool()) report(name, "true or false");
  return value && value->IsTrue();
}

std::string RecordReader::json(std::string_view name) const {
  const auto text = optional_json(name);
  if (!text) report(name, "a value");
  return text.value_or("null");
}

std::string RecordReader::json_object(std::string_view name) const {
  const auto *value = required(name, "an object");
  if (value && !value->IsObject()) report(name, "an object");
  return value && value->IsObject() ? to_json(*value) : "{}";
}

std::vector<std::string> RecordReader::texts(std::string_view name) const {
  std::vector<std::string> out;
  const auto *value = required(name, "an array of strings");
  if (!value) return out;
  if (!value->IsArray()) {
    report(name, "an array of strings");
    return out;
  }
  for (rapidjson::SizeType i = 0; i < value->Size(); ++i) {
    if (!(*value)[i].IsString()) report_at(pointer_ + json_pointer(name, std::to_string(i)), "a string");
    out.emplace_back(text_of((*value)[i]));
  }
  return out;
}

std::vector<std::int64_t> RecordReader::integers(std::string_view name) const {
  std::vector<std::int64_t> out;
  const auto *value = required(name, "an array of integers");
  if (!value) return out;
  if (!value->IsArray()) {
    report(name, "an array of integers");
    return out;
  }
  for (rapidjson::SizeType i = 0; i < value->Size(); ++i) {
    const auto number = integer_of((*value)[i]);
    if (!number || *number < 0) report_at(pointer_ + json_pointer(name, std::to_string(i)), "an integer of at least 0");
    out.push_back(number.value_or(0));
  }
  return out;
}

TextMap RecordReader::text_map(std::string_view name) const {
  TextMap out;
  const auto *value = required(name, "an object of strings");
  if (!value) return out;
  if (!value->IsObject()) {
    report(name, "an object of strings");
    return out;
  }
  for (const auto &member : value->GetObject()) {
    if (!member.value.IsString()) report_at(pointer_ + json_pointer(name, text_of(member.name)), "a string");
    out.emplace(text_of(member.name), text_of(member.value));
  }
  return out;
}

void RecordReader::literal(std::string_view name, std::string_view value) const {
  const auto *found = required(name, value);
  if (found && text_of(*found) != value) report(name, value);
}

std::optional<std::string> RecordReader::optional_text(std::string_view name) const {
  return has(name) ? std::optional(text(name)) : std::nullopt;
}
std::optional<std::string> RecordReader::optional_non_empty(std::string_view name) const {
  return has(name) ? std::optional(non_empty(name)) : std::nullopt;
}
std::optional<std::string> RecordReader::optional_time(std::string_view name) const {
  return has(name) ? std::optional(time(name)) : std::nullopt;
}
std::optional<std::int64_t> RecordReader::optional_integer(std::string_view name, std::int64_t minimum) const {
  return has(name) ? std::optional(integer(name, minimum)) : std::nullopt;
}
std::optional<bool> RecordReader::optional_flag(std::string_view name) const {
  return has(name) ? std::optional(flag(name)) : std::nullopt;
}
std::optional<std::string> RecordReader::optional_json(std::string_view name) const {
  const auto *value = value_ ? find_member(*value_, name) : nullptr;
  return value ? std::optional(to_json(*value)) : std::nullopt;
}
std::optional<std::string> RecordReader::optional_json_object(std::string_view name) const {
  return has(name) ? std::optional(json_object(name)) : std::nullopt;
}
std::optional<TextMap> RecordReader::optional_text_map(std::string_view name) const {
  return has(name) ? std::optional(text_map(name)) : std::nullopt;
}

RecordReader RecordReader::object(std::string_view name) const {
  return {required(name, "an object"), pointer_ + json_pointer(name), nulls_, error_};
}

std::vector<RecordReader> RecordReader::items_of(std::string_view name) const {
  std::vector<RecordReader> items;
  const auto *value = required(name, "an array");
  if (value && !value->IsArray()) report(name, "an array");
  if (!value || !value->IsArray()) return items;
  items.reserve(value->Size());
  for (rapidjson::SizeType i = 0; i < value->Size(); ++i)
    items.push_back({&(*value)[i], pointer_ + json_pointer(name, std::to_string(i)), nulls_, error_});
  return items;
}

std::vector<std::pair<std::string, RecordReader>> RecordReader::members_of(std::string_view name) const {
  std::vector<std::pair<std::string, RecordReader>> items;
  const auto *value = required(name, "an object");
  if (value && !value->IsObject()) report(name, "an object");
  if (!value || !value->IsObject()) return items;
  for (const auto &member : value->GetObject()) {
    const std::string key(text_of(member.name));
    items.emplace_back(key, RecordReader(&member.value, pointer_ + json_pointer(name, key), nulls_, error_));
  }
  return items;
}

void RecordReader::report(std::string_view name, std::string_view expected) const {
  if (!ok()) return;
  const auto *value = value_ ? find_member(*value_, name) : nullptr;
  *error_ = Error{"invalid_record", pointer_ + json_pointer(name), kind_of(value), std::string(expected), {}};
}

void RecordReader::report_at(std::string pointer, std::string_view expected) const {
  if (ok()) *error_ = Error{"invalid_record", std::move(pointer), "is something else", std::string(expected), {}};
}

const JsonValue *RecordReader::optional(std::string_view name) const {
  const auto *value = value_ ? find_member(*value_, name) : nullptr;
  return value && value->IsNull() && nulls_ == Nulls::are_absent ? nullptr : value;
}

const JsonValue *RecordReader::required(std::string_view name, std::string_view expected) const {
  const auto *value = optional(name);
  if (!value) report(name, expected);
  return value;
}

} // namespace trellis
