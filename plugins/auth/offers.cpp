#include "offers.h"
#include <algorithm>
#include <tuple>

namespace trellis::auth {

std::optional<std::string> latest_accepted_digest(Reader &db, std::string_view deployment_id,
                                                  std::string_view contract_id) {
  const std::string lineage = offer_lineage(deployment_id, contract_id);
  std::vector<Offer> offers = offers_of_deployment(db, deployment_id);
  std::erase_if(offers, [&](const Offer &offer) { return offer.lineage_key != lineage || offer.status != "accepted"; });
  const auto newest = std::ranges::max_element(offers, {}, [](const Offer &offer) {
    return std::tuple(offer.accepted_at, offer.last_refreshed_at, std::string_view(offer.offer_id));
  });
  if (newest == offers.end()) return std::nullopt;
  return newest->contract_digest;
}

bool record_offer(Writer &db, std::string_view deployment_id, std::string_view instance_id,
                  std::string_view contract_id, std::string_view digest, UnixMs now) {
  Offer mine;
  mine.offer_id = offer_id_of(deployment_id, instance_id, contract_id, digest);
  mine.lineage_key = offer_lineage(deployment_id, contract_id);
  mine.deployment_id = deployment_id;
  mine.instance_id = std::string(instance_id);
  mine.contract_id = contract_id;
  mine.contract_digest = digest;
  mine.first_offered_at = now;
  mine.accepted_at = now;
  bool changed = false, known = false;
  for (Offer &other : offers_of_deployment(db, deployment_id)) {
    if (other.offer_id == mine.offer_id) {
      mine.first_offered_at = other.first_offered_at;
      mine.accepted_at = other.accepted_at ? other.accepted_at : mine.accepted_at;
      known = true;
      changed = changed || !is_active(other, now);
    } else if (other.lineage_key == mine.lineage_key && other.contract_digest != digest && other.status == "accepted" &&
               !other.stale_at) {
      other.liveness = "disconnected";
      other.stale_at = other.last_refreshed_at = now;
      put_offer(db, other);
      changed = true;
    }
  }
  mine.last_refreshed_at = now;
  put_offer(db, mine);
  return changed || !known;
}

void end_offers(Writer &db, std::string_view deployment_id, const std::optional<std::string> &instance_id, UnixMs now) {
  for (Offer &offer : offers_of_deployment(db, deployment_id)) {
    if (offer.status != "accepted" || offer.stale_at || (instance_id && offer.instance_id != *instance_id)) continue;
    offer.liveness = "disconnected";
    offer.last_refreshed_at = offer.stale_at = now;
    put_offer(db, offer);
  }
}

} // namespace trellis::auth
