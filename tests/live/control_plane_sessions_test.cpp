// Sessions and connections with a real control plane: what is refused, revoked, kicked and locked.
#include "cli/agent_contract.h"
#include "cli/call_login.h"
#include "live_control_plane.h"
#include "remote_host.h"
#include "support/temp_dir.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

std::string say_contract() {
  return caller_contract("acme.test-caller@v1", "acme.echo@v1", {"Echo.Say"});
}

CallResult say(Caller &caller) {
  return caller.call("acme.echo@v1", "Echo.Say", R"({"message":"there?"})", {.timeout = 2000ms});
}

void accept_when_pending(LiveControlPlane &plane, cli::ControlPlane &admin, const std::string &plugin) {
  if (!plane.logged({"plugin pending", "\"" + plugin + "\"", "authority_update_required"}))
    throw std::runtime_error(plane.log());
  plane.accept_plan(admin, plugin);
  if (!plane.logged({"plugin running", "\"" + plugin + "\""})) throw std::runtime_error(plane.log());
}

// The newest pending plan of a deployment, when there is one.
void accept_what_is_pending(cli::ControlPlane &admin, const std::string &deployment) {
  const auto plans =
      admin.list("Auth.DeploymentAuthority.Plans.List", R"({"state":"pending","deploymentId":")" + deployment + "\"}");
  const auto *entries = plans ? find_member(*plans, "entries") : nullptr;
  if (!entries || entries->Empty()) return;
  const auto plan = std::string(string_member((*entries)[entries->Size() - 1], "planId"));
  // Refused when the authority has changed since the plan was made: then there will be another plan.
  static_cast<void>(admin.call("Auth.DeploymentAuthority.AcceptUpdate", R"({"planId":")" + plan + "\"}"));
}

// A control plane with an administrator and the echo plugin, accepted and running.
struct WithEcho : LiveControlPlane {
  WithEcho() {
    set_plugin("echo", built("echo-c.so"));
    start();
    set_admin_password();
    admin = sign_in_operator();
    accept_when_pending(*this, *admin, "echo");
  }
  std::unique_ptr<cli::ControlPlane> admin;
};

// A member of an answer as JSON, or what went wrong.
std::string field(const CallResult &result, const char *pointer) {
  if (!result) return error_text(result);
  const auto json = parse_json(*result);
  const auto *value = json ? rapidjson::Pointer(pointer).Get(*json) : nullptr;
  return value ? to_json(*value) : "absent";
}

} // namespace

TEST_CASE("a session that may not call a subject is stopped by the server itself") {
  WithEcho plane;
  const auto refused = plane.admin->call("Echo.Say", R"({"message":"x"})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text().find("trellis.request.denied") != std::string::npos);
}

TEST_CASE("an admin accept with one worker in every plugin doesn't deadlock") {
  LiveControlPlane plane(LiveControlPlane::Options{.auth_lines = "max_concurrency = 1\n"});
  plane.set_plugin("echo", built("echo-c.so"), "max_concurrency = 1\n");
  plane.set_plugin("inventory", built("inventory.so"),
                   "max_concurrency = 1\n[plugins.inventory.config.shelves]\nbolt = 5\n");
  plane.start();
  plane.set_admin_password();
  const auto admin = plane.sign_in_operator();
  accept_when_pending(plane, *admin, "echo");
  // Its first plan holds what it calls only if echo's contract came first; else there is a second one.
  CHECK(wait_until(
      [&] {
        if (plane.count_logged({"plugin running", "\"inventory\""}) > 0) return true;
        accept_what_is_pending(*admin, "inventory");
        return false;
      },
      60s));
}

TEST_CASE("a revoked session is out within a second, and its key can't come back") {
  WithEcho plane;
  const auto session = plane.sign_in(say_contract());
  const auto caller = plane.connect(session);
  REQUIRE(say(*caller));
  const auto revoker = plane.connect(
      plane.sign_in(caller_contract("acme.test-revoker@v1", "trellis.auth@v1", {"Auth.Sessions.Revoke"})));
  const auto revoked =
      revoker->call("trellis.auth@v1", "Auth.Sessions.Revoke", R"({"sessionKey":")" + session.key.text() + "\"}");
  CHECK(field(revoked, "/success") == "true");
  // The caller's own requests fail at once; its connection is gone and denied when it comes back.
  CHECK(wait_until([&] { return !say(*caller); }, 1s));
  CHECK(wait_until([&] { return caller->transport().state() != ConnectionState::connected; }, 1s));
  CHECK_FALSE(caller->transport().wait_connected(500ms));
}

TEST_CASE("a kicked connection comes back, because its session is still there") {
  WithEcho plane;
  const auto session = plane.sign_in(say_contract());
  const auto caller = plane.connect(session);
  REQUIRE(say(*caller));
  const auto kicker = plane.connect(plane.sign_in(
      caller_contract("acme.test-kicker@v1", "trellis.auth@v1", {"Auth.Connections.List", "Auth.Connections.Kick"})));
  const auto listed = kicker->call("trellis.auth@v1", "Auth.Connections.List",
                                   R"({"limit":10,"sessionKey":")" + session.key.text() + "\"}");
  REQUIRE(field(listed, "/count") == "1");
  const auto connects = caller->transport().counts().connects;
  const auto kicked = kicker->call("trellis.auth@v1", "Auth.Connections.Kick",
                                   "{\"userNkey\":" + field(listed, "/entries/0/userNkey") + "}");
  CHECK(field(kicked, "/success") == "true");
  CHECK(wait_until([&] { return caller->transport().counts().connects > connects && say(*caller); }, 10s));
}

TEST_CASE("a disabled deployment stops being served and comes back when it is enabled") {
  WithEcho plane;
  const auto caller = plane.connect(plane.sign_in(say_contract()));
  REQUIRE(say(*caller));
  CHECK(plane.admin->call("Auth.Deployments.Disable", R"({"kind":"service","deploymentId":"echo"})"));
  CHECK(wait_until([&] { return !say(*caller); }));
  CHECK(plane.admin->call("Auth.Deployments.Enable", R"({"kind":"service","deploymentId":"echo"})"));
  CHECK(wait_until([&] { return say(*caller).has_value(); }));
}

TEST_CASE("a plugin that crashed too often beside its successor, or while it was withdrawn, is still its policy's") {
  LiveControlPlane plane(LiveControlPlane::Options{.host_lines = "drain_ms = 60000\n"});
  const std::string lines = "isolation = \"process\"\ncrash_loop_limit = 1\ndeadline_ms = 60000\n";
  plane.set_plugin("unruly", built("unruly.so"), lines);
  plane.start();
  plane.set_admin_password();
  const auto admin = plane.sign_in_operator();
  accept_when_pending(plane, *admin, "unruly");
  const auto caller =
      plane.connect(plane.sign_in(caller_contract("acme.test-caller@v1", "test.unruly@v1", {"Unruly.Do"})));
  const auto ask = [&](const std::string &mode) {
    return caller->call("test.unruly@v1", "Unruly.Do", R"({"mode":")" + mode + "\"}", {.timeout = 2000ms});
  };
  const auto pid = [&] {
    const auto text = field(ask("pid"), "/text");
    return text.starts_with('"') ? std::stoi(text.substr(1)) : -1;
  };
  const auto change = [&](const std::string &action) {
    CHECK(admin->call("Auth.Deployments." + action, R"({"kind":"service","deploymentId":"unruly"})"));
  };

  // Its successor runs and it drains.
  const auto first = pid();
  REQUIRE(first > 0);
  CHECK_FALSE(ask("hang"));
  plane.set_plugin("unruly", built("unruly.so"), lines + "queue = 200\n");
  plane.write_config();
  plane.process().signal(SIGHUP);
  REQUIRE(wait_until([&] { return pid() > 0 && pid() != first; }, 20s));
  REQUIRE(::kill(first, SIGKILL) == 0);
  REQUIRE(plane.logged({"plugin running", "\"unruly\"", "replaced its predecessor"}));
  change("Disable");
  CHECK(plane.logged({"plugin refused", "\"unruly\"", "service_deployment_disabled"}));

  // Withdrawn while it drains.
  change("Enable");
  REQUIRE(wait_until([&] { return pid() > 0; }, 20s));
  const auto second = pid();
  CHECK_FALSE(ask("hang"));
  const auto stopping = plane.count_logged({"plugin stopping", "\"unruly\""});
  change("Disable");
  REQUIRE(wait_until([&] { return plane.count_logged({"plugin stopping", "\"unruly\""}) > stopping; }, 20s));
  REQUIRE(::kill(second, SIGKILL) == 0);
  REQUIRE(wait_until([&] { return plane.count_logged({"plugin refused", "\"unruly\""}) == 2; }, 20s));
  change("Enable");
  CHECK(wait_until([&] { return pid() > 0; }, 20s));
}

TEST_CASE("a wrong password is refused, and the fifth locks the account for a while") {
  LiveControlPlane installed;
  installed.start();
  installed.set_admin_password();
  const auto key = SessionKey::generate();
  const auto flow =
      installed.start_flow(key, caller_contract("acme.test-caller@v1", "trellis.auth@v1", {"Auth.Sessions.Me"}));
  for (int i = 0; i < 5; ++i)
    CHECK(installed.log_in(flow, "admin", "wrong") == 403);
  CHECK(installed.log_in(flow, "admin", LiveControlPlane::kPassword) == 403);
}

TEST_CASE("neither the sentinel alone nor a forged token gets a connection") {
  WithEcho plane;
  auto session = plane.sign_in(say_contract());
  SECTION("another key with the same sentinel") {
    session.key = SessionKey::generate();
    CHECK_THROWS(plane.connect(session));
  }
  SECTION("another contract than the session's") {
    session.contract_digest = "Qm9va2luZ3M";
    CHECK_THROWS(plane.connect(session));
  }
}

TEST_CASE("an operator whose clock is an hour off signs by the control plane's") {
  WithEcho plane;
  const TempDir home;
  const auto participant = cli::call_participant("acme.echo@v1", "Echo.Say").value();
  const auto folder = home / "trellis";
  REQUIRE(cli::save_session(folder / "admin-session.json", plane.sign_in(std::string(cli::agent_contract_text()))));
  const auto for_call = folder / cli::call_session_file(participant.digest).filename();
  REQUIRE(cli::save_session(for_call, plane.sign_in(participant.contract)));
  const auto run = [&](std::chrono::seconds shift, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {"/usr/bin/env", "XDG_CONFIG_HOME=" + home.path().string(), built("trellis").string()});
    return run_program(with_shifted_clock(shift, std::move(arguments)));
  };
  // Not behind: nats.c would give the system deadlines that are over, for they are of the system's own clock.
  for (const auto shift : {3600s, 0s}) {
    INFO(shift.count() << " s ahead");
    const auto listed = run(shift, {"svc", "list"});
    INFO(listed.err);
    CHECK(listed.status == 0);
    CHECK(listed.out.find("echo") != std::string::npos);
    const auto said = run(shift, {"call", "Echo.Say", R"({"message":"what time is it?"})"});
    INFO(said.err);
    CHECK(said.status == 0);
    CHECK(said.out.find("what time is it?") != std::string::npos);
  }
  CHECK(std::filesystem::exists(for_call)); // nothing took it for a session that had ended
}
