#include "contracts/json_text.h"
#include "store/authority.h"
#include "store/columns.h"
#include <initializer_list>

namespace trellis::auth {
namespace {

constexpr std::string_view kOffers =
    "SELECT offer_id, lineage_key, deployment_id, deployment_kind, instance_id, contract_id, contract_digest, status, "
    "liveness, first_offered_at, accepted_at, last_refreshed_at, stale_at, expires_at FROM offers";
constexpr std::string_view kOfDeployment = " WHERE deployment_id = ?1 ORDER BY offer_id";
constexpr std::string_view kInOrder = " ORDER BY offer_id";

Offer read_offer(Columns row) {
  return {.offer_id = row.text(),
          .lineage_key = row.text(),
          .deployment_id = row.text(),
          .deployment_kind = row.text(),
          .instance_id = row.optional_text(),
          .contract_id = row.text(),
          .contract_digest = row.text(),
          .status = row.text(),
          .liveness = row.text(),
          .first_offered_at = row.integer(),
          .accepted_at = row.optional_integer(),
          .last_refreshed_at = row.optional_integer(),
          .stale_at = row.optional_integer(),
          .expires_at = row.optional_integer()};
}

std::string key_of(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) {
    out += out.empty() ? '[' : ',';
    append_json_string(out, part);
  }
  return out + "]";
}

bool is_future(const std::optional<UnixMs> &time, UnixMs now) {
  return !time || *time > now;
}

} // namespace

bool is_active(const Offer &offer, UnixMs now) {
  return offer.status == "accepted" && offer.accepted_at && is_future(offer.stale_at, now) &&
         is_future(offer.expires_at, now);
}

std::string offer_lineage(std::string_view deployment_id, std::string_view contract_id) {
  return key_of({"service", deployment_id, contract_id});
}

std::string offer_id_of(std::string_view deployment_id, std::string_view instance_id, std::string_view contract_id,
                        std::string_view digest) {
  return key_of({"service", deployment_id, instance_id, contract_id, digest});
}

std::vector<Offer> offers_of_deployment(Reader &db, std::string_view deployment_id) {
  return all_of(db, joined<kOffers, kOfDeployment>, {deployment_id}, read_offer);
}

std::vector<Offer> list_offers(Reader &db) {
  return all_of(db, joined<kOffers, kInOrder>, {}, read_offer);
}

// contractDigest never changes (02 §16); lineageKey follows from deployment and contract, and the callout puts an older
// form of it right (03 §6.4 A).
void put_offer(Writer &db, const Offer &offer) {
  const int stored = db.execute(
      "INSERT INTO offers (offer_id, lineage_key, deployment_id, deployment_kind, instance_id, contract_id, "
      "contract_digest, status, liveness, first_offered_at, accepted_at, last_refreshed_at, stale_at, expires_at) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (offer_id) DO UPDATE SET "
      "lineage_key = excluded.lineage_key, deployment_id = excluded.deployment_id, deployment_kind = "
      "excluded.deployment_kind, "
      "instance_id = excluded.instance_id, contract_id = excluded.contract_id, status = excluded.status, "
      "liveness = excluded.liveness, first_offered_at = excluded.first_offered_at, "
      "accepted_at = excluded.accepted_at, last_refreshed_at = excluded.last_refreshed_at, "
      "stale_at = excluded.stale_at, expires_at = excluded.expires_at "
      "WHERE contract_digest = excluded.contract_digest",
      {offer.offer_id, offer.lineage_key, offer.deployment_id, offer.deployment_kind, offer.instance_id,
       offer.contract_id, offer.contract_digest, offer.status, offer.liveness, offer.first_offered_at,
       offer.accepted_at, offer.last_refreshed_at, offer.stale_at, offer.expires_at});
  if (stored == 0) throw storage_error("offer " + offer.offer_id, "is of another digest");
}

} // namespace trellis::auth
