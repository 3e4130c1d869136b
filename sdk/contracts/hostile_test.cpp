// Input that means harm: sizes at each limit and one past it, depth, and texts whose reading must not cost more than
// their length. Limits of JSON text itself are tested in json_test.cpp, those of searching with patterns in
// schema_pattern_test.cpp.
#include "contracts/canonical.h"
#include "contracts/event_subject.h"
#include "contracts/event_template.h"
#include "contracts/manifest.h"
#include "contracts/schema.h"
#include "contracts/schema_pattern.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <functional>
#include <memory>
#include <rapidjson/document.h>
#include <string>
#include <sys/resource.h>

using namespace trellis;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr double kLinear = 2.5 * 2.5 * 2.5; // what eight times the size may take: 2.5 for each doubling

std::string contract(const std::string &members) {
  return R"({"format":"trellis.contract.v1","id":"acme.q@v1","displayName":"Q","description":"Q.","kind":"service",)" +
         members + "}";
}

// count items with a number in each, separated by commas.
std::string repeated(std::size_t count, const std::function<std::string(const std::string &)> &item) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += (i ? "," : "") + item(std::to_string(i));
  return out;
}

std::string times(std::string_view text, std::size_t count) {
  std::string out;
  while (count-- > 0)
    out += text;
  return out;
}

JsonDocument json(const std::string &text) {
  auto document = parse_json(text);
  REQUIRE(document);
  return std::move(*document);
}

Schema compiled(const std::string &text) {
  auto program = Schema::compile(json(text));
  REQUIRE(program);
  return std::move(*program);
}

bool accepts(const std::string &schema_text, const std::string &value) {
  return compiled(schema_text).valid(json("\"" + value + "\""));
}

// Processor time of this thread: the machine has other work.
double seconds_of(const std::function<void()> &work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double start = now();
  work();
  return now() - start;
}

// Time for eight times the size relative to the time for once, each the best of all rounds so far. Three doublings at
// once, so that caches weigh less than a term that grows with the square; more rounds only while the result is bad, so
// that what is linear passes on a busy machine and what isn't fails on every one.
double growth(const std::function<std::function<void()>(std::size_t)> &work_of_size, std::size_t size) {
  const auto once = work_of_size(size), eightfold = work_of_size(size * 8);
  double small = 1e9, large = 1e9;
  for (int round = 0; round < 12; ++round) {
    small = std::min(small, seconds_of(once));
    large = std::min(large, seconds_of(eightfold));
    if (round >= 2 && large / small <= kLinear) break;
  }
  return large / small;
}

} // namespace

// ------------------------------------------------------------------------------------------------------------- limits

TEST_CASE("a manifest of the largest size is read, and one byte more is an error that names the limit") {
  const auto filled = [](std::size_t size) {
    const auto frame = contract(R"("x":"")").size();
    return contract(R"("x":")" + std::string(size - frame, 'a') + "\"");
  };
  REQUIRE(filled(4 * kMiB).size() == 4 * kMiB);
  CHECK(Manifest::parse(filled(4 * kMiB)));
  const auto refused = Manifest::parse(filled(4 * kMiB + 1));
  REQUIRE(!refused);
  CHECK(refused.error().code == "json_too_large");
  CHECK(refused.error().text().find("at most 4194304 bytes") != std::string::npos);
}

TEST_CASE("a schema as deep as JSON may be is compiled, checked and made canonical, and one level more is an error") {
  // The manifest and its schemas are two levels.
  const auto deep = [](std::size_t levels) {
    return contract(R"("schemas":{"S":)" + times(R"({"not":)", levels) + "true" + std::string(levels, '}') + "}");
  };
  const auto manifest = Manifest::parse(deep(510));
  REQUIRE(manifest);
  CHECK(canonical_json(*manifest->schema("S")));
  const auto compiled = Schema::compile(*manifest->schema("S"));
  REQUIRE(compiled);
  CHECK(compiled->valid(JsonValue(1))); // an even number of times not
  CHECK(compiled->check(JsonValue(1)).empty());
  const auto refused = Manifest::parse(deep(511));
  REQUIRE(!refused);
  CHECK(refused.error().code == "json_too_deep");
  CHECK(refused.error().text().find("at most 512 levels") != std::string::npos);
}

TEST_CASE("a value as deep as JSON may be is checked against a schema of the same depth") {
  const auto deep_schema = compiled(times(R"({"items":)", 511) + R"({"type":"string"})" + std::string(511, '}'));
  const auto value = [](const std::string &leaf) { return json(std::string(511, '[') + leaf + std::string(511, ']')); };
  CHECK(deep_schema.valid(value("\"x\"")));
  CHECK(deep_schema.check(value("1")).size() == 1);
}

TEST_CASE("of any number of issues the first eight are told") {
  const auto closed = compiled(R"({"items":{"type":"string"}})");
  const auto numbers = [](std::size_t count) {
    return json("[" + repeated(count, [](const std::string &i) { return i; }) + "]");
  };
  CHECK(closed.check(numbers(kMaxSchemaIssues)).size() == kMaxSchemaIssues);
  CHECK(closed.check(numbers(kMaxSchemaIssues + 1)).size() == kMaxSchemaIssues);
  CHECK(closed.check(numbers(50'000)).size() == kMaxSchemaIssues);
  CHECK(closed.check(numbers(100), 1).size() == 1);
}

TEST_CASE("a host name has labels of at most 63 characters, and at most 253 in all") {
  const std::string hostname = R"({"format":"hostname"})";
  CHECK(accepts(hostname, std::string(63, 'a')));
  CHECK(!accepts(hostname, std::string(64, 'a')));
  const auto three = times(std::string(63, 'a') + ".", 3); // 192
  CHECK(accepts(hostname, three + std::string(61, 'a')));
  CHECK(!accepts(hostname, three + std::string(62, 'a')));
  const std::string idn = R"({"format":"idn-hostname"})";
  CHECK(accepts(idn, std::string(63, 'a')));
  CHECK(!accepts(idn, std::string(64, 'a')));
  CHECK(!accepts(idn, times("\u00fc", 100'000)));
}

TEST_CASE("a subject token is decoded from at most six digits") {
  CHECK(decode_subject_token("~10FFFF~") == "\U0010FFFF");
  CHECK(decode_subject_token("~010FFFF~") == "~010FFFF~");
  CHECK(decode_subject_token(times("~", 100'001)) == times("~", 100'001));
}

TEST_CASE("numbers of any length are doubles, or an error") {
  CHECK(canonical_json(json("0." + std::string(100'000, '3'))).value() == "0.3333333333333333");
  CHECK(canonical_json(json("0." + std::string(100'000, '0') + "1")).value() == "0");
  CHECK(canonical_json(json("1" + std::string(100'000, '0'))).error().code == "non_canonical_number");
  CHECK(canonical_json(json("1" + std::string(400, '0') + "e-400")).value() == "1");
  CHECK(canonical_json(json("[-25" + std::string(100'000, '0') + "e-100001,1]")).value() == "[-2.5,1]");
}

TEST_CASE("what is beyond a limit costs no memory to speak of") {
  const auto peak_kib = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const std::string large(64 * kMiB, '['), deep = std::string(4 * kMiB, '[');
  const auto before = peak_kib();
  CHECK(!parse_json(large));
  CHECK(!parse_json(deep));
  CHECK(!parse_json(times(R"({"a":)", 4 * kMiB / 5)));
  CHECK(peak_kib() - before < 32L * 1024);
}

TEST_CASE("a manifest of the largest size takes a bounded multiple of it in memory") {
  const auto peak_kib = [] {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  const auto text =
      contract(R"("schemas":{"S":{}},"rpc":{)" +
               repeated(13'000,
                        [](const std::string &i) {
                          return "\"R" + i + R"(":{"version":"v1","subject":"rpc.v1.Q.R)" + i +
                                 R"(","input":{"schema":"S"},"output":{"schema":"S"},"capabilities":{"call":[")" +
                                 std::string(130, 'x') + R"("]}})";
                        }) +
               "}");
  REQUIRE(text.size() > 3 * kMiB);
  REQUIRE(text.size() < 4 * kMiB);
  const auto before = peak_kib();
  CHECK(Manifest::parse(text));
  CHECK(peak_kib() - before < 100L * 4 * 1024); // KiB: a hundredfold, and half of that is what a sanitizer keeps
}

// --------------------------------------------------------------------------------------------------------------- time

TEST_CASE("reading a manifest takes time in the order of its length, whatever it is full of") {
  const auto parsing = [](const std::function<std::string(std::size_t)> &text_of) {
    return growth([&](std::size_t size) { return [text = text_of(size)] { REQUIRE(Manifest::parse(text)); }; }, 250);
  };
  CHECK(parsing([](std::size_t n) { // surfaces
          return contract(R"("schemas":{"S":{}},"rpc":{)" +
                          repeated(n,
                                   [](const std::string &i) {
                                     return "\"R" + i + R"(":{"version":"v1","subject":"rpc.v1.Q.R)" + i +
                                            R"(","input":{"schema":"S"},"output":{"schema":"S"}})";
                                   }) +
                          "}");
        }) <= kLinear);
  CHECK(parsing([](std::size_t n) { // schemas, referred to backwards
          return contract(R"("schemas":{)" + repeated(n, [](const std::string &i) { return "\"S" + i + "\":{}"; }) +
                          R"(},"state":{)" +
                          repeated(n,
                                   [n](const std::string &i) {
                                     return "\"" + i + R"(":{"kind":"value","schema":{"schema":"S)" +
                                            std::to_string(n - 1 - std::stoull(i)) + "\"}}";
                                   }) +
                          "}");
        }) <= kLinear);
  CHECK(parsing([](std::size_t n) { // names that aren't in order, repeated members
          return contract("\"x\":{" +
                          repeated(n,
                                   [](const std::string &i) {
                                     return "\"" + std::to_string(std::stoull(i) * 7919 % 4096) + "\":1,\"a" + i +
                                            "\":2";
                                   }) +
                          "}");
        }) <= kLinear);
  CHECK(parsing([](std::size_t n) { // one capability list
          return contract(
              R"("schemas":{"S":{}},"feeds":{"F":{"version":"v1","subject":"feeds.v1.Q.F","input":{"schema":"S"},
              "event":{"schema":"S"},"capabilities":{"subscribe":[)" +
              repeated(n, [](const std::string &i) { return "\"c" + i + "\""; }) + "]}}}");
        }) <= kLinear);
}

TEST_CASE("canonical JSON takes time in the order of the text's length") {
  const auto writing = [](const std::function<std::string(std::size_t)> &text_of, std::size_t size) {
    return growth(
        [&](std::size_t n) {
          return [value = std::make_shared<JsonDocument>(json(text_of(n)))] { REQUIRE(canonical_json(*value)); };
        },
        size);
  };
  CHECK(writing(
            [](std::size_t n) {
              return "{" +
                     repeated(n,
                              [](const std::string &i) {
                                return "\"k" + std::to_string(std::stoull(i) * 7919 % 99991) + "_" + i + "\":" + i +
                                       ".5";
                              }) +
                     "}";
            },
            2'000) <= kLinear);
  CHECK(writing([](std::size_t n) { return "\"" + times("\\u0001\U0001F600", n) + "\""; }, 8'000) <= kLinear);
  CHECK(writing([](std::size_t n) { return times("[", n) + times("]", n); }, 60) <= kLinear);
}

TEST_CASE("compiling a schema takes time in the order of its length") {
  const auto compiling = [](const std::function<std::string(std::size_t)> &text_of, std::size_t size) {
    return growth(
        [&](std::size_t n) {
          return [value = std::make_shared<JsonDocument>(json(text_of(n)))] { REQUIRE(Schema::compile(*value)); };
        },
        size);
  };
  CHECK(compiling(
            [](std::size_t n) {
              return R"({"properties":{)" +
                     repeated(n,
                              [](const std::string &i) { return "\"p" + i + R"(":{"type":"string","minLength":1})"; }) +
                     R"(},"required":[)" + repeated(n, [](const std::string &i) { return "\"p" + i + "\""; }) + "]}";
            },
            1'000) <= kLinear);
  CHECK(compiling(
            [](std::size_t n) {
              return R"({"enum":[)" + repeated(n, [](const std::string &i) { return "{\"a\":" + i + "}"; }) + "]}";
            },
            2'000) <= kLinear);
  CHECK(compiling(
            [](std::size_t n) {
              return R"({"anyOf":[)" + repeated(n, [](const std::string &i) { return R"({"const":)" + i + "}"; }) +
                     "]}";
            },
            1'000) <= kLinear);
}

TEST_CASE("searching with a pattern takes time in the order of the text's length") {
  const auto searching = [](const char *expression, std::string_view unit) {
    const auto pattern = std::make_shared<schema::Pattern>(schema::Pattern::compile(expression).value());
    return growth(
        [&](std::size_t n) { return [pattern, text = times(unit, n) + "!"] { (void)pattern->found_in(text); }; },
        8'000);
  };
  CHECK(searching("\\s+$", "    ") <= kLinear);
  CHECK(searching("x", "abcd") <= kLinear);
}

// What such patterns take, and those with many false starts (each callout counts as a look at the whole text), grows
// faster than the text until it meets the limit, which is linear in the text: 20 ms and 2 us a byte
// (schema_pattern.cpp). Half as much again is for the work between two looks at the clock.
TEST_CASE("a pattern that backtracks without end stops at a time that is linear in the text") {
  const auto stays_within = [](const char *expression, std::string_view unit) {
    const auto pattern = schema::Pattern::compile(expression).value();
    const auto text = times(unit, 64'000) + "!";
    const double limit = 0.020 + 2e-6 * static_cast<double>(text.size());
    return seconds_of([&] { CHECK(!pattern.found_in(text)); }) <= 1.5 * limit;
  };
  CHECK(stays_within("(a+)+$", "aaaa"));
  CHECK(stays_within("[a-z]+\\d$", "ab1 "));
  CHECK(stays_within("[0-9]{3}", "12a "));
  CHECK(stays_within("^(a|a)*b$", "aaaa"));
  CHECK(stays_within("(.*)*x", "abcd"));
}

TEST_CASE("subjects take time in the order of their length") {
  const auto payload = std::make_shared<JsonDocument>(json(R"({"a":"x.y"})"));
  CHECK(growth(
            [&](std::size_t n) {
              return [payload, subject = "events.v1.Q" + times(".{/a}", n)] {
                REQUIRE(expand_subject(subject, *payload, SubjectMode::publish));
              };
            },
            4'000) <= kLinear);
  CHECK(growth([](std::size_t n) { return [text = times("a.*", n)] { (void)encode_subject_token(text); }; }, 20'000) <=
        kLinear);
  CHECK(growth([](std::size_t n) { return [text = times("~2E~~", n)] { (void)decode_subject_token(text); }; },
               20'000) <= kLinear);
  CHECK(growth([](std::size_t n) { return [text = times("{/a}.", n)] { REQUIRE(template_pointers(text)); }; },
               20'000) <= kLinear);
}
