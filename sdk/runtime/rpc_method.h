// What a runtime knows of one rpc, compiled once from its contract and then shared by all threads.
#pragma once

#include "contracts/schema.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trellis {

class Manifest;

struct RpcMethod {
  std::string name;                      // "Echo.Say"
  std::string subject;                   // "rpc.v1.Echo.Say"
  std::vector<std::string> capabilities; // all needed to call it
  Schema input;
  Schema output;
  // Error types that the method declares. A contract's own error has the schema of its envelope, a built-in one none.
  std::map<std::string, std::optional<Schema>, std::less<>> errors;
  // Anyone may call it, without proof or session (06 §4.6). No manifest says so: the control plane sets it on its own.
  bool unauthenticated = false;
};

// The contract's schema of that name. Errors: "unknown_schema_ref", and those of Schema::compile, with its pointer.
Result<Schema> compile_named_schema(const Manifest &manifest, const std::string &name);

// Compiles the rpc called `name`. Errors: "unknown_rpc", and those of Schema::compile with the schema's pointer.
Result<RpcMethod> compile_rpc(const Manifest &manifest, std::string_view name);

// Names a service in the error contexts that it sends (06 §4.5).
struct ServiceIdentity {
  std::string name; // runtime name
  std::string contract_id;
  std::string contract_digest;
};

} // namespace trellis
