// Handlers that never answer, answer twice, late, from another thread, wrongly, or throw.
#include "live_host.h"
#include "support/comma_locale.h"
#include "support/temp_dir.h"
#include "support/wait_until.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <cstdlib>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr char kOdd[] = "test.odd@v1";

struct OddHost : LiveHost {
  explicit OddHost(const std::string &lines = "deadline_ms = 400\n") {
    set_plugin("odd", {.file = built("odd.so"), .lines = lines});
    set_plugin("echo", {built("echo-c.so")});
    accept(built("odd.so"));
    accept(built("echo-c.so"));
    set_caller("clerk", {{}, {{kOdd, {"*"}}, {"acme.echo@v1", {"*"}}}});
    start();
  }
};

CallResult odd(Caller &caller, const std::string &mode, int ms = 0) {
  return caller.call(kOdd, "Odd.Do", R"({"mode":")" + mode + R"(","ms":)" + std::to_string(ms) + "}", {.timeout = 10s});
}

} // namespace

TEST_CASE("a request that is never answered gets an error at its deadline") {
  OddHost host;
  const auto clerk = host.connect("clerk");
  const auto result = odd(*clerk, "never");
  REQUIRE(!result);
  CHECK_THAT(error_text(result), ContainsSubstring("trellis.rpc.deadline_exceeded"));
  CHECK(host.logged({"not answered in time", "\"odd\"", "Odd.Do"}));
  CHECK(odd(*clerk, "plain"));
}

TEST_CASE("a second answer and an answer after the deadline are told TRELLIS_E_GONE and reach nobody") {
  OddHost host;
  const auto clerk = host.connect("clerk");
  CHECK(odd(*clerk, "twice").value() == R"({"text":"done"})");
  CHECK(host.logged({"second complete answered 2"}));
  CHECK_THAT(error_text(odd(*clerk, "late")), ContainsSubstring("trellis.rpc.deadline_exceeded"));
  CHECK(host.logged({"late complete answered 2"}));
}

TEST_CASE("of two answers in a row the first counts, whatever they are") {
  OddHost host;
  const auto clerk = host.connect("clerk");
  CHECK(odd(*clerk, "complete-then-fail").value() == R"({"text":"done"})");
  CHECK(host.logged({"fail after complete answered 2"}));
  CHECK_THAT(error_text(odd(*clerk, "fail-then-complete")), ContainsSubstring("UnexpectedError"));
  CHECK(host.logged({"complete after fail answered 2"}));
  CHECK_THAT(error_text(odd(*clerk, "release-then-complete")), ContainsSubstring("UnexpectedError"));
  CHECK(host.logged({"complete after release answered 2"}));
  CHECK(host.logged({"release after release answered 2"}));
  CHECK_THAT(error_text(odd(*clerk, "bad-then-good")), ContainsSubstring("ValidationError"));
  CHECK(host.logged({"good after bad answered 2"}));
}

TEST_CASE("an answer from a thread that the plugin left running after its stop is gone") {
  LiveHost host({.host_lines = "drain_ms = 300\n"});
  host.set_plugin("odd", {.file = built("odd.so"), .lines = "deadline_ms = 60000\n"});
  host.accept(built("odd.so"));
  host.set_caller("clerk", {{}, {{kOdd, {"*"}}}});
  host.start();
  const auto clerk = host.connect("clerk");
  const auto method = clerk->method(kOdd, "Odd.Do");
  std::atomic<int> failed = 0;
  clerk->client().call(method, R"({"mode":"outlive-stop"})", {.timeout = 20s},
                       [&](const CallResult &result) { failed += result ? 100 : 1; });
  CHECK(odd(*clerk, "plain"));
  CHECK(host.stop() == 0);
  CHECK(wait_until([&] { return failed == 1; })); // told that the service stopped
  for (const std::string what : {"complete", "fail", "release"})
    CHECK(host.logged({what + " after stop answered 2"}));
  CHECK(host.logged({"destroy answered 0"}));
}

TEST_CASE("a handler that ends its thread costs the plugin nothing but that thread") {
  const std::string isolation = GENERATE("none", "process");
  INFO(isolation);
  OddHost host("isolation = \"" + isolation + "\"\nmax_concurrency = 2\ndeadline_ms = 1000\n");
  const auto clerk = host.connect("clerk");
  for (int i = 0; i < 5; ++i) {
    CHECK(odd(*clerk, "exit-thread").value() == R"({"text":"done"})");
    CHECK_THAT(error_text(odd(*clerk, "exit-unanswered")), ContainsSubstring("trellis.rpc.deadline_exceeded"));
  }
  CHECK(odd(*clerk, "plain").value() == R"({"text":"done"})");
  CHECK(host.stop() == 0);
}

TEST_CASE("a plugin that changes what belongs to the process doesn't change what the host does") {
  TempDir locales;
  write_comma_locale(locales.path());
  ::setenv("LOCPATH", locales.path().c_str(), 1);
  OddHost host("deadline_ms = 10000\n");
  ::unsetenv("LOCPATH");
  const auto clerk = host.connect("clerk");
  CHECK(odd(*clerk, "change-process"));
  REQUIRE(host.logged({"process changed answered 1"})); // a comma is its decimal point now

  // 1.5 is still a number, and 1.25 too small for the input's schema.
  CHECK(clerk->call(kOdd, "Odd.Do", R"({"mode":"plain","least":1.5})"));
  CHECK_THAT(error_text(clerk->call(kOdd, "Odd.Do", R"({"mode":"plain","least":1.25})")),
             ContainsSubstring("ValidationError"));
  // Files are where they were, and as private as they were.
  host.set_plugin("thrower", {built("thrower.so")});
  host.accept(built("thrower.so"));
  host.reload();
  CHECK(host.logged({"plugin running", "\"thrower\""}));
  const auto seed = host.bundle() / "state/keys/thrower.seed";
  REQUIRE(std::filesystem::exists(seed));
  CHECK((std::filesystem::status(seed).permissions() & std::filesystem::perms::mask) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(host.stop() == 0);
}

TEST_CASE("a made-up handle is gone, and the right one still works") {
  OddHost host;
  CHECK(odd(*host.connect("clerk"), "foreign-handle").value() == R"({"text":"done"})");
  CHECK(host.logged({"foreign complete answered 2"}));
}

TEST_CASE("an rpc whose subject has a template is served under every value") {
  OddHost host;
  const auto clerk = host.connect("clerk");
  CHECK(clerk->call(kOdd, "Odd.Of", R"({"mode":"plain"})").value() == R"({"text":"done"})");
  CHECK(clerk->call(kOdd, "Odd.Of", R"({"mode":"of.many parts"})").value() == R"({"text":"done"})");
}

TEST_CASE("an answer from another thread arrives") {
  OddHost host;
  CHECK(odd(*host.connect("clerk"), "thread").value() == R"({"text":"done"})");
}

TEST_CASE("an output that breaks its schema, or is no JSON at all, becomes a ValidationError") {
  OddHost host;
  const auto clerk = host.connect("clerk");
  CHECK_THAT(error_text(odd(*clerk, "bad-schema")), ContainsSubstring("ValidationError"));
  for (const std::string mode : {"not-json", "not-utf8", "no-output"}) {
    INFO(mode);
    CHECK_THAT(error_text(odd(*clerk, mode)), ContainsSubstring("ValidationError"));
  }
  CHECK(host.logged({"bad output answered 1"}));
  CHECK(host.logged({"output breaks its schema", "\"odd\""}));
}

TEST_CASE("an output that the server can't carry becomes an error for the caller, and the plugin is told") {
  OddHost host("deadline_ms = 60000\n");
  const auto clerk = host.connect("clerk");
  const auto huge = clerk->call(kOdd, "Odd.Do", R"({"mode":"huge"})", {.timeout = 40s});
  CHECK_THAT(error_text(huge), ContainsSubstring("trellis.rpc.response_send_failed"));
  CHECK(host.logged({"huge complete answered 6"}));
  CHECK(host.logged({"reply not sent", "\"odd\"", "3145728 bytes"}));
  CHECK(odd(*clerk, "plain"));
}

TEST_CASE("a handler that fails without an error struct fails with an UnexpectedError") {
  OddHost host;
  CHECK_THAT(error_text(odd(*host.connect("clerk"), "fail-null")), ContainsSubstring("UnexpectedError"));
  CHECK(host.logged({"fail with NULL answered 0"}));
}

TEST_CASE("a malformed error of a handler becomes an UnexpectedError") {
  OddHost host;
  CHECK_THAT(error_text(odd(*host.connect("clerk"), "bad-error")), ContainsSubstring("UnexpectedError"));
  CHECK(host.logged({"fail answered 1"}));
}

TEST_CASE("a released request is answered at once") {
  OddHost host("deadline_ms = 60000\n");
  const auto started = std::chrono::steady_clock::now();
  CHECK(!odd(*host.connect("clerk"), "release"));
  CHECK(std::chrono::steady_clock::now() - started < 10s);
}

TEST_CASE("whatever a C++ handler throws becomes an error for its caller, and the host lives on") {
  LiveHost host;
  host.set_plugin("thrower", {built("thrower.so")});
  host.accept(built("thrower.so"));
  host.set_caller("clerk", {{}, {{"test.thrower@v1", {"*"}}}});
  host.start();
  const auto clerk = host.connect("clerk");
  const auto thrown = [&](const std::string &what) {
    return clerk->call("test.thrower@v1", "Thrower.Throw", R"({"what":")" + what + R"("})");
  };
  CHECK(thrown("exception").error().envelope.to_json().find("boom") != std::string::npos);
  CHECK(thrown("int").error().envelope.type == "RemoteError");
  CHECK(thrown("declared").error().envelope.type == "Declared");
  CHECK(thrown("nothing").value() == R"({"what":"nothing"})");
}

TEST_CASE("more load than a plugin can take is refused at once, and its neighbour doesn't notice") {
  OddHost host("max_concurrency = 2\nqueue = 4\ndeadline_ms = 20000\n");
  const auto clerk = host.connect("clerk");
  const auto method = clerk->method(kOdd, "Odd.Do");
  std::atomic<int> answered = 0, overloaded = 0, other = 0;
  constexpr int kRequests = 60;
  for (int i = 0; i < kRequests; ++i)
    clerk->client().call(method, R"({"mode":"sleep","ms":300})", {.timeout = 20s}, [&](const CallResult &result) {
      if (result)
        ++answered;
      else if (error_text(result).find("trellis.rpc.overloaded") != std::string::npos)
        ++overloaded;
      else
        ++other;
    });
  CHECK(clerk->call("acme.echo@v1", "Echo.Say", R"({"message":"meanwhile"})"));
  CHECK(wait_until([&] { return answered + overloaded + other == kRequests; }, 30s));
  CHECK(other == 0);
  CHECK(answered >= 6);
  CHECK(overloaded >= 40);
  CHECK(host.logged({"queue is full", "\"odd\""}));
}

TEST_CASE("a handler that never returns doesn't keep the host from ending") {
  OddHost host("deadline_ms = 200\n");
  const auto clerk = host.connect("clerk");
  CHECK(!odd(*clerk, "sleep", 3600000));
  host.process().signal(SIGTERM);
  CHECK(host.process().wait(30s) == 3); // left something behind, and says so
  CHECK(host.logged({"host stopped"}));
}

TEST_CASE("requests in flight are answered before SIGTERM ends the host") {
  OddHost host("deadline_ms = 10000\n");
  const auto clerk = host.connect("clerk");
  const auto method = clerk->method(kOdd, "Odd.Do");
  std::atomic<int> answered = 0, failed = 0;
  for (int i = 0; i < 8; ++i)
    clerk->client().call(method, R"({"mode":"sleep","ms":700})", {.timeout = 10s},
                         [&](const CallResult &result) { ++(result ? answered : failed); });
  CHECK(wait_until([&] { return clerk->call("acme.echo@v1", "Echo.Say", R"({"message":"x"})").has_value(); }));
  CHECK(host.stop() == 0);
  CHECK(wait_until([&] { return answered + failed == 8; }));
  CHECK(answered == 8);
}
