#include "nats/protocol_text.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using Action = PermissionViolation::Action;

TEST_CASE("a refused publish names its subject") {
  const auto violation = parse_permission_violation(R"(Permissions Violation for Publish to "rpc.v1.Auth.Me")");
  REQUIRE(violation);
  CHECK(violation->action == Action::publish);
  CHECK(violation->subject == "rpc.v1.Auth.Me");
}

TEST_CASE("a refused reply subject names the reply subject") {
  const auto violation = parse_permission_violation(R"('Permissions Violation for Publish with Reply of "$SYS.x"')");
  REQUIRE(violation);
  CHECK(violation->action == Action::publish_reply);
  CHECK(violation->subject == "$SYS.x");
}

TEST_CASE("a refused subscription names its subject, not its queue group") {
  const auto plain = parse_permission_violation(R"(Permissions Violation for Subscription to "secret.>")");
  const auto grouped = parse_permission_violation(R"(permissions violation for subscription to "a.b" using queue "w")");
  REQUIRE((plain && grouped));
  CHECK(plain->action == Action::subscribe);
  CHECK(plain->subject == "secret.>");
  CHECK(grouped->subject == "a.b");
}

TEST_CASE("a quoted subject is unquoted") {
  const auto violation = parse_permission_violation(R"(Permissions Violation for Publish to "a.\"b\\c")");
  REQUIRE(violation);
  CHECK(violation->subject == R"(a."b\c)");
}

TEST_CASE("other errors are no permission violations") {
  CHECK_FALSE(parse_permission_violation(""));
  CHECK_FALSE(parse_permission_violation("User Authentication Expired"));
  CHECK_FALSE(parse_permission_violation("Authorization Violation"));
}

TEST_CASE("the end of credentials is told from other errors") {
  CHECK(tells_expiry("User Authentication Expired"));
  CHECK(tells_expiry("'User Authentication Revoked'"));
  CHECK(tells_expiry("account authentication expired"));
  CHECK_FALSE(tells_expiry("Authorization Violation"));
  CHECK_FALSE(tells_expiry(""));
}

TEST_CASE("a token is escaped as the inside of a JSON string") {
  CHECK(escape_token(R"({"v":1,"sig":"a\b"})") == R"({\"v\":1,\"sig\":\"a\\b\"})");
  CHECK(escape_token("plain") == "plain");
  CHECK(escape_token("").empty());
}

TEST_CASE("user and password never show in the URL of an error") {
  CHECK(without_userinfo("nats://user:p@ss@host:4222") == "nats://host:4222");
  CHECK(without_userinfo("nats://host:4222") == "nats://host:4222");
  CHECK(without_userinfo("token@host") == "host");
}

TEST_CASE("what would break a protocol line is not sendable") {
  CHECK(is_sendable_subject("a.b.>"));
  CHECK(is_sendable_subject("_INBOX.x.*"));
  CHECK(is_sendable_subject(std::string(kMaxSubject, 'a')));
  CHECK_FALSE(is_sendable_subject(std::string(kMaxSubject + 1, 'a')));
  CHECK_FALSE(is_sendable_subject("a..b"));
  CHECK_FALSE(is_sendable_subject(".a"));
  CHECK_FALSE(is_sendable_subject("a."));
  CHECK_FALSE(is_sendable_subject("a\tb"));
  CHECK_FALSE(is_sendable_subject(std::string_view("a\0b", 3)));
  CHECK(is_sendable_header("trellis-x", "any value: \xC3\xA9\t"));
  CHECK_FALSE(is_sendable_header("a:b", "x"));
  CHECK_FALSE(is_sendable_header("", "x"));
  CHECK_FALSE(is_sendable_header("a", "x\ry"));
}
