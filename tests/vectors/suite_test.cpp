#include "suite.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <rapidjson/document.h>
#include <sstream>

using namespace trellis;
using namespace trellis::vectors;

namespace fs = std::filesystem;

namespace {

// A folder of vector files that is gone with the test.
class Folder {
public:
  Folder() {
    auto name = (fs::temp_directory_path() / "trellis-vectors-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;

  void write(const std::string &name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  Suite suite(bool complete) const { return {path_ / "vectors", complete}; }

private:
  fs::path path_;
};

JsonDocument member(const char *name, bool value) {
  JsonDocument out(rapidjson::kObjectType);
  out.AddMember(JsonValue(name, out.GetAllocator()), JsonValue(value), out.GetAllocator());
  return out;
}

// A toy for each of the two formats: "is it even", and schemas that are only true or false.
Registry toys() {
  Registry registry;
  registry["numbers"]["even"] = {[](const Input &input, const CaseContext &) {
    return member("even", static_cast<long>(input.number("n")) % 2 == 0);
  }};
  registry["numbers"]["pi"] = {
      [](const Input &, const CaseContext &) -> JsonDocument { throw Skipped("no circle here"); }};
  registry["json-schema"]["json-schema"] = {[](const Input &input, const CaseContext &) {
    input.at("data");
    return member("valid", input.at("schema").IsTrue());
  }};
  return registry;
}

constexpr std::string_view kGood =
    R"({"cases":[{"name":"two","kind":"even","input":{"n":2},"expected":{"even":true}}]})";
constexpr std::string_view kBad =
    R"({"cases":[{"name":"two","kind":"even","input":{"n":2},"expected":{"even":false}}]})";
constexpr std::string_view kSchemas = R"([{"description":"true","schema":true,"tests":[
  {"description":"takes all","data":1,"valid":true},{"description":"refuses","data":1,"valid":false}]}])";

struct Ran {
  ExitStatus status;
  std::string output;
};

Ran run(const Folder &folder, const std::vector<std::string> &only = {}, bool complete = false) {
  std::ostringstream out;
  const auto status = run_suite(toys(), folder.suite(complete), only, out);
  return {status, out.str()};
}

} // namespace

TEST_CASE("a folder whose cases all pass says only how many") {
  const Folder folder;
  folder.write("vectors/numbers.json", kGood);
  const auto ran = run(folder);
  CHECK(ran.status == kAllPassed);
  CHECK(ran.output == "vectors: 1 passed, 0 failed, 0 skipped\n");
}

TEST_CASE("each failed case is one line with file, name and difference") {
  const Folder folder;
  folder.write("vectors/numbers.json", kBad);
  const auto ran = run(folder);
  CHECK(ran.status == kSomeFailed);
  CHECK(ran.output == "numbers: two: /expected/even: expected false, got true\n"
                      "vectors: 0 passed, 1 failed, 0 skipped\n");
}

TEST_CASE("schema files run through the pseudo kind") {
  const Folder folder;
  folder.write("vectors/json-schema/boolean.json", kSchemas);
  const auto ran = run(folder);
  CHECK(ran.status == kSomeFailed);
  CHECK(ran.output == "json-schema/boolean: true: refuses: /expected/valid: expected false, got true\n"
                      "vectors: 1 passed, 1 failed, 0 skipped\n");
}

TEST_CASE("files without procedures are named once and not counted") {
  const Folder folder;
  folder.write("vectors/jobs-wire.json", "even malformed");
  folder.write("vectors/kv-wire.json", kGood);
  folder.write("vectors/numbers.json", kGood);
  const auto ran = run(folder);
  CHECK(ran.status == kAllPassed);
  CHECK(ran.output == "not yet (no procedures registered): jobs-wire, kv-wire\n"
                      "vectors: 1 passed, 0 failed, 0 skipped\n");
}

TEST_CASE("names restrict the files, with or without their ending") {
  const Folder folder;
  folder.write("vectors/numbers.json", kGood);
  folder.write("vectors/json-schema/boolean.json", kSchemas);
  CHECK(run(folder, {"numbers"}).output == "vectors: 1 passed, 0 failed, 0 skipped\n");
  CHECK(run(folder, {"numbers.json"}).output == "vectors: 1 passed, 0 failed, 0 skipped\n");
  CHECK(run(folder, {"json-schema"}).status == kSomeFailed);
  CHECK(run(folder, {"json-schema/boolean"}).status == kSomeFailed);
}

TEST_CASE("a name that is no file is a mistake, a known file that is missing is not") {
  const Folder folder;
  folder.write("vectors/kv-wire.json", kGood);
  CHECK(run(folder, {"numbrs"}).status == kUsage);
  CHECK(run(folder, {"numbers"}).status == kAllPassed);
}

TEST_CASE("a missing folder is a skipped test that says so") {
  const Folder folder;
  const auto ran = run(folder);
  CHECK(ran.status == kNoVectors);
  CHECK(ran.output.find("isn't there") != std::string::npos);
}

TEST_CASE("in a complete suite whatever doesn't run is a failure") {
  const Folder missing;
  CHECK(run(missing, {}, true).status == kSomeFailed);

  const Folder folder;
  folder.write("vectors/numbers.json", kGood);
  CHECK(run(folder, {}, true).status == kAllPassed);
  folder.write("vectors/kv-wire.json", kGood);
  const auto ran = run(folder, {}, true);
  CHECK(ran.status == kSomeFailed);
  CHECK(ran.output == "not yet (no procedures registered): kv-wire\n"
                      "vectors: 1 passed, 1 failed, 0 skipped\n");
}

TEST_CASE("a case that this machine can't run is skipped, and fails a complete suite") {
  const Folder folder;
  folder.write("vectors/numbers.json", R"({"cases":[{"name":"pi","kind":"pi","input":{},"expected":{}}]})");
  CHECK(run(folder).status == kAllPassed);
  CHECK(run(folder).output == "numbers: pi: skipped: no circle here\nvectors: 0 passed, 0 failed, 1 skipped\n");
  CHECK(run(folder, {}, true).output ==
        "numbers: pi: skipped: no circle here\nvectors: 0 passed, 1 failed, 0 skipped\n");
}

TEST_CASE("malformed files fail and don't crash") {
  const Folder folder;
  const auto output_of = [&](std::string_view text) {
    folder.write("vectors/numbers.json", text);
    const auto ran = run(folder);
    CHECK(ran.status == kSomeFailed);
    return ran.output;
  };
  CHECK(output_of("{").starts_with("numbers: file: byte 1: "));
  CHECK(output_of("[]").starts_with("numbers: file: /cases: not an array"));
  CHECK(output_of(R"({"cases":{}})").starts_with("numbers: file: /cases: not an array"));
  CHECK(output_of(R"({"cases":[1]})").starts_with("numbers: case 0: not an object\n"));
  CHECK(output_of(R"({"cases":[],"more":1})").starts_with("numbers: file: /more: unknown member"));
}

TEST_CASE("malformed schema files fail and don't crash") {
  const Folder folder;
  const auto output_of = [&](std::string_view text) {
    folder.write("vectors/json-schema/s.json", text);
    const auto ran = run(folder);
    CHECK(ran.status == kSomeFailed);
    return ran.output;
  };
  CHECK(output_of("{}").starts_with("json-schema/s: file: not an array of schemas"));
  CHECK(output_of("[1]").starts_with("json-schema/s: group: not a group"));
  CHECK(output_of(R"([{"schema":true,"tests":[7]}])").starts_with("json-schema/s: group: test: not a test"));
  CHECK(output_of(R"([{"schema":true,"tests":[{"data":1,"valid":1}]}])").find("not a test") != std::string::npos);
}

TEST_CASE("a failure is one line whatever the case is called") {
  const Folder folder;
  folder.write("vectors/numbers.json", R"({"cases":[{"name":"a\nb","kind":"no\nne","input":{},"expected":{}}]})");
  CHECK(run(folder).output == "numbers: a b: /kind: unknown kind \"no ne\"\n"
                              "vectors: 0 passed, 1 failed, 0 skipped\n");
}
