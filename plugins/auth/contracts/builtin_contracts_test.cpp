#include "builtin_contracts.h"

#include "contracts/compatibility.h"
#include "contracts/health_contract.h"
#include "contracts/subject_guard.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::auth;

namespace {

std::vector<Manifest> builtin() {
  auto manifests = builtin_contracts();
  if (!manifests) FAIL(manifests.error().text());
  return std::move(*manifests);
}

const Manifest &named(const std::vector<Manifest> &manifests, std::string_view id) {
  for (const auto &manifest : manifests)
    if (manifest.id() == id) return manifest;
  FAIL("no " << id);
  return manifests.front();
}

} // namespace

TEST_CASE("the built-in contracts come in the order of registration") {
  const auto manifests = builtin();
  REQUIRE(manifests.size() == 5);
  CHECK(manifests[0].id() == "trellis.core@v1");
  CHECK(manifests[1].id() == "trellis.auth@v1");
  CHECK(manifests[2].id() == "trellis.health@v1");
  CHECK(manifests[3].id() == "trellis.state@v1");
  CHECK(manifests[4].id() == "trellis.jobs@v1");
}

TEST_CASE("the built-in contracts have the digests that every other implementation knows") {
  const auto manifests = builtin();
  CHECK(named(manifests, "trellis.auth@v1").digest() == "x-9_MjfSThvbn1yc9jAWbaraniKLZ74oUeUqqtZijXQ");
  CHECK(named(manifests, "trellis.core@v1").digest() == "0fj3uwi0bP5Z59d1Hv5j7UAfHrwWHhCUvKEQDzojWxU");
  CHECK(named(manifests, "trellis.health@v1").digest() == "RHDzeH2V6Nltzk6WklCLbTIK48hF0hNuO9Qk6-BosT4");
  CHECK(named(manifests, "trellis.jobs@v1").digest() == "jSB8nKGOQqIxdFDdUqO-gOTt3Dijg--SOXJtJ1ChpoY");
  CHECK(named(manifests, "trellis.state@v1").digest() == "XfWDYLTBlYFjDqMPBEXrTBccZbFvHp0MnqscehdRKT4");
}

TEST_CASE("the built-in contracts fit into a contract section") {
  CHECK(builtin_manifests_text().size() < std::size_t{4} << 20);
  CHECK(builtin_manifests_text().front() == '[');
  CHECK(builtin_manifests_text().back() == ']');
}

TEST_CASE("the contract of heartbeats is the one that policies without a control plane know") {
  const auto manifests = builtin();
  CHECK(named(manifests, "trellis.health@v1").normalized() == health_contract().normalized());
  CHECK(named(manifests, "trellis.health@v1").digest() == health_contract().digest());
}

TEST_CASE("core is shipped with the flag that normalization drops") {
  const auto manifests = builtin();
  const auto &core = named(manifests, "trellis.core@v1");
  CHECK(core.normalized().find("internal") == std::string::npos);
  const auto shipped = parse_json(shipped_manifest(core.digest()));
  REQUIRE(shipped);
  const auto *rpc = find_member(*shipped, "rpc");
  REQUIRE(rpc);
  const auto *get = find_member(*rpc, "Trellis.Bindings.Get");
  REQUIRE(get);
  const auto *internal = find_member(*get, "internal");
  REQUIRE(internal);
  CHECK(internal->IsTrue());
  CHECK(shipped_manifest("L4HW6uUIxDhK1Kpa_PUxpumoMberMgiCgJTNN5Qvje0").empty());
}

TEST_CASE("the subjects of the built-in contracts are reserved also where their manifests aren't known") {
  for (const auto &manifest : builtin()) {
    INFO(manifest.id());
    std::string text = manifest.normalized();
    const auto at = text.find("\"id\":\"" + manifest.id());
    REQUIRE(at != std::string::npos);
    text.replace(at, 6 + manifest.id().size(), "\"id\":\"acme.other@v1");
    const auto taken = Manifest::parse(text);
    REQUIRE(taken);
    const auto checked = check_own_subjects(*taken);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == "subject_reserved");
  }
}

TEST_CASE("the built-in contracts are compatible with the reference manifests") {
  const char *vectors = std::getenv("TRELLIS_VECTORS");
  const auto folder = std::filesystem::path(vectors ? vectors : "") / ".." / "manifests";
  if (!vectors || !std::filesystem::is_directory(folder)) SKIP("no reference manifests beside TRELLIS_VECTORS");
  for (const auto &ours : builtin()) {
    INFO(ours.id());
    std::ifstream file(folder / (ours.id() + ".json"), std::ios::binary);
    REQUIRE(file);
    const auto theirs = Manifest::parse(std::string(std::istreambuf_iterator<char>(file), {}));
    REQUIRE(theirs);
    CHECK(theirs->digest() == ours.digest());
    CHECK(merge_lineage({*theirs, ours}).has_value());
    CHECK(merge_lineage({ours, *theirs}).has_value());
  }
}
