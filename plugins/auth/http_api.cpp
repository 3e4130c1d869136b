// Middleware in the order of 04 §3.3 around the routes of 04 §2.
//
// Not there yet, and 404 like any unknown path: POST /auth/flow/:id/register/local, GET /auth/login/:provider, GET
// /auth/callback/:provider, GET /auth/account-flow/:id/login/:provider, POST /auth/devices/*.
#include "http_api.h"

#include "account_flow.h"
#include "http_context.h"
#include "http_cors.h"
#include "http_urls.h"
#include "portal_files.h"
#include "wire/ulid.h"
#include <cstdlib>

namespace trellis::auth {
namespace {

// Set by the build; TRELLIS_VERSION of the environment goes before it (04 §4).
constexpr char kBuildVersion[] = TRELLIS_VERSION;

constexpr char kContentPolicy[] =
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; script-src 'self'; style-src "
    "'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  std::string_view text = value ? value : "";
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
}

HttpResponse version_reply() {
  const auto version = environment("TRELLIS_VERSION"), revision = environment("TRELLIS_REVISION");
  JsonObjectText out;
  out.text("service", "trellis").text("version", version.empty() ? kBuildVersion : version);
  if (!revision.empty()) out.text("revision", revision);
  return json_reply(200, out.str());
}

bool is_protected(std::string_view path) {
  return path.starts_with("/auth/") || path.starts_with("/bootstrap/");
}

void add_security_headers(HttpResponse &response, const ControlPlaneConfig &config) {
  set_header(response, "X-Content-Type-Options", "nosniff");
  set_header(response, "Referrer-Policy", "no-referrer");
  set_header(response, "X-Frame-Options", "DENY");
  set_header(response, "Permissions-Policy", "camera=(), microphone=(), geolocation=()");
  set_header(response, "Content-Security-Policy", kContentPolicy);
  if (config.browser_origin().starts_with("https:"))
    set_header(response, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
}

} // namespace

struct HttpApi::State {
  State(Core &core, DeploymentAuthority &authority, Connections &connections, Transport &auth, std::string sentinel,
        std::string transports)
      : context{core,
                authority,
                connections,
                LoginFlows(auth),
                PasswordPool(static_cast<std::size_t>(core.config.limits.password_threads),
                             static_cast<std::size_t>(core.config.limits.password_queue)),
                RateLimiter(core.config.rate_window_ms, core.config.rate_max),
                std::move(sentinel),
                std::move(transports)},
        portal(environment("TRELLIS_BUILTIN_PORTAL_DIR")) {
    add_routes();
  }

  // A route whose error is an unexpected failure.
  void add(std::string method, std::string pattern,
           std::function<RouteResult(const HttpRequest &, const HttpRouter::Match &)> route) {
    const auto name = method + " " + pattern;
    router.add(std::move(method), std::move(pattern),
               [this, name, route = std::move(route)](const HttpRequest &request, const HttpRouter::Match &match) {
                 auto result = route(request, match);
                 if (result) return std::move(*result);
                 report(name, result.error().text());
                 return unexpected_failure();
               });
  }

  void report(std::string_view route, std::string_view problem) const {
    context.core.log(Level::error, "An HTTP route failed",
                     JsonObjectText().text("route", route).text("error", problem).str());
  }

  void add_routes();
  void add_login_routes();
  void add_portal_routes();
  CorsDecision cors(const HttpRequest &request, std::string_view path);
  HttpResponse limited(const HttpRequest &request, std::string_view path);
  HttpResponse routed(const HttpRequest &request);
  HttpResponse answer(const HttpRequest &request);

  HttpContext context;
  PortalFiles portal;
  HttpRouter router;
};

void HttpApi::State::add_routes() {
  add("GET", "/version", [](const auto &, const auto &) -> RouteResult { return version_reply(); });
  add("POST", "/bootstrap/client",
      [this](const auto &request, const auto &) { return bootstrap_client(context, request); });
  add("POST", "/bootstrap/service", [this](const auto &request, const auto &) -> RouteResult {
    auto answer = context.authority.bootstrap(request.body);
    return json_reply(answer.status, std::move(answer.body));
  });
  add_login_routes();
  add("POST", "/auth/sessions/logout",
      [this](const auto &request, const auto &) { return logout_session(context, request); });
  add("GET", "/auth/account-flow/:flowId",
      [this](const auto &, const auto &match) { return account_flow_state(context, match.parameters[0]); });
  add("POST", "/auth/account-flow/:flowId/local-password", [this](const auto &request, const auto &match) {
    return set_local_password(context, request, match.parameters[0]);
  });
  add_portal_routes();
}

void HttpApi::State::add_login_routes() {
  add("POST", "/auth/requests", [this](const auto &request, const auto &) { return start_login(context, request); });
  add("GET", "/auth/flow/:flowId",
      [this](const auto &request, const auto &match) { return login_state(context, request, match.parameters[0]); });
  add("POST", "/auth/flow/:flowId/approval",
      [this](const auto &request, const auto &match) { return approve_login(context, request, match.parameters[0]); });
  add("POST", "/auth/flow/:flowId/bind",
      [this](const auto &request, const auto &match) { return bind_login(context, request, match.parameters[0]); });
  add("POST", "/auth/login/local",
      [this](const auto &request, const auto &) { return login_with_password(context, request); });
}

void HttpApi::State::add_portal_routes() {
  add("GET", "/_trellis/portal", [this](const auto &, const auto &) -> RouteResult { return portal.page(""); });
  add("GET", "/_trellis/portal/*",
      [this](const auto &, const auto &match) -> RouteResult { return portal.page(match.parameters[0]); });
  add("GET", "/_trellis/assets/*",
      [this](const auto &, const auto &match) -> RouteResult { return portal.asset(match.parameters[0]); });
}

CorsDecision HttpApi::State::cors(const HttpRequest &request, std::string_view path) {
  const auto row = cors_row(path);
  std::string allowed;
  // The built-in portal is same-origin, so it adds no origin of its own; the app of a flow may bind from its origin.
  if (row.row == CorsRow::bind && !request.header("origin").empty()) {
    const auto flow = context.flows.find(decode_component(row.flow_id).value_or(row.flow_id));
    if (flow && *flow) allowed = (*flow)->app.origin.value_or("");
  }
  return decide_cors(row, request, context.core.config.origins, allowed);
}

HttpResponse HttpApi::State::limited(const HttpRequest &request, std::string_view path) {
  if (!context.limiter.enabled() || !path.starts_with("/auth/")) return routed(request);
  const auto verdict = context.limiter.count(request.remote_ip, context.core.now());
  auto response = verdict.allowed ? routed(request) : RateLimiter::refusal();
  context.limiter.add_headers(response, verdict);
  return response;
}

HttpResponse HttpApi::State::routed(const HttpRequest &request) {
  if (request.body_too_large) return error_reply(413, "body_too_large");
  return router.route(request).value_or(not_found());
}

HttpResponse HttpApi::State::answer(const HttpRequest &request) {
  const auto path = path_of(request.target);
  const auto cors_answer = cors(request, path);
  auto response = cors_answer.answered ? empty_reply(204) : limited(request, path);
  for (const auto &[name, value] : cors_answer.headers)
    set_header(response, name, value);
  if (is_protected(path)) add_security_headers(response, context.core.config);
  return response;
}

HttpApi::HttpApi(Core &core, DeploymentAuthority &authority, Connections &connections, Transport &flows,
                 std::string sentinel_json, std::string transports_json)
    : state_(std::make_unique<State>(core, authority, connections, flows, std::move(sentinel_json),
                                     std::move(transports_json))) {}

HttpApi::~HttpApi() = default;

HttpResponse HttpApi::handle(const HttpRequest &request) {
  try {
    return state_->answer(request);
  } catch (const std::exception &bug) { // out of memory, or a bug: this request fails, the control plane goes on
    state_->report(request.method, bug.what()); // not the path: it may hold a flow id
    return unexpected_failure();
  }
}

namespace {

// The link is the one secret that is meant to be read in the output; it works once, for a day. Tools look for it on
// stdout (04 §14), and the host's log goes to stderr.
void announce(const Core &core, const FirstBoot &boot, const HttpApi::Announce &print) {
  constexpr const char *kMessage = "An administrator has to set a password";
  const auto &level = core.config.log_level;
  const auto link = password_portal_url(core.config.browser_origin(), boot.flow_id);
  const auto expires = iso_time(boot.flow.expires_at), user = boot.flow.target_user_id.value_or("");
  core.log(Level::info, kMessage, JsonObjectText().text("targetUserId", user).text("expiresAt", expires).str());
  if (level != "trace" && level != "debug" && level != "info") return;
  const auto line = JsonObjectText()
                        .number("level", 30)
                        .number("time", core.now())
                        .text("service", "trellis")
                        .text("bootstrapUrl", link)
                        .text("flowIdHash", boot.flow.flow_id_hash)
                        .text("targetUserId", user)
                        .text("expiresAt", expires)
                        .text("msg", kMessage)
                        .str();
  print(line);
}

} // namespace

Result<void> HttpApi::first_boot(const Announce &print) {
  auto &core = state_->context.core;
  const auto boot = ensure_administrator(core);
  if (!boot) return tl::make_unexpected(boot.error());
  if (!*boot) return {};
  announce(core, **boot, print);
  return {};
}

} // namespace trellis::auth
