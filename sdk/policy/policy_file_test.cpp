#include "policy/policy.h"
#include "policy/policy_file.h"
#include "policy/policy_test_support.h"
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <iterator>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis;
using trellis::test::PolicyFolder;

namespace {

const std::string kDigest(43, 'd');
const std::string kSessionKey(43, 'k');

Error error_of(const PolicyFolder &folder, const std::string &tables) {
  folder.write(tables);
  const auto policy = load_static_policy(folder.file());
  REQUIRE_FALSE(policy);
  return policy.error();
}

} // namespace

TEST_CASE("A policy file names the account, what is accepted and who may call") {
  const PolicyFolder folder;
  folder.write(
      "[[accept]]\ncontract = \"acme.echo@v1\"\ndigest = \"" + kDigest + "\"\n" +
      "[[callers]]\nname = \"shop\"\nsession_key = \"" + kSessionKey +
      "\"\ncapabilities = [\"acme.a::b\"]\nuses = { \"acme.echo@v1\" = [\"Echo.Say\"], \"acme.b@v1\" = \"*\" }\n");
  const auto policy = load_static_policy(folder.file());
  REQUIRE(policy);
  CHECK(policy->account == folder.account().public_text());
  CHECK(policy->signing_seed_file == folder.seed_file());
  CHECK(policy->jwt_life == std::chrono::seconds(3600));
  REQUIRE(policy->accepted.size() == 1);
  CHECK(policy->accepted[0].contract_id == "acme.echo@v1");
  CHECK(policy->accepted[0].digest == kDigest);
  REQUIRE(policy->callers.size() == 1);
  CHECK(policy->callers[0].name == "shop");
  CHECK(policy->callers[0].capabilities == std::vector<std::string>{"acme.a::b"});
  CHECK(policy->callers[0].uses.at("acme.echo@v1") == std::vector<std::string>{"Echo.Say"});
  CHECK(policy->callers[0].uses.at("acme.b@v1") == std::vector<std::string>{"*"});
}

TEST_CASE("An unknown key is refused with its line and the key that was meant") {
  const PolicyFolder folder;
  const Error error =
      error_of(folder, "[[callers]]\nname = \"shop\"\nsession_key = \"" + kSessionKey + "\"\ncapabilites = []\n");
  CHECK(error.code == "config_unknown_key");
  CHECK(error.where == folder.file().string() + ":8");
  CHECK(error.message.find("did you mean capabilities?") != std::string::npos);
}

TEST_CASE("An unknown table is refused") {
  const Error error = error_of(PolicyFolder(), "[[acccept]]\n");
  CHECK(error.code == "config_unknown_key");
  CHECK(error.message.find("did you mean accept?") != std::string::npos);
}

TEST_CASE("A digest that can't be one is refused") {
  const Error error = error_of(PolicyFolder(), "[[accept]]\ncontract = \"acme.echo@v1\"\ndigest = \"abc\"\n");
  CHECK(error.code == "config_value");
  CHECK(error.message.find("accept.digest") != std::string::npos);
}

TEST_CASE("Two callers can't share a name") {
  const Error error = error_of(PolicyFolder(), "[[callers]]\nname = \"shop\"\nsession_key = \"" + kSessionKey +
                                                   "\"\n[[callers]]\nname = \"shop\"\nsession_key = \"" +
                                                   std::string(43, 'm') + "\"\n");
  CHECK(error.message.find("second caller has the name shop") != std::string::npos);
}

TEST_CASE("Two callers can't share a session key") {
  const Error error =
      error_of(PolicyFolder(), "[[callers]]\nname = \"a\"\nsession_key = \"" + kSessionKey +
                                   "\"\n[[callers]]\nname = \"b\"\nsession_key = \"" + kSessionKey + "\"\n");
  CHECK(error.message.find("session key of another caller") != std::string::npos);
}

TEST_CASE("A caller's name can't lead out of the folder of seeds") {
  const Error error = error_of(PolicyFolder(), "[[callers]]\nname = \"../x\"\nsession_key = \"" + kSessionKey + "\"\n");
  CHECK(error.message.find("callers.name") != std::string::npos);
}

TEST_CASE("A signing seed that others can read is refused") {
  const PolicyFolder folder;
  folder.write("");
  ::chmod(folder.seed_file().c_str(), 0640);
  const auto policy = load_static_policy(folder.file());
  REQUIRE_FALSE(policy);
  CHECK(policy.error().where == folder.file().string() + ":3");
  CHECK(policy.error().message.find("can be used by others") != std::string::npos);
}

TEST_CASE("A signing seed may be read-only") {
  const PolicyFolder folder;
  folder.write("");
  ::chmod(folder.seed_file().c_str(), 0400);
  CHECK(load_static_policy(folder.file()));
}

TEST_CASE("A signing seed of another kind of key is refused without showing it") {
  const PolicyFolder folder;
  folder.write("");
  const std::string seed = NkeySeed::generate(NkeyType::user).text().reveal();
  std::ofstream(folder.seed_file()) << seed;
  const auto policy = load_static_policy(folder.file());
  REQUIRE_FALSE(policy);
  CHECK(policy.error().message.find("account key") != std::string::npos);
  CHECK(policy.error().text().find(seed) == std::string::npos);
}

TEST_CASE("A missing signing seed is refused") {
  const PolicyFolder folder;
  folder.write("");
  std::filesystem::remove(folder.seed_file());
  const auto policy = load_static_policy(folder.file());
  REQUIRE_FALSE(policy);
  CHECK(policy.error().message.find("signing_seed_file") != std::string::npos);
}

TEST_CASE("A folder or a pipe in place of a seed is refused at once") {
  const PolicyFolder folder;
  const auto pipe = folder.seed_file().string() + ".pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_secret_file(pipe).error().code == "secret_exposed");
  CHECK(read_secret_file(folder.file().parent_path()).error().code == "secret_exposed");
}

TEST_CASE("A policy file without an account is refused") {
  const PolicyFolder folder;
  std::ofstream(folder.file(), std::ios::trunc) << "[[callers]]\n";
  const auto policy = load_static_policy(folder.file());
  REQUIRE_FALSE(policy);
  CHECK(policy.error().code == "config_missing");
}

TEST_CASE("A policy file that isn't TOML is refused with its line") {
  const Error error = error_of(PolicyFolder(), "[[accept\n");
  CHECK(error.code == "config_syntax");
}

TEST_CASE("A policy file that isn't there is refused") {
  CHECK(load_static_policy("/nowhere/policy.toml").error().code == "config_unreadable");
}

TEST_CASE("docs/config.md describes every key of policy.toml as the code does") {
  std::ifstream in(TRELLIS_SOURCE_ROOT "/docs/config.md");
  const std::string docs{std::istreambuf_iterator<char>(in), {}};
  const auto described = static_policy_markdown();
  INFO("docs/config.md has to hold this:\n" << described);
  CHECK(docs.find(described) != std::string::npos);
}
