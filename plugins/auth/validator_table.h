// trellis.validator/1: Auth.Requests.Validate without a round trip (03 §10).
#pragma once

#include "validation.h"
#include <string_view>
#include <trellis/control_plane.h>

namespace trellis::auth {

// As trellis_validator_v1::validate, on `validation`. `core_digest`: for the error's context, which tells callers that
// the control plane said so (05 §2.1).
trellis_status validate_for_host(Validation &validation, std::string_view core_digest,
                                 const trellis_validation_request *request,
                                 void (*result)(void *context, const trellis_validation *validation), void *context,
                                 trellis_error_sink error);

} // namespace trellis::auth
