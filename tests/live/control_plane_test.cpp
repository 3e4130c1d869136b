// A host with its own control plane: from first boot to a service that answers, and how it ends.
#include "live_control_plane.h"

#include "contracts/json.h"
#include "host/control_socket.h"
#include "live_host.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <filesystem>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

const std::string kEchoApp =
    R"({"format":"trellis.contract.v1","id":"acme.echo-app@v1","displayName":"Echo App","description":"For tests.",)"
    R"("kind":"app","uses":{"required":{"echo":{"contract":"acme.echo@v1","rpc":{"call":["Echo.Say"]}},)"
    R"("auth":{"contract":"trellis.auth@v1","rpc":{"call":["Auth.Sessions.Me","Auth.Sessions.Logout"]}}}}})";

const std::string kMeApp =
    R"({"format":"trellis.contract.v1","id":"acme.me@v1","displayName":"Me","description":"For tests.","kind":"app",)"
    R"("uses":{"required":{"auth":{"contract":"trellis.auth@v1","rpc":{"call":["Auth.Sessions.Me"]}}}}})";

std::string reason_of(const Result<JsonDocument> &result) {
  return result ? "no error: " + to_json(*result) : result.error().text();
}

Result<JsonDocument> call(cli::ControlPlane &plane, const std::string &rpc, const std::string &input = "{}") {
  return plane.call(rpc, input);
}

std::string entries_of(const Result<JsonDocument> &page) {
  const auto *entries = page ? find_member(*page, "entries") : nullptr;
  return entries ? to_json(*entries) : reason_of(page);
}

} // namespace

TEST_CASE("a service runs once the administrator has accepted what its contract asks for") {
  LiveControlPlane live;
  live.set_plugin("echo", built("echo-c.so"), "deployment = \"acme.echo.main\"\n");
  live.start();
  CHECK(live.logged({"plugin pending", "\"echo\"", "authority_update_required"}));
  CHECK(live.logged({"not served by this version", "Auth.Devices.Provision"}));

  live.set_admin_password();
  const auto plane = live.sign_in_operator();
  const auto me = call(*plane, "Auth.Sessions.Me");
  INFO(reason_of(me));
  REQUIRE(me);
  CHECK(string_member(*me, "participantKind") == "agent");

  live.accept_plan(*plane, "acme.echo.main");
  REQUIRE(live.logged({"plugin running", "\"echo\""}));
  CHECK(live.logged({"connected", "\"echo\""}));

  // Its session and connection are there like anybody's.
  CHECK(entries_of(call(*plane, "Auth.Sessions.List", R"({"limit":10})")).find("\"service.") != std::string::npos);
  const auto watcher =
      live.connect(live.sign_in(caller_contract("acme.test-watcher@v1", "trellis.auth@v1", {"Auth.Connections.List"})));
  const auto connections = watcher->call("trellis.auth@v1", "Auth.Connections.List", R"({"limit":10})");
  INFO(error_text(connections));
  REQUIRE(connections);
  CHECK(connections->find("\"service.") != std::string::npos);

  // An app calls it: the host validates in process.
  const auto app = cli::ControlPlane::connect(live.sign_in(kEchoApp));
  REQUIRE(app);
  const auto said = (*app)->call("Echo.Say", R"({"message":"hello"})");
  INFO(reason_of(said));
  REQUIRE(said);
  CHECK(to_json(*said) == R"({"message":"hello"})");

  CHECK(live.stop() == 0);
  CHECK(live.line_of({"plugin stopping", "\"echo\""}) < live.line_of({"plugin stopping", "\"auth\""}));
}

TEST_CASE("what an administrator takes away ends a running service, and giving it back starts it") {
  LiveControlPlane live;
  live.set_plugin("echo", built("echo-c.so"));
  live.start();
  REQUIRE(live.logged({"plugin pending", "\"echo\""}));
  live.set_admin_password();
  const auto plane = live.sign_in_operator();
  live.accept_plan(*plane, "echo");
  REQUIRE(live.logged({"plugin running", "\"echo\""}));

  const std::string deployment = R"({"kind":"service","deploymentId":"echo"})";
  const auto disabled = call(*plane, "Auth.Deployments.Disable", deployment);
  INFO(reason_of(disabled));
  REQUIRE(disabled);
  REQUIRE(live.logged({"plugin refused", "\"echo\"", "service_deployment_disabled"}));

  const auto running = live.count_logged({"plugin running", "\"echo\""});
  REQUIRE(call(*plane, "Auth.Deployments.Enable", deployment));
  CHECK(wait_until([&] { return live.count_logged({"plugin running", "\"echo\""}) > running; }, 30s));
}

TEST_CASE("after a restart of the host everything is as it was, and sessions still count") {
  LiveControlPlane live;
  live.set_plugin("echo", built("echo-c.so"));
  live.start();
  REQUIRE(live.logged({"plugin pending", "\"echo\""}));
  live.set_admin_password();
  const auto session = live.sign_in(kMeApp);
  live.accept_plan(*live.sign_in_operator(), "echo");
  REQUIRE(live.logged({"plugin running", "\"echo\""}));
  CHECK(live.stop() == 0);

  const auto running = live.count_logged({"plugin running", "\"echo\""});
  live.start();
  CHECK(wait_until([&] { return live.count_logged({"plugin running", "\"echo\""}) > running; }, 30s));
  const auto app = cli::ControlPlane::connect(session);
  REQUIRE(app);
  CHECK((*app)->call("Auth.Sessions.Me", "{}"));
}

TEST_CASE("a logout is answered before its connection is kicked") {
  LiveControlPlane live;
  live.start();
  live.set_admin_password();
  const auto plane = live.sign_in_operator();
  const auto out = call(*plane, "Auth.Sessions.Logout");
  INFO(reason_of(out));
  REQUIRE(out);
  CHECK(to_json(*out) == R"({"success":true})");
  CHECK(wait_until([&] { return plane->was_disconnected(); }, 10s));
}

TEST_CASE("a host waits for NATS, and for its control plane") {
  LiveControlPlane live;
  live.set_plugin("echo", built("echo-c.so"));
  live.nats().stop();
  live.launch();
  CHECK(live.logged({"plugin pending", "\"echo\"", "control_plane_starting"}));
  live.nats().start();
  CHECK(live.logged({"HTTP is served"}, 60s));
  CHECK(live.logged({"plugin pending", "\"echo\"", "authority_update_required"}));
  CHECK(live.stop() == 0);
}

TEST_CASE("a control plane that can't start is tried again, which is said once, and starts when the reason is gone") {
  // With one copy of its code at most: an attempt takes none.
  LiveControlPlane live(LiveControlPlane::Options{
      .host_lines = "log_level = \"debug\"\nstart_retry_max_ms = 200\nmax_generations = 1\n"});
  const auto seed = live.bundle() / "nats/secrets/auth-target-signing.seed";
  std::filesystem::permissions(seed, std::filesystem::perms(0644));
  live.launch();
  CHECK(live.logged({"plugin failed", "\"auth\"", "auth-target-signing.seed", "it is tried again"}));
  CHECK(wait_until([&] { return live.count_logged({"starting a plugin again"}) >= 3; }, 60s));
  std::filesystem::permissions(seed, std::filesystem::perms(0600));
  CHECK(live.logged({"plugin running", "\"auth\""}, 60s));
  CHECK(live.count_logged({"plugin failed"}) == 1);
  CHECK(live.count_logged({"plugin starting", "\"auth\""}) == 1);
  CHECK(live.stop() == 0);
}

TEST_CASE("a bundle that was moved starts from where it is") {
  LiveControlPlane live;
  live.write_config();
  const TempDir elsewhere;
  const auto moved = elsewhere / "moved";
  std::filesystem::copy(live.bundle(), moved, std::filesystem::copy_options::recursive);
  for (const char *part : {"trellis.toml", "trellis", "nats/creds", "nats/secrets"}) // nats-server keeps its own data
    std::filesystem::remove_all(live.bundle() / part);
  Process host({built("trellis-host").string(), "--config", (moved / "trellis.toml").string()}, elsewhere / "host.log");
  const auto log = [&] { return read_file(elsewhere / "host.log"); };
  CHECK(wait_until([&] { return log().find("HTTP is served") != std::string::npos; }, 60s));
  INFO(log());
  CHECK(std::filesystem::exists(moved / "trellis/data/trellis.sqlite"));
  host.signal(SIGTERM);
  CHECK(host.wait() == 0);
}

TEST_CASE("the control socket tells what runs, and a reload can't move the control plane") {
  LiveControlPlane live;
  live.set_plugin("echo", built("echo-c.so"));
  live.start();
  REQUIRE(live.logged({"plugin pending", "\"echo\"", "authority_update_required"}));
  const auto status = host::ask_control_socket(live.control_socket(), R"({"op":"status"})", 10s);
  REQUIRE(status);
  CHECK(status->find(R"("name":"auth","role":"control-plane")") != std::string::npos);
  CHECK(status->find(R"("phase":"running","detail":"","contractId":"trellis.core@v1")") != std::string::npos);
  const auto keys = host::ask_control_socket(live.control_socket(), R"({"op":"keys"})", 10s);
  REQUIRE(keys);
  CHECK(keys->find(R"("plugin":"echo","deployment":"echo")") != std::string::npos);

  live.remove_plugin("echo");
  live.write_config();
  CHECK(host::ask_control_socket(live.control_socket(), R"({"op":"reload"})", 70s) == R"({"ok":true,"settled":true})");
  CHECK(live.logged({"plugin removed", "\"echo\""}));

  const auto config = live.bundle() / "trellis.toml";
  auto moved = read_file(config);
  moved.replace(moved.find("[plugins.auth]"), 14, "[plugins.auth]\nenabled = false");
  write_file(config, moved);
  const auto refused = host::ask_control_socket(live.control_socket(), R"({"op":"reload"})", 70s);
  REQUIRE(refused);
  CHECK(refused->find(R"("ok":false,"code":"control_plane_moved")") != std::string::npos);
}
