// The bodies of the service bootstrap route (04 §7), member by member.
#pragma once

#include "contracts/authority_plan.h"
#include "contracts/json_write.h"
#include "contracts/manifest.h"
#include "deployment_authority.h"
#include "store/authority.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

// "Common context C"; an empty member is left out.
struct BootstrapSubject {
  std::string instance_id, deployment_id, contract_id, contract_digest;
};

// {reason, message, ...subject}: how every failure after step 1 begins.
JsonObjectText failure(std::string_view reason, std::string_view message, const BootstrapSubject &subject = {});

// `error`: of analyze. 202 for a dependency, 409 for everything else.
BootstrapAnswer analysis_failure(const BootstrapSubject &subject, const Error &error);
BootstrapAnswer presented_invalid(const BootstrapSubject &subject, std::string_view problem);

// Step 11. `plan` is a migration.
BootstrapAnswer incompatible_answer(const BootstrapSubject &subject, const Plan &plan, std::string_view version,
                                    std::string_view latest_digest, bool mutable_dev);
// Step 12.
BootstrapAnswer plan_answer(const BootstrapSubject &subject, const Plan &plan, std::string_view version,
                            const Fit &fit);

// Steps 14 and 15; nullopt: the materialization is usable.
std::optional<BootstrapAnswer> unusable(const BootstrapSubject &subject, const Authority &authority,
                                        const std::optional<Materialization> &materialization);
BootstrapAnswer not_reconciled(const BootstrapSubject &subject, std::string_view version, const Error &error);

struct ReadyFacts {
  std::string_view session_key, sentinel_json, transports_json, bound_resources_json;
  std::int64_t now_seconds = 0;
};
BootstrapAnswer ready_answer(const Manifest &contract, const ReadyFacts &facts);

// A failure that has nothing to do with the request.
BootstrapAnswer internal_failure();

} // namespace trellis::auth
