// What a schema is compiled into; internal to schema*.cpp.
//
// A tree of nodes, one for each subschema that can be reached. Keywords are grouped by the kind of value they apply to,
// so that a value pays only for its own kind, and a group that a subschema doesn't use costs one null pointer. A node
// knows its parent instead of its whole schema path: only failures need paths, and a deep schema with long names would
// otherwise need quadratic memory for them. A flat list of instructions was rejected: keywords like anyOf and
// unevaluatedProperties need the structure back.
#pragma once

#include "contracts/json_copy.h"
#include "contracts/schema.h"
#include "contracts/schema_formats.h"
#include "contracts/schema_pattern.h"
#include "contracts/schema_values.h"
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <rapidjson/document.h>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trellis::schema {

// The keyword that refused a value. `falsehood` is the schema `false`.
enum class Keyword : std::uint8_t {
  falsehood,
  type,
  required,
  additional_properties,
  dependencies,
  dependent_required,
  property_names,
  min_properties,
  max_properties,
  contains,
  min_contains,
  max_contains,
  min_items,
  max_items,
  unique_items,
  min_length,
  max_length,
  format,
  pattern,
  exclusive_minimum,
  exclusive_maximum,
  minimum,
  maximum,
  multiple_of,
  constant,
  enumeration,
  condition,
  negation,
  any_of,
  one_of,
  unevaluated_items,
  unevaluated_properties,
};

struct Node;
using Slot = std::uint32_t;

// The property names that an object's keywords mention, each with a number: its slot.
class NameTable {
public:
  static constexpr Slot kNone = 0xFFFFFFFF;

  Slot add(std::string_view name); // the text must outlive the table
  // `guess` is tried first: members mostly come in the order of the schema.
  Slot find(std::string_view name, Slot guess) const;
  std::string_view name(Slot slot) const { return names_[slot]; }
  std::size_t size() const { return names_.size(); }

private:
  std::vector<std::string_view> names_;
  std::unordered_map<std::string_view, Slot> slots_;
};

struct Dependency { // present `slot` needs the other names, and the schema
  Slot slot = 0;
  std::vector<Slot> names;
  const Node *node = nullptr;
};

struct PatternProperty {
  Pattern pattern;
  const Node *node = nullptr;
};

struct ObjectRules {
  NameTable names;
  std::vector<const Node *> properties; // by slot: the declared properties have the first slots, in schema order
  std::vector<Slot> required;
  const Node *additional = nullptr;
  std::vector<Dependency> dependencies;
  std::vector<Dependency> dependent_required;
  std::vector<Dependency> dependent_schemas;
  std::vector<PatternProperty> patterns;
  const Node *property_names = nullptr;
  std::optional<double> min_properties;
  std::optional<double> max_properties;
};

struct ArrayRules {
  std::vector<const Node *> item_list; // `items` as a list
  const Node *items = nullptr;         // `items` as a schema, from the end of `prefix_items` on
  const Node *additional = nullptr;    // only when `items` is a list
  std::vector<const Node *> prefix_items;
  const Node *contains = nullptr;
  std::optional<double> min_contains;
  std::optional<double> max_contains;
  std::optional<double> min_items;
  std::optional<double> max_items;
  bool unique = false;
};

struct StringRules {
  std::optional<double> min_length;
  std::optional<double> max_length;
  std::optional<Format> format;
  std::optional<Pattern> pattern;
};

struct NumberRules {
  std::optional<double> exclusive_minimum;
  std::optional<double> exclusive_maximum;
  std::optional<double> minimum;
  std::optional<double> maximum;
  std::optional<double> multiple_of;
};

// The keywords that apply to values of every kind.
struct CommonRules {
  const JsonValue *constant = nullptr;
  const JsonValue *enumeration = nullptr; // an array
  const Node *condition = nullptr;        // `if`
  const Node *consequence = nullptr;      // `then`
  const Node *alternative = nullptr;      // `else`
  const Node *negation = nullptr;         // `not`
  std::vector<const Node *> all_of;
  std::optional<std::vector<const Node *>> any_of; // absent is not the same as empty, which nothing satisfies
  std::optional<std::vector<const Node *>> one_of;
};

enum Type : std::uint8_t {
  kNull = 1,
  kBoolean = 2,
  kObject = 4,
  kArray = 8,
  kString = 16,
  kInteger = 32,
  kNumber = 64,
  kAnyType = 127,
};

struct Node {
  enum class Kind : std::uint8_t { everything, nothing, rules };

  const Node *parent = nullptr;
  std::string step; // from the parent: "/properties/cents", "/anyOf/0"
  Kind kind = Kind::everything;
  std::uint8_t types = kAnyType; // the bits of Type
  std::unique_ptr<ObjectRules> object;
  std::unique_ptr<ArrayRules> array;
  std::unique_ptr<StringRules> string;
  std::unique_ptr<NumberRules> number;
  std::unique_ptr<CommonRules> common;
  const Node *unevaluated_items = nullptr;
  const Node *unevaluated_properties = nullptr;
};

// A value that a keyword refused.
struct Finding {
  const Node *node = nullptr;
  Keyword keyword = Keyword::falsehood;
  const JsonValue *value = nullptr;
};

// The first `max` findings.
class Findings {
public:
  explicit Findings(std::size_t max) : max_(max) {}
  bool full() const { return list_.size() >= max_; }
  std::size_t max() const { return max_; }
  void add(const Finding &finding);
  void add_all(const Findings &others);
  const std::vector<Finding> &list() const { return list_; }

private:
  std::size_t max_;
  std::vector<Finding> list_;
};

// Whether `value` satisfies `node`. Without `findings` it stops at the first failure.
bool evaluate(const Node &node, const JsonValue &value, const HashKey &hash_key, Findings *findings);

std::string path_of(const Node &node); // "#/properties/cents"
SchemaIssue issue_of(const Finding &finding);

} // namespace trellis::schema

namespace trellis {

struct Schema::Program {
  KeptJson source; // a copy of the schema, which names and constants point into
  std::deque<schema::Node> nodes;
  const schema::Node *root = nullptr;
  schema::HashKey hash_key = schema::random_hash_key();
};

} // namespace trellis
