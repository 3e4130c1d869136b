// A folder with a policy file and its signing seed, contracts to accept, and a policy whose clock stands still.
#pragma once

#include "contracts/json.h"
#include "policy/policy.h"
#include "wire/nkeys.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <rapidjson/document.h>
#include <string>
#include <sys/stat.h>
#include <vector>

namespace trellis::test {

class PolicyFolder {
public:
  PolicyFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "policy-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path_ = name;
    std::ofstream(seed_file()) << signing_key_.text().reveal() << "\n";
    ::chmod(seed_file().c_str(), 0600);
  }
  ~PolicyFolder() { std::filesystem::remove_all(path_); }
  PolicyFolder(const PolicyFolder &) = delete;
  PolicyFolder &operator=(const PolicyFolder &) = delete;

  std::filesystem::path file() const { return path_ / "policy.toml"; }
  std::filesystem::path seed_file() const { return path_ / "signing.seed"; }
  const NkeySeed &account() const { return account_; }
  const NkeySeed &signing_key() const { return signing_key_; }

  // The account's table, which takes the first four lines, and then `tables`.
  void write(const std::string &tables) const {
    std::ofstream(file(), std::ios::trunc)
        << "[account]\npublic_key = \"" << account_.public_text() << "\"\nsigning_seed_file = \"signing.seed\"\n\n"
        << tables;
  }

private:
  std::filesystem::path path_;
  NkeySeed account_ = NkeySeed::generate(NkeyType::account);
  NkeySeed signing_key_ = NkeySeed::generate(NkeyType::account);
};

inline constexpr std::int64_t kNow = 1760000000; // seconds

inline Manifest contract_of(const std::string &text) {
  return std::move(Manifest::parse(text).value());
}

// A contract with the rpcs in `rpc` (JSON members) and further members.
inline Manifest service(const std::string &id, const std::string &rpc, const std::string &more = "") {
  return contract_of(
      R"({"format":"trellis.contract.v1","id":")" + id +
      R"(","displayName":"Name","description":"What it does.","kind":"service","schemas":{"Any":{}},"rpc":{)" + rpc +
      "}" + more + "}");
}

inline std::string rpc(const std::string &name, const std::string &more = "") {
  return "\"" + name + R"(":{"version":"v1","subject":"rpc.v1.)" + name +
         R"(","input":{"schema":"Any"},"output":{"schema":"Any"})" + more + "}";
}

inline Manifest echo() {
  return service("acme.echo@v1", rpc("Echo.Say") + "," + rpc("Echo.Repeat"));
}

inline Manifest shop() {
  return service("acme.shop@v1", rpc("Shop.Buy", R"(,"capabilities":{"call":["acme.shop::buy"]})"),
                 R"(,"uses":{"required":{"echo":{"contract":"acme.echo@v1","rpc":{"call":["Echo.Say"]}}}})");
}

inline std::string accept(const Manifest &contract) {
  return "[[accept]]\ncontract = \"" + contract.id() + "\"\ndigest = \"" + contract.digest() + "\"\n";
}

inline std::string caller(const SessionKey &key, const std::string &uses, const std::string &capabilities = "") {
  return "[[callers]]\nname = \"shop\"\nsession_key = \"" + key.text() + "\"\ncapabilities = [" + capabilities +
         "]\nuses = {" + uses + "}\n";
}

inline JsonDocument json_of(std::string_view text) {
  return std::move(parse_json(text).value());
}

// A policy whose clock stands still, and one service instance that asks it.
struct PolicyFixture {
  explicit PolicyFixture(const std::string &tables, std::vector<Manifest> known = {}) {
    folder.write(tables);
    auto opened = StaticPolicy::open(folder.file(), "", [] { return kNow * 1000; });
    REQUIRE(opened);
    policy = std::move(*opened);
    policy->set_known_contracts(std::move(known));
  }

  PolicyAnswer ask(std::string request) const {
    PolicyAnswer out;
    policy->bootstrap(std::move(request), [&out](PolicyAnswer answer) { out = std::move(answer); });
    return out;
  }
  PolicyAnswer ask(const Manifest &contract, const ArtifactFacts &artifact) const {
    PolicyAnswer out;
    policy->bootstrap(bootstrap_request(key, contract, true, kNow), artifact,
                      [&out](PolicyAnswer answer) { out = std::move(answer); });
    return out;
  }
  PolicyAnswer ask(const Manifest &contract, bool with_manifest = true) const {
    return ask(bootstrap_request(key, contract, with_manifest, kNow));
  }
  std::string reason(const Manifest &contract) const {
    const PolicyAnswer answer = ask(contract);
    INFO(answer.body);
    return std::string(string_member(json_of(answer.body), "reason"));
  }

  tl::expected<Validation, ErrorEnvelope> validate(const SessionKey &sender, std::string_view subject,
                                                   const std::vector<std::string> &capabilities = {}) const {
    static int count = 0;
    const std::string id = "request-" + std::to_string(++count);
    const Sha256 hash = sha256(as_bytes("{}"));
    const std::string proof = make_request_proof(sender, subject, hash, kNow, id);
    return policy->validator()->validate({sender.text(), proof, subject, hash, kNow, id, capabilities, false});
  }

  PolicyFolder folder;
  std::unique_ptr<StaticPolicy> policy;
  SessionKey key = SessionKey::generate();
};

} // namespace trellis::test
