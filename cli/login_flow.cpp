#include "login_flow.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include "wire/login_proofs.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <thread>

namespace trellis::cli {
namespace {

// Where the browser ends: the login page itself, which stays and says that it is done (04 §17.2).
constexpr char kRedirect[] = "/_trellis/portal/users/login";
constexpr std::size_t kShownBody = 500;

// A flow id becomes part of a path.
bool is_flow_id(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

tl::unexpected<Error> invalid(std::string_view url, std::string message) {
  return fail("login_answer_invalid", std::string(url), std::move(message), "the answer of a control plane");
}

// The JSON object of a 2xx answer. `url`: for messages.
Result<JsonDocument> object_of(std::string_view url, const Result<HttpAnswer> &answer) {
  if (!answer) {
    Error error = answer.error();
    error.where = url; // the real one may hold a flow id
    return tl::unexpected(std::move(error));
  }
  if (answer->status < 200 || answer->status > 299)
    return fail("login_failed", std::string(url),
                "the control plane answered " + std::to_string(answer->status) + ": " +
                    utf8_text(std::string_view(answer->body).substr(0, kShownBody)));
  auto body = parse_json(answer->body);
  if (!body || !body->IsObject()) return invalid(url, "the answer is no JSON object");
  return body;
}

std::string native_servers(const JsonValue &body) {
  const JsonValue *transports = find_member(body, "transports");
  const JsonValue *native = transports ? find_member(*transports, "native") : nullptr;
  const JsonValue *servers = native ? find_member(*native, "natsServers") : nullptr;
  std::string out;
  if (servers && servers->IsArray())
    for (const JsonValue &server : servers->GetArray())
      if (const auto text = text_of(server); !text.empty()) out.append(out.empty() ? "" : ",").append(text);
  return out;
}

Result<BoundSession> bound_session(std::string_view url, const JsonValue &body) {
  BoundSession bound;
  bound.nats_servers = native_servers(body);
  bound.expires = string_member(body, "expires");
  if (const JsonValue *sentinel = find_member(body, "sentinel")) {
    bound.sentinel_jwt = string_member(*sentinel, "jwt");
    bound.sentinel_seed = SecretText(std::string(string_member(*sentinel, "seed")));
  }
  if (bound.nats_servers.empty()) return invalid(url, "it names no native NATS server");
  if (bound.expires.empty() || bound.sentinel_jwt.empty() || bound.sentinel_seed.empty())
    return invalid(url, "expires or sentinel is missing");
  return bound;
}

std::string names_in(const JsonValue &body, const char *member) {
  std::string out;
  const JsonValue *list = find_member(body, member);
  if (list && list->IsArray())
    for (const JsonValue &name : list->GetArray())
      out.append(out.empty() ? "" : ", ").append(text_of(name));
  return out;
}

// What a status other than the hoped for means.
tl::unexpected<Error> refused(std::string_view url, const JsonValue &body) {
  const auto status = string_member(body, "status");
  if (status == "expired")
    return fail("login_expired", std::string(url), "the login wasn't finished in time", "log in again");
  if (status == "approval_denied") return fail("login_denied", std::string(url), "the access was denied");
  if (status == "insufficient_capabilities")
    return fail("login_denied", std::string(url),
                "the account lacks capabilities: " + names_in(body, "missingCapabilities"),
                "an account that an administrator granted them to");
  return invalid(url, "unexpected status \"" + std::string(status) + "\"");
}

} // namespace

std::string route_url(std::string_view url, std::string_view path) {
  if (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url) + std::string(path);
}

Result<std::variant<StartedFlow, BoundSession>> request_login(HttpClient &http, const LoginRequest &request) {
  const auto contract = parse_json(request.contract);
  if (!contract) return tl::unexpected(contract.error());
  const auto value = oauth_init_value({kRedirect, {}, &*contract, {}, nullptr});
  if (!value) return tl::unexpected(value.error());
  const std::string body = JsonObjectText()
                               .text("redirectTo", kRedirect)
                               .text("sessionKey", request.key.text())
                               .text("sig", request.key.sign_domain(domain::kOauthInit, *value))
                               .json("contract", to_json(*contract))
                               .str();
  const auto url = route_url(request.url, "/auth/requests");
  const auto answer = object_of(url, http.post_json(url, body));
  if (!answer) return tl::unexpected(answer.error());
  if (string_member(*answer, "status") == "bound") {
    auto bound = bound_session(url, *answer);
    if (!bound) return tl::unexpected(bound.error());
    return std::move(*bound);
  }
  StartedFlow flow{std::string(string_member(*answer, "flowId")), std::string(string_member(*answer, "loginUrl"))};
  if (string_member(*answer, "status") != "flow_started") return refused(url, *answer);
  if (!is_flow_id(flow.flow_id) || flow.login_url.empty()) return invalid(url, "flowId or loginUrl is unusable");
  return flow;
}

Result<void> wait_for_login(HttpClient &http, std::string_view url, std::string_view flow_id,
                            const LoginTiming &timing) {
  const auto route = route_url(url, "/auth/flow/" + std::string(flow_id));
  const auto deadline = std::chrono::steady_clock::now() + timing.limit;
  while (true) {
    const auto answer = object_of(route_url(url, "/auth/flow"), http.get(route)); // the flow id is a secret
    if (!answer) return tl::unexpected(answer.error());
    const auto status = string_member(*answer, "status");
    if (status == "redirect") return {};
    if (status != "choose_provider" && status != "approval_required") return refused(url, *answer);
    if (std::chrono::steady_clock::now() + timing.poll > deadline)
      return fail("login_timeout", std::string(url), "nobody signed in in time", "log in again");
    std::this_thread::sleep_for(timing.poll); // the protocol's rhythm (10 §2.1), which fits the rate limit
  }
}

Result<BoundSession> bind_login(HttpClient &http, std::string_view url, const SessionKey &key,
                                std::string_view flow_id) {
  const std::string body =
      JsonObjectText().text("sessionKey", key.text()).text("sig", key.sign_domain(domain::kBindFlow, flow_id)).str();
  const auto answer = object_of(route_url(url, "/auth/flow"),
                                http.post_json(route_url(url, "/auth/flow/" + std::string(flow_id) + "/bind"), body));
  if (!answer) return tl::unexpected(answer.error());
  if (string_member(*answer, "status") != "bound") return refused(url, *answer);
  return bound_session(url, *answer);
}

} // namespace trellis::cli
