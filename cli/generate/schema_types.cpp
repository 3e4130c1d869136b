#include "generate/schema_types.h"

#include "contracts/canonical.h"
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace trellis::generate {
namespace {

using Kind = Type::Kind;

// Deeper schemas are kept as JSON: a C++ type of that depth helps nobody.
constexpr std::size_t kMaxPath = 48;

Type of(Kind kind) {
  return Type{kind, false, {}, 0};
}

Type or_null(Type type) {
  if (type.kind != Kind::json && type.kind != Kind::null) type.nullable = true;
  return type;
}

const JsonValue *object_member(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  return found && found->IsObject() ? found : nullptr;
}
const JsonValue *filled_array(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  return found && found->IsArray() && !found->Empty() ? found : nullptr;
}
// An object or boolean: what counts as a schema; nullptr for absent and malformed ones.
const JsonValue *sub_schema(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  return found && (found->IsObject() || found->IsBool()) ? found : nullptr;
}
bool is_false(const JsonValue *schema) {
  return schema && schema->IsFalse();
}

bool is_type(const JsonValue &schema, std::string_view name) {
  const auto *type = find_member(schema, "type");
  return type && text_of(*type) == name;
}

std::string key_of(const JsonValue &schema) {
  const auto text = canonical_json(schema);
  return text ? *text : to_json(schema);
}

std::string doc_of(const JsonValue &schema) {
  return std::string(string_member(schema, "description", string_member(schema, "title")));
}

bool better(const std::vector<std::string> &a, const std::vector<std::string> &b) {
  const auto length = [](const auto &path) {
    std::size_t sum = 0;
    for (const auto &part : path)
      sum += part.size();
    return sum;
  };
  if (a.size() != b.size()) return a.size() < b.size();
  if (length(a) != length(b)) return length(a) < length(b);
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), Utf16Less());
}

std::vector<std::string> step(const std::vector<std::string> &path, std::string_view name) {
  auto out = path;
  out.emplace_back(name);
  return out;
}

// The texts of `values` in order, none twice; nullopt when one is no text.
std::optional<std::vector<std::string>> all_texts(const std::vector<const JsonValue *> &values) {
  std::vector<std::string> out;
  std::set<std::string_view> seen;
  for (const auto *value : values) {
    if (!value->IsString()) return {};
    if (seen.insert(text_of(*value)).second) out.emplace_back(text_of(*value));
  }
  return out;
}

// The texts that a schema of nothing but texts allows: const or enum.
std::optional<std::vector<std::string>> allowed_texts(const JsonValue &schema) {
  const auto *type = find_member(schema, "type");
  if (type && text_of(*type) != "string") return {};
  std::vector<const JsonValue *> values;
  if (const auto *constant = find_member(schema, "const")) {
    values.push_back(constant);
  } else if (const auto *list = filled_array(schema, "enum")) {
    for (const auto &value : list->GetArray())
      values.push_back(&value);
  } else {
    return {};
  }
  return all_texts(values);
}

// `required`, unless it is malformed.
std::vector<std::string> required_of(const JsonValue &schema) {
  const auto *list = filled_array(schema, "required");
  if (!list) return {};
  std::vector<const JsonValue *> values;
  for (const auto &value : list->GetArray())
    values.push_back(&value);
  return all_texts(values).value_or(std::vector<std::string>{});
}

// Keywords that make a difference to members that `properties` doesn't name: those members must be kept.
bool looks_at_other_members(const JsonValue &schema) {
  for (const std::string_view keyword :
       {"allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "propertyNames", "minProperties", "dependencies",
        "dependentRequired", "dependentSchemas", "unevaluatedProperties"})
    if (find_member(schema, keyword)) return true;
  return false;
}

// Whether a bound says that integers of more than 64 bits are meant.
bool is_beyond_64_bits(const JsonValue &schema) {
  for (const std::string_view bound : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
    if (const auto *value = find_member(schema, bound); value && value->IsNumber())
      if (std::abs(value->GetDouble()) > 9223372036854775808.0) return true;
  return false;
}

std::optional<Constant> constant_of(const JsonValue &value) {
  if (value.IsBool()) return Constant(value.GetBool());
  if (value.IsString()) return Constant(std::string(text_of(value)));
  if (!value.IsNumber()) return {};
  const double number = value.GetDouble();
  const bool whole = std::trunc(number) >= number && std::trunc(number) <= number;
  if (whole && std::abs(number) <= 9007199254740992.0) return Constant(static_cast<std::int64_t>(number));
  return Constant(number);
}

} // namespace

Type SchemaTypes::add(const std::string &name, const JsonValue &schema) {
  const Path path{name};
  const auto key = key_of(schema);
  if (const auto before = aliases_.find(key); before != aliases_.end()) {
    types_.push_back({path, doc_of(schema), AliasShape{before->second}});
    return Type{Kind::named, false, {}, types_.size() - 1};
  }
  Type type = infer(schema, path);
  const bool is_its_own = type.kind == Kind::named && types_[type.named].path == path && !type.nullable;
  if (type.kind == Kind::named && types_[type.named].path == path && type.nullable)
    types_[type.named].path = step(path, "value"); // the name is for the type with null
  if (is_its_own) {
    aliases_.emplace(key, type);
    return type;
  }
  types_.push_back({path, doc_of(schema), AliasShape{type}});
  return Type{Kind::named, false, {}, types_.size() - 1};
}

ObjectShape SchemaTypes::shape_of(const std::string &name, const JsonValue &schema,
                                  const std::vector<std::string_view> &without) {
  if (!is_type(schema, "object") || !object_member(schema, "properties")) return {{}, of(Kind::json)};
  auto shape = object_shape(schema, {name});
  std::erase_if(shape.members, [&](const Member &member) {
    return std::find(without.begin(), without.end(), member.name) != without.end();
  });
  return shape;
}

Type SchemaTypes::named(const std::string &key, const Path &path, const std::string &doc, const MakeShape &shape) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const auto index = found->second;
    if (types_[index].path.size() > 1 && better(path, types_[index].path)) {
      types_[index].path = path;
      shape(); // gives the types below their better names, too
    }
    return {Kind::named, false, {}, index};
  }
  auto made = shape();
  types_.push_back({path, doc, std::move(made)});
  by_key_.emplace(key, types_.size() - 1);
  return {Kind::named, false, {}, types_.size() - 1};
}

Type SchemaTypes::text_enum(std::vector<std::string> texts, const Path &path, const std::string &doc) {
  std::string key = "enum";
  for (const auto &text : texts)
    key += canonical_string(text);
  return named(key, path, doc, [&] { return EnumShape{texts}; });
}

Type SchemaTypes::infer(const JsonValue &schema, const Path &path) {
  if (!schema.IsObject() || path.size() > kMaxPath) return of(Kind::json);
  if (const auto *constant = find_member(schema, "const")) return infer_constant(*constant, path);
  if (const auto *values = filled_array(schema, "enum")) return infer_enum(*values, path);
  const auto *type = find_member(schema, "type");
  const bool is_object = is_type(schema, "object");
  const bool is_plain =
      !type || (is_object && !object_member(schema, "properties") && !find_member(schema, "patternProperties") &&
                !find_member(schema, "additionalProperties") && !find_member(schema, "required"));
  if (is_plain) {
    const auto *any = filled_array(schema, "anyOf");
    const auto *one = filled_array(schema, "oneOf");
    const auto *all = filled_array(schema, "allOf");
    if (any && !one && !all) return infer_union(*any, path, is_object);
    if (one && !any && !all) return infer_union(*one, path, is_object);
    if (all && !any && !one) return infer_all_of(*all, path, is_object);
  }
  if (type && type->IsString()) return infer_kind(schema, text_of(*type), path);
  if (type && type->IsArray()) return infer_kinds(schema, *type, path);
  return of(Kind::json); // without a type any kind of value passes
}

Type SchemaTypes::infer_constant(const JsonValue &constant, const Path &path) {
  if (constant.IsNull()) return of(Kind::null);
  if (constant.IsString()) return text_enum({std::string(text_of(constant))}, path);
  if (constant.IsBool()) return of(Kind::boolean);
  if (!constant.IsNumber()) return of(Kind::json);
  return of(std::holds_alternative<std::int64_t>(*constant_of(constant)) ? Kind::integer : Kind::number);
}

Type SchemaTypes::infer_enum(const JsonValue &values, const Path &path) {
  std::vector<const JsonValue *> present;
  for (const auto &value : values.GetArray())
    if (!value.IsNull()) present.push_back(&value);
  const auto nullable = [&](const Type &type) { return present.size() < values.Size() ? or_null(type) : type; };
  const auto all = [&](auto test) { return std::all_of(present.begin(), present.end(), test); };
  if (present.empty()) return of(Kind::null);
  if (const auto texts = all_texts(present)) return nullable(text_enum(*texts, path));
  if (all([](const auto *value) { return value->IsBool(); })) return nullable(of(Kind::boolean));
  if (!all([](const auto *value) { return value->IsNumber(); })) return of(Kind::json);
  const bool whole = all([](const auto *value) { return std::holds_alternative<std::int64_t>(*constant_of(*value)); });
  return nullable(of(whole ? Kind::integer : Kind::number));
}

Type SchemaTypes::infer_kind(const JsonValue &schema, std::string_view kind, const Path &path) {
  if (kind == "string") return of(Kind::text);
  if (kind == "integer") return of(is_beyond_64_bits(schema) ? Kind::number : Kind::integer);
  if (kind == "number") return of(Kind::number);
  if (kind == "boolean") return of(Kind::boolean);
  if (kind == "null") return of(Kind::null);
  if (kind == "array") return infer_array(schema, path);
  if (kind == "object") return infer_object(schema, path);
  return of(Kind::json);
}

// ["string", "null"], ["integer", "number"]; other mixtures stay JSON.
Type SchemaTypes::infer_kinds(const JsonValue &schema, const JsonValue &kinds, const Path &path) {
  std::vector<std::string_view> names;
  bool nullable = false;
  for (const auto &kind : kinds.GetArray()) {
    if (text_of(kind) == "null")
      nullable = true;
    else if (std::find(names.begin(), names.end(), text_of(kind)) == names.end())
      names.push_back(text_of(kind));
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) return of(nullable ? Kind::null : Kind::json);
  Type type = of(Kind::json);
  if (names.size() == 1) type = infer_kind(schema, names[0], path);
  if (names == std::vector<std::string_view>{"integer", "number"}) type = of(Kind::number);
  return nullable ? or_null(type) : type;
}

Type SchemaTypes::infer_array(const JsonValue &schema, const Path &path) {
  const auto *items = sub_schema(schema, "items");
  const bool is_uniform = items && !find_member(schema, "prefixItems");
  return {Kind::list, false, {is_uniform ? infer(*items, step(path, "item")) : of(Kind::json)}, 0};
}

Type SchemaTypes::infer_object(const JsonValue &schema, const Path &path) {
  const bool is_closed = is_false(sub_schema(schema, "additionalProperties"));
  const bool has_patterns = object_member(schema, "patternProperties");
  if (!object_member(schema, "properties") && !(is_closed && !has_patterns)) return infer_map(schema, path);
  return named(key_of(schema), path, doc_of(schema), [&] { return object_shape(schema, path); });
}

Type SchemaTypes::infer_map(const JsonValue &schema, const Path &path) {
  const auto *others = sub_schema(schema, "additionalProperties");
  const auto *patterns = object_member(schema, "patternProperties");
  const bool has_one = patterns && patterns->MemberCount() == 1;
  const auto way = step(path, "value");
  if (!patterns) return {Kind::map, false, {others ? infer(*others, way) : of(Kind::json)}, 0};
  if (!has_one) return {Kind::map, false, {of(Kind::json)}, 0};
  const auto pattern = text_of(patterns->MemberBegin()->name);
  const bool every = pattern == "^.*$" || pattern == "^(.*)$" || pattern == ".*" || pattern == "^.*" || pattern.empty();
  const bool decides = every || is_false(others);
  return {Kind::map, false, {decides ? infer(patterns->MemberBegin()->value, way) : of(Kind::json)}, 0};
}

std::optional<Type> SchemaTypes::rest_of(const JsonValue &schema, const Path &path) {
  const auto *others = sub_schema(schema, "additionalProperties");
  if (object_member(schema, "patternProperties")) return of(Kind::json);
  if (is_false(others)) return {};
  if (others && others->IsObject()) return infer(*others, step(path, "other"));
  if (others || looks_at_other_members(schema)) return of(Kind::json);
  return {};
}

ObjectShape SchemaTypes::object_shape(const JsonValue &schema, const Path &path) {
  ObjectShape shape;
  const auto *properties = object_member(schema, "properties");
  std::map<std::string, const JsonValue *, Utf16Less> declared; // and not required, when that is done
  if (properties)
    for (const auto &entry : properties->GetObject())
      declared.emplace(text_of(entry.name), &entry.value);
  for (const auto &name : required_of(schema)) {
    const auto found = declared.find(name);
    shape.members.push_back(member(name, found == declared.end() ? nullptr : found->second, true, path));
    if (found != declared.end()) declared.erase(found);
  }
  for (const auto &[name, value] : declared)
    shape.members.push_back(member(name, value, false, path));
  shape.rest = rest_of(schema, path);
  return shape;
}

// `schema` is nullptr for a member that is required and not described.
Member SchemaTypes::member(const std::string &name, const JsonValue *schema, bool required, const Path &path) {
  Member out{name, {}, of(Kind::json), required, {}};
  if (!schema || !schema->IsObject()) return out;
  out.doc = doc_of(*schema);
  const auto texts = allowed_texts(*schema);
  const auto *constant = find_member(*schema, "const");
  if (required && constant) out.constant = constant_of(*constant);
  if (required && texts && texts->size() == 1) out.constant = texts->front();
  if (out.constant)
    out.type = of(std::holds_alternative<std::string>(*out.constant) ? Kind::text
                  : std::holds_alternative<bool>(*out.constant)      ? Kind::boolean
                                                                     : Kind::number);
  else
    out.type = infer(*schema, step(path, name));
  return out;
}

} // namespace trellis::generate
