#include "validator_table.h"

#include "abi_text.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// The error as a service would get it from the RPC (05 §2.1 step 4).
std::string annotated(const ErrorEnvelope &error, const ValidateInput &input, std::string_view core_digest) {
  JsonObjectText out;
  if (const auto context = parse_json(error.context); context && context->IsObject())
    for (const auto &member : context->GetObject())
      out.json(text_of(member.name), to_json(member.value));
  return out.text("method", "Auth.Requests.Validate")
      .text("requestId", input.request_id)
      .text("service", "trellis")
      .text("contractDigest", core_digest)
      .str();
}

ValidateInput input_of(const trellis_validation_request &request) {
  ValidateInput input;
  input.session_key = view(request.session_key);
  input.proof = view(request.proof);
  input.subject = view(request.subject);
  input.request_id = view(request.request_id);
  std::copy_n(request.payload_hash, input.payload_hash.size(), input.payload_hash.begin());
  input.iat = static_cast<double>(request.iat);
  input.proof_checked = request.proof_checked != 0;
  for (std::size_t i = 0; i < request.capability_count; ++i)
    input.capabilities.push_back(view(request.capabilities[i]));
  return input;
}

} // namespace

trellis_status validate_for_host(Validation &validation, std::string_view core_digest,
                                 const trellis_validation_request *request,
                                 void (*result)(void *context, const trellis_validation *validation), void *context,
                                 trellis_error_sink error) {
  if (!request || !TRELLIS_HAS(trellis_validation_request, request, capability_count) || !request->payload_hash)
    return TRELLIS_E_INVALID;
  const auto input = input_of(*request);
  const auto outcome = validation.validate(input);
  if (!outcome) {
    const auto facts = annotated(outcome.error(), input, core_digest);
    const trellis_error out{sizeof(trellis_error),        0,          str(outcome.error().type),
                            str(outcome.error().message), str(facts), str(outcome.error().fields)};
    if (error.report) error.report(error.context, &out);
    return TRELLIS_E_DENIED;
  }
  const auto &caller = *outcome->caller;
  std::vector<trellis_str> capabilities;
  for (const auto &capability : caller.capabilities)
    capabilities.push_back(str(capability));
  const trellis_validation out{sizeof(trellis_validation),
                               outcome->allowed ? 1U : 0U,
                               str(caller.inbox_prefix),
                               str(caller.json),
                               caller.version,
                               capabilities.data(),
                               capabilities.size()};
  result(context, &out);
  return TRELLIS_OK;
}

} // namespace trellis::auth
