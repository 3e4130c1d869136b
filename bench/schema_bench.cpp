// What checking a payload costs, against RapidJSON's parse of the same text: the floor that every receiver pays anyway.

#include "contracts/json.h"
#include "contracts/schema.h"
#include "cpu_time.h"

#include <cstdio>
#include <cstdlib>
#include <rapidjson/document.h>
#include <string>

namespace trellis::bench {
namespace {

struct Case {
  std::string name;
  std::string schema;
  std::string payload;
};

void fail(const std::string &what) {
  std::fprintf(stderr, "bench schema: %s\n", what.c_str());
  std::exit(1);
}

void run(const Case &one) {
  const auto source = parse_json(one.schema);
  const auto value = parse_json(one.payload);
  if (!source || !value) fail(one.name + ": not JSON");
  const auto schema = Schema::compile(*source);
  if (!schema || !schema->valid(*value)) fail(one.name + ": the payload isn't valid");

  std::size_t kept = 0; // so that no call can be left out
  const auto figures = compare([&] { kept += schema->valid(*value) ? 1 : 0; },
                               [&] {
                                 rapidjson::Document document;
                                 document.Parse(one.payload.data(), one.payload.size());
                                 kept += document.HasParseError() ? 0 : 1;
                               });
  if (kept == 0) fail(one.name + ": nothing passed");
  print("schema", one.name, "RapidJSON parse", figures);
}

// An object of 20 properties and about 1 KiB of text.
std::string payload() {
  std::string out = "{";
  for (int i = 0; i < 20; ++i) {
    const auto name = "\"property" + std::to_string(i) + "\":";
    const auto member =
        i % 4 == 0 ? std::to_string(i * 1000) : "\"" + std::string(48, static_cast<char>('a' + i)) + "\"";
    out += (i == 0 ? "" : ",") + name + member;
  }
  return out + "}";
}

// `text` is the schema of its strings.
std::string schema(const std::string &text) {
  std::string required;
  std::string properties;
  for (int i = 0; i < 20; ++i) {
    const auto name = "\"property" + std::to_string(i) + "\"";
    const auto comma = i == 0 ? "" : ",";
    required += comma + name;
    properties += comma + name + ":" + (i % 4 == 0 ? R"({"type":"integer","minimum":0})" : text);
  }
  return R"({"type":"object","required":[)" + required + R"(],"properties":{)" + properties +
         R"(},"additionalProperties":false})";
}

// The same count of properties, as contracts have them: identifiers, times, choices, lists and objects.
Case mixed() {
  struct Property {
    const char *schema, *value;
  };
  static constexpr Property kFour[] = {
      {R"({"type":"string","format":"date-time"})", R"("2026-01-01T12:30:00.000Z")"},
      {R"({"enum":["open","held","paid","refused"]})", R"("refused")"},
      {R"({"type":"array","maxItems":8,"items":{"type":"string","minLength":1}})",
       R"(["first of them","second of them","third of them"])"},
      {R"({"type":"object","required":["id"],"properties":{"id":{"type":"string","format":"uuid"},"n":{"type":"number"}}})",
       R"({"id":"123e4567-e89b-12d3-a456-426614174000","n":12.5})"}};
  std::string properties, payload;
  for (int i = 0; i < 20; ++i) {
    const auto name = (i == 0 ? "\"property" : ",\"property") + std::to_string(i) + "\":";
    properties += name + kFour[i % 4].schema;
    payload += name + kFour[i % 4].value;
  }
  return {"1 KiB, 20 mixed properties",
          R"({"type":"object","properties":{)" + properties + R"(},"additionalProperties":false})",
          "{" + payload + "}"};
}

} // namespace
} // namespace trellis::bench

int main() {
  using namespace trellis::bench;
  run({"1 KiB, 20 properties", schema(R"({"type":"string","minLength":1,"maxLength":64})"), payload()});
  run({"1 KiB, 15 patterns", schema(R"({"type":"string","pattern":"^[a-z]+$"})"), payload()});
  run({"1 KiB, 15 searched patterns", schema(R"({"type":"string","pattern":"[a-z]{8}"})"), payload()});
  run(mixed());
  return 0;
}
