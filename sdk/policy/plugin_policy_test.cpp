// PluginPolicy and PluginValidator against a small control plane written in C's terms.
#include "abi/abi_values.h"
#include "policy/plugin_policy.h"

#include "contracts/json.h"
#include "tests/support/guarded.h"
#include "wire/connect_token.h"
#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <utility>
#include <vector>

using namespace trellis;
using trellis::test::Guarded;

namespace {

constexpr std::int64_t kNow = 1'760'000'000;
const std::string kDigest(43, 'd');

// A control plane: answers what `status` and `body` say, or keeps the question until `answer_late`.
struct SmallControlPlane {
  std::int32_t status = 200;
  std::string body;
  bool keep = false;
  std::vector<std::pair<trellis_bootstrap_fn, void *>> kept;
  std::vector<std::string> requests, enrolled;
  void (*changed)(void *) = nullptr;
  void *changed_context = nullptr;

  bool allowed = true;
  std::string caller = R"({"type":"service"})";
  std::uint64_t version = 1;
  std::string refusal; // reason of an AuthError
  std::vector<std::string> validated;

  std::vector<std::string> artifacts; // "sha256 signer"

  trellis_policy_v1 policy{sizeof(trellis_policy_v1), 0, bootstrap, enroll, on_change, surfaces_ready, jwt_life_ms,
                           bootstrap_artifact};
  trellis_validator_v1 validator{sizeof(trellis_validator_v1), 0, validate};
  trellis_plugin plugin{};
  // What it shows the host; those above unless a test shows something else.
  const trellis_policy_v1 *offered_policy = &policy;
  const trellis_validator_v1 *offered_validator = &validator;
  trellis_validation decision{sizeof(trellis_validation), 1, str("_INBOX.abc"), str("{}"), 1, nullptr, 0};
  const trellis_validation *given_decision = nullptr;

  SmallControlPlane() {
    const auto seed = NkeySeed::generate(NkeyType::user);
    body = R"({"status":"ready","connectInfo":{"transport":{"sentinel":{"jwt":"header.body.sig","seed":")" +
           std::string(seed.text().reveal()) + R"("}}}})";
    plugin.size = sizeof plugin;
    plugin.self = this;
    plugin.get_extension = get_extension;
  }

  static SmallControlPlane &of(void *self) { return *static_cast<SmallControlPlane *>(self); }
  static const void *get_extension(void *self, trellis_str id) {
    if (view(id) == TRELLIS_EXT_POLICY) return of(self).offered_policy;
    return view(id) == TRELLIS_EXT_VALIDATOR ? of(self).offered_validator : nullptr;
  }
  static void bootstrap(void *self, trellis_str request, trellis_bootstrap_fn done, void *context) {
    auto &me = of(self);
    me.requests.emplace_back(view(request));
    if (me.keep) return me.kept.emplace_back(done, context), void();
    done(context, me.status, str(me.body));
  }
  static void bootstrap_artifact(void *self, trellis_str request, trellis_str sha256, trellis_str signer,
                                 trellis_bootstrap_fn done, void *context) {
    of(self).artifacts.push_back(std::string(view(sha256)) + " " + std::string(view(signer)));
    bootstrap(self, request, done, context);
  }
  static void enroll(void *self, trellis_str deployment, trellis_str key, trellis_bootstrap_fn done, void *context) {
    of(self).enrolled.push_back(std::string(view(deployment)) + " " + std::string(view(key)));
    done(context, 200, {});
  }
  static void on_change(void *self, void (*changed)(void *), void *context) {
    of(self).changed = changed;
    of(self).changed_context = context;
  }
  static trellis_status surfaces_ready(void *, trellis_error_sink) { return TRELLIS_OK; }
  static std::int64_t jwt_life_ms(void *) { return 20'000; }

  static trellis_status validate(void *self, const trellis_validation_request *request,
                                 void (*result)(void *, const trellis_validation *), void *context,
                                 trellis_error_sink error) {
    auto &me = of(self);
    me.validated.push_back(std::string(view(request->subject)) + (request->proof_checked ? " checked" : ""));
    if (!me.refusal.empty()) {
      const std::string fields = R"({"reason":")" + me.refusal + R"("})";
      const trellis_error out{sizeof(trellis_error), 0, str("AuthError"), str("Auth failed"), str("{}"), str(fields)};
      error.report(error.context, &out);
      return TRELLIS_E_DENIED;
    }
    if (me.given_decision) return result(context, me.given_decision), TRELLIS_OK;
    const trellis_str capability = str("service");
    const trellis_validation out{sizeof(trellis_validation),
                                 me.allowed ? 1U : 0U,
                                 str("_INBOX.abc"),
                                 str(me.caller),
                                 me.version,
                                 &capability,
                                 1};
    result(context, &out);
    return TRELLIS_OK;
  }
};

struct Installed {
  SmallControlPlane control_plane;
  PluginPolicy policy{[] { return kNow; }};
  SessionKey key = SessionKey::generate();

  void attach() { policy.attach(*PluginPolicy::tables_of(control_plane.plugin)); }
  std::string request() const {
    return R"({"sessionKey":")" + key.text() + R"(","contractDigest":")" + kDigest + R"("})";
  }
  PolicyAnswer ask() {
    PolicyAnswer out;
    policy.bootstrap(request(), [&out](PolicyAnswer answer) { out = std::move(answer); });
    return out;
  }
};

tl::expected<Validation, ErrorEnvelope> validate(PluginPolicy &policy, std::string_view session_key = "key") {
  const std::vector<std::string> capabilities;
  return policy.validator()->validate({session_key, "proof", "rpc.v1.A", {}, kNow, "r1", capabilities, true});
}

} // namespace

TEST_CASE("without a control plane nothing is decided") {
  Installed host;
  const auto answer = host.ask();
  CHECK(answer.status == 503);
  CHECK_FALSE(answer.decided());
  CHECK(parse_json(answer.body).has_value());
  CHECK(host.policy.credentials(host.key, kDigest, "rpc").error().code == "policy_denied");
  CHECK(validate(host.policy).error().type == "UnexpectedError");
}

TEST_CASE("the facts of a file travel beside the request, when the approval is bound to it") {
  Installed host;
  host.attach();
  int status = 0;
  const auto ask = [&](bool bound) {
    host.policy.bootstrap(host.request(), {std::string(64, 'a'), "RWQsigner", bound},
                          [&](const PolicyAnswer &answer) { status = answer.status; });
  };
  ask(false);
  CHECK(status == 200);
  CHECK(host.control_plane.artifacts.empty());
  ask(true);
  CHECK(status == 200);
  CHECK(host.control_plane.artifacts == std::vector<std::string>{std::string(64, 'a') + " RWQsigner"});
  CHECK(host.control_plane.requests == std::vector<std::string>{host.request(), host.request()}); // byte for byte
}

TEST_CASE("a control plane of an older minor can't bind an approval to a file, and the plugin is refused") {
  Installed host;
  host.control_plane.policy.size = offsetof(trellis_policy_v1, bootstrap_artifact);
  host.attach();
  CHECK(host.ask().status == 200);
  PolicyAnswer answer;
  host.policy.bootstrap(host.request(), {std::string(64, 'a'), "", true},
                        [&](PolicyAnswer given) { answer = std::move(given); });
  CHECK(answer.status == 409);
  CHECK(answer.body.find("artifact_unsupported") != std::string::npos);
}

TEST_CASE("a plugin that lacks an extension is no control plane") {
  SmallControlPlane control_plane;
  control_plane.validator.size = 8;
  CHECK(PluginPolicy::tables_of(control_plane.plugin).error().where == TRELLIS_EXT_VALIDATOR);
  control_plane.plugin.get_extension = nullptr;
  CHECK(PluginPolicy::tables_of(control_plane.plugin).error().where == TRELLIS_EXT_POLICY);
}

TEST_CASE("a control plane's tables are whole, of any size that covers them, and read no further") {
  SmallControlPlane control_plane;
  const auto problem = [&] {
    const auto tables = PluginPolicy::tables_of(control_plane.plugin);
    return tables ? std::string() : tables.error().where;
  };
  auto &policy = control_plane.policy;
  for (policy.size = 0; policy.size <= sizeof policy + 64; ++policy.size) {
    INFO(policy.size);
    const Guarded<trellis_policy_v1> guarded(policy, policy.size);
    control_plane.offered_policy = guarded.get();
    CHECK(problem() == (policy.size >= offsetof(trellis_policy_v1, bootstrap_artifact) ? "" : TRELLIS_EXT_POLICY));
  }
  control_plane.offered_policy = &policy;
  auto &validator = control_plane.validator;
  for (validator.size = 0; validator.size <= sizeof validator + 64; ++validator.size) {
    INFO(validator.size);
    const Guarded<trellis_validator_v1> guarded(validator, validator.size);
    control_plane.offered_validator = guarded.get();
    CHECK(problem() == (validator.size >= sizeof validator ? "" : TRELLIS_EXT_VALIDATOR));
  }
  control_plane.offered_validator = &validator;
  const auto without = [&](auto member) {
    const auto kept = std::exchange(policy.*member, nullptr);
    CHECK(problem() == TRELLIS_EXT_POLICY);
    policy.*member = kept;
    CHECK(problem().empty());
  };
  without(&trellis_policy_v1::bootstrap);
  without(&trellis_policy_v1::enroll);
  without(&trellis_policy_v1::on_change);
  without(&trellis_policy_v1::surfaces_ready);
  without(&trellis_policy_v1::jwt_life_ms);
  validator.validate = nullptr;
  CHECK(problem() == TRELLIS_EXT_VALIDATOR);
}

TEST_CASE("a decision is read as far as its size covers it, and one without a list has no capabilities") {
  Installed host;
  host.attach();
  host.policy.plugin_validator()->attach(&host.control_plane.validator, &host.control_plane);
  auto &decision = host.control_plane.decision;
  decision.capability_count = 3; // of a list that isn't there
  for (decision.size = 0; decision.size <= sizeof decision + 64; ++decision.size) {
    INFO(decision.size);
    const Guarded<trellis_validation> guarded(decision, decision.size);
    host.control_plane.given_decision = guarded.get();
    const auto decided = validate(host.policy);
    INFO((decided ? "" : decided.error().to_json()));
    CHECK(decided.has_value() == (decision.size >= sizeof decision));
    if (decided) CHECK(decided->caller->capabilities.empty());
  }
}

TEST_CASE("attaching a control plane, and what it says later, are changes") {
  Installed host;
  int changes = 0;
  host.policy.on_change([&changes] { ++changes; });
  host.attach();
  CHECK(changes == 1);
  host.control_plane.changed(host.control_plane.changed_context);
  CHECK(changes == 2);
  host.policy.detach();
  CHECK(host.control_plane.changed == nullptr);
  CHECK(host.ask().status == 503);
}

TEST_CASE("a ready answer gives credentials with the sentinel and a fresh connect token") {
  Installed host;
  host.attach();
  CHECK(host.ask().status == 200);
  const auto credentials = host.policy.credentials(host.key, kDigest, "rpc");
  REQUIRE(credentials);
  CHECK(credentials->user.jwt == "header.body.sig");
  CHECK(credentials->expires_at == kNow + 20);
  const auto token = check_connect_token(credentials->auth_token(), kNow);
  REQUIRE(token);
  CHECK(token->session_key == host.key.text());
  CHECK(token->contract_digest == kDigest);
  CHECK(token->use == "rpc");
  CHECK_FALSE(host.policy.credentials(host.key, std::string(43, 'e'), "rpc"));
}

TEST_CASE("credentials end with a refusal or a denied connection, not while nobody can decide") {
  Installed host;
  host.attach();
  host.ask();
  host.control_plane.status = 503;
  CHECK(host.ask().status == 503);
  CHECK(host.policy.credentials(host.key, kDigest, "rpc"));
  host.control_plane.status = 202;
  host.ask();
  CHECK_FALSE(host.policy.credentials(host.key, kDigest, "rpc"));
  host.control_plane.status = 200;
  host.ask();
  host.policy.connection_denied(host.key, kDigest);
  CHECK_FALSE(host.policy.credentials(host.key, kDigest, "rpc"));
}

TEST_CASE("a ready answer without a usable sentinel isn't ready") {
  Installed host;
  host.attach();
  host.control_plane.body = R"({"status":"ready","connectInfo":{}})";
  CHECK_FALSE(host.ask().decided());
  CHECK_FALSE(host.policy.credentials(host.key, kDigest, "rpc"));
}

TEST_CASE("an answer may come after the control plane was detached") {
  Installed host;
  host.attach();
  host.control_plane.keep = true;
  int answered = 0;
  host.policy.bootstrap(host.request(), [&answered](const PolicyAnswer &answer) { answered = answer.status; });
  host.policy.detach();
  const auto [done, context] = host.control_plane.kept.front();
  done(context, 403, str("{}"));
  CHECK(answered == 403);
}

TEST_CASE("an instance is enrolled in its deployment") {
  Installed host;
  host.attach();
  int status = 0;
  host.policy.enroll("shop", host.key.text(), [&status](const PolicyAnswer &answer) { status = answer.status; });
  CHECK(status == 200);
  CHECK(host.control_plane.enrolled == std::vector<std::string>{"shop " + host.key.text()});
}

TEST_CASE("a caller's texts are copied once as long as its version stays") {
  Installed host;
  host.policy.plugin_validator()->attach(&host.control_plane.validator, &host.control_plane);
  const auto first = validate(host.policy), second = validate(host.policy);
  REQUIRE(first);
  CHECK(first->allowed);
  CHECK(first->caller->caller == R"({"type":"service"})");
  CHECK(first->caller->inbox_prefix == "_INBOX.abc");
  CHECK(first->caller->capabilities == std::vector<std::string>{"service"});
  CHECK(second->caller == first->caller);
  CHECK(validate(host.policy, "other")->caller != first->caller);
  host.control_plane.version = 2;
  host.control_plane.caller = R"({"type":"user"})";
  CHECK(validate(host.policy)->caller->caller == R"({"type":"user"})");
  CHECK(host.control_plane.validated.front() == "rpc.v1.A checked");
}

TEST_CASE("a refused request gets the control plane's error") {
  Installed host;
  host.policy.plugin_validator()->attach(&host.control_plane.validator, &host.control_plane);
  host.control_plane.allowed = false;
  CHECK_FALSE(validate(host.policy)->allowed);
  host.control_plane.refusal = "session_not_found";
  const auto refused = validate(host.policy);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().type == "AuthError");
  CHECK(refused.error().reason() == "session_not_found");
}
