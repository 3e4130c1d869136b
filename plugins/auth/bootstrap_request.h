// The request of a service bootstrap, and the checks that need nothing but it and the clock (04 §7 step 1).
#pragma once

#include "contracts/json.h"
#include "deployment_authority.h"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trellis::auth {

struct BootstrapRequest {
  std::shared_ptr<const JsonDocument> document;
  std::string session_key, contract_id, contract_digest;
  const JsonValue *contract = nullptr; // into the document
};

tl::expected<BootstrapRequest, BootstrapAnswer> parse_bootstrap_request(std::string_view body, std::int64_t now_seconds,
                                                                        bool proofs_valid);

} // namespace trellis::auth
