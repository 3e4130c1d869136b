#include "runtime/rpc_method.h"

#include "contracts/manifest.h"
#include "wire/error_envelope.h"
#include <rapidjson/document.h>
#include <utility>

namespace trellis {

Result<Schema> compile_named_schema(const Manifest &manifest, const std::string &name) {
  const auto pointer = json_pointer("schemas", name);
  const auto *schema = manifest.schema(name);
  if (!schema) return fail("unknown_schema_ref", pointer, "there is no such schema", "a schema of the contract");
  auto compiled = Schema::compile(*schema);
  if (!compiled) compiled.error().where.insert(0, pointer);
  return compiled;
}

namespace {

// A contract error without a schema may hold anything.
Schema any_value() {
  return Schema::compile(JsonValue(true)).value();
}

Result<void> add_error(RpcMethod &method, const Manifest &manifest, const std::string &type) {
  const auto *declared = manifest.error_of_type(type);
  if (!declared) {
    if (is_builtin_error(type)) method.errors.emplace(type, std::nullopt);
    return {};
  }
  if (!declared->schema) {
    method.errors.emplace(type, any_value());
    return {};
  }
  auto schema = compile_named_schema(manifest, *declared->schema);
  if (!schema) return tl::make_unexpected(std::move(schema.error()));
  method.errors.emplace(type, std::move(*schema));
  return {};
}

} // namespace

Result<RpcMethod> compile_rpc(const Manifest &manifest, std::string_view name) {
  const auto *surface = manifest.rpc(name);
  if (!surface)
    return fail("unknown_rpc", std::string(name), "the contract has no such rpc", "an rpc of " + manifest.id());
  auto input = compile_named_schema(manifest, surface->input);
  if (!input) return tl::make_unexpected(std::move(input.error()));
  auto output = compile_named_schema(manifest, surface->output);
  if (!output) return tl::make_unexpected(std::move(output.error()));

  RpcMethod method;
  method.name = name;
  method.subject = surface->subject;
  method.capabilities = surface->call.value_or(NameList{});
  method.input = std::move(*input);
  method.output = std::move(*output);
  for (const auto &type : surface->errors.value_or(NameList{}))
    if (auto added = add_error(method, manifest, type); !added) return tl::make_unexpected(std::move(added.error()));
  return method;
}

} // namespace trellis
