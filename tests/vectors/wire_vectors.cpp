#include "wire_vectors.h"

#include "records_vectors.h"

namespace trellis::vectors {

JsonDocument required_json(std::string_view text) {
  return required(parse_json(text));
}

Bytes required_bytes(std::optional<Bytes> bytes) {
  if (!bytes) throw std::runtime_error("an input that is not base64url or hex");
  return std::move(*bytes);
}

bool expects(const CaseContext &context, std::string_view name) {
  return context.expected && find_member(*context.expected, name);
}

SessionKey session_key_of(const Input &input, std::string_view name) {
  return required(SessionKey::from_seed(input.text(name)));
}

void add_domain_signature(Output &out, const SessionKey &key, std::string_view domain, std::string_view value) {
  const std::string signed_string = std::string(domain).append(":").append(value);
  out.text("sessionKey", key.text())
      .text("signedString", signed_string)
      .text("digestHex", hex(sha256(as_bytes(signed_string))))
      .text("sig", key.sign_domain(domain, value));
}

void register_wire(Registry &registry) {
  register_auth_proofs(registry);
  register_nkeys_jwt(registry);
  register_device_activation(registry);
  register_health(registry);
  register_jobs_projection(registry);
  register_jobs_wire(registry);
}

} // namespace trellis::vectors
