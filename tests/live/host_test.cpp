// The main job, live: contracts decide what is loaded, signed requests are answered, what is refused is refused.
#include "host/control_socket.h"
#include "live_host.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <fstream>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kEcho[] = "acme.echo@v1";
constexpr char kInventory[] = "acme.inventory@v1";
constexpr char kTakeStock[] = "acme.inventory::stock.take";
constexpr char kShelves[] = "\n[plugins.inventory.config.shelves]\nbolt = 5\n";

// echo and inventory, accepted, and a caller "clerk" who may take stock.
struct Shop : LiveHost {
  explicit Shop(Options options = {}) : LiveHost(std::move(options)) {
    set_plugin("echo", {built("echo-c.so")});
    set_plugin("inventory", {.file = built("inventory.so"), .lines = kShelves});
    accept(built("echo-c.so"));
    accept(built("inventory.so"));
    set_caller("clerk", {{kTakeStock}, {{kEcho, {"*"}}, {kInventory, {"*"}}}});
  }
};

std::string say(Caller &caller, const std::string &text) {
  const auto result = caller.call(kEcho, "Echo.Say", R"({"message":")" + text + R"("})");
  return result ? *result : result.error().envelope.to_json();
}

} // namespace

TEST_CASE("approved plugins answer signed requests, one calls the other through uses") {
  Shop shop;
  shop.start();
  const auto clerk = shop.connect("clerk");

  CHECK(say(*clerk, "hello") == R"({"message":"hello"})");
  const auto stock = clerk->call(kInventory, "Inventory.Get", R"({"sku":"bolt"})");
  REQUIRE(stock);
  CHECK(*stock == R"({"sku":"bolt","available":5,"label":"shelf bolt"})");
  const auto left = clerk->call(kInventory, "Inventory.Take", R"({"sku":"bolt","quantity":2})");
  REQUIRE(left);
  CHECK(*left == R"({"sku":"bolt","available":3})");
  CHECK(shop.stop() == 0);
}

TEST_CASE("a declared error reaches the caller with its fields") {
  Shop shop;
  shop.start();
  const auto clerk = shop.connect("clerk");
  const auto result = clerk->call(kInventory, "Inventory.Take", R"({"sku":"bolt","quantity":50})");
  REQUIRE(!result);
  const auto &error = result.error().envelope;
  CHECK(error.type == "OutOfStock");
  CHECK(error.field("sku") == "bolt");
  CHECK(error.context.find("\"contractId\":\"acme.inventory@v1\"") != std::string::npos);
}

TEST_CASE("a caller without the capability is refused by the service") {
  Shop shop;
  shop.set_caller("visitor", {{}, {{kInventory, {"*"}}}});
  shop.start();
  const auto visitor = shop.connect("visitor");
  CHECK(visitor->call(kInventory, "Inventory.Get", R"({"sku":"bolt"})"));
  const auto result = visitor->call(kInventory, "Inventory.Take", R"({"sku":"bolt","quantity":1})");
  REQUIRE(!result);
  CHECK_THAT(error_text(result), ContainsSubstring("insufficient_permissions"));
}

TEST_CASE("a caller can't publish to an rpc that its entry doesn't list: NATS refuses it") {
  Shop shop;
  shop.set_caller("stranger", {{}, {{kEcho, {"*"}}}});
  shop.start();
  const auto stranger = shop.connect("stranger");
  const auto result = stranger->call(kInventory, "Inventory.Get", R"({"sku":"bolt"})");
  REQUIRE(!result);
  CHECK(result.error().envelope.code() == "trellis.request.denied");
}

TEST_CASE("a plugin whose contract isn't accepted stays out until it is, without a restart") {
  LiveHost host;
  host.set_plugin("echo", {built("echo-c.so")});
  host.set_caller("clerk", {{}, {{kEcho, {"*"}}}});
  host.start();
  CHECK(host.logged({"plugin pending", "authority_update_required"}));
  CHECK(host.connect("clerk")->call(kEcho, "Echo.Say", R"({"message":"x"})").error().envelope.code() ==
        "trellis.request.unavailable");

  host.accept(built("echo-c.so"));
  host.reload();
  CHECK(say(*host.connect("clerk"), "now") == R"({"message":"now"})");
}

TEST_CASE("an approval taken back stops the plugin") {
  Shop shop;
  shop.start();
  shop.withdraw(kInventory);
  shop.reload();
  CHECK(shop.logged({"plugin pending", "\"inventory\""}));
  const auto clerk = shop.connect("clerk");
  CHECK(say(*clerk, "still here") == R"({"message":"still here"})");
  CHECK(!clerk->call(kInventory, "Inventory.Get", R"({"sku":"bolt"})"));
}

TEST_CASE("a caller that the policy no longer lists is refused at once") {
  Shop shop;
  shop.start();
  const auto clerk = shop.connect("clerk");
  CHECK(say(*clerk, "before") == R"({"message":"before"})");
  shop.remove_caller("clerk");
  shop.reload();
  const auto result = clerk->call(kEcho, "Echo.Say", R"({"message":"after"})");
  REQUIRE(!result);
  CHECK_THAT(error_text(result), ContainsSubstring("session_not_found"));
}

TEST_CASE("a contract that needs one that isn't there waits for it") {
  LiveHost host;
  host.set_plugin("inventory", {.file = built("inventory.so"), .lines = kShelves});
  host.accept(built("inventory.so"));
  host.set_caller("clerk", {{}, {{kEcho, {"*"}}, {kInventory, {"*"}}}});
  host.start();
  CHECK(host.logged({"plugin pending", "contract_activation_pending", kEcho}));

  host.set_plugin("echo", {built("echo-c.so")});
  host.accept(built("echo-c.so"));
  host.reload();
  CHECK(host.logged({"plugin running", "\"inventory\""}));
  CHECK(host.connect("clerk")->call(kInventory, "Inventory.Get", R"({"sku":"bolt"})"));
}

TEST_CASE("a file that is neither pinned nor signed is not loaded into the host") {
  LiveHost host;
  host.set_plugin("echo", {.file = built("echo-c.so"), .pinned = false, .lines = "isolation = \"none\"\n"});
  host.accept(built("echo-c.so"));
  host.start();
  CHECK(host.logged({"plugin refused", "untrusted"}));
}

TEST_CASE("a file that changed after it was pinned is not loaded") {
  LiveHost host;
  const TempDir folder;
  const auto copy = folder / "echo.so";
  std::filesystem::copy_file(built("echo-c.so"), copy);
  host.set_plugin("echo", {.file = copy});
  host.accept(copy);
  host.write_files();
  const auto config = read_file(host.config_file());
  std::ofstream(copy, std::ios::app) << "x";
  host.launch(); // writes the new pin...
  host.kill();
  write_file(host.config_file(), config); // ...so put the old one back
  Process process({built("trellis-host").string(), "--config", host.config_file().string()}, folder / "log");
  CHECK(wait_until([&] { return read_file(folder / "log").find("pin_mismatch") != std::string::npos; }));
}

TEST_CASE("a plugin that publishes outside its contract is refused by NATS itself, and named") {
  LiveHost host;
  host.set_plugin("rogue", {built("rogue.so")});
  host.accept(built("rogue.so"));
  host.set_caller("clerk", {{}, {{"test.rogue@v1", {"*"}}}});
  host.start();
  const auto result = host.connect("clerk")->call("test.rogue@v1", "Rogue.Try", "{}");
  REQUIRE(result);
  CHECK(*result == R"({"publish":0,"request":3})"); // queued, then TRELLIS_E_DENIED
  CHECK(host.logged({"refused by the NATS server", "\"rogue\"", "events.v1.Payroll.Paid"}));
}

TEST_CASE("two plugins loaded from one file one after the other really are two") {
  LiveHost host;
  const TempDir folder;
  const auto file = folder / "plugin.so";
  std::filesystem::copy_file(built("abi-14.so"), file);
  host.set_plugin("counter", {.file = file});
  host.accept(file);
  host.set_caller("clerk", {{}, {{"test.abi@v1", {"*"}}}});
  host.start();
  const auto clerk = host.connect("clerk");
  CHECK(clerk->call("test.abi@v1", "Abi.Ping", "{}").value() == R"({"count":1})");
  CHECK(clerk->call("test.abi@v1", "Abi.Ping", "{}").value() == R"({"count":2})");

  host.set_plugin("counter", {.file = file, .lines = "max_concurrency = 2\n"}); // any change makes a new copy
  host.reload();
  CHECK(host.logged({"replaced its predecessor"}));
  CHECK(clerk->call("test.abi@v1", "Abi.Ping", "{}").value() == R"({"count":1})");

  std::filesystem::remove(file);
  std::filesystem::copy_file(built("odd.so"), file); // another plugin in the same place
  host.set_plugin("counter", {.file = file});
  host.accept(file);
  host.set_caller("clerk", {{}, {{"test.odd@v1", {"*"}}}});
  host.reload();
  CHECK(host.connect("clerk")->call("test.odd@v1", "Odd.Do", R"({"mode":"plain"})").value() == R"({"text":"done"})");
}

TEST_CASE("more copies than max_generations are refused with a reason, and the running one stays") {
  LiveHost host({.host_lines = "max_generations = 2\n"});
  host.set_plugin("echo", {built("echo-c.so")});
  host.accept(built("echo-c.so"));
  host.set_caller("clerk", {{}, {{kEcho, {"*"}}}});
  host.start();
  std::string bytes = read_file(built("echo-c.so"));
  for (const char *name : {"second.so", "third.so"}) { // files of their own: code of the same file is used again
    bytes += '\0';
    write_file(host.bundle() / name, bytes);
    host.set_plugin("echo", {.file = host.bundle() / name});
    host.reload();
  }
  CHECK(host.count_logged({"replaced its predecessor"}) == 1);
  CHECK(host.logged({"reload needs a restart", "max_generations"}));
  CHECK(say(*host.connect("clerk"), "old copy") == R"({"message":"old copy"})");
}

TEST_CASE("a reload with a broken file changes nothing") {
  Shop shop;
  shop.start();
  write_file(shop.config_file(), read_file(shop.config_file()) + "\n[plugins.echo.typo\n");
  shop.process().signal(SIGHUP);
  CHECK(shop.logged({"reload refused"}));
  CHECK(say(*shop.connect("clerk"), "unchanged") == R"({"message":"unchanged"})");
}

TEST_CASE("removing a plugin ends its subjects and leaves the others") {
  Shop shop;
  shop.start();
  shop.remove_plugin("inventory");
  shop.reload();
  CHECK(shop.logged({"plugin removed", "\"inventory\""}));
  CHECK(say(*shop.connect("clerk"), "alone") == R"({"message":"alone"})");
}

TEST_CASE("session keys are made once, private, and survive a restart") {
  Shop shop;
  shop.start();
  const auto seed = shop.bundle() / "state/keys/echo.seed";
  const auto before = read_file(seed);
  CHECK(before.size() == 44);
  CHECK((std::filesystem::status(seed).permissions() & std::filesystem::perms(077)) == std::filesystem::perms::none);
  shop.kill();
  shop.start();
  CHECK(read_file(seed) == before);
  CHECK(say(*shop.connect("clerk"), "back") == R"({"message":"back"})");
}

TEST_CASE("no secret reaches the log") {
  Shop shop({.host_lines = "log_level = \"trace\"\n"});
  shop.start();
  CHECK(say(*shop.connect("clerk"), "hi") == R"({"message":"hi"})");
  CHECK(shop.stop() == 0);
  const auto log = shop.log();
  for (const auto &entry : std::filesystem::recursive_directory_iterator(shop.bundle())) {
    if (entry.path().extension() != ".seed") continue;
    auto seed = read_file(entry.path());
    while (!seed.empty() && seed.back() == '\n')
      seed.pop_back();
    CHECK(log.find(seed) == std::string::npos);
  }
  CHECK(log.find("eyJ") == std::string::npos); // no JWT
}

TEST_CASE("--check says what would happen and touches nothing") {
  Shop shop;
  shop.set_plugin("odd", {built("odd.so")});
  shop.write_files();
  const auto outcome =
      run_program({built("trellis-host").string(), "--config", shop.config_file().string(), "--check"});
  CHECK(outcome.status == 0);
  CHECK(outcome.out.find("echo: would run") != std::string::npos);
  CHECK(outcome.out.find("odd: pending: authority_update_required") != std::string::npos);
  CHECK(!std::filesystem::exists(shop.bundle() / "state/keys"));
}

TEST_CASE("a service that offers what only a control plane may is refused, and gets no privileged connections") {
  LiveHost live;
  live.set_plugin("pretender", {built("pretender.so")});
  live.accept(built("pretender.so"));
  live.start();
  CHECK(live.logged({"plugin failed", "pretender", "host_only_extension", "trellis.validator/1"}));
  CHECK(live.logged({"no connections for me", "pretender"}));
  CHECK(live.stop() == 0);
}

TEST_CASE("the control socket of a host with static policy answers while it runs") {
  Shop shop;
  shop.start();
  const auto socket = shop.bundle() / "state" / host::kControlSocketName;
  const auto status = host::ask_control_socket(socket, R"({"op":"status"})", 10s);
  REQUIRE(status);
  CHECK_THAT(*status, ContainsSubstring(R"("name":"echo","role":"service","deployment":"echo","phase":"running")"));
  shop.write_files();
  CHECK(host::ask_control_socket(socket, R"({"op":"reload"})", 70s) == R"({"ok":true,"settled":true})");
  write_file(shop.config_file(), "[host]\nstate_dri = 1\n");
  const auto refused = host::ask_control_socket(socket, R"({"op":"reload"})", 70s);
  REQUIRE(refused);
  CHECK_THAT(*refused, ContainsSubstring(R"("ok":false,"code":"config_)"));
  CHECK(shop.stop() == 0);
  CHECK_FALSE(std::filesystem::exists(socket));
}

TEST_CASE("a second host on the same state folder doesn't start, and names the folder and the first") {
  Shop shop;
  shop.start();
  const auto second = run_program({built("trellis-host").string(), "--config", shop.config_file().string()});
  CHECK(second.status == 1);
  CHECK_THAT(second.err, ContainsSubstring("state_dir_in_use") && ContainsSubstring(shop.bundle() / "state") &&
                             ContainsSubstring("pid " + std::to_string(shop.process().pid())));
  CHECK(say(*shop.connect("clerk"), "still here") == R"({"message":"still here"})");
  shop.kill();
  shop.start(); // a crash leaves nothing that has to be cleaned up
}
