// An operator's commands from the command line to the wire, in front of a scripted control plane.
#include "agent_contract.h"
#include "host/control_socket.h"
#include "operator_testing.h"
#include "session_file.h"
#include <algorithm>

using namespace trellis;
using namespace trellis::cli;
using namespace trellis::cli::test;

namespace {

constexpr char kGone[] = R"({"id":"1","type":"AuthError","message":"Auth failed: session_not_found",)"
                         R"("reason":"session_not_found","context":{}})";
constexpr char kInvalidPlan[] = R"({"id":"1","type":"ValidationError","message":"Validation failed.",)"
                                R"("issues":[{"path":"/planId","message":"not found"}],"context":{"planId":"P"}})";

std::string plan(const std::string &classification) {
  return R"({"plan":{"planId":"P1","deploymentId":"billing","classification":")" + classification +
         R"(","state":"pending","createdAt":"t","warnings":["Old callers break."],"desiredChange":{},)"
         R"("proposal":{"contractId":"acme.b@v1","contractDigest":"d","requestedNeeds":{},"providedSurfaces":[],)"
         R"("summary":{"desiredVersion":"V1"}}}})";
}
std::string authority(const std::string &version, const std::string &capabilities) {
  return R"({"authority":{"deploymentId":"billing","version":")" + version +
         R"(","desiredState":{"needs":{},"capabilities":[)" + capabilities + R"(],"resources":[],"surfaces":[]}}})";
}
ScriptedControlPlane::Handler always(std::string body, bool is_error = false) {
  return [body = std::move(body), is_error](const JsonValue &) { return Answer{body, is_error}; };
}
std::int64_t number_at(const JsonValue &value, const char *name) {
  const JsonValue *found = find_member(value, name);
  return found && found->IsInt64() ? found->GetInt64() : -1;
}

struct Fixture {
  SessionFolder sessions;
  ScriptedControlPlane plane;
  Fixture() { REQUIRE(run({"login", plane.url()}).code == 0); }
};

} // namespace

TEST_CASE("login shows the link on stderr, the operator on stdout, and keeps the session") {
  const SessionFolder sessions;
  const ScriptedControlPlane plane;
  const auto login = run({"login", plane.url()});
  INFO(login.err);
  CHECK(login.code == 0);
  CHECK(login.err.find("http://x/?flowId=F1") != std::string::npos);
  CHECK(login.out.starts_with("ok logged in\nuserId=usr_1\nidentity=local:ada\nname=Ada\nsessionKey="));
  const auto session = load_session(sessions.file());
  REQUIRE(session);
  CHECK(session->trellis_url == plane.url());
  CHECK(session->contract_digest == agent_contract().value().digest());
}

TEST_CASE("login in JSON format tells a program that it waits, in one line") {
  const SessionFolder sessions;
  const ScriptedControlPlane plane;
  const auto login = run({"login", plane.url(), "--format", "json"});
  CHECK(login.err == "{\"status\":\"pending\",\"loginUrl\":\"http://x/?flowId=F1\"}\n");
  const auto json = parse_json(login.out);
  REQUIRE(json);
  CHECK(string_member(*json, "userId") == "usr_1");
  CHECK(string_member(*find_member(*json, "identity"), "subject") == "ada");
}

TEST_CASE("Who is no admin isn't logged in") {
  const SessionFolder sessions;
  ScriptedControlPlane plane;
  std::string me = kAdmin;
  me.replace(me.find("\"admin\""), 7, "\"other\"");
  plane.on("Auth.Sessions.Me", always(me));
  const auto login = run({"login", plane.url()});
  CHECK(login.code == 1);
  CHECK(login.err.find("not an admin") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(sessions.file()));
}

TEST_CASE("whoami says who, in the same form and that one is logged in") {
  const Fixture fixture;
  const auto shown = run({"whoami", "--format", "json"});
  const auto json = parse_json(shown.out);
  REQUIRE(json);
  CHECK(find_member(*json, "loggedIn")->GetBool());
  CHECK(run({"whoami"}).out.starts_with("userId=usr_1\n"));
}

TEST_CASE("A session of another contract is bound again with the same key") {
  Fixture fixture;
  auto session = load_session(fixture.sessions.file());
  REQUIRE(session);
  session->contract_digest = "of-an-older-cli";
  REQUIRE(save_session(fixture.sessions.file(), *session));
  fixture.plane.bind_at_once();
  const auto shown = run({"whoami"});
  INFO(shown.err);
  CHECK(shown.code == 0);
  CHECK(fixture.plane.logins() == 2);
  const auto renewed = load_session(fixture.sessions.file());
  REQUIRE(renewed);
  CHECK(renewed->key.text() == session->key.text());
  CHECK(renewed->contract_digest == agent_contract().value().digest());
}

TEST_CASE("A session that is gone is deleted, with the way back") {
  Fixture fixture;
  fixture.plane.on("Auth.Sessions.Me", always(kGone, true));
  const auto shown = run({"whoami"});
  CHECK(shown.code == 1);
  CHECK(shown.err.find("trellis login") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(fixture.sessions.file()));
}

TEST_CASE("Another error keeps the session and shows what the control plane said") {
  Fixture fixture;
  fixture.plane.on("Auth.DeploymentAuthority.Plans.Get", always(kInvalidPlan, true));
  const auto shown = run({"plan", "show", "P"});
  CHECK(shown.code == 1);
  CHECK(shown.err.find("/planId: not found") != std::string::npos);
  CHECK(std::filesystem::exists(fixture.sessions.file()));
}

TEST_CASE("logout ends the session over there and deletes it here") {
  Fixture fixture;
  fixture.plane.on("Auth.Sessions.Logout", always(R"({"success":true})"));
  const auto out = run({"logout", "--format", "json"});
  CHECK(out.code == 0);
  CHECK(out.out == "{\n  \"cleared\": true,\n  \"revoked\": true\n}\n");
  CHECK_FALSE(std::filesystem::exists(fixture.sessions.file()));
}

TEST_CASE("logout deletes the session also when the control plane doesn't answer") {
  const Fixture fixture; // which knows no Logout
  const auto out = run({"logout"});
  CHECK(out.code == 0);
  CHECK(out.out.find("revokeError=") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(fixture.sessions.file()));
}

TEST_CASE("A list is read to its last page") {
  Fixture fixture;
  fixture.plane.on("Auth.Deployments.List", [](const JsonValue &input) {
    const auto offset = number_at(input, "offset"), limit = number_at(input, "limit");
    std::string entries;
    for (std::int64_t i = offset; i < std::min<std::int64_t>(offset + limit, 1201); ++i)
      entries += (entries.empty() ? "" : ",") + std::string(R"({"kind":"service","deploymentId":"d)") +
                 std::to_string(i) + R"(","namespaces":["N"],"disabled":false})";
    std::string body = R"({"entries":[)" + entries + R"(],"count":1201,"offset":)" + std::to_string(offset) +
                       R"(,"limit":)" + std::to_string(limit);
    if (offset + limit < 1201) body += R"(,"nextOffset":)" + std::to_string(offset + limit);
    return Answer{body + "}"};
  });
  const auto listed = run({"svc", "list", "--format", "json"});
  const auto json = parse_json(listed.out);
  REQUIRE(json);
  CHECK(find_member(*json, "deployments")->Size() == 1201);
  CHECK(fixture.plane.inputs("Auth.Deployments.List").size() == 3);
  CHECK(run({"svc", "d1200", "show"}).out.find("ref=svc/d1200") != std::string::npos);
  CHECK(run({"svc", "nowhere", "show"}).code == 1);
}

TEST_CASE("svc create, provision and apply send what they are told") {
  Fixture fixture;
  fixture.plane.on(
      "Auth.Deployments.Create",
      always(R"({"deployment":{"kind":"service","deploymentId":"b","namespaces":["B","C"],"disabled":false}})"));
  fixture.plane.on("Auth.ServiceInstances.Provision", [](const JsonValue &input) {
    return Answer{R"({"instance":{"instanceId":"svc_1","deploymentId":"b","instanceKey":")" +
                  std::string(string_member(input, "instanceKey")) + R"(","disabled":false}})"};
  });
  CHECK(run({"svc", "b", "create", "--namespace", "B,C"}).code == 0);
  CHECK(fixture.plane.inputs("Auth.Deployments.Create") ==
        std::vector<std::string>{R"({"kind":"service","deploymentId":"b","namespaces":["B","C"]})"});

  const auto key = SessionKey::generate();
  const auto known = run({"svc", "b", "provision", "--instance-key", key.text()});
  CHECK(known.out.find("instanceKey=" + key.text()) != std::string::npos);
  CHECK(known.out.find("instanceSeed") == std::string::npos);

  const auto fresh = run({"svc", "b", "provision", "--format", "json"});
  const auto json = parse_json(fresh.out);
  REQUIRE(json);
  const auto made = SessionKey::from_seed(string_member(*json, "instanceSeed"));
  REQUIRE(made);
  CHECK(string_member(*find_member(*json, "instance"), "instanceKey") == made->text());

  CHECK(run({"svc", "b", "provision", "--instance-key", "short"}).code == 1);
  CHECK(run({"svc", "b", "provision", "--instance-key", key.text(), "--instance-seed", "x"}).code == 1);
}

TEST_CASE("plan show is a page in text and the stored plan in JSON") {
  Fixture fixture;
  fixture.plane.on("Auth.DeploymentAuthority.Plans.Get", always(plan("update")));
  fixture.plane.on("Auth.DeploymentAuthority.Get", always(authority("V1", "")));
  fixture.plane.on("Auth.Capabilities.List", always(R"({"entries":[],"count":0,"offset":0,"limit":500})"));
  const auto page = run({"plan", "show", "P1"});
  CHECK(page.out.starts_with("Plan P1\n"));
  CHECK(page.out.find("made for the authority as it is now (V1)") != std::string::npos);
  const auto json = parse_json(run({"plan", "show", "P1", "--format", "json"}).out);
  REQUIRE(json);
  CHECK(string_member(*find_member(*json, "plan"), "planId") == "P1");
}

TEST_CASE("plan accept accepts for the version that was planned, and shows what changed") {
  Fixture fixture;
  fixture.plane.on("Auth.DeploymentAuthority.Plans.Get", always(plan("update")));
  fixture.plane.on("Auth.DeploymentAuthority.Get", always(authority("V1", "")));
  fixture.plane.on("Auth.DeploymentAuthority.AcceptUpdate", always(authority("V2", "\"acme.stock::take\"")));
  const auto accepted = run({"plan", "accept", "P1"});
  INFO(accepted.err);
  CHECK(accepted.out == "ok accepted\ndeploymentId=billing\ndesiredVersion=V2\nreconciliation=triggered\n"
                        "change=+ capability acme.stock::take\n");
  CHECK(fixture.plane.inputs("Auth.DeploymentAuthority.AcceptUpdate") ==
        std::vector<std::string>{R"({"planId":"P1","expectedDesiredVersion":"V1"})"});
}

TEST_CASE("A migration isn't accepted without acknowledgement, and its warnings are told") {
  Fixture fixture;
  fixture.plane.on("Auth.DeploymentAuthority.Plans.Get", always(plan("migration")));
  fixture.plane.on("Auth.DeploymentAuthority.Get", always(authority("V1", "")));
  fixture.plane.on("Auth.DeploymentAuthority.AcceptMigration", always(authority("V2", "")));
  const auto refused = run({"plan", "accept", "P1"});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("Old callers break.") != std::string::npos);
  CHECK(fixture.plane.inputs("Auth.DeploymentAuthority.AcceptMigration").empty());
  CHECK(run({"plan", "accept", "P1", "--acknowledge", "we know"}).code == 0);
  CHECK(fixture.plane.inputs("Auth.DeploymentAuthority.AcceptMigration") ==
        std::vector<std::string>{R"({"planId":"P1","expectedDesiredVersion":"V1","acknowledgement":"we know"})"});
}

TEST_CASE("A plan of another deployment isn't decided under this one's name") {
  Fixture fixture;
  fixture.plane.on("Auth.DeploymentAuthority.Plans.Get", always(plan("update")));
  const auto refused = run({"svc", "other", "authority", "accept-update", "P1"});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("belongs to deployment billing") != std::string::npos);
  CHECK(fixture.plane.inputs("Auth.DeploymentAuthority.AcceptUpdate").empty());
}

TEST_CASE("plan list asks for what waits, unless told otherwise") {
  Fixture fixture;
  fixture.plane.on("Auth.DeploymentAuthority.Plans.List", always(R"({"entries":[],"count":0,"offset":0,"limit":500})"));
  CHECK(run({"plan", "list"}).out == "plans=none\n");
  CHECK(run({"plan", "list", "--state", "all", "--deployment", "b"}).code == 0);
  CHECK(fixture.plane.inputs("Auth.DeploymentAuthority.Plans.List") ==
        std::vector<std::string>{R"({"state":"pending","offset":0,"limit":500})",
                                 R"({"deploymentId":"b","offset":0,"limit":500})"});
}

TEST_CASE("call signs in for the rpc once, and uses that session again") {
  Fixture fixture;
  fixture.plane.on("Trellis.Catalog",
                   always(R"({"catalog":{"format":"trellis.catalog.v1","issues":[],"contracts":[)"
                          R"({"id":"acme.echo@v1","digest":"d1","displayName":"E","description":"E"}]}})"));
  fixture.plane.on("Trellis.Contract.Get",
                   always(R"({"contract":{"format":"trellis.contract.v1","id":"acme.echo@v1",)"
                          R"("kind":"service","rpc":{"Echo.Say":{"subject":"rpc.v1.Echo.Say"}}}})"));
  fixture.plane.on("Echo.Say", [](const JsonValue &input) { return Answer{to_json(input)}; });
  const auto first = run({"call", "Echo.Say", R"({"message":"hi"})"});
  INFO(first.err);
  CHECK(first.out == "{\"message\":\"hi\"}\n");
  CHECK(first.err.find("Echo.Say needs a login of its own") != std::string::npos);
  CHECK(fixture.plane.logins() == 2);
  const auto second = run({"call", "Echo.Say", "{}"});
  CHECK(second.out == "{}\n");
  CHECK(second.err.empty());
  CHECK(fixture.plane.logins() == 2);
  CHECK(call_session_files().size() == 1);

  CHECK(run({"call", "Echo.Nothing", "{}"}).err.find("no active contract has this rpc") != std::string::npos);
  fixture.plane.on("Echo.Say", always(kGone, true));
  CHECK(run({"call", "Echo.Say", "{}"}).code == 1);
  CHECK(call_session_files().empty());
  CHECK(std::filesystem::exists(fixture.sessions.file()));
}

TEST_CASE("host status, keys and reload show what the host on this machine says") {
  const trellis::test::TempDir dir;
  host::ControlActions actions;
  actions.status = [](auto done) {
    host::HostStatus status;
    status.host = "edge";
    status.settled = true;
    done(status);
  };
  actions.reload = [](const host::Host::ReloadDone &done) {
    done(fail("config_syntax", "trellis.toml:3", "is no TOML"));
  };
  const auto socket = host::ControlSocket::open(dir.path(), actions);
  REQUIRE(socket);
  const std::string state = dir.path().string();
  CHECK(run({"host", "status", "--state-dir", state}).out == "host=edge\nsettled=true\nplugins=none\n");
  CHECK(run({"host", "keys", "--state-dir", state}).out == "keys=none\n");
  const auto reload = run({"host", "reload", "--state-dir", state});
  CHECK(reload.code == 1);
  CHECK(reload.err.find("is no TOML") != std::string::npos);
}
