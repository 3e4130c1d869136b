#include "wire/presence.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

TEST_CASE("a connection key reads back whatever its scope id holds") {
  const auto key = parse_connection_key(format_connection_key({"S", "a.b *>\xC3\xA4", "U"}));
  REQUIRE(key);
  CHECK(key->session_key == "S");
  CHECK(key->scope_id == "a.b *>\xC3\xA4");
  CHECK(key->user_nkey == "U");
}

TEST_CASE("keys of another shape are skipped") {
  CHECK(parse_connection_key("S.b64_YQ.U").has_value());
  CHECK_FALSE(parse_connection_key(""));
  CHECK_FALSE(parse_connection_key("S"));
  CHECK_FALSE(parse_connection_key("S.b64_YQ"));
  CHECK_FALSE(parse_connection_key("S.b64_YQ.U.x"));
  CHECK_FALSE(parse_connection_key("S.YQ.U"));
  CHECK_FALSE(parse_connection_key("S.b64_.U"));
  CHECK_FALSE(parse_connection_key("S.b64_=.U"));
  CHECK_FALSE(parse_connection_key("S.b64_A.U"));
  CHECK_FALSE(parse_connection_key("S.b64_Y*.U"));
  CHECK_FALSE(parse_connection_key("S.b64__w.U"));
  CHECK_FALSE(parse_connection_key(".b64_YQ.U"));
  CHECK_FALSE(parse_connection_key("S.b64_YQ."));
}

TEST_CASE("filters select by session, user key or scope") {
  CHECK(connections_of_session("S") == "S.>");
  CHECK(connections_of_user_nkey("U") == "*.*.U");
  CHECK(connections_of_scope("a") == "*.b64_YQ.*");
}
