// For tests: `trellis contract ...` run in this process, and contracts to run it on.
#pragma once

#include "commands.h"
#include "contracts/json.h"
#include "tests/support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <sstream>
#include <string>
#include <vector>

namespace trellis::cli::testing {

struct ContractRun {
  int code = 0;
  std::string out, err;
  JsonDocument json() const {
    auto document = parse_json(out);
    INFO(out);
    REQUIRE(document);
    return std::move(*document);
  }
};

inline ContractRun run_contract(std::vector<std::string> arguments) {
  Program program("trellis", "0", "");
  add_contract_commands(program.root());
  arguments.insert(arguments.begin(), "contract");
  std::ostringstream out, err;
  const int code = program.run(arguments, out, err);
  return {code, out.str(), err.str()};
}

// A contract acme.q@v1 with `members` added, one line each.
inline std::string contract_text(const std::string &members, const std::string &kind = "service",
                                 const std::string &id = "acme.q@v1") {
  return "{\n\"format\": \"trellis.contract.v1\",\n\"id\": \"" + id +
         "\",\n\"displayName\": \"Q\",\n\"description\": \"Answers.\",\n\"kind\": \"" + kind + "\"" +
         (members.empty() ? "" : ",\n" + members) + "\n}\n";
}

// "Q.Get": {...}
inline std::string rpc_text(const std::string &name, const std::string &more = "", const std::string &schema = "S") {
  return "\"" + name + R"(":{"version":"v1","subject":"rpc.v1.)" + name + R"(","input":{"schema":")" + schema +
         R"("},"output":{"schema":")" + schema + "\"}" + more + "}";
}

class ContractFolder {
public:
  std::string write(const std::string &name, const std::string &text) const {
    test::write_file(folder_ / name, text);
    return (folder_ / name).string();
  }
  std::string path(const std::string &name) const { return (folder_ / name).string(); }

private:
  test::TempDir folder_;
};

// Categories in an array of errors.
inline std::vector<std::string> categories(const JsonValue &result, const char *list) {
  std::vector<std::string> out;
  const auto *found = find_member(result, list);
  REQUIRE(found);
  REQUIRE(found->IsArray());
  for (const auto &each : found->GetArray())
    out.emplace_back(string_member(each, "category"));
  return out;
}

} // namespace trellis::cli::testing
