#include "auth_callout_state.h"

#include "contracts/authority_json.h"
#include "contracts/canonical.h"
#include "store/accounts.h"
#include "store/authority.h"
#include "store/deployments.h"
#include "store/sessions.h"
#include "wire/ulid.h"
#include "wire_vectors.h"
#include <stdexcept>
#include <utility>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

// One record, member by member; finished() throws when one was not asked for.
class Record : public Input {
public:
  using Input::Input;

  std::optional<std::string> optional_text(std::string_view name) const {
    const auto *value = find(name);
    return value && value->IsString() ? std::optional(std::string(text_of(*value))) : std::nullopt;
  }
  std::optional<UnixMs> optional_time(std::string_view name) const {
    UnixMs ms = 0;
    const auto text = optional_text(name);
    return text && parse_iso_time(*text, ms) ? std::optional(ms) : std::nullopt;
  }
  UnixMs time(std::string_view name) const { return optional_time(name).value_or(0); }
  Names names(std::string_view name) const {
    Names out;
    if (const auto *value = find(name))
      for (const auto &item : value->GetArray())
        out.emplace_back(text_of(item));
    return out;
  }
  std::optional<std::string> optional_json(std::string_view name) const {
    const auto *value = find(name);
    return value && !value->IsNull() ? std::optional(to_json(*value)) : std::nullopt;
  }
  void finished() const {
    if (const auto left = unread(); !left.empty())
      throw std::runtime_error("unknown member " + left[0] + " of a record");
  }
};

// ---------------------------------------------------------------- deployments

void put_instance(Writer &db, const Record &in) {
  ServiceInstance out{in.text("instanceId"), in.text("deploymentId"),  in.text("instanceKey"),
                      in.flag("disabled"),   in.names("capabilities"), in.time("createdAt")};
  in.find("resourceBindings"); // nothing reads them any more (02 §16)
  put_service_instance(db, out);
}

void put_service(Writer &db, const Record &in) {
  put_service_deployment(db, {in.text("deploymentId"), in.names("namespaces"),
                              in.text_or("contractCompatibilityMode", "strict") == "mutable-dev", in.flag("disabled")});
}

void put_device(Writer &db, const Record &in) {
  put_device_instance(db, {in.text("instanceId"), in.text("publicIdentityKey"), in.text("deploymentId"),
                           in.text("state"), in.optional_json("metadata"), in.time("createdAt"),
                           in.optional_time("activatedAt"), in.optional_time("revokedAt")});
}

void put_devices(Writer &db, const Record &in) {
  put_device_deployment(db,
                        {in.text("deploymentId"), in.text_or("reviewMode", "none") == "required", in.flag("disabled")});
}

void put_device_activation(Writer &db, const Record &in) {
  put_activation(db, {in.text("instanceId"), in.text("publicIdentityKey"), in.text("deploymentId"), in.text("state"),
                      in.optional_json("activatedBy"), in.optional_time("activatedAt"), in.optional_time("revokedAt")});
}

// ---------------------------------------------------------------- authority

void put_deployment_authority(Writer &db, const Record &in) {
  put_authority(db,
                {in.text("deploymentId"), in.text("kind"), in.flag("disabled"), in.text("version"),
                 required(desired_state_from_json(in.at("desiredState"))), in.time("createdAt"), in.time("updatedAt")});
}

StoredBinding binding_of(const Record &in) {
  in.text("deploymentId");
  in.find("limits");
  StoredBinding out{in.text("kind"), in.text("alias"), to_json(in.at("binding")), in.time("createdAt"),
                    in.time("updatedAt")};
  in.finished();
  return out;
}

void put_materialized(Writer &db, const Record &in) {
  Materialization out;
  out.deployment_id = in.text("deploymentId");
  out.desired_version = in.text("desiredVersion");
  out.status = in.text("status");
  out.grants = required(grants_from_json(in.at("grants")));
  if (const auto *bindings = in.find("resourceBindings"))
    for (const auto &binding : bindings->GetArray())
      out.bindings.push_back(binding_of(Record(binding)));
  out.reconciled_at = in.optional_time("reconciledAt");
  out.error = in.optional_text("error");
  put_materialization(db, out);
}

void put_implementation_offer(Writer &db, const Record &in) {
  Offer out;
  out.offer_id = in.text("offerId");
  out.lineage_key = in.text("lineageKey");
  out.deployment_id = in.text("deploymentId");
  out.deployment_kind = in.text("deploymentKind");
  out.instance_id = in.optional_text("instanceId");
  out.contract_id = in.text("contractId");
  out.contract_digest = in.text("contractDigest");
  out.status = in.text("status");
  out.liveness = in.text("liveness");
  out.first_offered_at = in.time("firstOfferedAt");
  out.accepted_at = in.optional_time("acceptedAt");
  out.last_refreshed_at = in.optional_time("lastRefreshedAt");
  out.stale_at = in.optional_time("staleAt");
  out.expires_at = in.optional_time("expiresAt");
  put_offer(db, out);
}

void put_contract(Writer &db, const Record &in) {
  add_contract(db, {in.text("digest"), in.text("id"), in.text_or("displayName", ""), in.text_or("description", ""),
                    in.text("contract"), in.time("installedAt")});
}

void put_capability_group(Writer &db, const Record &in) {
  put_group(db, {in.text("groupKey"), in.text("displayName"), in.text("description"), in.names("capabilities"),
                 in.names("includedGroups"), in.time("createdAt"), in.time("updatedAt")});
}

void put_account(Writer &db, const Record &in) {
  in.text("origin");
  User out;
  out.user_id = in.text("id");
  out.name = in.optional_text("name");
  out.email = in.optional_text("email");
  out.active = in.flag("active");
  out.capabilities = in.names("capabilities");
  out.groups = in.names("capabilityGroups");
  put_user(db, out);
}

// ---------------------------------------------------------------- sessions

UserSession user_session(const Record &in) {
  const Record identity(in.at("identity"));
  UserSession out;
  out.user_id = in.text("userId");
  out.identity = {identity.text("identityId"), identity.text("provider"), identity.text("subject")};
  identity.finished();
  out.email = in.text("email");
  out.name = in.text("name");
  out.image = in.optional_text("image");
  out.participant_kind = in.text("participantKind");
  out.identity_grant_id = in.optional_text("identityGrantId");
  out.contract_digest = in.text("contractDigest");
  out.contract_id = in.text("contractId");
  out.contract_display_name = in.text("contractDisplayName");
  out.contract_description = in.text("contractDescription");
  if (const auto *app = in.find("app")) {
    const Record origin(*app);
    origin.text("contractId");
    out.app_origin = origin.optional_text("origin");
    origin.finished();
  }
  out.approval_source = in.optional_text("approvalSource");
  out.needs_json = in.optional_json("identityAuthorityNeeds");
  out.capabilities = in.names("delegatedCapabilities");
  out.publish_subjects = in.names("delegatedPublishSubjects");
  out.subscribe_subjects = in.names("delegatedSubscribeSubjects");
  return out;
}

ServiceSession service_session(const Record &in) {
  for (const char *redundant : {"origin", "id", "instanceKey"})
    in.text(redundant);
  return {in.text("trellisId"),
          in.text("email"),
          in.text("name"),
          in.text("instanceId"),
          in.text("deploymentId"),
          in.optional_text("contractId"),
          in.optional_text("contractDigest")};
}

DeviceSession device_session(const Record &in) {
  in.text("publicIdentityKey");
  return {in.text("instanceId"),
          in.text("deploymentId"),
          in.text("contractId"),
          in.text("contractDigest"),
          in.names("delegatedCapabilities"),
          in.names("delegatedPublishSubjects"),
          in.names("delegatedSubscribeSubjects"),
          in.optional_time("activatedAt"),
          in.optional_time("revokedAt")};
}

std::optional<Session> session_of(const std::string &session_key, const Record &in) {
  Session out{session_key, in.time("createdAt"), in.time("lastAuth"), {}};
  const auto type = in.text_or("type", "");
  try {
    if (type == "user") out.of = user_session(in);
    if (type == "service") out.of = service_session(in);
    if (type == "device") out.of = device_session(in);
  } catch (const std::runtime_error &) { // a member is missing: a record that can't be read
    return std::nullopt;
  }
  return type == "user" || type == "service" || type == "device" ? std::optional(std::move(out)) : std::nullopt;
}

void put_unreadable_session(Writer &db, const std::string &session_key, const Record &in) {
  in.accept_all();
  db.execute("INSERT INTO sessions (session_key, type, created_at, last_auth, record) VALUES (?1, ?2, ?3, ?4, ?5)",
             {session_key, in.text_or("type", ""), in.time("createdAt"), in.time("lastAuth"), to_json(in.whole())});
}

void put_any_session(Writer &db, const std::string &session_key, const Record &in) {
  if (const auto session = session_of(session_key, in))
    put_session(db, *session);
  else
    put_unreadable_session(db, session_key, in);
}

// ---------------------------------------------------------------- all of it

using Put = void (*)(Writer &, const Record &);
constexpr std::pair<const char *, Put> kFamilies[] = {
    {"serviceInstances", put_instance},        {"serviceDeployments", put_service},
    {"deviceInstances", put_device},           {"deviceDeployments", put_devices},
    {"activations", put_device_activation},    {"authorities", put_deployment_authority},
    {"materializations", put_materialized},    {"offers", put_implementation_offer},
    {"storedContracts", put_contract},         {"users", put_account},
    {"capabilityGroups", put_capability_group}};

template <class Visit>
void each_record(const JsonValue *family, const Visit &visit) {
  if (!family) return;
  if (family->IsArray())
    for (const auto &record : family->GetArray())
      visit(std::string(), record);
  else
    for (const auto &member : family->GetObject())
      visit(std::string(text_of(member.name)), member.value);
}

// A known contract under its own digest is like a built-in one; under another text it can only be a stored one.
using Misnamed = std::vector<StoredContract>;
std::vector<Manifest> known_contracts(const JsonValue *family, Misnamed &misnamed) {
  std::vector<Manifest> known;
  each_record(family, [&](const std::string &digest, const JsonValue &document) {
    auto manifest = Manifest::parse(to_json(document));
    if (manifest && manifest->digest() == digest)
      known.push_back(std::move(*manifest));
    else
      misnamed.push_back(
          {digest, std::string(string_member(document, "id")), "", "", canonical_json(document).value_or(""), 0});
  });
  return known;
}

} // namespace

CalloutState read_callout_state(const JsonValue &state) {
  const Record in(state);
  CalloutState out;
  Misnamed misnamed;
  out.known = known_contracts(in.find("knownContracts"), misnamed);
  if (const auto *lifetime = in.find("natsJwtMs")) out.nats_jwt_ms = lifetime->GetDouble();
  each_record(in.find("activations"), [&](const std::string &, const JsonValue &record) {
    out.activations.emplace_back(string_member(record, "instanceId"));
  });
  each_record(in.find("sessions"), [&](const std::string &key, const JsonValue &record) {
    out.unreadable_sessions |= !session_of(key, Record(record));
  });
  for (const auto &[name, put] : kFamilies)
    in.find(name);
  in.finished();

  out.fill = [&state, misnamed](Writer &db) {
    for (const auto &[name, put] : kFamilies)
      each_record(find_member(state, name), [&, put = put](const std::string &, const JsonValue &value) {
        const Record record(value);
        put(db, record);
        record.finished();
      });
    for (const auto &contract : misnamed)
      add_contract(db, contract);
    each_record(find_member(state, "sessions"), [&](const std::string &key, const JsonValue &value) {
      const Record record(value);
      put_any_session(db, key, record);
      record.finished();
    });
  };
  return out;
}

} // namespace trellis::vectors
