// Plugins as they were built when each minor version of the ABI was published, byte for byte: what was promised then is
// kept now. plugin-api/README.md says how a new minor gets one.
#include "artifact/artifact.h"
#include "live_host.h"
#include "runtime/feed_client.h"
#include "support/nats_server.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <set>

using namespace trellis;
using namespace trellis::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kOneZero[] = "test.frozen-one-zero@v1";
constexpr char kOneOne[] = "test.frozen-one-one@v1";

std::filesystem::path frozen_dir() {
  return std::filesystem::path(TRELLIS_SOURCE_ROOT) / "plugin-api/abi/frozen";
}

// The binaries are for x86-64 Linux, as nearly all machines are that run one.
void skip_elsewhere() {
#if !defined(__x86_64__)
  SKIP("the frozen plugins are built for x86-64");
#endif
}

std::string with_settings(const std::string &settings) {
  return "deadline_ms = 3000\n[plugins.frozen.config]\n" + settings + "\n";
}

struct FrozenHost : LiveHost {
  FrozenHost(const std::string &minor, const std::string &contract) {
    const auto file = frozen_dir() / minor / "service.so";
    set_plugin("frozen", {.file = file, .lines = with_settings("answer = 42")});
    set_plugin("echo", {built("echo-c.so")});
    accept(file);
    accept(built("echo-c.so"));
    set_caller("clerk", {{}, {{contract, {"*"}}, {"acme.echo@v1", {"*"}}}});
    start();
  }
};

struct OneZero {
  OneZero() : host("1.0", kOneZero), clerk(host.connect("clerk")) {}
  CallResult act(const std::string &mode) {
    return clerk->call(kOneZero, "FrozenOneZero.Do", R"({"mode":")" + mode + R"("})",
                       {.timeout = std::chrono::seconds(10)});
  }
  FrozenHost host;
  std::unique_ptr<Caller> clerk;
};

struct OneOne {
  OneOne() : host("1.1", kOneOne), clerk(host.connect("clerk")) {}
  // The status that the plugin got.
  std::string act(const std::string &mode) {
    const auto result =
        clerk->call(kOneOne, "FrozenOneOne.Do", R"({"mode":")" + mode + R"("})", {.timeout = std::chrono::seconds(10)});
    return result ? *result : error_text(result);
  }
  std::unique_ptr<FeedReader> watch(const std::string &input) {
    const auto contract = Artifact::open(frozen_dir() / "1.1/service.so").value().manifest();
    auto method = std::make_shared<const FeedMethod>(compile_feed(contract, "FrozenOneOne.Watch").value());
    return std::make_unique<FeedReader>(
        FeedParticipant{clerk->transport(), clerk->key(), [] { return unix_ms_now() / 1000; }}, std::move(method),
        input, FeedOptions{});
  }
  FrozenHost host;
  std::unique_ptr<Caller> clerk;
};

// The next event of a feed, or why there is none.
std::string next_of(FeedReader &reader) {
  const auto item = reader.next(FeedReader::Clock::now() + std::chrono::seconds(10));
  return item ? item->event : "ended: " + item.error().envelope.to_json();
}

} // namespace

TEST_CASE("the frozen plugins are those that were published") {
  std::set<std::string> minors;
  for (const auto &entry : std::filesystem::directory_iterator(frozen_dir())) {
    if (!entry.is_directory()) continue;
    INFO(entry.path());
    minors.insert(entry.path().filename().string());
    const auto sums = read_file(entry.path() / "SHA256SUMS");
    CHECK_THAT(sums, ContainsSubstring(hex(sha256(as_bytes(read_file(entry.path() / "service.so")))) + "  service.so"));
  }
  CHECK(minors == std::set<std::string>{"1.0", "1.1"});
}

TEST_CASE("a plugin of 1.0 finds in today's host what 1.0 promised") {
  skip_elsewhere();
  OneZero frozen;
  const auto told = frozen.act("tell").value();
  CHECK_THAT(told, ContainsSubstring(R"("host":true,"request":true,"surface":"FrozenOneZero.Do")"));
  CHECK_THAT(told, ContainsSubstring(R"("config":{"answer":42})"));
  CHECK_THAT(told, ContainsSubstring(R"("plugin":"frozen","contractId":"test.frozen-one-zero@v1")"));
  CHECK(frozen.host.stop() == 0);
  CHECK(frozen.host.logged({"frozen 1.0 started", R"("abi":"1.0")"}));
  CHECK(frozen.host.logged({"\"frozen 1.0 stopped\""}));
  CHECK(frozen.host.logged({"frozen 1.0 destroyed"}));
}

TEST_CASE("a plugin of 1.1 runs with settings that fit its schema, and one of 1.0, which has none, with any") {
  skip_elsewhere();
  LiveHost host;
  const auto put = [&](const std::string &minor, const std::string &settings) {
    host.set_plugin("frozen", {.file = frozen_dir() / minor / "service.so", .lines = with_settings(settings)});
  };
  host.set_plugin("echo", {built("echo-c.so")}); // which 1.0 uses
  host.accept(built("echo-c.so"));
  host.accept(frozen_dir() / "1.0/service.so");
  host.accept(frozen_dir() / "1.1/service.so");
  put("1.1", "answer = 41");
  host.start();
  CHECK(host.logged({"plugin refused", "\"frozen\"", "/answer: must be at least 42"}));
  const std::vector<std::pair<std::string, std::string>> misfits{
      {"", "must have answer"}, {"answer = \"42\"", "/answer: must be"}, {"answer = 42\nquestion = 6", "/question"}};
  std::size_t refused = host.count_logged({"plugin refused", "\"frozen\""});
  CHECK(refused == 1);
  for (const auto &[settings, named] : misfits) {
    INFO(settings);
    put("1.1", settings);
    host.reload();
    CHECK(wait_until([&] { return host.count_logged({"plugin refused", "\"frozen\""}) == refused + 1; }));
    CHECK(host.logged({"plugin refused", "\"frozen\"", named}));
    refused = host.count_logged({"plugin refused", "\"frozen\""});
  }
  CHECK(host.count_logged({"plugin running", "\"frozen\""}) == 0);
  put("1.1", "answer = 43");
  host.reload();
  CHECK(host.logged({"plugin running", "\"frozen\"", kOneOne}));
  put("1.0", "anything = [1, 2]");
  host.reload();
  CHECK(host.logged({"plugin running", "\"frozen\"", kOneZero}));
}

TEST_CASE("a plugin of 1.0 answers now, later, with an error, and not at all") {
  skip_elsewhere();
  OneZero frozen;
  CHECK(frozen.clerk->call(kOneZero, "FrozenOneZero.Echo", R"({"mode":"as it is"})").value() ==
        R"({"mode":"as it is"})");
  CHECK(frozen.act("later").value() == R"({"done":"later"})");
  const auto refused = frozen.act("fail");
  REQUIRE(!refused);
  CHECK(refused.error().envelope.type == "Refused");
  CHECK_THAT(error_text(refused), ContainsSubstring(R"("number":7)"));
  CHECK_THAT(error_text(frozen.act("release")), ContainsSubstring("UnexpectedError"));
  CHECK_THAT(error_text(frozen.act("never")), ContainsSubstring("trellis.rpc.deadline_exceeded"));
}

TEST_CASE("a plugin of 1.0 calls other contracts and uses its connection") {
  skip_elsewhere();
  OneZero frozen;
  CHECK(frozen.act("call").value() == R"({"message":"from 1.0"})");
  CHECK(frozen.act("call-async").value() == R"({"message":"from 1.0"})");
  CHECK(frozen.act("transport").value() == R"({"status":0,"bytes":true})");
  CHECK(frozen.act("denied").value() == R"({"status":3,"bytes":false})");
  CHECK(frozen.host.logged({"refused by the NATS server", "rpc.v1.Somebody.Else", "\"frozen\""}));
}

TEST_CASE("a plugin of 1.1 publishes events and hears them") {
  skip_elsewhere();
  OneOne frozen;
  CHECK(frozen.act("publish-badly") == R"({"status":1})");
  // No control plane here, so no stream: a listener hears it and nothing acknowledges, until the timeout.
  CHECK(frozen.act("publish") == R"({"status":5})");
  CHECK(frozen.act("publish-stored") == R"({"status":5})");
  CHECK(frozen.act("publish-async") == R"({"status":0})");
  CHECK(frozen.host.logged({"frozen 1.1 published 5"}));
  CHECK(frozen.host.logged({"frozen 1.1 heard 31"})); // bytes of its subject
  CHECK(frozen.host.count_logged({"frozen 1.1 heard half of"}) == 0);
}

TEST_CASE("a plugin of 1.1 serves a feed, and is told when nobody receives it") {
  skip_elsewhere();
  OneOne frozen;
  auto watching = frozen.watch("{}");
  REQUIRE(watching->open());
  CHECK(next_of(*watching) == R"({"tick":1})");
  CHECK(next_of(*watching) == R"({"tick":2})");
  CHECK(frozen.host.logged({"frozen 1.1 watched 0"}));
  CHECK(frozen.host.logged({"frozen 1.1 emitted badly 1"}));
  auto failing = frozen.watch(R"({"then":"fail"})");
  REQUIRE(failing->open());
  CHECK(next_of(*failing) == R"({"tick":1})");
  CHECK(next_of(*failing) == R"({"tick":2})");
  CHECK_THAT(next_of(*failing), ContainsSubstring("ended: "));
  CHECK(frozen.host.stop() == 0);
  CHECK(frozen.host.logged({"frozen 1.1 cancelled 2"})); // TRELLIS_E_GONE: nobody receives it any more
}

TEST_CASE("a plugin of 1.1 counts, and is asked for its health") {
  skip_elsewhere();
  OneOne frozen;
  CHECK(frozen.act("count") == R"({"status":0})");
  const auto health = frozen.clerk->call(kOneOne, "Frozen.Health", "{}");
  const auto told = health ? *health : error_text(health);
  CHECK_THAT(told, ContainsSubstring(R"("name":"frozen check")"));
  CHECK_THAT(told, ContainsSubstring("as fine as then"));
}
