// JSON Schema to types (01 §4).
//
// A type is made only where it holds every value that the schema accepts, so what validates decodes; everything else is
// Kind::json, which loses nothing. Keywords that only narrow (minLength, pattern, minimum, not, if ...) don't change a
// type. Equal schemas become one type, whose name is the shortest way to one of its places. Exceptions, documented in
// docs/generate.md: integers are 64 bits wide, and a pattern of ^.*$ is taken to match every name.
#pragma once

#include "contracts/json.h"
#include "generate/model.h"
#include <functional>
#include <map>
#include <rapidjson/document.h>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::generate {

class SchemaTypes {
public:
  // A schema of the contract. Returns its named type, whatever it is; each name once.
  Type add(const std::string &name, const JsonValue &schema);
  // The members of an object schema without those called `without`; everything in `rest` when it's no such schema.
  ObjectShape shape_of(const std::string &name, const JsonValue &schema, const std::vector<std::string_view> &without);

  const std::vector<NamedType> &types() const { return types_; }
  // Ends the object: the types, each after those that it is made of. Some may be used by none.
  std::vector<NamedType> take() { return std::move(types_); }

private:
  using Path = std::vector<std::string>;

  Type infer(const JsonValue &schema, const Path &path);
  Type infer_constant(const JsonValue &constant, const Path &path);
  Type infer_enum(const JsonValue &values, const Path &path);
  Type infer_kind(const JsonValue &schema, std::string_view kind, const Path &path);
  Type infer_kinds(const JsonValue &schema, const JsonValue &kinds, const Path &path);
  Type infer_array(const JsonValue &schema, const Path &path);
  Type infer_object(const JsonValue &schema, const Path &path);
  Type infer_map(const JsonValue &schema, const Path &path);
  Type infer_union(const JsonValue &branches, const Path &path, bool objects);
  Type infer_all_of(const JsonValue &branches, const Path &path, bool objects);
  std::optional<UnionShape> alternatives(const std::vector<const JsonValue *> &branches, const Path &path,
                                         bool objects);
  bool differ(const Type &a, const Type &b) const;

  ObjectShape object_shape(const JsonValue &schema, const Path &path);
  Member member(const std::string &name, const JsonValue *schema, bool required, const Path &path);
  std::optional<Type> rest_of(const JsonValue &schema, const Path &path);

  Type text_enum(std::vector<std::string> texts, const Path &path, const std::string &doc = {});
  // The type with that key, made by `shape` when it's new.
  using MakeShape = std::function<decltype(NamedType::shape)()>;
  Type named(const std::string &key, const Path &path, const std::string &doc, const MakeShape &shape);

  std::vector<NamedType> types_;
  std::map<std::string, std::size_t> by_key_; // of what makes types equal
  std::map<std::string, Type> aliases_;       // canonical schema of the contract -> the type that has its name
};

// Some schema that doesn't live in the contract's document.
JsonDocument merged_objects(const std::vector<const JsonValue *> &schemas);

} // namespace trellis::generate
