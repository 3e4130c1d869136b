#include "runner.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::vectors;

namespace {

JsonDocument object_of(const char *name, std::string_view text) {
  JsonDocument out(rapidjson::kObjectType);
  const auto size = static_cast<rapidjson::SizeType>(text.size());
  out.AddMember(JsonValue(name, out.GetAllocator()), JsonValue(text.data(), size, out.GetAllocator()),
                out.GetAllocator());
  return out;
}

JsonDocument echo(const Input &input, const CaseContext &) {
  return object_of("text", input.text("text"));
}

JsonDocument echo_of_whole(const Input &input, const CaseContext &) {
  input.accept_all();
  return object_of("text", string_member(input.whole(), "text"));
}

JsonDocument bucket(const Input &, const CaseContext &context) {
  context.values->emplace("bucket", "tr_kv_1");
  return object_of("text", "$KV.tr_kv_1");
}

JsonDocument instant(const Input &, const CaseContext &) {
  return object_of("text", "2026-01-01T00:00:00Z");
}

JsonDocument from_fixture(const Input &, const CaseContext &context) {
  return object_of("text", context.fixtures ? string_member(*context.fixtures, "f") : "none");
}

JsonDocument length(const Input &input, const CaseContext &) {
  return object_of("text", std::to_string(input.text("text").size()));
}

JsonDocument throws(const Input &, const CaseContext &) {
  throw std::runtime_error("boom");
}
JsonDocument throws_a_number(const Input &, const CaseContext &) {
  throw 1;
}
JsonDocument skips(const Input &, const CaseContext &) {
  throw Skipped("no nats-server");
}
JsonDocument nothing(const Input &, const CaseContext &) {
  return {};
}

const Kinds kToys = {{"echo", {echo}},       {"whole", {echo_of_whole}},    {"bucket", {bucket}},
                     {"instant", {instant}}, {"fixture", {from_fixture}},   {"length", {length}},
                     {"throws", {throws}},   {"number", {throws_a_number}}, {"skips", {skips}},
                     {"nothing", {nothing}}};

Outcome run(std::string_view text, const std::string &file = "toys") {
  const auto parsed = parse_json(text);
  REQUIRE(parsed);
  return run_case(kToys, file, *parsed);
}

} // namespace

TEST_CASE("a case passes when its procedure gives what is expected") {
  const auto outcome = run(R"({"name":"n","kind":"echo","input":{"text":"a"},"expected":{"text":"a"}})");
  CHECK(outcome.verdict == Verdict::passed);
  CHECK(outcome.why.empty());
}

TEST_CASE("a case fails with its first difference and the pointer to it") {
  const auto outcome = run(R"({"name":"n","kind":"echo","input":{"text":"a"},"expected":{"text":"b"}})");
  CHECK(outcome.verdict == Verdict::failed);
  CHECK(outcome.why == R"(/expected/text: expected "b", got "a")");
}

TEST_CASE("an unknown kind fails") {
  const auto outcome = run(R"({"name":"n","kind":"other","input":{},"expected":{}})");
  CHECK(outcome.verdict == Verdict::failed);
  CHECK(outcome.why == R"(/kind: unknown kind "other")");
}

TEST_CASE("a member of the input that the procedure never asked for fails") {
  const auto outcome = run(R"({"name":"n","kind":"echo","input":{"text":"a","x/y":1},"expected":{"text":"a"}})");
  CHECK(outcome.verdict == Verdict::failed);
  CHECK(outcome.why == "/input/x~1y: a member that the procedure doesn't know");
}

TEST_CASE("a procedure may answer for all members of the input") {
  CHECK(run(R"({"name":"n","kind":"whole","input":{"text":"a","x":1},"expected":{"text":"a"}})").verdict ==
        Verdict::passed);
}

TEST_CASE("an expected member that the procedure doesn't produce fails") {
  const auto outcome = run(R"({"name":"n","kind":"echo","input":{"text":"a"},"expected":{"text":"a","new":1}})");
  CHECK(outcome.why == "/expected/new: expected 1, got no such member");
}

TEST_CASE("people's members of a case are ignored, unknown ones fail") {
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":"a"},"expected":{"text":"a"},
                "note":"","scenario":"","recorded":{}})")
            .verdict == Verdict::passed);
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":"a"},"expected":{"text":"a"},"flavour":1})").why ==
        "/flavour: unknown member of a case");
}

TEST_CASE("an informative case is executed and not compared") {
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":"a"},"informative":true})").verdict == Verdict::passed);
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":"a"},"expected":{"text":"b"},"informative":true})").verdict ==
        Verdict::passed);
  CHECK(run(R"({"name":"n","kind":"throws","input":{},"informative":true})").verdict == Verdict::failed);
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":"a"},"informative":false})").why == "/expected: absent");
}

TEST_CASE("whatever a procedure throws fails its case") {
  CHECK(run(R"({"name":"n","kind":"throws","input":{},"expected":{}})").why == "boom");
  CHECK(run(R"({"name":"n","kind":"number","input":{},"expected":{}})").verdict == Verdict::failed);
  CHECK(run(R"({"name":"n","kind":"echo","input":{},"expected":{}})").why == "/input/text: absent");
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":1},"expected":{}})").why == "/input/text: not a string");
}

TEST_CASE("a result of another type than the expected object fails") {
  CHECK(run(R"({"name":"n","kind":"nothing","input":{},"expected":{}})").why == "/expected: expected {}, got null");
  CHECK(run(R"({"name":"n","kind":"nothing","input":{},"expected":null})").verdict == Verdict::passed);
}

TEST_CASE("a case is skipped only with a reason from its procedure") {
  const auto outcome = run(R"({"name":"n","kind":"skips","input":{},"expected":{}})");
  CHECK(outcome.verdict == Verdict::skipped);
  CHECK(outcome.why == "no nats-server");
}

TEST_CASE("malformed cases fail and don't crash") {
  CHECK(run("7").verdict == Verdict::failed);
  CHECK(run("{}").why == "/name: not a string");
  CHECK(run(R"({"name":"n","kind":{}})").why == "/kind: not a string");
  CHECK(run(R"({"name":"n","kind":"echo","input":[],"expected":{}})").why == "/input: not an object");
  CHECK(run(R"({"name":"n","kind":"echo","informative":1})").why == "/informative: not true or false");
  CHECK(run(R"({"name":"n","kind":"echo","input":{}})").why == "/expected: absent");
}

TEST_CASE("the values that a procedure chose stand for its placeholders") {
  CHECK(run(R"({"name":"n","kind":"bucket","input":{},"expected":{"text":"$KV.<bucket>"}})").verdict ==
        Verdict::passed);
  CHECK(run(R"({"name":"n","kind":"bucket","input":{},"expected":{"text":"<bucket>"}})").verdict == Verdict::failed);
}

TEST_CASE("jobs-wire accepts any instant as a time, other files don't") {
  constexpr std::string_view kCase = R"({"name":"n","kind":"instant","input":{},"expected":{"text":"<time>"}})";
  CHECK(run(kCase, "jobs-wire").verdict == Verdict::passed);
  CHECK(run(kCase, "jobs-projection").verdict == Verdict::failed);
}

TEST_CASE("procedures see the fixtures of their file") {
  const auto fixtures = parse_json(R"({"f":"shared"})");
  const auto parsed = parse_json(R"({"name":"n","kind":"fixture","input":{},"expected":{"text":"shared"}})");
  CHECK(run_case(kToys, "toys", *parsed, &*fixtures).verdict == Verdict::passed);
  CHECK(run_case(kToys, "toys", *parsed).verdict == Verdict::failed);
}

TEST_CASE("a repeated string is written out before the procedure sees it") {
  CHECK(run(R"({"name":"n","kind":"length","input":{"text":{"$repeat":"ab","times":3}},"expected":{"text":"6"}})")
            .verdict == Verdict::passed);
  CHECK(run(R"({"name":"n","kind":"echo","input":{"text":"aaa"},"expected":{"text":{"$repeat":"a","times":3}}})")
            .verdict == Verdict::passed);
  CHECK(run(R"({"name":"n","kind":"length","input":{"text":{"$repeat":"a","times":-1}},"expected":{}})").why ==
        R"(malformed $repeat: {"$repeat":"a","times":-1})");
  CHECK(run(R"({"name":"n","kind":"length","input":{"text":{"$repeat":"a","times":1e9}},"expected":{}})").verdict ==
        Verdict::failed);
}

TEST_CASE("the input says which of its members have the wrong type") {
  const auto parsed = parse_json(R"({"text":"t","number":1.5,"yes":true,"nothing":null})");
  const Input input(*parsed);
  CHECK(input.text("text") == "t");
  CHECK(input.text_or("text", "o") == "t");
  CHECK(input.text_or("absent", "o") == "o");
  CHECK_THROWS(input.text_or("nothing", "o"));
  CHECK(input.number("number") == 1.5);
  CHECK_THROWS(input.number("text"));
  CHECK(input.flag("yes"));
  CHECK_FALSE(input.flag("absent"));
  CHECK_THROWS(input.flag("text"));
  CHECK(input.find("absent") == nullptr);
  CHECK_THROWS(input.at("absent"));
  CHECK(input.unread().empty());
}

TEST_CASE("the input remembers what was not asked for") {
  const auto parsed = parse_json(R"({"a":1,"b":2,"c":3})");
  const Input input(*parsed);
  CHECK(input.number("b") == 2);
  CHECK(input.unread() == std::vector<std::string>{"a", "c"});
  input.accept_all();
  CHECK(input.unread().empty());
}
