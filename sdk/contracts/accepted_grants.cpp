#include "contracts/accepted_grants.h"

#include "contracts/authority_plan.h"

namespace trellis {

DesiredState state_when_accepted(const Analysis &analysis) {
  return accept_update({}, analysis.requested(), analysis.provided);
}

Result<Grants> grants_when_accepted(const Manifest &contract, const KnownContracts &known, DeploymentKind kind) {
  KnownContracts contracts;
  for (const auto &other : known)
    if (other.manifest.digest() != contract.digest()) contracts.push_back(other);
  const auto analysis = analyze(contract, contracts, Resolution::known_or_pending);
  if (!analysis) return tl::make_unexpected(analysis.error());

  OfferRef offer;
  offer.offer_id = offer.lineage_key = offer.contract_id = contract.id();
  offer.contract_digest = contract.digest();
  offer.status = "accepted";
  offer.accepted_at = offer.last_refreshed_at = "1970-01-01T00:00:00.000Z";
  contracts.push_back({contract, true});
  return materialize(state_when_accepted(*analysis), {offer}, contracts, kind);
}

} // namespace trellis
