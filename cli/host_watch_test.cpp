#include "host_watch.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::cli;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr std::int64_t kNoon = 1769860800000; // 2026-01-31T12:00:00Z

Result<JsonDocument> shop(int answered, const std::string &phase = "running") {
  return parse_json(R"({"ok":true,"host":"edge","settled":true,"plugins":[{"name":"shop","phase":")" + phase +
                    R"(","detail":"","generations":2,"maxGenerations":8,"calls":{"waiting":1,"running":3,"answered":)" +
                    std::to_string(answered) + R"(,"overloaded":7}}]})");
}

Result<JsonDocument> nobody() {
  return fail("control_socket", "/run/control.sock", "no host answers here");
}

std::vector<std::string> row_of(const Result<JsonDocument> &now, const Result<JsonDocument> &before, double seconds) {
  return watch_table(*now, &*before, seconds, kNoon).rows.at(0);
}

} // namespace

TEST_CASE("a rate is what was answered between two answers of the host") {
  CHECK(row_of(shop(150), shop(50), 2)[3] == "50");
  CHECK(row_of(shop(51), shop(50), 2)[3] == "0.5");
  CHECK(row_of(shop(50), shop(50), 2)[3] == "0.0");
}

TEST_CASE("a generation that counts anew has no rate yet, and neither has the first answer") {
  CHECK(row_of(shop(3), shop(50), 2)[3].empty());
  CHECK(watch_table(*shop(50), nullptr, 0, kNoon).rows.at(0)[3].empty());
}

TEST_CASE("half of the requests between two answers, and 99 in a hundred, took at most so long") {
  const auto counted = [](const std::string &counts, const std::string &bounds = "0.001,0.01,1") {
    return parse_json(R"({"plugins":[{"name":"shop","durations":{"bounds":[)" + bounds + R"(],"counts":[)" + counts +
                      "]}}]}");
  };
  const auto took = [&](const Result<JsonDocument> &now, const Result<JsonDocument> &before) {
    const auto row = row_of(now, before, 2);
    return row.at(4) + ", " + row.at(5);
  };
  CHECK(took(counted("100,0,0,0"), counted("0,0,0,0")) == "0.50 ms, 0.99 ms");
  CHECK(took(counted("9000,100,0,0"), counted("9000,0,0,0")) == "5.5 ms, 9.9 ms"); // only what is new
  CHECK(took(counted("50,49,1,0"), counted("0,0,0,0")) == "1.0 ms, 10 ms");
  CHECK(took(counted("0,0,100,0"), counted("0,0,0,0")) == "505 ms, 990 ms");
  CHECK(took(counted("50,0,0,50"), counted("0,0,0,0")) == "1.0 ms, > 1.0 s");
  CHECK(took(counted("5,0,0,0"), counted("5,0,0,0")) == ", "); // nothing happened
  CHECK(took(counted("1,0,0,0"), counted("5,0,0,0")) == ", "); // it counts anew
  CHECK(took(counted("1,0,0,0"), counted("0,0,0", "1,2")) == ", ");
  CHECK(took(counted("1,0,0"), counted("0,0,0")) == ", "); // a count is missing
  CHECK(took(counted("-1,0,0,0"), counted("-2,0,0,0")) == ", ");
  CHECK(took(counted("\"1\",0,0,0"), counted("0,0,0,0")) == ", ");

  HostWatch watch(HostWatch::Form::json, 2s);
  CHECK_THAT(watch.next(counted("0,0,0,0"), 10, kNoon), ContainsSubstring(R"("p50Ms":null,"p99Ms":null)"));
  CHECK_THAT(watch.next(counted("0,100,0,0"), 12, kNoon), ContainsSubstring(R"("p50Ms":5.50,"p99Ms":9.91)"));
}

TEST_CASE("a plugin's row tells its phase, copies, queue, connection and last error") {
  const auto answer = parse_json(
      R"({"plugins":[{"name":"shop","phase":"running","detail":"replaced its predecessor","generations":2,)"
      R"("maxGenerations":8,"calls":{"waiting":1,"running":3,"answered":9,"overloaded":7},"connection":{"state":)"
      R"("connected","since":"2026-01-31T11:59:00.000Z","credentialsExpire":"2026-02-01T12:00:00.000Z"},"isolation":)"
      R"("process","restarts":4,"lastError":{"time":"2026-01-31T11:58:00.000Z","text":"queue is full"}}]})");
  CHECK(watch_table(*answer, nullptr, 0, kNoon).rows.at(0) ==
        std::vector<std::string>{"shop", "running", "2/8", "", "", "", "1", "3", "7", "connected", "11:59:00",
                                 "2026-02-01", "process", "4", "11:58:00 queue is full"});
}

TEST_CASE("an isolated plugin that crashed and runs again says why") {
  const auto answer = parse_json(R"({"plugins":[{"name":"shop","phase":"running","detail":"","isolation":"process",)"
                                 R"("restarts":1,"lastCrash":"signal 11"}]})");
  CHECK(watch_table(*answer, nullptr, 0, kNoon).rows.at(0).back() == "signal 11");
}

TEST_CASE("why a plugin waits goes before what went wrong earlier") {
  const auto answer = parse_json(R"({"plugins":[{"name":"shop","phase":"pending","detail":"needs acme.bank@v1",)"
                                 R"("lastError":{"time":"2026-01-31T11:58:00.000Z","text":"queue is full"}}]})");
  CHECK(watch_table(*answer, nullptr, 0, kNoon).rows.at(0).back() == "needs acme.bank@v1");
}

TEST_CASE("JSON is one line for each change and none while nothing changes") {
  HostWatch watch(HostWatch::Form::json, 2s);
  const auto first = watch.next(shop(50), 10, kNoon);
  CHECK_THAT(first, ContainsSubstring(R"({"time":"2026-01-31T12:00:00.000Z","reachable":true,"host":"edge")"));
  CHECK_THAT(first, ContainsSubstring(R"("requestsPerSecond":null)"));
  CHECK(first.find('\n') == first.size() - 1);
  CHECK_THAT(watch.next(shop(50), 12, kNoon + 2000), ContainsSubstring(R"("requestsPerSecond":0.0)"));
  CHECK(watch.next(shop(50), 14, kNoon + 4000).empty());
  CHECK_THAT(watch.next(shop(150), 16, kNoon + 6000), ContainsSubstring(R"("requestsPerSecond":50.0)"));
  for (const auto &line : {watch.next(shop(150, "stopping"), 18, kNoon), watch.next(nobody(), 20, kNoon)})
    CHECK(parse_json(line));
}

TEST_CASE("a host that ended is said once and waited for; when it is back it is shown without old rates") {
  HostWatch watch(HostWatch::Form::text, 2s);
  CHECK_THAT(watch.next(shop(50), 10, kNoon), ContainsSubstring("shop"));
  CHECK_THAT(watch.next(nobody(), 12, kNoon), ContainsSubstring("no host answers; waiting for it"));
  CHECK(watch.next(nobody(), 14, kNoon).empty());
  const auto back = watch.next(shop(90), 16, kNoon);
  CHECK_THAT(back, ContainsSubstring("shop"));
  CHECK(back.find("6.7") == std::string::npos);
}

TEST_CASE("a screen is drawn again each time, and leaves nothing of what was there") {
  HostWatch watch(HostWatch::Form::screen, 2s);
  static_cast<void>(watch.next(shop(50), 10, kNoon));
  const auto again = watch.next(shop(50), 12, kNoon);
  CHECK(again.starts_with("\x1b[H"));
  CHECK(again.ends_with("\x1b[J"));
  CHECK_THAT(again, ContainsSubstring("\x1b[K\n"));
}

TEST_CASE("control characters in what a host says don't reach the terminal") {
  HostWatch watch(HostWatch::Form::text, 2s);
  const auto answer = parse_json(R"({"host":"a\u001b[2J","plugins":[{"name":"\u001b]0;x\u0007","phase":"running"}]})");
  CHECK(watch.next(answer, 10, kNoon).find('\x1b') == std::string::npos);
}

TEST_CASE("an answer of another shape is shown as far as it can be understood") {
  for (const char *text : {"{}", R"({"plugins":5})", R"({"plugins":[5,{},{"name":7,"calls":[],"connection":"x"}]})"}) {
    INFO(text);
    HostWatch watch(HostWatch::Form::json, 2s);
    CHECK(parse_json(watch.next(parse_json(text), 10, kNoon)));
    CHECK_NOTHROW(watch_table(*parse_json(text), nullptr, 0, kNoon));
  }
}
