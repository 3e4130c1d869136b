// A contract as a code generator sees it: named types, surfaces, errors. Knows no programming language; a back end
// (cpp_backend.h, later others) only writes down what is here.
//
// Everything is in an order that doesn't depend on the order of members in the contract's text: names by UTF-16 code
// units, types after the types that they are made of, members of an object as `required` lists them and then by name.
// So the same contract gives the same code, also when it comes from a store that keeps canonical JSON.
#pragma once

#include "contracts/manifest.h"
#include "contracts/result.h"
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace trellis::generate {

// What a place holds.
struct Type {
  enum class Kind {
    json, // anything: kept as JSON, because the schema says no more, or nothing that a type could say
    null,
    boolean,
    integer, // without fraction, within 64 bits
    number,
    text,
    list,
    map,  // free names
    named // Model::types[named]
  };
  Kind kind = Kind::json;
  bool nullable = false;       // or null; never with json and null
  std::vector<Type> item = {}; // of a list or map: one
  std::size_t named = 0;

  bool operator==(const Type &) const = default;
};

using Constant = std::variant<bool, std::int64_t, double, std::string>;

struct Member {
  std::string name;
  std::string doc;
  Type type;
  bool required = false;
  std::optional<Constant> constant; // required, and can only be this
};

struct ObjectShape {
  std::vector<Member> members;
  std::optional<Type> rest; // members beyond those are kept, as values of this type
};

struct EnumShape {
  std::vector<std::string> texts; // in the schema's order, none twice
};

// One of several. No value fits two alternatives: either their JSON kinds differ, or both are objects that differ in a
// constant that both must have.
struct UnionShape {
  std::vector<Type> alternatives;
};

struct AliasShape {
  Type type;
};

struct NamedType {
  std::vector<std::string> path; // schema name, then the way to it: {"Order", "lines", "item"}
  std::string doc;
  std::variant<ObjectShape, EnumShape, UnionShape, AliasShape> shape;
};

struct DeclaredError {
  std::string type;
  ObjectShape own; // without what every error has: id, type, message, context, traceId
};

struct Rpc {
  std::string name, subject, doc;
  Type input, output;
  std::vector<std::string> errors; // types, declared by this contract or not; sorted
};

struct Operation {
  std::string name, subject, doc;
  Type input, output;
  std::optional<Type> progress;
  Named<Type> signals;
};

struct EventParam {
  std::string pointer;
  Type::Kind kind = Type::Kind::text; // text, integer or number; text also for what may be several of them
};

struct Event {
  std::string name, subject, doc; // `subject` is the template
  Type payload;
  std::vector<EventParam> params;
};

struct Feed {
  std::string name, subject, doc;
  Type input, event;
};

struct Job {
  std::string name, doc;
  Type payload;
  std::optional<Type> result;
};

struct Store { // state and kv
  std::string name, doc;
  Type value;
};

struct Model {
  std::string contract_id, digest, display_name, description;
  std::string contract; // the normalized manifest, canonical JSON
  std::vector<NamedType> types;
  std::vector<DeclaredError> errors;
  std::vector<Rpc> rpcs;
  std::vector<Operation> operations;
  std::vector<Event> events;
  std::vector<Feed> feeds;
  std::vector<Job> jobs;
  std::vector<Store> states, kvs;
};

// Errors: "unknown_schema_ref" (feeds and signals, which validation leaves open), "ambiguous_error_type" (two
// declarations of one error type with different schemas); `where` is a JSON pointer into the manifest.
Result<Model> read_model(const Manifest &manifest);

} // namespace trellis::generate
