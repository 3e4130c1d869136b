// The vector runner: reads vector files, runs each case through the procedure of its kind, compares, names failures.
//
// A procedure turns a case's input into the value that `expected` describes; it never sees `expected`, so it can't
// echo it. The runner compares by the rules of the vectors' README §1.2 (exact unless the kind says otherwise) and
// §1.3 (placeholders), and it fails a case whose input holds a member that the procedure never asked for, so that
// unknown members can't be skipped silently.
#pragma once

#include "contracts/json.h"
#include <functional>
#include <map>
#include <rapidjson/document.h>
#include <set>
#include <string>
#include <vector>

namespace trellis::vectors {

// A case's `input`, read member by member; remembers which members were asked for.
class Input {
public:
  explicit Input(const JsonValue &value) : value_(value) {}

  const JsonValue *find(std::string_view name) const; // nullptr when absent
  const JsonValue &at(std::string_view name) const;   // throws when absent
  std::string text(std::string_view name) const;      // string member; throws when absent or of another kind
  std::string text_or(std::string_view name, std::string_view otherwise) const;
  double number(std::string_view name) const;
  bool flag(std::string_view name) const; // false when absent

  const JsonValue &whole() const { return value_; }
  void accept_all() const; // the procedure looks at every member itself
  std::vector<std::string> unread() const;

private:
  const JsonValue &value_;
  mutable std::set<std::string, std::less<>> read_;
};

struct CaseContext {
  std::string file;
  std::string name;
  std::string kind;
  const JsonValue *fixtures = nullptr; // the file's `fixtures`, when it has some
  const JsonValue *expected = nullptr; // only for deciding which optional outputs to produce, never their values
};

// The result in the shape of `expected`. Throwing fails the case with the exception's text.
using Procedure = std::function<JsonDocument(const Input &, const CaseContext &)>;

struct Comparison {
  std::set<std::string, std::less<>> sets;       // members whose arrays compare as multisets, at any depth
  std::set<std::string, std::less<>> subset;     // top-level members of `expected` that compare as subset
  std::set<std::string, std::less<>> ignored;    // top-level members of `expected` that are not compared
  std::set<std::string, std::less<>> json_texts; // members holding JSON text that compares as a value
  bool only_listed = false;                      // result members that `expected` lacks are fine at top level
};

struct Kind {
  Procedure run;
  Comparison comparison = {};
};

// file name without ".json" -> kind -> procedure. Each topic's cases register themselves in vectors_main.cpp.
using Registry = std::map<std::string, std::map<std::string, Kind>>;

void register_contracts(Registry &registry); // canonical-json, contract-digest, manifest-validation, ...
void register_schema(Registry &registry);    // json-schema/ (pseudo file "json-schema", kind "json-schema")
void register_wire(Registry &registry);      // auth-proofs, nkeys-jwt
void register_rpc(Registry &registry);       // rpc-wire

} // namespace trellis::vectors
