// The procedures of feed-wire, one a kind.
#pragma once

#include "rpc_cases.h"

namespace trellis::vectors::feeds {

JsonDocument service(const Input &input, const CaseContext &context);
JsonDocument client(const Input &input, const CaseContext &context);
JsonDocument client_request(const Input &input, const CaseContext &context);

} // namespace trellis::vectors::feeds
