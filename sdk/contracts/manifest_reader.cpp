#include "contracts/manifest_reader.h"

#include "contracts/canonical.h"
#include <algorithm>
#include <cmath>

namespace trellis {
namespace {

constexpr char kTextExpected[] = "a string of at least one character";
constexpr char kPointerExpected[] = "a JSON pointer that starts with \"/\"";
constexpr char kRefExpected[] = "a schema ref {\"schema\": \"<name>\"}";

bool is_text(const JsonValue *value) {
  return value && value->IsString() && value->GetStringLength() > 0;
}
bool is_pointer(const JsonValue *value) {
  return is_text(value) && value->GetString()[0] == '/';
}

bool is_version(std::string_view text) {
  return text.size() >= 2 && text[0] == 'v' && text.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

std::string alternatives(std::initializer_list<std::string_view> words) {
  std::string out;
  for (const auto word : words)
    out += (out.empty() ? "\"" : " or \"") + std::string(word) + "\"";
  return out;
}

} // namespace

std::string Place::pointer() const {
  return parent ? parent->pointer() + json_pointer(name) : std::string{};
}

void Structure::report(const Place &place, std::string message, std::string expected) {
  if (!error_) error_ = Error{"structure", place.pointer(), std::move(message), std::move(expected), {}};
}

ObjectReader::ObjectReader(const JsonValue &value, const Place &place, Structure &structure)
    : object_(value.IsObject() ? &value : nullptr), place_(place), structure_(structure) {
  if (!object_) report(place, what_is(&value), "an object");
}

void ObjectReader::report(const Place &place, std::string message, std::string expected) const {
  structure_.report(place, std::move(message), std::move(expected));
}

std::string ObjectReader::what_is(const JsonValue *value) {
  if (!value) return "is missing";
  switch (value->GetType()) {
  case rapidjson::kNullType: return "is null";
  case rapidjson::kFalseType:
  case rapidjson::kTrueType: return "is a boolean";
  case rapidjson::kObjectType: return "is an object";
  case rapidjson::kArrayType: return "is an array";
  case rapidjson::kNumberType: return "is the number " + ecmascript_number(value->GetDouble());
  case rapidjson::kStringType: break;
  }
  constexpr std::size_t kShown = 40;
  const auto text = canonical_string(text_of(*value));
  return "is " + (text.size() <= kShown ? text : "a string of " + std::to_string(value->GetStringLength()) + " bytes");
}

const JsonValue *ObjectReader::optional(std::string_view name) const {
  return object_ ? find_member(*object_, name) : nullptr;
}

bool ObjectReader::is_object(const JsonValue &value, const Place &place) const {
  if (!value.IsObject()) report(place, what_is(&value), "an object");
  return value.IsObject();
}

std::string ObjectReader::text(std::string_view name) const {
  const auto *value = optional(name);
  if (is_text(value)) return std::string(text_of(*value));
  report(place_.at(name), what_is(value), kTextExpected);
  return {};
}

std::optional<std::string> ObjectReader::optional_text(std::string_view name) const {
  if (!optional(name)) return std::nullopt;
  return text(name);
}

std::optional<std::string> ObjectReader::optional_any_text(std::string_view name) const {
  const auto *value = optional(name);
  if (!value) return std::nullopt;
  if (!value->IsString()) report(place_.at(name), what_is(value), "a string");
  return std::string(text_of(*value));
}

std::string ObjectReader::pointer(std::string_view name) const {
  const auto *value = optional(name);
  if (is_pointer(value)) return std::string(text_of(*value));
  report(place_.at(name), what_is(value), kPointerExpected);
  return {};
}

std::optional<std::string> ObjectReader::optional_pointer(std::string_view name) const {
  if (!optional(name)) return std::nullopt;
  return pointer(name);
}

std::string ObjectReader::version() const {
  const auto *value = optional("version");
  if (value && is_version(text_of(*value))) return std::string(text_of(*value));
  report(place_.at("version"), what_is(value), "\"v\" and decimal digits, as in \"v1\"");
  return {};
}

std::string ObjectReader::one_of(std::string_view name, std::initializer_list<std::string_view> words) const {
  const auto *value = optional(name);
  if (value && value->IsString() && std::find(words.begin(), words.end(), text_of(*value)) != words.end())
    return std::string(text_of(*value));
  report(place_.at(name), what_is(value), alternatives(words));
  return {};
}

std::optional<std::string> ObjectReader::optional_one_of(std::string_view name,
                                                         std::initializer_list<std::string_view> words) const {
  if (!optional(name)) return std::nullopt;
  return one_of(name, words);
}

std::string ObjectReader::schema_ref_of(const JsonValue &value, const Place &place) const {
  if (!value.IsObject()) {
    report(place, what_is(&value), kRefExpected);
    return {};
  }
  return ObjectReader(value, place, structure_).text("schema");
}

std::string ObjectReader::schema_ref(std::string_view name) const {
  const auto *value = optional(name);
  if (value) return schema_ref_of(*value, place_.at(name));
  report(place_.at(name), what_is(nullptr), kRefExpected);
  return {};
}

std::optional<std::string> ObjectReader::optional_schema_ref(std::string_view name) const {
  if (!optional(name)) return std::nullopt;
  return schema_ref(name);
}

std::optional<bool> ObjectReader::flag(std::string_view name) const {
  const auto *value = optional(name);
  if (!value) return std::nullopt;
  if (!value->IsBool()) report(place_.at(name), what_is(value), "true or false");
  return value->IsTrue();
}

bool ObjectReader::is_integer(const JsonValue &value, const Place &place, double minimum) const {
  const bool integer = value.IsNumber() && std::trunc(value.GetDouble()) == value.GetDouble();
  if (integer && value.GetDouble() >= minimum) return true;
  report(place, what_is(&value), "an integer of at least " + std::to_string(static_cast<int>(minimum)));
  return false;
}

std::optional<double> ObjectReader::integer(std::string_view name, double minimum) const {
  const auto *value = optional(name);
  if (!value || !is_integer(*value, place_.at(name), minimum)) return std::nullopt;
  return value->GetDouble();
}

std::optional<std::vector<double>> ObjectReader::integers(std::string_view name, double minimum) const {
  const auto *value = optional(name);
  if (!value) return std::nullopt;
  std::vector<double> numbers;
  each_item(*value, place_.at(name), [&](const JsonValue &item, const Place &place) {
    if (is_integer(item, place, minimum)) numbers.push_back(item.GetDouble());
  });
  return numbers;
}

NameList ObjectReader::names_of(const JsonValue &value, const Place &place) const {
  NameList names;
  each_item(value, place, [&](const JsonValue &item, const Place &item_place) {
    if (!is_text(&item)) report(item_place, what_is(&item), kTextExpected);
    names.emplace_back(text_of(item));
  });
  return names;
}

std::optional<NameList> ObjectReader::names(std::string_view name) const {
  const auto *value = optional(name);
  if (!value) return std::nullopt;
  return names_of(*value, place_.at(name));
}

std::optional<NameList> ObjectReader::pointers(std::string_view name) const {
  const auto *value = optional(name);
  if (!value) return std::nullopt;
  NameList pointers;
  each_item(*value, place_.at(name), [&](const JsonValue &item, const Place &place) {
    if (!is_pointer(&item)) report(place, what_is(&item), kPointerExpected);
    pointers.emplace_back(text_of(item));
  });
  return pointers;
}

void ObjectReader::only_members(std::initializer_list<std::string_view> names) const {
  if (!object_) return;
  for (const auto &member : object_->GetObject())
    if (std::find(names.begin(), names.end(), text_of(member.name)) == names.end())
      return report(place_.at(text_of(member.name)), "is not a member that can be here", alternatives(names));
}

std::optional<Docs> ObjectReader::docs() const {
  return object("docs", [](const ObjectReader &in) {
    Docs docs;
    docs.summary = in.optional_any_text("summary");
    const auto markdown = in.optional_any_text("markdown");
    if (!markdown) in.report(in.place_of("markdown"), what_is(nullptr), "a string");
    docs.markdown = markdown.value_or("");
    return docs;
  });
}

} // namespace trellis
