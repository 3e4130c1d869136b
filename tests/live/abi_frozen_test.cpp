// Plugins as they were built when each minor version of the ABI was published, byte for byte: what was promised then is
// kept now. plugin-api/README.md says how a new minor gets one.
#include "live_host.h"
#include "support/nats_server.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <set>

using namespace trellis;
using namespace trellis::test;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kOneZero[] = "test.frozen-one-zero@v1";

std::filesystem::path frozen_dir() {
  return std::filesystem::path(TRELLIS_SOURCE_ROOT) / "plugin-api/abi/frozen";
}

// The binaries are for x86-64 Linux, as nearly all machines are that run one.
void skip_elsewhere() {
#if !defined(__x86_64__)
  SKIP("the frozen plugins are built for x86-64");
#endif
}

struct FrozenHost : LiveHost {
  FrozenHost(const std::string &minor, const std::string &contract) {
    const auto file = frozen_dir() / minor / "service.so";
    set_plugin("frozen", {.file = file, .lines = "deadline_ms = 3000\n[plugins.frozen.config]\nanswer = 42\n"});
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
  CHECK(minors.contains("1.0"));
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
