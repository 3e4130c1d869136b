// Handlers that never answer, answer twice, late, from another thread, wrongly, or throw.
#include "live_host.h"
#include "support/wait_until.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>

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
  CHECK_THAT(error_text(odd(*clerk, "not-json")), ContainsSubstring("ValidationError"));
  CHECK(host.logged({"bad output answered 1"}));
  CHECK(host.logged({"output breaks its schema", "\"odd\""}));
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
