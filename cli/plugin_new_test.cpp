// Projects as files; tests/live/plugin_new_test.cpp builds and runs them.
#include "artifact/elf_testing.h"
#include "commands.h"
#include "contract_file.h"
#include "contracts/subject_guard.h"
#include "plugin_new.h"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

using namespace trellis;
using namespace trellis::cli;
using namespace trellis::testing;

namespace {

namespace fs = std::filesystem;

const fs::path kSdk = TRELLIS_SOURCE_ROOT;

struct Run {
  int code = 0;
  std::string out, err;
};

Run run_new(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"plugin", "new"});
  Program program("trellis", "0", "");
  add_plugin_new_command(program.root());
  std::ostringstream out, err;
  const int code = program.run(arguments, out, err);
  return {code, out.str(), err.str()};
}

std::string error_of(const NewPlugin &plugin) {
  const auto files = project_files(plugin);
  return files ? "" : files.error().code;
}

} // namespace

TEST_CASE("every language's project has a valid contract, the same in all of them") {
  std::string digest;
  for (const auto &language : plugin_languages()) {
    INFO(language);
    const auto files = project_files({"stock-keeper", language, kSdk});
    REQUIRE(files);
    const auto manifest = parse_contract("contract.json", files->at("contract.json"));
    REQUIRE(manifest);
    CHECK(manifest->id() == "acme.stock-keeper@v1");
    if (digest.empty()) digest = manifest->digest();
    CHECK(manifest->digest() == digest);
    for (const auto &[path, text] : *files) {
      INFO(path.string());
      CHECK(text.find("{{name") == std::string::npos);
      CHECK(text.find("{{Name") == std::string::npos);
      CHECK(path.string().find("{{") == std::string::npos);
    }
    CHECK(files->count("README.md") == 1);
    CHECK(files->count(".gitignore") == 1);
    for (const auto &command : plugin_commands({"stock-keeper", language, kSdk}))
      CHECK(files->at("README.md").find("\n    " + command + "\n") != std::string::npos);
  }
}

TEST_CASE("a project carries what it needs of the SDK, and none of its tests") {
  const auto count = [](const char *language, const char *file) {
    return project_files({"a", language, kSdk})->count(file);
  };
  CHECK(count("c", "vendor/trellis/plugin.h") == 1);
  CHECK(count("cpp", "vendor/trellis/service.h") == 1);
  CHECK(count("rust", "vendor/trellis-plugin/src/json/parse.rs") == 1);
  CHECK(count("go", "trellis/include/trellis/plugin.h") == 1);
  CHECK(count("go", "trellis/bridge.c") == 1);
  for (const auto &language : plugin_languages()) {
    const auto files = project_files({"a", language, kSdk});
    for (const auto &[path, text] : *files)
      CHECK((path.string().find("_test") == std::string::npos || path.parent_path().empty()));
  }
}

TEST_CASE("names that can't be a plugin, a file and an identifier are refused") {
  for (const auto *name : {"", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a/b", "../a", "\xc3\xa9", "a b", "main",
                           "test", "vendor", "con", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
    CHECK(error_of({name, "c", kSdk}) == "plugin_name");
  CHECK(error_of({"a1-b2", "c", kSdk}) == "");
  CHECK(error_of({"a", "pascal", kSdk}) == "plugin_language");
  CHECK(error_of({"a", "c", kSdk / "docs"}) == "sdk_incomplete");
}

TEST_CASE("a name in a namespace of the platform is refused, for a host refuses the plugin") {
  for (const auto *name : {"activity", "auth", "core", "health", "jobs", "state", "stock-keeper", "trellis"}) {
    INFO(name);
    const auto files = project_files({name, "c", kSdk});
    if (!files) continue;
    const auto manifest = parse_contract("contract.json", files->at("contract.json"));
    REQUIRE(manifest);
    CHECK(check_own_subjects(*manifest));
  }
  CHECK(error_of({"stock-keeper", "c", kSdk}) == "");
  CHECK(error_of({"auth", "c", kSdk}) == "plugin_name");
}

TEST_CASE("a project is written whole, and never over something") {
  const TemporaryFolder folder;
  const auto target = (folder.path() / "p").string();
  const auto made = run_new({"keeper", "--lang", "rust", "--dir", target, "--sdk", kSdk.string()});
  CHECK(made.err == "");
  REQUIRE(made.code == 0);
  CHECK(made.out.find("build=cargo build --release\n") != std::string::npos);
  CHECK(fs::exists(target + "/src/lib.rs"));
  std::ofstream(target + "/src/lib.rs") << "mine";

  const auto again = run_new({"keeper", "--lang", "c", "--dir", target, "--sdk", kSdk.string()});
  CHECK(again.code == 1);
  CHECK(again.err.find("there is something already") != std::string::npos);
  CHECK(!fs::exists(target + "/keeper.c"));
  CHECK(fs::file_size(target + "/src/lib.rs") == 4);
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);

  fs::create_directory(folder.path() / "empty");
  CHECK(run_new({"keeper", "--lang", "c", "--dir", (folder.path() / "empty").string(), "--sdk", kSdk.string()}).code ==
        0);
  const auto with_slash =
      run_new({"keeper", "--lang", "c", "--dir", (folder.path() / "q/").string(), "--sdk", kSdk.string()});
  CHECK(with_slash.err == "");
  CHECK(with_slash.code == 0);
  CHECK(fs::exists(folder.path() / "q/Makefile"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 3); // and no draft is left
  CHECK(run_new({"keeper"}).code == 2);
}
