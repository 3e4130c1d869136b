#include "nats/copies.h"
#include "transport/transport.h"
#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace trellis;

namespace {

struct Received : Message {
  std::string text;
  Headers list;

  explicit Received(std::string payload, Headers headers = {}) : text(std::move(payload)), list(std::move(headers)) {}
  std::string_view subject() const override { return "events.v1.E"; }
  std::string_view reply() const override { return {}; }
  std::string_view payload() const override { return text; }
  std::string_view header(std::string_view) const override { return {}; }
  Headers headers() const override { return list; }
  Result<void> respond(std::string_view, const Headers *) const override { return {}; }
};

const int kOld = 1, kNew = 2; // what tells connections apart is their address

} // namespace

TEST_CASE("while two connections have a subscription, what both bring is heard once, whoever is first") {
  Copies copies;
  copies.begin();
  CHECK(!copies.is_copy(&kOld, Received("a")));
  CHECK(!copies.is_copy(&kNew, Received("b")));
  CHECK(copies.is_copy(&kOld, Received("b")));
  CHECK(copies.is_copy(&kNew, Received("a")));
  copies.end();
  CHECK(!copies.is_copy(&kOld, Received("c")));
  CHECK(copies.is_copy(&kNew, Received("c"))); // was on its way
}

TEST_CASE("the same words said twice are heard twice, and other headers make another message") {
  Copies copies;
  copies.begin();
  CHECK(!copies.is_copy(&kOld, Received("a")));
  CHECK(!copies.is_copy(&kOld, Received("a")));
  CHECK(copies.is_copy(&kNew, Received("a")));
  CHECK(copies.is_copy(&kNew, Received("a")));
  CHECK(!copies.is_copy(&kNew, Received("a")));
  CHECK(!copies.is_copy(&kNew, Received("b", {{"status", "error"}})));
  CHECK(!copies.is_copy(&kOld, Received("b", {{"status", "fine"}})));
}

TEST_CASE("with one connection everything is heard") {
  Copies copies;
  CHECK(!copies.is_copy(&kOld, Received("a")));
  CHECK(!copies.is_copy(&kNew, Received("a")));
}
