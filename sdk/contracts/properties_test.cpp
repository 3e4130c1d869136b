// What holds for every contract, tried on generated ones. A failure prints its seed; TRELLIS_TEST_SEED=N runs that case
// alone, TRELLIS_TEST_LONG many more.
#include "contracts/accepted_grants.h"
#include "contracts/authority_plan.h"
#include "contracts/canonical.h"
#include "contracts/compatibility.h"
#include "contracts/encoding.h"
#include "contracts/event_subject.h"
#include "contracts/json_write.h"
#include "contracts/schema.h"
#include "generate_testing.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::testing;

namespace {

constexpr char kSessionKey[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

template <class Property>
void for_each_seed(std::size_t cases, const Property &property) {
  if (const char *chosen = std::getenv("TRELLIS_TEST_SEED")) return property(std::strtoull(chosen, nullptr, 10));
  const std::size_t count = std::getenv("TRELLIS_TEST_LONG") ? cases * 50 : cases;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    INFO("seed " << seed);
    property(seed);
  }
}

Manifest manifest_of(const std::string &text) {
  auto manifest = Manifest::parse(text);
  INFO(text);
  if (!manifest) FAIL(manifest.error().code << " " << manifest.error().text());
  return std::move(*manifest);
}

KnownContracts known_contracts() {
  return {{manifest_of(dependency_text()), true}};
}

bool within(const std::vector<std::string> &part, const std::vector<std::string> &whole) {
  return std::ranges::includes(whole, part);
}

template <class T>
std::vector<T> some_of(const std::vector<T> &all, Random &random) {
  std::vector<T> out;
  std::ranges::copy_if(all, std::back_inserter(out), [&](const T &) { return random.chance(2); });
  return out;
}

std::size_t surface_count(const ManifestModel &model) {
  const auto count = [](const auto &section) { return section ? section->size() : 0; };
  return count(model.rpc) + count(model.operations) + count(model.events) + count(model.feeds) + count(model.jobs);
}

} // namespace

TEST_CASE("normalizing a normalized manifest changes neither text nor digest") {
  for_each_seed(200, [](std::uint64_t seed) {
    const auto once = manifest_of(manifest_text(seed));
    const auto twice = manifest_of(once.normalized());
    REQUIRE(twice.normalized() == once.normalized());
    REQUIRE(twice.digest() == once.digest());
  });
}

TEST_CASE("a manifest's texts are canonical JSON") {
  for_each_seed(100, [](std::uint64_t seed) {
    const auto manifest = manifest_of(manifest_text(seed));
    for (const auto &text : {manifest.normalized(), manifest.projection()})
      REQUIRE(canonical_json(parse_json(text).value()).value() == text);
    REQUIRE(sha256_base64url(manifest.projection()) == manifest.digest());
  });
}

TEST_CASE("order of members, texts for people and unknown members leave the digest alone") {
  for_each_seed(150, [](std::uint64_t seed) {
    const auto digest = manifest_of(manifest_text(seed)).digest();
    REQUIRE(manifest_of(manifest_text(seed, {.order = seed + 1})).digest() == digest);
    REQUIRE(manifest_of(manifest_text(seed, {.other_texts = true})).digest() == digest);
    REQUIRE(manifest_of(manifest_text(seed, {.unknown_members = true})).digest() == digest);
    REQUIRE(manifest_of(manifest_text(seed, {seed + 2, true, true})).digest() == digest);
  });
}

TEST_CASE("generated contracts differ from each other") { // or else the properties would say nothing
  std::vector<std::string> digests;
  for (std::uint64_t seed = 1; seed <= 200; ++seed)
    digests.push_back(manifest_of(manifest_text(seed)).digest());
  std::ranges::sort(digests);
  CHECK(std::ranges::adjacent_find(digests) == digests.end());
}

TEST_CASE("every contract is compatible with itself, and the merge has its surfaces") {
  for_each_seed(150, [](std::uint64_t seed) {
    const auto manifest = manifest_of(manifest_text(seed));
    const auto merged = merge_lineage({manifest, manifest});
    REQUIRE(merged);
    REQUIRE(merged->rpc.size() + merged->operations.size() + merged->events.size() + merged->feeds.size() +
                merged->jobs.size() ==
            surface_count(manifest.model()));
  });
}

TEST_CASE("what was accepted fits: the same contract asks for no further plan") {
  const auto known = known_contracts();
  for_each_seed(150, [&](std::uint64_t seed) {
    const auto analysis = analyze(manifest_of(manifest_text(seed)), known, Resolution::known_or_pending);
    REQUIRE(analysis);
    const auto fit = classify(current_needs(state_when_accepted(*analysis)), analysis->requested());
    REQUIRE(fit.fits);
    REQUIRE(!fit.plan_required);
  });
}

TEST_CASE("fewer grants or capabilities never give more permissions") {
  const auto known = known_contracts();
  for_each_seed(150, [&](std::uint64_t seed) {
    const auto kind = seed % 2 ? DeploymentKind::service : DeploymentKind::device;
    const auto grants = grants_when_accepted(manifest_of(manifest_text(seed)), known, kind);
    REQUIRE(grants);
    Random random(seed);
    const Grants fewer{some_of(grants->capabilities, random), grants->surfaces, some_of(grants->nats, random)};
    const auto permissions = [&](const Grants &of) {
      return kind == DeploymentKind::service ? service_permissions(of, {}, kSessionKey)
                                             : device_permissions(of, kSessionKey);
    };
    const auto all = permissions(*grants), some = permissions(fewer);
    REQUIRE(within(some.publish, all.publish));
    REQUIRE(within(some.subscribe, all.subscribe));
    REQUIRE(within(some.capabilities, all.capabilities));
    REQUIRE((all.response.streaming || !some.response.streaming));
  });
}

TEST_CASE("a value in an event's subject comes back out of it") {
  for_each_seed(3000, [](std::uint64_t seed) {
    const auto text = Random(seed).text();
    const auto payload = parse_json(JsonObjectText().text("a", text).str()).value();
    const auto subject = expand_subject("events.v1.Gen.At.{/a}", payload, SubjectMode::publish);
    REQUIRE(subject);
    const auto token = subject->substr(subject->rfind('.') + 1);
    REQUIRE(subject->starts_with("events.v1.Gen.At."));
    REQUIRE(std::ranges::count(*subject, '.') == 4); // the value added no token
    REQUIRE(!token.empty());
    REQUIRE(token.find_first_of("*> \t") == std::string::npos);
    REQUIRE(!token.starts_with('$'));
    const auto expected = text.empty() ? "_" : text.starts_with("_$") ? text.substr(1) : text; // 01 §8.4
    REQUIRE(decode_subject_token(token) == expected);
  });
}

TEST_CASE("a schema says the same with and without its issues, and merges with itself") {
  for_each_seed(1000, [](std::uint64_t seed) {
    const auto text = schema_text(seed);
    INFO(text);
    const auto schema_json = parse_json(text).value();
    const auto schema = Schema::compile(schema_json);
    REQUIRE(schema);
    for (std::uint64_t i = 0; i < 4; ++i) {
      const auto value = parse_json(value_text(seed * 4 + i)).value();
      const auto issues = schema->check(value);
      REQUIRE(schema->valid(value) == issues.empty());
      REQUIRE(issues.size() <= kMaxSchemaIssues);
    }
    const auto merged = merge_schemas(schema_json, schema_json);
    REQUIRE(merged);
    REQUIRE(canonical_json(*merged).value() == canonical_json(schema_json).value());
  });
}
