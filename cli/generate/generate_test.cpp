// The generator as a function: contract in, files out.
#include "contracts/canonical.h"
#include "generate/cpp_backend.h"
#include "generate/cpp_names.h"
#include "generate/output_files.h"
#include "support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::generate;
using test::read_file;

namespace {

const std::string kTestdata = TRELLIS_SOURCE_ROOT "/cli/generate/testdata/";

std::vector<GeneratedFile> generated(const std::string &contract, const CppOptions &options = {}) {
  const auto manifest = Manifest::parse(contract);
  INFO((manifest ? "" : manifest.error().text()));
  REQUIRE(manifest);
  const auto model = read_model(*manifest);
  INFO((model ? "" : model.error().text()));
  REQUIRE(model);
  return generate_cpp(*model, options);
}

// A contract with these members, besides what every contract has.
std::string contract(const std::string &members, const std::string &id = "acme.x@v1") {
  return R"({"format":"trellis.contract.v1","displayName":"X","description":"X","kind":"service","id":")" + id + "\"," +
         members + "}";
}
std::string with_schemas(const std::string &schemas) {
  return contract("\"schemas\":{" + schemas + "}");
}
std::string header_of(const std::string &schemas) {
  return generated(with_schemas(schemas))[0].text;
}

// The same value with the members of every object the other way round.
std::string reversed(const JsonValue &value) {
  std::string out;
  if (value.IsObject()) {
    for (const auto &entry : value.GetObject())
      out = canonical_string(text_of(entry.name)) + ":" + reversed(entry.value) + (out.empty() ? "" : ",") + out;
    return "{" + out + "}";
  }
  if (!value.IsArray()) return to_json(value);
  for (const auto &item : value.GetArray())
    out += (out.empty() ? "" : ",") + reversed(item);
  return "[" + out + "]";
}

bool contains(const std::string &text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Error error_of(const std::string &text) {
  const auto manifest = Manifest::parse(text);
  REQUIRE(manifest);
  const auto model = read_model(*manifest);
  REQUIRE_FALSE(model);
  return model.error();
}

} // namespace

// After a change that is meant: docs/generate.md says how to write the golden files again.
TEST_CASE("a contract with everything gives the golden files, byte by byte") {
  const auto files = generated(read_file(kTestdata + "everything.json"), {"everything", {}});
  REQUIRE(files.size() == 4);
  for (const auto &file : files) {
    INFO(file.name);
    CHECK(file.text == read_file(kTestdata + "golden/" + file.name + ".txt"));
  }
}

TEST_CASE("the order of members in the contract's text doesn't change the output") {
  const auto text = read_file(kTestdata + "everything.json");
  const auto document = parse_json(text);
  REQUIRE(document);
  const auto other = reversed(*document);
  REQUIRE(other != text);
  const auto files = generated(text), same = generated(other);
  for (std::size_t i = 0; i < files.size(); ++i)
    CHECK(files[i].text == same[i].text);
}

TEST_CASE("a normalized contract gives the same output as what it was made from") {
  const auto text = read_file(kTestdata + "everything.json");
  const auto files = generated(text), same = generated(Manifest::parse(text)->normalized());
  for (std::size_t i = 0; i < files.size(); ++i)
    CHECK(files[i].text == same[i].text);
}

TEST_CASE("required members come in the order of `required`, the others by name") {
  const auto text = header_of(R"("A":{"type":"object","required":["z","m"],"properties":{
    "b":{"type":"string"},"a":{"type":"string"},"m":{"type":"string"},"z":{"type":"string"}}})");
  CHECK(contains(text, "  std::string z = {};\n  std::string m = {};\n"
                       "  std::optional<std::string> a = {};\n  std::optional<std::string> b = {};\n"));
}

TEST_CASE("equal schemas are one type with the shortest name") {
  const auto text = header_of(R"("Account":{"type":"object","properties":{"x":{"type":"object","properties":{
    "way":{"type":"object","properties":{"k":{"type":"string"}}}}}}},
    "Zone":{"type":"object","properties":{"k":{"type":"string"}}})");
  CHECK(contains(text, "struct Zone {"));
  CHECK(contains(text, "std::optional<Zone> way"));
  CHECK_FALSE(contains(text, "AccountXWay"));
}

TEST_CASE("schemas that are equal keep both names") {
  const auto text = header_of(R"("One":{"type":"object","properties":{"k":{"type":"string"}}},
    "Two":{"type":"object","properties":{"k":{"type":"string"}}})");
  CHECK(contains(text, "struct One {"));
  CHECK(contains(text, "using Two = One;"));
}

TEST_CASE("what a schema doesn't say stays JSON") {
  const std::string json = "using A = trellis::RawJson;";
  CHECK(contains(header_of(R"("A":true)"), json));
  CHECK(contains(header_of(R"("A":{})"), json));
  CHECK(contains(header_of(R"("A":{"properties":{"x":{"type":"string"}}})"), json)); // 5 passes, too
  CHECK(contains(header_of(R"("A":{"items":{"type":"string"}})"), json));
  CHECK(contains(header_of(R"("A":{"type":["string","object"]})"), json));
  CHECK(contains(header_of(R"("A":{"type":[]})"), json));
  CHECK(contains(header_of(R"("A":{"enum":["a",1]})"), json));
  CHECK(contains(header_of(R"("A":{"const":{"a":1}})"), json));
  CHECK(contains(header_of(R"("A":{"not":{"type":"string"}})"), json));
  CHECK(contains(header_of(R"("A":{"anyOf":[{"type":"string"},{"type":"boolean"},true]})"), json));
  CHECK(contains(header_of(R"("A":{"anyOf":[{"type":"string"}],"oneOf":[{"minLength":1}]})"), json));
  CHECK(contains(header_of(R"("A":{"allOf":[{"type":"string"},{"minLength":1}]})"), json));
}

TEST_CASE("keywords that only narrow don't change a type") {
  CHECK(contains(header_of(R"("A":{"type":"string","anyOf":[{"minLength":1},{"pattern":"x"}]})"),
                 "using A = std::string;"));
  CHECK(contains(header_of(R"("A":{"type":"integer","not":{"const":1}})"), "using A = std::int64_t;"));
  CHECK(contains(header_of(R"("A":{"type":"array","items":{"type":"boolean"},"minItems":2})"),
                 "using A = std::vector<bool>;"));
}

TEST_CASE("malformed keywords are no keywords") {
  CHECK(contains(header_of(R"("A":{"type":"object","properties":[],"required":"x"})"),
                 "using A = std::map<std::string, trellis::RawJson>;"));
  CHECK(contains(header_of(R"("A":{"type":"array","items":7})"), "using A = std::vector<trellis::RawJson>;"));
  CHECK(contains(header_of(R"("A":{"type":"string","enum":"x"})"), "using A = std::string;"));
}

TEST_CASE("integers that are said to go beyond 64 bits are numbers") {
  CHECK(contains(header_of(R"("A":{"type":"integer","maximum":1e20})"), "using A = double;"));
  CHECK(contains(header_of(R"("A":{"type":"integer","maximum":1e10})"), "using A = std::int64_t;"));
}

TEST_CASE("objects that look at other members keep these") {
  const std::string rest = "std::map<std::string, trellis::RawJson> other_members = {};";
  CHECK(contains(header_of(R"("A":{"type":"object","properties":{"a":{}},"minProperties":1})"), rest));
  CHECK(contains(header_of(R"("A":{"type":"object","properties":{"a":{}},"anyOf":[{"required":["b"]}]})"), rest));
  CHECK(contains(header_of(R"("A":{"type":"object","properties":{"a":{}},"additionalProperties":true})"), rest));
  CHECK_FALSE(contains(header_of(R"("A":{"type":"object","properties":{"a":{}}})"), rest));
  CHECK_FALSE(contains(header_of(R"("A":{"type":"object","properties":{"a":{}},"additionalProperties":false})"), rest));
}

TEST_CASE("alternatives that can't be told apart stay JSON and leave no types behind") {
  const auto text = header_of(R"("A":{"type":"object","properties":{"x":{"anyOf":[
    {"type":"object","required":["a"],"properties":{"a":{"type":"string"}}},
    {"type":"object","required":["b"],"properties":{"b":{"type":"string"}}}]}}})");
  CHECK(contains(text, "std::optional<trellis::RawJson> x = {};"));
  CHECK_FALSE(contains(text, "AXOption"));
}

TEST_CASE("a union of more than 64 objects stays JSON") {
  const auto union_of = [](int count) {
    std::string branches;
    for (int i = 0; i < count; ++i)
      branches += (i > 0 ? "," : "") +
                  std::string(R"({"type":"object","required":["k"],"properties":{"k":{"const":"v)") +
                  std::to_string(i) + "\"}}}";
    return header_of(R"("A":{"anyOf":[)" + branches + "]}");
  };
  CHECK(contains(union_of(64), "struct A : std::variant<"));
  CHECK(contains(union_of(65), "using A = trellis::RawJson;"));
}

TEST_CASE("a schema may be called as something that generated code uses") {
  const auto files = generated(contract(
      R"("schemas":{"Input":{"type":"object","properties":{}},"Result":{"type":"string"},"Client":{"type":"string"},
      "Handlers":{"type":"string"}},"rpc":{"Result":{"version":"v1","subject":"rpc.v1.R","input":{"schema":"Input"},
      "output":{"schema":"Result"}}})"));
  CHECK(contains(files[0].text, "using Input = ::acme::x::v1::Input;"));
  CHECK(contains(files[0].text, "using Output = ::acme::x::v1::Result;"));
  CHECK(contains(files[0].text, "using Client2 = std::string;"));
  CHECK(contains(files[0].text, "using Handlers2 = std::string;"));
}

TEST_CASE("a surface may be called as a member of its descriptor, which no struct can have") {
  const std::string described = R"("subject":"x.v1.X","version":"v1","input":{"schema":"S"},)";
  const auto header = generated(contract(
      R"("schemas":{"S":{"type":"object"}},"rpc":{"Result":{)" + described +
      R"("output":{"schema":"S"}}},"feeds":{"Event":{)" + described +
      R"("event":{"schema":"S"}}},"operations":{"Output":{)" + described +
      R"("output":{"schema":"S"}},"Pause.Signal":{)" + described +
      R"("output":{"schema":"S"},"signals":{"pause":{"input":{"schema":"S"}}}}},"events":{"Payload":{"subject":"x.v1.X",)" +
      R"("version":"v1","event":{"schema":"S"}}},"jobs":{"payload":{"payload":{"schema":"S"}}},)" +
      R"("state":{"value":{"kind":"value","schema":{"schema":"S"}}},)" +
      R"("resources":{"kv":{"value":{"purpose":"x","schema":{"schema":"S"}}}})"))[0]
                          .text;
  for (const char *name : {"Result", "Event", "Output", "Payload", "Value"}) {
    INFO(name);
    CHECK_FALSE(contains(header, "struct " + std::string(name) + " {"));
    CHECK(contains(header, "struct " + std::string(name) + "2 {"));
  }
  CHECK(contains(header, "rpc::Result2::Result result("));
  CHECK(contains(header, "struct PauseSignal {"));
  CHECK_FALSE(contains(header, "using PauseSignal ="));
}

TEST_CASE("a service that has only the rpc that its host answers has nothing to implement") {
  const auto files = generated(contract(
      R"("schemas":{"Report":{"type":"object"},"XHealthHandler":{"type":"string"}},"rpc":{"X.Health":{"version":"v1",
      "subject":"rpc.v1.X.Health","input":{"schema":"Report"},"output":{"schema":"Report"}}})"));
  CHECK(contains(files[2].text, "struct Handlers {\n  virtual ~Handlers() = default;\n};"));
  CHECK(contains(files[2].text, "std::dynamic_pointer_cast<XHealthHandler2>(handlers)"));
}

TEST_CASE("deep schemas are JSON below a limit") {
  std::string schema = "{}";
  for (int i = 0; i < 200; ++i)
    schema = R"({"type":"array","items":)" + schema + "}";
  const auto text = header_of("\"A\":" + schema);
  CHECK(contains(text, "trellis::RawJson>>"));
}

TEST_CASE("names become identifiers of C++") {
  CHECK(snake_case("orderId") == "order_id");
  CHECK(snake_case("Order.Placed") == "order_placed");
  CHECK(snake_case("HTTPServer") == "http_server");
  CHECK(snake_case("JobsListDLQ") == "jobs_list_dlq");
  CHECK(snake_case("class") == "class_");
  CHECK(snake_case("linux") == "linux_");
  CHECK(snake_case("2fa") == "x2fa");
  CHECK(snake_case("") == "empty");
  CHECK(snake_case("*") == "u2a");
  CHECK(snake_case("\xC3\xA9t\xC3\xA9") == "ue9_t_ue9");
  CHECK(snake_case("__a__") == "a");
  CHECK(pascal_case("OrderPlaced") == "OrderPlaced");
  CHECK(pascal_case("order-placed") == "OrderPlaced");
  CHECK(pascal_case("EOF") == "Eof");
  CHECK(pascal_case("3d") == "X3d");
}

TEST_CASE("contract ids become namespaces") {
  CHECK(cpp_namespace("acme.inventory@v1") == "acme::inventory::inline v1");
  CHECK(cpp_namespace("trellis.state@v1") == "trellis_::state::inline v1");
  CHECK(cpp_namespace("std.x") == "std_::x");
  CHECK(cpp_namespace("time@v1") == "time_::inline v1");
  CHECK(cpp_namespace("a b..c") == "a_b::empty::c");
  CHECK(cpp_namespace("@") == "empty::inline empty");
  CHECK(file_stem("acme.inventory@v1") == "acme_inventory");
}

TEST_CASE("texts become literals and comments that mean the same") {
  CHECK(cpp_literal("a\"b\\c") == R"("a\"b\\c")");
  CHECK(cpp_literal("?\?/") == R"("?\?/")");
  CHECK(cpp_literal("a\nb") == R"("a\012b")");
  CHECK(cpp_literal(std::string_view("a\0b", 3)) == R"(std::string_view("a\000b", 3))");
  CHECK(cpp_literal("\xE2\x80\xAE") == R"("\342\200\256")"); // right-to-left override
  CHECK(cpp_comment("ends with \\") == "// ends with \\.\n");
  CHECK(cpp_comment("two\nlines") == "// two lines\n");
  CHECK(cpp_comment("") == "");
}

TEST_CASE("a feed whose schema doesn't exist is an error that names it") {
  const auto error = error_of(contract(
      R"("schemas":{"A":{}},"feeds":{"F":{"version":"v1","subject":"feeds.v1.F","input":{"schema":"A"},"event":{"schema":"B"}}})"));
  CHECK(error.code == "unknown_schema_ref");
  CHECK(error.where == "/feeds/F/event");
}

TEST_CASE("two declarations of an error type that disagree are an error") {
  const auto error =
      error_of(contract(R"("schemas":{"A":{}},"errors":{"X":{"type":"T"},"Y":{"type":"T","schema":{"schema":"A"}}})"));
  CHECK(error.code == "ambiguous_error_type");
  CHECK(error.where == "/errors/Y");
}

TEST_CASE("the target is a folder or the name of a header in one") {
  const test::TempDir folder;
  const auto root = folder.path().string();
  CHECK(output_target(root)->stem.empty());
  CHECK(output_target(root + "/inventory.h")->stem == "inventory");
  CHECK(output_target(root + "/nowhere/inventory.h").error().code == "no_folder");
  CHECK(output_target(root + "/inventory.cpp").error().code == "no_folder");
  CHECK(output_target(root + "/a b.h").error().code == "output_name");
}

TEST_CASE("files that are the same already are left alone") {
  const test::TempDir folder;
  REQUIRE(write_files(folder.path(), {{"a.h", "one"}}));
  const auto time = std::filesystem::file_time_type(std::chrono::seconds(1000));
  std::filesystem::last_write_time(folder.path() / "a.h", time);
  REQUIRE(write_files(folder.path(), {{"a.h", "one"}}));
  CHECK(std::filesystem::last_write_time(folder.path() / "a.h") == time);
  REQUIRE(write_files(folder.path(), {{"a.h", "two"}}));
  CHECK(read_file(folder.path() / "a.h") == "two");
}

TEST_CASE("when one file can't be written, none is") {
  const test::TempDir folder;
  REQUIRE(write_files(folder.path(), {{"a.h", "old"}}));
  const auto failed = write_files(folder.path(), {{"a.h", "new"}, {"missing/b.h", "new"}});
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == "file_unwritable");
  CHECK(read_file(folder.path() / "a.h") == "old");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder.path()))
    ++files;
  CHECK(files == 1);
}
