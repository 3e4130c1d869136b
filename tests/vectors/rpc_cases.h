// The procedures of rpc-wire, one a kind, and what they share: the fixtures' contract and the shape of an error.
#pragma once

#include "contracts/manifest.h"
#include "runner.h"
#include "runtime/rpc_method.h"
#include "transport/transport.h"
#include "wire/error_envelope.h"
#include "wire/session_key.h"
#include <type_traits>

namespace trellis::vectors::rpc {

JsonDocument client_request(const Input &input, const CaseContext &context);
JsonDocument service(const Input &input, const CaseContext &context);
JsonDocument client_decode(const Input &input, const CaseContext &context);
JsonDocument transport_failure_case(const Input &input, const CaseContext &context);
JsonDocument pagination(const Input &input, const CaseContext &context);

// Throw what went wrong, so that the case fails with it.
Manifest fixture_manifest(const CaseContext &context);
RpcMethod fixture_method(const CaseContext &context, std::string_view name);
SessionKey fixture_key(const CaseContext &context, std::string_view name); // "callerSeed", "serviceSeed"

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + " " + result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

JsonDocument headers_value(const Headers &headers);
// `sent: false` and why.
JsonDocument not_sent(const ErrorEnvelope &error);

void put(JsonDocument &object, std::string_view name, const JsonValue &value);
void put(JsonDocument &object, std::string_view name, std::string_view text);

// `error` as README §3.4 lists it: issuePaths for issues, texts for people (message, hint) and ids left out.
JsonDocument error_value(const ErrorEnvelope &error);

} // namespace trellis::vectors::rpc
