#include "core_rpcs.h"
#include "authority_records.h"
#include "contracts/json_write.h"
#include "store/database.h"
#include "store/deployments.h"
#include <algorithm>
#include <array>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

// 01 §14.4: a digest can't be computed from the reply.
constexpr std::array<std::string_view, 3> kLeftOut = {"capabilities", "feeds", "eventConsumers"};

std::string shown_contract(const std::string &text) {
  const auto document = parse_json(text);
  JsonObjectText out;
  if (document && document->IsObject())
    for (const auto &member : document->GetObject())
      if (std::ranges::find(kLeftOut, text_of(member.name)) == kLeftOut.end())
        out.json(text_of(member.name), to_json(member.value));
  return out.str();
}

// The first active offer of the instance that fits what was asked for.
std::optional<Offer> matching_offer(Reader &db, const ServiceInstance &instance, const Body &body, UnixMs now) {
  const auto contract_id = body.optional_text("contractId"), digest = body.optional_text("digest");
  for (Offer &offer : offers_of_deployment(db, instance.deployment_id))
    if (offer.instance_id == instance.instance_id && is_active(offer, now) &&
        (!contract_id || offer.contract_id == *contract_id) && (!digest || offer.contract_digest == *digest))
      return std::move(offer);
  return std::nullopt;
}

// What a contract asks for, of resources. Nothing when it can't be analysed any more.
std::vector<ResourceNeed> requested_resources(const Manifest &contract, const KnownContracts &known) {
  const auto analysis = analyze(contract, known, Resolution::known_or_pending);
  return analysis ? analysis->requested().resources : std::vector<ResourceNeed>{};
}

std::string binding_json(const Offer &offer, const std::string &resources) {
  const std::string binding = JsonObjectText()
                                  .text("contractId", offer.contract_id)
                                  .text("digest", offer.contract_digest)
                                  .json("resources", resources)
                                  .str();
  return JsonObjectText().json("binding", binding).str();
}

} // namespace

Result<std::string> catalog_reply(AuthorityContext &context) {
  const auto view = context.core.catalog.view(context.core.db, context.core.now());
  if (!view) return tl::make_unexpected(view.error());
  return JsonObjectText().json("catalog", catalog_json((*view)->effective)).str();
}

Result<std::string> contract_reply(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const std::string digest = body->text("digest");
  const auto text = context.core.db.read([&](Reader &db) { return context.core.catalog.text_of(db, digest); });
  if (!text) return tl::make_unexpected(text.error());
  if (!*text) return invalid("/digest", "No contract of this digest is known.", {{"digest", digest}});
  return JsonObjectText().json("contract", shown_contract(**text)).str();
}

Result<std::string> bindings_reply(AuthorityContext &context, std::string_view input, std::string_view caller) {
  const auto body = Body::parse(input), who = Body::parse(caller);
  if (!body) return tl::make_unexpected(body.error());
  if (!who || who->text("type") != "service") return invalid("/user", "The caller is no service.");
  const auto view = context.core.catalog.view(context.core.db, context.core.now());
  if (!view) return tl::make_unexpected(view.error());
  const auto looked = context.core.db.read([&](Reader &db) -> Result<std::string> {
    const auto instance = service_instance_of_key(db, who->text("id"));
    if (!instance) return invalid("/service", "The caller has no service instance.");
    const auto offer = matching_offer(db, *instance, *body, context.core.now());
    const auto authority = find_authority(db, instance->deployment_id);
    const auto materialization = find_materialization(db, instance->deployment_id);
    if (!offer || !authority || authority->disabled || !materialization || materialization->status != "current" ||
        materialization->desired_version != authority->version)
      return std::string("{}");
    const auto &contracts = (*view)->effective.contracts;
    const auto contract = std::ranges::find(contracts, offer->contract_digest, &Manifest::digest);
    if (contract == contracts.end()) return binding_json(*offer, "{}");
    return binding_json(*offer, bound_resources_json(materialization->bindings,
                                                     requested_resources(*contract, (*view)->with_accepted)));
  });
  if (!looked) return tl::make_unexpected(looked.error());
  return *looked;
}

} // namespace trellis::auth
