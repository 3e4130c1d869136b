#include "contracts/schema_program.h"

#include <array>
#include <charconv>

namespace trellis::schema {
namespace {

std::string number_text(std::optional<double> number) {
  std::array<char, 32> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number.value_or(0));
  return {buffer.data(), written.ptr};
}

std::string joined(const std::vector<std::string> &words, std::string_view between) {
  std::string out;
  for (const auto &word : words)
    out += (out.empty() ? "" : std::string(between)) + word;
  return out;
}

std::string type_text(std::uint8_t types) {
  static constexpr std::pair<Type, std::string_view> kNames[] = {
      {kNull, "null"},     {kBoolean, "boolean"}, {kObject, "object"}, {kArray, "array"},
      {kString, "string"}, {kInteger, "integer"}, {kNumber, "number"}};
  std::vector<std::string> names;
  for (const auto &[type, name] : kNames)
    if (types & type) names.emplace_back(name);
  return names.empty() ? "of no type" : joined(names, " or ");
}

std::string missing_names(const ObjectRules &rules, const JsonValue &value) {
  std::vector<std::string> names;
  for (const Slot slot : rules.required)
    if (!find_member(value, rules.names.name(slot))) names.emplace_back(rules.names.name(slot));
  return joined(names, ", ");
}

std::string object_text(const Finding &finding) {
  const ObjectRules &rules = *finding.node->object;
  switch (finding.keyword) {
  case Keyword::required: return "must have " + missing_names(rules, *finding.value);
  case Keyword::additional_properties: return "must not have properties that the schema refuses";
  case Keyword::property_names: return "must have only property names that the schema accepts";
  case Keyword::min_properties: return "must have at least " + number_text(rules.min_properties) + " properties";
  case Keyword::max_properties: return "must have at most " + number_text(rules.max_properties) + " properties";
  default: return "must have the properties that its other properties depend on";
  }
}

std::string array_text(const Finding &finding) {
  const ArrayRules &rules = *finding.node->array;
  switch (finding.keyword) {
  case Keyword::contains: return "must contain an item that the schema asks for";
  case Keyword::min_contains: return "must contain at least " + number_text(rules.min_contains) + " matching items";
  case Keyword::max_contains: return "must contain at most " + number_text(rules.max_contains) + " matching items";
  case Keyword::min_items: return "must have at least " + number_text(rules.min_items) + " items";
  case Keyword::max_items: return "must have at most " + number_text(rules.max_items) + " items";
  default: return "must not have equal items";
  }
}

std::string string_text(const Finding &finding) {
  const StringRules &rules = *finding.node->string;
  switch (finding.keyword) {
  case Keyword::min_length: return "must have at least " + number_text(rules.min_length) + " characters";
  case Keyword::max_length: return "must have at most " + number_text(rules.max_length) + " characters";
  case Keyword::format: return "must have the format " + std::string(format_name(*rules.format));
  default: return "must match the pattern";
  }
}

std::string number_rule_text(const Finding &finding) {
  const NumberRules &rules = *finding.node->number;
  switch (finding.keyword) {
  case Keyword::exclusive_minimum: return "must be more than " + number_text(rules.exclusive_minimum);
  case Keyword::exclusive_maximum: return "must be less than " + number_text(rules.exclusive_maximum);
  case Keyword::minimum: return "must be at least " + number_text(rules.minimum);
  case Keyword::maximum: return "must be at most " + number_text(rules.maximum);
  default: return "must be a multiple of " + number_text(rules.multiple_of);
  }
}

std::string text_of_finding(const Finding &finding) {
  const Keyword keyword = finding.keyword;
  if (keyword >= Keyword::required && keyword <= Keyword::max_properties) return object_text(finding);
  if (keyword >= Keyword::contains && keyword <= Keyword::unique_items) return array_text(finding);
  if (keyword >= Keyword::min_length && keyword <= Keyword::pattern) return string_text(finding);
  if (keyword >= Keyword::exclusive_minimum && keyword <= Keyword::multiple_of) return number_rule_text(finding);
  switch (keyword) {
  case Keyword::type: return "must be " + type_text(finding.node->types);
  case Keyword::constant: return "must be the one allowed value";
  case Keyword::enumeration: return "must be one of the allowed values";
  case Keyword::condition: return "must match the schema that its condition selects";
  case Keyword::negation: return "must not match the schema";
  case Keyword::any_of: return "must match at least one of the schemas";
  case Keyword::one_of: return "must match exactly one of the schemas";
  case Keyword::unevaluated_items: return "must not have items that no schema describes";
  case Keyword::unevaluated_properties: return "must not have properties that no schema describes";
  default: return "must not be there";
  }
}

} // namespace

void Findings::add(const Finding &finding) {
  if (!full()) list_.push_back(finding);
}

void Findings::add_all(const Findings &others) {
  for (const auto &finding : others.list_)
    add(finding);
}

std::string path_of(const Node &node) {
  std::vector<const Node *> nodes;
  for (const Node *at = &node; at; at = at->parent)
    nodes.push_back(at);
  std::string path;
  for (auto at = nodes.rbegin(); at != nodes.rend(); ++at)
    path += (*at)->step;
  return path;
}

SchemaIssue issue_of(const Finding &finding) {
  return {path_of(*finding.node), text_of_finding(finding), finding.value};
}

} // namespace trellis::schema
