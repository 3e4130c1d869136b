// The real `trellis` on files that are not what they should be: always one clear error, never a crash, bounded memory.
#include "contract_testing.h"
#include "tests/support/process.h"

#include <algorithm>

using namespace trellis;
using namespace trellis::cli::testing;
using Words = std::vector<std::string>;

namespace {

const std::string kTrellis = TRELLIS_BUILD_ROOT "/cli/trellis";
const Words kCommands{"check", "normalize", "canonical", "digest", "needs", "permissions", "schema"};

test::Outcome trellis_contract(Words arguments) {
  arguments.insert(arguments.begin(), {kTrellis, "contract"});
  return test::run_program(arguments);
}

// `command` says `message` about `file`, as one line of text and, with --json, on stdout too.
void says(const std::string &command, const std::string &file, const std::string &message,
          const std::string &category) {
  const auto run = trellis_contract({command, file, "--json"});
  INFO(command << ": " << run.err);
  CHECK(run.status == 1);
  CHECK(run.err.starts_with("error: "));
  CHECK(run.err.find(message) != std::string::npos);
  CHECK(std::ranges::count(run.err, '\n') == 1);
  const auto json = parse_json(run.out);
  REQUIRE(json);
  CHECK(categories(*json, "errors") == Words{category});
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

} // namespace

TEST_CASE("a missing file, a folder and an empty file are errors that name the file") {
  const ContractFolder folder;
  for (const auto &command : kCommands)
    says(command, folder.path("no.json"), "no.json: the file can't be read: No such file or directory",
         "file_unreadable");
  says("check", folder.path(""), "the file can't be read: Is a directory", "file_unreadable");
  says("check", folder.write("empty.json", ""), "empty.json:1:1: ", "json_invalid");
}

TEST_CASE("a file beyond the limit is refused, even one without an end") {
  const ContractFolder folder;
  says("check", folder.write("huge.json", std::string((std::size_t{4} << 20) + 1, ' ')),
       "the file is too large (expected at most 4194304 bytes)", "file_too_large");
  const auto endless = trellis_contract({"check", "/dev/zero"});
  CHECK(endless.status == 1);
  CHECK(endless.err.find("the file is too large") != std::string::npos);
}

TEST_CASE("what is no JSON is an error at its first wrong byte") {
  const ContractFolder folder;
  says("check", folder.write("utf8.json", "{\"a\":\n \"\xff\"}"), "utf8.json:2:3: not UTF-8", "json_invalid");
  says("check", folder.write("nul.json", std::string("{}\n\0{}", 6)), "nul.json:2:1: a NUL byte", "json_invalid");
  says("check", folder.write("two.json", "{} {}"), "two.json:1:4: ", "json_invalid");
  says("check", folder.write("deep.json", nested(513)), "deep.json:1:513: JSON nested too deeply", "json_too_deep");
}

TEST_CASE("an ELF file that is none, and one without a contract, are errors that name the file") {
  const ContractFolder folder;
  const auto cut = trellis_contract({"check", folder.write("cut.so", "\x7f"
                                                                     "ELF\x02\x01")});
  CHECK(cut.status == 1);
  CHECK(cut.err.find("cut.so: ") != std::string::npos);
  const auto bare = trellis_contract({"digest", TRELLIS_BUILD_ROOT "/host/testdata/no_contract.so"});
  CHECK(bare.status == 1);
  CHECK(bare.err.find("no_contract.so: ") != std::string::npos);
}

TEST_CASE("members of the wrong type are named by pointer") {
  const ContractFolder folder;
  const auto file = folder.write("c.json", contract_text(R"("schemas":{"S":{}},"rpc":{"A":null})"));
  for (const Words &command : {Words{"check"}, Words{"digest"}, Words{"needs"}, Words{"permissions"}}) {
    const auto run = trellis_contract({command.front(), file});
    CHECK(run.status == 1);
    CHECK(run.err.find("c.json:7:") != std::string::npos);
    CHECK(run.err.find("/rpc/A") != std::string::npos);
  }
}

TEST_CASE("repeated members are valid, and a warning tells of them") {
  const ContractFolder folder;
  const auto run = trellis_contract({"check", folder.write("c.json", contract_text("\"kind\": \"device\""))});
  CHECK(run.status == 0);
  CHECK(run.out.find("kind=device") != std::string::npos);
  CHECK(run.err.find("c.json:7:9 /kind: is there more than once") != std::string::npos);
}

TEST_CASE("standard input is read for -") {
  const ContractFolder folder;
  const auto file = folder.write("c.json", contract_text(""));
  const auto shell = [&](const std::string &line) { return test::run_program({"/bin/sh", "-c", line}); };
  const auto from_pipe = shell("cat " + file + " | " + kTrellis + " contract digest -");
  CHECK(from_pipe.status == 0);
  CHECK(from_pipe.out == trellis_contract({"digest", file}).out);
  const auto broken = shell("printf '{\\n]' | " + kTrellis + " contract check -");
  CHECK(broken.status == 1);
  CHECK(broken.err.starts_with("error: <stdin>:2:1: "));
  const auto payload = shell("printf '\"x\"' | " + kTrellis + " contract schema " + TRELLIS_BUILD_ROOT +
                             "/examples/inventory.so Sku --validate -");
  CHECK(payload.status == 1);
  CHECK(payload.out.starts_with("#: "));
}

TEST_CASE("an unknown command or option is usage, exit code 2") {
  CHECK(trellis_contract({"chekc", "f"}).status == 2);
  CHECK(trellis_contract({"check"}).status == 2);
  CHECK(trellis_contract({"check", "f", "--wiht", "g"}).status == 2);
}
