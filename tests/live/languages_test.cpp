// Rpcs of the same service in C, C++, Rust and Go: one contract, one behaviour. Each check runs against all of them;
// till_test.cpp has events, feeds, health and metrics.
#include "account_watcher.h"
#include "artifact/artifact.h"
#include "contracts/canonical.h"
#include "contracts/json.h"
#include "live_host.h"
#include "support/wait_until.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kInventory[] = "acme.inventory@v1";
constexpr char kEcho[] = "acme.echo@v1";

// Where Go plugins don't run unless it is said.
constexpr char kInHost[] = "isolation = \"none\"\n", kOwnProcess[] = "isolation = \"process\"\n";

// Inventory in one language over Echo in another, with a clerk who may take and a guest who may not.
struct Shop : LiveHost {
  Shop(const std::string &inventory, const std::string &echo, std::string isolation = {})
      : isolation_(std::move(isolation)) {
    stock(inventory, 5);
    set_plugin("echo", {built(echo)});
    accept(built(inventory));
    accept(built(echo));
    set_caller("clerk", {{"acme.inventory::stock.take"}, {{kInventory, {"*"}}, {kEcho, {"*"}}}});
    set_caller("guest", {{}, {{kInventory, {"*"}}}});
    start();
  }
  void stock(const std::string &inventory, int bolts) {
    set_plugin("inventory", {.file = built(inventory),
                             .lines = isolation_ +
                                      "[plugins.inventory.config]\nbroken_shelf = \"glass\"\n"
                                      "[plugins.inventory.config.shelves]\nbolt = " +
                                      std::to_string(bolts) + "\n\"odd \\\"é\" = 1\n"});
  }

private:
  const std::string isolation_; // a line of the inventory's table
};

CallResult get(Caller &caller, const std::string &sku, CallOptions options = {}) {
  options.timeout = 10s;
  return caller.call(kInventory, "Inventory.Get", R"({"sku":")" + sku + R"("})", std::move(options));
}

CallResult take(Caller &caller, const std::string &sku, const std::string &quantity) {
  return caller.call(kInventory, "Inventory.Take",
                     R"({"more":[{"sku":1}],"sku":")" + sku + R"(","quantity":)" + quantity + "}", {.timeout = 10s});
}

// Members in any order: each language has its own.
std::string sorted(const CallResult &result) {
  if (!result) return error_text(result);
  const auto value = parse_json(*result);
  return value ? canonical_json(*value).value() : *result;
}

void check_answers(Caller &clerk) {
  CHECK(sorted(get(clerk, "bolt")) == R"({"available":5,"label":"shelf bolt","sku":"bolt"})");
  CHECK(sorted(get(clerk, "nut")) == R"({"available":0,"label":"shelf nut","sku":"nut"})");
  CHECK(sorted(get(clerk, R"(odd \"\u00e9)")) == R"({"available":1,"label":"shelf odd \"é","sku":"odd \"é"})");
  CHECK(sorted(take(clerk, "bolt", "2")) == R"({"available":3,"sku":"bolt"})");
  CHECK(sorted(take(clerk, "b\\u006flt", "1.0")) == R"({"available":2,"sku":"bolt"})");
}

void check_errors(Caller &clerk, Caller &guest) {
  const auto refused = take(clerk, "bolt", "9");
  REQUIRE(!refused);
  const auto error = parse_json(refused.error().envelope.to_json());
  REQUIRE(error);
  CHECK(string_member(*error, "type") == "OutOfStock");
  CHECK(string_member(*error, "message") == "There are only 2 of bolt.");
  CHECK(string_member(*error, "sku") == "bolt");
  CHECK(find_member(*error, "available")->GetInt() == 2);
  CHECK_THAT(error_text(take(guest, "bolt", "1")), ContainsSubstring("insufficient_permissions"));
  CHECK_THAT(error_text(take(clerk, "bolt", "0")), ContainsSubstring("ValidationError"));
}

// A handler that panics, throws or gives up: its caller hears of it, and the next request is served.
void check_broken_shelf(Caller &clerk) {
  for (int i = 0; i < 20; ++i)
    CHECK_THAT(error_text(take(clerk, "glass", "1")), ContainsSubstring("UnexpectedError"));
  CHECK(sorted(take(clerk, "bolt", "1")) == R"({"available":1,"sku":"bolt"})");
}

// Answers come from other threads than the workers, so many can wait at once.
void check_many_at_once(Caller &clerk) {
  constexpr int kRequests = 100;
  const auto method = clerk.method(kInventory, "Inventory.Get");
  std::atomic<int> answered = 0, failed = 0;
  for (int i = 0; i < kRequests; ++i)
    clerk.client().call(method, R"({"sku":"bolt"})", {.timeout = 20s},
                        [&](const CallResult &result) { ++(result ? answered : failed); });
  CHECK(wait_until([&] { return answered + failed == kRequests; }, 30s));
  CHECK(answered == kRequests);
}

// A call to another service belongs to the trace of the request that it is made for.
void check_trace(Shop &shop, Caller &clerk) {
  const auto watcher = watch_account(shop.loop(), shop.nats().url(), shop.bundle());
  Tap echo(*watcher, "rpc.v1.Echo.Say");
  CallOptions traced;
  traced.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  traced.tracestate = "vendor=1";
  CHECK(get(clerk, "bolt", traced));
  const auto said = echo.next();
  CHECK(said.header("traceparent") == traced.traceparent);
  CHECK(said.header("tracestate") == traced.tracestate);
}

void check_all(const std::string &inventory, const std::string &echo, const std::string &isolation = {}) {
  Shop shop(inventory, echo, isolation);
  const auto clerk = shop.connect("clerk"), guest = shop.connect("guest");
  check_answers(*clerk);
  check_errors(*clerk, *guest);
  check_broken_shelf(*clerk);
  check_many_at_once(*clerk);
  check_trace(shop, *clerk);
  CHECK(shop.stop() == 0);
}

// Of an isolated plugin's process.
int threads_of(const LiveHost &host, const std::string &plugin) {
  const auto said =
      run_program({built("trellis").string(), "host", "status", "--json", "--config", host.config_file().string()});
  const auto status = parse_json(said.out);
  REQUIRE(status);
  for (const auto &entry : find_member(*status, "plugins")->GetArray()) {
    if (string_member(entry, "name") != plugin) continue;
    const auto about = read_file("/proc/" + std::to_string(find_member(entry, "pid")->GetInt()) + "/status");
    return std::stoi(about.substr(about.find("Threads:") + 8));
  }
  throw std::runtime_error("no plugin " + plugin);
}

std::string digest_of(const std::string &plugin) {
  return Artifact::open(built(plugin))->manifest().digest();
}

} // namespace

TEST_CASE("the same service has the same digest in every language") {
  for (const auto *other : {"inventory-c.so", "inventory-rust.so", "inventory-go.so"})
    CHECK(digest_of(other) == digest_of("inventory.so"));
  for (const auto *other : {"echo-rust.so", "echo-go.so"})
    CHECK(digest_of(other) == digest_of("echo-c.so"));
  for (const auto *other : {"till-c.so", "till-rust.so", "till-go.so"})
    CHECK(digest_of(other) == digest_of("till.so"));
}

TEST_CASE("inventory in C++ over echo in C") {
  check_all("inventory.so", "echo-c.so");
}

TEST_CASE("inventory in C over echo in Rust") {
  check_all("inventory-c.so", "echo-rust.so");
}

TEST_CASE("inventory in Rust over echo in C") {
  check_all("inventory-rust.so", "echo-c.so");
}

TEST_CASE("inventory in Rust, in a process of its own, over echo in C") {
  check_all("inventory-rust.so", "echo-c.so", kOwnProcess);
}

TEST_CASE("inventory in Go, in a process of its own as always, over echo in C") {
  check_all("inventory-go.so", "echo-c.so");
}

TEST_CASE("inventory in Go, in the host's process, over echo in C") {
  check_all("inventory-go.so", "echo-c.so", kInHost);
}

// A Go runtime takes address space in large pieces, and a thread for each goroutine that waits in a function of C.
TEST_CASE("a Go plugin lives in little memory, and calls that wait cost it no threads") {
  Shop shop("inventory-go.so", "echo-go.so", "memory_max_mb = 128\n");
  const auto clerk = shop.connect("clerk");
  check_answers(*clerk);
  check_many_at_once(*clerk); // each of the hundred waits for Echo.Say
  CHECK(threads_of(shop, "inventory") < 40);
  CHECK(shop.stop() == 0);
  CHECK(shop.count_logged({"the plugin's process ended"}) == 0);
}

TEST_CASE("echo in Go says what it is told") {
  Shop shop("inventory-rust.so", "echo-go.so");
  const auto clerk = shop.connect("clerk");
  CHECK(clerk->call(kEcho, "Echo.Say", R"({"message":"<a> & \u2028 é 😀"})").value() ==
        "{\"message\":\"<a> & \\u2028 é 😀\"}");
  CHECK(sorted(get(*clerk, "bolt")) == R"({"available":5,"label":"shelf bolt","sku":"bolt"})");
}

TEST_CASE("a panic in Rust and in Go is a log line with the plugin's name") {
  for (const auto *inventory : {"inventory-rust.so", "inventory-go.so"}) {
    Shop shop(inventory, "echo-c.so");
    const auto clerk = shop.connect("clerk");
    CHECK_THAT(error_text(take(*clerk, "glass", "1")), ContainsSubstring("the shelf of glass is broken"));
    CHECK(shop.logged({"Inventory.Take panicked", "\"inventory\"", "the shelf of glass is broken"}));
  }
}

// Copies of the same code in one process, each with its own statics; of Go's, with its own runtime.
TEST_CASE("a plugin in Rust or Go is replaced by a copy with other settings, and again, without losing a request") {
  for (const std::string inventory : {"inventory-rust.so", "inventory-go.so"}) {
    INFO(inventory);
    Shop shop(inventory, "echo-rust.so", kInHost);
    const auto clerk = shop.connect("clerk");
    CHECK(sorted(take(*clerk, "bolt", "5")) == R"({"available":0,"sku":"bolt"})");
    const auto method = clerk->method(kInventory, "Inventory.Get");
    for (int generation = 1; generation <= 2; ++generation) {
      std::atomic<int> answered = 0, failed = 0;
      for (int i = 0; i < 50; ++i)
        clerk->client().call(method, R"({"sku":"bolt"})", {.timeout = 20s},
                             [&](const CallResult &result) { ++(result ? answered : failed); });
      shop.stock(inventory, 10 * generation);
      shop.reload();
      CHECK(wait_until([&] { return answered + failed == 50; }, 30s));
      CHECK(failed == 0);
      const auto expected = R"("available":)" + std::to_string(10 * generation);
      CHECK(wait_until([&] { return sorted(get(*clerk, "bolt")).find(expected) != std::string::npos; }));
    }
    CHECK(shop.stop() == 0);
  }
}

TEST_CASE("settings that don't fit keep a plugin from being served, and say why") {
  for (const auto *inventory : {"inventory-c.so", "inventory.so", "inventory-rust.so", "inventory-go.so"}) {
    LiveHost host;
    host.set_plugin("inventory",
                    {.file = built(inventory), .lines = "[plugins.inventory.config]\nshelves = {bolt = \"many\"}\n"});
    host.set_plugin("echo", {built("echo-c.so")});
    host.accept(built(inventory));
    host.accept(built("echo-c.so"));
    host.launch();
    INFO(inventory);
    CHECK(host.logged({"\"inventory\"", "shelves"}));
  }
}
