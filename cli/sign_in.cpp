#include "sign_in.h"
#include "agent_contract.h"
#include "contracts/json_write.h"
#include "qr_text.h"
#include "wire/ulid.h"
#include <algorithm>
#include <ostream>
#include <rapidjson/document.h>
#include <unistd.h>

namespace trellis::cli {
namespace {

void show_pending(const StartedFlow &flow, Output &out) {
  if (out.format() == Output::Format::json) {
    out.err() << JsonObjectText().text("status", "pending").text("loginUrl", flow.login_url).str() << std::endl;
    return;
  }
  out.err() << "Sign in with a browser, on this machine or another:\n\n  " << printable(flow.login_url) << "\n\n";
  if (::isatty(STDERR_FILENO))
    if (const auto code = qr_text(flow.login_url)) out.err() << *code << "\n";
  out.err() << "Waiting for it ..." << std::endl;
}

LoginSession session_of(const std::string &url, SessionKey key, const Participant &participant, BoundSession bound) {
  return {url,
          std::move(bound.nats_servers),
          std::move(key),
          participant.digest,
          std::move(bound.sentinel_jwt),
          std::move(bound.sentinel_seed),
          std::move(bound.expires)};
}

bool contains_ignoring_case(std::string text, std::string_view word) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return text.find(word) != std::string::npos;
}

// The server says no more than "authorization violation" when a session is over.
Error with_expiry(Error error, const LoginSession &session) {
  std::int64_t expires = 0;
  if (error.code == "not_connected" && parse_iso_time(session.expires, expires) && expires <= unix_ms_now())
    error.expected = "a session that hasn't expired; this one did at " + session.expires + ": log in again";
  return error;
}

} // namespace

Result<Participant> cli_participant() {
  const auto contract = agent_contract();
  if (!contract) return tl::unexpected(contract.error());
  return Participant{std::string(agent_contract_text()), contract->digest()};
}

Result<Operator> operator_from(const JsonValue &me) {
  const auto kind = string_member(me, "participantKind");
  const JsonValue *user = find_member(me, "user");
  if ((kind != "app" && kind != "agent") || !user || !user->IsObject())
    return fail("not_a_user", "Auth.Sessions.Me", "the session isn't a user's");
  Operator who;
  who.user_id = string_member(*user, "userId");
  who.name = string_member(*user, "name");
  if (const JsonValue *identity = find_member(*user, "identity")) {
    who.identity_id = string_member(*identity, "identityId");
    who.provider = string_member(*identity, "provider");
    who.subject = string_member(*identity, "subject");
  }
  const JsonValue *capabilities = find_member(*user, "capabilities");
  if (capabilities && capabilities->IsArray())
    for (const JsonValue &each : capabilities->GetArray())
      who.capabilities.emplace_back(text_of(each));
  if (std::ranges::find(who.capabilities, "admin") == who.capabilities.end())
    return fail("not_an_operator", who.user_id, "not an admin", "an account with the capability \"admin\"");
  return who;
}

Result<LoginSession> log_in(const std::string &url, SessionKey key, const Participant &participant, Output &out) {
  HttpClient http;
  auto started = request_login(http, {url, key, participant.contract});
  if (!started) return tl::unexpected(started.error());
  if (auto *bound = std::get_if<BoundSession>(&*started))
    return session_of(url, std::move(key), participant, std::move(*bound));
  const auto &flow = std::get<StartedFlow>(*started);
  show_pending(flow, out);
  if (auto waited = wait_for_login(http, url, flow.flow_id); !waited) return tl::unexpected(waited.error());
  auto bound = bind_login(http, url, key, flow.flow_id);
  if (!bound) return tl::unexpected(bound.error());
  return session_of(url, std::move(key), participant, std::move(*bound));
}

Result<SignedIn> enter(LoginSession session) {
  auto plane = ControlPlane::connect(session);
  if (!plane) return tl::unexpected(with_expiry(plane.error(), session));
  const auto me = (*plane)->call("Auth.Sessions.Me", "{}");
  if (!me) return tl::unexpected(me.error());
  auto who = operator_from(*me);
  if (!who) return tl::unexpected(who.error());
  return SignedIn{std::move(session), std::move(*plane), std::move(*who)};
}

Result<SignedIn> sign_in(Output &out) {
  const auto participant = cli_participant();
  if (!participant) return tl::unexpected(participant.error());
  auto session = load_session(admin_session_file());
  if (!session) return tl::unexpected(session.error());
  if (session->contract_digest == participant->digest) return enter(std::move(*session));
  out.err() << "This CLI's contract has changed since the login; signing in again." << std::endl;
  const auto url = session->trellis_url;
  auto fresh = log_in(url, std::move(session->key), *participant, out);
  if (!fresh) return tl::unexpected(fresh.error());
  auto entered = enter(std::move(*fresh));
  if (entered)
    if (auto saved = save_session(admin_session_file(), entered->session); !saved) return tl::unexpected(saved.error());
  return entered;
}

Error explain_session_error(Error error, const std::filesystem::path &file) {
  const auto text = error.code + " " + error.message;
  const bool gone =
      std::ranges::any_of(std::initializer_list<std::string_view>{"revoked", "rejected", "session_not_found"},
                          [&](std::string_view word) { return contains_ignoring_case(text, word); });
  if (!gone || !remove_session(file)) return error;
  error.message += "; the stored session is deleted";
  error.expected = "a new login: trellis login URL";
  return error;
}

int as_operator(Output &out, const std::function<Result<void>(SignedIn &)> &work) {
  auto entered = sign_in(out);
  if (!entered) return out.fail(explain_session_error(entered.error(), admin_session_file()));
  const auto done = work(*entered);
  if (done) return 0;
  return out.fail(explain_session_error(done.error(), admin_session_file()));
}

} // namespace trellis::cli
