#include "contracts/schema_pattern.h"

#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <string>

using trellis::schema::Pattern;

namespace {

bool found(std::string_view pattern, std::string_view text) {
  const auto compiled = Pattern::compile(pattern);
  REQUIRE(compiled);
  return compiled->found_in(text);
}

bool refused(std::string_view pattern) {
  const auto compiled = Pattern::compile(pattern);
  return !compiled && compiled.error().code == "schema_pattern";
}

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// Processor time of a search that finds nothing.
double seconds_of(std::string_view pattern, const std::string &text) {
  const auto compiled = Pattern::compile(pattern);
  REQUIRE(compiled);
  const double start = processor_seconds();
  CHECK_FALSE(compiled->found_in(text));
  return processor_seconds() - start;
}

} // namespace

TEST_CASE("a pattern is searched for anywhere") {
  CHECK(found("a+", "xxaayy"));
  CHECK(found("^a*$", "aaa"));
  CHECK_FALSE(found("^a*$", "aab"));
  CHECK(found("", ""));
}

TEST_CASE("^ and $ are the ends of the text, not of a line") {
  CHECK_FALSE(found("^a$", "a\n"));
  CHECK_FALSE(found("^b", "a\nb"));
}

TEST_CASE("the dot is any character but ECMAScript's line ends") {
  CHECK(found("^.$", "\u00e9"));
  CHECK(found("^.$", "\U0001F600"));
  CHECK(found("^.$", "\u0085"));
  CHECK_FALSE(found(".", "\n"));
  CHECK_FALSE(found(".", "\u2028"));
}

TEST_CASE("\\d and \\w are ASCII, \\s is ECMAScript's white space") {
  CHECK_FALSE(found("\\d", "\u0663"));
  CHECK(found("^\\D$", "\u0663"));
  CHECK_FALSE(found("\\w", "\u00e9"));
  CHECK(found("^[\\w-]+$", "a-1_Z"));
  CHECK(found("^\\s+$", "\v\u00a0\ufeff\u2003\u2029"));
  CHECK_FALSE(found("\\s", "\u0085\u200b"));
  CHECK_FALSE(found("[\\S]", " \u3000"));
  CHECK(found("^[^\\S]$", "\u3000"));
}

TEST_CASE("escapes name characters") {
  CHECK(found("^\\u00e9\\x41\\cJ\\0\\/\\u{1F600}\\uD83D\\uDE00$", std::string("\u00e9A\n\0/\U0001F600\U0001F600", 14)));
  CHECK(found("^[\\b\\-]+$", "\b-"));
}

TEST_CASE("properties have ECMAScript's names") {
  CHECK(found("^\\p{Letter}\\p{L}\\p{gc=Lowercase_Letter}$", "\u00e9\u03b1a"));
  CHECK(found("^\\p{Script=Greek}+$", "\u03b1\u03b2"));
  CHECK(found("^[\\p{Lu}\\d]\\P{Lu}$", "1a"));
  CHECK(found("^\\p{LC}\\p{Any}\\p{Assigned}\\p{ASCII}\\p{Alphabetic}$", "a bcd"));
  CHECK(refused("\\p{Latin}"));
  CHECK(refused("\\p{letter}"));
  CHECK(refused("\\p{Script=Nowhere}"));
  CHECK(refused("\\pL"));
}

TEST_CASE("classes may be empty, and hold what other dialects give a meaning") {
  CHECK_FALSE(found("[]", "a"));
  CHECK(found("^[^]$", "\n"));
  CHECK(found("^[[:a-]+$", "[:a-"));
  CHECK(found("^[&&~]+$", "&~"));
}

TEST_CASE("groups, references and looking around") {
  CHECK(found("^(a)\\1$", "aa"));
  CHECK(found("^(?<x>a|b)\\k<x>$", "bb"));
  CHECK(found("^\\k<x>(?<x>a)$", "a"));
  CHECK(found("^(?:(a)|b)\\1$", "b"));
  CHECK(found("(?<!a)b", "cb"));
  CHECK_FALSE(found("^(?=a)b", "b"));
}

TEST_CASE("what isn't ECMAScript's Unicode mode is refused") {
  for (const auto *pattern :
       {"(",           ")",     "[a",     "a{2,1}",         "a**",   "{",     "}",       "]",       "\\_",
        "\\Z",         "\\1",   "\\k<x>", "(?<x>a)(?<x>b)", "(?i)a", "(?>a)", "[b-a]",   "[\\d-a]", "(?=a)*",
        "\\u{110000}", "\\u12", "\\c1",   "\\01",           "*",     "^*",    "(?<1>a)", "\\"}) {
    INFO(pattern);
    CHECK(refused(pattern));
  }
}

TEST_CASE("looking behind over an unlimited length is beyond PCRE2") {
  CHECK(refused("(?<=a+)b"));
}

TEST_CASE("a lone surrogate is a character") {
  CHECK(found("^.$", "\xED\xA0\x80"));
  CHECK(found("^\\uD800$", "\xED\xA0\x80"));
  CHECK(found("^[\\uD800-\\uDBFF]b$", "\xED\xA0\x80"
                                      "b"));
}

TEST_CASE("a text that isn't UTF-8 matches nothing") {
  CHECK_FALSE(found(".*", "a\xFF"));
  CHECK_FALSE(found("a", "a\xC3"));
}

TEST_CASE("a repetition over a long text is found, also beyond the stack of compiled patterns") {
  CHECK(found("^[a-z]*$", std::string(1 << 20, 'a')));
  CHECK(found("^(?:a|b)*$", std::string(100'000, 'a')));
}

TEST_CASE("a pattern that backtracks without end finds nothing, soon") {
  constexpr double kSoon = 5; // seconds of processor time; without limits it would be years
  const std::string text = std::string(20'000, 'a') + "!";
  CHECK(seconds_of("(a+)+$", text) < kSoon);
  CHECK(seconds_of("^(([a-z])+.)+[A-Z]([a-z])+$", text) < kSoon);
  CHECK(seconds_of("(.*)*(.*)*[^!]$", text) < kSoon);
}

TEST_CASE("a pattern whose single steps look through the whole text ends as soon") {
  constexpr double kSoon = 5;
  CHECK(seconds_of("\\s+$", std::string(200'000, ' ') + "!") < kSoon);
  CHECK(seconds_of("(?:(?=(a+))\\1)+$", std::string(50'000, 'a') + "!") < kSoon);
}

TEST_CASE("a pattern as long as a document compiles or is refused, without a deep stack") {
  CHECK(refused(std::string(1 << 20, '(')));
  CHECK(refused(std::string(1 << 20, '[')));
}
