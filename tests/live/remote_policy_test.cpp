// A host that joins a control plane elsewhere: two trellis-host processes that share NATS and HTTP only.
#include "remote_host.h"

#include "artifact/artifact.h"
#include "contracts/json.h"
#include "policy/privileged_connections.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr auto kShelves = "[plugins.inventory.config.shelves]\nbolt = 5\n";

CallResult say(Caller &caller) {
  return caller.call("acme.echo@v1", "Echo.Say", R"({"message":"there?"})", {.timeout = 2000ms});
}

std::string text_of_result(const CallResult &result) {
  return result ? *result : error_text(result);
}

void accept_when_pending(LiveControlPlane &plane, cli::ControlPlane &admin, RemoteHost &remote,
                         const std::string &plugin, const std::string &deployment) {
  if (!remote.logged({"plugin pending", "\"" + plugin + "\"", "authority_update_required"}))
    throw std::runtime_error(remote.log());
  plane.accept_plan(admin, deployment);
  if (!remote.logged({"plugin running", "\"" + plugin + "\""})) throw std::runtime_error(remote.log());
}

std::map<std::string, Manifest> contracts_of(const std::vector<std::string> &plugins) {
  std::map<std::string, Manifest> out;
  for (const auto &plugin : plugins) {
    const auto manifest = Artifact::open(built(plugin))->manifest();
    out.insert_or_assign(manifest.id(), manifest);
  }
  return out;
}

// Signed in by the login flow, as any client.
std::unique_ptr<Caller> sign_in(LiveControlPlane &plane, const std::string &contract, const std::string &rpc) {
  const auto session = plane.sign_in(caller_contract("acme.test-caller@v1", contract, {rpc}));
  auto make = cli::session_credentials(session);
  REQUIRE(make);
  return std::make_unique<Caller>(
      plane.loop(), [make = *make](const SessionKey &) { return make(); }, plane.nats().url(), session.key.clone(),
      contracts_of({"echo-c.so", "inventory.so"}));
}

// Somebody whom the NATS server lets publish everything: what he may call is up to the services' own checks.
std::unique_ptr<Caller> beyond_nats_permissions(LiveControlPlane &plane, SessionKey key) {
  const auto file = plane.bundle() / "nats/creds/trellis-auth.creds";
  const auto credentials = [file](const SessionKey &) -> Result<ConnectionCredentials> {
    auto user = host::read_credentials_file(file);
    if (!user) return tl::make_unexpected(user.error());
    return ConnectionCredentials{std::move(*user), {}, {}};
  };
  return std::make_unique<Caller>(plane.loop(), credentials, plane.nats().url(), std::move(key),
                                  contracts_of({"inventory.so"}));
}

// A control plane with an administrator, and a host elsewhere with the echo plugin, accepted and running.
struct WithRemoteEcho {
  explicit WithRemoteEcho(const RemoteHost::Options &options = {}) : remote(plane, options) {
    plane.start();
    plane.set_admin_password();
    admin = plane.sign_in_operator();
    remote.set_plugin("echo", built("echo-c.so"));
    remote.start();
    remote.provision(*admin, "echo", "far.echo");
    accept_when_pending(plane, *admin, remote, "echo", "far.echo");
  }
  // As the operator's command does it; {kind, deploymentId} of the remote plugin's deployment.
  void change_deployment(const std::string &rpc) {
    const auto changed = admin->call(rpc, R"({"kind":"service","deploymentId":"far.echo"})");
    INFO((changed ? std::string() : changed.error().text()));
    REQUIRE(changed);
  }
  LiveControlPlane plane;
  RemoteHost remote;
  std::unique_ptr<cli::ControlPlane> admin;
};

} // namespace

TEST_CASE("a host elsewhere runs what its control plane has accepted, and asks it about every caller") {
  LiveControlPlane plane;
  plane.start();
  plane.set_admin_password();
  const auto admin = plane.sign_in_operator();
  RemoteHost remote(plane);
  remote.set_plugin("echo", built("echo-c.so"));
  remote.start();

  // Nobody knows its key: the message holds the key, and what to do with it.
  const auto key = remote.key_of("echo");
  CHECK(remote.logged({"plugin refused", "\"echo\"", "unknown_service", "provision --instance-key " + key}));
  remote.provision(*admin, "echo", "far.echo");
  REQUIRE(remote.logged({"plugin pending", "\"echo\"", "authority_update_required"}));
  CHECK(remote.count_logged({"connected"}) == 0);
  accept_when_pending(plane, *admin, remote, "echo", "far.echo");
  const auto app = sign_in(plane, "acme.echo@v1", "Echo.Say");
  CHECK(text_of_result(say(*app)) == R"({"message":"there?"})");

  // A second plugin, which calls the first one.
  remote.set_plugin("inventory", built("inventory.so"), kShelves);
  remote.reload();
  remote.provision(*admin, "inventory", "far.inventory");
  accept_when_pending(plane, *admin, remote, "inventory", "far.inventory");
  const auto clerk = sign_in(plane, "acme.inventory@v1", "Inventory.Get");
  CHECK(text_of_result(clerk->call("acme.inventory@v1", "Inventory.Get", R"({"sku":"bolt"})")) ==
        R"({"sku":"bolt","available":5,"label":"shelf bolt"})");

  // The NATS server's permissions are one fence; the control plane's answer about a request is another. The echo
  // service has a session that may publish anything, but not the capability.
  const auto rogue = beyond_nats_permissions(plane, remote.private_key_of("echo"));
  CHECK(text_of_result(rogue->call("acme.inventory@v1", "Inventory.Get", R"({"sku":"bolt"})")) ==
        R"({"sku":"bolt","available":5,"label":"shelf bolt"})");
  const auto taken = rogue->call("acme.inventory@v1", "Inventory.Take", R"({"sku":"bolt","quantity":1})");
  INFO(text_of_result(taken));
  REQUIRE_FALSE(taken);
  CHECK(error_text(taken).find("insufficient_permissions") != std::string::npos);
  // And whoever has no session is nobody.
  const auto nobody = beyond_nats_permissions(plane, SessionKey::generate());
  CHECK(error_text(nobody->call("acme.inventory@v1", "Inventory.Get", R"({"sku":"bolt"})")).find("session_not_found") !=
        std::string::npos);
  CHECK(remote.stop() == 0);
}

TEST_CASE("a control plane that restarts is found again by the hosts elsewhere") {
  WithRemoteEcho with;
  const auto app = sign_in(with.plane, "acme.echo@v1", "Echo.Say");
  REQUIRE(say(*app));
  SECTION("after an orderly stop") {
    CHECK(with.plane.stop() == 0);
  }
  SECTION("after it was killed") {
    with.plane.kill();
  }
  CHECK_FALSE(say(*app)); // nobody can say whether the caller may
  with.plane.start();
  CHECK(wait_until([&] { return say(*app).has_value(); }, 30s));
  CHECK(with.remote.count_logged({"plugin stopping"}) == 0);

  // Also when it was killed, and the host has to ask again meanwhile.
  with.plane.kill();
  with.remote.reload();
  CHECK(with.remote.logged({"policy can't be asked", "\"echo\"", with.plane.url()}));
  with.plane.start();
  CHECK(wait_until([&] { return say(*app).has_value(); }, 30s));
  CHECK(with.remote.count_logged({"plugin stopping"}) == 0);
}

TEST_CASE("a host elsewhere may start before its control plane does") {
  LiveControlPlane plane;
  RemoteHost remote(plane);
  remote.set_plugin("echo", built("echo-c.so"));
  remote.start();
  CHECK(remote.logged({"plugin pending", "\"echo\"", "policy_unreachable", plane.url()}));
  plane.start();
  CHECK(remote.logged({"plugin refused", "\"echo\"", "unknown_service"}));
}

TEST_CASE("what an administrator takes away ends a plugin elsewhere, and giving it back starts it") {
  WithRemoteEcho with;
  const auto app = sign_in(with.plane, "acme.echo@v1", "Echo.Say");
  REQUIRE(say(*app));
  with.change_deployment("Auth.Deployments.Disable");
  CHECK(with.remote.logged({"plugin refused", "\"echo\"", "service_deployment_disabled"}));
  CHECK_FALSE(say(*app));
  with.change_deployment("Auth.Deployments.Enable");
  CHECK(wait_until([&] { return say(*app).has_value(); }, 30s));
  // The same code runs again: taking away and giving back can be repeated for ever.
  CHECK(with.remote.status().find(R"("generations":1,)") != std::string::npos);

  const auto listed = with.admin->list("Auth.ServiceInstances.List", R"({"deploymentId":"far.echo"})");
  REQUIRE(listed);
  const auto id = std::string(string_member((*find_member(*listed, "entries"))[0], "instanceId"));
  REQUIRE(with.admin->call("Auth.ServiceInstances.Remove", R"({"instanceId":")" + id + "\"}"));
  CHECK(with.remote.logged({"plugin refused", "\"echo\"", "unknown_service", with.remote.key_of("echo")}));
  CHECK_FALSE(say(*app));
}

TEST_CASE("a host whose clock is wrong says so, and works with the control plane's") {
  WithRemoteEcho with({.clock_shift = 1h});
  // The control plane tells whole seconds, so it may be one more.
  CHECK(with.remote.logged({"\"echo\"", "iat_out_of_range", "this machine's clock is 360", " s ahead of"}));
  const auto app = sign_in(with.plane, "acme.echo@v1", "Echo.Say");
  CHECK(text_of_result(say(*app)) == R"({"message":"there?"})");
}
