// A participant's session key: the Ed25519 pair that signs its requests and names its inbox (03 §1).
#pragma once

#include "contracts/encoding.h"
#include "contracts/result.h"
#include "wire/nkeys.h"
#include "wire/secret.h"
#include <string>
#include <string_view>

namespace trellis {

class SessionKey {
public:
  static SessionKey generate();
  // base64url of 32 bytes, surrounding white space ignored. Error "invalid_seed_length" or "invalid_seed".
  static Result<SessionKey> from_seed(std::string_view text);
  static SessionKey from_raw(const SecretBytes<32> &seed);

  const std::string &text() const { return text_; }                 // 43 characters
  const std::string &inbox_prefix() const { return inbox_prefix_; } // "_INBOX.<key16>"
  SecretText seed_text() const;
  SessionKey clone() const;

  // base64url signature over an already computed digest (03 §11.1, §11.3).
  std::string sign_digest(const Sha256 &digest) const;
  // base64url(Ed25519(SHA-256("<domain>:<value>"))) (03 §11.1).
  std::string sign_domain(std::string_view domain, std::string_view value) const;

private:
  SessionKey() = default;
  SecretBytes<32> seed_;
  SecretBytes<64> expanded_;
  std::string text_, inbox_prefix_;
};

std::string_view key16(std::string_view session_key); // its first 16 characters
std::string inbox_prefix(std::string_view session_key);
std::string operations_bucket(std::string_view session_key);
// ^[A-Za-z0-9_-]{43}$ and ^[A-Za-z0-9_-]{86}$
bool is_session_key_text(std::string_view text);
bool is_signature_text(std::string_view text);

// False on any malformed text (03 §1: never an exception). `key` and `signature` decoded leniently.
bool verify_digest(std::string_view key, const Sha256 &digest, std::string_view signature);
bool verify_domain(std::string_view key, std::string_view domain, std::string_view value, std::string_view signature);

// Derived ids (03 §1, 00-index).
std::string service_instance_id(std::string_view session_key);
std::string device_instance_id(std::string_view session_key);
std::string service_trellis_id(std::string_view session_key);

} // namespace trellis
