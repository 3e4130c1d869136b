#include "wire/state_record.h"

#include "wire/collation.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <vector>

using namespace trellis;

namespace {

const StateAddress kDrafts = {"user", "usr_ann", "acme.notes@v1", "drafts"};

StateEnvelope envelope() {
  return {R"({"theme":"dark"})", "2026-03-01T10:00:00.000Z", "v1", "D1", "2026-03-01T10:01:00.000Z"};
}

} // namespace

TEST_CASE("state keys encode everything but a few characters") {
  CHECK(state_map_key(kDrafts, "a/b.c d") == "user.usr_ann.acme=2Enotes=40v1.drafts.a/b=2Ec=20d");
  CHECK(state_value_key(kDrafts) == "user.usr_ann.acme=2Enotes=40v1.drafts.=value");
  CHECK(state_token("=value") == "=3Dvalue");
  CHECK(state_token("\xC3\xA9") == "=C3=A9");
  CHECK(state_token("\xED\xA0\x80").starts_with("=EF=BF=BD")); // an unpaired surrogate
}

TEST_CASE("a map key is found again in its own store only") {
  CHECK(state_key_of(kDrafts, state_map_key(kDrafts, "a/b.c d")) == "a/b.c d");
  CHECK_FALSE(state_key_of(kDrafts, state_value_key(kDrafts)));
  StateAddress other = kDrafts;
  other.store = "drafts2";
  CHECK_FALSE(state_key_of(kDrafts, state_map_key(other, "a")));
  for (const char *token : {"=2", "=", "=2e", "=41", "a.b", "="}) {
    CAPTURE(token);
    CHECK_FALSE(state_token_text(token));
  }
}

TEST_CASE("an envelope reads back, and any doubt about it is corruption") {
  CHECK(parse_state_envelope(to_json(envelope())).value() == envelope());
  StateEnvelope loose = envelope();
  loose.updated_at = "2026-03-01T10:00:00Z";
  CHECK(parse_state_envelope(to_json(loose)).error().where == "/updatedAt");
  loose = envelope();
  loose.expires_at = "later";
  CHECK(parse_state_envelope(to_json(loose)).error().where == "/expiresAt");
  loose = envelope();
  loose.writer_contract_digest = "";
  CHECK(parse_state_envelope(to_json(loose)).error().where == "/writerContractDigest");
  CHECK(parse_state_envelope(R"({"updatedAt":"2026-03-01T10:00:00.000Z"})").error().where == "/value");
}

TEST_CASE("an entry is over as soon as its time has come") {
  std::int64_t expires = 1772359260000;
  CHECK(is_expired(envelope(), expires));
  CHECK_FALSE(is_expired(envelope(), expires - 1));
  StateEnvelope kept = envelope();
  kept.expires_at.reset();
  CHECK_FALSE(is_expired(kept, std::numeric_limits<std::int64_t>::max()));
}

TEST_CASE("an entry of another version asks for migration") {
  const auto same = read_state(envelope(), "7", "k", "v1");
  CHECK(to_json(StateGetAnswer{same}).starts_with(R"({"found":true,"entry":{"key":"k",)"));
  const auto old = read_state(envelope(), "7", {}, "v2");
  CHECK(to_json(StateGetAnswer{old}).starts_with(R"({"migrationRequired":true,"entry":{"value":)"));
}

TEST_CASE("answers read back as they were written") {
  const auto same = read_state(envelope(), "7", "k", "v1"), old = read_state(envelope(), "8", "l", "v2");
  for (const StateGetAnswer &answer : {StateGetAnswer{}, StateGetAnswer{same}, StateGetAnswer{old}})
    CHECK(parse_state_get(to_json(answer)).value() == answer);
  for (const StatePutAnswer &answer : {StatePutAnswer{true, same}, StatePutAnswer{false, old}, StatePutAnswer{}})
    CHECK(parse_state_put(to_json(answer)).value() == answer);
  const StatePage page{{same, old}, 5, 0, 2, 2};
  CHECK(parse_state_page(to_json(page)).value() == page);
  CHECK(to_json(StatePutAnswer{}) == R"({"applied":false,"found":false})");
}

TEST_CASE("there is a next page only when something is left") {
  CHECK(next_offset(0, 2, 3) == 2);
  CHECK_FALSE(next_offset(1, 2, 3));
  CHECK_FALSE(next_offset(0, 0, 3));
  CHECK_FALSE(next_offset(5, 2, 3));
  CHECK_FALSE(next_offset(2, std::numeric_limits<std::int64_t>::max(), 9));
}

TEST_CASE("listings are ordered as the chapter's example") {
  const std::vector<std::string_view> ordered = {"a",  "A",  "a_b", "a-b", "a.b", "a/b", "a1", "a10",
                                                 "a2", "aa", "ab",  "aB",  "b",   "B",   "Z"};
  auto shuffled = ordered;
  std::reverse(shuffled.begin(), shuffled.end());
  std::stable_sort(shuffled.begin(), shuffled.end(), collates_before);
  CHECK(shuffled == ordered);
}

TEST_CASE("case counts only where nothing else differs, and control characters never") {
  CHECK(collates_before("Aa", "ab"));
  CHECK(collates_before("aA", "Aa"));
  CHECK_FALSE(collates_before("a\x01", "a"));
  CHECK_FALSE(collates_before("a", "a\x01"));
  CHECK(collates_before("z", "\xC3\xA9"));
  CHECK_FALSE(collates_before("a", "a"));
}
