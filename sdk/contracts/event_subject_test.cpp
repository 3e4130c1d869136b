#include "contracts/event_subject.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;

namespace {

Result<std::string> expand(std::string_view subject, std::string_view payload,
                           SubjectMode mode = SubjectMode::publish) {
  const auto value = parse_json(payload);
  REQUIRE(value);
  return expand_subject(subject, *value, mode);
}

} // namespace

TEST_CASE("each token of a template takes the value that its pointer names") {
  CHECK(expand("e.{/a/b}.{/n}", R"({"a":{"b":"x"},"n":1.5})") == "e.x.1~2E~5");
  CHECK(expand("e.{/a~1b}.{/t~0x}.{/l/1}", R"({"a/b":"1","t~x":true,"l":["x","y"]})") == "e.1.true.y");
  CHECK(expand("e.pre{a}post.{}", R"({"a":-0.0})") == "e.pre0post.{}");
  CHECK(expand("e.{/}", R"({"":"v"})") == "e.v");
  CHECK(expand("e.{open", "{}") == "e.{open");
}

TEST_CASE("publishing needs every value and names the first that is missing") {
  CHECK(expand("e.{/a}.{/b/c}.{/d}", R"({"a":1,"b":"x"})").error().where == "/b/c");
  CHECK(expand("e.{/a}", R"({"a":null})").error().code == "missing_template_value");
  CHECK_FALSE(expand("e.{/a}", R"({"a":{}})"));
  CHECK_FALSE(expand("e.{/a/01}", R"({"a":["x","y"]})"));
  CHECK_FALSE(expand("e.{/a/2}", R"({"a":["x","y"]})"));
  CHECK_FALSE(expand("e.{/constructor}", R"({"constructor":"x"})"));
}

TEST_CASE("a filter has the wildcard where there is no value") {
  CHECK(expand("e.{/a}.{/b}.{/c}", R"({"a":"x.y","b":"*"})", SubjectMode::filter) == "e.x~2E~y.*.*");
  CHECK(expand("e.{/a}", R"({"a":">"})", SubjectMode::filter) == "e.~3E~");
  CHECK(expand("e.{/a}", R"({"a":"*"})") == "e.~2A~");
}

TEST_CASE("what would change a subject's meaning is escaped, and read back") {
  CHECK(encode_subject_token("a.b *>~") == "a~2E~b~20~~2A~~3E~~7E~");
  CHECK(decode_subject_token("a~2E~b~20~~2A~~3E~~7E~") == "a.b *>~");
  CHECK(encode_subject_token("") == "_");
  CHECK(encode_subject_token("$SYS") == "_$SYS");
  CHECK(decode_subject_token("_$SYS") == "$SYS");
  CHECK(encode_subject_token("\xE2\x80\xA8") == "~2028~");
  CHECK(decode_subject_token("~1F600~") == "\xF0\x9F\x98\x80");
}

TEST_CASE("what is no escape stays as it is when a token is read") {
  CHECK(decode_subject_token("a~b~41~c") == "a~bAc");
  CHECK(decode_subject_token("~2e~") == "~2e~");
  CHECK(decode_subject_token("~~41~") == "~A");
  CHECK(decode_subject_token("~1234567~") == "~1234567~");
  CHECK(decode_subject_token("~110000~") == "~110000~");
  CHECK(decode_subject_token("~41") == "~41");
}

TEST_CASE("an unpaired surrogate can't be part of a subject") {
  CHECK(expand("e.{/a}", R"({"a":"x\ud800y"})") == "e.x\xEF\xBF\xBDy");
}
