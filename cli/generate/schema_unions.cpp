// anyOf, oneOf and allOf.
#include "contracts/canonical.h"
#include "generate/schema_types.h"
#include <algorithm>
#include <set>

namespace trellis::generate {
namespace {

using Kind = Type::Kind;

// Each is compared with each other one, and a variant of more helps nobody.
constexpr std::size_t kMaxAlternatives = 64;

std::string canonical(const JsonValue &value) {
  const auto text = canonical_json(value);
  return text ? *text : to_json(value);
}

bool only_has(const JsonValue &schema, std::initializer_list<std::string_view> keywords) {
  return std::all_of(schema.MemberBegin(), schema.MemberEnd(), [&](const auto &entry) {
    return std::find(keywords.begin(), keywords.end(), text_of(entry.name)) != keywords.end();
  });
}

// Nothing but named members: what allOf can join.
bool is_plain_object(const JsonValue &schema, bool known_object) {
  const auto *type = find_member(schema, "type");
  const auto *properties = find_member(schema, "properties");
  const auto *required = find_member(schema, "required");
  return schema.IsObject() && (type ? text_of(*type) == "object" : known_object) && properties &&
         properties->IsObject() && (!required || required->IsArray()) &&
         only_has(schema, {"type", "properties", "required", "title", "description", "$id", "$comment", "examples"});
}

// How JSON itself tells a value of this type: 'o'bject, 's'tring ...; ' ' when it doesn't.
char json_kind(const Type &type, const std::vector<NamedType> &types) {
  switch (type.kind) {
  case Kind::text: return 's';
  case Kind::boolean: return 'b';
  case Kind::integer:
  case Kind::number: return 'n';
  case Kind::list: return 'a';
  case Kind::map: return 'o';
  case Kind::json:
  case Kind::null: return ' ';
  case Kind::named: break;
  }
  const auto &shape = types[type.named].shape;
  if (std::holds_alternative<ObjectShape>(shape)) return 'o';
  return std::holds_alternative<EnumShape>(shape) ? 's' : ' ';
}

bool is_null_only(const JsonValue &schema) {
  const auto *type = find_member(schema, "type");
  const auto *constant = find_member(schema, "const");
  return (type && text_of(*type) == "null") || (constant && constant->IsNull());
}

// Texts that the branches allow together; nullopt when one isn't a list of texts.
std::optional<std::vector<std::string>> joint_texts(const std::vector<const JsonValue *> &branches) {
  std::vector<std::string> out;
  std::set<std::string_view> seen;
  const auto add = [&](const JsonValue &value) {
    if (seen.insert(text_of(value)).second) out.emplace_back(text_of(value));
    return value.IsString();
  };
  for (const auto *branch : branches) {
    const auto *type = find_member(*branch, "type");
    if (type && text_of(*type) != "string") return {};
    const auto *constant = find_member(*branch, "const");
    const auto *list = find_member(*branch, "enum");
    if (constant) {
      if (!add(*constant)) return {};
    } else if (list && list->IsArray() && !list->Empty()) {
      for (const auto &value : list->GetArray())
        if (!add(value)) return {};
    } else {
      return {};
    }
  }
  return out;
}

// Enums of texts beside free texts are texts; integers beside numbers are numbers.
std::optional<Type> common_type(const std::vector<Type> &types, const std::vector<NamedType> &named) {
  const auto all = [&](char kind) {
    return std::all_of(types.begin(), types.end(), [&](const Type &type) { return json_kind(type, named) == kind; });
  };
  if (std::all_of(types.begin(), types.end(), [&](const Type &type) { return type == types[0]; })) return types[0];
  if (all('s')) return Type{Kind::text, false, {}, 0};
  if (all('n')) return Type{Kind::number, false, {}, 0};
  return {};
}

// What a constant adds to the name of its alternative: "circle" of kind, "found false" of found. "" when it's none.
std::string naming_constant(const JsonValue &member, std::string_view name) {
  if (!member.IsObject()) return {};
  if (const auto texts = joint_texts({&member}); texts && texts->size() == 1) return texts->front();
  const auto *constant = find_member(member, "const");
  if (!constant || !constant->IsBool()) return {};
  return std::string(name) + (constant->GetBool() ? " true" : " false");
}

// A name for an alternative that is an object: its constants, else its number.
std::string alternative_name(const JsonValue &branch, std::size_t index) {
  std::vector<std::pair<std::string, std::string>> found;
  if (const auto *properties = find_member(branch, "properties"); properties && properties->IsObject())
    for (const auto &entry : properties->GetObject())
      if (auto part = naming_constant(entry.value, text_of(entry.name)); !part.empty())
        found.emplace_back(text_of(entry.name), std::move(part));
  std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) { return utf16_less(a.first, b.first); });
  std::string name;
  for (const auto &[member, part] : found)
    name += (name.empty() ? "" : " ") + part;
  return name.empty() ? "option " + std::to_string(index + 1) : name;
}

} // namespace

JsonDocument merged_objects(const std::vector<const JsonValue *> &schemas) {
  JsonDocument out(rapidjson::kObjectType);
  auto &memory = out.GetAllocator();
  JsonValue properties(rapidjson::kObjectType), required(rapidjson::kArrayType);
  for (const auto *schema : schemas) {
    const auto *members = find_member(*schema, "properties");
    for (const auto &entry : members->GetObject())
      if (!find_member(properties, text_of(entry.name)))
        properties.AddMember(JsonValue(entry.name, memory), JsonValue(entry.value, memory), memory);
    if (const auto *names = find_member(*schema, "required"))
      for (const auto &name : names->GetArray())
        required.PushBack(JsonValue(name, memory), memory);
  }
  out.AddMember("type", "object", memory);
  out.AddMember("properties", properties, memory);
  out.AddMember("required", required, memory);
  return out;
}

Type SchemaTypes::infer_all_of(const JsonValue &branches, const Path &path, bool objects) {
  if (branches.Size() == 1 && !objects) return infer(branches[0], path);
  std::vector<const JsonValue *> parts;
  for (const auto &branch : branches.GetArray()) {
    if (!is_plain_object(branch, objects)) return {objects ? Kind::map : Kind::json, false, {}, 0};
    for (const auto *part : parts) // a member that two branches describe in two ways
      for (const auto &entry : branch["properties"].GetObject())
        if (const auto *other = find_member((*part)["properties"], text_of(entry.name));
            other && canonical(*other) != canonical(entry.value))
          return {Kind::json, false, {}, 0};
    parts.push_back(&branch);
  }
  const auto merged = merged_objects(parts);
  return infer_object(merged, path);
}

// Whether no value is of both types.
bool SchemaTypes::differ(const Type &a, const Type &b) const {
  const char kind = json_kind(a, types_);
  if (kind != json_kind(b, types_)) return true;
  if (kind != 'o' || a.kind != Kind::named || b.kind != Kind::named) return false;
  const auto &first = std::get<ObjectShape>(types_[a.named].shape).members;
  const auto &second = std::get<ObjectShape>(types_[b.named].shape).members;
  for (const auto &member : first)
    for (const auto &other : second)
      if (member.name == other.name && member.constant && other.constant && *member.constant != *other.constant)
        return true;
  return false;
}

std::optional<UnionShape> SchemaTypes::alternatives(const std::vector<const JsonValue *> &branches, const Path &path,
                                                    bool objects) {
  UnionShape shape;
  if (branches.size() > kMaxAlternatives) return {};
  for (std::size_t i = 0; i < branches.size(); ++i) {
    auto way = path;
    way.push_back(alternative_name(*branches[i], i));
    const bool known = objects && !find_member(*branches[i], "type");
    const Type type = known ? infer_object(*branches[i], way) : infer(*branches[i], way);
    if (type.nullable || json_kind(type, types_) == ' ') return {};
    for (const auto &other : shape.alternatives)
      if (!differ(type, other)) return {};
    shape.alternatives.push_back(type);
  }
  return shape;
}

Type SchemaTypes::infer_union(const JsonValue &branches, const Path &path, bool objects) {
  std::vector<const JsonValue *> present;
  bool nullable = false;
  for (const auto &branch : branches.GetArray()) {
    if (branch.IsFalse()) continue;
    if (!branch.IsObject()) return {};
    if (is_null_only(branch))
      nullable = true;
    else
      present.push_back(&branch);
  }
  const auto or_null = [&](Type type) {
    type.nullable = type.nullable || (nullable && !objects && type.kind != Kind::json && type.kind != Kind::null);
    return type;
  };
  if (present.empty()) return {nullable ? Kind::null : Kind::json, false, {}, 0};
  if (const auto texts = joint_texts(present)) return or_null(text_enum(*texts, path));
  if (present.size() == 1 && !objects) return or_null(infer(*present[0], path));

  if (auto shape = alternatives(present, path, objects)) {
    std::string key = "union";
    for (const auto &type : shape->alternatives)
      key += " " + std::to_string(static_cast<int>(type.kind)) + ":" + std::to_string(type.named);
    key += canonical(branches);
    return or_null(named(key, path, {}, [&] { return *shape; }));
  }

  std::vector<Type> types;
  for (const auto *branch : present) {
    const auto *type = find_member(*branch, "type");
    const bool is_scalar = type && type->IsString() && text_of(*type) != "object" && text_of(*type) != "array";
    if (!is_scalar) return {objects ? Kind::map : Kind::json, false, {}, 0};
    types.push_back(infer(*branch, path));
    nullable = nullable || types.back().nullable;
    types.back().nullable = false;
  }
  if (const auto common = common_type(types, types_)) return or_null(*common);
  return {};
}

} // namespace trellis::generate
