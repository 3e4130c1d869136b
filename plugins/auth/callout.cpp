// The order of effects (03 §6.7), and what becomes of trouble on the way.
#include "callout.h"

#include "callout_issue.h"
#include "callout_principal.h"
#include "contracts/json_write.h"
#include "principals.h"
#include "wire/ulid.h"
#include "wire/xkey.h"
#include <utility>

namespace trellis::auth {
namespace {

// What the outcome of one attempt is, before it is written as an answer.
struct Verdict {
  std::string denial;   // a code
  std::string user_jwt; // when allowed
};

// Trouble that may be gone in a moment: the request stays unanswered, because clients in the field give up for good
// after two denials (03 §7.5). A session record that can't be read stays so until somebody acts, and is denied.
bool is_passing(const Error &error) {
  return error.code != "session_corrupted";
}

std::optional<ConnectionRecord> record_of(const CalloutRequest &request, const Session &session, UnixMs now) {
  if (!request.client_id) return std::nullopt;
  return ConnectionRecord{{session.session_key, scope_id_of(session), request.user_nkey},
                          request.server_id,
                          *request.client_id,
                          iso_time(now)};
}

// Another callout, a bind or a revocation changed the session between our look and our write.
constexpr char kOvertaken[] = "session_overtaken";

} // namespace

struct Callout::State {
  Core &core;
  Connections &connections;
  CalloutKeys keys;

  CalloutAnswer answer(const CalloutRequest &request);

private:
  struct Attempt {
    const CalloutRequest &request;
    ConnectToken token;
    UnixMs now;
  };
  Result<Verdict> decide(const CalloutRequest &request);
  Result<Verdict> admit(const Attempt &attempt, const Principal &principal, std::uint64_t seen_version);
  Result<void> refresh_offer(Offer offer, UnixMs now);
  Result<std::string> store(const Principal &principal);
  void announce(const Attempt &attempt, const Session &session, const std::optional<ConnectionRecord> &connection);
  Result<std::string> check_again(const Session &session);
  CalloutAnswer sealed(const CalloutRequest &request, std::string nats_claims, std::string denial);
  void log(Level level, std::string_view message, const CalloutRequest &request, std::string_view reason);
  IssueTerms terms() const {
    return {keys.target_signing, keys.target_account, static_cast<std::int64_t>(core.config.ttl_ms.nats_jwt)};
  }
};

CalloutAnswer Callout::State::answer(const CalloutRequest &request) {
  const auto verdict = decide(request);
  if (!verdict && is_passing(verdict.error())) {
    log(Level::warn, "auth callout left unanswered", request, verdict.error().text());
    return {{}, true, "internal_error"};
  }
  const std::string denial = verdict ? verdict->denial : "internal_error";
  if (denial.empty()) return sealed(request, allowed_claims(verdict->user_jwt, keys.issuer_account), {});
  log(Level::info, "auth callout denied", request, denial);
  return sealed(request, denied_claims(denial), denial);
}

Result<Verdict> Callout::State::decide(const CalloutRequest &request) {
  const UnixMs now = core.now();
  auto token = check_connect_token(request.auth_token, now / 1000);
  if (!token) return Verdict{token.error(), {}};
  const Attempt attempt{request, std::move(*token), now};
  const auto seen_version = core.db.version();
  auto looked = core.db.read([&](Reader &db) { return resolve_principal(core, db, attempt.token, now); });
  if (!looked) return tl::make_unexpected(looked.error());
  auto &decision = *looked;
  if (!decision) return tl::make_unexpected(decision.error());
  if (decision->offer)
    if (const auto refreshed = refresh_offer(std::move(*decision->offer), now); !refreshed)
      return tl::make_unexpected(refreshed.error());
  if (!decision->principal) return Verdict{decision->denial, {}};
  return admit(attempt, *decision->principal, seen_version);
}

// A revocation may come between our look and the presence record, and find nobody to kick. So what was decided is
// looked at once more when anything changed meanwhile; whoever revokes after that finds the record. The session's other
// connections are the business of whoever revoked it.
Result<Verdict> Callout::State::admit(const Attempt &attempt, const Principal &principal, std::uint64_t seen_version) {
  Verdict verdict;
  verdict.user_jwt = issue_user_jwt(principal, attempt.request, attempt.token.use, terms(), attempt.now);
  auto denial = store(principal);
  if (!denial) return tl::make_unexpected(denial.error());
  if (!denial->empty()) return Verdict{*denial, {}};
  const auto connection = record_of(attempt.request, principal.session, attempt.now);
  announce(attempt, principal.session, connection);
  if (core.db.version() == seen_version) return verdict;
  denial = check_again(principal.session);
  if (!denial) return tl::make_unexpected(denial.error());
  if (denial->empty()) return verdict;
  if (connection) connections.withdraw(*connection);
  return Verdict{*denial, {}};
}

// Liveness can wait; an end of life that was set, or a lineage in another form, is put right at once (03 §6.4 A).
Result<void> Callout::State::refresh_offer(Offer offer, UnixMs now) {
  const auto lineage = offer_lineage(offer.deployment_id, offer.contract_id);
  const bool only_liveness = !offer.stale_at && offer.lineage_key == lineage;
  const auto change = [offer = std::move(offer), lineage, now](Writer &db) -> Result<void> {
    for (auto &stored : offers_of_deployment(db, offer.deployment_id)) {
      // Superseded meanwhile: then it must stay so.
      if (stored.offer_id != offer.offer_id || !is_active(stored, now)) continue;
      stored.liveness = "healthy";
      stored.last_refreshed_at = now;
      stored.stale_at.reset();
      stored.lineage_key = lineage;
      put_offer(db, stored);
    }
    return {};
  };
  if (!only_liveness) return core.db.write(std::function<Result<void>(Writer &)>(change));
  core.db.write_behind(change);
  return {};
}

// 03 §6.7 step 2. A denial when the principal lost its place since it was looked at.
Result<std::string> Callout::State::store(const Principal &principal) {
  if (principal.session.user()) return std::string();
  const auto &session = principal.session;
  if (!principal.changed && !principal.activation) {
    core.db.write_behind([key = session.session_key, at = session.last_auth](Writer &db) -> Result<void> {
      touch_session(db, key, at);
      return {};
    });
    return std::string();
  }
  return core.db.write<std::string>([&](Writer &db) -> Result<std::string> {
    const auto before = find_session(db, session.session_key, core.sessions_expired_before());
    if (!before) return tl::make_unexpected(before.error());
    const bool there = before->has_value();
    if (there != principal.had_session || (there && (*before)->of.index() != session.of.index()))
      return fail(kOvertaken, session.session_key, "the session changed during the callout");
    if (auto denial = check_principal(db, session, true); !denial.empty()) return denial;
    if (principal.activation) put_activation(db, *principal.activation);
    put_session(db, session);
    if (!there) audit(db, session.last_auth, session.session_key, "session.create", scope_id_of(session), "{}");
    return std::string();
  });
}

// Steps 3 and 4; neither may keep a participant out.
void Callout::State::announce(const Attempt &attempt, const Session &session,
                              const std::optional<ConnectionRecord> &connection) {
  const auto &request = attempt.request;
  if (connection)
    if (const auto recorded = connections.record(*connection); !recorded)
      log(Level::warn, "connection not recorded yet", request, recorded.error().text());
  if (const auto who = event_subject(session)) connections.opened(*who, session.session_key, request.user_nkey);
}

Result<std::string> Callout::State::check_again(const Session &session) {
  auto looked = core.db.read([&](Reader &db) -> Result<std::string> {
    const auto stored = find_session(db, session.session_key, core.sessions_expired_before());
    if (!stored) return tl::make_unexpected(stored.error());
    if (!*stored) return std::string("session_not_found");
    return check_principal(db, **stored, true);
  });
  if (!looked) return tl::make_unexpected(looked.error());
  return *looked;
}

CalloutAnswer Callout::State::sealed(const CalloutRequest &request, std::string nats_claims, std::string denial) {
  const auto token = response_jwt(std::move(nats_claims), request, keys.issuer_signing, core.now());
  auto payload = xkey_seal(keys.xkey, request.server_xkey, as_bytes(token));
  if (!payload) {
    log(Level::error, "auth callout answer not sealed", request, payload.error().text());
    return {{}, false, "internal_error"};
  }
  return {std::move(*payload), false, std::move(denial)};
}

// Never the token: it is a bearer secret for as long as it is fresh.
void Callout::State::log(Level level, std::string_view message, const CalloutRequest &request,
                         std::string_view reason) {
  JsonObjectText fields;
  fields.text("reason", reason).text("clientIp", request.client_ip).text("server", request.server_name);
  if (const auto token = parse_connect_token(request.auth_token)) fields.text("sessionKey", token->session_key);
  core.log(level, message, fields.str());
}

Callout::Callout(Core &core, Connections &connections, CalloutKeys keys)
    : state_(new State{core, connections, std::move(keys)}) {}
Callout::~Callout() = default;

std::optional<CalloutRequest> Callout::decode(std::string_view server_xkey, ByteView payload) const {
  auto request = decode_callout_request(state_->keys.xkey, server_xkey, payload);
  if (request) return std::move(*request);
  state_->core.log(Level::warn, "auth callout request not readable",
                   JsonObjectText().text("reason", request.error().message).str());
  return std::nullopt;
}

CalloutAnswer Callout::answer(const CalloutRequest &request) {
  return state_->answer(request);
}

CalloutAnswer Callout::handle(std::string_view server_xkey, ByteView payload) {
  const auto request = decode(server_xkey, payload);
  return request ? answer(*request) : CalloutAnswer();
}

} // namespace trellis::auth
