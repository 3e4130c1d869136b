// Shared by the procedures of the wire topics: the checks and results that several kinds need.
#pragma once

#include "output.h"
#include "runner.h"
#include "wire/session_key.h"
#include <string>
#include <string_view>

namespace trellis::vectors {

// The value, or an exception with the error's text: for what an input must bring along.
template <class T>
T required(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + ": " + result.error().text());
  return std::move(*result);
}
JsonDocument required_json(std::string_view text);
Bytes required_bytes(std::optional<Bytes> bytes);

// Whether the case compares this optional member.
bool expects(const CaseContext &context, std::string_view name);

SessionKey session_key_of(const Input &input, std::string_view name = "seed");
// sessionKey, signedString, digestHex, sig of a domain signature.
void add_domain_signature(Output &out, const SessionKey &key, std::string_view domain, std::string_view value);

void register_auth_proofs(Registry &registry);
void register_nkeys_jwt(Registry &registry);
void register_device_activation(Registry &registry);

} // namespace trellis::vectors
