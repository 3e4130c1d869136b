#include "contracts/manifest.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <ctime>
#include <functional>
#include <rapidjson/document.h>
#include <string>

using namespace trellis;

namespace {

// A contract of service `acme.q@v1` with `members` added at the top level.
std::string contract(const std::string &members) {
  return R"({"format":"trellis.contract.v1","id":"acme.q@v1","displayName":"Q","description":"Q.","kind":"service")" +
         (members.empty() ? "" : "," + members) + "}";
}

Manifest valid(const std::string &text) {
  auto manifest = Manifest::parse(text);
  INFO(text);
  if (!manifest) FAIL(manifest.error().code << " " << manifest.error().text());
  return std::move(*manifest);
}

Error problem(const std::string &text) {
  const auto manifest = Manifest::parse(text);
  INFO(text);
  REQUIRE(!manifest);
  return manifest.error();
}

std::string digest_of(const std::string &members) {
  return valid(contract(members)).digest();
}

// A schema E, and one event with that schema, the template and its pointers as params.
std::string event(const std::string &schema, const std::string &subject, const std::string &params) {
  return contract(R"("schemas":{"E":)" + schema + R"(},"events":{"Ev":{"version":"v1","subject":")" + subject +
                  R"(","params":)" + params + R"(,"event":{"schema":"E"}}})");
}

constexpr char kRich[] =
    R"("schemas":{"In":{"type":"object","properties":{"id":{"type":"string"}}},"Out":true,"Free":{}},
  "rpc":{"Q.Do":{"version":"v1","subject":"rpc.v1.Q.Do","input":{"schema":"In"},"output":{"schema":"Out"},
    "capabilities":{"call":["b","a","b"]},"errors":[{"type":"Z"},{"type":"A"}],"docs":{"markdown":"m"}}},
  "errors":{"z":{"type":"Z","schema":{"schema":"In"}},"unused":{"type":"U"}},
  "events":{"Q.Ev":{"version":"v1","subject":"events.v1.Q.Ev.{/id}","params":["/id"],"event":{"schema":"In"}}},
  "uses":{"required":{"d":{"contract":"d@v1","rpc":{},"events":{"subscribe":["Two","One"]}}},
          "optional":{"d":{"contract":"other@v1"},"e":{"contract":"e@v1"}}},
  "eventConsumers":{"g":{"uses":{"d":["Two","One","Two"]},"self":["Q.Ev"]}},
  "resources":{"kv":{"c":{"purpose":"p","schema":{"schema":"In"},"history":2.0}}},
  "jobs":{"w":{"payload":{"schema":"In"},"backoffMs":[3,1e3]}})";

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

// Time for eight times the size, relative to the time for once: the best of three each. Three doublings at once, so
// that caches and the allocator weigh less than a term that grows with the square.
double growth(const std::function<std::string(std::size_t)> &text_of_size, std::size_t size) {
  const auto once = text_of_size(size), eightfold = text_of_size(size * 8);
  double small = 1e9, large = 1e9;
  for (int round = 0; round < 3; ++round) {
    small = std::min(small, seconds_of([&] { (void)Manifest::parse(once); }));
    large = std::min(large, seconds_of([&] { (void)Manifest::parse(eightfold); }));
  }
  return large / small;
}

std::string repeated(std::size_t count, const std::function<std::string(const std::string &)> &item) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += (i ? "," : "") + item(std::to_string(i));
  return out;
}

} // namespace

TEST_CASE("the example of the chapter normalizes as it says") {
  const auto manifest =
      valid(contract(R"("x":1,"schemas":{"A":true},"rpc":{"Q.Do":{"version":"v1","subject":"rpc.v1.Q.Do",
        "input":{"schema":"A","y":2},"output":{"schema":"A"},"internal":true,"capabilities":{}}})"));
  CHECK(manifest.normalized() ==
        R"({"description":"Q.","displayName":"Q","format":"trellis.contract.v1","id":"acme.q@v1","kind":"service",)"
        R"("rpc":{"Q.Do":{"input":{"schema":"A"},"output":{"schema":"A"},"subject":"rpc.v1.Q.Do","version":"v1"}},)"
        R"("schemas":{"A":true}})");
}

TEST_CASE("normalizing a normalized manifest changes nothing") {
  const auto once = valid(contract(kRich));
  const auto twice = valid(once.normalized());
  CHECK(twice.normalized() == once.normalized());
  CHECK(twice.digest() == once.digest());
}

TEST_CASE("event consumer lists are sorted, and get the defaults that others don't") {
  const auto manifest = valid(contract(kRich));
  const auto &group = manifest.model().event_consumers->front().second;
  CHECK(group.uses->front().second == NameList{"One", "Two"});
  CHECK(group.replay == "new");
  CHECK(group.concurrency == 1);
  CHECK(!manifest.model().jobs->front().second.concurrency);
}

TEST_CASE("the model keeps what it needs when the parsed value is gone") {
  auto document = parse_json(contract(kRich));
  auto manifest = Manifest::validate(*document);
  REQUIRE(manifest);
  *document = JsonDocument();
  REQUIRE(manifest->schema("In"));
  CHECK(to_json(*manifest->schema("In")) == R"({"type":"object","properties":{"id":{"type":"string"}}})");
  CHECK(manifest->rpc("Q.Do")->subject == "rpc.v1.Q.Do");
  CHECK(manifest->error_of_type("Z")->schema == "In");
  CHECK(!manifest->schema("Nope"));
  CHECK(!manifest->rpc("Nope"));
  CHECK(!manifest->error_of_type("Nope"));
}

TEST_CASE("the digest doesn't depend on texts for people, order, spelling or unknown members") {
  const auto same = [](const std::string &a, const std::string &b) {
    INFO(a << "\n" << b);
    CHECK(digest_of(a) == digest_of(b));
  };
  same("", R"("docs":{"markdown":"long"})");
  same("", R"("unknown":{"deep":[1,2]})");
  same("", R"("exports":{})");
  same("", R"("schemas":{"Unused":{"type":"string"}})");
  same("", R"("errors":{"e":{"type":"Nobody lists it"}})");
  same("", R"("uses":{},"resources":{})");
  same(R"("jobs":{},"rpc":{})", R"("rpc":{},"jobs":{})");
  same(R"("capabilities":{"a":{"displayName":"A","description":"D"}})",
       R"("capabilities":{"a":{"description":"D","displayName":"A","x":1}})");
  same(
      R"("uses":{"required":{"a":{"contract":"c","rpc":{"call":["X","Y","X"]}}}})",
      R"("uses":{"required":{"a":{"contract":"c","rpc":{"call":["Y","X"]},"feeds":{}}},"optional":{"a":{"contract":"q"}}})");
  same(R"("resources":{"store":{"s":{"purpose":"p","ttlMs":1000}}})",
       R"("resources":{"store":{"s":{"purpose":"p","ttlMs":1e3,"docs":{"markdown":""}}}})");
  const auto display = contract(kRich);
  auto renamed = display;
  renamed.replace(renamed.find(R"("Q.")"), 4, R"("Other text")");
  CHECK(valid(display).digest() == valid(renamed).digest());
  CHECK(valid(display).normalized() != valid(renamed).normalized());
}

TEST_CASE("the digest depends on everything that changes what the contract asks for") {
  const auto differ = [](const std::string &a, const std::string &b) {
    INFO(a << "\n" << b);
    CHECK(digest_of(a) != digest_of(b));
  };
  differ("", R"("rpc":{})");
  differ("", R"("capabilities":{})");
  differ("", R"("resources":{"kv":{}})");
  differ("", R"("uses":{"required":{}})");
  differ("", R"("uses":{"optional":{}})");
  differ(R"("uses":{"required":{"a":{"contract":"c"}}})", R"("uses":{"optional":{"a":{"contract":"c"}}})");
  differ(R"("resources":{"store":{"s":{"purpose":"p"}}})", R"("resources":{"store":{"s":{"purpose":"q"}}})");
  differ(R"("resources":{"store":{"s":{"purpose":"p"}}})", R"("resources":{"store":{"s":{"purpose":"p","ttlMs":0}}})");
}

TEST_CASE("with several errors of one type, the first in document order reaches its schema") {
  const auto text = [](const char *errors) {
    return contract(std::string(R"("schemas":{"A":{"title":"a"},"B":{"title":"b"},"V":true},
      "rpc":{"R":{"version":"v1","subject":"s","input":{"schema":"V"},"output":{"schema":"V"},"errors":[{"type":"T"}]}},
      "errors":)") + errors);
  };
  const auto first =
      valid(text(R"({"z":{"type":"T","schema":{"schema":"A"}},"a":{"type":"T","schema":{"schema":"B"}}})"));
  CHECK(first.projection().find(R"("A":{"title")") != std::string::npos);
  CHECK(first.projection().find(R"("B":{"title")") == std::string::npos);
  CHECK(first.error_of_type("T")->schema == "A");
}

TEST_CASE("an error says where it is, what is there and what belongs there") {
  const auto error = problem(contract(R"("rpc":{"a/b~c":{"version":"v1","subject":"s","input":{"schema":7}}})"));
  CHECK(error.code == "structure");
  CHECK(error.where == "/rpc/a~1b~0c/input/schema");
  CHECK(error.message == "is the number 7");
  CHECK(error.expected == "a string of at least one character");
}

TEST_CASE("null is not absence") {
  for (const char *member : {"docs", "schemas", "uses", "rpc", "resources", "exports", "jobs"}) {
    INFO(member);
    CHECK(problem(contract("\"" + std::string(member) + "\":null")).where == "/" + std::string(member));
  }
}

TEST_CASE("entries under names with line terminators are checked like any other") {
  CHECK(problem(contract(R"("rpc":{"a\nb":7})")).code == "structure");
  CHECK(problem(contract(R"("schemas":{"\u2028":7})")).code == "structure");
}

TEST_CASE("numbers are checked in unknown members too, before the structure") {
  CHECK(problem(contract(R"("x":[{"y":-0.0}],"rpc":7)")).where == "/x/0/y");
  CHECK(problem(contract(R"("x":[{"y":1e999}],"rpc":7)")).code == "not_json");
  CHECK(problem(contract(R"("x":-1e-400)")).code == "not_json");
}

TEST_CASE("a $ref is found anywhere in a schema, the first in document order") {
  const auto code = [](const std::string &schema) {
    return problem(contract(R"("schemas":{"S":)" + schema + "}")).code;
  };
  CHECK(code(R"({"default":[{"$ref":"http://x"}],"$ref":"#/a"})") == "embedded_schema_remote_ref");
  CHECK(code(R"({"$ref":""})") == "embedded_schema_remote_ref");
  CHECK(code(R"({"$ref":7})") == "embedded_schema_ref");
  CHECK(code(R"({"type":"nope","items":{"$ref":"#"}})") == "embedded_schema_ref");
  CHECK(code(R"({"enum":[{"type":["string",1]}]})") == "embedded_schema_type");
  valid(contract(R"("schemas":{"S":{"$recursiveRef":"#","type":[],"properties":{"type":{"type":"null"}}}})"));
  valid(contract(R"("schemas":{"S":{"type":7,"const":{"type":null}}})"));
}

TEST_CASE("the first problem of a template in scan order decides") {
  const auto code = [](const std::string &subject) { return problem(event("{}", subject, "[]")).code; };
  CHECK(code("a.}.{b}") == "event_template_malformed");
  CHECK(code("a.{b}.}") == "event_template_pointer");
  CHECK(code("a.{/b{}}") == "event_template_malformed");
  CHECK(code("a.{/b") == "event_template_malformed");
  CHECK(code("a.{}") == "event_template_pointer");
  CHECK(code("a.{/~2}") == "event_template_pointer");
}

TEST_CASE("a pointer may pass through allOf, and through anyOf when every variant has it") {
  const auto code = [](const std::string &schema, const std::string &pointer = "/a") {
    const auto manifest = Manifest::parse(event(schema, "e.{" + pointer + "}", "[\"" + pointer + "\"]"));
    return manifest ? std::string("ok") : manifest.error().code;
  };
  const std::string text = R"({"properties":{"a":{"type":"string"}}})",
                    flag = R"({"properties":{"a":{"type":"boolean"}}})";
  CHECK(code(text) == "ok");
  CHECK(code(flag) == "event_pointer_not_tokenable");
  CHECK(code("true") == "event_pointer_missing");
  CHECK(code(R"({"allOf":[{},)" + text + "]}") == "ok");
  CHECK(code(R"({"allOf":[)" + flag + "," + text + "]}") == "event_pointer_not_tokenable");
  CHECK(code(R"({"anyOf":[)" + text + "," + text + "]}") == "ok");
  CHECK(code(R"({"anyOf":[)" + text + ",{}]}") == "event_pointer_missing");
  CHECK(code(R"({"oneOf":[)" + text + R"(],"anyOf":[{}]})") == "ok");
  CHECK(code(R"({"anyOf":[]})") == "event_pointer_missing");
  // Found by `properties`; a variant before the first that lacks the pointer still counts as a place it leads to.
  const std::string direct = R"("properties":{"a":{"type":"integer"}})";
  CHECK(code("{" + direct + R"(,"anyOf":[{},)" + flag + "]}") == "ok");
  const std::string refused = "{" + direct + R"(,"anyOf":[)" + flag + ",{}]}";
  CHECK(code(refused) == "event_pointer_not_tokenable");
  CHECK(code(R"({"anyOf":[)" + refused + "]}") == "event_pointer_not_tokenable");
  CHECK(code(R"({"oneOf":[)" + text + "," + refused + "]}") == "event_pointer_not_tokenable");
}

TEST_CASE("pointer segments are unescaped and compared whole") {
  const auto ok = [](const std::string &schema, const std::string &pointer) {
    return Manifest::parse(event(schema, "e.{" + pointer + "}", "[\"" + pointer + "\"]")).has_value();
  };
  CHECK(ok(R"({"properties":{"a/b~":{"type":"number"}}})", "/a~1b~0"));
  CHECK(ok(R"({"properties":{"":{"type":"number"}}})", "/"));
  CHECK(ok(R"({"properties":{"":{"properties":{"":{"type":"number"}}}}})", "//"));
  CHECK(!ok(R"({"properties":{"ab":{"type":"number"}}})", "/a"));
  CHECK(!ok(R"({"properties":{"a":{"type":"number"}}})", "/ab"));
  CHECK(!ok(R"({"properties":{"a":{"type":"number"}}})", "/a/"));
  CHECK(!ok(R"({"items":{"properties":{"a":{"type":"number"}}}})", "/0/a"));
}

TEST_CASE("several pointers of one schema are each judged for themselves, in order") {
  const auto error =
      problem(event(R"({"properties":{"a":{"type":"string","properties":{"b":{"type":"number"}}},"c":{}}})",
                    "e.{/a/b}.{/a}.{/a}.{/c}.{/d}", R"(["/a/b","/a","/a","/c","/d"])"));
  CHECK(error.code == "event_pointer_not_tokenable");
  CHECK(error.message.find("\"/c\"") != std::string::npos);
}

TEST_CASE("an earlier event's pointer comes before a later event's template") {
  const auto text = contract(R"("schemas":{"E":{}},"events":{
    "One":{"version":"v1","subject":"e.{/x}","params":["/x"],"event":{"schema":"E"}},
    "Two":{"version":"v1","subject":"e.{","event":{"schema":"E"}}})");
  CHECK(problem(text).code == "event_pointer_missing");
}

TEST_CASE("wildcard subjects replace every non-empty token") {
  CHECK(wildcard_subject("events.v1.A.{/a}.{/b}") == "events.v1.A.*.*");
  CHECK(wildcard_subject("pre{/a}post") == "pre*post");
  CHECK(wildcard_subject("a.{}") == "a.{}");
  CHECK(wildcard_subject("{}a}") == "{}a}");
  CHECK(wildcard_subject("{{/a}") == "*");
  CHECK(wildcard_subject("{/a}}") == "*}");
  CHECK(wildcard_subject("a.{b") == "a.{b");
  CHECK(wildcard_subject("") == "");
}

TEST_CASE("hostile text is an error that names the problem") {
  CHECK(problem(std::string(200000, '[')).code == "json_too_deep");
  std::string objects;
  for (int i = 0; i < 200000; ++i)
    objects += R"({"a":)";
  CHECK(problem(objects).code == "json_too_deep");
  CHECK(problem("{\"format\":\"\xFF\"}").code == "json_invalid");
  CHECK(problem("").code == "json_invalid");
  CHECK(problem(contract("\"x\":" + std::string(400, '9'))).code == "not_json");
  CHECK(problem("[" + contract("") + "]").code == "not_object");
}

TEST_CASE("duplicate members count once, the last of them") {
  CHECK(valid(contract(R"("kind":"nope","kind":"app")")).kind() == ContractKind::app);
  CHECK(problem(contract(R"("rpc":{},"rpc":7)")).where == "/rpc");
}

TEST_CASE("lone surrogates survive in names and texts") {
  const auto manifest = valid(
      contract(R"("docs":{"markdown":"\ud800"},"capabilities":{"\udfff":{"displayName":"x","description":"y"}})"));
  CHECK(manifest.normalized().find(R"("markdown":"\ud800")") != std::string::npos);
  CHECK(manifest.projection().find(R"("\udfff":)") != std::string::npos);
  CHECK(valid(manifest.normalized()).digest() == manifest.digest());
}

TEST_CASE("twice the text takes at most two and a half times the time") {
  const auto rpcs = [](std::size_t n) {
    return contract(R"("schemas":{)" + repeated(n, [](const std::string &i) { return "\"S" + i + "\":true"; }) +
                    R"(},"rpc":{)" +
                    repeated(n,
                             [](const std::string &i) {
                               return "\"R" + i + R"(":{"version":"v1","subject":"s","errors":[{"type":"T)" + i +
                                      R"("}],"input":{"schema":"S)" + i + R"("},"output":{"schema":"S)" + i + "\"}}";
                             }) +
                    R"(},"errors":{)" +
                    repeated(n, [](const std::string &i) { return "\"E" + i + R"(":{"type":"T)" + i + "\"}"; }) + "}");
  };
  const auto pointers = [](std::size_t n) {
    return event(R"({"allOf":[)" + repeated(n, [](const std::string &) { return "{}"; }) + R"(],"properties":{)" +
                     repeated(n, [](const std::string &i) { return "\"p" + i + R"(":{"type":"string"})"; }) + "}}",
                 "e" + repeated(n, [](const std::string &i) { return "{/p" + i + "}"; }),
                 "[" + repeated(n, [](const std::string &i) { return "\"/p" + i + "\""; }) + "]");
  };
  const auto consumers = [](std::size_t n) {
    const auto names = "[" + repeated(n, [](const std::string &i) { return "\"" + i + "\""; }) + "]";
    return contract(R"("uses":{"required":{"a":{"contract":"c","events":{"subscribe":)" + names +
                    R"(}}}},"eventConsumers":{"g":{"uses":{"a":)" + names + "}}}");
  };
  CHECK(Manifest::parse(rpcs(50)));
  CHECK(Manifest::parse(pointers(50)));
  CHECK(Manifest::parse(consumers(50)));
  constexpr double kThreeDoublings = 2.5 * 2.5 * 2.5;
  CHECK(growth(rpcs, 200) < kThreeDoublings);
  CHECK(growth(pointers, 400) < kThreeDoublings);
  CHECK(growth(consumers, 2000) < kThreeDoublings);
}
