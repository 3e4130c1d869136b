// What checking a payload costs, against RapidJSON's parse of the same text: the floor that every receiver pays anyway.

#include "contracts/json.h"
#include "contracts/schema.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <rapidjson/document.h>
#include <string>
#include <vector>

namespace trellis::bench {
namespace {

struct Case {
  std::string name;
  std::string schema;
  std::string payload;
};

double processor_seconds() { // of this process: the machine's other work doesn't count
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Nanoseconds of one call, the best of several rounds.
template <class Work>
double nanoseconds(Work work) {
  constexpr int kRounds = 15;
  constexpr int kCalls = 20'000;
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const double start = processor_seconds();
    for (int call = 0; call < kCalls; ++call)
      work();
    rounds.push_back((processor_seconds() - start) / kCalls * 1e9);
  }
  return *std::min_element(rounds.begin(), rounds.end());
}

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
  const double ours = nanoseconds([&] { kept += schema->valid(*value) ? 1 : 0; });
  const double floor = nanoseconds([&] {
    rapidjson::Document document;
    document.Parse(one.payload.data(), one.payload.size());
    kept += document.HasParseError() ? 0 : 1;
  });
  if (kept == 0) fail(one.name + ": nothing passed");
  std::printf(R"({"bench":"schema","case":"%s","unit":"ns","ours":%.0f,"floor":%.0f,"ratio":%.3f})"
              "\n",
              one.name.c_str(), ours, floor, ours / floor);
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

} // namespace
} // namespace trellis::bench

int main() {
  using namespace trellis::bench;
  run({"1 KiB, 20 properties", schema(R"({"type":"string","minLength":1,"maxLength":64})"), payload()});
  run({"1 KiB, 15 patterns", schema(R"({"type":"string","pattern":"^[a-z]+$"})"), payload()});
  run({"1 KiB, 15 searched patterns", schema(R"({"type":"string","pattern":"[a-z]{8}"})"), payload()});
  return 0;
}
