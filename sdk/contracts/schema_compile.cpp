#include "contracts/json_copy.h"
#include "contracts/schema_program.h"

#include <algorithm>
#include <cmath>

namespace trellis::schema {
namespace {

bool is_schema(const JsonValue &value) {
  return value.IsObject() || value.IsBool();
}

bool is_schema_list(const JsonValue &value) {
  return value.IsArray() && std::all_of(value.Begin(), value.End(), is_schema);
}

bool is_text_list(const JsonValue &value) {
  return value.IsArray() && std::all_of(value.Begin(), value.End(), [](const auto &item) { return item.IsString(); });
}

template <class Predicate>
bool is_map_of(const JsonValue &value, Predicate predicate) {
  return value.IsObject() && std::all_of(value.MemberBegin(), value.MemberEnd(),
                                         [&](const auto &member) { return predicate(member.value); });
}

// The members that are well formed; each other one is as good as absent (01 §4.2).
const JsonValue *schema_member(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  return found && is_schema(*found) ? found : nullptr;
}

const JsonValue *schema_list_member(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  return found && is_schema_list(*found) ? found : nullptr;
}

const JsonValue *schema_map_member(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  return found && is_map_of(*found, is_schema) ? found : nullptr;
}

std::optional<double> number_member(const JsonValue &schema, std::string_view name) {
  const auto *found = find_member(schema, name);
  if (!found || !found->IsNumber() || !std::isfinite(found->GetDouble())) return std::nullopt;
  return found->GetDouble();
}

std::uint8_t type_named(std::string_view name) {
  if (name == "null") return kNull;
  if (name == "boolean") return kBoolean;
  if (name == "object") return kObject;
  if (name == "array") return kArray;
  if (name == "string") return kString;
  if (name == "integer") return kInteger;
  if (name == "number") return kNumber;
  return kAnyType; // an unknown name is always true (01 §4.2)
}

std::uint8_t types_of(const JsonValue &schema) {
  const auto *type = find_member(schema, "type");
  if (type && type->IsString()) return type_named(text_of(*type));
  if (!type || !is_text_list(*type)) return kAnyType;
  std::uint8_t types = 0;
  for (const auto &name : type->GetArray())
    types |= type_named(text_of(name));
  return types;
}

bool asks_nothing(const NumberRules &rules) {
  return !rules.exclusive_minimum && !rules.exclusive_maximum && !rules.minimum && !rules.maximum && !rules.multiple_of;
}

// Builds the nodes of one program. The first error stays, and what is built after it is thrown away.
class Compiler {
public:
  explicit Compiler(std::deque<Node> &nodes) : nodes_(nodes) {}

  const Node *compile(const JsonValue &schema, const Node *parent, std::string step) {
    Node &node = nodes_.emplace_back();
    node.parent = parent;
    node.step = std::move(step);
    if (schema.IsObject())
      compile_object(node, schema);
    else
      node.kind = schema.GetBool() ? Node::Kind::everything : Node::Kind::nothing;
    return &node;
  }

  std::optional<Error> error;

private:
  void compile_object(Node &node, const JsonValue &schema) {
    node.types = types_of(schema);
    node.object = object_rules(node, schema);
    node.array = array_rules(node, schema);
    node.string = string_rules(node, schema);
    node.number = number_rules(schema);
    node.common = common_rules(node, schema);
    node.unevaluated_items = member(node, schema, "unevaluatedItems");
    node.unevaluated_properties = member(node, schema, "unevaluatedProperties");
    const bool checks = node.types != kAnyType || node.object || node.array || node.string || node.number ||
                        node.common || node.unevaluated_items || node.unevaluated_properties;
    node.kind = checks ? Node::Kind::rules : Node::Kind::everything;
  }

  // The subschema under a keyword, or nullptr.
  const Node *member(const Node &node, const JsonValue &schema, std::string_view keyword) {
    const auto *found = schema_member(schema, keyword);
    return found ? compile(*found, &node, "/" + std::string(keyword)) : nullptr;
  }

  std::vector<const Node *> list(const Node &node, const JsonValue &schemas, std::string_view keyword) {
    std::vector<const Node *> out;
    for (const auto &schema : schemas.GetArray())
      out.push_back(compile(schema, &node, json_pointer(keyword, std::to_string(out.size()))));
    return out;
  }

  std::unique_ptr<ObjectRules> object_rules(const Node &node, const JsonValue &schema) {
    auto rules = std::make_unique<ObjectRules>();
    add_properties(*rules, node, schema); // first: declared properties have the first slots
    add_required(*rules, schema);
    add_dependencies(*rules, node, schema);
    add_patterns(*rules, node, schema);
    rules->additional = member(node, schema, "additionalProperties");
    rules->property_names = member(node, schema, "propertyNames");
    rules->min_properties = number_member(schema, "minProperties");
    rules->max_properties = number_member(schema, "maxProperties");
    const bool checks = rules->names.size() > 0 || !rules->patterns.empty() || rules->additional ||
                        rules->property_names || rules->min_properties || rules->max_properties;
    return checks ? std::move(rules) : nullptr;
  }

  void add_properties(ObjectRules &rules, const Node &node, const JsonValue &schema) {
    const auto *properties = schema_map_member(schema, "properties");
    if (!properties) return;
    for (const auto &property : properties->GetObject()) {
      const auto name = text_of(property.name);
      const auto slot = rules.names.add(name);
      const auto *child = compile(property.value, &node, json_pointer("properties", name));
      if (slot < rules.properties.size())
        rules.properties[slot] = child; // a duplicate name: the last one holds, as in parse_json
      else
        rules.properties.push_back(child);
    }
  }

  void add_required(ObjectRules &rules, const JsonValue &schema) {
    const auto *required = find_member(schema, "required");
    if (required && is_text_list(*required)) rules.required = slots_of(rules, *required);
  }

  static std::vector<Slot> slots_of(ObjectRules &rules, const JsonValue &names) {
    std::vector<Slot> slots;
    for (const auto &name : names.GetArray())
      slots.push_back(rules.names.add(text_of(name)));
    return slots;
  }

  void add_dependencies(ObjectRules &rules, const Node &node, const JsonValue &schema) {
    const auto *mixed = find_member(schema, "dependencies");
    const auto well_formed = [](const JsonValue &value) { return is_schema(value) || is_text_list(value); };
    if (mixed && is_map_of(*mixed, well_formed)) rules.dependencies = dependencies(rules, node, *mixed, "dependencies");

    const auto *names = find_member(schema, "dependentRequired");
    if (names && is_map_of(*names, is_text_list))
      rules.dependent_required = dependencies(rules, node, *names, "dependentRequired");

    if (const auto *schemas = schema_map_member(schema, "dependentSchemas"))
      rules.dependent_schemas = dependencies(rules, node, *schemas, "dependentSchemas");
  }

  std::vector<Dependency> dependencies(ObjectRules &rules, const Node &node, const JsonValue &map,
                                       std::string_view keyword) {
    std::vector<Dependency> out;
    for (const auto &[name, needs] : map.GetObject()) {
      Dependency dependency;
      dependency.slot = rules.names.add(text_of(name));
      if (needs.IsArray())
        dependency.names = slots_of(rules, needs);
      else
        dependency.node = compile(needs, &node, json_pointer(keyword, text_of(name)));
      out.push_back(std::move(dependency));
    }
    return out;
  }

  void add_patterns(ObjectRules &rules, const Node &node, const JsonValue &schema) {
    const auto *patterns = schema_map_member(schema, "patternProperties");
    if (!patterns) return;
    for (const auto &[text, value] : patterns->GetObject()) {
      const std::string step = json_pointer("patternProperties", text_of(text));
      auto pattern = compile_pattern(node, text_of(text), step);
      if (!pattern) return;
      rules.patterns.push_back({std::move(*pattern), compile(value, &node, step)});
    }
  }

  std::optional<Pattern> compile_pattern(const Node &node, std::string_view text, const std::string &step) {
    if (error) return std::nullopt;
    auto pattern = Pattern::compile(text);
    if (pattern) return std::move(*pattern);
    error = std::move(pattern.error());
    error->where = path_of(node).substr(1) + step;
    return std::nullopt;
  }

  std::unique_ptr<ArrayRules> array_rules(const Node &node, const JsonValue &schema) {
    auto rules = std::make_unique<ArrayRules>();
    if (const auto *items = schema_list_member(schema, "items")) {
      rules->item_list = list(node, *items, "items");
      rules->additional = member(node, schema, "additionalItems");
    }
    rules->items = member(node, schema, "items");
    if (const auto *prefix = schema_list_member(schema, "prefixItems"))
      rules->prefix_items = list(node, *prefix, "prefixItems");
    rules->contains = member(node, schema, "contains");
    rules->min_contains = number_member(schema, "minContains");
    rules->max_contains = number_member(schema, "maxContains");
    rules->min_items = number_member(schema, "minItems");
    rules->max_items = number_member(schema, "maxItems");
    const auto *unique = find_member(schema, "uniqueItems");
    rules->unique = unique && unique->IsTrue();
    const bool checks = rules->items || !rules->item_list.empty() || rules->additional ||
                        !rules->prefix_items.empty() || rules->contains || rules->min_items || rules->max_items ||
                        rules->unique;
    return checks ? std::move(rules) : nullptr;
  }

  std::unique_ptr<StringRules> string_rules(const Node &node, const JsonValue &schema) {
    auto rules = std::make_unique<StringRules>();
    rules->min_length = number_member(schema, "minLength");
    rules->max_length = number_member(schema, "maxLength");
    rules->format = format_named(string_member(schema, "format"));
    const auto *pattern = find_member(schema, "pattern");
    if (pattern && pattern->IsString()) rules->pattern = compile_pattern(node, text_of(*pattern), "/pattern");
    const bool checks = rules->min_length || rules->max_length || rules->format || rules->pattern;
    return checks ? std::move(rules) : nullptr;
  }

  static std::unique_ptr<NumberRules> number_rules(const JsonValue &schema) {
    const NumberRules rules{.exclusive_minimum = number_member(schema, "exclusiveMinimum"),
                            .exclusive_maximum = number_member(schema, "exclusiveMaximum"),
                            .minimum = number_member(schema, "minimum"),
                            .maximum = number_member(schema, "maximum"),
                            .multiple_of = number_member(schema, "multipleOf")};
    return asks_nothing(rules) ? nullptr : std::make_unique<NumberRules>(rules);
  }

  std::unique_ptr<CommonRules> common_rules(const Node &node, const JsonValue &schema) {
    auto rules = std::make_unique<CommonRules>();
    rules->constant = find_member(schema, "const");
    rules->enumeration = find_member(schema, "enum");
    if (rules->enumeration && !rules->enumeration->IsArray()) rules->enumeration = nullptr;
    rules->condition = member(node, schema, "if");
    if (rules->condition) rules->consequence = member(node, schema, "then");
    if (rules->condition) rules->alternative = member(node, schema, "else");
    rules->negation = member(node, schema, "not");
    if (const auto *all = schema_list_member(schema, "allOf")) rules->all_of = list(node, *all, "allOf");
    if (const auto *any = schema_list_member(schema, "anyOf")) rules->any_of = list(node, *any, "anyOf");
    if (const auto *one = schema_list_member(schema, "oneOf")) rules->one_of = list(node, *one, "oneOf");
    const bool checks = rules->constant || rules->enumeration || rules->condition || rules->negation ||
                        !rules->all_of.empty() || rules->any_of || rules->one_of;
    return checks ? std::move(rules) : nullptr;
  }

  std::deque<Node> &nodes_;
};

} // namespace

Slot NameTable::add(std::string_view name) {
  const auto [at, fresh] = slots_.try_emplace(name, static_cast<Slot>(names_.size()));
  if (fresh) names_.push_back(name);
  return at->second;
}

Slot NameTable::find(std::string_view name, Slot guess) const {
  if (guess < names_.size() && names_[guess] == name) return guess;
  const auto found = slots_.find(name);
  return found == slots_.end() ? kNone : found->second;
}

} // namespace trellis::schema

namespace trellis {

Result<Schema> Schema::compile(const JsonValue &schema) {
  if (!schema::is_schema(schema)) return fail("schema_kind", {}, "not a schema", "an object or a boolean");
  auto program = std::make_shared<Program>();
  program->source.root() = deep_copy(schema, program->source.allocator());
  schema::Compiler compiler(program->nodes);
  program->root = compiler.compile(program->source.root(), nullptr, "#");
  if (compiler.error) return tl::unexpected(std::move(*compiler.error));
  Schema out;
  out.program_ = std::move(program);
  return out;
}

} // namespace trellis
