#include "placeholders.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::vectors;

namespace {

constexpr std::string_view kUlid = R"("01JJMB00000000000000000001")";
constexpr std::string_view kOtherUlid = R"("01JJMB00000000000000000002")";
const std::string kKey(43, 'k');

bool match(Placeholders &placeholders, std::string_view expected, std::string_view actual) {
  const auto document = parse_json(actual);
  return document && placeholders.match(expected, *document);
}

bool matches(std::string_view expected, std::string_view actual) {
  Placeholders placeholders;
  return match(placeholders, expected, actual);
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

} // namespace

TEST_CASE("each placeholder matches its form and nothing else") {
  CHECK(matches("<time>", R"("2026-03-01T10:00:00.000Z")"));
  CHECK_FALSE(matches("<time>", R"("2026-03-01T10:00:00Z")"));
  CHECK(matches("<ulid>", kUlid));
  CHECK_FALSE(matches("<ulid>", R"("01jjob00000000000000000001")"));
  CHECK(matches("<ulid-lowercase>", R"("01jjmb00000000000000000001")"));
  CHECK_FALSE(matches("<ulid-lowercase>", kUlid));
  CHECK(matches("<text>", "\"any\\nlines\""));
  CHECK_FALSE(matches("<text>", R"("")"));
  CHECK_FALSE(matches("<text>", "1"));
  CHECK(matches("<id>", R"("a_B-9")"));
  CHECK_FALSE(matches("<id>", R"("a.b")"));
  CHECK(matches("<random>", quoted(kKey)));
  CHECK_FALSE(matches("<random>", quoted(kKey + "k")));
  CHECK(matches("<jwt>", R"("e30.e30.x-_")"));
  CHECK_FALSE(matches("<jwt>", R"("e30.e30")"));
  CHECK(matches("<nkey-seed>", quoted("S" + std::string(57, 'A'))));
  CHECK_FALSE(matches("<nkey-seed>", quoted("S" + std::string(57, '1'))));
  CHECK(matches("<nats-url>", R"("nats://127.0.0.1:4222")"));
  CHECK_FALSE(matches("<nats-url>", R"("127.0.0.1")"));
  CHECK(matches("<runtime>", R"("unknown")"));
  CHECK_FALSE(matches("<runtime>", R"("c++")"));
}

TEST_CASE("placeholders of numbers match JSON numbers, and digits inside a string") {
  CHECK(matches("<number>", "0.5"));
  CHECK_FALSE(matches("<number>", "-1"));
  CHECK_FALSE(matches("<number>", R"("1")"));
  CHECK(matches("<unix-seconds>", "1767225600"));
  CHECK_FALSE(matches("<unix-seconds>", "1.5"));
  CHECK(matches("iat <unix-seconds>!", R"("iat 1767225600!")"));
  CHECK_FALSE(matches("iat <unix-seconds>!", R"("iat now!")"));
}

TEST_CASE("a placeholder without number or argument matches each time by itself") {
  Placeholders placeholders;
  CHECK(match(placeholders, "<ulid>", kUlid));
  CHECK(match(placeholders, "<ulid>", kOtherUlid));
  CHECK(match(placeholders, "<errorId>", kUlid));
  CHECK(match(placeholders, "<errorId>", kOtherUlid));
}

TEST_CASE("a placeholder with a number or an argument is one value within a case") {
  Placeholders placeholders;
  CHECK(match(placeholders, "<op1>", R"("first")"));
  CHECK(match(placeholders, "<op1>", R"("first")"));
  CHECK_FALSE(match(placeholders, "<op1>", R"("second")"));
  CHECK(match(placeholders, "<sessionKey:A>", quoted(kKey)));
  CHECK_FALSE(match(placeholders, "<sessionKey:A>", quoted(std::string(43, 'x'))));
  CHECK(match(placeholders, "<sessionKey:B>", quoted(std::string(43, 'x'))));
}

TEST_CASE("a transfer id is one value although it has no number") {
  Placeholders placeholders;
  CHECK(match(placeholders, "<transferId>", kUlid));
  CHECK(match(placeholders, "<transferId>", kUlid));
  CHECK_FALSE(match(placeholders, "<transferId>", kOtherUlid));
}

TEST_CASE("numbered ids are different values") {
  Placeholders placeholders;
  CHECK(match(placeholders, "<op1>", R"("same")"));
  CHECK_FALSE(match(placeholders, "<op2>", R"("same")"));
  CHECK(match(placeholders, "<op2>", R"("other")"));
}

TEST_CASE("placeholders match inside longer strings") {
  CHECK(matches("transfer.v1.<ulid>.x", R"("transfer.v1.01JJMB00000000000000000001.x")"));
  CHECK_FALSE(matches("transfer.v1.<ulid>.x", R"("transfer.v1.01JJMB00000000000000000001_x")"));
  CHECK_FALSE(matches("<id>!", R"("a!!")"));
  CHECK(matches("<op1>/<op1>", R"("a/a")"));
  CHECK_FALSE(matches("<op1>/<op1>", R"("a/b")"));
  CHECK_FALSE(matches("<op1>/<op2>", R"("a/a")"));
  CHECK(matches("<<id>>", R"("<abc>")"));
}

TEST_CASE("other text in angle brackets is literal") {
  CHECK(matches("<script>", R"("<script>")"));
  CHECK_FALSE(matches("<script>", R"("anything")"));
  CHECK_FALSE(matches("<op>", R"("anything")"));
  CHECK_FALSE(matches("<bucket>", R"("anything")"));
  CHECK(matches("<script>.+<id>", R"("<script>.+x")"));
  CHECK_FALSE(matches("<script>.+<id>", R"("<script>abcx")"));
  CHECK(matches("a < b", R"("a < b")"));
}

TEST_CASE("text that only looks like a placeholder matches itself") {
  CHECK(matches("<time>", R"("<time>")"));
  CHECK(matches("to <ulid>", R"("to <ulid>")"));
}

TEST_CASE("a value that the procedure chose matches exactly") {
  Placeholders placeholders(PlaceholderValues{{"bucket", "tr_kv_x.y"}, {"sessionKey:A", "the-key"}});
  CHECK(match(placeholders, "$KV.<bucket>.k", R"("$KV.tr_kv_x.y.k")"));
  CHECK_FALSE(match(placeholders, "$KV.<bucket>.k", R"("$KV.tr_kv_x_y.k")"));
  CHECK(match(placeholders, "<sessionKey:A>", R"("the-key")"));
  CHECK_FALSE(match(placeholders, "<sessionKey:A>", quoted(kKey)));
}

TEST_CASE("now allows five seconds around the time of the decision") {
  Placeholders placeholders(PlaceholderValues{{"now", "1000"}});
  CHECK(match(placeholders, "<now>", "1005"));
  CHECK(match(placeholders, "<now>", "995"));
  CHECK_FALSE(match(placeholders, "<now>", "1006"));
  CHECK_FALSE(match(placeholders, "<now>", R"("1000")"));
  CHECK_FALSE(matches("<now>", "1000"));
}

TEST_CASE("where any instant is allowed, a time needs no milliseconds") {
  Placeholders placeholders({}, true);
  CHECK(match(placeholders, "<time>", R"("2026-03-01T10:00:00Z")"));
  CHECK(match(placeholders, "<time>", R"("2026-03-01T10:00:00.123456+00:00")"));
  CHECK_FALSE(match(placeholders, "<time>", R"("2026-03-01T10:00:00+01:00")"));
}

TEST_CASE("only a runtime version may be missing") {
  const auto version = parse_json(R"("<runtime version>")");
  const auto runtime = parse_json(R"("<runtime>")");
  CHECK(may_be_absent(*version));
  CHECK_FALSE(may_be_absent(*runtime));
}
