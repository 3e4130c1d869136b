#include "contracts/schema_merge.h"

#include "contracts/canonical.h"
#include "contracts/compatibility.h"
#include "contracts/json_copy.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <rapidjson/document.h>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trellis {
namespace {

using Allocator = JsonDocument::AllocatorType;

bool same_text(const JsonValue &left, const JsonValue &right) {
  const auto a = canonical_json(left), b = canonical_json(right);
  return a && b && *a == *b;
}

// A schema of the one form that can grow: rule 2, with well-formed members (rules 3 to 5).
struct ObjectSchema {
  const JsonValue *additional = nullptr, *required = nullptr, *properties = nullptr; // nullptr = absent
  std::vector<std::string_view> required_names;                                      // sorted, distinct

  bool closed() const { return additional && additional->IsFalse(); }
  bool requires_property(std::string_view name) const {
    return std::binary_search(required_names.begin(), required_names.end(), name);
  }
};

bool read_required(ObjectSchema &schema) {
  if (!schema.required) return true;
  if (!schema.required->IsArray()) return false;
  for (const auto &name : schema.required->GetArray()) {
    if (!name.IsString()) return false;
    schema.required_names.push_back(text_of(name));
  }
  std::sort(schema.required_names.begin(), schema.required_names.end());
  return std::adjacent_find(schema.required_names.begin(), schema.required_names.end()) == schema.required_names.end();
}

std::optional<ObjectSchema> object_schema(const JsonValue &value) {
  if (!value.IsObject()) return std::nullopt;
  ObjectSchema schema;
  bool is_object = false;
  for (const auto &member : value.GetObject()) {
    const auto name = text_of(member.name);
    if (name == "type")
      is_object = text_of(member.value) == "object";
    else if (name == "additionalProperties")
      schema.additional = &member.value;
    else if (name == "required")
      schema.required = &member.value;
    else if (name == "properties")
      schema.properties = &member.value;
    else
      return std::nullopt;
  }
  if (!is_object || (schema.additional && !schema.additional->IsBool()) ||
      (schema.properties && !schema.properties->IsObject()) || !read_required(schema))
    return std::nullopt;
  return schema;
}

struct Merge {
  enum class Kind { incompatible, equal, merged } kind = Kind::incompatible;
  JsonValue value = {}; // of `merged`
};

Merge merge_values(const JsonValue &left, const JsonValue &right, Allocator &allocator);

// Rules 6 and 7: the combined properties, and whether they are those of both sides unchanged.
class PropertyMerge {
public:
  PropertyMerge(const ObjectSchema &left, const ObjectSchema &right, Allocator &allocator)
      : left_(left), right_(right), allocator_(allocator), value_(rapidjson::kObjectType) {}

  bool run() {
    if (right_.properties)
      for (const auto &member : right_.properties->GetObject())
        unmatched_.emplace(text_of(member.name), &member.value);
    if (left_.properties)
      for (const auto &member : left_.properties->GetObject())
        if (!add_left(text_of(member.name), member.value)) return false;
    if (right_.properties)
      for (const auto &member : right_.properties->GetObject()) // in its order
        if (unmatched_.contains(text_of(member.name)) && !add_one_sided(text_of(member.name), member.value))
          return false;
    return true;
  }

  bool unchanged() const { return unchanged_; }
  JsonValue take() { return std::move(value_); }

private:
  bool add_left(std::string_view name, const JsonValue &property) {
    const auto other = unmatched_.find(name);
    if (other == unmatched_.end()) return add_one_sided(name, property);
    Merge merge = merge_values(property, *other->second, allocator_);
    unmatched_.erase(other);
    if (merge.kind == Merge::Kind::incompatible) return false;
    unchanged_ &= merge.kind == Merge::Kind::equal;
    add(name, merge.kind == Merge::Kind::equal ? deep_copy(property, allocator_) : std::move(merge.value));
    return true;
  }

  bool add_one_sided(std::string_view name, const JsonValue &property) {
    unchanged_ = false;
    if (left_.closed() || right_.closed() || left_.requires_property(name)) return false;
    add(name, deep_copy(property, allocator_));
    return true;
  }

  void add(std::string_view name, JsonValue property) {
    JsonValue key(name.data(), static_cast<rapidjson::SizeType>(name.size()), allocator_);
    value_.AddMember(key, property, allocator_);
  }

  const ObjectSchema &left_, &right_;
  Allocator &allocator_;
  std::unordered_map<std::string_view, const JsonValue *> unmatched_; // properties of the right side
  JsonValue value_;
  bool unchanged_ = true;
};

bool both_absent_or_same(const JsonValue *left, const JsonValue *right) {
  if (!left || !right) return left == right;
  return same_text(*left, *right);
}

// Rule 8.
JsonValue with_properties(const JsonValue &left, JsonValue properties, Allocator &allocator) {
  JsonValue out(rapidjson::kObjectType);
  for (const auto &member : left.GetObject())
    if (text_of(member.name) != "properties")
      out.AddMember(deep_copy(member.name, allocator), deep_copy(member.value, allocator), allocator);
  out.AddMember("properties", properties, allocator);
  return out;
}

Merge merge_values(const JsonValue &left, const JsonValue &right, Allocator &allocator) {
  const auto l = object_schema(left), r = object_schema(right);
  if (!l || !r) return {same_text(left, right) ? Merge::Kind::equal : Merge::Kind::incompatible};
  if (l->required_names != r->required_names) return {};
  PropertyMerge properties(*l, *r, allocator);
  if (!properties.run()) return {};
  const bool equal = properties.unchanged() && !l->properties == !r->properties &&
                     both_absent_or_same(l->required, r->required) && both_absent_or_same(l->additional, r->additional);
  if (equal) return {Merge::Kind::equal};
  return {Merge::Kind::merged, with_properties(left, properties.take(), allocator)};
}

} // namespace

struct SchemaMerger::Pool {
  Allocator allocator;
  std::deque<JsonValue> merged;
};

SchemaMerger::SchemaMerger() : pool_(std::make_unique<Pool>()) {}
SchemaMerger::~SchemaMerger() = default;

const JsonValue *SchemaMerger::merge(const JsonValue &left, const JsonValue &right) {
  const auto [slot, fresh] = done_.try_emplace({&left, &right});
  if (!fresh) return slot->second;
  Merge merge = merge_values(left, right, pool_->allocator);
  if (merge.kind == Merge::Kind::equal) slot->second = &left;
  if (merge.kind == Merge::Kind::merged) slot->second = &pool_->merged.emplace_back(std::move(merge.value));
  return slot->second;
}

Result<JsonDocument> merge_schemas(const JsonValue &left, const JsonValue &right) {
  SchemaMerger merger;
  const auto *merged = merger.merge(left, right);
  if (!merged)
    return fail("incompatible", {}, "the schemas can't be merged",
                "equal schemas, or plain object schemas that differ in optional properties only");
  JsonDocument document;
  static_cast<JsonValue &>(document) = deep_copy(*merged, document.GetAllocator());
  return document;
}

} // namespace trellis
