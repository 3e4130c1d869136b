// The vector runner: reads vector files, runs each case through the procedure of its kind, compares, names failures.
//
// A procedure turns a case's input into the value that `expected` describes; it never sees `expected`, so it can't
// echo it. The runner compares by the rules of the vectors' README §1.2 (exact unless the kind says otherwise) and
// §1.3 (placeholders), and it fails a case whose input holds a member that the procedure never asked for, so that
// unknown members can't be skipped silently. Procedures of cases that may end early (an error, a refusal) therefore
// read all their members first, or call accept_all() and check the members themselves.
//
// Rejected: procedures that compare by themselves. Each would bring its own idea of "equal", and a slip there passes
// silently; here a rule is written and tested once (compare.h, placeholders.h).
#pragma once

#include "contracts/json.h"
#include <functional>
#include <map>
#include <rapidjson/document.h>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
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

// Values that the procedure chose, by placeholder name without the angle brackets: "bucket", "sessionKey:A", "now" ...
using PlaceholderValues = std::map<std::string, std::string, std::less<>>;

struct CaseContext {
  std::string file;
  std::string name;
  std::string kind;
  const JsonValue *fixtures = nullptr; // the file's `fixtures`, when it has some
  const JsonValue *expected = nullptr; // only for deciding which optional outputs to produce, never their values
  PlaceholderValues *values = nullptr; // filled by the procedure; never nullptr while it runs
};

// Thrown by a procedure when this machine lacks what the case needs (no nats-server ...). The text names what.
struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Thrown by a procedure that ran a case as far as what it needs exists, and found it right so far. The text names what
// is missing. The case is named, not counted.
struct NotYet : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The result in the shape of `expected`. Throwing fails the case with the exception's text.
using Procedure = std::function<JsonDocument(const Input &, const CaseContext &)>;

// For designated initializers: {.sets = {"grants"}, .only_listed = true}.
struct Comparison {
  std::set<std::string, std::less<>> sets = {};       // members whose arrays compare as multisets, at any depth
  std::set<std::string, std::less<>> subset = {};     // top-level members of `expected` that compare as subset
  std::set<std::string, std::less<>> ignored = {};    // top-level members of `expected` that are not compared
  std::set<std::string, std::less<>> json_texts = {}; // members holding JSON text that compares as a value
  bool only_listed = false;                           // result members that `expected` lacks are fine at top level
};

struct Kind {
  Procedure run; // empty = the chapter has the kind, we don't yet: its cases are named, not counted
  Comparison comparison = {};
};

// file name without ".json" -> kind -> procedure. Each topic registers its own through the functions below.
using Kinds = std::map<std::string, Kind>;
using Registry = std::map<std::string, Kinds>;

enum class Verdict { passed, failed, skipped, not_yet };

struct Outcome {
  Verdict verdict = Verdict::passed;
  std::string why; // of a failure: the first difference, with its JSON pointer into the case; of a skip: the reason
};

// Runs one case of a vector file. Never throws: whatever is wrong with the case or its procedure fails it.
Outcome run_case(const Kinds &kinds, const std::string &file, const JsonValue &vector_case,
                 const JsonValue *fixtures = nullptr);

void register_contracts(Registry &registry); // canonical-json, contract-digest, manifest-validation, ...
// json-schema/: pseudo file "json-schema", kind "json-schema": `schema`, `data` -> `valid`
void register_schema(Registry &registry);
void register_wire(Registry &registry);           // auth-proofs, nkeys-jwt
void register_rpc(Registry &registry);            // rpc-wire
void register_events(Registry &registry);         // event-wire
void register_feeds(Registry &registry);          // feed-wire
void register_auth_callout(Registry &registry);   // auth-callout
void register_replicas(Registry &registry);       // resource-bindings, kind replicas
void register_authority_flow(Registry &registry); // authority-plan, kind flow

} // namespace trellis::vectors
