// What plugin.h promises about the host's functions, judged by a plugin from inside (tests/plugins/probe): arguments
// that are wrong, structs of every size, statuses, lives of what is given out; and by a caller where only that one
// sees.
#include "contracts/json.h"
#include "live_host.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <future>
#include <random>
#include <rapidjson/document.h>
#include <sstream>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kProbe[] = "test.probe@v1";

struct ProbeHost : LiveHost {
  explicit ProbeHost(const std::string &lines = {}, LiveHost::Options options = {}) : LiveHost(std::move(options)) {
    set_plugin("probe", {.file = built("probe.so"), .lines = lines});
    for (const auto *name : {"echo-c", "odd"})
      set_plugin(name, {built(name + std::string(".so"))});
    for (const auto *file : {"probe.so", "echo-c.so", "odd.so"})
      accept(built(file));
    set_caller("clerk", {{}, {{kProbe, {"*"}}, {"acme.echo@v1", {"*"}}}});
    start();
    clerk = connect("clerk");
  }
  CallResult run(const std::string &group, int size = 0) {
    return clerk->call(kProbe, "Probe.Run", R"({"group":")" + group + R"(","size":)" + std::to_string(size) + "}",
                       {.timeout = 20s});
  }
  std::unique_ptr<Caller> clerk;
};

// What a group has found wrong; "" when nothing was.
std::string failures(const CallResult &result) {
  if (!result) return error_text(result);
  const auto failed = result->find(R"("failed":[])");
  return failed == std::string::npos || result->find(R"("checks":0)") != std::string::npos ? *result : std::string{};
}

} // namespace

TEST_CASE("the host keeps what plugin.h promises to a plugin that looks closely") {
  ProbeHost host;
  for (const std::string group :
       {"core", "extensions", "calls", "request", "rpc sizes", "rpc arguments", "rpc statuses", "rpc async",
        "transport", "keep", "events", "delivery", "feeds", "metrics"}) {
    INFO(group);
    CHECK(failures(host.run(group)) == "");
  }
  const auto health = host.clerk->call(kProbe, "Probe.Health", "{}");
  CHECK_THAT(health ? *health : error_text(health), ContainsSubstring(R"("name":"guarded")"));
  CHECK_THAT(health ? *health : error_text(health), ContainsSubstring("nothing behind me"));
  CHECK(host.clerk->call("acme.echo@v1", "Echo.Say", R"({"message":"fine"})"));
  CHECK(host.stop() == 0);
  for (const std::string step : {"create", "start", "stop", "destroy"}) {
    INFO(step);
    CHECK(host.count_logged({"\"probe " + step + ": passed\"", R"("failed":[])"}) == 1);
    CHECK(host.count_logged({"\"probe " + step + ": FAILED\""}) == 0);
  }
}

TEST_CASE("what a plugin logs can't break a line, forge one, or lose the plugin's name") {
  ProbeHost host;
  CHECK(failures(host.run("logs")) == "");
  CHECK(host.logged({"probe log: double"}));
  CHECK(host.stop() == 0);
  std::istringstream lines(host.log());
  std::size_t of_the_probe = 0;
  for (std::string line; std::getline(lines, line);) {
    INFO(line.substr(0, 400));
    const auto parsed = parse_json(line);
    REQUIRE(parsed);
    REQUIRE(parsed->IsObject());
    if (line.find("probe log: ") == std::string::npos) continue;
    ++of_the_probe;
    CHECK(string_member(*parsed, "plugin") == "probe");
    CHECK(string_member(*parsed, "message") != "forged");
  }
  CHECK(of_the_probe == 10); // the two below every level are traces
}

TEST_CASE("an error struct of any size is read as far as its size says") {
  ProbeHost host;
  struct Sized {
    int size;
    bool has_type, has_message, has_context;
  };
  for (const auto &sized :
       {Sized{0, false, false, false}, Sized{7, false, false, false}, Sized{8, false, false, false},
        Sized{23, false, false, false}, Sized{24, true, false, false}, Sized{39, true, false, false},
        Sized{40, true, true, false}, Sized{55, true, true, false}, Sized{56, true, true, true},
        Sized{71, true, true, true}, Sized{72, true, true, true}, Sized{136, true, true, true}}) {
    INFO(sized.size);
    const auto text = error_text(host.run("fail with size", sized.size));
    CHECK_THAT(text, ContainsSubstring(sized.has_type ? "ValidationError" : "UnexpectedError"));
    CHECK((text.find("sized words") != std::string::npos) == sized.has_message);
    CHECK((text.find(R"("known":true)") != std::string::npos) == sized.has_context);
  }
}

TEST_CASE("arguments that make no sense, from many threads, harm nobody") {
  LiveHost host;
  host.set_plugin("fuzz", {.file = built("fuzz.so"), .lines = "deadline_ms = 120000\nmax_concurrency = 16\n"});
  host.set_plugin("echo", {built("echo-c.so")}); // what it calls, and may flood
  host.set_plugin("odd", {built("odd.so")});     // its neighbour
  for (const auto *file : {"fuzz.so", "echo-c.so", "odd.so"})
    host.accept(built(file));
  host.set_caller("clerk", {{}, {{"test.fuzz@v1", {"*"}}, {"test.odd@v1", {"*"}}}});
  host.start();
  const auto clerk = host.connect("clerk");
  // Requests for it to answer, badly, often, and late.
  const auto held = clerk->method("test.fuzz@v1", "Fuzz.Hold");
  std::atomic<int> answers = 0;
  for (int i = 0; i < 60; ++i)
    clerk->client().call(held, "{}", {.timeout = 120s}, [&](const CallResult &) { ++answers; });
  const bool is_long = std::getenv("TRELLIS_TEST_LONG") != nullptr;
  const auto seed = is_long ? std::random_device{}() % 1000000 : 20260101;
  const std::string input =
      R"({"seed":)" + std::to_string(seed) + R"(,"ms":)" + (is_long ? "60000" : "4000") + R"(,"threads":4})";
  INFO(input);
  const auto run = clerk->method("test.fuzz@v1", "Fuzz.Run");
  std::promise<CallResult> done;
  clerk->client().call(run, input, {.timeout = 110s}, [&](const CallResult &result) { done.set_value(result); });
  auto ended = done.get_future();
  std::size_t meanwhile = 0;
  do {
    CHECK(clerk->call("test.odd@v1", "Odd.Do", R"({"mode":"plain"})", {.timeout = 10s}));
    ++meanwhile;
  } while (ended.wait_for(100ms) != std::future_status::ready);
  const auto result = ended.get();
  INFO((result ? *result : error_text(result)));
  REQUIRE(result);
  const auto calls = parse_json(*result);
  CHECK(find_member(*calls, "calls")->GetInt64() > 500);
  CHECK(meanwhile > 5);
  CHECK(answers > 0);
  CHECK(host.stop() == 0);
}

TEST_CASE("a reply that is still awaited when its plugin ends runs before the plugin is gone") {
  ProbeHost host("deadline_ms = 60000\n", {.host_lines = "drain_ms = 500\n"});
  const auto method = host.clerk->method(kProbe, "Probe.Run");
  host.clerk->client().call(method, R"({"group":"leave open"})", {.timeout = 30s}, [](const CallResult &) {});
  CHECK(failures(host.run("core")) == "");
  CHECK(host.stop() == 0);
  CHECK(host.logged({"\"probe destroy: passed\""}));
}

TEST_CASE("a handler that waits for another service doesn't outlast its plugin's stop") {
  ProbeHost host("deadline_ms = 60000\n", {.host_lines = "drain_ms = 500\n"});
  const auto method = host.clerk->method(kProbe, "Probe.Run");
  host.clerk->client().call(method, R"({"group":"wait"})", {.timeout = 30s}, [](const CallResult &) {});
  REQUIRE(host.logged({"\"probe waiting: passed\""}));
  host.set_plugin("probe", {.file = built("probe.so"), .lines = "enabled = false\n"});
  host.reload();
  CHECK(host.logged({"plugin disabled", "\"probe\""}));
  CHECK(host.count_logged({"a handler didn't come back"}) == 0);
  CHECK(host.logged({"\"probe waited: passed\""}));
  CHECK(host.logged({"\"probe destroy: passed\""}));
  CHECK(host.stop() == 0);
}
