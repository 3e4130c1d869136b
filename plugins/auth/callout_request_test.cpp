#include "callout_request.h"

#include "callout_testing.h"
#include "contracts/json.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::auth;
using auth::testing::ServerSide;

namespace {

constexpr std::int64_t kNow = 1767225600;

struct Setup {
  ServerSide server;
  NkeySeed xkey = NkeySeed::generate(NkeyType::curve);

  Result<CalloutRequest> decode_text(std::string_view text) {
    return decode_callout_request(xkey, server.xkey.public_text(), server.sealed(text, xkey.public_text()));
  }
  Result<CalloutRequest> decode_nats(std::string_view nats) { return decode_text(server.request_jwt(nats, kNow)); }
  // nats-server's claims with one member of `object` ("" = of nats itself) replaced by JSON text.
  Result<CalloutRequest> decode_with(std::string_view object, const char *member, std::string_view json) {
    auto nats = parse_json(server.nats_claims("token")).value();
    auto &allocator = nats.GetAllocator();
    auto &place = object.empty() ? static_cast<JsonValue &>(nats) : nats[std::string(object).c_str()];
    place.RemoveMember(member);
    const auto value = parse_json(json).value();
    place.AddMember(rapidjson::StringRef(member), JsonValue(value, allocator), allocator);
    return decode_nats(to_json(nats));
  }
};

} // namespace

TEST_CASE("a request of nats-server is read with the facts that the callout needs") {
  Setup setup;
  const auto request = setup.decode_nats(setup.server.nats_claims("the token", R"({"host":"192.0.2.1","id":42})"));
  REQUIRE(request);
  CHECK(request->user_nkey == setup.server.user.public_text());
  CHECK(request->server_id == setup.server.server.public_text());
  CHECK(request->server_name == "n1");
  CHECK(request->client_ip == "192.0.2.1");
  CHECK(request->client_id == 42);
  CHECK(request->auth_token == "the token");
}

TEST_CASE("client_info's ip comes before its host, and an empty one doesn't count") {
  Setup setup;
  CHECK(setup.decode_with("client_info", "ip", R"("198.51.100.7")")->client_ip == "198.51.100.7");
  CHECK(setup.decode_with("client_info", "ip", R"("")")->client_ip == "192.0.2.10");
}

TEST_CASE("a server without a name is called by its id") {
  Setup setup;
  CHECK(setup.decode_with("server_id", "name", R"("")")->server_name == setup.server.server.public_text());
}

TEST_CASE("a request without client info or token is still answered") {
  Setup setup;
  auto nats = parse_json(setup.server.nats_claims(std::nullopt)).value();
  nats.RemoveMember("client_info");
  const auto request = setup.decode_nats(to_json(nats));
  REQUIRE(request);
  CHECK(request->client_ip.empty());
  CHECK_FALSE(request->client_id);
  CHECK(request->auth_token.empty());
}

TEST_CASE("a member of another kind fails the whole request") {
  Setup setup;
  struct Wrong {
    const char *object, *member, *json;
  };
  const Wrong wrong = GENERATE_COPY(values<Wrong>({{"", "user_nkey", "7"},
                                                   {"", "server_id", "[]"},
                                                   {"server_id", "id", "null"},
                                                   {"server_id", "name", "1"},
                                                   {"connect_opts", "auth_token", "{}"},
                                                   {"client_info", "ip", "1"},
                                                   {"client_info", "host", "null"},
                                                   {"client_info", "id", R"("77")"},
                                                   {"client_info", "id", "1e300"},
                                                   {"", "client_info", R"("x")"},
                                                   {"", "connect_opts", "null"}}));
  INFO(wrong.object << "." << wrong.member << " = " << wrong.json);
  const auto request = setup.decode_with(wrong.object, wrong.member, wrong.json);
  REQUIRE_FALSE(request);
  CHECK(request.error().code == "callout_request");
}

TEST_CASE("keys that would break a subject or a KV key are no keys") {
  Setup setup;
  CHECK_FALSE(setup.decode_with("", "user_nkey", R"("*")"));
  CHECK_FALSE(setup.decode_with("", "user_nkey", '"' + setup.server.server.public_text() + '"'));
  CHECK_FALSE(setup.decode_with("server_id", "id", R"("N.>")"));
}

TEST_CASE("a request that another key than its server's signed is refused") {
  Setup setup;
  const auto other = NkeySeed::generate(NkeyType::server).public_text();
  CHECK_FALSE(setup.decode_with("server_id", "id", '"' + other + '"'));
}

TEST_CASE("a token for another audience is refused") {
  Setup setup;
  CHECK_FALSE(setup.decode_text(setup.server.request_jwt(setup.server.nats_claims("t"), kNow, "NATS")));
}

TEST_CASE("sealed payloads that aren't for us, damaged, cut or empty are refused") {
  Setup setup;
  const auto jwt = setup.server.request_jwt(setup.server.nats_claims("t"), kNow);
  const auto &own = setup.xkey.public_text();
  const auto &sender = setup.server.xkey.public_text();
  auto sealed = setup.server.sealed(jwt, own);
  CHECK(decode_callout_request(setup.xkey, sender, sealed));
  CHECK_FALSE(decode_callout_request(NkeySeed::generate(NkeyType::curve), sender, sealed));
  CHECK_FALSE(decode_callout_request(setup.xkey, NkeySeed::generate(NkeyType::curve).public_text(), sealed));
  CHECK_FALSE(decode_callout_request(setup.xkey, "", sealed));
  CHECK_FALSE(decode_callout_request(setup.xkey, "XNOTAKEY", sealed));
  CHECK_FALSE(decode_callout_request(setup.xkey, sender, {}));
  CHECK_FALSE(decode_callout_request(setup.xkey, sender, as_bytes(jwt)));
  for (const std::size_t size : {std::size_t{4}, std::size_t{28}, std::size_t{40}, sealed.size() - 1})
    CHECK_FALSE(decode_callout_request(setup.xkey, sender, ByteView(sealed).first(size)));
  sealed.back() ^= 1;
  CHECK_FALSE(decode_callout_request(setup.xkey, sender, sealed));
}

TEST_CASE("a payload larger than any of nats-server's is refused before it is opened") {
  Setup setup;
  const Bytes large(kMaxCalloutBytes + 1, 'x');
  const auto request = decode_callout_request(setup.xkey, setup.server.xkey.public_text(), large);
  REQUIRE_FALSE(request);
  CHECK(request.error().message.find("larger") != std::string::npos);
}

TEST_CASE("sealed text that is no token, or none that verifies, is refused") {
  Setup setup;
  auto jwt = setup.server.request_jwt(setup.server.nats_claims("t"), kNow);
  CHECK_FALSE(setup.decode_text("hello"));
  CHECK_FALSE(setup.decode_text("e30.e30.e30"));
  CHECK_FALSE(setup.decode_text(jwt.substr(0, jwt.size() - 20)));
  CHECK_FALSE(setup.decode_nats("7"));
  const auto dot = jwt.rfind('.');
  jwt[dot + 5] = jwt[dot + 5] == 'A' ? 'B' : 'A';
  CHECK_FALSE(setup.decode_text(jwt));
}
