// auth-callout.json (vectors README §3.2; 03 §6): the real Callout over a real store; NATS is recorded.
#include "auth_callout_state.h"
#include "callout_testing.h"
#include "contracts/canonical.h"
#include "store/deployments.h"
#include "wire/jwt.h"
#include "wire/ulid.h"
#include "wire_vectors.h"
#include <cmath>
#include <cstdlib>
#include <set>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

constexpr std::int64_t kNowTolerance = 5000; // README §1.3, <now>

// Who connects with what: the file's fixtures, else what the README gives for files without any.
struct Caller {
  SessionKey key;
  std::string digest;
};

Caller caller_of(const CaseContext &context) {
  const JsonValue none(rapidjson::kObjectType);
  const JsonValue &fixtures = context.fixtures ? *context.fixtures : none;
  const auto seed = string_member(fixtures, "sessionSeed", "_KqCXnMhEvr-ppt0IB2ZjvZ-D1UYotacu49TyEulwuM");
  const auto digest = string_member(fixtures, "contractDigest", "yC2XnNn78IaK3nt9mVcjWAd4t2p8zuT0X_ZqsNwU3VI");
  return {required(SessionKey::from_seed(seed)), std::string(digest)};
}

// ---------------------------------------------------------------- the request

JsonValue copied_text(std::string_view text, JsonDocument &into) {
  return JsonValue(text.data(), static_cast<rapidjson::SizeType>(text.size()), into.GetAllocator());
}

void set_member(JsonDocument &object, std::string_view name, JsonValue value) {
  object.EraseMember(copied_text(name, object));
  object.AddMember(copied_text(name, object), value, object.GetAllocator());
}

std::string connect_token(const Input &request, const Caller &caller, std::int64_t now) {
  const auto *offset = request.find("iatOffset");
  const double iat = std::floor(static_cast<double>(now) / 1000) + (offset ? offset->GetDouble() : 0);
  const std::string digest = request.text_or("contractDigest", caller.digest);
  const std::string domain = request.text_or("domain", "nats-connect");
  const std::string signed_digest = request.text_or("signedDigest", digest);

  JsonDocument token(rapidjson::kObjectType);
  set_member(token, "v", JsonValue(1));
  set_member(token, "sessionKey", copied_text(caller.key.text(), token));
  set_member(token, "iat", JsonValue(iat));
  set_member(token, "contractDigest", copied_text(digest, token));
  const std::string signed_value = required(canonical_json(token["iat"])) + ":" + signed_digest;
  set_member(token, "sig", copied_text(caller.key.sign_domain(domain, signed_value), token));
  if (const auto *patch = request.find("tokenPatch"))
    for (const auto &member : patch->GetObject())
      set_member(token, text_of(member.name), JsonValue(member.value, token.GetAllocator()));
  return required(canonical_json(token));
}

// nats-server's claims with the case's changes.
std::string nats_claims(const auth::testing::ServerSide &server, const Input &request, const Caller &caller,
                        std::int64_t now) {
  const std::string token = connect_token(request, caller, now);
  auto nats = required_json(server.nats_claims(token));
  if (const auto *replaced = request.find("authToken")) {
    nats["connect_opts"].RemoveMember("auth_token");
    if (!replaced->IsNull())
      nats["connect_opts"].AddMember("auth_token", JsonValue(*replaced, nats.GetAllocator()), nats.GetAllocator());
  }
  if (const auto *info = request.find("clientInfo"))
    set_member(nats, "client_info", JsonValue(*info, nats.GetAllocator()));
  if (const auto *dropped = request.find("dropNats"))
    for (const auto &name : dropped->GetArray())
      nats.EraseMember(JsonValue(name, nats.GetAllocator()));
  return to_json(nats);
}

// ---------------------------------------------------------------- the result

class Shown {
public:
  explicit Shown(std::int64_t now) : now_(now) {}
  std::string time(std::int64_t ms) const { return std::abs(ms - now_) <= kNowTolerance ? "<now>" : iso_time(ms); }
  void time(Output &out, std::string_view name, const std::optional<std::int64_t> &ms) const {
    ms ? out.text(name, time(*ms)) : out.json(name, JsonValue());
  }

  Output session(const Session &session) const {
    Output out;
    if (const auto *user = session.user()) {
      out.text("type", "user").text("userId", user->user_id); // nothing writes these: a case that shows one fails
    } else if (const auto *service = session.service()) {
      out.text("type", "service").text("trellisId", service->trellis_id).text("origin", "service");
      out.text("id", session.session_key).text("email", service->email).text("name", service->name);
      out.text("instanceId", service->instance_id).text("deploymentId", service->deployment_id);
      out.text("instanceKey", session.session_key);
      text(out, "contractId", service->contract_id);
      text(out, "contractDigest", service->contract_digest);
    } else {
      const auto &device = *session.device();
      out.text("type", "device").text("instanceId", device.instance_id).text("publicIdentityKey", session.session_key);
      out.text("deploymentId", device.deployment_id).text("contractId", device.contract_id);
      out.text("contractDigest", device.contract_digest).texts("delegatedCapabilities", device.capabilities);
      out.texts("delegatedPublishSubjects", device.publish_subjects);
      out.texts("delegatedSubscribeSubjects", device.subscribe_subjects);
      time(out, "activatedAt", device.activated_at);
      time(out, "revokedAt", device.revoked_at);
    }
    out.text("createdAt", time(session.created_at)).text("lastAuth", time(session.last_auth));
    return out;
  }

  Output activation(const Activation &activation) const {
    Output out;
    out.text("instanceId", activation.instance_id).text("publicIdentityKey", activation.public_identity_key);
    out.text("deploymentId", activation.deployment_id);
    if (activation.activated_by) out.json("activatedBy", required_json(*activation.activated_by));
    out.text("state", activation.state);
    time(out, "activatedAt", activation.activated_at);
    time(out, "revokedAt", activation.revoked_at);
    return out;
  }

private:
  static void text(Output &out, std::string_view name, const std::optional<std::string> &value) {
    value ? out.text(name, *value) : out.json(name, JsonValue());
  }
  std::int64_t now_;
};

Output response_of(const DecodedJwt &response) {
  const auto &nats = response.claims["nats"];
  Output out;
  out.text("aud", response.audience).text("sub", response.subject).text("iss", response.issuer);
  out.json("type", nats["type"]).json("version", nats["version"]);
  if (const auto *error = find_member(nats, "error")) out.json("error", *error);
  if (const auto *account = find_member(nats, "issuer_account")) out.json("natsIssuerAccount", *account);
  return out;
}

// README §3.2 allows one second either way, which only the expected value can settle.
double within_a_second(double lifetime, const CaseContext &context) {
  const auto *jwt = find_member(*context.expected, "userJwt");
  const auto *wanted = jwt ? find_member(*jwt, "expMinusIat") : nullptr;
  const bool close = wanted && wanted->IsNumber() && std::abs(wanted->GetDouble() - lifetime) <= 1;
  return close ? wanted->GetDouble() : lifetime;
}

Output user_jwt_of(const DecodedJwt &response, const CaseContext &context) {
  const auto jwt = required(decode_jwt(string_member(response.claims["nats"], "jwt")));
  const auto lifetime = static_cast<double>(jwt.expires_at.value() - jwt.issued_at.value());
  Output out;
  out.text("name", jwt.name).text("sub", jwt.subject).text("iss", jwt.issuer).text("aud", jwt.audience);
  out.number("expMinusIat", within_a_second(lifetime, context)).json("nats", jwt.claims["nats"]);
  return out;
}

// Object names hold the user key of the run, which the runner's placeholders don't reach.
std::string with_placeholder(std::string key, const std::string &user_nkey) {
  const auto at = key.find(user_nkey);
  return at == std::string::npos ? key : key.replace(at, user_nkey.size(), "<user nkey>");
}

Output connections_of(const auth::testing::Domain &domain, const std::string &user_nkey, const Shown &shown) {
  Output out;
  for (const auto &[key, value] : domain.auth.bucket("trellis_connections")) {
    const auto record = required_json(value);
    std::int64_t connected_at = 0;
    if (!parse_iso_time(string_member(record, "connectedAt"), connected_at)) throw std::runtime_error("connectedAt");
    Output shown_record;
    for (const auto &member : record.GetObject()) {
      const auto name = text_of(member.name);
      if (name == "connectedAt")
        shown_record.text(name, shown.time(connected_at));
      else
        shown_record.json(name, member.value);
    }
    out.json(with_placeholder(key, user_nkey), std::move(shown_record));
  }
  return out;
}

Output events_of(const auth::testing::Domain &domain) {
  constexpr std::string_view kPrefix = "events.v1.";
  Output out(rapidjson::kArrayType);
  for (const auto &sent : domain.journal.with_prefix(kPrefix)) {
    auto payload = required_json(sent.payload);
    payload.RemoveMember("header");
    out.push(std::move(Output().text("event", sent.subject.substr(kPrefix.size())).json("payload", payload)));
  }
  return out;
}

// ---------------------------------------------------------------- a case

void choose_values(PlaceholderValues &values, const auth::testing::ServerSide &server, const CalloutKeys &keys) {
  values["server id"] = server.server.public_text();
  values["user nkey"] = server.user.public_text();
  values["issuer signing key"] = keys.issuer_signing.public_text();
  values["issuer account"] = keys.issuer_account;
  values["target signing key"] = keys.target_signing.public_text();
  values["target account"] = keys.target_account;
}

// What an answer changed, by what the store holds before and after.
struct Snapshot {
  std::optional<std::string> session; // as it is shown
  std::vector<Offer> offers;
  std::vector<Activation> activations;
};

Snapshot snapshot_of(auth::testing::Domain &domain, const CalloutState &state, const Caller &caller,
                     const Shown &shown) {
  domain.settle();
  Snapshot snapshot;
  if (!state.unreadable_sessions)
    if (const auto session = domain.session(caller.key.text()))
      snapshot.session = to_json(shown.session(*session).take()) + std::to_string(session->last_auth);
  (void)domain.db->read([&](Reader &db) {
    snapshot.offers = list_offers(db);
    for (const auto &id : state.activations)
      if (auto activation = find_activation(db, id)) snapshot.activations.push_back(std::move(*activation));
    return true;
  });
  return snapshot;
}

Output refreshed_offers(const Snapshot &before, const Snapshot &after) {
  Output out(rapidjson::kArrayType);
  for (std::size_t i = 0; i < after.offers.size(); ++i) {
    const auto &offer = after.offers[i];
    if (offer.last_refreshed_at == before.offers.at(i).last_refreshed_at) continue;
    Output item;
    item.text("liveness", offer.liveness).text("lineageKey", offer.lineage_key);
    offer.stale_at ? item.text("staleAt", iso_time(*offer.stale_at)) : item.json("staleAt", JsonValue());
    out.push(std::move(item));
  }
  return out;
}

Output written_activations(const Snapshot &before, const Snapshot &after, const Shown &shown) {
  Output out(rapidjson::kArrayType);
  for (std::size_t i = 0; i < after.activations.size(); ++i)
    if (after.activations[i].activated_at != before.activations.at(i).activated_at)
      out.push(shown.activation(after.activations[i]));
  return out;
}

JsonDocument run(const Input &input, const CaseContext &context) {
  const Input request(input.at("request"));
  const Caller caller = caller_of(context);
  auth::testing::ServerSide server;
  const CalloutState state = read_callout_state(input.at("state"));
  auth::testing::Domain domain(state.known);
  const std::int64_t now = unix_ms_now() / 1000 * 1000;
  domain.now = now;
  domain.config.ttl_ms.sessions = 0; // the cases' sessions are of another day
  if (state.nats_jwt_ms) domain.config.ttl_ms.nats_jwt = *state.nats_jwt_ms;
  domain.change(state.fill);
  auto keys = auth::testing::generated_callout_keys();
  const std::string callout_xkey = keys.xkey.public_text();
  choose_values(*context.values, server, keys);
  Callout callout(domain.core, domain.connections, std::move(keys));
  const Shown shown(now);
  const auto before = snapshot_of(domain, state, caller, shown);

  const std::string token = server.request_jwt(nats_claims(server, request, caller, now), now / 1000);
  const bool plain = request.flag("plaintext"), no_header = request.flag("noXkeyHeader");
  if (const auto unread = request.unread(); !unread.empty()) throw std::runtime_error("unknown member " + unread[0]);
  const Bytes payload = plain ? Bytes(token.begin(), token.end()) : server.sealed(token, callout_xkey);
  const auto answer = callout.handle(plain || no_header ? std::string() : server.xkey.public_text(), payload);
  if (answer.silent) throw std::runtime_error("left unanswered: " + domain.log_lines.back());
  if (answer.payload.empty()) return Output().flag("emptyReply", true).take();

  const auto after = snapshot_of(domain, state, caller, shown);
  const auto response = required(decode_jwt(server.opened(answer.payload, callout_xkey)));
  const bool session_written = before.session != after.session;
  auto connections = connections_of(domain, server.user.public_text(), shown).take();
  auto events = events_of(domain).take();
  Output out;
  out.flag("allowed", answer.denial.empty()).json("response", response_of(response));
  if (!answer.denial.empty()) {
    Output wrote;
    wrote.number("sessions", session_written ? 1 : 0).number("connections", connections.MemberCount());
    return out.text("denied", answer.denial).json("wrote", std::move(wrote.number("events", events.Size()))).take();
  }
  out.json("userJwt", user_jwt_of(response, context)).json("connections", connections).json("events", events);
  const auto session = session_written ? domain.session(caller.key.text()) : std::nullopt;
  session ? out.json("sessionWritten", shown.session(*session)) : out.json("sessionWritten", JsonValue());
  out.json("offersRefreshed", refreshed_offers(before, after));
  return out.json("activationsWritten", written_activations(before, after, shown)).take();
}

} // namespace

void register_auth_callout(Registry &registry) {
  registry["auth-callout"]["callout"] = {run, {.sets = {"allow"}}};
}

} // namespace trellis::vectors
