#include "config_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// What ECMAScript trims, as far as a configuration file may hold it.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n\v\f";
  const auto from = text.find_first_not_of(space);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(space) - from + 1);
}

std::optional<double> digits_of_base(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || end.ec != std::errc() || end.ptr != digits.data() + digits.size()) return std::nullopt;
  return static_cast<double>(value);
}

// A text as ECMAScript's Number() reads it, but finite.
std::optional<double> number_of_text(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return 0;
  if (text.starts_with("0x") || text.starts_with("0X")) return digits_of_base(text.substr(2), 16);
  if (text.starts_with("0o") || text.starts_with("0O")) return digits_of_base(text.substr(2), 8);
  if (text.starts_with("0b") || text.starts_with("0B")) return digits_of_base(text.substr(2), 2);
  auto digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const auto first = digits.starts_with('-') ? digits.substr(1) : digits;
  if (first.empty() || !(first[0] == '.' || (first[0] >= '0' && first[0] <= '9'))) return std::nullopt;
  if (text.starts_with('+') && digits.starts_with('-')) return std::nullopt;
  double value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end.ec != std::errc() || end.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> number_of(const JsonValue &value) {
  if (value.IsNull()) return 0;
  if (value.IsString()) return number_of_text(text_of(value));
  if (!value.IsNumber() || !std::isfinite(value.GetDouble())) return std::nullopt;
  return value.GetDouble();
}

} // namespace

ConfigReader::ConfigReader(const JsonValue &root, std::filesystem::path directory, const ReadSecret &read_secret)
    : object_(root.IsObject() ? &root : nullptr), directory_(std::move(directory)), read_secret_(&read_secret),
      problem_(std::make_shared<std::optional<Error>>()) {
  if (!object_) complain("", "not an object", "an object");
}

ConfigReader::ConfigReader(const ConfigReader &parent, const JsonValue *object, std::string key)
    : object_(object), key_(std::move(key)), directory_(parent.directory_), read_secret_(parent.read_secret_),
      problem_(parent.problem_) {}

std::string ConfigReader::key_of(std::string_view name) const {
  if (key_.empty()) return std::string(name);
  return name.empty() ? key_ : key_ + "." + std::string(name);
}

void ConfigReader::complain(std::string_view name, std::string message, std::string expected) const {
  if (*problem_) return;
  *problem_ = Error{"invalid_config", key_of(name), std::move(message), std::move(expected), {}};
}

const JsonValue *ConfigReader::find(std::string_view name) const {
  return object_ && !*problem_ ? find_member(*object_, name) : nullptr;
}

const JsonValue *ConfigReader::require(std::string_view name, std::string_view expected) const {
  const auto *value = find(name);
  if (!value) complain(name, "missing", std::string(expected));
  return value;
}

bool ConfigReader::has(std::string_view name) const {
  return find(name) != nullptr;
}

ConfigReader ConfigReader::object(std::string_view name, bool required) const {
  const auto *value = required ? require(name, "an object") : find(name);
  if (value && !value->IsObject()) {
    complain(name, "not an object", "an object");
    value = nullptr;
  }
  return {*this, value, key_of(name)};
}

std::vector<std::pair<std::string, ConfigReader>> ConfigReader::objects() const {
  std::vector<std::pair<std::string, ConfigReader>> out;
  if (!object_) return out;
  for (const auto &member : object_->GetObject()) {
    const std::string name(text_of(member.name));
    out.emplace_back(name, object(name, true));
  }
  return out;
}

void ConfigReader::only(std::initializer_list<std::string_view> names) const {
  if (!object_) return;
  for (const auto &member : object_->GetObject())
    if (std::find(names.begin(), names.end(), text_of(member.name)) == names.end())
      complain(text_of(member.name), "unknown", "one of the documented members");
}

std::optional<std::string> ConfigReader::optional_text(std::string_view name) const {
  const auto *value = find(name);
  if (!value) return std::nullopt;
  if (!value->IsString()) complain(name, "not a string", "a string");
  return std::string(text_of(*value));
}

std::string ConfigReader::text(std::string_view name, std::string_view otherwise) const {
  return optional_text(name).value_or(std::string(otherwise));
}

std::string ConfigReader::text(std::string_view name) const {
  return require(name, "a string") ? text(name, "") : std::string();
}

bool ConfigReader::flag(std::string_view name, bool otherwise) const {
  const auto *value = find(name);
  if (!value) return otherwise;
  if (value->IsBool()) return value->GetBool();
  complain(name, "neither true nor false", "true or false");
  return otherwise;
}

double ConfigReader::number(std::string_view name, double otherwise) const {
  const auto *value = find(name);
  if (!value) return otherwise;
  if (const auto number = number_of(*value)) return *number;
  complain(name, "not a number", "a number, or a string that holds one");
  return otherwise;
}

std::optional<std::int64_t> ConfigReader::integer(std::string_view name, std::int64_t minimum,
                                                  std::int64_t maximum) const {
  if (!has(name)) return std::nullopt;
  const double value = number(name, 0);
  if (value == std::floor(value) && value >= static_cast<double>(minimum) && value <= static_cast<double>(maximum))
    return static_cast<std::int64_t>(value);
  const bool bounded = maximum != kMostInteger;
  complain(name, "out of range",
           bounded ? "an integer from " + std::to_string(minimum) + " to " + std::to_string(maximum)
                   : "an integer, at least " + std::to_string(minimum));
  return std::nullopt;
}

std::optional<std::vector<std::string>> ConfigReader::texts(std::string_view name) const {
  const auto *value = find(name);
  if (!value) return std::nullopt;
  std::vector<std::string> out;
  if (!value->IsArray()) complain(name, "not a list", "a list of strings");
  for (rapidjson::SizeType i = 0; value->IsArray() && i < value->Size(); ++i) {
    const auto &item = (*value)[i];
    if (!item.IsString()) complain(std::string(name) + "[" + std::to_string(i) + "]", "not a string", "a string");
    out.emplace_back(text_of(item));
  }
  return out;
}

std::filesystem::path ConfigReader::path(std::string_view name, std::string_view otherwise) const {
  return (directory_ / text(name, otherwise)).lexically_normal();
}

std::filesystem::path ConfigReader::path(std::string_view name) const {
  return require(name, "a path") ? path(name, "") : std::filesystem::path();
}

SecretText ConfigReader::secret(std::string_view name, std::string_view file_name) const {
  if (has(name) && has(file_name))
    complain(name, "given twice", "either " + std::string(name) + " or " + std::string(file_name));
  if (!has(name) && !has(file_name)) complain(name, "missing", std::string(name) + " or " + std::string(file_name));
  if (*problem_) return {};
  SecretText out;
  if (has(name)) {
    out = SecretText(std::string(trimmed(text(name))));
  } else {
    const auto content = (*read_secret_)(path(file_name));
    if (!content) {
      complain(file_name, content.error().message, content.error().expected);
      if (*problem_) (*problem_)->code = content.error().code;
      return {};
    }
    out = SecretText(std::string(trimmed(content->reveal())));
  }
  if (out.empty()) complain(has(name) ? name : file_name, "empty", "a secret");
  return out;
}

} // namespace trellis::auth
